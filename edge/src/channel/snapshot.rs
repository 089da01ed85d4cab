use std::sync::Arc;

use bytes::Bytes;
use touchline_packager::Presentation;

use crate::replication::{Clock, Mark, proof, wire};
use crate::version::Version;

/// A channel at one moment: all that another node needs to go on with it.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) mark: Mark,
    pub(crate) clock: Clock,
    pub(crate) presentation: Arc<Presentation>,
    /// The multivariant playlist, once there is one.
    pub(crate) multivariant: Option<Bytes>,
    pub(crate) thumbnail: Option<Bytes>,
    pub(crate) renditions: Vec<wire::Rendition>,
}

/// The frames of a snapshot, each written when it is asked for: the media of a long window is not copied out of it.
#[derive(Debug)]
pub(crate) struct Frames {
    snapshot: Snapshot,
    versions: Vec<Arc<Version>>,
    next: Next,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Head,
    Rendition(usize),
    /// Of this rendition, this segment.
    Segment(usize, usize),
    Complete,
    Nothing,
}

impl Frames {
    /// With the newest version of each rendition's playlist at that moment.
    pub(super) fn new(snapshot: Snapshot, versions: Vec<Arc<Version>>) -> Self {
        Self { snapshot, versions, next: Next::Head }
    }

    /// Where a channel stands that has been restored by them.
    pub(crate) fn mark(&self) -> Mark {
        self.snapshot.mark
    }

    fn head(&self) -> Vec<Bytes> {
        let Snapshot { mark, clock, presentation, multivariant, thumbnail, .. } = &self.snapshot;
        wire::head(*mark, clock.nanos, presentation, multivariant.as_ref(), thumbnail.as_ref())
    }

    /// The segment of a rendition, the growing one last.
    fn segment(&self, rendition: usize, index: usize) -> Option<Vec<Bytes>> {
        let (snapshot, clock) = (&self.snapshot, self.snapshot.clock);
        let id = snapshot.presentation.ids().nth(rendition)?;
        let window = &snapshot.renditions.get(rendition)?.window;
        match window.segments.get(index) {
            Some(retained) => Some(wire::segment(id, retained, clock)),
            None if index == window.segments.len() => window.open.as_ref().map(|open| wire::open(id, open, clock)),
            None => None,
        }
    }
}

impl Iterator for Frames {
    type Item = Vec<Bytes>;

    fn next(&mut self) -> Option<Vec<Bytes>> {
        loop {
            match self.next {
                Next::Head => {
                    self.next = Next::Rendition(0);
                    return Some(self.head());
                }
                Next::Rendition(index) => {
                    let Some(rendition) = self.snapshot.renditions.get(index) else {
                        self.next = Next::Segment(0, 0);
                        continue;
                    };
                    self.next = Next::Rendition(index + 1);
                    return Some(wire::rendition(rendition));
                }
                Next::Segment(rendition, _) if rendition == self.snapshot.renditions.len() => {
                    self.next = Next::Complete;
                }
                Next::Segment(rendition, index) => match self.segment(rendition, index) {
                    Some(frame) => {
                        self.next = Next::Segment(rendition, index + 1);
                        return Some(frame);
                    }
                    None => self.next = Next::Segment(rendition + 1, 0),
                },
                Next::Complete => {
                    self.next = Next::Nothing;
                    let proofs: Vec<_> = self.versions.iter().map(|version| proof::of_playlist(version)).collect();
                    return Some(wire::complete(&proofs));
                }
                Next::Nothing => return None,
            }
        }
    }
}
