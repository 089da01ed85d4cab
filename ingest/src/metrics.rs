use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::Roster;
use crate::ts::Counters;

/// What ingest counts. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    pub(crate) open_connections: Gauge,
    pub(crate) connections: Counter,
    pub(crate) publishers: Gauge,
    pub(crate) refusals: Family<Reason, Counter>,
    pub(crate) departures: Family<Reason, Counter>,
    pub(crate) protocol_errors: Counter,
    pub(crate) bytes: Counter,
    pub(crate) messages: Counter,
    pub(crate) units: Family<KindLabel, Counter>,
    pub(crate) dropped_units: Family<Reason, Counter>,
    pub(crate) dropped_datagrams: Family<Reason, Counter>,
    pub(crate) buffered: Gauge,
    pub(crate) transport_packets: Counter,
    pub(crate) transport_troubles: Family<Reason, Counter>,
    pub(crate) timed_metadata: Counter,
    pub(crate) roster: Roster,
}

/// Why something was refused, dropped or ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Reason {
    pub(crate) reason: &'static str,
}

/// Pictures or sound.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct KindLabel {
    pub(crate) kind: &'static str,
}

impl Metrics {
    /// Metrics in `registry`, under `touchline_ingest_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("touchline_ingest");
        registry.register("open_connections", "Connections open now", metrics.open_connections.clone());
        registry.register("connections", "Connections accepted", metrics.connections.clone());
        registry.register("publishers", "Publishers accepted and still there", metrics.publishers.clone());
        registry.register("refusals", "Connections and publishers refused, by reason", metrics.refusals.clone());
        registry.register("departures", "Connections ended, by reason", metrics.departures.clone());
        registry.register(
            "protocol_errors",
            "Connections that broke the protocol or a limit",
            metrics.protocol_errors.clone(),
        );
        registry.register("received_bytes", "Bytes received", metrics.bytes.clone());
        registry.register("messages", "Whole messages received", metrics.messages.clone());
        registry.register("units", "Access units received, by kind", metrics.units.clone());
        registry.register(
            "dropped_units",
            "Access units and messages of no use, by reason",
            metrics.dropped_units.clone(),
        );
        registry.register(
            "dropped_datagrams",
            "Datagrams of no session, and those there was no room for, by reason",
            metrics.dropped_datagrams.clone(),
        );
        registry.register("buffered_bytes", "Memory that incomplete messages take now", metrics.buffered.clone());
        registry.register("mpegts_packets", "Transport packets received", metrics.transport_packets.clone());
        registry.register(
            "mpegts_troubles",
            "What was wrong with transport streams, by reason",
            metrics.transport_troubles.clone(),
        );
        registry.register("timed_metadata", "Cues and other timed metadata", metrics.timed_metadata.clone());
        registry.register_collector(Box::new(metrics.roster.clone()));
        metrics
    }

    /// Who publishes now, and how each feed does.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn departed(&self, reason: &'static str) {
        self.departures.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn dropped_datagram(&self, reason: &'static str) {
        self.dropped_datagrams.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn dropped(&self, reason: &'static str, count: u64) {
        if count > 0 {
            self.dropped_units.get_or_create(&Reason { reason }).inc_by(count);
        }
    }

    /// What a demuxer has counted between `before` and `now`.
    pub(crate) fn transport_stream(&self, before: &Counters, now: &Counters) {
        self.transport_packets.inc_by(now.packets - before.packets);
        self.timed_metadata.inc_by(now.metadata - before.metadata);
        for ((reason, now), (_, before)) in now.troubles().into_iter().zip(before.troubles()) {
            if now > before {
                self.transport_troubles.get_or_create(&Reason { reason }).inc_by(now - before);
            }
        }
    }

    pub(crate) fn received(&self, kind: &'static str) {
        self.units.get_or_create(&KindLabel { kind }).inc();
    }
}
