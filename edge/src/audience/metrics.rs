//! Who watches here, as Prometheus reads it: by the last look. Nodes are added up by whoever reads several.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use touchline_audience::{Protocol, Sketch, Tally};

use super::Audience;

/// Renditions of a channel that have a series of their own.
const MAX_RENDITIONS: usize = 32;

impl Audience {
    /// Registers what is counted as `touchline_audience_...`.
    pub fn register(&self, registry: &mut Registry) {
        registry.sub_registry_with_prefix("touchline_audience").register_collector(Box::new(self.clone()));
    }
}

type Figure = (&'static str, &'static str, MetricType, fn(&Tally) -> Option<f64>);

const FIGURES: [Figure; 5] = [
    ("viewers", "Viewers of a channel on this node", MetricType::Gauge, |tally| Some(tally.viewers)),
    ("joins", "Viewers that have come", MetricType::Counter, |tally| Some(tally.joins)),
    ("leaves", "Viewers that have left", MetricType::Counter, |tally| Some(tally.leaves)),
    ("reporting_players", "Players that say how they do", MetricType::Gauge, |tally| Some(tally.reporting)),
    ("rebuffer_ratio", "Share of the time that pictures stood still, of the last minute", MetricType::Gauge, |tally| {
        tally.quality.rebuffer_ratio()
    }),
];

type Distribution = (&'static str, fn(&Tally) -> &Sketch);

const DISTRIBUTIONS: [Distribution; 2] =
    [("startup", |tally| &tally.quality.startup_ms), ("live_latency", |tally| &tally.quality.live_latency_ms)];

const QUANTILES: [(&str, f64); 3] = [("0.5", 0.5), ("0.95", 0.95), ("0.99", 0.99)];

impl Collector for Audience {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let tallies = self.last();
        for (name, help, kind, figure) in FIGURES {
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for tally in &tallies {
                let Some(value) = figure(tally) else { continue };
                write(value, kind, family.encode_family(&[("channel", tally.channel.as_str())])?)?;
            }
        }
        let help = "Viewers of a rendition on this node";
        let mut family = encoder.encode_descriptor("rendition_viewers", help, None, MetricType::Gauge)?;
        for (tally, (rendition, viewers)) in tallies
            .iter()
            .flat_map(|tally| tally.renditions.iter().take(MAX_RENDITIONS).map(move |count| (tally, count)))
        {
            let labels = [("channel", tally.channel.as_str()), ("rendition", rendition.as_str())];
            ConstGauge::new(*viewers).encode(family.encode_family(&labels)?)?;
        }
        let help = "Viewers by protocol on this node";
        let mut family = encoder.encode_descriptor("protocol_viewers", help, None, MetricType::Gauge)?;
        for (tally, (protocol, viewers)) in
            tallies.iter().flat_map(|tally| tally.protocols.iter().map(move |count| (tally, count)))
        {
            let protocol = match protocol {
                Protocol::Http1 => "http/1.1",
                Protocol::Http2 => "http/2",
                Protocol::Report => "report",
            };
            let labels = [("channel", tally.channel.as_str()), ("protocol", protocol)];
            ConstGauge::new(*viewers).encode(family.encode_family(&labels)?)?;
        }
        let help = "What players say, of the last minute";
        let mut family = encoder.encode_descriptor("quality_milliseconds", help, None, MetricType::Gauge)?;
        for tally in &tallies {
            for (figure, sketch) in DISTRIBUTIONS {
                for (quantile, share) in QUANTILES {
                    let Some(value) = sketch(tally).quantile(share) else { continue };
                    let labels = [("channel", tally.channel.as_str()), ("figure", figure), ("quantile", quantile)];
                    ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

fn write(value: f64, kind: MetricType, encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    match kind {
        MetricType::Counter => ConstCounter::new(value).encode(encoder),
        _ => ConstGauge::new(value).encode(encoder),
    }
}
