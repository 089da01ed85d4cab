use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use touchline_edge::Recent;
use touchline_media::ChannelName;
use touchline_packager::Event;

/// From half a millisecond, in steps of two, to sixteen seconds.
const FIRST_BUCKET: f64 = 0.000_5;
const BUCKETS: u16 = 16;

/// How long access units take on their way through this server. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Hops {
    pub(super) received: Recent,
    pub(super) encoded: Recent,
    pub(super) packaged: Recent,
    intake_seconds: Histogram,
    part_seconds: Family<ChannelLabel, Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChannelLabel {
    channel: String,
}

impl Default for Hops {
    fn default() -> Self {
        Self {
            received: Recent::default(),
            encoded: Recent::default(),
            packaged: Recent::default(),
            intake_seconds: histogram(),
            part_seconds: Family::new_with_constructor(histogram),
        }
    }
}

fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(FIRST_BUCKET, 2.0, BUCKETS))
}

impl Hops {
    /// Registers what is measured under the names of the stages.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "touchline_ingest_intake_seconds",
            "From the last byte of an access unit until it is a sample of its channel",
            self.intake_seconds.clone(),
        );
        registry.register(
            "touchline_packager_part_seconds",
            "From the last byte of an access unit until the part that it completes can be had",
            self.part_seconds.clone(),
        );
    }

    /// A sample of the source is about to be packaged.
    pub(crate) fn received(&self, received: Instant) {
        let after = received.elapsed();
        self.received.add(after);
        self.intake_seconds.observe(after.as_secs_f64());
    }

    /// A sample of a rung is.
    pub(crate) fn encoded(&self, received: Instant) {
        self.encoded.add(received.elapsed());
    }

    /// These can be had now; the last access unit of all came at `received`.
    pub(crate) fn packaged(&self, channel: &ChannelName, events: &[Event], received: Instant) {
        if events.iter().any(|event| matches!(event, Event::Part(part) if !part.gap)) {
            let after = received.elapsed();
            self.packaged.add(after);
            let label = ChannelLabel { channel: channel.to_string() };
            self.part_seconds.get_or_create(&label).observe(after.as_secs_f64());
        }
    }

    /// Nothing more comes of a channel.
    pub(crate) fn forget(&self, channel: &ChannelName) {
        self.part_seconds.remove(&ChannelLabel { channel: channel.to_string() });
    }
}
