use std::fmt;

use crate::{MediaTime, Timescale};

/// Frames per second as a reduced fraction, between 1 and [`FrameRate::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameRate {
    numerator: u32,
    denominator: u32,
}

impl FrameRate {
    /// The highest rate that is taken for a frame rate rather than for nonsense.
    pub const MAX: u32 = 300;

    /// The rates that cameras and encoders really use; a measured or decimal rate is taken for one of these when it is near.
    pub const STANDARD: [Self; 14] = [
        Self::constant(10, 1),
        Self::constant(15_000, 1_001),
        Self::constant(15, 1),
        Self::constant(20, 1),
        Self::constant(24_000, 1_001),
        Self::constant(24, 1),
        Self::constant(25, 1),
        Self::constant(30_000, 1_001),
        Self::constant(30, 1),
        Self::constant(48, 1),
        Self::constant(50, 1),
        Self::constant(60_000, 1_001),
        Self::constant(60, 1),
        Self::constant(120, 1),
    ];

    /// `None` unless the rate lies between 1 and [`FrameRate::MAX`] frames per second.
    pub fn new(numerator: u32, denominator: u32) -> Option<Self> {
        let in_range = denominator > 0
            && numerator >= denominator
            && u64::from(numerator) <= u64::from(denominator) * u64::from(Self::MAX);
        in_range.then(|| {
            let divisor = gcd(numerator, denominator);
            Self::constant(numerator / divisor, denominator / divisor)
        })
    }

    /// A decimal rate, as in metadata (`29.97`): the nearest standard rate within 0.02 %, else in thousandths.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be between 1 and MAX")]
    pub fn from_f64(rate: f64) -> Option<Self> {
        if !(1.0..=f64::from(Self::MAX)).contains(&rate) {
            return None;
        }
        Self::STANDARD
            .into_iter()
            .find(|standard| (standard.as_f64() - rate).abs() <= rate * 2e-4)
            .or_else(|| Self::new((rate * 1_000.0).round() as u32, 1_000))
    }

    /// Frames per second, for figures and comparisons.
    pub fn as_f64(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// A whole number of frames per second, unlike 30000/1001.
    pub fn is_whole(self) -> bool {
        self.denominator == 1
    }

    /// A timescale in which [`FrameRate::frame_ticks`] is exact: a thousand or so ticks per frame.
    pub fn timescale(self) -> Timescale {
        let scaled = self.numerator.saturating_mul(self.ticks_multiplier());
        Timescale::new(scaled).unwrap_or(Timescale::NINETY_KHZ)
    }

    /// Ticks of [`FrameRate::timescale`] per frame.
    pub fn frame_ticks(self) -> u32 {
        self.denominator * self.ticks_multiplier()
    }

    /// How long one frame lasts, exactly.
    pub fn frame_duration(self) -> MediaTime {
        MediaTime::new(i64::from(self.frame_ticks()), self.timescale())
    }

    /// 1/1 -> 1000, 1001 -> 1: frames of about a thousand ticks whatever the denominator.
    fn ticks_multiplier(self) -> u32 {
        (1_000 / self.denominator).max(1)
    }

    const fn constant(numerator: u32, denominator: u32) -> Self {
        Self { numerator, denominator }
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl fmt::Display for FrameRate {
    /// At most three decimals, as EXT-X-STREAM-INF's FRAME-RATE has it (RFC 8216bis 4.4.6.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.as_f64())
    }
}

impl fmt::Debug for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_rates_become_the_standard_fractions() {
        let names: Vec<String> = [23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 59.940_06, 60.0, 12.5]
            .into_iter()
            .map(|rate| format!("{:?}", FrameRate::from_f64(rate).unwrap()))
            .collect();
        assert_eq!(
            names,
            ["24000/1001", "24/1", "25/1", "30000/1001", "30/1", "50/1", "60000/1001", "60000/1001", "60/1", "25/2"]
        );
    }

    #[test]
    fn nonsense_rates_are_none() {
        for rate in [0.0, -30.0, 0.5, 1e9, f64::NAN, f64::INFINITY] {
            assert_eq!(FrameRate::from_f64(rate), None, "{rate}");
        }
        assert_eq!(FrameRate::new(30, 0), None);
        assert_eq!(FrameRate::new(1, 2), None);
        assert_eq!(FrameRate::new(u32::MAX, 1), None);
    }

    #[test]
    fn frames_are_whole_ticks() {
        for rate in FrameRate::STANDARD {
            let exact = f64::from(rate.timescale().get()) / f64::from(rate.frame_ticks());
            assert!((exact - rate.as_f64()).abs() < 1e-12, "{rate:?}");
        }
        assert_eq!(FrameRate::from_f64(29.97).unwrap().frame_ticks(), 1_001);
        assert_eq!(FrameRate::from_f64(30.0).unwrap().timescale().get(), 30_000);
    }
}
