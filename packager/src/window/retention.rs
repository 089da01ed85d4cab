//! What is listed, what can still be fetched, and what is kept elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::run::named;
use super::{Offload, Retained, Window};
use crate::playlist::{Listed, near};
use crate::seconds::Seconds;
use crate::segment::{Body, Segment};

impl Window {
    /// Whole segments that are to be kept elsewhere, because they end further than `distance` from the end of the newest:
    /// each is handed out once. [`Window::offloaded`] says that it is there.
    pub fn offload(&mut self, distance: Duration) -> Vec<Offload> {
        let near = near(self.segments.iter().map(|retained| &retained.segment), distance);
        let far = self.segments.len() - near;
        let fresh = self.segments.partition_point(|retained| retained.segment.msn < self.offloaded);
        let chosen = self.segments.range(fresh.min(far)..far).map(|retained| &retained.segment);
        let offloads: Vec<Offload> = chosen.filter_map(|segment| offload(segment)).collect();
        self.offloaded = self.segments.get(far).map_or(self.offloaded, |first| first.segment.msn.max(self.offloaded));
        offloads
    }

    /// The segment is kept elsewhere from now on.
    pub fn offloaded(&mut self, msn: u64) {
        let Some(index) = self.index(msn) else { return };
        let retained = self.segments.get_mut(index);
        let whole = retained.and_then(|retained| Arc::make_mut(&mut retained.segment).whole.as_mut());
        if let Some(whole) = whole
            && let Body::Here(chunks) = &whole.body
        {
            whole.body = Body::Elsewhere { len: chunks.iter().map(|chunk| chunk.len() as u64).sum() };
        }
    }

    /// Turns segments into text once they are beyond the Skip Boundary.
    ///
    /// RFC 8216bis 6.2.5.1: that is counted from the end of the newest whole segment, and what begins beyond it but ends
    /// within it is not skipped.
    pub(super) fn age(&mut self) {
        let Some(boundary) = self.presentation.skip_boundary().map(Seconds::from) else { return };
        let recent = self.segments.range(self.unlisted + self.history.len()..);
        let mut beyond = recent.map(|retained| retained.segment.duration()).sum::<Seconds>();
        while let Some(retained) = self.segments.get(self.unlisted + self.history.len()) {
            beyond -= retained.segment.duration();
            if beyond < boundary {
                break;
            }
            self.history.push(Listed { segment: &retained.segment, parts: false });
        }
    }

    /// Takes segments off the front of the playlist, as long as what remains covers the window.
    pub(super) fn slide(&mut self) {
        // RFC 8216bis 6.2.2: at least three target durations of whole segments stay.
        let keep = Seconds::from(self.presentation.window.max(self.presentation.three_targets()));
        while let Some(front) = self.segments.get(self.unlisted) {
            let duration = front.segment.duration();
            if self.listed < keep + duration {
                break;
            }
            self.listed -= duration;
            self.media_sequence = front.segment.msn + 1;
            // 6.2.2: counted when the tag leaves, so that the number of every segment stays.
            self.discontinuity_sequence += u64::from(front.segment.start.discontinuity);
            self.unlisted += 1;
            self.history.pop();
        }
    }

    /// Forgets what need not be fetched any more. The ends of segments carry no time of their own: `now`, that of the
    /// part after them, is no earlier.
    pub(super) fn evict(&mut self, now: Instant) {
        for whole in self.segments.iter_mut().rev().take_while(|whole| whole.appeared.is_none()) {
            whole.appeared = Some(now);
        }
        self.let_parts_go(now);
        for left in self.segments.range_mut(..self.unlisted).rev().take_while(|left| left.until.is_none()) {
            // 6.2.2: a segment can be fetched for its own duration and that of the longest playlist from when it appeared.
            let retained = left.segment.duration() + self.longest;
            left.until = Some(left.appeared.unwrap_or(now) + retained.to_duration());
        }
        let over = |front: &Retained| {
            let parts_over = front.parts_until.is_some_and(|until| until <= now);
            parts_over && front.until.is_some_and(|until| until <= now)
        };
        while let Some(front) = self.segments.pop_front_if(|front| over(front)) {
            self.unlisted -= 1;
            self.dependent -= usize::from(!front.segment.start.independent);
        }
        let oldest = self.segments.front().map(|retained| &retained.segment).or(self.open.as_ref());
        let Some((name, msn)) = oldest.map(|segment| (segment.init(), segment.msn)) else { return };
        let needed = self.inits.iter().position(|(epoch, init)| named(*epoch, init) == name);
        self.inits.drain(..needed.unwrap_or(0));
        self.runs.forget_before(msn);
    }

    /// RFC 8216bis 6.2.2: a part can be fetched for three target durations from when its tag left the playlist.
    fn let_parts_go(&mut self, now: Instant) {
        let three_targets = self.presentation.three_targets();
        let listed = self.segments.iter().map(|retained| &retained.segment).chain(&self.open);
        let far = (self.segments.len() + usize::from(self.open.is_some())) - near(listed, three_targets);
        let far = self.segments.range_mut(..far.min(self.segments.len()));
        for retained in far.rev().take_while(|retained| !retained.segment.parts.is_empty()) {
            if *retained.parts_until.get_or_insert(now + three_targets) <= now {
                Arc::make_mut(&mut retained.segment).parts = Vec::new();
            }
        }
    }
}

fn offload(segment: &Segment) -> Option<Offload> {
    match &segment.whole.as_ref()?.body {
        Body::Here(chunks) => Some(Offload { msn: segment.msn, chunks: Arc::clone(chunks) }),
        Body::Elsewhere { .. } => None,
    }
}
