use std::sync::Arc;

use touchline_packager::{RenditionId, Retained, Segment};

use super::log::Clock;
use super::wire::{Head, MAX_SEGMENTS, Rendition};
use crate::channel::Snapshot;

/// A snapshot of which not all frames have come.
#[derive(Debug)]
pub(super) struct Assembly {
    snapshot: Snapshot,
    segments: usize,
}

/// Why frames are no snapshot together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More or fewer renditions than its presentation has.
    #[error("there are not as many renditions as it says")]
    Renditions,
    /// More segments than any channel keeps.
    #[error("there are more than {MAX_SEGMENTS} segments")]
    TooMany,
    /// Segments that do not follow each other.
    #[error("segment {msn} of a rendition is out of order")]
    Order {
        /// Its Media Sequence Number.
        msn: u64,
    },
}

impl Assembly {
    pub(super) fn new(head: Head, clock: Clock) -> Self {
        let snapshot = Snapshot {
            mark: head.mark,
            clock,
            presentation: head.presentation,
            multivariant: head.multivariant.map(Into::into),
            thumbnail: head.thumbnail,
            renditions: Vec::new(),
        };
        Self { snapshot, segments: 0 }
    }

    pub(super) fn rendition(&mut self, rendition: Rendition) -> Result<(), Error> {
        self.snapshot.renditions.push(rendition);
        let expected = self.snapshot.presentation.renditions.len();
        if self.snapshot.renditions.len() > expected { Err(Error::Renditions) } else { Ok(()) }
    }

    pub(super) fn segment(&mut self, id: RenditionId, retained: Retained) -> Result<(), Error> {
        let window = self.next(id, retained.segment.msn)?;
        window.segments.push(retained);
        Ok(())
    }

    pub(super) fn open(&mut self, id: RenditionId, segment: Arc<Segment>) -> Result<(), Error> {
        let window = self.next(id, segment.msn)?;
        window.open = Some(segment);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Snapshot, Error> {
        let complete = self.snapshot.renditions.len() == self.snapshot.presentation.renditions.len();
        if complete { Ok(self.snapshot) } else { Err(Error::Renditions) }
    }

    /// Where the segment with this number goes, if it may come next.
    fn next(&mut self, id: RenditionId, msn: u64) -> Result<&mut touchline_packager::Snapshot, Error> {
        self.segments += 1;
        if self.segments > MAX_SEGMENTS {
            return Err(Error::TooMany);
        }
        let rendition = self.snapshot.renditions.get_mut(usize::from(id.0)).ok_or(Error::Renditions)?;
        let last = rendition.window.segments.last().map(|retained| retained.segment.msn);
        if rendition.window.open.is_some() || last.is_some_and(|last| last >= msn) {
            return Err(Error::Order { msn });
        }
        Ok(&mut rendition.window)
    }
}
