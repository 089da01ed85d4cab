//! Transport streams of real encoders, read whole, with losses and mutilated.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod clip;
mod demuxed;
mod hostile;
mod losses;
mod real;
