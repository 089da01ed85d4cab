//! What nodes say to each other: a stream of frames, the body of one HTTP response.
//!
//! ```text
//! frame    = kind (1 byte) length (4 bytes) body
//! stream   = ( snapshot / resumed ) *( batch / thumbnail / keep-alive / snapshot ) [ end ]
//! snapshot = head 1*rendition *segment complete
//! ```
//!
//! Numbers are big-endian. Times are in nanoseconds: spans as they are, instants as the channel's history counts them. A
//! text is preceded by its length in 2 bytes, media by its length in 4.

mod decode;
mod encode;
mod fields;
mod pen;

use std::sync::Arc;

use bytes::Bytes;
use touchline_packager::{Event, Presentation, RenditionId, Report, Retained, Segment};

use super::log::Mark;
use super::proof::Proof;

pub use self::decode::Decoder;
pub(crate) use self::encode::{
    batch, complete, end, goes, head, keep_alive, open, rendition, resumed, segment, thumbnail,
};

/// The media type of a stream of frames; the version is that of the path as well.
pub const MEDIA_TYPE: &str = "application/vnd.touchline.replication.v1";
/// The longest body of a frame: a batch in which a channel turns to another origin, with ten seconds of a large ladder.
pub const MAX_FRAME: usize = 64 << 20;
/// Renditions of a channel.
pub const MAX_RENDITIONS: usize = 64;
/// Segments of all renditions in a snapshot: a day of the shortest, of a ladder.
pub const MAX_SEGMENTS: usize = 1 << 20;

/// What one frame says.
#[derive(Debug, Clone)]
pub enum Frame {
    /// A snapshot begins.
    Head(Head),
    /// A rendition of the snapshot, but for its segments.
    Rendition(Box<Rendition>),
    /// A whole segment of the snapshot: those of a rendition come oldest first.
    Segment(RenditionId, Retained),
    /// A segment that is growing.
    Open(RenditionId, Arc<Segment>),
    /// The snapshot is complete; the proof of each rendition's playlist.
    Complete(Vec<Proof>),
    /// The tail goes on after this mark.
    Resumed(Mark),
    /// What one call brings.
    Batch(Batch),
    /// A still picture.
    Thumbnail(Mark, Bytes),
    /// Nothing has come of late, and the origin is there.
    KeepAlive,
    /// Nothing follows.
    End(Ending),
}

/// The beginning of a snapshot.
#[derive(Debug, Clone)]
pub struct Head {
    /// Where the channel stands.
    pub mark: Mark,
    /// What is fixed.
    pub presentation: Arc<Presentation>,
    /// The multivariant playlist, once there is one.
    pub multivariant: Option<String>,
    /// The newest still picture.
    pub thumbnail: Option<Bytes>,
}

/// A rendition of a snapshot.
#[derive(Debug, Clone)]
pub struct Rendition {
    /// Its window, without the segments.
    pub window: touchline_packager::Snapshot,
    /// What its playlist says of the others.
    pub reports: Vec<Report>,
}

/// What one call brings.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Where the channel stands with it.
    pub mark: Mark,
    /// When the first origin had it, in microseconds of Unix time.
    pub made: u64,
    /// What it brings.
    pub events: Vec<Event>,
    /// For each segment that ends in it: the proof.
    pub proofs: Vec<(RenditionId, Proof)>,
}

/// Why nothing follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The channel was removed, or another has its name.
    Removed,
    /// The node shuts down.
    Draining,
}

/// Bytes that no node of this version sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("frame at byte {offset} of the stream: {reason}")]
pub struct Error {
    /// How many bytes came before the frame.
    pub offset: u64,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No such kind.
    #[error("there is no kind {0}")]
    Kind(u8),
    /// Longer than any.
    #[error("{len} bytes are more than {MAX_FRAME}")]
    TooLong {
        /// What it says.
        len: usize,
    },
    /// It ends before what it announces.
    #[error("it ends within {0}")]
    Short(&'static str),
    /// It goes on after its end.
    #[error("{0} bytes follow its end")]
    Trailing(usize),
    /// A value that cannot be.
    #[error("{0} cannot be that")]
    Value(&'static str),
    /// It speaks of what a snapshot has to tell first.
    #[error("it comes before a snapshot")]
    Early,
}

const HEAD: u8 = 1;
const RENDITION: u8 = 2;
const SEGMENT: u8 = 3;
const OPEN: u8 = 4;
const COMPLETE: u8 = 5;
const RESUMED: u8 = 6;
const BATCH: u8 = 7;
const THUMBNAIL: u8 = 8;
const KEEP_ALIVE: u8 = 9;
const END: u8 = 10;

/// The kinds of events in a batch.
const EVENT_INIT: u8 = 1;
const EVENT_PART: u8 = 2;
const EVENT_SEGMENT_END: u8 = 3;
const EVENT_ENDED: u8 = 4;

/// Flags of a part, and of a segment.
const INDEPENDENT: u8 = 1;
const GAP: u8 = 2;
const STARTS: u8 = 4;
const DISCONTINUITY: u8 = 8;
const MAPS: u8 = 16;
