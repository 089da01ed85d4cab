//! Where segments end.

use std::collections::VecDeque;
use std::time::Duration;

use touchline_media::{MediaTime, Timescale};

use crate::lane::Role;
use crate::segmenter::{Segmenter, Timed};
use crate::target::{Filling, ticks_within};
use crate::{Notice, Settings};

/// A segment of the video begins: the others follow it there, so that a Media Sequence Number means the same time in all
/// renditions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Boundary {
    pub(crate) msn: u64,
    pub(crate) pts: MediaTime,
}

/// The durations that a segment has to keep to, in ticks of a track.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// What it lasts at least where it can, less half a frame.
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
        Self {
            segment: ticks_within(settings.segment, timescale) - filling.frame / 2,
            limit: (half_seconds * i64::from(timescale.get()) - 1) / 2,
            filling,
            timescale,
        }
    }

    /// Whether the open segment has to end because another part might take it past the limit.
    fn exhausted(&self, open: &Segmenter) -> bool {
        open.between_parts() && open.elapsed() > 0 && open.elapsed() + self.filling.len > self.limit
    }
}

/// How a rendition's segments are cut.
#[derive(Debug)]
pub(crate) enum Rule {
    /// At sync samples: the video that the others follow.
    Keyframes(Keyframes),
    /// Where the video is cut.
    Follow(Boundaries),
    /// At every whole segment duration: sound alone.
    Even,
}

impl Rule {
    pub(crate) fn new(role: Role) -> Self {
        match role {
            Role::Video => Self::Keyframes(Keyframes::default()),
            Role::AudioBesideVideo => Self::Follow(Boundaries::default()),
            Role::AudioAlone => Self::Even,
        }
    }

    /// Whether the open segment ends before `next`.
    pub(crate) fn cuts(&mut self, span: &Span, open: &Segmenter, next: &Timed) -> bool {
        match self {
            Self::Keyframes(keyframes) => keyframes.cuts(span, open, next),
            Self::Follow(boundaries) => {
                boundaries.reached(open, MediaTime::new(next.pts, span.timescale)) || span.exhausted(open)
            }
            Self::Even => open.elapsed() >= span.segment || span.exhausted(open),
        }
    }

    /// The video has begun a segment.
    pub(crate) fn follow(&mut self, boundary: Boundary) {
        if let Self::Follow(boundaries) = self {
            boundaries.push(boundary);
        }
    }

    /// What the operator should know about where segments of `segment` are cut.
    pub(crate) fn notice(&mut self, span: &Span, segment: Duration) -> Option<Notice> {
        match self {
            Self::Keyframes(keyframes) => keyframes.notice(span, segment),
            Self::Follow(_) | Self::Even => None,
        }
    }
}

/// Cuts at sync samples, and elsewhere only when they are too far apart.
#[derive(Debug, Default)]
pub(crate) struct Keyframes {
    last: Option<i64>,
    /// The longest distance between sync samples so far in this stretch.
    longest: i64,
    /// How long the source had gone without one when a cut first fell due.
    overdue: Option<i64>,
    told: bool,
}

impl Keyframes {
    fn cuts(&mut self, span: &Span, open: &Segmenter, next: &Timed) -> bool {
        let since = next.dts - self.last.unwrap_or(next.dts);
        if !next.sync {
            let exhausted = span.exhausted(open);
            // A segment may also be long because the source makes up for frames that it has dropped.
            if exhausted && since >= span.segment {
                self.overdue.get_or_insert(since);
            }
            return exhausted;
        }
        self.last = Some(next.dts);
        self.longest = self.longest.max(since);
        let elapsed = open.elapsed();
        let waiting_would_exceed = elapsed + self.longest > span.limit;
        elapsed >= span.segment || (elapsed * 2 >= span.segment && waiting_would_exceed) || span.exhausted(open)
    }

    /// Tells once per stretch that sync samples are too far apart.
    fn notice(&mut self, span: &Span, segment: Duration) -> Option<Notice> {
        let seen = self.overdue.filter(|_| !std::mem::replace(&mut self.told, true))?;
        let duration = |ticks| MediaTime::new(ticks, span.timescale).to_duration();
        let frames = ticks_within(segment, span.timescale) / span.filling.frame.max(1);
        Some(Notice::LongKeyframeInterval {
            seen: duration(seen),
            limit: duration(span.limit),
            advised: segment,
            advised_frames: u32::try_from(frames).ok().filter(|_| span.filling.on_grid),
        })
    }
}

/// Where the video has begun segments that a rendition has not reached yet.
#[derive(Debug, Default)]
pub(crate) struct Boundaries {
    ahead: VecDeque<Boundary>,
}

impl Boundaries {
    /// How many segments a rendition may be behind the video; beyond, the oldest boundaries are forgotten.
    const MAX: usize = 64;

    fn push(&mut self, boundary: Boundary) {
        if self.ahead.len() == Self::MAX {
            self.ahead.pop_front();
        }
        self.ahead.push_back(boundary);
    }

    /// Whether a boundary lies at or before `pts`. Those whose segment has begun already, because a limit came first,
    /// are met.
    fn reached(&mut self, open: &Segmenter, pts: MediaTime) -> bool {
        while self.ahead.pop_front_if(|boundary| boundary.msn <= open.msn()).is_some() {}
        // Every segment has a part: one that is behind after a break catches up part by part.
        self.ahead.front().is_some_and(|boundary| open.has_parts() && boundary.pts <= pts)
    }
}
