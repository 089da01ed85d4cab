use std::collections::VecDeque;

use touchline_media::MediaTime;

use crate::segmenter::Segmenter;

/// A segment of the leading rendition begins: the others follow it there, so that a Media Sequence Number means the same time
/// in all renditions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Boundary {
    pub(crate) msn: u64,
    pub(crate) pts: MediaTime,
    /// Whether other pictures are cut at a sync sample of theirs.
    pub(crate) sync: bool,
}

/// Where the leading rendition has begun segments, or will, that a rendition has not reached yet.
#[derive(Debug, Default)]
pub(crate) struct Boundaries {
    ahead: VecDeque<Boundary>,
}

impl Boundaries {
    /// How many segments a rendition may be behind that; beyond, the oldest boundaries are forgotten.
    const MAX: usize = 64;

    /// The next boundary. It takes the place of those that were told of ahead and have not come true.
    pub(super) fn push(&mut self, boundary: Boundary) {
        while self.ahead.pop_back_if(|old| old.msn >= boundary.msn).is_some() {}
        if self.ahead.len() == Self::MAX {
            self.ahead.pop_front();
        }
        self.ahead.push_back(boundary);
    }

    /// The boundary at or before `pts` that ends the open segment. Those whose segment has begun already, because a limit
    /// came first, are met.
    pub(super) fn reached(&mut self, open: &Segmenter, pts: MediaTime) -> Option<Boundary> {
        while self.ahead.pop_front_if(|boundary| boundary.msn <= open.msn()).is_some() {}
        // Every segment has a part: one that is behind after a break catches up part by part.
        self.ahead.front().copied().filter(|boundary| open.has_parts() && boundary.pts <= pts)
    }

    /// The boundary that the segment with this number begins at.
    pub(super) fn beginning(&self, msn: u64) -> Option<Boundary> {
        self.ahead.iter().find(|boundary| boundary.msn == msn).copied()
    }

    /// The boundary that ends the segment with this number.
    pub(super) fn after(&self, msn: u64) -> Option<Boundary> {
        self.ahead.iter().find(|boundary| boundary.msn > msn).copied()
    }
}
