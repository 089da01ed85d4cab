//! The `touchline-transcode` command: one worker process, started by the server, that makes a ladder of one source.
//!
//! ```text
//! socket -> link -> session -+-> video: decode -> gate -> rung: scale, encode -+-> link -> socket
//!                            +-> audio: decode -> rung: encode ----------------+
//! ```
//!
//! It is the only place that names GStreamer. Whatever a codec does here, it does to this process alone.

mod audio;
mod blocks;
mod chain;
mod clock;
mod encoder;
mod even;
mod gate;
mod intake;
mod keys;
mod link;
mod meter;
mod probe;
mod rung;
mod scene;
mod session;
mod thumbnail;
mod turns;
mod video;

use clap::Parser;

/// Decodes a live source once and encodes the renditions of a ladder. The Touchline server starts it.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// Works off one plan: requests come, and answers go, over the socket that is standard input.
    Work,
    /// Tells in a line of JSON whether this machine has an encoder that works, and what it takes.
    #[command(after_help = "Example:\n  touchline-transcode probe x264enc --rungs 3")]
    Probe {
        /// The name of its GStreamer element: x264enc, openh264enc, nvh264enc, qsvh264enc, vah264enc, v4l2h264enc or x265enc.
        encoder: String,
        /// How many are to work at once.
        #[arg(long, default_value_t = 3)]
        rungs: usize,
    },
}

fn main() {
    match Command::parse() {
        Command::Work => link::serve(session::run),
        Command::Probe { encoder, rungs } => {
            let probe = probe::probe(&encoder, rungs);
            println!("{}", serde_json::to_string(&probe).unwrap_or_default());
        }
    }
}
