use std::collections::{BTreeMap, HashSet};

use crate::census::{Protocol, Tally};
use crate::quality::Reading;

/// Who watches a channel, on all nodes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Merged {
    /// How many watch.
    pub viewers: f64,
    /// Of that number, as a share.
    pub standard_error: f64,
    /// How many have come since the nodes started.
    pub joins: f64,
    /// How many have left.
    pub leaves: f64,
    /// How many watch each rendition.
    pub renditions: BTreeMap<String, f64>,
    /// How many come by each protocol.
    pub protocols: BTreeMap<Protocol, f64>,
    /// How many would say if their pictures stood still.
    pub reporting: f64,
    /// What players say.
    pub quality: Reading,
}

/// Takes together what several nodes have counted of one channel. Who is on several of them at a time, as it goes from one to
/// another, counts once if its player sends a session id; else it counts at each until it is gone from there.
///
/// Each node counts its own exactly, and tells those of its viewers whose hash begins with enough zero bits. Among these, it is known who
/// is there twice; of all, as large a share is. If that is a share f, seen in a sample of n, its standard error is
/// sqrt(f (1 - f) / n): nought where nobody is twice, and with 5 % of them and 1,500 in the sample, 0.6 %.
pub fn merge<'a>(tallies: impl IntoIterator<Item = &'a Tally>) -> Merged {
    let tallies: Vec<&Tally> = tallies.into_iter().collect();
    let mut merged = Merged::default();
    let mut variance = 0.0;
    for tally in &tallies {
        merged.viewers += tally.viewers;
        merged.joins += tally.joins;
        merged.leaves += tally.leaves;
        merged.reporting += tally.reporting;
        variance += (tally.viewers * tally.standard_error).powi(2);
        for (name, viewers) in &tally.renditions {
            *merged.renditions.entry(name.clone()).or_default() += viewers;
        }
        for (protocol, viewers) in &tally.protocols {
            *merged.protocols.entry(*protocol).or_default() += viewers;
        }
        merged.quality.merge(&tally.quality);
    }
    let (once, error) = distinct(&tallies);
    if merged.viewers > 0.0 {
        merged.standard_error = (variance / merged.viewers.powi(2) + error.powi(2)).sqrt();
    }
    merged.viewers *= once;
    merged.reporting *= once;
    merged.renditions.values_mut().chain(merged.protocols.values_mut()).for_each(|viewers| *viewers *= once);
    merged
}

/// How many there are of all that are counted, as a share, and its standard error.
fn distinct(tallies: &[&Tally]) -> (f64, f64) {
    let level = tallies.iter().map(|tally| tally.sample_level).max().unwrap_or_default();
    let (mut all, mut counted) = (HashSet::new(), 0_u32);
    for id in tallies.iter().flat_map(|tally| &tally.sample).filter(|id| id.leading_zeros() >= level) {
        all.insert(*id);
        counted += 1;
    }
    if counted == 0 {
        return (1.0, 0.0);
    }
    let once = f64::from(u32::try_from(all.len()).unwrap_or(counted)) / f64::from(counted);
    (once, (once * (1.0 - once) / f64::from(counted)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(ids: impl IntoIterator<Item = u64>, level: u32) -> Tally {
        let mut sample: Vec<u64> = ids.into_iter().map(|id| id.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let viewers = f64::from(u32::try_from(sample.len()).unwrap());
        sample.retain(|id| id.leading_zeros() >= level);
        Tally { viewers, sample_level: level, sample, ..Tally::default() }
    }

    #[test]
    fn who_is_nowhere_twice_is_counted_exactly() {
        let (one, other) = (tally(0..3_000, 3), tally(3_000..5_000, 2));
        let merged = merge([&one, &other]);
        assert_eq!((merged.viewers.to_string(), merged.standard_error.to_string()), ("5000".into(), "0".into()));
        assert_eq!(merge([]), Merged::default());
    }

    #[test]
    fn who_is_on_two_nodes_counts_once_within_the_error_that_is_told() {
        // A tenth of all are on both.
        let (one, other) = (tally(0..6_000, 3), tally(5_000..10_000, 4));
        let merged = merge([&one, &other]);
        let error = merged.viewers / 10_000.0 - 1.0;
        assert!(error.abs() < 2.0 * merged.standard_error, "{error} with {}", merged.standard_error);
        assert!(merged.standard_error < 0.02, "{}", merged.standard_error);
    }
}
