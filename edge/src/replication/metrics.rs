use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::recent::Recent;

/// What is counted of what passes between nodes. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Nodes that follow channels of this one, each channel counted.
    pub followers: Gauge,
    /// Snapshots given to them.
    pub snapshots_sent: Counter,
    /// Times that one went on where it had stopped.
    pub resumptions_served: Counter,
    /// Times that one was so slow that only a snapshot helped.
    pub fallen: Counter,
    /// Requests to follow a channel that were refused for want of the secret.
    pub refused: Counter,
    /// Channels that this node follows.
    pub followed: Gauge,
    /// Bytes that came from origins.
    pub received_bytes: Counter,
    /// Segments far from the live edge that came when viewers asked for them.
    pub pulled: Counter,
    /// Batches that came.
    pub batches: Counter,
    /// From when the first origin had a batch until it was served here, in seconds, by the clocks of both machines.
    pub seconds: Histogram,
    /// The same, of the last minute.
    pub recent: Recent,
    /// Connections to origins that were tried.
    pub connects: Counter,
    /// Connections to origins that broke, or fell silent.
    pub breaks: Counter,
    /// Snapshots taken.
    pub snapshots: Counter,
    /// Times that this node went on where it had stopped.
    pub resumptions: Counter,
    /// Segments or playlists that were not what the origin has.
    pub mismatches: Counter,
    /// Times that viewers went on with another origin's channel after a discontinuity.
    pub splices: Counter,
}

/// From half a millisecond, in steps of two, to 16 seconds.
const BUCKETS: usize = 16;

impl Default for Metrics {
    fn default() -> Self {
        let buckets = (0..BUCKETS).scan(0.000_5, |bound, _| {
            let this = *bound;
            *bound *= 2.0;
            Some(this)
        });
        Self {
            followers: Gauge::default(),
            snapshots_sent: Counter::default(),
            resumptions_served: Counter::default(),
            fallen: Counter::default(),
            refused: Counter::default(),
            followed: Gauge::default(),
            received_bytes: Counter::default(),
            pulled: Counter::default(),
            batches: Counter::default(),
            seconds: Histogram::new(buckets),
            recent: Recent::default(),
            connects: Counter::default(),
            breaks: Counter::default(),
            snapshots: Counter::default(),
            resumptions: Counter::default(),
            mismatches: Counter::default(),
            splices: Counter::default(),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("followers", "Nodes that follow channels of this one", self.followers.clone());
        registry.register("snapshots_sent", "Snapshots given to nodes that follow", self.snapshots_sent.clone());
        registry.register(
            "resumptions_served",
            "Times that a node went on where it had stopped",
            self.resumptions_served.clone(),
        );
        registry.register("fallen", "Times that a node was too slow and got a snapshot", self.fallen.clone());
        registry.register("refused", "Requests to follow that had not the secret", self.refused.clone());
        registry.register("followed_channels", "Channels that this node follows", self.followed.clone());
        registry.register("received_bytes", "Bytes that came from origins", self.received_bytes.clone());
        registry.register("pulled_segments", "Segments that came when viewers asked for them", self.pulled.clone());
        registry.register("batches", "Batches that came from origins", self.batches.clone());
        registry.register("seconds", "From the first origin to being served here", self.seconds.clone());
        registry.register("connects", "Connections to origins that were tried", self.connects.clone());
        registry.register("breaks", "Connections to origins that broke or fell silent", self.breaks.clone());
        registry.register("snapshots", "Snapshots taken from origins", self.snapshots.clone());
        registry.register("resumptions", "Times that this node went on where it had stopped", self.resumptions.clone());
        registry.register(
            "mismatches",
            "Segments or playlists that were not what the origin has",
            self.mismatches.clone(),
        );
        registry.register("splices", "Times that viewers went on with another origin's channel", self.splices.clone());
    }
}
