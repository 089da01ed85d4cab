use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Neighbouring buckets differ by this factor: a quantile is off by 1 % at most.
const GAMMA: f64 = 1.02;
/// What is less than this, or more, counts as this.
const RANGE: (f64, f64) = (0.01, 1e9);

/// How values are distributed, of which quantiles can be read to 1 %: logarithmic buckets (Masson, Rim and Lee, `DDSketch`, 2019).
/// There are at most 1,280 of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sketch(BTreeMap<i16, u64>);

/// What people read of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// What 95 % are at or below.
    pub p95: f64,
    /// What 99 % are at or below.
    pub p99: f64,
    /// Of how many values.
    pub count: u64,
}

impl Sketch {
    /// Takes a value; what is no number, or less than nought, is none.
    pub fn add(&mut self, value: f64) {
        if value >= 0.0 {
            *self.0.entry(bucket(value)).or_default() += 1;
        }
    }

    /// Takes all values of another.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The value that this share of all are at or below; `None` if there are none.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = rank(share, self.count().checked_sub(1)?);
        let mut seen = 0;
        let found = self.0.iter().find(|(_, count)| {
            seen += **count;
            seen > rank
        });
        found.map(|(bucket, _)| value(*bucket))
    }

    /// What people read; `None` if there is nothing.
    pub fn quantiles(&self) -> Option<Quantiles> {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| self.quantile(share));
        Some(Quantiles { p50: p50?, p95: p95?, p99: p99?, count: self.count() })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of it"
)]
fn rank(share: f64, last: u64) -> u64 {
    (share.clamp(0.0, 1.0) * last as f64).round() as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the range has 1,280 buckets")]
fn bucket(value: f64) -> i16 {
    (value.clamp(RANGE.0, RANGE.1).ln() / GAMMA.ln()).ceil() as i16
}

/// In the middle of a bucket.
fn value(bucket: i16) -> f64 {
    2.0 * GAMMA.powi(i32::from(bucket)) / (1.0 + GAMMA)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn quantiles_are_off_by_a_hundredth_and_merge(values in proptest::collection::vec(0.01_f64..1e8, 1..300), at in 0.0_f64..1.0) {
            let (mut all, mut odd, mut even) = (Sketch::default(), Sketch::default(), Sketch::default());
            for (index, value) in values.iter().enumerate() {
                all.add(*value);
                if index % 2 == 0 { even.add(*value) } else { odd.add(*value) }
            }
            even.merge(&odd);
            prop_assert_eq!(&even, &all);
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            let exact = sorted[usize::try_from(rank(at, all.count() - 1)).unwrap()];
            let read = all.quantile(at).unwrap();
            prop_assert!((read / exact - 1.0).abs() < 0.0101, "{read} for {exact}");
        }
    }

    #[test]
    fn what_is_no_value_is_none_and_what_is_extreme_is_bounded() {
        let mut sketch = Sketch::default();
        assert_eq!(sketch.quantiles(), None);
        sketch.add(f64::NAN);
        sketch.add(-1.0);
        assert_eq!(sketch.count(), 0);
        for value in [0.0, f64::INFINITY, 1e300] {
            sketch.add(value);
        }
        assert_eq!(sketch.quantiles().map(|read| read.count), Some(3));
        assert!(bucket(RANGE.1) - bucket(RANGE.0) < 1_290);
    }
}
