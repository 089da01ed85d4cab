use std::sync::Arc;

use crate::Init;
use crate::bitrate::Meter;
use crate::seconds::Seconds;
use crate::segment::Segment;
use crate::window::Retained;

/// A [`crate::Window`] at one moment, but for what follows from the rest: listed text, sums and counts.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Those that a retained segment needs, and the newest.
    pub inits: Vec<Init>,
    /// Whole segments, oldest first.
    pub segments: Vec<Retained>,
    /// The segment that is growing.
    pub open: Option<Arc<Segment>>,
    /// EXT-X-MEDIA-SEQUENCE: retained segments before it have left the playlist.
    pub media_sequence: u64,
    /// EXT-X-DISCONTINUITY-SEQUENCE.
    pub discontinuity_sequence: u64,
    /// The duration of the longest playlist so far.
    pub longest: Seconds,
    /// The Media Sequence Number and the index of the newest part.
    pub last_part: Option<(u64, u32)>,
    /// The running number of the part that comes next.
    pub next_part: u64,
    /// Whether the playlist has its EXT-X-ENDLIST.
    pub ended: bool,
    /// The bitrates so far.
    pub meter: Meter,
}
