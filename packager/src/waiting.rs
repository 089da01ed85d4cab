use std::collections::VecDeque;

use touchline_media::Sample;

use crate::{Event, Notice};

/// The most samples that wait for the first keyframe of the video that was announced...
const MAX_HELD: usize = 512;
/// ...and the most bytes of them. Beyond, the oldest is let go.
const MAX_HELD_BYTES: usize = 4 * 1_024 * 1_024;

/// What waits for the sync sample that the stretch begins with.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// With the indices of their inputs.
    pub(crate) held: VecDeque<(usize, Sample)>,
    bytes: usize,
    told: bool,
}

impl Waiting {
    pub(crate) fn hold(&mut self, index: usize, sample: Sample, out: &mut Vec<Event>) {
        self.bytes += sample.data.len();
        self.held.push_back((index, sample));
        while self.held.len() > MAX_HELD || self.bytes > MAX_HELD_BYTES {
            if !std::mem::replace(&mut self.told, true) {
                out.push(Event::Notice(Notice::NoKeyframe { held: self.held.len() }));
            }
            let Some((_, oldest)) = self.held.pop_front() else { break };
            self.bytes -= oldest.data.len();
        }
    }
}
