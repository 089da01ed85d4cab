//! This node's part in the cluster: the registry, and what is done with what it says.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use touchline_edge::steering::{PathwayId, Steering};
use touchline_edge::{Hub, Metrics};
use touchline_registry::{self as registry, Id, Load, Registry, Role, Settings, Task};

use crate::config::Membership;

/// The name of a node whose machine has none that can be used: there is but one then.
const NAMELESS: &str = "touchline";

/// What this node is called, and where edges reach it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    node: Id,
    url: String,
}

impl Place {
    /// As the settings have it; else as the machine is called, and where viewers connect.
    pub(crate) fn of(membership: &Membership, http: SocketAddr) -> anyhow::Result<Self> {
        let url = match &membership.advertise {
            // A port that was not known when the settings were written.
            Some(url) => url.strip_suffix(":0").map_or_else(|| url.clone(), |host| format!("{host}:{}", http.port())),
            None => format!("http://{http}"),
        };
        Ok(Self { node: name(membership)?, url })
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
    let Place { node, url } = place;
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
