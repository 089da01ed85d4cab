//! When everything begins and ends. All times are milliseconds since the stream began.

use super::{Fault, HEAD_START, Origin, TARGET};

/// Two seconds less what would split a frame of sound: 48 frames of video at 25 per second, 90 of sound at 1024 / 48000 s.
const SEGMENT: u64 = 1_920;
/// 5 frames of video; the last part of a segment has 3.
const VIDEO_PART: u64 = 200;
/// 9 frames of sound.
const AUDIO_PART: u64 = 192;
/// Segments in a playlist.
const WINDOW: u64 = 10;
/// Segments from one discontinuity to the next.
const STRETCH: u64 = 8;
/// RFC 8216bis 6.2.2: how long after the live edge has left it a part stays listed.
const PARTS_LISTED: u64 = 3 * TARGET;
/// When faults of one moment happen.
pub(super) const FAULT_AT: u64 = HEAD_START + 5_000;
/// How long the encoder stalls.
const STALL: u64 = 8_000;

/// A media playlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rendition {
    /// 720p.
    High,
    /// 360p.
    Low,
    /// Sound.
    Audio,
}

impl Rendition {
    /// Its folder.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::High => "720p",
            Self::Low => "360p",
            Self::Audio => "audio",
        }
    }
}

/// A segment, of which some parts may not have been made yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(super) msn: u64,
    pub(super) start: u64,
    /// When it is whole.
    pub(super) end: u64,
    /// How many discontinuities came before its media: RFC 8216bis 3's Discontinuity Sequence Number.
    pub(super) stretch: u64,
    /// Whether it is the first of its stretch.
    pub(super) discontinuity: bool,
    /// Whether its media is missing.
    pub(super) gap: bool,
    part: u64,
}

impl Segment {
    /// How many parts it has once it is whole.
    pub(super) fn len(&self) -> u64 {
        (self.end - self.start).div_ceil(self.part)
    }

    /// When part `index` begins and ends.
    pub(super) fn part(&self, index: u64) -> (u64, u64) {
        let start = self.start + index * self.part;
        (start, (start + self.part).min(self.end))
    }

    /// How many of its parts have ended at `edge`.
    pub(super) fn parts_at(&self, edge: u64) -> u64 {
        if edge >= self.end { self.len() } else { edge.saturating_sub(self.start) / self.part }
    }
}

impl Origin {
    /// The segment with this number.
    pub(crate) fn segment(&self, rendition: Rendition, msn: u64) -> Segment {
        // The first segment to end after the moment of the fault is half as long again.
        let long = FAULT_AT / SEGMENT;
        let start =
            |msn: u64| msn * SEGMENT + if self.wrong(Fault::SegmentTooLong) && msn > long { SEGMENT / 2 } else { 0 };
        let late = u64::from(self.wrong(Fault::DiscontinuityUnmatched) && rendition == Rendition::Audio);
        Segment {
            msn,
            start: start(msn),
            end: start(msn + 1),
            stretch: msn.saturating_sub(late) / STRETCH,
            discontinuity: msn > late && (msn - late).is_multiple_of(STRETCH),
            gap: self.shape.gaps && (msn + 1).is_multiple_of(STRETCH),
            part: if rendition == Rendition::Audio { AUDIO_PART } else { VIDEO_PART },
        }
    }

    /// When media that ends at `end` is published.
    pub(super) fn published(&self, rendition: Rendition, end: u64) -> u64 {
        match self.fault {
            Some(Fault::PartsInBunches) if rendition != Rendition::Audio => end.next_multiple_of(3 * VIDEO_PART),
            Some(Fault::Stall | Fault::HeldForEver) if end >= FAULT_AT => end + STALL,
            _ => end + self.lag(rendition),
        }
    }

    /// Where the media that is published at `now` ends.
    pub(super) fn edge(&self, rendition: Rendition, now: u64) -> u64 {
        let now = self.end().map_or(now, |end| now.min(end));
        match self.fault {
            Some(Fault::PartsInBunches) if rendition != Rendition::Audio => now - now % (3 * VIDEO_PART),
            Some(Fault::Stall | Fault::HeldForEver) if now >= FAULT_AT => (now - STALL).max(FAULT_AT - 1),
            _ => now - self.lag(rendition),
        }
    }

    /// When the stream ends: with a segment.
    pub(super) fn end(&self) -> Option<u64> {
        self.shape.end.map(|seconds| (HEAD_START + seconds * 1_000).next_multiple_of(SEGMENT))
    }

    /// Whether the stream has ended.
    pub(super) fn ended(&self, now: u64) -> bool {
        self.end().is_some_and(|end| now >= end)
    }

    /// Number of the segment that is growing at `edge`, or is the next to.
    pub(super) fn growing(&self, rendition: Rendition, edge: u64) -> u64 {
        let guess = edge / SEGMENT;
        if self.segment(rendition, guess).start > edge { guess - 1 } else { guess }
    }

    /// The last part that is published at `edge`.
    pub(super) fn last_part(&self, rendition: Rendition, edge: u64) -> (u64, u64) {
        let growing = self.growing(rendition, edge);
        match self.segment(rendition, growing).parts_at(edge) {
            0 => (growing - 1, self.segment(rendition, growing - 1).len() - 1),
            parts => (growing, parts - 1),
        }
    }

    /// The part after this one.
    pub(super) fn next_part(&self, rendition: Rendition, (msn, index): (u64, u64)) -> (u64, u64) {
        if index + 1 < self.segment(rendition, msn).len() { (msn, index + 1) } else { (msn + 1, 0) }
    }

    /// The whole segments of the playlist at `edge`.
    pub(super) fn window(&self, rendition: Rendition, edge: u64) -> std::ops::Range<u64> {
        let growing = self.growing(rendition, edge);
        let len = if self.wrong(Fault::WindowTooShort) { 3 } else { WINDOW };
        growing.saturating_sub(len)..growing
    }

    /// Whether the parts of a segment are listed at `edge`: RFC 8216bis 6.2.2.
    pub(super) fn lists_parts(&self, segment: &Segment, edge: u64) -> bool {
        if self.wrong(Fault::PartTagsStay) {
            return true;
        }
        if self.wrong(Fault::PartTagsGoEarly) {
            return segment.end > edge;
        }
        segment.end + PARTS_LISTED > edge
    }

    /// Until when the parts of a segment can be had: three target durations after their tags have gone (RFC 8216bis 6.2.2).
    pub(super) fn parts_kept_until(&self, segment: &Segment) -> u64 {
        let listed = match self.fault {
            Some(Fault::PartTagsStay) => (WINDOW + 1) * SEGMENT,
            Some(Fault::Stall | Fault::HeldForEver) => PARTS_LISTED + STALL,
            _ => PARTS_LISTED,
        };
        let kept = if self.wrong(Fault::PartsUnlinked) { 0 } else { 3 * TARGET + SEGMENT };
        segment.end + listed + kept
    }

    /// Until when a segment can be had: its own duration and that of the longest playlist which has it after it has left (6.2.2).
    pub(super) fn segment_kept_until(&self, segment: &Segment) -> u64 {
        let kept = if self.wrong(Fault::SegmentsUnlinked) { 0 } else { (WINDOW + 2) * SEGMENT };
        segment.end + WINDOW * SEGMENT + kept
    }

    fn lag(&self, rendition: Rendition) -> u64 {
        let lags = self.wrong(Fault::SoundLags) && rendition == Rendition::Audio
            || self.wrong(Fault::RungLags) && rendition == Rendition::Low;
        if lags { 1_000 } else { 0 }
    }
}
