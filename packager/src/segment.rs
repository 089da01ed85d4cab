use std::sync::Arc;

use bytes::Bytes;

use crate::seconds::Seconds;
use crate::{Epoch, Item, Name, Part, SegmentStart};

/// A Media Segment as a [`crate::Window`] holds it: whole, or still growing.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Its Media Sequence Number.
    pub msn: u64,
    /// The presentation that it is named after...
    pub epoch: Epoch,
    /// ...and the Media Sequence Number that it has there.
    pub named: u64,
    /// How many parts it has, if it is no more than the beginning of what has that name.
    pub cut: Option<u32>,
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
    /// Named after its number in a presentation, with its first part.
    pub(crate) fn new(start: SegmentStart, (epoch, named): (Epoch, u64), first: Part) -> Self {
        Self {
            msn: first.msn,
            epoch,
            named,
            cut: None,
            start,
            maps: false,
            gap: first.gap,
            first_part: first.number,
            parts: vec![first],
            whole: None,
        }
    }

    /// It has come to its end.
    pub(crate) fn complete(&mut self, duration: Seconds) {
        let chunks = self.parts.iter().map(|part| part.data.clone()).collect();
        self.whole = Some(Whole { duration, body: Body::Here(chunks) });
    }

    /// The file name of the whole.
    pub(crate) fn name(&self) -> Name {
        let item = match self.cut {
            None => Item::Segment(self.named),
            Some(parts) => Item::Cut { msn: self.named, parts },
        };
        Name { epoch: self.epoch, item }
    }

    /// The file name of its init section.
    pub(crate) fn init(&self) -> Name {
        Name { epoch: self.epoch, item: Item::Init(self.start.init) }
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
