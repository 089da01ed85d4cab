//! One viewer's connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;
use crate::metrics::Counted;
use crate::service::respond;
use crate::settings::Settings;
use crate::socket::Socket;
use crate::tls::Tls;

/// The longest request head, in bytes: a path, a token, cookies of the site that it is embedded in.
const MAX_HEAD: u16 = 16 * 1_024;
/// Requests at once on one HTTP/2 connection: a player has four, a cache in front of us many.
const MAX_STREAMS: u32 = 256;
/// How often a silent HTTP/2 peer is asked whether it is still there, and how long it has to say so.
const H2_PING: Duration = Duration::from_secs(15);

/// Serves one connection to its end, TLS first where `tls` is given.
pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Tls>,
    hub: Hub,
    settings: Settings,
    shutdown: CancellationToken,
) {
    let _counted = Counted::on(&hub.metrics().connections);
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY was refused");
    }
    let Some(tls) = tls else {
        return converse(stream, peer, hub, settings, shutdown).await;
    };
    let shaken = tokio::select! {
        shaken = handshake(&tls, stream, &settings) => shaken,
        () = shutdown.cancelled() => return,
    };
    match shaken {
        Ok(stream) => {
            hub.metrics().tls_handshakes.inc();
            converse(stream, peer, hub, settings, shutdown).await;
        }
        Err(error) => {
            hub.metrics().tls_handshakes_failed.inc();
            tracing::debug!(%peer, %error, "a viewer's TLS handshake failed");
        }
    }
}

async fn handshake(tls: &Tls, stream: TcpStream, settings: &Settings) -> std::io::Result<TlsStream<TcpStream>> {
    timeout(settings.handshake_timeout, tls.accept(stream)).await?
}

/// Speaks HTTP until either side ends it.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    hub: Hub,
    settings: Settings,
    shutdown: CancellationToken,
) {
    let sent_bytes = hub.metrics().sent_bytes.clone();
    let socket = Socket::new(stream, settings.head_timeout, settings.write_timeout, sent_bytes);
    let answer = service_fn(|request| {
        let hub = hub.clone();
        async move { Ok::<_, Infallible>(respond(&hub, request).await) }
    });
    let protocol = protocol(&settings);
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(socket), answer));
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%peer, error, "a viewer's connection ended early");
    }
}

fn protocol(settings: &Settings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(settings.head_timeout).max_buf_size(MAX_HEAD.into());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD.into())
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING);
    builder
}
