//! Transport streams of real encoders, read whole, with losses and mutilated.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::similar_names, reason = "tests")]

mod clip;
mod demuxed;
mod hostile;
mod losses;
mod publication;
mod real;
