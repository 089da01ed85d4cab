use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use touchline_media::MediaTime;

use crate::{Coding, Epoch, Notice, Presentation, RenditionId};

/// What a [`crate::Packager`] has made. A [`crate::Window`] is rebuilt from these alone.
#[derive(Debug, Clone)]
pub enum Event {
    /// The first sample has come: viewers can be let in.
    Opened(Arc<Presentation>),
    /// An init section, ahead of the parts that need it.
    Init(Init),
    /// A part exists.
    Part(Part),
    /// A segment is complete: its last part has gone before.
    SegmentEnd(SegmentEnd),
    /// The presentation goes on with the media of another one.
    Splice(Splice),
    /// Nothing follows.
    Ended,
    /// Something that the operator should know.
    Notice(Notice),
}

/// An init section (RFC 8216bis 4.4.4.5): what a decoder needs before any part.
#[derive(Debug, Clone)]
pub struct Init {
    /// The rendition it belongs to.
    pub rendition: RenditionId,
    /// Counts the init sections of the rendition from 0.
    pub number: u32,
    /// What the parts that need it carry.
    pub coding: Coding,
    /// The CMAF header: `ftyp` and `moov`.
    pub data: Bytes,
}

/// A Partial Segment (RFC 8216bis 4.4.4.9).
#[derive(Debug, Clone)]
pub struct Part {
    /// The rendition it belongs to.
    pub rendition: RenditionId,
    /// The Media Sequence Number of its segment.
    pub msn: u64,
    /// Its index within the segment.
    pub index: u32,
    /// Counts the parts of the rendition from 0.
    pub number: u64,
    /// How long it lasts, in the timescale of its init section; at most PART-TARGET.
    pub duration: MediaTime,
    /// Whether it contains a sync sample.
    pub independent: bool,
    /// Whether its media is missing (RFC 8216bis 4.4.4.9). A segment is media or a gap, whole: the parts of a segment are
    /// all gaps, or none is.
    pub gap: bool,
    /// One CMAF chunk: `moof` and `mdat`. That of a gap holds no sample, for players that fetch it all the same.
    pub data: Bytes,
    /// What holds for the segment that it begins; on index 0 and only there.
    pub segment_start: Option<SegmentStart>,
    /// When the last byte of its last sample had arrived.
    pub received: Instant,
}

/// What is known of a segment when its first part exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentStart {
    /// EXT-X-PROGRAM-DATE-TIME of its first sample, as Unix time.
    pub program_date_time: Duration,
    /// Whether the timeline or the coding does not go on from the segment before.
    pub discontinuity: bool,
    /// Whether it begins with a sync sample, so that it can be decoded without the segment before; so can a gap.
    pub independent: bool,
    /// The number of its init section.
    pub init: u32,
}

/// A segment is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentEnd {
    /// The rendition it belongs to.
    pub rendition: RenditionId,
    /// Its Media Sequence Number.
    pub msn: u64,
    /// The sum of its parts' durations.
    pub duration: MediaTime,
}

/// From here on comes the media of another presentation of the same programme (see [`crate::splice`]): what is open ends
/// with the parts that it has, and a rendition that has nothing of the last segment has a gap there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splice {
    /// The Media Sequence Number of the segment that comes next, in every rendition.
    pub msn: u64,
    /// The presentation that what comes next is named after...
    pub epoch: Epoch,
    /// ...and the Media Sequence Number that the next segment has there.
    pub named: u64,
    /// EXT-X-PROGRAM-DATE-TIME of the segment before, as Unix time.
    pub last_begins: Duration,
    /// How long the segment before lasts.
    pub last_lasts: Duration,
    /// When it happens.
    pub at: Instant,
}
