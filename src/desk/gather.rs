use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use touchline_audience::Quantiles;
use touchline_edge::Hub;
use touchline_edge::audience::{NodeReport, Reporter};
use touchline_edge::steering::Steering;
use touchline_ingest::Roster;
use touchline_ingest::health::Report;
use touchline_registry::{self as registry, Registry};
use touchline_transcode::{Board, Budget, LadderStatus};

use super::Hops;
use super::frame::{Hop, Role};
use crate::channels::Live;

/// What there is to look at.
#[derive(Debug)]
pub(crate) struct Sources {
    /// What this node is called, and what it is there for.
    pub(crate) node: String,
    pub(crate) role: Role,
    /// Who watches, here and by what edges tell.
    pub(crate) hub: Hub,
    /// What this node would tell.
    pub(crate) reporter: Arc<Reporter>,
    /// Who publishes, and how to send them away.
    pub(crate) roster: Roster,
    pub(crate) live: Live,
    /// How ladders do, and what they take of this machine; `None`: there are none.
    pub(crate) ladders: Option<(Board, Budget)>,
    /// The other nodes.
    pub(crate) cluster: Registry,
    pub(crate) steering: Option<Steering>,
    /// How long access units take.
    pub(crate) hops: Hops,
    /// Cancelled when no more publishers are taken.
    pub(crate) draining: CancellationToken,
}

/// What was seen at a moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) draining: bool,
    /// Of this node...
    pub(super) own: NodeReport,
    /// ...and of others, each with its age.
    pub(super) others: Vec<(Duration, NodeReport)>,
    pub(super) publishers: Vec<Report>,
    pub(super) ladders: Vec<LadderStatus>,
    /// Channels that are live here, and whether each has a still picture.
    pub(super) live: Vec<(String, bool)>,
    /// For how long nothing new has come of them.
    pub(super) quiet: Vec<(String, Duration)>,
    /// Cores that ladders take; `None`: there are no ladders.
    pub(super) cores: Option<f64>,
    /// Origins that are there, this one included.
    pub(super) origins: u64,
    pub(super) latency: Vec<(Hop, Quantiles)>,
}

impl Sources {
    pub(super) fn gather(&self) -> Seen {
        let draining = self.draining.is_cancelled();
        let own = self.reporter.report(draining);
        let channels = self.hub.channels();
        let still = |name: &str| name.parse().is_ok_and(|name| self.hub.still(&name).is_some());
        let live = channels.into_iter().map(|listing| {
            let has = still(&listing.name);
            (listing.name, has)
        });
        let metrics = self.hub.metrics();
        let hops = [
            (Hop::Received, self.hops.received.quantiles()),
            (Hop::Encoded, self.hops.encoded.quantiles()),
            (Hop::Packaged, self.hops.packaged.quantiles()),
            (Hop::Replicated, metrics.replication.recent.quantiles()),
            (Hop::FirstByte, metrics.first_byte.recent.quantiles()),
        ];
        let origins = self.cluster.snapshot().live(registry::Role::Origin) as u64;
        Seen {
            draining,
            own,
            others: self.hub.audience().others(),
            publishers: self.roster.read(Instant::now()),
            ladders: self.ladders.as_ref().map(|(board, _)| board.read()).unwrap_or_default(),
            live: live.collect(),
            quiet: self.hub.quiet().into_iter().map(|(channel, quiet)| (channel.to_string(), quiet)).collect(),
            cores: self.ladders.as_ref().map(|(_, budget)| budget.taken().cores()),
            origins: origins.max(u64::from(self.role == Role::Origin)),
            latency: hops.into_iter().filter_map(|(hop, read)| Some((hop, read?))).collect(),
        }
    }
}
