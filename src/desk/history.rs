use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::rfc3339;

/// From one point to the next, in seconds, and how many there are: six hours.
const STEP_SECONDS: u64 = 5;
const MAX_POINTS: usize = 6 * 3_600 / 5;

/// What has been, in even steps.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The number of the step of the newest point.
    newest: u64,
    points: VecDeque<Point>,
}

/// A moment of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Point {
    pub(crate) viewers: Option<f64>,
    /// What was forecast for this moment.
    pub(crate) forecast: Option<(f64, f64)>,
    pub(crate) need: Option<f64>,
    pub(crate) capacity: Option<f64>,
    pub(crate) joins_per_second: Option<f64>,
    pub(crate) live_latency_ms: Option<f64>,
    pub(crate) rebuffer_ratio: Option<f64>,
}

/// The same for charts. All series have the same length.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Past {
    /// The moment of the first.
    from: String,
    step_seconds: u64,
    viewers: Vec<Option<f64>>,
    forecast_low: Vec<Option<f64>>,
    forecast_high: Vec<Option<f64>>,
    need: Vec<Option<f64>>,
    capacity: Vec<Option<f64>>,
    joins_per_second: Vec<Option<f64>>,
    live_latency_ms: Vec<Option<f64>>,
    rebuffer_ratio: Vec<Option<f64>>,
}

impl History {
    /// What there is at a moment; the last of a step counts.
    pub(crate) fn add(&mut self, now: Duration, point: Point) {
        let step = now.as_secs() / STEP_SECONDS;
        if self.points.is_empty() {
            self.newest = step.saturating_sub(1);
        }
        let steps = step.saturating_sub(self.newest);
        if steps > MAX_POINTS as u64 {
            self.points.clear();
        }
        for _ in 0..steps.min(MAX_POINTS as u64) {
            self.points.push_back(Point::default());
        }
        while self.points.len() > MAX_POINTS {
            self.points.pop_front();
        }
        self.newest = self.newest.max(step);
        if steps == 0 && step < self.newest {
            return;
        }
        if let Some(last) = self.points.back_mut() {
            *last = point;
        }
    }

    /// The last so many seconds.
    pub(crate) fn last(&self, seconds: u64) -> Past {
        let wanted = usize::try_from(seconds.div_ceil(STEP_SECONDS)).unwrap_or(usize::MAX).min(self.points.len());
        let skipped = self.points.len() - wanted;
        let first = (self.newest + 1).saturating_sub(wanted as u64);
        let series = |of: fn(&Point) -> Option<f64>| self.points.iter().skip(skipped).map(of).collect();
        Past {
            from: rfc3339(Duration::from_secs(first * STEP_SECONDS)),
            step_seconds: STEP_SECONDS,
            viewers: series(|point| point.viewers),
            forecast_low: series(|point| point.forecast.map(|(low, _)| low)),
            forecast_high: series(|point| point.forecast.map(|(_, high)| high)),
            need: series(|point| point.need),
            capacity: series(|point| point.capacity),
            joins_per_second: series(|point| point.joins_per_second),
            live_latency_ms: series(|point| point.live_latency_ms),
            rebuffer_ratio: series(|point| point.rebuffer_ratio),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_in_even_steps_and_what_was_not_seen_is_not_known() {
        let mut history = History::default();
        for (second, viewers) in [(100, 1.0), (103, 2.0), (105, 3.0), (117, 4.0)] {
            history.add(Duration::from_secs(second), Point { viewers: Some(viewers), ..Point::default() });
        }
        let past = history.last(60);
        assert_eq!(past.viewers, [Some(2.0), Some(3.0), None, Some(4.0)]);
        assert_eq!(past.from, "1970-01-01T00:01:40.000Z");
        let past = history.last(6);
        assert_eq!((past.viewers.len(), past.need.len(), past.from.as_str()), (2, 2, "1970-01-01T00:01:50.000Z"));
    }

    #[test]
    fn it_is_bounded() {
        let mut history = History::default();
        for step in 0..2 * MAX_POINTS as u64 {
            history.add(Duration::from_secs(step * STEP_SECONDS), Point::default());
        }
        history.add(Duration::from_hours(1_000_000), Point { need: Some(1.0), ..Point::default() });
        assert!(history.points.len() <= MAX_POINTS);
        assert_eq!(history.last(5).need, [Some(1.0)]);
    }
}
