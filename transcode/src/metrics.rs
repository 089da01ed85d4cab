use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

use touchline_media::ChannelName;

use crate::message::RungReport;

/// What ladders count. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    workers: Gauge,
    deaths: Family<ChannelLabel, Counter>,
    frames_in: Family<RungLabel, Gauge>,
    frames_out: Family<RungLabel, Gauge>,
    shed: Family<RungLabel, Gauge>,
    queued: Family<RungLabel, Gauge>,
    lag: Family<RungLabel, Histogram>,
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
        let rung = "since the worker of the channel started";
        registry.register(
            "frames_in",
            format!("Pictures that went to be scaled and encoded, {rung}"),
            metrics.frames_in.clone(),
        );
        registry.register("frames_out", format!("Access units that came of them, {rung}"), metrics.frames_out.clone());
        registry.register(
            "frames_shed",
            format!("Pictures left out because too many waited, {rung}"),
            metrics.shed.clone(),
        );
        registry.register("frames_queued", "Pictures that wait to be scaled and encoded", metrics.queued.clone());
        registry.register(
            "lag_seconds",
            "Time from the arrival of an access unit to that of the one made of it",
            metrics.lag.clone(),
        );
        metrics
    }

    /// Counts a worker while it is kept.
    pub(crate) fn worker(&self) -> AtWork {
        self.workers.inc();
        AtWork(self.workers.clone())
    }

    /// The metrics of a channel, until they are dropped.
    pub(crate) fn channel(&self, channel: &ChannelName) -> ChannelMetrics {
        ChannelMetrics { metrics: self.clone(), channel: channel.to_string(), rungs: Vec::new() }
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
    rungs: Vec<RungLabel>,
}

impl ChannelMetrics {
    pub(crate) fn died(&self) {
        self.metrics.deaths.get_or_create(&self.channel_label()).inc();
    }

    pub(crate) fn lag(&mut self, rung: &str, lag: Duration) {
        let label = self.rung_label(rung);
        self.metrics.lag.get_or_create(&label).observe(lag.as_secs_f64());
    }

    pub(crate) fn report(&mut self, rung: &str, report: &RungReport) {
        let label = self.rung_label(rung);
        let set = |family: &Family<RungLabel, Gauge>, value: u64| {
            family.get_or_create(&label).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.metrics.frames_in, report.frames_in);
        set(&self.metrics.frames_out, report.frames_out);
        set(&self.metrics.shed, report.shed);
        set(&self.metrics.queued, report.queued.into());
    }

    fn channel_label(&self) -> ChannelLabel {
        ChannelLabel { channel: self.channel.clone() }
    }

    fn rung_label(&mut self, rung: &str) -> RungLabel {
        if let Some(known) = self.rungs.iter().find(|label| label.rung == rung) {
            return known.clone();
        }
        let label = RungLabel { channel: self.channel.clone(), rung: rung.to_owned() };
        self.rungs.push(label.clone());
        label
    }
}

impl Drop for ChannelMetrics {
    fn drop(&mut self) {
        self.metrics.deaths.remove(&self.channel_label());
        for label in &self.rungs {
            let Metrics { frames_in, frames_out, shed, queued, lag, .. } = &self.metrics;
            for family in [frames_in, frames_out, shed, queued] {
                family.remove(label);
            }
            lag.remove(label);
        }
    }
}
