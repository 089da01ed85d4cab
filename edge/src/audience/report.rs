use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use touchline_audience::Tally;
use tracing::debug;

use crate::hub::Hub;
use crate::replication::{self, Directory, Origin};

/// How often viewers are looked at, and nodes report.
const EVERY: Duration = Duration::from_secs(1);
/// How long an origin may take to take a report.
const REPORT_WAIT: Duration = Duration::from_secs(3);

/// What a node tells of itself and of who watches there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeReport {
    /// Its name.
    pub node: String,
    /// Connections of viewers.
    pub connections: u64,
    /// As many as it takes.
    pub connections_limit: u64,
    /// Bytes written to viewers since it started.
    pub sent_bytes: u64,
    /// How late what is due is done, in seconds.
    pub lag_seconds: f64,
    /// Whether it takes no more viewers.
    pub draining: bool,
    /// Channels that it has.
    pub channels: u64,
    /// From the first origin until it was served here, of the last minute, in milliseconds: the median, and what 95 % are below.
    pub replication_ms: Option<(f64, f64)>,
    /// Since the last batch came of any channel, in seconds.
    pub replication_silent_seconds: Option<f64>,
    /// Who watches, by channel.
    pub tallies: Vec<Tally>,
}

/// Looks at who watches once a second; on an edge, tells the origins.
#[derive(Debug)]
pub struct Reporter {
    hub: Hub,
    node: String,
    connections_limit: u64,
    origins: Option<Directory>,
}

impl Reporter {
    /// What this node is called, and as many connections as it takes; `origins`: whom it tells.
    pub fn new(hub: Hub, node: String, connections_limit: usize, origins: Option<Directory>) -> Self {
        Self { hub, node, connections_limit: connections_limit as u64, origins }
    }

    /// What there is to tell now.
    pub fn report(&self, draining: bool) -> NodeReport {
        let metrics = self.hub.metrics();
        NodeReport {
            node: self.node.clone(),
            connections: u64::try_from(metrics.connections.get()).unwrap_or(0),
            connections_limit: self.connections_limit,
            sent_bytes: metrics.sent_bytes.get(),
            lag_seconds: metrics.lag_seconds.get(),
            draining,
            channels: self.hub.channels().len() as u64,
            replication_ms: metrics.replication.recent.quantiles().map(|read| (read.p50, read.p95)),
            replication_silent_seconds: metrics.replication.recent.silent().map(|silent| silent.as_secs_f64()),
            tallies: self.hub.audience().last(),
        }
    }

    /// Until `shutdown`; `draining` tells from when on there are no more viewers.
    pub async fn run(&self, draining: CancellationToken, shutdown: CancellationToken) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = shutdown.cancelled() => return,
            }
            self.hub.count();
            let Some(origins) = &self.origins else { continue };
            // What nodes that follow this one have told is passed on.
            let below = self.hub.audience().others().into_iter().filter(|(age, _)| *age <= 3 * EVERY);
            let mut reports: Vec<NodeReport> = below.map(|(_, report)| report).collect();
            reports.push(self.report(draining.is_cancelled()));
            let Ok(json) = serde_json::to_vec(&reports) else { continue };
            let json = Bytes::from(json);
            for origin in origins.all() {
                tell(&origin, json.clone()).await;
            }
        }
    }
}

async fn tell(origin: &Origin, json: Bytes) {
    match timeout(REPORT_WAIT, origin.post(&replication::audience_path(), json)).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => debug!(%origin, "does not take the report of who watches: {why}"),
        Err(_) => debug!(%origin, "takes too long for the report of who watches"),
    }
}
