//! After which presentation a segment is named.

use std::collections::VecDeque;

use super::{Found, Resource, Retained, Window};
use crate::segment::{Body, Segment};
use crate::{Epoch, Init, Item, Name, Part, Presentation};

/// Segments that follow each other and are named after one presentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The presentation.
    pub epoch: Epoch,
    /// The Media Sequence Number of the first of them...
    pub first: u64,
    /// ...and the one that it has in that presentation.
    pub named: u64,
}

/// All of them, oldest first. There is always one.
#[derive(Debug, Clone)]
pub(super) struct Runs {
    older: VecDeque<Run>,
    newest: Run,
}

impl Runs {
    pub(super) fn new(presentation: &Presentation) -> Self {
        let (epoch, first) = (presentation.epoch, presentation.first_msn);
        Self { older: VecDeque::new(), newest: Run { epoch, first, named: first } }
    }

    pub(super) fn restore(presentation: &Presentation, runs: Vec<Run>) -> Self {
        let mut older = VecDeque::from(runs);
        match older.pop_back() {
            Some(newest) => Self { older, newest },
            None => Self::new(presentation),
        }
    }

    pub(super) fn newest(&self) -> Run {
        self.newest
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.older.iter().chain([&self.newest])
    }

    pub(super) fn push(&mut self, run: Run) {
        self.older.push_back(std::mem::replace(&mut self.newest, run));
    }

    /// The presentation and the number there of the segment that comes next, or of any since the newest run began.
    pub(super) fn name(&self, msn: u64) -> (Epoch, u64) {
        (self.newest.epoch, self.newest.named.saturating_add(msn.saturating_sub(self.newest.first)))
    }

    /// What is named after a presentation: each run of it, newest first, and the first number after that.
    fn of(&self, epoch: Epoch) -> impl Iterator<Item = (Run, u64)> {
        let mut next = u64::MAX;
        let bounded = self.iter().rev().map(move |run| (*run, std::mem::replace(&mut next, run.first)));
        bounded.filter(move |(run, _)| run.epoch == epoch)
    }

    /// Forgets the runs of which no segment is left from this number on.
    pub(super) fn forget_before(&mut self, msn: u64) {
        let second = |runs: &Self| runs.older.get(1).map_or(runs.newest.first, |run| run.first);
        while !self.older.is_empty() && second(self) <= msn {
            self.older.pop_front();
        }
    }
}

/// The file name of an init section.
pub(super) fn named(epoch: Epoch, init: &Init) -> Name {
    Name { epoch, item: Item::Init(init.number) }
}

impl Window {
    /// What a viewer who asks for this file gets.
    pub fn find(&self, name: Name) -> Found {
        let found = match name.item {
            Item::Init(_) => self.init(name).map(|init| Found::Ready(Resource::Whole(init.data.clone()))),
            Item::Segment(msn) | Item::Cut { msn, .. } => {
                self.segment_named(name.epoch, msn).filter(|segment| segment.name() == name).and_then(whole)
            }
            Item::Part(number) if self.is_next(name.epoch, number) => Some(Found::Next),
            Item::Part(number) => {
                self.part(name.epoch, number).map(|part| Found::Ready(Resource::Whole(part.data.clone())))
            }
        };
        // A gap that was made for want of media has no bytes at all.
        found.filter(|found| !matches!(found, Found::Ready(nothing) if nothing.is_empty())).unwrap_or(Found::Missing)
    }

    fn init(&self, name: Name) -> Option<&Init> {
        self.inits.iter().find(|(epoch, init)| named(*epoch, init) == name).map(|(_, init)| init)
    }

    fn is_next(&self, epoch: Epoch, number: u64) -> bool {
        epoch == self.runs.newest().epoch && number == self.next_part && !self.ended
    }

    /// The whole segment that has this number in a presentation.
    fn segment_named(&self, epoch: Epoch, named: u64) -> Option<&Segment> {
        self.runs.of(epoch).find_map(|(run, next)| {
            let msn = run.first.checked_add(named.checked_sub(run.named)?).filter(|msn| *msn < next)?;
            Some(&*self.segments.get(self.index(msn)?)?.segment)
        })
    }

    fn part(&self, epoch: Epoch, number: u64) -> Option<&Part> {
        let growing = self.open.as_ref().filter(|open| open.epoch == epoch).and_then(|open| open.part(number));
        growing.or_else(|| {
            self.runs.of(epoch).find_map(|(run, next)| {
                let begins_by_then = |retained: &Retained| {
                    let Segment { msn, first_part, .. } = *retained.segment;
                    msn < run.first || (msn < next && first_part <= number)
                };
                let after = self.segments.partition_point(begins_by_then);
                let segment = &self.segments.get(after.checked_sub(1)?)?.segment;
                if segment.epoch == epoch { segment.part(number) } else { None }
            })
        })
    }
}

fn whole(segment: &Segment) -> Option<Found> {
    match &segment.whole.as_ref()?.body {
        Body::Here(chunks) => Some(Found::Ready(Resource::Chunks(chunks.clone()))),
        Body::Elsewhere { len } => Some(Found::Offloaded { msn: segment.msn, len: *len }),
    }
}
