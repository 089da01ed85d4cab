use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Ticks per second of a track's clock.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timescale(NonZeroU32);

impl Timescale {
    /// Milliseconds, the clock of RTMP.
    pub const MILLIS: Self = Self::constant(1_000);
    /// 48 kHz, the clock of Opus.
    pub const FORTY_EIGHT_KHZ: Self = Self::constant(48_000);
    /// 90 kHz, the clock of MPEG-TS and of video over RTP.
    pub const NINETY_KHZ: Self = Self::constant(90_000);

    /// `None` for zero ticks per second.
    pub const fn new(ticks_per_second: u32) -> Option<Self> {
        match NonZeroU32::new(ticks_per_second) {
            Some(n) => Some(Self(n)),
            None => None,
        }
    }

    /// Ticks per second.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    const fn constant(ticks_per_second: u32) -> Self {
        match NonZeroU32::new(ticks_per_second) {
            Some(n) => Self(n),
            None => Self(NonZeroU32::MIN),
        }
    }
}

impl From<NonZeroU32> for Timescale {
    fn from(ticks_per_second: NonZeroU32) -> Self {
        Self(ticks_per_second)
    }
}

impl fmt::Debug for Timescale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// An instant on a media timeline, or the span between two: `ticks / timescale` seconds.
///
/// Ordered and compared by the instant, whatever the timescale. Arithmetic keeps the left operand's timescale, rounds to
/// its nearest tick, and saturates.
#[derive(Clone, Copy)]
pub struct MediaTime {
    ticks: i64,
    timescale: Timescale,
}

impl MediaTime {
    /// `ticks` of a clock that runs at `timescale`.
    pub const fn new(ticks: i64, timescale: Timescale) -> Self {
        Self { ticks, timescale }
    }

    /// The origin of the timeline.
    pub const fn zero(timescale: Timescale) -> Self {
        Self::new(0, timescale)
    }

    /// A wall-clock span, rounded to the nearest tick.
    pub fn from_duration(span: Duration, timescale: Timescale) -> Self {
        let ticks = div_round(
            i128::try_from(span.as_nanos()).unwrap_or(i128::MAX / (1 << 33)) * i128::from(timescale.get()),
            1_000_000_000,
        );
        Self::new(ticks, timescale)
    }

    /// Ticks since the origin.
    pub const fn ticks(self) -> i64 {
        self.ticks
    }

    /// Ticks per second.
    pub const fn timescale(self) -> Timescale {
        self.timescale
    }

    /// The same instant on another clock, rounded to its nearest tick.
    #[must_use]
    pub fn rescale(self, to: Timescale) -> Self {
        if to == self.timescale {
            return self;
        }
        let ticks = div_round(i128::from(self.ticks) * i128::from(to.get()), i128::from(self.timescale.get()));
        Self::new(ticks, to)
    }

    /// Seconds, for display and for figures; never for arithmetic.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn as_secs_f64(self) -> f64 {
        self.ticks as f64 / f64::from(self.timescale.get())
    }

    /// The span as wall-clock time; a negative one is zero.
    pub fn to_duration(self) -> Duration {
        let nanos = div_round(i128::from(self.ticks) * 1_000_000_000, i128::from(self.timescale.get()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}

/// `n / d`, rounded to nearest, halves away from zero, saturating.
fn div_round(n: i128, d: i128) -> i64 {
    let half = if n < 0 { -d / 2 } else { d / 2 };
    let q = (n + half) / d;
    i64::try_from(q).unwrap_or(if q < 0 { i64::MIN } else { i64::MAX })
}

impl Add for MediaTime {
    type Output = Self;

    fn add(self, rhs: Self) -> Self {
        let ticks = self.ticks.saturating_add(rhs.rescale(self.timescale).ticks);
        Self::new(ticks, self.timescale)
    }
}

impl Sub for MediaTime {
    type Output = Self;

    fn sub(self, rhs: Self) -> Self {
        let ticks = self.ticks.saturating_sub(rhs.rescale(self.timescale).ticks);
        Self::new(ticks, self.timescale)
    }
}

impl Ord for MediaTime {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = i128::from(self.ticks) * i128::from(other.timescale.get());
        let right = i128::from(other.ticks) * i128::from(self.timescale.get());
        left.cmp(&right)
    }
}

impl PartialOrd for MediaTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for MediaTime {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for MediaTime {}

impl fmt::Debug for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ticks, self.timescale.get())
    }
}

impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ticks: i64, timescale: u32) -> MediaTime {
        MediaTime::new(ticks, Timescale::new(timescale).unwrap())
    }

    #[test]
    fn instants_compare_across_timescales() {
        assert_eq!(at(1_000, 1_000), at(90_000, 90_000));
        assert!(at(1_001, 30_000) > at(33, 1_000));
        assert!(at(1_001, 30_000) < at(34, 1_000));
    }

    #[test]
    fn rescaling_rounds_to_the_nearest_tick() {
        assert_eq!(at(1_001, 30_000).rescale(Timescale::MILLIS).ticks(), 33);
        assert_eq!(at(-1_001, 30_000).rescale(Timescale::MILLIS).ticks(), -33);
        assert_eq!(at(1, 2).rescale(Timescale::new(1).unwrap()).ticks(), 1);
    }

    #[test]
    fn arithmetic_keeps_the_left_timescale_and_saturates() {
        let sum = at(1_024, 48_000) + at(1, 1_000);
        assert_eq!((sum.ticks(), sum.timescale().get()), (1_072, 48_000));
        assert_eq!((at(i64::MAX, 1) + at(1, 1)).ticks(), i64::MAX);
        assert_eq!(at(i64::MAX, 1).rescale(Timescale::NINETY_KHZ).ticks(), i64::MAX);
    }

    #[test]
    fn wall_clock_spans_convert_both_ways() {
        let span = MediaTime::from_duration(Duration::from_millis(200), Timescale::NINETY_KHZ);
        assert_eq!(span.ticks(), 18_000);
        assert_eq!(span.to_duration(), Duration::from_millis(200));
        assert_eq!(at(-5, 1).to_duration(), Duration::ZERO);
    }
}
