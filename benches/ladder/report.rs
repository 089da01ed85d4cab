//! The figures, in words.

use std::error::Error;
use std::time::Duration;

use touchline_transcode::rung::Rung;

use crate::maker::{self, Maker};
use crate::source::FRAMES_PER_SECOND;

/// Prints what both have taken for turns of so many seconds.
pub(crate) fn print(rungs: &[Rung], ours: &Maker, theirs: &Maker, turn_seconds: u32) -> Result<(), Box<dyn Error>> {
    let seconds = u32::try_from(ours.turns().len())? * turn_seconds;
    let length = f64::from(seconds);
    println!("{seconds} s of stream each, in turns of {turn_seconds} s");
    for (name, maker) in [("worker", ours), ("ffmpeg", theirs)] {
        let (mine, megabytes) = (total(maker) / length, maker.peak_memory()? / 1_000_000);
        println!(
            "{name}: {mine:.3} s of processor time per second, {megabytes} MB at most; others {:.3}",
            others(maker)
        );
    }
    print_ratio(ours, theirs);
    print_threads(rungs, ours, length);
    println!("rung    by      frames         IDRs  kb/s     p50 ms   p99 ms   max ms");
    for (index, rung) in rungs.iter().enumerate() {
        for (name, maker) in [("worker", ours), ("ffmpeg", theirs)] {
            if let Some(made) = maker.rungs().get(index) {
                println!("{:<7} {name:<7} {}", format!("{}p", rung.height), row(made, seconds));
            }
        }
    }
    let same =
        |maker: &Maker| maker.rungs().windows(2).all(|two| matches!(two, [a, b] if a.sync_frames == b.sync_frames));
    println!("IDRs at the same pictures in all rungs: worker {}, ffmpeg {}", same(ours), same(theirs));
    Ok(())
}

/// Seconds of processor time.
fn total(maker: &Maker) -> f64 {
    maker.turns().iter().map(|turn| turn.usage.total).sum()
}

/// Seconds of processor time per second that all else on the machine took meanwhile: much of it, and the latencies are
/// those of a scheduler.
fn others(maker: &Maker) -> f64 {
    let lasted: f64 = maker.turns().iter().map(|turn| turn.lasted.as_secs_f64()).sum();
    maker.turns().iter().map(|turn| turn.machine - turn.usage.total).sum::<f64>() / lasted
}

fn print_ratio(ours: &Maker, theirs: &Maker) {
    let pairs = ours.turns().iter().zip(theirs.turns());
    let mut ratios: Vec<f64> = pairs.map(|(ours, theirs)| ours.usage.total / theirs.usage.total).collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = |permille| at(&ratios, permille).unwrap_or_default();
    println!(
        "worker / ffmpeg: {:.2}; of neighbouring turns {:.2} at the median, {:.2} to {:.2}",
        total(ours) / total(theirs),
        ratio(500),
        ratio(0),
        ratio(1_000),
    );
}

/// In the worker every rung has a thread to scale and encode, named after its source, which come in the order of the plan;
/// that of the decoder comes last.
fn print_threads(rungs: &[Rung], worker: &Maker, seconds: f64) {
    let mut threads = worker.threads();
    let jobs = rungs.iter().map(|rung| format!("{}p", rung.height)).chain(["decoder".into()]);
    let told = jobs.enumerate().map(|(index, job)| {
        let spent = threads.remove(format!("appsrc{index}:src").as_str()).unwrap_or_default();
        format!("{job} {:.3}", spent / seconds)
    });
    let told = told.collect::<Vec<_>>().join(", ");
    println!("of the worker's: {told}, others {:.3}", threads.values().sum::<f64>() / seconds);
}

fn row(rung: &maker::Rung, seconds: u32) -> String {
    let frames = seconds * FRAMES_PER_SECOND;
    let mut latencies = rung.latencies.clone();
    latencies.sort();
    let ms = |permille| at(&latencies, permille).map_or(f64::NAN, |latency: Duration| latency.as_secs_f64() * 1_000.0);
    format!(
        "{:>6} of {frames:<5} {:>3} {:>5} {:>10.1} {:>8.1} {:>8.1}",
        latencies.len(),
        rung.sync_frames.len(),
        rung.bytes * 8 / 1_000 / seconds as usize,
        ms(500),
        ms(990),
        ms(1_000),
    )
}

/// The value that so many thousandths of the others do not exceed.
fn at<T: Copy>(sorted: &[T], permille: usize) -> Option<T> {
    sorted.get(sorted.len().saturating_sub(1) * permille / 1_000).copied()
}
