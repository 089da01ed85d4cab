use std::time::Duration;

use crate::sys;

/// Figures of a connection. Counts are from its beginning on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stats {
    /// Round trip time, smoothed.
    pub rtt: Duration,
    /// Data packets received, repetitions included.
    pub received: u64,
    /// Data packets that were missing at first.
    pub lost: u64,
    /// Data packets that arrived again, because they were asked for.
    pub retransmitted: u64,
    /// Data packets that did not come before they were due, and were given up.
    pub dropped: u64,
    /// Data packets that could not be decrypted.
    pub undecrypted: u64,
    /// Media that waits in the receive buffer.
    pub buffered: Duration,
    /// How long media waits there, as both sides have agreed.
    pub latency: Duration,
    /// Estimate of what the link could carry, in bits per second.
    pub bandwidth: u64,
}

impl Stats {
    pub(crate) fn read(stats: &sys::SRT_TRACEBSTATS) -> Self {
        Self {
            rtt: Duration::try_from_secs_f64(stats.msRTT / 1_000.0).unwrap_or_default(),
            received: stats.pktRecvTotal.try_into().unwrap_or(0),
            lost: stats.pktRcvLossTotal.try_into().unwrap_or(0),
            // The count since the counts were last cleared, which they never are.
            retransmitted: stats.pktRcvRetrans.try_into().unwrap_or(0),
            dropped: stats.pktRcvDropTotal.try_into().unwrap_or(0),
            undecrypted: stats.pktRcvUndecryptTotal.try_into().unwrap_or(0),
            buffered: millis(stats.msRcvBuf),
            latency: millis(stats.msRcvTsbPdDelay),
            bandwidth: bits(stats.mbpsBandwidth),
        }
    }
}

fn millis(count: i32) -> Duration {
    Duration::from_millis(count.try_into().unwrap_or(0))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate; the cast saturates")]
fn bits(megabits: f64) -> u64 {
    (megabits * 1e6) as u64
}
