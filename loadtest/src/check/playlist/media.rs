//! A media playlist, read tag by tag (RFC 8216bis 4.4.2 to 4.4.5).

use std::sync::Arc;

use super::attributes::Attributes;
use super::lines::{self, Line};
use super::{Fault, FaultKind};
use crate::check::seconds::Seconds;

mod reader;

/// A media playlist. What is absent is `None`, and never made up.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_field_names, reason = "EXT-X-MEDIA-SEQUENCE is the tag's name")]
pub(crate) struct Media {
    /// EXT-X-VERSION with its line.
    pub(crate) version: Option<(u64, usize)>,
    /// EXT-X-TARGETDURATION in seconds, with its line.
    pub(crate) target_duration: Option<(u64, usize)>,
    /// PART-TARGET, with its line.
    pub(crate) part_target: Option<(Seconds, usize)>,
    /// EXT-X-SERVER-CONTROL.
    pub(crate) control: Option<Control>,
    /// EXT-X-MEDIA-SEQUENCE.
    pub(crate) media_sequence: Option<u64>,
    /// EXT-X-DISCONTINUITY-SEQUENCE.
    pub(crate) discontinuity_sequence: Option<u64>,
    /// EXT-X-PLAYLIST-TYPE with its line.
    pub(crate) kind: Option<(String, usize)>,
    /// EXT-X-INDEPENDENT-SEGMENTS.
    pub(crate) independent_segments: bool,
    /// EXT-X-ENDLIST.
    pub(crate) ended: bool,
    /// EXT-X-SKIP: this is a delta update.
    pub(crate) skip: Option<Skip>,
    /// Segments in order. The last one has no URI while it grows.
    pub(crate) segments: Vec<Segment>,
    /// EXT-X-PRELOAD-HINT.
    pub(crate) hints: Vec<Hint>,
    /// EXT-X-RENDITION-REPORT.
    pub(crate) reports: Vec<Report>,
    /// IDs of EXT-X-DATERANGE.
    pub(crate) date_ranges: Vec<String>,
    /// The least EXT-X-VERSION that what is used asks for, and what asks for it.
    pub(crate) needed_version: (u64, &'static str),
    /// What is wrong with the text.
    pub(crate) faults: Vec<Fault>,
}

/// EXT-X-SERVER-CONTROL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    /// All attributes as they stand, by name.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) can_block_reload: bool,
    pub(crate) can_skip_until: Option<Seconds>,
    pub(crate) can_skip_date_ranges: bool,
    pub(crate) hold_back: Option<Seconds>,
    pub(crate) part_hold_back: Option<Seconds>,
    pub(crate) line: usize,
}

/// EXT-X-SKIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    /// SKIPPED-SEGMENTS.
    pub(crate) segments: u64,
    /// RECENTLY-REMOVED-DATERANGES.
    pub(crate) removed_date_ranges: Option<String>,
    pub(crate) line: usize,
}

/// A media segment: complete, or growing with only parts so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) msn: u64,
    /// `None` while the segment grows.
    pub(crate) uri: Option<String>,
    /// EXTINF.
    pub(crate) duration: Option<Seconds>,
    pub(crate) byte_range: Option<ByteRange>,
    pub(crate) parts: Vec<Part>,
    /// EXT-X-DISCONTINUITY stands before it.
    pub(crate) discontinuity: bool,
    /// Its Discontinuity Sequence Number.
    pub(crate) discontinuity_sequence: u64,
    /// EXT-X-PROGRAM-DATE-TIME in nanoseconds since 1970.
    pub(crate) date: Option<i64>,
    pub(crate) map: Option<Arc<Map>>,
    /// EXT-X-GAP.
    pub(crate) gap: bool,
    /// Tags of the segment that stand after its first part, with their lines.
    pub(crate) late_tags: Vec<(String, usize)>,
    /// EXTINF's line, or that of its first tag while it grows.
    pub(crate) line: usize,
}

/// EXT-X-MAP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Map {
    pub(crate) uri: String,
    pub(crate) byte_range: Option<ByteRange>,
}

/// A range of bytes of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ByteRange {
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// EXT-X-PART.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) uri: String,
    pub(crate) duration: Seconds,
    pub(crate) independent: bool,
    pub(crate) gap: bool,
    pub(crate) byte_range: Option<ByteRange>,
    pub(crate) line: usize,
}

/// EXT-X-PRELOAD-HINT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    /// PART or MAP.
    pub(crate) kind: String,
    pub(crate) uri: String,
    pub(crate) start: Option<u64>,
    pub(crate) length: Option<u64>,
    pub(crate) line: usize,
}

/// EXT-X-RENDITION-REPORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) uri: String,
    pub(crate) last_msn: Option<u64>,
    pub(crate) last_part: Option<u64>,
    pub(crate) line: usize,
}

impl Media {
    /// Reads `text`; what cannot be read is left out and told in `faults`.
    pub(crate) fn read(text: &str) -> Self {
        reader::read(text)
    }

    /// Segments that are complete: those with a URI.
    pub(crate) fn complete(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.segments.iter().filter(|segment| segment.uri.is_some())
    }

    /// The MSN of the last complete segment.
    pub(crate) fn last_complete(&self) -> Option<u64> {
        self.complete().next_back().map(|segment| segment.msn)
    }

    /// The MSN of the first segment that is listed or skipped.
    pub(crate) fn first_msn(&self) -> u64 {
        self.media_sequence.unwrap_or(0)
    }

    /// MSN and index of the last part.
    pub(crate) fn last_part(&self) -> Option<(u64, u64)> {
        let segment = self.segments.iter().rev().find(|segment| !segment.parts.is_empty())?;
        Some((segment.msn, segment.parts.len() as u64 - 1))
    }

    /// MSN and index of the part that comes next.
    pub(crate) fn next_part(&self) -> (u64, u64) {
        match self.segments.last() {
            Some(last) if last.uri.is_none() => (last.msn, last.parts.len() as u64),
            Some(last) => (last.msn + 1, 0),
            None => (self.first_msn() + self.skip.as_ref().map_or(0, |skip| skip.segments), 0),
        }
    }

    /// Whether part `index` of segment `msn` is listed or older than what is listed. A part past the end of a complete segment is the
    /// first of the next one (6.2.5.2).
    pub(crate) fn has_part(&self, msn: u64, index: u64) -> bool {
        let (next_msn, next_index) = self.next_part();
        if msn < next_msn {
            let Some(segment) = self.segments.iter().find(|segment| segment.msn == msn) else { return true };
            return index < segment.parts.len() as u64
                || segment.parts.is_empty()
                || (next_msn, next_index) > (msn + 1, 0);
        }
        (msn, index) < (next_msn, next_index)
    }

    /// Whether there is any part.
    pub(crate) fn has_parts(&self) -> bool {
        self.segments.iter().any(|segment| !segment.parts.is_empty())
    }

    /// The sum of the complete segments' durations.
    pub(crate) fn duration(&self) -> Seconds {
        self.complete().filter_map(|segment| segment.duration).sum()
    }

    /// The target duration, where it says one.
    pub(crate) fn target(&self) -> Option<Seconds> {
        self.target_duration.map(|(seconds, _)| Seconds::whole(seconds))
    }
}

#[cfg(test)]
mod tests;
