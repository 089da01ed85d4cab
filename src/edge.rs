//! The assembly of an edge, in the order of the data path: origins, channels, viewers; operators beside it.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use touchline_edge::replication::{self, Fleet};
use touchline_edge::spool::Spool;
use touchline_edge::steering::{self, Steering};
use touchline_edge::{self as edge, Hub, Site};
use touchline_ingest::Roster;
use touchline_registry::Role;
use touchline_tls as tls;
use tracing::info;

use crate::channels::Live;
use crate::cluster;
use crate::config::{Config, Edge as Followed, Introduction};
use crate::desk::{self, Desk, Hops, Sources, frame};
use crate::listeners::{TlsListener, bind, reachable};
use crate::ops::{self, Gate, Ops, Ready};

/// An edge whose listeners are bound.
pub(crate) struct Edge {
    config: Config,
    introduction: Introduction,
    http: TcpListener,
    https: Option<TlsListener>,
    admin: TcpListener,
    spool: Option<Spool>,
    place: cluster::Place,
    kept: desk::Kept,
}

impl Edge {
    /// Binds every listener, so that what cannot work fails before anything has begun. Within a Tokio runtime.
    pub(crate) fn bind(config: Config) -> anyhow::Result<Self> {
        let introduction = config.introduction()?;
        let http = bind(&config.http, "viewers", "--http")?;
        let (https, _) = config.secured()?;
        let https = https
            .map(|secured| TlsListener::open(secured, &edge::PROTOCOLS, None, "viewers by TLS", "--https"))
            .transpose()?;
        let admin = bind(&config.admin, "operators", "--admin")?;
        let spool = config.spool.clone().map(Spool::open).transpose()?;
        let place = cluster::Place::of(&config.membership, reachable(http.local_addr()?))?;
        let kept = desk::read(&config.desk)?;
        Ok(Self { config, introduction, http, https, admin, spool, place, kept })
    }

    /// Tells on standard output where to watch.
    pub(crate) fn announce(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "watch   http://{}/", reachable(self.http.local_addr()?))?;
        writeln!(out, "admin   http://{}/", reachable(self.admin.local_addr()?))?;
        if let Some(https) = &self.https {
            writeln!(out, "watch   https://{}/", reachable(https.listener.local_addr()?))?;
        }
        for origin in &self.config.edge.origins {
            writeln!(out, "origin  {origin}")?;
        }
        out.flush().context("standard output is closed")
    }

    /// Serves until `drain` is cancelled, then answers every held request and returns.
    pub(crate) async fn run(self, drain: CancellationToken) {
        let mut registry = Registry::default();
        let settings = edge::Settings::default();
        let metrics = edge::Metrics::register(&mut registry);
        let tls_metrics = tls::Metrics::register(&mut registry);
        let hub = match self.spool {
            Some(spool) => Hub::spooling(settings, metrics.clone(), spool),
            None => Hub::new(settings, metrics.clone()),
        };
        let load = cluster::load(hub.clone(), metrics, settings.connections);
        let cluster_metrics = touchline_registry::Metrics::register(&mut registry);
        let node = self.place.label();
        let (cluster, keeper) = cluster::join(&self.config.membership, self.place, Role::Edge, load, cluster_metrics);
        let steering = self.config.steering.clone().map(|settings| {
            let steering = Steering::new(settings, steering::Metrics::register(&mut registry));
            hub.steer(steering.clone());
            steering
        });
        let origins = if self.config.edge.origins.is_empty() {
            cluster::directory(cluster.clone(), self.introduction)
        } else {
            let named = self.config.edge.origins.iter().cloned();
            named.map(|address| self.introduction.to(address)).collect::<Vec<_>>().into()
        };
        let Config { edge: Followed { channels, idle, standby, .. }, .. } = self.config.clone();
        let secret = self.config.cluster.secret.as_ref();
        let told = Some(origins.clone());
        let reporter = cluster::audience(&hub, &node, settings.connections, secret, told, &mut registry);
        let fleet = Fleet::new(hub.clone(), replication::Settings { origins, channels, idle, standby });
        let ready = Ready::Followed(fleet.readiness());
        let (tasks, closing, stopping) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let sources = Sources {
            node,
            role: frame::Role::Edge,
            hub: hub.clone(),
            reporter: Arc::clone(&reporter),
            roster: Roster::default(),
            live: Live::default(),
            ladders: None,
            cluster: cluster.clone(),
            steering: steering.clone(),
            hops: Hops::default(),
            draining: drain.clone(),
        };
        let desk = Desk::new(sources, self.config.desk.clone(), self.kept);
        desk.register(&mut registry);
        let ops = Ops {
            registry,
            desk: desk.clone(),
            gate: Gate::new(self.config.admin_token.as_ref(), self.config.admin.is_loopback()),
            keys: Vec::new(),
            draining: drain.clone(),
            closing: closing.clone(),
            ready,
        };
        tasks.spawn(keeper.run(stopping.clone()));
        if let Some(steering) = &steering {
            tasks.spawn(cluster::steer(cluster, steering.clone(), stopping.clone()));
        }
        tasks.spawn(cluster::report(reporter, drain.clone(), stopping.clone()));
        tasks.spawn(fleet.run(stopping.clone()));
        let mut viewers = vec![self.http.into()];
        if let Some(https) = self.https {
            let (listener, tls) = https.follow(&tls_metrics, &tasks, &closing);
            viewers.push(tls::Listener::secured(listener, tls));
        }
        let outlet = replication::annex(hub.clone(), self.config.access());
        let reports = edge::audience::annex(&hub);
        let annexes = [outlet, reports].into_iter().chain(steering.as_ref().map(Steering::annex));
        let serving = tasks.spawn(edge::serve(viewers, Site::new(hub, annexes), settings, closing.clone()));
        tasks.spawn(ops::serve(self.admin, ops));
        tasks.spawn(desk.run(closing.clone()));

        drain.cancelled().await;
        info!("draining: held requests are answered; a second signal stops at once");
        closing.cancel();
        // Channels go on until the last viewer has what it asked for.
        let _ = serving.await;
        stopping.cancel();
        tasks.close();
        tasks.wait().await;
        info!("drained");
    }
}
