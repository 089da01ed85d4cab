//! The figures, in words.

use std::error::Error;
use std::time::Duration;

use touchline_transcode::rung::Rung;

use crate::maker::{self, Maker};

/// Prints what both have taken for turns of so many seconds.
pub(crate) fn print(rungs: &[Rung], ours: &Maker, theirs: &Maker, turn_seconds: u32) -> Result<(), Box<dyn Error>> {
    let seconds = ours.turns().len() as f64 * f64::from(turn_seconds);
    let total = |maker: &Maker| maker.turns().iter().map(|turn| turn.total).sum::<f64>() / seconds;
    println!("{seconds} s of stream each, in turns of {turn_seconds} s");
    for (name, maker) in [("worker", ours), ("ffmpeg", theirs)] {
        let megabytes = maker.peak_memory()? / 1_000_000;
        println!("{name}: {:.3} s of processor time per second, {megabytes} MB at most", total(maker));
    }
    let mut ratios: Vec<f64> =
        ours.turns().iter().zip(theirs.turns()).map(|(ours, theirs)| ours.total / theirs.total).collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = |permille| at(&ratios, permille).unwrap_or_default();
    println!(
        "ratio {:.2}; of neighbouring turns {:.2} at the median, {:.2} to {:.2}",
        total(ours) / total(theirs),
        ratio(500),
        ratio(0),
        ratio(1_000),
    );
    print_threads(rungs, ours, seconds);
    println!("rung    by      frames  IDRs  kb/s     p50 ms   p99 ms   max ms");
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

fn row(rung: &maker::Rung, seconds: f64) -> String {
    let mut latencies = rung.latencies.clone();
    latencies.sort();
    let ms = |permille| at(&latencies, permille).map_or(f64::NAN, |latency: Duration| latency.as_secs_f64() * 1_000.0);
    format!(
        "{:>6} {:>5} {:>5.0} {:>10.1} {:>8.1} {:>8.1}",
        latencies.len(),
        rung.sync_frames.len(),
        rung.bytes as f64 * 8.0 / seconds / 1_000.0,
        ms(500),
        ms(990),
        ms(1_000),
    )
}

/// The value that so many thousandths of the others do not exceed.
fn at<T: Copy>(sorted: &[T], permille: usize) -> Option<T> {
    sorted.get(sorted.len().saturating_sub(1) * permille / 1_000).copied()
}
