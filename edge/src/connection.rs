//! One viewer's connection.

use std::convert::Infallible;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use touchline_tls::{self as tls, Tls};

use crate::admission::Admission;
use crate::annex::Site;
use crate::body::Body;
use crate::http1::{self, End, Head};
use crate::metrics::{Counted, Kind, Metrics};
use crate::progress::{Asked, Progress, Tracked, Verdict};
use crate::service::{self, Quest, respond};
use crate::settings::Settings;
use crate::socket::{Socket, Stream};

/// The longest request head, in bytes: a path, a token, cookies of the site that it is embedded in.
pub(crate) const MAX_HEAD: u16 = 16 * 1_024;
/// How often a silent HTTP/2 peer is asked whether it is still there, and how long it has to say so.
const H2_PING: Duration = Duration::from_secs(15);

type BoxError = Box<dyn Error + Send + Sync>;

/// What the connections of a core have in common.
pub(crate) struct Shared {
    pub(crate) site: Site,
    pub(crate) settings: Settings,
    pub(crate) admission: Arc<Admission>,
    pub(crate) shutdown: CancellationToken,
}

/// Serves one connection to its end, TLS first where `tls` is given.
pub(crate) async fn serve(stream: TcpStream, peer: SocketAddr, tls: Option<Tls>, shared: Arc<Shared>) {
    let _counted = Counted::on(&shared.metrics().connections);
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY was refused");
    }
    let Some(tls) = tls else {
        return converse(stream, peer, shared).await;
    };
    let shaken = tokio::select! {
        shaken = handshake(&tls, stream, &shared.settings) => shaken,
        () = shared.shutdown.cancelled() => return,
    };
    match shaken {
        Ok(stream) => {
            shared.metrics().tls_handshakes.inc();
            converse(stream, peer, shared).await;
        }
        Err(error) => {
            shared.metrics().tls_handshakes_failed.inc();
            tracing::debug!(%peer, %error, "a viewer's TLS handshake failed");
        }
    }
}

async fn handshake(tls: &Tls, stream: TcpStream, settings: &Settings) -> std::io::Result<tls::Stream<TcpStream>> {
    timeout(settings.handshake_timeout, tls.accept(stream)).await?
}

/// Speaks HTTP until either side ends it.
async fn converse(stream: impl Stream, peer: SocketAddr, shared: Arc<Shared>) {
    let progress = Progress::new();
    let mut socket = Socket::new(stream, progress.clone(), shared.metrics().sent_bytes.clone());
    let outcome = match plainly(&mut socket, &progress, peer.ip(), &shared).await {
        Ok(End::Over) => Ok(()),
        // Boxed, for it is large, and few have it.
        Ok(End::Other) => Box::pin(with_hyper(socket, progress, peer, shared)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        tracing::debug!(%peer, error, "a viewer's connection ended early");
    }
}

/// As long as it is HTTP/1.1 as players speak it.
async fn plainly(
    socket: &mut Socket<impl Stream>,
    progress: &Progress,
    peer: IpAddr,
    shared: &Shared,
) -> Result<End, BoxError> {
    let closing = AtomicBool::new(false);
    let mut serving = pin!(http1::serve(socket, progress, peer, shared, &closing));
    loop {
        tokio::select! {
            biased;
            end = serving.as_mut() => return Ok(end?),
            () = shared.shutdown.cancelled(), if !closing.load(Ordering::Relaxed) => {
                closing.store(true, Ordering::Relaxed);
                if progress.is_idle() {
                    return Ok(End::Over);
                }
            }
            verdict = progress.ends(&shared.settings) => return Err(shared.sentence(verdict)),
        }
    }
}

/// Whatever it is that the peer speaks.
async fn with_hyper(
    socket: Socket<impl Stream>,
    progress: Progress,
    peer: SocketAddr,
    shared: Arc<Shared>,
) -> Result<(), BoxError> {
    let answer = service_fn(|request: hyper::Request<Incoming>| {
        let asked = progress.asked(request.version());
        answer(Arc::clone(&shared), asked, peer, request)
    });
    let protocol = protocol(&shared.settings);
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(socket), answer));
    let mut closing = false;
    loop {
        tokio::select! {
            outcome = connection.as_mut() => return outcome,
            () = shared.shutdown.cancelled(), if !closing => {}
            verdict = progress.ends(&shared.settings) => {
                // Who does not even take a farewell is left without one.
                if verdict == Verdict::Stalled || closing || progress.speaks_http1() {
                    return Err(shared.sentence(verdict));
                }
            }
        }
        closing = true;
        connection.as_mut().graceful_shutdown();
    }
}

async fn answer(
    shared: Arc<Shared>,
    asked: Asked,
    peer: SocketAddr,
    request: hyper::Request<Incoming>,
) -> Result<Response<Tracked>, Infallible> {
    let response = match shared.site.annex(request.uri().path()) {
        Some(annex) => {
            let response = annex.answer(request, peer).await;
            shared.metrics().count_request(Kind::Annex, response.status());
            response
        }
        None => match shared.turned_away(request.method(), request.uri().path()) {
            Some(refusal) => refusal,
            None => respond(shared.site.hub(), request, peer.ip()).await,
        },
    };
    Ok(response.map(|body| asked.answered(body)))
}

impl Shared {
    /// Answers a request that is for the hub.
    pub(crate) async fn respond(&self, head: Head) -> Response<Body> {
        let (path, query) = head.path_and_query();
        if let Some(refusal) = self.turned_away(&head.method, path) {
            return refusal;
        }
        let quest = Quest::begin(self.site.hub(), &head.method, path, query, head.wishes, &head.signs).await;
        drop(head);
        quest.answer(self.site.hub()).await
    }

    /// Why a connection is ended, where it is its peer's progress that ends it.
    fn sentence(&self, verdict: Verdict) -> BoxError {
        match verdict {
            Verdict::Stalled => {
                self.metrics().connections_stalled.inc();
                "the viewer takes nothing of what it has asked for".into()
            }
            Verdict::Idle => "the viewer asks for nothing".into(),
        }
    }

    /// What a new viewer is told that is not let in.
    fn turned_away(&self, method: &Method, path: &str) -> Option<Response<Body>> {
        if !self.admission.closed() || !service::is_new_viewer(path) {
            return None;
        }
        Some(service::turn_away(self.site.hub(), method, self.admission.turn_away()))
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        self.site.hub().metrics()
    }
}

fn protocol(settings: &Settings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // How long a head may take, `Progress` sees to: without a timer for each request.
    builder.http1().header_read_timeout(None).max_buf_size(MAX_HEAD.into());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD.into())
        .max_concurrent_streams(settings.streams)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING);
    builder
}

#[cfg(test)]
mod tests;
