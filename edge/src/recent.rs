use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use touchline_audience::{Quantiles, Sketch};

/// What is measured counts for six of these.
const SLOT: Duration = Duration::from_secs(10);
const SLOTS: u32 = 6;

/// How durations of the last minute are distributed. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Recent(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// By when they begin, oldest first.
    slots: VecDeque<(Instant, Sketch)>,
    last: Option<Instant>,
}

impl Recent {
    /// Takes a duration.
    pub fn add(&self, duration: Duration) {
        self.add_at(Instant::now(), duration);
    }

    /// In milliseconds; `None` where there was nothing in the last minute.
    pub fn quantiles(&self) -> Option<Quantiles> {
        self.quantiles_at(Instant::now())
    }

    /// How long there has been nothing; `None` where there never was.
    pub fn silent(&self) -> Option<Duration> {
        self.lock().last.map(|last| last.elapsed())
    }

    fn add_at(&self, now: Instant, duration: Duration) {
        let mut state = self.lock();
        state.last = Some(now);
        if state.slots.back().is_none_or(|(begun, _)| now.saturating_duration_since(*begun) >= SLOT) {
            state.slots.push_back((now, Sketch::default()));
        }
        state.forget(now);
        if let Some((_, sketch)) = state.slots.back_mut() {
            sketch.add(duration.as_secs_f64() * 1_000.0);
        }
    }

    fn quantiles_at(&self, now: Instant) -> Option<Quantiles> {
        let mut state = self.lock();
        state.forget(now);
        let mut all = Sketch::default();
        state.slots.iter().for_each(|(_, sketch)| all.merge(sketch));
        drop(state);
        all.quantiles()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole after each change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, now: Instant) {
        while self.slots.front().is_some_and(|(begun, _)| now.saturating_duration_since(*begun) >= SLOT * SLOTS) {
            self.slots.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_a_minute_does_not_count() {
        let (recent, start) = (Recent::default(), Instant::now());
        assert_eq!(recent.quantiles_at(start), None);
        recent.add_at(start, Duration::from_millis(100));
        recent.add_at(start + Duration::from_secs(30), Duration::from_millis(200));
        let count = |seconds| recent.quantiles_at(start + Duration::from_secs(seconds)).map(|read| read.count);
        assert_eq!([59, 60, 89, 90].map(count), [Some(2), Some(1), Some(1), None]);
    }
}
