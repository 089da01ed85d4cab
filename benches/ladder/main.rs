//! What a ladder costs and how long it takes, next to one ffmpeg process that makes the same of the same source: processor
//! time per second of stream, memory, and the time from the receipt of an access unit to the encoded one, for each rung.
//!
//! `cargo build --release -p touchline-transcode-worker && cargo bench -p touchline-benches --bench ladder -- --seconds 60`
//!
//! The two take turns of some seconds, each frozen while the other works. At once they would measure how they disturb each
//! other; one after the other, a noise on the machine would hit one of them. Between two neighbouring turns it is the same.

mod ffmpeg;
mod maker;
mod report;
mod source;
mod worker;

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use touchline_transcode::rung::Rung;

use self::source::{FRAMES_PER_SECOND, GOP_SECONDS, Source};

/// A whole number of GOPs: every turn begins with a keyframe.
const TURN_SECONDS: u32 = 2 * GOP_SECONDS;

/// Measure what a ladder of renditions costs and how long it takes, next to one ffmpeg process.
#[derive(Parser)]
#[command(after_help = "Examples:\n  cargo bench -p touchline-benches --bench ladder\n  \
                        cargo bench -p touchline-benches --bench ladder -- --rungs '480p 1300k,360p 800k,240p 400k' --clip match.mp4")]
struct Options {
    /// How much of the stream each makes, after four seconds to warm up
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(4..))]
    seconds: u32,
    /// What to make of the source, highest first; without its own size (720p), the source itself is the top rendition
    #[arg(long, default_value = "720p 3000k,480p 1300k,360p 800k", value_name = "RUNGS", value_delimiter = ',')]
    rungs: Vec<Rung>,
    /// A film to make the source of instead of a test pattern
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,
    /// The worker [default: touchline-transcode where Cargo builds it]
    #[arg(long, value_name = "FILE")]
    worker: Option<PathBuf>,
    /// What Cargo calls every bench with
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let rungs = &options.rungs;
    let source = Source::encode(options.clip.as_deref())?;
    let folder = tempfile::tempdir()?;
    let mut ours = worker::start(&options.worker.map_or_else(built_worker, Ok)?, &source, rungs)?;
    let mut theirs = ffmpeg::start(&source, rungs, folder.path())?;
    let frames = (TURN_SECONDS * FRAMES_PER_SECOND) as usize;
    for _ in 0..=options.seconds.div_ceil(TURN_SECONDS) {
        ours.turn(&source, frames).map_err(|error| format!("the worker: {error}"))?;
        theirs.turn(&source, frames).map_err(|error| format!("ffmpeg: {error}"))?;
    }
    report::print(rungs, &ours, &theirs, TURN_SECONDS)
}

/// Cargo builds benches in a folder below that of programs.
fn built_worker() -> std::io::Result<PathBuf> {
    let bench = std::env::current_exe()?;
    let folder = bench.parent().and_then(|folder| folder.parent()).unwrap_or(&bench);
    Ok(folder.join("touchline-transcode"))
}
