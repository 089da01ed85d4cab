//! The assembly of an edge, in the order of the data path: origins, channels, viewers; operators beside it.

use std::io::Write as _;

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use touchline_edge::replication::{self, Fleet};
use touchline_edge::spool::Spool;
use touchline_edge::{self as edge, Hub, Site};
use touchline_ingest::Roster;
use touchline_tls as tls;
use tracing::info;

use crate::config::Config;
use crate::listeners::{TlsListener, bind, reachable};
use crate::ops::{self, Ops, Ready};

/// An edge whose listeners are bound.
pub(crate) struct Edge {
    config: Config,
    followed: replication::Settings,
    http: TcpListener,
    https: Option<TlsListener>,
    admin: TcpListener,
    spool: Option<Spool>,
}

impl Edge {
    /// Binds every listener, so that what cannot work fails before anything has begun. Within a Tokio runtime.
    pub(crate) fn bind(config: Config) -> anyhow::Result<Self> {
        let followed = config.fleet()?;
        let http = bind(&config.http, "viewers", "--http")?;
        let (https, _) = config.secured()?;
        let https = https
            .map(|secured| TlsListener::open(secured, &edge::PROTOCOLS, "viewers by TLS", "--https"))
            .transpose()?;
        let admin = bind(&config.admin, "operators", "--admin")?;
        let spool = config.spool.clone().map(Spool::open).transpose()?;
        Ok(Self { config, followed, http, https, admin, spool })
    }

    /// Tells on standard output where to watch.
    pub(crate) fn announce(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "watch   http://{}/", reachable(self.http.local_addr()?))?;
        writeln!(out, "admin   http://{}/", reachable(self.admin.local_addr()?))?;
        if let Some(https) = &self.https {
            writeln!(out, "watch   https://{}/", reachable(https.listener.local_addr()?))?;
        }
        for origin in &self.followed.origins {
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
            Some(spool) => Hub::spooling(settings, metrics, spool),
            None => Hub::new(settings, metrics),
        };
        let fleet = Fleet::new(hub.clone(), self.followed);
        let ready = Ready::Followed(fleet.readiness());
        let ops = Ops { registry, roster: Roster::default(), draining: drain.clone(), ready };
        let tasks = TaskTracker::new();
        let closing = CancellationToken::new();
        let stopping = CancellationToken::new();
        tasks.spawn(fleet.run(stopping.clone()));
        let mut viewers = vec![self.http.into()];
        if let Some(https) = self.https {
            let (listener, tls) = https.follow(&tls_metrics, &tasks, &closing);
            viewers.push(tls::Listener::secured(listener, tls));
        }
        let outlet = replication::annex(hub.clone(), self.config.access());
        let serving = tasks.spawn(edge::serve(viewers, Site::new(hub, [outlet]), settings, closing.clone()));
        tasks.spawn(ops::serve(self.admin, ops, closing.clone()));

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
