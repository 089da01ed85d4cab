//! What to do about a worker that has died: the first times it is replaced; if that does not last, something gives way.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many deaths within [`WITHIN`] are borne by replacing the worker.
const BORNE: usize = 2;
/// See [`BORNE`].
const WITHIN: Duration = Duration::from_mins(1);

/// What to do about a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Another worker takes over where it was.
    Replace,
    /// Another worker with another encoder, or if there is none with a smaller ladder.
    Demote,
}

/// The deaths of a channel's workers.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    recent: VecDeque<Instant>,
}

impl Faults {
    /// A worker has died; `encoder`: by its own account because of its encoder, which will not do better next time.
    pub(crate) fn death(&mut self, encoder: bool, now: Instant) -> Remedy {
        while self.recent.front().is_some_and(|at| now.duration_since(*at) > WITHIN) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        if !encoder && self.recent.len() <= BORNE {
            return Remedy::Replace;
        }
        self.recent.clear();
        Remedy::Demote
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_death_within_a_minute_demotes() {
        let began = Instant::now();
        let mut faults = Faults::default();
        let mut death = |second, encoder| faults.death(encoder, began + Duration::from_secs(second));
        assert_eq!([death(0, false), death(59, false)], [Remedy::Replace; 2]);
        assert_eq!([death(61, false), death(62, false)], [Remedy::Replace, Remedy::Demote]);
        assert_eq!([death(63, false), death(64, true)], [Remedy::Replace, Remedy::Demote]);
    }
}
