use std::time::Duration;

use touchline_media::MediaTime;

use super::Span;
use crate::Notice;
use crate::segmenter::{Segmenter, Timed};
use crate::target::ticks_within;

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
    pub(super) fn cuts(&mut self, span: &Span, open: &Segmenter, next: &Timed) -> bool {
        let exhausted = self.exhausted(span, open, next);
        let elapsed = open.elapsed();
        let waiting_would_exceed = elapsed + self.longest > span.in_whole_parts();
        let far_enough = elapsed >= span.segment || (elapsed * 2 >= span.segment && waiting_would_exceed);
        exhausted || (next.sync && far_enough)
    }

    /// Whether the open segment has to end before `next`, sync sample or not.
    pub(super) fn exhausted(&mut self, span: &Span, open: &Segmenter, next: &Timed) -> bool {
        let since = next.dts - self.last.unwrap_or(next.dts);
        let exhausted = span.exhausted(open);
        if next.sync {
            self.last = Some(next.dts);
            self.longest = self.longest.max(since);
        } else if exhausted && since >= span.segment {
            // A segment may also be long because the source makes up for frames that it has dropped.
            self.overdue.get_or_insert(since);
        }
        exhausted
    }

    /// The distance to the next one is no measure of the source.
    pub(super) fn forget_last(&mut self) {
        self.last = None;
    }

    /// Tells once per stretch that sync samples are too far apart.
    pub(super) fn notice(&mut self, span: &Span, segment: Duration) -> Option<Notice> {
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
