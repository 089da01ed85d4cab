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
mod gate;
mod intake;
mod keys;
mod link;
mod meter;
mod rung;
mod session;
mod thumbnail;
mod video;

use clap::Parser;

/// Decodes a live source once and encodes the renditions of a ladder. The Touchline server starts it.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// Works off one plan: requests come, and answers go, over the socket that is standard input.
    Work,
}

fn main() {
    match Command::parse() {
        Command::Work => link::serve(session::run),
    }
}
