//! The `touchline-transcode` command.

fn main() {}
