use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use touchline_media::MediaTime;

use crate::{Part, SegmentStart};

/// A Media Segment as a [`crate::Window`] holds it: whole, or still growing.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) msn: u64,
    pub(crate) start: SegmentStart,
    /// At least one.
    pub(crate) parts: Vec<Part>,
    /// Once it is whole: how long it lasts and what it consists of.
    pub(crate) whole: Option<Whole>,
}

#[derive(Debug, Clone)]
pub(crate) struct Whole {
    pub(crate) duration: MediaTime,
    pub(crate) chunks: Arc<[Bytes]>,
}

impl Segment {
    pub(crate) fn new(start: SegmentStart, first: Part) -> Self {
        Self { msn: first.msn, start, parts: vec![first], whole: None }
    }

    pub(crate) fn complete(&mut self, duration: MediaTime) {
        let chunks = self.parts.iter().map(|part| part.data.clone()).collect();
        self.whole = Some(Whole { duration, chunks });
    }

    /// The running number of its first part.
    pub(crate) fn first_part(&self) -> u64 {
        self.parts.first().map_or(u64::MAX, |part| part.number)
    }

    /// The part with this running number.
    pub(crate) fn part(&self, number: u64) -> Option<&Part> {
        let index = usize::try_from(number.checked_sub(self.first_part())?).ok()?;
        self.parts.get(index)
    }

    /// How much of it there is.
    pub(crate) fn duration(&self) -> Duration {
        match &self.whole {
            Some(whole) => whole.duration.to_duration(),
            None => self.parts.iter().map(|part| part.duration.to_duration()).sum(),
        }
    }

    /// The size of what there is of it.
    pub(crate) fn bits(&self) -> u64 {
        self.parts.iter().map(|part| part.data.len() as u64 * 8).sum()
    }
}
