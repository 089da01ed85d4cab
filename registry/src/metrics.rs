use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use tokio::time::Instant;

/// What a node counts of its part in the cluster. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// 1 while the store is there.
    pub connected: Gauge,
    /// Nodes whose lease is good.
    pub nodes: Gauge,
    /// Channels that somebody has.
    pub channels: Gauge,
    /// Renewals of this node's lease.
    pub renewals: Counter,
    /// Attempts to reach the store, or to write to it, that failed.
    pub failures: Counter,
    /// Writes that another node forestalled.
    pub conflicts: Counter,
    /// Claims of this node that another had taken meanwhile.
    pub fenced: Counter,
    /// Values of the store that could not be read, or for which there was no room.
    pub unreadable: Counter,
    pub(crate) heard: Heard,
}

/// When the store was last heard of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Option<Instant>>>);

impl Heard {
    /// It is, now.
    pub(crate) fn now(&self) {
        self.set(Instant::now());
    }

    /// It was so long ago, as an earlier process remembers.
    pub(crate) fn ago(&self, age: Duration) {
        if let Some(then) = Instant::now().checked_sub(age) {
            self.set(then);
        }
    }

    fn set(&self, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// How long ago that was; `None`: never.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }
}

impl Collector for Heard {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(age) = self.age() else { return Ok(()) };
        let help = "How long ago the store was last heard of";
        let metric = encoder.encode_descriptor("snapshot_age_seconds", help, None, MetricType::Gauge)?;
        ConstGauge::new(age.as_secs_f64()).encode(metric)
    }
}

impl Metrics {
    /// Registers every metric as `touchline_registry_...`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("touchline_registry");
        registry.register("connected", "Whether the store is there", metrics.connected.clone());
        registry.register("nodes", "Nodes whose lease is good", metrics.nodes.clone());
        registry.register("channels", "Channels that some node has", metrics.channels.clone());
        registry.register("lease_renewals", "Renewals of this node's lease", metrics.renewals.clone());
        registry.register(
            "failures",
            "Attempts to reach the store, or to write to it, that failed",
            metrics.failures.clone(),
        );
        registry.register("conflicts", "Writes that another node forestalled", metrics.conflicts.clone());
        registry.register(
            "fenced_claims",
            "Channels that another node had taken while this one was away",
            metrics.fenced.clone(),
        );
        registry.register(
            "unreadable_values",
            "Values of the store that could not be read, or had no room",
            metrics.unreadable.clone(),
        );
        registry.register_collector(Box::new(metrics.heard.clone()));
        metrics
    }
}
