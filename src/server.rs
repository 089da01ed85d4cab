//! The assembly, in the order of the data path: publishers, channels, viewers; operators beside it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use touchline_edge::spool::Spool;
use touchline_edge::{self as edge, Hub, Site};
use touchline_ingest::{self as ingest, rtmp, srt, webrtc};
use touchline_tls as tls;
use touchline_transcode::{self as transcode, Budget, Workshop, workshop};
use tracing::{info, warn};

use crate::channels;
use crate::config::{Config, Ladders, Listen, Proof, Secured, Srt, Webrtc};
use crate::door;
use crate::ops::{self, Ops};
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
}

/// A listener by TLS, and what it shows those who come.
struct TlsListener {
    listener: TcpListener,
    tls: tls::Tls,
    proof: Proof,
    /// What is to be followed. `None`: the certificate was made at start, or another listener follows its files.
    files: Option<tls::Files>,
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
        Ok(Self { config, rtmp, srt, webrtc, rtmps, http, https, admin, spool })
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
    pub(crate) async fn run(self, drain: CancellationToken) {
        let mut registry = Registry::default();
        let edge_settings = edge::Settings::default();
        let edge_metrics = edge::Metrics::register(&mut registry);
        let tls_metrics = tls::Metrics::register(&mut registry);
        let hub = match self.spool {
            Some(spool) => Hub::spooling(edge_settings, edge_metrics, spool),
            None => Hub::new(edge_settings, edge_metrics),
        };
        let ingest_metrics = ingest::Metrics::register(&mut registry);
        let workshop = workshop(&self.config.ladders, transcode::Metrics::register(&mut registry));
        let ops = Ops { registry, roster: ingest_metrics.roster().clone(), draining: drain.clone() };
        let closing = CancellationToken::new();
        let (upstream, downstream) = (TaskTracker::new(), TaskTracker::new());

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
            hls,
            ladders,
            workshop,
            grace,
        };
        upstream.spawn(channels::run(publishes, hub.clone(), settings, drain.clone()));
        let mut viewers = vec![self.http.into()];
        if let Some(https) = self.https {
            let (listener, tls) = https.follow(&tls_metrics, &downstream, &closing);
            viewers.push(tls::Listener::secured(listener, tls));
        }
        downstream.spawn(edge::serve(viewers, Site::new(hub.clone(), whip), edge_settings, closing.clone()));
        downstream.spawn(ops::serve(self.admin, ops, closing.clone()));

        drain.cancelled().await;
        info!("draining: no new publishers; a second signal stops at once");
        let on_air = !hub.channels().is_empty();
        finish(&upstream).await;
        if on_air {
            tokio::time::sleep(LINGER).await;
        }
        closing.cancel();
        finish(&downstream).await;
        info!("drained");
    }
}

/// What makes ladders, and sound that every player knows, if the worker is there.
fn workshop(ladders: &Ladders, metrics: transcode::Metrics) -> Option<Workshop> {
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
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Some(Workshop::open(program, Budget::of_cores(cores), ladders.codecs(), metrics))
}

async fn finish(tasks: &TaskTracker) {
    tasks.close();
    tasks.wait().await;
}

fn bind(listen: &Listen, who: &str, flag: &str) -> anyhow::Result<TcpListener> {
    let mut failure = None;
    for address in listen.candidates() {
        match edge::listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = Some(error),
        }
    }
    let failure = failure.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into());
    Err(failure).with_context(|| format!("cannot listen for {who} on {listen}; choose another address with {flag}"))
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

impl TlsListener {
    /// Shows what `other` shows, where the proof is the same: files are followed once.
    fn open(
        (listen, proof): Secured,
        protocols: &[&[u8]],
        other: Option<&Self>,
        who: &str,
        flag: &str,
    ) -> anyhow::Result<Self> {
        let (tls, files) = match (&proof, other.filter(|other| other.proof == proof)) {
            (_, Some(other)) => (other.tls.speaking(protocols)?, None),
            (Proof::SelfSigned, None) => (tls::Tls::new(tls::Certificate::self_signed(own_names())?, protocols)?, None),
            (Proof::Files(certificate, key), None) => {
                let mut files = tls::Files::new(certificate.clone(), key.clone());
                (tls::Tls::new(files.read()?, protocols)?, Some(files))
            }
        };
        Ok(Self { listener: bind(&listen, who, flag)?, tls, proof, files })
    }

    /// The listener, and what shows the certificate that its files hold until `closing`.
    fn follow(
        self,
        metrics: &tls::Metrics,
        tasks: &TaskTracker,
        closing: &CancellationToken,
    ) -> (TcpListener, tls::Tls) {
        if let Some(files) = self.files {
            tasks.spawn(files.follow(self.tls.clone(), metrics.clone(), closing.clone()));
        }
        (self.listener, self.tls)
    }
}

/// What this machine may be called by a browser on it, or next to it.
fn own_names() -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    if !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)) {
        names.push(host.to_owned());
    }
    names
}

/// An address that a person on this machine can open.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], address.port())) } else { address }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[tokio::test]
    async fn one_pair_of_files_for_viewers_and_publishers_is_followed_once() {
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key, other] = ["chain.pem", "key.pem", "other.pem"].map(|name| folder.path().join(name));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for (path, text) in
            [(&certificate, made.cert.pem()), (&key, made.signing_key.serialize_pem()), (&other, made.cert.pem())]
        {
            std::fs::write(path, text).unwrap();
        }
        let listen = || Listen::parse("127.0.0.1:0").unwrap();
        let followed = |certificate: &std::path::Path, shown: Option<&TlsListener>| {
            let proof = Proof::Files(certificate.into(), key.clone());
            TlsListener::open((listen(), proof), &[], shown, "somebody", "--flag").unwrap()
        };
        let viewers = followed(&certificate, None);
        assert!(viewers.files.is_some());
        assert!(followed(&certificate, Some(&viewers)).files.is_none());
        assert!(followed(&other, Some(&viewers)).files.is_some(), "files of its own");
    }
}
