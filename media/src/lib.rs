//! The vocabulary that every stage of Touchline speaks: [`Track`]s of [`Sample`]s in [`MediaTime`], handed from one
//! writer to many readers by a [`feed`].
//!
//! No I/O and no clocks: bytes and instants come in as arguments.

pub mod aac;
pub mod av1;
pub mod avc;
mod channel_name;
pub mod feed;
mod frame_rate;
pub mod hevc;
mod language;
pub mod nal;
pub mod obu;
pub mod opus;
mod picture;
mod sample;
mod secret;
mod time;
pub mod timeline;
mod track;

pub use channel_name::{ChannelName, ChannelNameError};
pub use frame_rate::FrameRate;
pub use language::{Language, NoLanguage};
pub use sample::Sample;
pub use secret::Secret;
pub use time::{MediaTime, Timescale};
pub use track::{Format, Kind, Track, TrackId};

/// Why codec configuration could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The data ends before what it announces.
    #[error("{what} is cut short: {len} bytes")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// How many bytes there were.
        len: usize,
    },
    /// A field has a value that the specification or this server excludes.
    #[error("{what} has unsupported {field} {value}")]
    Unsupported {
        /// What was being read.
        what: &'static str,
        /// The field in question.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// A header does not parse.
    #[error("{what} does not parse: {reason}")]
    Unreadable {
        /// What was being read.
        what: &'static str,
        /// Why not.
        reason: String,
    },
}
