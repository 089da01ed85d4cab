//! Points in time.

use std::ops::{Add, Sub};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point in time in microseconds since 1970: of this machine's clock, or of the programme (EXT-X-PROGRAM-DATE-TIME). It is one type
/// for both because their difference is the latency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(i64);

impl Moment {
    /// Later than everything.
    pub(crate) const NEVER: Self = Self(i64::MAX);

    pub(crate) const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub(crate) const fn micros(self) -> i64 {
        self.0
    }

    /// The time since `earlier`; zero where that is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Seconds since `other`, which may be later.
    #[expect(clippy::cast_precision_loss, reason = "differences are of hours, not of centuries")]
    pub(crate) fn seconds_from(self, other: Self) -> f64 {
        self.0.saturating_sub(other.0) as f64 / 1e6
    }

    /// So many seconds later, or earlier where they are negative.
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
    pub(crate) fn shifted(self, seconds: f64) -> Self {
        Self(self.0.saturating_add((seconds * 1e6) as i64))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

/// This machine's clock: it begins as the wall clock and goes on evenly, whatever is done to that one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began: Instant,
    wall: Moment,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), wall: Moment::default() + wall }
    }

    pub(crate) fn now(self) -> Moment {
        self.wall + self.began.elapsed()
    }

    /// When it is `moment`, which is at most in a day.
    pub(crate) fn instant(self, moment: Moment) -> Instant {
        self.began + moment.since(self.wall).min(Duration::from_hours(24) + self.began.elapsed())
    }
}
