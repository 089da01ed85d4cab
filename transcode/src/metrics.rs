use std::collections::BTreeMap;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use touchline_media::ChannelName;

use crate::Notice;
use crate::board::Board;
use crate::message::RungReport;

/// What ladders count. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    workers: Gauge,
    deaths: Family<ChannelLabel, Counter>,
    frames_in: Family<RungLabel, Counter>,
    frames_out: Family<RungLabel, Counter>,
    shed: Family<RungLabel, Counter>,
    queued: Family<RungLabel, Gauge>,
    lag: Family<RungLabel, Histogram>,
    board: Board,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChannelLabel {
    channel: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RungLabel {
    channel: String,
    rung: String,
}

/// Upper bounds in seconds: around what is usual, 10 to 40 ms, and up to what viewers see.
const LAG_BUCKETS: [f64; 13] = [0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0];

impl Default for Metrics {
    fn default() -> Self {
        Self {
            workers: Gauge::default(),
            deaths: Family::default(),
            frames_in: Family::default(),
            frames_out: Family::default(),
            shed: Family::default(),
            queued: Family::default(),
            lag: Family::new_with_constructor(|| Histogram::new(LAG_BUCKETS)),
            board: Board::default(),
        }
    }
}

impl Metrics {
    /// Metrics in `registry`, under `touchline_transcode_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("touchline_transcode");
        registry.register("workers", "Worker processes at work", metrics.workers.clone());
        registry.register("worker_deaths", "Worker processes that died or did not answer", metrics.deaths.clone());
        registry.register("frames_in", "Pictures that went to be scaled and encoded", metrics.frames_in.clone());
        registry.register("frames_out", "Access units that came of them", metrics.frames_out.clone());
        registry.register("frames_shed", "Pictures left out because too many waited", metrics.shed.clone());
        registry.register("frames_queued", "Pictures that wait to be scaled and encoded", metrics.queued.clone());
        registry.register(
            "lag_seconds",
            "Time from the arrival of an access unit to that of the one made of it",
            metrics.lag.clone(),
        );
        metrics
    }

    /// How each ladder does, for who looks at them.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Counts a worker while it is kept.
    pub(crate) fn worker(&self) -> AtWork {
        self.workers.inc();
        AtWork(self.workers.clone())
    }

    /// The metrics of a channel, until they are dropped.
    pub(crate) fn channel(&self, channel: &ChannelName) -> ChannelMetrics {
        ChannelMetrics { metrics: self.clone(), channel: channel.to_string(), rungs: BTreeMap::new() }
    }
}

/// See [`Metrics::worker`].
#[derive(Debug)]
pub(crate) struct AtWork(Gauge);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Dropping them takes the channel's series away: a label for each channel that ever was would grow for ever.
#[derive(Debug)]
pub(crate) struct ChannelMetrics {
    metrics: Metrics,
    channel: String,
    rungs: BTreeMap<String, Rung>,
}

/// A rung that has been told of.
#[derive(Debug)]
struct Rung {
    label: RungLabel,
    /// What its worker said last.
    said: RungReport,
}

impl ChannelMetrics {
    pub(crate) fn noticed(&self, notice: &Notice) {
        if let Notice::Died { .. } = notice {
            self.metrics.deaths.get_or_create(&self.channel_label()).inc();
        }
        self.metrics.board.noticed(&self.channel, notice);
    }

    pub(crate) fn lag(&mut self, rung: &str, lag: Duration) {
        self.metrics.board.lag(&self.channel, rung, lag);
        let family = self.metrics.lag.clone();
        family.get_or_create(&self.rung(rung).label).observe(lag.as_secs_f64());
    }

    pub(crate) fn report(&mut self, rung: &str, report: &RungReport) {
        let metrics = self.metrics.clone();
        metrics.board.report(&self.channel, rung, report);
        let Rung { label, said } = self.rung(rung);
        // Another worker counts from nought.
        let before = if report.frames_in < said.frames_in { RungReport::default() } else { said.clone() };
        let count = |family: &Family<RungLabel, Counter>, now: u64, before: u64| {
            family.get_or_create(label).inc_by(now.saturating_sub(before));
        };
        count(&metrics.frames_in, report.frames_in, before.frames_in);
        count(&metrics.frames_out, report.frames_out, before.frames_out);
        count(&metrics.shed, report.shed, before.shed);
        metrics.queued.get_or_create(label).set(report.queued.into());
        *said = report.clone();
    }

    fn channel_label(&self) -> ChannelLabel {
        ChannelLabel { channel: self.channel.clone() }
    }

    fn rung(&mut self, name: &str) -> &mut Rung {
        let label = || RungLabel { channel: self.channel.clone(), rung: name.to_owned() };
        let unheard = || Rung { label: label(), said: RungReport::default() };
        self.rungs.entry(name.to_owned()).or_insert_with(unheard)
    }
}

impl Drop for ChannelMetrics {
    fn drop(&mut self) {
        self.metrics.board.forget(&self.channel);
        self.metrics.deaths.remove(&self.channel_label());
        for Rung { label, .. } in self.rungs.values() {
            let Metrics { frames_in, frames_out, shed, queued, lag, .. } = &self.metrics;
            for family in [frames_in, frames_out, shed] {
                family.remove(label);
            }
            queued.remove(label);
            lag.remove(label);
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn figures(registry: &Registry) -> Vec<String> {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        let frames = text.lines().filter_map(|line| line.strip_prefix("touchline_transcode_frames_"));
        frames.map(str::to_owned).collect()
    }

    #[test]
    fn pictures_are_counted_on_when_another_worker_takes_over() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let mut channel = metrics.channel(&"main".parse().unwrap());
        for (frames_in, frames_out, shed, queued) in [(3, 1, 0, 2), (10, 9, 4, 1), (2, 1, 1, 1)] {
            channel.report("480p", &RungReport { stream: 0, frames_in, frames_out, shed, queued });
        }
        let rung = r#"{channel="main",rung="480p"}"#;
        let expected = [("in_total", 12), ("out_total", 10), ("shed_total", 5), ("queued", 1)];
        assert_eq!(figures(&registry), expected.map(|(name, count)| format!("{name}{rung} {count}")));
        drop(channel);
        assert!(figures(&registry).is_empty());
    }
}
