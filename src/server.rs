//! The assembly, in the order of the data path: publishers, channels, viewers; operators beside it.

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use touchline_edge::spool::Spool;
use touchline_edge::steering::{self, Steering};
use touchline_edge::{self as edge, Hub, Site, replication};
use touchline_ingest::{self as ingest, rtmp, srt, webrtc};
use touchline_packager as packager;
use touchline_registry::Role;
use touchline_tls as tls;
use touchline_transcode::{self as transcode, Budget, Workshop, workshop};
use tracing::{info, warn};

use crate::channels;
use crate::cluster;
use crate::config::{Config, Ladders, Listen, Proof, Srt, Webrtc};
use crate::desk::{self, Desk, Hops, Sources, frame};
use crate::door;
use crate::listeners::{TlsListener, bind, reachable};
use crate::ops::{self, Gate, Ops, Ready};
use crate::webhook::Webhook;
use crate::whip::Whip;

/// Requests to publish that may wait for an answer.
const MAX_WAITING_PUBLISHES: usize = 64;
/// After the playlists have ended, how long viewers may come for them.
const LINGER: Duration = Duration::from_secs(1);

/// A server whose listeners are bound.
pub(crate) struct Server {
    config: Config,
    rtmp: TcpListener,
    srt: Option<srt::Bound>,
    webrtc: Option<webrtc::Bound>,
    rtmps: Option<TlsListener>,
    http: TcpListener,
    https: Option<TlsListener>,
    admin: TcpListener,
    spool: Option<Spool>,
    place: cluster::Place,
    kept: desk::Kept,
}

impl Server {
    /// Binds every listener, so that what cannot work fails before anything has begun. Within a Tokio runtime.
    pub(crate) async fn bind(config: Config) -> anyhow::Result<Self> {
        let rtmp = bind(&config.rtmp_listen()?, "RTMP publishers", "--rtmp")?;
        config.rtmps_listen()?;
        let http = bind(&config.http, "viewers", "--http")?;
        let (https, rtmps) = config.secured()?;
        let https = https
            .map(|secured| TlsListener::open(secured, &edge::PROTOCOLS, None, "viewers by TLS", "--https"))
            .transpose()?;
        let rtmps = rtmps
            .map(|secured| TlsListener::open(secured, &[], https.as_ref(), "RTMP publishers by TLS", "--rtmps"))
            .transpose()?;
        let admin = bind(&config.admin, "operators", "--admin")?;
        let latency = config.srt.latency;
        let srt = config.srt_listen()?.map(|listen| bind_srt(&listen, latency)).transpose()?;
        let webrtc = match config.webrtc_listen()? {
            Some(listen) => Some(bind_webrtc(&listen, &config.webrtc).await?),
            None => None,
        };
        let spool = config.spool.clone().map(Spool::open).transpose()?;
        let place = cluster::Place::of(&config.membership, reachable(http.local_addr()?))?;
        let kept = desk::read(&config.desk)?;
        Ok(Self { config, rtmp, srt, webrtc, rtmps, http, https, admin, spool, place, kept })
    }

    /// Tells on standard output where to publish and watch.
    pub(crate) fn announce(&self) -> anyhow::Result<()> {
        let open = if self.config.is_open() { "  (this machine only: no publish keys are set)" } else { "" };
        let mut out = std::io::stdout().lock();
        writeln!(out, "watch   http://{}/", reachable(self.http.local_addr()?))?;
        writeln!(out, "publish rtmp://{}/live{open}", reachable(self.rtmp.local_addr()?))?;
        writeln!(out, "admin   http://{}/", reachable(self.admin.local_addr()?))?;
        if let Some(https) = &self.https {
            let warning = match https.proof {
                Proof::SelfSigned => "  (self-signed for development: browsers warn of it)",
                Proof::Files(..) => "",
            };
            writeln!(out, "watch   https://{}/{warning}", reachable(https.listener.local_addr()?))?;
        }
        if let Some(srt) = &self.srt {
            writeln!(out, "publish srt://{}?streamid=publish:CHANNEL{open}", reachable(srt.local_addr()))?;
        }
        if let Some(rtmps) = &self.rtmps {
            writeln!(out, "publish rtmps://{}/live{open}", reachable(rtmps.listener.local_addr()?))?;
        }
        if let Some(webrtc) = &self.webrtc {
            // Browsers give camera and screen to pages by HTTPS, and to those of this machine.
            let (scheme, address) = match &self.https {
                Some(https) => ("https", https.listener.local_addr()?),
                None => ("http", self.http.local_addr()?),
            };
            let (address, port) = (reachable(address), webrtc.local_addr().port());
            let ways = format!("  (WHIP: /whip/CHANNEL, media: UDP and TCP {port})");
            writeln!(out, "publish {scheme}://{address}/publish/CHANNEL{ways}{open}")?;
        }
        out.flush().context("standard output is closed")
    }

    /// Serves until `drain` is cancelled, then takes no more publishers, ends every playlist, answers every held
    /// request and returns.
    #[expect(clippy::too_many_lines, reason = "each stage in the order of the data path, and nothing else")]
    pub(crate) async fn run(self, drain: CancellationToken) {
        let mut registry = Registry::default();
        let edge_settings = self.config.viewers;
        let edge_metrics = edge::Metrics::register(&mut registry);
        let tls_metrics = tls::Metrics::register(&mut registry);
        let hub = hub(self.spool, edge_settings, edge_metrics.clone());
        let load = cluster::load(hub.clone(), edge_metrics, edge_settings.connections);
        let cluster_metrics = touchline_registry::Metrics::register(&mut registry);
        let name = self.place.label();
        let (cluster, keeper) = cluster::join(&self.config.membership, self.place, Role::Origin, load, cluster_metrics);
        let steering = steer(&hub, self.config.steering.clone(), &mut registry);
        let ingest_metrics = ingest::Metrics::register(&mut registry);
        let transcode_metrics = transcode::Metrics::register(&mut registry);
        let board = transcode_metrics.board().clone();
        let budget = budget();
        let workshop = workshop(&self.config.ladders, budget.clone(), transcode_metrics);
        let (leaving, closing) = (CancellationToken::new(), CancellationToken::new());
        let (hops, present) = (Hops::default(), channels::Live::default());
        hops.register(&mut registry);
        let secret = self.config.cluster.secret.as_ref();
        let reporter = cluster::audience(&hub, &name, edge_settings.connections, secret, None, &mut registry);
        let sources = Sources {
            node: name,
            role: frame::Role::Origin,
            hub: hub.clone(),
            reporter: Arc::clone(&reporter),
            roster: ingest_metrics.roster().clone(),
            live: present.clone(),
            ladders: workshop.is_some().then_some((board, budget)),
            cluster: cluster.clone(),
            steering: steering.clone(),
            hops: hops.clone(),
            draining: drain.clone(),
        };
        let desk = Desk::new(sources, self.config.desk.clone(), self.kept);
        desk.register(&mut registry);
        let ops = Ops {
            registry,
            desk: desk.clone(),
            gate: Gate::new(self.config.admin_token.as_ref(), self.config.admin.is_loopback()),
            keys: self.config.key_names(),
            draining: drain.clone(),
            closing: closing.clone(),
            ready: Ready::Always,
        };
        let (upstream, downstream, neighbours) = (TaskTracker::new(), TaskTracker::new(), TaskTracker::new());
        neighbours.spawn(keeper.run(leaving.clone()));
        neighbours.spawn(cluster::report(reporter, drain.clone(), leaving.clone()));
        if let Some(steering) = &steering {
            neighbours.spawn(cluster::steer(cluster.clone(), steering.clone(), leaving.clone()));
        }

        let (requests, publishes) = mpsc::channel(MAX_WAITING_PUBLISHES);
        let mut rtmp: Vec<tls::Listener> = vec![self.rtmp.into()];
        if let Some(rtmps) = self.rtmps {
            let (listener, tls) = rtmps.follow(&tls_metrics, &downstream, &closing);
            rtmp.push(tls::Listener::secured(listener, tls));
        }
        upstream.spawn(rtmp::serve(
            rtmp,
            rtmp::Settings::default(),
            requests.clone(),
            ingest_metrics.clone(),
            drain.clone(),
        ));
        let this_machine_only = self.config.is_open();
        let outlet = replication::annex(hub.clone(), self.config.access());
        let Config {
            keys,
            webhook,
            takeover,
            hls,
            ladders,
            grace,
            srt: Srt { passphrases, sources, latency, .. },
            webrtc: Webrtc { ice_servers, .. },
            ..
        } = self.config;
        for (channel, source) in sources {
            let settings = srt::Settings { latency, ..srt::Settings::default() };
            let (requests, metrics) = (requests.clone(), ingest_metrics.clone());
            upstream.spawn(srt::pull(channel, source, settings, requests, metrics, drain.clone()));
        }
        if let Some(srt) = self.srt {
            let door =
                door::srt(keys.clone(), webhook.is_some(), takeover, passphrases, ingest_metrics.roster().clone());
            upstream.spawn(srt.serve(door, requests.clone(), ingest_metrics.clone(), drain.clone()));
        }
        let whip = self.webrtc.map(|webrtc| {
            let (desk, sessions) = webrtc.serve(requests, ingest_metrics, drain.clone());
            upstream.spawn(sessions);
            Whip { desk, ice_servers, this_machine_only }.annex()
        });
        let settings = channels::Settings {
            keys,
            webhook: webhook.map(|settings| Arc::new(Webhook::new(settings))),
            takeover,
            hls: packager::Settings { node: node(), ..hls },
            ladders,
            workshop,
            grace,
            registry: cluster,
            hops,
        };
        upstream.spawn(channels::run(publishes, hub.clone(), settings, present, drain.clone()));
        let reports = edge::audience::annex(&hub);
        let annexes = whip.into_iter().chain([outlet, reports]).chain(steering.as_ref().map(Steering::annex));
        let mut viewers = vec![self.http.into()];
        if let Some(https) = self.https {
            let (listener, tls) = https.follow(&tls_metrics, &downstream, &closing);
            viewers.push(tls::Listener::secured(listener, tls));
        }
        downstream.spawn(edge::serve(viewers, Site::new(hub.clone(), annexes), edge_settings, closing.clone()));
        downstream.spawn(ops::serve(self.admin, ops));
        downstream.spawn(desk.run(closing.clone()));

        drain.cancelled().await;
        info!("draining: no new publishers; a second signal stops at once");
        let on_air = !hub.channels().is_empty();
        finish(&upstream).await;
        leaving.cancel();
        finish(&neighbours).await;
        if on_air {
            tokio::time::sleep(LINGER).await;
        }
        closing.cancel();
        finish(&downstream).await;
        info!("drained");
    }
}

/// What viewers are served from.
fn hub(spool: Option<Spool>, settings: edge::Settings, metrics: edge::Metrics) -> Hub {
    match spool {
        Some(spool) => Hub::spooling(settings, metrics, spool),
        None => Hub::new(settings, metrics),
    }
}

/// Tells viewers of their pathways, where there are several.
fn steer(hub: &Hub, settings: Option<steering::Settings>, registry: &mut Registry) -> Option<Steering> {
    let steering = Steering::new(settings?, steering::Metrics::register(registry));
    hub.steer(steering.clone());
    Some(steering)
}

/// What ladders may take of this machine.
fn budget() -> Budget {
    Budget::of_cores(std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
}

/// What makes ladders, and sound that every player knows, if the worker is there.
fn workshop(ladders: &Ladders, budget: Budget, metrics: transcode::Metrics) -> Option<Workshop> {
    let Some(program) = workshop::find(ladders.worker.as_deref()) else {
        if ladders.any() {
            warn!(
                "{} is not beside this program, nor on the search path: sources are passed through as they are, in one \
                 rendition. Build it with `make build`, say where it is with --worker FILE, and install {}; or say \
                 --ladder off",
                workshop::PROGRAM,
                workshop::PACKAGES
            );
        }
        return None;
    };
    Some(Workshop::open(program, budget, ladders.codecs(), metrics))
}

/// Drawn at each start.
fn node() -> packager::Node {
    let mut random = [0; 4];
    // The system's generator does not fail once it has been seeded, which is before there are processes.
    let _ = SystemRandom::new().fill(&mut random);
    packager::Node::new(u32::from_be_bytes(random))
}

async fn finish(tasks: &TaskTracker) {
    tasks.close();
    tasks.wait().await;
}

fn bind_srt(listen: &Listen, latency: Duration) -> anyhow::Result<srt::Bound> {
    let settings = srt::Settings { latency, ..srt::Settings::default() };
    let mut failure = None;
    for address in listen.candidates() {
        match srt::bind(address, settings.clone()) {
            Ok(bound) => return Ok(bound),
            Err(error) => failure = Some(error),
        }
    }
    let failure = failure.context("there is no address to listen on")?;
    Err(failure).with_context(|| format!("cannot listen for SRT publishers on {listen}; choose another with --srt"))
}

async fn bind_webrtc(listen: &Listen, settings: &Webrtc) -> anyhow::Result<webrtc::Bound> {
    let settings = webrtc::Settings { announced: settings.announce.clone(), ..webrtc::Settings::default() };
    let mut failure = None;
    for address in listen.candidates() {
        match webrtc::bind(address, settings.clone()).await {
            Ok(bound) => return Ok(bound),
            Err(error) => failure = Some(error),
        }
    }
    let failure = failure.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into());
    Err(failure)
        .with_context(|| format!("cannot listen for WebRTC publishers on {listen}; choose another with --webrtc"))
}
