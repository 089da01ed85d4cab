//! What a rendition shows while its media does not come.
//!
//! A segment is media or a gap, whole. So the open segment ends where its media does, and gap segments follow, until media
//! comes again where a segment may begin.

use std::time::{Duration, Instant};

use touchline_media::MediaTime;

use super::{Lane, Run};
use crate::cut::Boundary;
use crate::segmenter::{Segmenter, Timed};
use crate::{Event, Notice};

/// How far a rendition may be behind the one that is furthest before it counts as stalled, in media time. A transcoder
/// that is replaced goes on sooner than that, and a gap costs viewers a whole segment.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How near to the one that is furthest a gap is written. Encoders send sound and pictures of the same instant some
/// hundred milliseconds apart; and RFC 8216bis 6.2.1 wants a new segment within 1.5 target durations of the one before.
pub(crate) const DISTANCE: Duration = Duration::from_secs(1);

/// Media is missing.
#[derive(Debug)]
pub(super) struct Gap {
    /// Where it ended, as a decode time.
    since: i64,
    /// Whether the source had said so.
    announced: bool,
    /// Samples that came too late, or where no segment may begin.
    left_out: usize,
}

impl Lane {
    /// Whether its media is missing.
    pub(crate) fn in_gap(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.gap.is_some())
    }

    /// Its source pauses, after the samples that have come: nothing is waited for until there are others.
    pub(crate) fn leave(&mut self) {
        self.left = true;
    }

    /// Whether its source has said that it pauses, and has sent nothing since.
    pub(crate) fn has_left(&self) -> bool {
        self.left
    }

    /// Others have gone on so far that media missing before `until` is not waited for: a gap begins where there is none
    /// so long before, or where the source pauses.
    pub(crate) fn stall(&mut self, until: MediaTime, now: Instant, out: &mut Vec<Event>) {
        let Some(run) = self.run.as_mut().filter(|run| run.gap.is_none()) else { return };
        // What waits for the leading rendition has not stalled, unless media is missing before that too.
        let waits = self.early.front().map(|early| run.decode_time(early));
        let patience = MediaTime::from_duration(PATIENCE, run.stretch.timescale);
        let until = waits.map_or(until, |waits| until.min(waits - patience)).rescale(run.stretch.timescale).ticks();
        let stalled = run.newest + run.stretch.filling.target <= until;
        let has_begun = run.segmenter.is_some();
        if (stalled && (has_begun || waits.is_none())) || (self.left && waits.is_none()) {
            run.close(self.counters, now, out);
            let gap = |open: &Segmenter| Gap { since: open.end(), announced: self.left, left_out: 0 };
            run.gap = run.segmenter.as_ref().map(gap);
        }
    }

    /// Writes the gap, if there is one, up to `until` or to what waits. Returns where segments begin.
    pub(crate) fn fill(&mut self, until: MediaTime, now: Instant, out: &mut Vec<Event>) -> Vec<Boundary> {
        let waits = self.early.front().and_then(|early| self.decode_time(early));
        let until = waits.map_or(until, |waits| waits.min(until));
        let Some(run) = self.run.as_mut().filter(|run| run.gap.is_some()) else { return Vec::new() };
        run.fill(until.rescale(run.stretch.timescale).ticks(), now, out)
    }

    /// Ends the gap with `next`, if it may; else leaves `next` out. Returns where segments have begun before it.
    pub(super) fn resume(&mut self, next: &Timed, out: &mut Vec<Event>) -> Option<Vec<Boundary>> {
        let run = self.run.as_mut()?;
        let (Some(gap), Some(open)) = (&mut run.gap, &mut run.segmenter) else { return Some(Vec::new()) };
        if next.sync {
            open.expect(next);
        }
        // The gap may have been written up to where a segment ends, which clocks round up.
        let written = open.end() - run.stretch.filling.frame / 2;
        if !next.sync || next.dts < written || !run.rule.resumes(&run.span, open, next) {
            gap.left_out += 1;
            return None;
        }
        let begun = run.fill_up_to(next.dts, next.received, out);
        run.rule.resume();
        self.tell_gap(out);
        Some(begun)
    }

    /// Tells the operator of the gap that ends here.
    pub(super) fn tell_gap(&mut self, out: &mut Vec<Event>) {
        let Some(run) = &mut self.run else { return };
        let (Some(gap), Some(open)) = (run.gap.take(), &run.segmenter) else { return };
        let missing = MediaTime::new(open.end() - gap.since, run.stretch.timescale).to_duration();
        let (rendition, Gap { announced, left_out, .. }) = (self.name.clone(), gap);
        out.push(Event::Notice(Notice::Gap { rendition, missing, announced, left_out }));
    }
}

impl Run {
    /// Writes whole gap parts that end by `until`.
    fn fill(&mut self, until: i64, now: Instant, out: &mut Vec<Event>) -> Vec<Boundary> {
        let mut begun = Vec::new();
        let Some(open) = &mut self.segmenter else { return begun };
        loop {
            let segment_end = self.rule.gap_end(&self.span, open);
            if segment_end <= open.end() {
                open.close_segment(out);
                continue;
            }
            let len = self.stretch.filling.target.min(segment_end - open.end());
            if open.end() + len > until {
                return begun;
            }
            begun.extend(announced(open, segment_end));
            open.place_gap(len, now, out);
        }
    }

    /// Writes gap parts that end at `end`, and closes their segment. What is less than a frame beyond the end of a segment
    /// is part of it; where that has been closed, the next sample makes up for it.
    fn fill_up_to(&mut self, end: i64, now: Instant, out: &mut Vec<Event>) -> Vec<Boundary> {
        let mut begun = Vec::new();
        while let Some(open) = &mut self.segmenter {
            let segment_end = self.rule.gap_end(&self.span, open);
            if segment_end + self.stretch.filling.frame > end {
                break;
            }
            begun.extend(self.fill(segment_end, now, out));
            if let Some(open) = &mut self.segmenter {
                open.close_segment(out);
            }
        }
        let Some(open) = &mut self.segmenter else { return begun };
        if open.elapsed() == 0 && end < open.end() + self.stretch.filling.frame {
            return begun;
        }
        while open.end() < end {
            let len = self.stretch.filling.target.min(end - open.end());
            begun.extend(announced(open, end));
            open.place_gap(len, now, out);
        }
        open.close_segment(out);
        begun
    }
}

/// The boundaries of a gap segment that begins now: the end is told ahead, for those that are there already.
fn announced(open: &Segmenter, end: i64) -> impl Iterator<Item = Boundary> + use<> {
    let boundary = |msn, pts| Boundary { msn, pts, sync: true };
    let both = [boundary(open.msn(), open.next_pts()), boundary(open.msn() + 1, open.pts_of(end))];
    both.into_iter().take(if open.elapsed() == 0 { 2 } else { 0 })
}
