//! Ticks of the source and GStreamer's nanoseconds: there and back without a loss.

use gstreamer as gst;
use touchline_transcode::message::Fault;
use touchline_transcode::plan::Source;

use crate::chain::bad_plan;

/// What is added to every time, in nanoseconds: sources may start a little below zero, GStreamer's times can't.
const OFFSET: i128 = 4 * 3_600 * NANOS;
const NANOS: i128 = 1_000_000_000;
/// The finest timescale that survives the way through nanoseconds, in ticks per second.
const MAX_TIMESCALE: u32 = 100_000_000;

/// Translates the times of one track.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    timescale: u32,
}

impl Clock {
    /// That of a source, or words about why it has none.
    pub(crate) fn of(source: &Source) -> Result<Self, Fault> {
        let limits = format!("a timescale of {}; from 1 to {MAX_TIMESCALE} can be kept exactly", source.timescale);
        Self::new(source.timescale).ok_or_else(|| bad_plan(&limits))
    }

    /// `None` for a timescale of zero, or finer than [`MAX_TIMESCALE`].
    fn new(timescale: u32) -> Option<Self> {
        (1..=MAX_TIMESCALE).contains(&timescale).then_some(Self { timescale })
    }

    /// `None` outside of what GStreamer can say: from four hours below zero to some centuries.
    pub(crate) fn nanos(self, ticks: i64) -> Option<gst::ClockTime> {
        let nanos = round(i128::from(ticks) * NANOS, self.timescale.into()) + OFFSET;
        let nanos = i64::try_from(nanos).ok().and_then(|nanos| u64::try_from(nanos).ok())?;
        Some(gst::ClockTime::from_nseconds(nanos))
    }

    /// The nearest tick.
    pub(crate) fn ticks(self, time: gst::ClockTime) -> i64 {
        let nanos = i128::from(time.nseconds()) - OFFSET;
        i64::try_from(round(nanos * i128::from(self.timescale), NANOS)).unwrap_or(i64::MAX)
    }
}

fn round(value: i128, by: i128) -> i128 {
    (value + by / 2).div_euclid(by)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_that_gstreamer_cannot_say_are_none() {
        let clock = Clock::new(1_000).unwrap();
        assert_eq!(clock.nanos(-4 * 3_600_000), Some(gst::ClockTime::ZERO));
        assert_eq!(clock.nanos(-4 * 3_600_000 - 1), None);
        assert_eq!(clock.nanos(i64::MAX), None);
        assert!(Clock::new(0).is_none() && Clock::new(MAX_TIMESCALE + 1).is_none());
    }

    proptest! {
        #[test]
        fn ticks_come_back_exactly(timescale in 1..=MAX_TIMESCALE, seconds in -14_000_i64..100_000_000, part in any::<u32>()) {
            let ticks = seconds * i64::from(timescale) + i64::from(part % timescale);
            let clock = Clock::new(timescale).unwrap();
            prop_assert_eq!(clock.ticks(clock.nanos(ticks).unwrap()), ticks);
        }
    }
}
