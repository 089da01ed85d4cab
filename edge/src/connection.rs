//! One viewer's connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use touchline_tls::{self as tls, Tls};

use crate::admission::Admission;
use crate::annex::Site;
use crate::body::Body;
use crate::metrics::{Counted, Kind, Metrics};
use crate::progress::{Asked, Progress, Tracked, Verdict};
use crate::service::{self, respond};
use crate::settings::Settings;
use crate::socket::Socket;

/// The longest request head, in bytes: a path, a token, cookies of the site that it is embedded in.
const MAX_HEAD: u16 = 16 * 1_024;
/// How often a silent HTTP/2 peer is asked whether it is still there, and how long it has to say so.
const H2_PING: Duration = Duration::from_secs(15);

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
async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: SocketAddr, shared: Arc<Shared>) {
    let progress = Progress::new();
    let socket = Socket::new(stream, progress.clone(), shared.metrics().sent_bytes.clone());
    let answer = service_fn(|request: hyper::Request<Incoming>| {
        let asked = progress.asked(request.version());
        answer(Arc::clone(&shared), asked, peer, request)
    });
    let protocol = protocol(&shared.settings);
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(socket), answer));
    let mut closing = false;
    let outcome = loop {
        tokio::select! {
            outcome = connection.as_mut() => break outcome,
            () = shared.shutdown.cancelled(), if !closing => {}
            verdict = progress.ends(&shared.settings) => match verdict {
                Verdict::Stalled => {
                    shared.metrics().connections_stalled.inc();
                    break Err("the viewer takes nothing of what it has asked for".into());
                }
                // Who does not even take a farewell is left without one.
                Verdict::Idle if closing || progress.speaks_http1() => {
                    break Err("the viewer asks for nothing".into());
                }
                Verdict::Idle => {}
            },
        }
        closing = true;
        connection.as_mut().graceful_shutdown();
    };
    if let Err(error) = outcome {
        tracing::debug!(%peer, error, "a viewer's connection ended early");
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
        None => match shared.turned_away(&request) {
            Some(refusal) => refusal,
            None => respond(shared.site.hub(), request).await,
        },
    };
    Ok(response.map(|body| asked.answered(body)))
}

impl Shared {
    /// What a new viewer is told that is not let in.
    fn turned_away(&self, request: &hyper::Request<Incoming>) -> Option<Response<Body>> {
        if !self.admission.closed() || !service::is_new_viewer(request) {
            return None;
        }
        Some(service::turn_away(self.site.hub(), request, self.admission.turn_away()))
    }

    fn metrics(&self) -> &Metrics {
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
