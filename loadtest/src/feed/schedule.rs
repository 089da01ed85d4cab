//! When each frame is due, and how well that is kept.

use std::fmt::{self, Display};
use std::time::Duration;

use tokio::time::Instant;

use super::FrameRate;

/// A feed further behind than this will not catch up: it has to start anew.
pub(super) const MAX_BEHIND: Duration = Duration::from_secs(5);

/// Frames due on a fixed grid of the wall clock.
///
/// A late frame is written at once and none is left out: the encoder counts frames and knows no clock, so that its time would
/// fall behind the wall clock for good.
pub(super) struct Schedule {
    rate: FrameRate,
    start: Instant,
    /// Grid position of the next frame since `start`.
    position: u64,
    written: u64,
    late: u64,
    reported: u64,
}

impl Schedule {
    /// The first frame is due at `start`.
    pub(super) fn new(rate: FrameRate, start: Instant) -> Self {
        Self { rate, start, position: 0, written: 0, late: 0, reported: 0 }
    }

    /// When the next frame is to be drawn.
    pub(super) fn due(&self) -> Instant {
        self.start + self.rate.duration_of(self.position)
    }

    /// Frames written so far, which is the number of the next one.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// The frame that was due has been written, at `now`. False when the feed is too far behind to go on.
    pub(super) fn wrote(&mut self, now: Instant) -> bool {
        let behind = now.saturating_duration_since(self.due());
        self.position += 1;
        self.written += 1;
        if behind > self.rate.duration_of(1) {
            self.late += 1;
        }
        behind <= MAX_BEHIND
    }

    /// Starts anew at `now`: nothing that was due before counts as late, and the next frame is due one frame later.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self { written: self.written, position: 1, ..Self::new(self.rate, now) };
    }

    /// A line on the `interval` since the last such line.
    pub(super) fn progress(&mut self, interval: Duration) -> impl Display + use<> {
        let recent = self.written - std::mem::replace(&mut self.reported, self.written);
        Progress {
            frames: self.written,
            per_second: f64::from(u32::try_from(recent).unwrap_or(u32::MAX)) / interval.as_secs_f64(),
            late: self.late,
        }
    }
}

struct Progress {
    frames: u64,
    per_second: f64,
    late: u64,
}

impl Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, per_second, late } = self;
        write!(f, "{frames} frames, {per_second:.1} frames/s, {late} late")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: &str) -> (Schedule, Instant) {
        let start = Instant::now();
        (Schedule::new(rate.parse().unwrap(), start), start)
    }

    #[test]
    fn frames_stay_on_the_grid_for_hours() {
        let (mut schedule, start) = schedule("29.97");
        for _ in 0..30_000 * 10 {
            let due = schedule.due();
            assert!(schedule.wrote(due));
        }
        assert_eq!(schedule.due() - start, Duration::from_secs(1001 * 10));
        assert_eq!(schedule.progress(Duration::from_secs(10_010)).to_string(), "300000 frames, 30.0 frames/s, 0 late");
    }

    #[test]
    fn a_late_frame_does_not_move_the_next() {
        let (mut schedule, start) = schedule("25");
        assert!(schedule.wrote(start + Duration::from_millis(300)));
        assert_eq!(schedule.due(), start + Duration::from_millis(40));
        assert_eq!(schedule.progress(Duration::from_secs(1)).to_string(), "1 frames, 1.0 frames/s, 1 late");
    }

    #[test]
    fn what_was_late_before_a_restart_is_forgotten() {
        let (mut schedule, start) = schedule("25");
        assert!(schedule.wrote(start + Duration::from_secs(3)));
        schedule.restart(start + Duration::from_secs(4));
        assert_eq!(schedule.due(), start + Duration::from_millis(4040));
        assert_eq!(schedule.written(), 1);
        assert_eq!(schedule.progress(Duration::from_secs(1)).to_string(), "1 frames, 1.0 frames/s, 0 late");
    }

    #[test]
    fn a_feed_far_behind_gives_up() {
        let (mut schedule, start) = schedule("25");
        assert!(schedule.wrote(start + MAX_BEHIND));
        assert!(!schedule.wrote(start + MAX_BEHIND + Duration::from_millis(41)));
    }
}
