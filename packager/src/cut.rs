//! Where segments end.

mod boundaries;
mod keyframes;

use std::time::Duration;

use touchline_media::{MediaTime, Timescale};

use crate::lane::Role;
use crate::segmenter::{Segmenter, Timed};
use crate::target::{Filling, ticks_within};
use crate::{Notice, Settings};

pub(crate) use boundaries::{Boundaries, Boundary};
use keyframes::Keyframes;

/// The durations that a segment has to keep to, in ticks of a track.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// What a segment without media lasts.
    nominal: i64,
    /// What it lasts at least where it can: less half a frame.
    segment: i64,
    /// What it may last at most: RFC 8216bis 4.4.3.1 wants EXTINF, rounded to the nearest second, within
    /// EXT-X-TARGETDURATION.
    limit: i64,
    filling: Filling,
    timescale: Timescale,
}

impl Span {
    pub(crate) fn new(settings: &Settings, filling: Filling, timescale: Timescale) -> Self {
        let half_seconds = 2 * i64::from(settings.target_duration()) + 1;
        let nominal = ticks_within(settings.segment, timescale);
        Self {
            nominal,
            segment: nominal - filling.frame / 2,
            limit: (half_seconds * i64::from(timescale.get()) - 1) / 2,
            filling,
            timescale,
        }
    }

    /// Whether the open segment has to end because another part might take it past the limit.
    fn exhausted(&self, open: &Segmenter) -> bool {
        open.between_parts() && open.elapsed() > 0 && open.elapsed() + self.filling.len > self.limit
    }

    /// How long a segment gets before it is exhausted, in parts of full length.
    fn in_whole_parts(&self) -> i64 {
        self.limit / self.filling.len.max(1) * self.filling.len
    }

    /// Half a frame after `pts`: what is cut there may begin so much later.
    fn about(&self, pts: i64) -> MediaTime {
        MediaTime::new(pts + self.filling.frame / 2, self.timescale)
    }
}

/// How a rendition's segments are cut.
#[derive(Debug)]
pub(crate) enum Rule {
    /// At sync samples: the video that the others follow.
    Lead(Keyframes),
    /// Pictures: at their sync samples where the leading video is cut.
    Beside(Boundaries, Keyframes),
    /// Sound: where what leads is cut.
    Follow(Boundaries),
    /// At every whole segment duration: the sound that leads where there are no pictures.
    Even,
}

impl Rule {
    pub(crate) fn new(role: Role) -> Self {
        match role {
            Role::LeadingVideo => Self::Lead(Keyframes::default()),
            Role::VideoBeside => Self::Beside(Boundaries::default(), Keyframes::default()),
            Role::AudioBeside => Self::Follow(Boundaries::default()),
            Role::LeadingAudio => Self::Even,
        }
    }

    /// Whether the open segment ends before `next`.
    pub(crate) fn cuts(&mut self, span: &Span, open: &Segmenter, next: &Timed) -> bool {
        match self {
            Self::Lead(keyframes) => keyframes.cuts(span, open, next),
            Self::Beside(boundaries, keyframes) => {
                let boundary = boundaries.reached(open, span.about(next.pts));
                // A cut that is no sync sample of the leader need be none of the others.
                let due = boundary.is_some_and(|boundary| next.sync || !boundary.sync);
                keyframes.exhausted(span, open, next) || due
            }
            Self::Follow(boundaries) => {
                boundaries.reached(open, MediaTime::new(next.pts, span.timescale)).is_some() || span.exhausted(open)
            }
            Self::Even => open.elapsed() >= span.segment || span.exhausted(open),
        }
    }

    /// What leads has begun a segment, or tells where it will.
    pub(crate) fn follow(&mut self, boundary: Boundary) {
        if let Self::Beside(boundaries, _) | Self::Follow(boundaries) = self {
            boundaries.push(boundary);
        }
    }

    /// From now on these pictures lead.
    pub(crate) fn lead(&mut self) {
        if let Self::Beside(_, keyframes) = self {
            *self = Self::Lead(std::mem::take(keyframes));
        }
    }

    /// From now on other pictures lead.
    pub(crate) fn fall_behind(&mut self) {
        if let Self::Lead(keyframes) = self {
            *self = Self::Beside(Boundaries::default(), std::mem::take(keyframes));
        }
    }

    /// Where the open segment, or the next, ends that has no media: a decode time.
    pub(crate) fn gap_end(&self, span: &Span, open: &Segmenter) -> i64 {
        self.gap_end_after(span, open, open.end() - open.elapsed(), open.msn()).0
    }

    /// The same for a segment that begins at `start` with this number, and whether what leads is cut there.
    fn gap_end_after(&self, span: &Span, open: &Segmenter, start: i64, msn: u64) -> (i64, bool) {
        let (Self::Beside(boundaries, _) | Self::Follow(boundaries)) = self else {
            return (start + span.nominal, true);
        };
        let most = start + span.limit - span.filling.frame;
        match boundaries.after(msn).map(|boundary| open.decode_time(boundary.pts)) {
            // Every segment has a part: what is behind catches up part by part.
            Some(end) if end <= start => (start + span.filling.target, false),
            Some(end) if end <= most => (end, true),
            _ => (most, false),
        }
    }

    /// Whether media may begin again with `next` after a gap: anywhere in what leads, else at the end of a segment. For
    /// pictures that has to be where the leading ones are cut, as they cannot come up with those by longer segments.
    pub(crate) fn resumes(&self, span: &Span, open: &Segmenter, next: &Timed) -> bool {
        let frame = span.filling.frame;
        let (mut start, mut msn) = (open.end() - open.elapsed(), open.msn());
        let (boundaries, pictures) = match self {
            Self::Lead(_) | Self::Even => return true,
            Self::Beside(boundaries, _) => (boundaries, true),
            Self::Follow(boundaries) => (boundaries, false),
        };
        if open.elapsed() == 0 && next.dts < start + frame {
            let begins = boundaries.beginning(msn).map(|boundary| open.decode_time(boundary.pts));
            return !pictures || begins.is_some_and(|begins| (begins - start).abs() <= frame / 2);
        }
        loop {
            let (end, aligned) = self.gap_end_after(span, open, start, msn);
            if next.dts < end + frame {
                return next.dts >= end - frame / 2 && (aligned || !pictures);
            }
            (start, msn) = (end, msn + 1);
        }
    }

    /// Media begins again after a gap: that says nothing about the distance of sync samples.
    pub(crate) fn resume(&mut self) {
        if let Self::Lead(keyframes) | Self::Beside(_, keyframes) = self {
            keyframes.forget_last();
        }
    }

    /// What the operator should know about where segments of `segment` are cut.
    pub(crate) fn notice(&mut self, span: &Span, segment: Duration) -> Option<Notice> {
        match self {
            Self::Lead(keyframes) | Self::Beside(_, keyframes) => keyframes.notice(span, segment),
            Self::Follow(_) | Self::Even => None,
        }
    }
}
