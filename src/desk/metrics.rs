//! What only the desk knows, as Prometheus reads it: by the last frame.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Desk;
use super::pool::HintStatus;

pub(super) fn register(desk: &Desk, registry: &mut Registry) {
    registry.sub_registry_with_prefix("touchline").register_collector(Box::new(desk.clone()));
}

type Figure = (&'static str, &'static str, fn(&HintStatus) -> f64);

const FIGURES: [Figure; 4] = [
    ("hints_nodes", "Nodes that a pool needs", |hint| count(hint.nodes)),
    ("hints_nodes_now", "Nodes that a pool has", |hint| count(hint.nodes_now)),
    ("hints_viewers", "Viewers that there has to be room for", |hint| hint.need.viewers.unwrap_or_default()),
    ("hints_stale", "Whether nobody knows how many watch", |hint| f64::from(u8::from(hint.stale))),
];

impl Collector for Desk {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let frame = self.frames().borrow().clone();
        for (name, help, figure) in FIGURES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for hint in &frame.hints {
                // A number would be taken for what is needed.
                let unknown = name == "hints_viewers" && hint.need.viewers.is_none();
                if !unknown {
                    let labels = [("pool", hint.pool.as_str())];
                    ConstGauge::new(figure(hint)).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        let mut firing: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for alert in &frame.alerts {
            *firing.entry((&alert.rule, &alert.severity)).or_default() += 1;
        }
        let mut family =
            encoder.encode_descriptor("desk_alerts_firing", "Alerts that fire", None, MetricType::Gauge)?;
        for ((rule, severity), alerts) in firing {
            let labels = [("rule", rule), ("severity", severity)];
            ConstGauge::new(count(alerts)).encode(family.encode_family(&labels)?)?;
        }
        let help = "Since each node that serves viewers has said how it does";
        let mut family = encoder.encode_descriptor("desk_edge_report_age_seconds", help, None, MetricType::Gauge)?;
        for edge in &frame.edges {
            ConstGauge::new(edge.age_seconds).encode(family.encode_family(&[("node", edge.node.as_str())])?)?;
        }
        let dead = self.with(|state| state.deliveries().dead().count());
        let help = "Messages of alerts that nobody has taken";
        let family = encoder.encode_descriptor("desk_webhooks_dead", help, None, MetricType::Gauge)?;
        ConstGauge::new(count(dead as u64)).encode(family)
    }
}

fn count(value: u64) -> f64 {
    u32::try_from(value).map_or(f64::MAX, f64::from)
}
