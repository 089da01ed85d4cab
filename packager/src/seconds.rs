use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, SubAssign};
use std::time::Duration;

use touchline_media::MediaTime;

/// A span as playlists write it: seconds with five decimals, never rounded up, so what is within a limit is written within
/// it. What is added up from playlists is added up from these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds {
    /// In units of 10 us.
    decimals: u64,
}

const PER_SECOND: u64 = 100_000;

impl Seconds {
    /// What remains of `self` after `other`, or nothing.
    pub(crate) fn saturating_sub(self, other: Self) -> Self {
        Self { decimals: self.decimals.saturating_sub(other.decimals) }
    }

    /// The span that is written.
    pub fn to_duration(self) -> Duration {
        Duration::from_micros(self.decimals * 10)
    }
}

impl From<MediaTime> for Seconds {
    fn from(time: MediaTime) -> Self {
        let ticks = u128::from(time.ticks().max(0).unsigned_abs());
        let decimals = ticks * u128::from(PER_SECOND) / u128::from(time.timescale().get());
        Self { decimals: u64::try_from(decimals).unwrap_or(u64::MAX) }
    }
}

impl From<Duration> for Seconds {
    fn from(span: Duration) -> Self {
        Self { decimals: u64::try_from(span.as_micros() / 10).unwrap_or(u64::MAX) }
    }
}

impl Add for Seconds {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { decimals: self.decimals.saturating_add(other.decimals) }
    }
}

impl AddAssign for Seconds {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Seconds {
    fn sub_assign(&mut self, other: Self) {
        *self = self.saturating_sub(other);
    }
}

impl Sum for Seconds {
    fn sum<I: Iterator<Item = Self>>(spans: I) -> Self {
        spans.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:05}", self.decimals / PER_SECOND, self.decimals % PER_SECOND)
    }
}

#[cfg(test)]
mod tests {
    use touchline_media::Timescale;

    use super::*;

    #[test]
    fn spans_are_never_written_longer_than_they_are() {
        let written =
            |ticks, timescale| Seconds::from(MediaTime::new(ticks, Timescale::new(timescale).unwrap())).to_string();
        assert_eq!(written(18_018, 90_000), "0.20020");
        assert_eq!(written(9_216, 48_000), "0.19200");
        assert_eq!(written(8_192, 44_100), "0.18575");
        assert_eq!(written(2, 3), "0.66666");
        assert_eq!(written(-1, 3), "0.00000");
    }
}
