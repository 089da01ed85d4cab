use std::sync::Arc;

use bytes::Bytes;
use touchline_media::MediaTime;

use crate::seconds::Seconds;
use crate::{Part, SegmentStart};

/// A Media Segment as a [`crate::Window`] holds it: whole, or still growing.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Its Media Sequence Number.
    pub msn: u64,
    /// What was known of it when its first part came.
    pub start: SegmentStart,
    /// Whether the segment before has another init section, so that EXT-X-MAP stands before this one.
    pub maps: bool,
    /// Whether it is missing (RFC 8216bis 4.4.4.7).
    pub gap: bool,
    /// The running number of its first part.
    pub first_part: u64,
    /// At least one, until they are let go.
    pub parts: Vec<Part>,
    /// Once it is whole: what it consists of.
    pub whole: Option<Whole>,
}

/// What a whole [`Segment`] consists of.
#[derive(Debug, Clone)]
pub struct Whole {
    /// EXTINF.
    pub duration: Seconds,
    /// Its bytes.
    pub body: Body,
}

/// The bytes of a whole segment.
#[derive(Debug, Clone)]
pub enum Body {
    /// Those of its parts, in order.
    Here(Arc<[Bytes]>),
    /// Kept elsewhere.
    Elsewhere {
        /// How many there are.
        len: u64,
    },
}

impl Segment {
    pub(crate) fn new(start: SegmentStart, maps: bool, first: Part) -> Self {
        let gap = first.gap;
        Self { msn: first.msn, start, maps, gap, first_part: first.number, parts: vec![first], whole: None }
    }

    pub(crate) fn complete(&mut self, duration: MediaTime) {
        let chunks = self.parts.iter().map(|part| part.data.clone()).collect();
        self.whole = Some(Whole { duration: duration.into(), body: Body::Here(chunks) });
    }

    /// The part with this running number.
    pub(crate) fn part(&self, number: u64) -> Option<&Part> {
        let index = usize::try_from(number.checked_sub(self.first_part)?).ok()?;
        self.parts.get(index)
    }

    /// How much of it there is.
    pub(crate) fn duration(&self) -> Seconds {
        match &self.whole {
            Some(whole) => whole.duration,
            None => self.parts.iter().map(|part| Seconds::from(part.duration)).sum(),
        }
    }

    /// The size of what there is of it.
    pub(crate) fn bits(&self) -> u64 {
        self.parts.iter().map(|part| part.data.len() as u64 * 8).sum()
    }
}
