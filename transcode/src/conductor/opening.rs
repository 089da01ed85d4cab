use std::collections::VecDeque;
use std::time::{Duration, Instant};

use touchline_media::Sample;

use crate::rendition::Rendition;

/// How long the first renditions of a channel are waited for: players keep the multivariant playlist that they join with.
const AT_FIRST: Duration = Duration::from_secs(6);
/// The same where they have been there before.
const LATER: Duration = Duration::from_millis(1_500);
/// So long nothing is shed of what the rungs are made of: a worker starts in that time. Beyond, the machine is overloaded.
const NO_HURRY: Duration = Duration::from_millis(1_500);
/// The most samples that wait...
const MAX_HELD: usize = 4_096;
/// ...and the most bytes of them. Beyond, the oldest is let go.
const MAX_HELD_BYTES: usize = 32 * 1_024 * 1_024;

/// What waits until all renditions of a stretch are known.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) until: Instant,
    hurry_from: Instant,
    held: VecDeque<Sample>,
    bytes: usize,
}

impl Opening {
    pub(super) fn new(now: Instant, patience: Duration) -> Self {
        Self { until: now + patience, hurry_from: now + NO_HURRY, held: VecDeque::new(), bytes: 0 }
    }

    /// Whether the rungs have no hurry.
    pub(super) fn has_time(&self, now: Instant) -> bool {
        now < self.hurry_from
    }

    pub(super) fn hold(&mut self, sample: Sample) {
        self.bytes += sample.data.len();
        self.held.push_back(sample);
        while self.held.len() > MAX_HELD || self.bytes > MAX_HELD_BYTES {
            let Some(oldest) = self.held.pop_front() else { return };
            self.bytes -= oldest.data.len();
        }
    }

    /// What has waited, as if the rungs had been as quick as the source.
    pub(super) fn in_order(self) -> Vec<Sample> {
        let mut held = Vec::from(self.held);
        held.sort_by_key(|sample| sample.dts);
        held
    }
}

/// How long to wait for these.
pub(super) fn patience(renditions: &[Rendition]) -> Duration {
    let mut expected = renditions.iter().filter(|rendition| !rendition.given_up);
    if expected.all(|rendition| rendition.format().is_some()) { LATER } else { AT_FIRST }
}
