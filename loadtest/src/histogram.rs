//! How often which duration was seen: log-linear buckets, as `HdrHistogram` has them (Gil Tene, 2012).

use std::time::Duration;

/// Buckets for each doubling: what is told is at most one part in 128 above what was seen.
const STEPS: u64 = 128;
/// The longest duration that is told apart from longer ones, in microseconds: half a day.
const LONGEST: u64 = 1 << 36;

/// Durations, to the microsecond up to 128 of them, and to within 0.8 % above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Grows with the longest duration, up to some 4,000 buckets.
    counts: Vec<u64>,
    len: u64,
    sum: u64,
    longest: u64,
}

impl Histogram {
    /// Adds a duration.
    pub fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(LONGEST);
        let bucket = bucket_of(micros);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.len += 1;
        self.sum = self.sum.saturating_add(micros);
        self.longest = self.longest.max(micros);
    }

    /// Adds all durations of another one.
    pub fn merge(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.len += other.len;
        self.sum = self.sum.saturating_add(other.sum);
        self.longest = self.longest.max(other.longest);
    }

    /// How many durations there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The longest one, exactly; zero where there is none.
    pub fn longest(&self) -> Duration {
        Duration::from_micros(self.longest)
    }

    /// The mean; zero where there is none.
    pub fn mean(&self) -> Duration {
        Duration::from_micros(self.sum.checked_div(self.len).unwrap_or(0))
    }

    /// The duration that `share` of all, from 0 to 1, do not exceed; zero where there is none.
    pub fn quantile(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts stay far below 2^52, and shares are from 0 to 1"
        )]
        let rank = ((self.len as f64 * share).ceil() as u64).clamp(1, self.len.max(1));
        let mut seen = 0;
        for (bucket, count) in (0..).zip(&self.counts) {
            seen += count;
            if seen >= rank {
                return Duration::from_micros(highest_in(bucket).min(self.longest));
            }
        }
        self.longest()
    }
}

fn bucket_of(micros: u64) -> usize {
    let shift = micros.checked_ilog2().unwrap_or(0).saturating_sub(STEPS.ilog2());
    let bucket = u64::from(shift) * STEPS + (micros >> shift);
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

/// The longest duration of a bucket, in microseconds.
fn highest_in(bucket: u64) -> u64 {
    let shift = (bucket / STEPS).saturating_sub(1);
    ((bucket - shift * STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(micros: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        micros.into_iter().for_each(|micros| histogram.record(Duration::from_micros(micros)));
        histogram
    }

    #[test]
    fn quantiles_of_short_durations_are_exact() {
        let histogram = of(1..=100);
        let told = [0.0, 0.01, 0.5, 0.99, 0.999, 1.0].map(|share| histogram.quantile(share).as_micros());
        assert_eq!(told, [1, 1, 50, 99, 100, 100]);
        assert_eq!((histogram.len(), histogram.mean()), (100, Duration::from_micros(50)));
    }

    #[test]
    fn nothing_was_seen() {
        let empty = Histogram::default();
        assert!(empty.is_empty());
        assert_eq!([empty.quantile(0.5), empty.mean(), empty.longest()], [Duration::ZERO; 3]);
    }

    #[test]
    fn what_is_longer_than_the_longest_counts_as_the_longest() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::MAX);
        assert_eq!(histogram.quantile(0.5), Duration::from_micros(LONGEST));
        assert!(histogram.counts.len() < 4_100, "{} buckets", histogram.counts.len());
    }

    proptest! {
        #[test]
        fn a_duration_is_told_to_within_one_part_in_128_and_never_too_short(micros in 0..LONGEST) {
            let bucket = bucket_of(micros) as u64;
            let highest = highest_in(bucket);
            prop_assert!(micros <= highest && highest - micros <= micros / STEPS, "{micros} is told as {highest}");
            prop_assert_eq!(bucket_of(highest) as u64, bucket);
            prop_assert_eq!(bucket_of(highest + 1) as u64, bucket + 1);
        }

        #[test]
        fn merged_halves_are_the_whole(all in prop::collection::vec(0..LONGEST, 0..100), at in 0..100usize) {
            let (left, right) = all.split_at(at.min(all.len()));
            let mut merged = of(left.iter().copied());
            merged.merge(&of(right.iter().copied()));
            prop_assert_eq!(merged, of(all));
        }
    }
}
