//! This node's part in the cluster: the registry, and what is done with what it says.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use touchline_edge::audience::Reporter;
use touchline_edge::replication::{Address, Directory, Origin};
use touchline_edge::steering::{PathwayId, Steering};
use touchline_edge::{Hub, Metrics};
use touchline_media::Secret;
use touchline_registry::{self as registry, Id, Load, Registry, Role, Settings, Task};

use crate::config::{Introduction, Membership};

/// The name of a node whose machine has none that can be used: there is but one then.
const NAMELESS: &str = "touchline";
/// Origins whose connections are kept.
const MAX_MET: usize = 1_024;

/// What this node is called, and where edges reach it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    node: Id,
    url: String,
    label: String,
}

impl Place {
    /// As the settings have it; else as the machine is called, and where viewers connect.
    pub(crate) fn of(membership: &Membership, http: SocketAddr) -> anyhow::Result<Self> {
        let url = match &membership.advertise {
            // A port that was not known when the settings were written.
            Some(url) => url.strip_suffix(":0").map_or_else(|| url.clone(), |host| format!("{host}:{}", http.port())),
            None => format!("http://{http}"),
        };
        let node = name(membership)?;
        // Several on one machine, which nobody has given names, are told apart by where viewers connect.
        let label = membership.node.as_ref().map_or_else(|| format!("{node}:{}", http.port()), ToString::to_string);
        Ok(Self { node, url, label })
    }

    /// What operators know this node by.
    pub(crate) fn label(&self) -> String {
        self.label.clone()
    }
}

/// The registry, and the task that keeps it.
pub(crate) fn join(
    membership: &Membership,
    place: Place,
    role: Role,
    load: impl Fn() -> Load + Send + Sync + 'static,
    metrics: registry::Metrics,
) -> (Registry, Task) {
    let Place { node, url, .. } = place;
    let settings =
        Settings { node, url, role, lease: membership.lease, state: membership.state.clone(), load: Arc::new(load) };
    Registry::open(settings, membership.store(), metrics)
}

/// How much a server carries, who asks for it at any time.
pub(crate) fn load(hub: Hub, metrics: Metrics, connections_limit: usize) -> impl Fn() -> Load + Send + Sync + 'static {
    move || Load {
        channels: hub.channels().len() as u64,
        connections: u64::try_from(metrics.connections.get()).unwrap_or(0),
        connections_limit: connections_limit as u64,
    }
}

/// Counts who watches, and tells `origins` of it.
pub(crate) fn audience(
    hub: &Hub,
    node: &str,
    connections_limit: usize,
    secret: Option<&Secret>,
    origins: Option<Directory>,
    metrics: &mut prometheus_client::registry::Registry,
) -> Arc<Reporter> {
    if let Some(secret) = secret {
        hub.audience().share(secret);
    }
    hub.audience().register(metrics);
    Arc::new(Reporter::new(hub.clone(), node.to_owned(), connections_limit, origins))
}

/// Does so until `closing`.
pub(crate) async fn report(reporter: Arc<Reporter>, draining: CancellationToken, closing: CancellationToken) {
    reporter.run(draining, closing).await;
}

fn name(membership: &Membership) -> anyhow::Result<Id> {
    if let Some(node) = &membership.node {
        return Ok(node.clone());
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match host.trim().parse() {
        Ok(id) => Ok(id),
        Err(_) if membership.nats.is_empty() => NAMELESS.parse().context("the node has no name"),
        Err(why) => Err(why).with_context(|| {
            format!(
                "this machine is called \"{}\", which cannot be the name of a node: set [cluster] node",
                host.trim()
            )
        }),
    }
}

/// Which origins have which channel, by what the registry says at the moment.
pub(crate) fn directory(registry: Registry, introduction: Introduction) -> Directory {
    let met: Mutex<HashMap<String, Arc<Origin>>> = Mutex::default();
    Directory::new(move |channel| {
        let urls: Vec<String> = if let Some(channel) = channel {
            registry.origins(channel).origins.into_iter().map(|origin| origin.url).collect()
        } else {
            let snapshot = registry.snapshot();
            let origins = snapshot.nodes.values().filter(|known| known.live && known.node.role == Role::Origin);
            origins.map(|known| known.node.url.clone()).collect()
        };
        let mut met = met.lock().unwrap_or_else(PoisonError::into_inner);
        if met.len() > MAX_MET {
            met.clear();
        }
        let introduced = |url: String| {
            let address = Address::parse(&url).ok()?;
            Some(Arc::clone(met.entry(url).or_insert_with(|| Arc::new(introduction.to(address)))))
        };
        urls.into_iter().filter_map(introduced).collect()
    })
}

/// Leads viewers away from the pathways that the registry says, until `closing`.
pub(crate) async fn steer(registry: Registry, steering: Steering, closing: CancellationToken) {
    let mut snapshots = registry.subscribe();
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let drained: BTreeSet<PathwayId> = snapshot.drained.iter().filter_map(|id| id.as_str().parse().ok()).collect();
        steering.drain(drained);
        tokio::select! {
            changed = snapshots.changed() => if changed.is_err() { return },
            () = closing.cancelled() => return,
        }
    }
}
