//! Durations as playlists write them: exact decimals, never binary fractions.

use std::fmt::{self, Display};
use std::time::Duration;

/// A duration in picoseconds, as exact as any playlist's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Seconds(u128);

impl Seconds {
    const DIGITS: usize = 12;
    const PER_SECOND: u128 = 10u128.pow(12);
    /// More seconds than any duration in a playlist can have: nineteen digits.
    const MAX_WHOLE_DIGITS: usize = 19;

    /// Whole seconds.
    pub(crate) const fn whole(seconds: u64) -> Self {
        Self(seconds as u128 * Self::PER_SECOND)
    }

    /// Whole milliseconds.
    pub(crate) const fn millis(millis: u64) -> Self {
        Self(millis as u128 * Self::PER_SECOND / 1000)
    }

    /// `ticks` of a clock of `timescale` Hz, rounded down to a picosecond.
    pub(crate) fn of_ticks(ticks: u64, timescale: u32) -> Self {
        Self(u128::from(ticks) * Self::PER_SECOND / u128::from(timescale.max(1)))
    }

    /// A decimal-floating-point or decimal-integer (RFC 8216bis 4.2); digits past the twelfth of the fraction are dropped.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > Self::MAX_WHOLE_DIGITS {
            return None;
        }
        let kept: String = fraction.chars().chain("000000000000".chars()).take(Self::DIGITS).collect();
        Some(Self(whole.parse::<u128>().ok()? * Self::PER_SECOND + kept.parse::<u128>().ok()?))
    }

    /// `self` times `numerator / denominator`.
    pub(crate) const fn times(self, numerator: u128, denominator: u128) -> Self {
        Self(self.0.saturating_mul(numerator) / denominator)
    }

    /// The nearest integer, a half rounded up (RFC 8216bis 4.4.3.1).
    pub(crate) const fn rounded(self) -> u128 {
        (self.0 + Self::PER_SECOND / 2) / Self::PER_SECOND
    }

    /// How far the two are apart.
    pub(crate) const fn abs_diff(self, other: Self) -> Self {
        Self(self.0.abs_diff(other.0))
    }

    /// As a time span of the clock, to the nanosecond.
    pub(crate) fn to_duration(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0 / 1000).unwrap_or(u64::MAX))
    }

    /// For rates and other figures that are not compared exactly.
    pub(crate) fn as_f64(self) -> f64 {
        self.to_duration().as_secs_f64()
    }
}

impl std::ops::Add for Seconds {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::iter::Sum for Seconds {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |sum, part| sum + part)
    }
}

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:012}", self.0 / Self::PER_SECOND, self.0 % Self::PER_SECOND);
        write!(f, "{} s", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_shown_as_they_were_written() {
        for (text, shown) in [("0.2", "0.2 s"), ("2", "2 s"), ("0.213334", "0.213334 s"), ("10.50", "10.5 s")] {
            assert_eq!(Seconds::parse(text).unwrap().to_string(), shown);
        }
        assert!(Seconds::parse("0.1").unwrap() + Seconds::parse("0.2").unwrap() == Seconds::parse("0.3").unwrap());
    }

    #[test]
    fn what_is_no_decimal_is_none() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e-05", "0x1", "1.5s", "NaN", "99999999999999999999"] {
            assert_eq!(Seconds::parse(text), None, "{text}");
        }
    }

    #[test]
    fn halves_round_up() {
        for (text, rounded) in [("2.499999", 2), ("2.5", 3), ("0.2", 0)] {
            assert_eq!(Seconds::parse(text).unwrap().rounded(), rounded, "{text}");
        }
    }
}
