use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use touchline_audience::Merged;
use touchline_edge::audience::NodeReport;

use super::gather::Seen;

/// Rates are those of the last so many looks, which are a second apart.
const LOOKS: usize = 10;

/// How fast what is counted grows.
#[derive(Debug, Default)]
pub(super) struct Rates {
    /// Joins and leaves that each node has told so far, by node and channel.
    told: BTreeMap<(String, String), Moves>,
    /// What was added at each of the last looks, by channel.
    added: VecDeque<(Duration, BTreeMap<String, Moves>)>,
    nodes: BTreeMap<String, Node>,
}

/// Joins and leaves.
type Moves = (f64, f64);

#[derive(Debug)]
struct Node {
    at: Duration,
    sent_bytes: u64,
    joins: f64,
    bits_per_second: f64,
    joins_per_second: f64,
}

/// A channel's viewers, and how many join and leave it each second.
type Channels = BTreeMap<String, (Merged, (f64, f64))>;

impl Rates {
    /// What there is of all channels together, and of each.
    pub(super) fn look(
        &mut self,
        now: Duration,
        seen: &Seen,
        merged: &BTreeMap<String, Merged>,
    ) -> ((Merged, (f64, f64)), Channels) {
        self.add(now, seen);
        let mut sums: BTreeMap<&str, Moves> = BTreeMap::new();
        for (channel, (joins, leaves)) in self.added.iter().flat_map(|(_, added)| added) {
            let sum = sums.entry(channel).or_default();
            *sum = (sum.0 + joins, sum.1 + leaves);
        }
        let begun = self.added.front().map_or(now, |(at, _)| *at);
        let seconds = (now.saturating_sub(begun).as_secs_f64() + 1.0).max(1.0);
        let rate = |(joins, leaves): (f64, f64)| (joins / seconds, leaves / seconds);
        let of = |channel: &str| rate(sums.get(channel).copied().unwrap_or_default());
        let all = sums.values().fold((0.0, 0.0), |sum, (joins, leaves)| (sum.0 + joins, sum.1 + leaves));
        let channels =
            merged.iter().map(|(channel, merged)| (channel.clone(), (merged.clone(), of(channel)))).collect();
        ((total(merged.values()), rate(all)), channels)
    }

    /// Bits and joins a second of a node, by what it told at a moment.
    pub(super) fn of_node(&mut self, at: Duration, report: &NodeReport) -> (f64, f64) {
        let joins = report.tallies.iter().map(|tally| tally.joins).sum();
        let fresh = Node { at, sent_bytes: report.sent_bytes, joins, bits_per_second: 0.0, joins_per_second: 0.0 };
        let node = self.nodes.entry(report.node.clone()).or_insert(fresh);
        let seconds = at.saturating_sub(node.at).as_secs_f64();
        // Looked at twice between two reports, it has not stopped.
        if seconds >= 0.5 {
            #[expect(clippy::cast_precision_loss, reason = "bytes of a few seconds")]
            let bytes = report.sent_bytes.saturating_sub(node.sent_bytes) as f64;
            node.bits_per_second = 8.0 * bytes / seconds;
            node.joins_per_second = (joins - node.joins).max(0.0) / seconds;
            (node.at, node.sent_bytes, node.joins) = (at, report.sent_bytes, joins);
        }
        (node.bits_per_second, node.joins_per_second)
    }

    fn add(&mut self, now: Duration, seen: &Seen) {
        let mut added: BTreeMap<String, Moves> = BTreeMap::new();
        let reports = seen.others.iter().map(|(_, report)| report).chain([&seen.own]);
        let mut told = BTreeMap::new();
        for (report, tally) in reports.flat_map(|report| report.tallies.iter().map(move |tally| (report, tally))) {
            let key = (report.node.clone(), tally.channel.clone());
            let (joins, leaves) = (tally.joins, tally.leaves);
            // A node that is new to us may have counted for hours; one that counts anew has started again.
            let known = self.told.get(&key).copied().unwrap_or((joins, leaves));
            let known = if joins < known.0 { (0.0, 0.0) } else { known };
            let sum = added.entry(tally.channel.clone()).or_default();
            *sum = (sum.0 + (joins - known.0).max(0.0), sum.1 + (leaves - known.1).max(0.0));
            told.insert(key, (joins, leaves));
        }
        self.told = told;
        self.nodes.retain(|name, _| *name == seen.own.node || seen.others.iter().any(|(_, other)| other.node == *name));
        if self.added.len() == LOOKS {
            self.added.pop_front();
        }
        self.added.push_back((now, added));
    }
}

/// Channels have no viewer in common: who watches two counts on each.
fn total<'a>(channels: impl IntoIterator<Item = &'a Merged>) -> Merged {
    let mut total = Merged::default();
    let mut variance = 0.0;
    for merged in channels {
        total.viewers += merged.viewers;
        total.joins += merged.joins;
        total.leaves += merged.leaves;
        total.reporting += merged.reporting;
        variance += (merged.viewers * merged.standard_error).powi(2);
        for (name, viewers) in &merged.renditions {
            *total.renditions.entry(name.clone()).or_default() += viewers;
        }
        for (protocol, viewers) in &merged.protocols {
            *total.protocols.entry(*protocol).or_default() += viewers;
        }
        total.quality.merge(&merged.quality);
    }
    if total.viewers > 0.0 {
        total.standard_error = variance.sqrt() / total.viewers;
    }
    total
}

#[cfg(test)]
mod tests {
    use touchline_audience::Tally;

    use super::*;

    fn report(node: &str, joins: f64, sent_bytes: u64) -> NodeReport {
        let tally = Tally { channel: "main".into(), viewers: 10.0, joins, ..Tally::default() };
        NodeReport { node: node.into(), sent_bytes, tallies: vec![tally], ..NodeReport::default() }
    }

    fn seen(own: f64, other: f64) -> Seen {
        let others = vec![(Duration::ZERO, report("edge", other, 0))];
        Seen { own: report("origin", own, 0), others, ..Seen::default() }
    }

    #[test]
    fn joins_a_second_are_those_of_the_last_ten() {
        let mut rates = Rates::default();
        let merged = BTreeMap::from([("main".to_owned(), Merged { viewers: 10.0, ..Merged::default() })]);
        let mut joins = Vec::new();
        for second in 0..30_u32 {
            let came = f64::from(second.min(20)) * 2.0;
            // The edge was there for hours, and starts anew meanwhile.
            let other = if second < 15 { 1e6 } else { 0.0 };
            let ((_, rate), channels) = rates.look(Duration::from_secs(second.into()), &seen(came, other), &merged);
            assert_eq!(channels["main"].1, rate);
            joins.push(rate.0);
        }
        assert_eq!((joins[0], joins[12], joins[20], joins[29]), (0.0, 2.0, 2.0, 0.2));
    }

    #[test]
    fn a_node_sends_what_it_has_sent_since_its_last_report() {
        let mut rates = Rates::default();
        let mut told: Vec<(f64, f64)> = Vec::new();
        let of = |rates: &mut Rates, millis, bytes| {
            rates.of_node(Duration::from_millis(millis), &report("edge", 0.0, bytes)).0
        };
        told.push((of(&mut rates, 0, 1_000), 0.0));
        told.push((of(&mut rates, 1_000, 2_000), 8_000.0));
        told.push((of(&mut rates, 1_100, 2_000), 8_000.0));
        told.push((of(&mut rates, 2_000, 2_000), 0.0));
        let (is, should): (Vec<f64>, Vec<f64>) = told.into_iter().unzip();
        assert_eq!(is, should);
    }
}
