use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;
use crate::metrics::Counted;
use crate::service::respond;
use crate::settings::Settings;
use crate::socket::Socket;

/// Connections that the kernel completes ahead of us. The usual 128 overflows when a crowd joins at once, and every SYN
/// lost there costs its viewer a second.
pub const BACKLOG: u32 = 4_096;

/// The longest request head, in bytes: a path, a token, cookies of the site that it is embedded in.
const MAX_HEAD: u16 = 16 * 1_024;
/// Requests at once on one HTTP/2 connection: a player has four, a cache in front of us many.
const MAX_STREAMS: u32 = 256;
/// How often a silent HTTP/2 peer is asked whether it is still there, and how long it has to say so.
const H2_PING: Duration = Duration::from_secs(15);
/// How long accepting pauses when the process has run out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener that takes a joining crowd: [`BACKLOG`] and `SO_REUSEADDR`.
///
/// Must be called within a Tokio runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves viewers over HTTP/1.1 and, to who begins with its preface, HTTP/2 (RFC 9113 3.3) until `shutdown`; then
/// answers what is held, lets responses be taken for at most [`Settings::drain`], and cuts off the rest.
pub async fn serve(listener: TcpListener, hub: Hub, settings: Settings, shutdown: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(_) if connections.len() >= settings.connections => {
                hub.metrics().connections_refused.inc();
            }
            Ok((stream, peer)) => {
                connections.spawn(converse(stream, peer, hub.clone(), settings, shutdown.clone()));
            }
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    hub.drain();
    let all_done = async { while connections.join_next().await.is_some() {} };
    if timeout(settings.drain, all_done).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "viewers were cut off: they did not take their last responses in time"
        );
        connections.shutdown().await;
    }
}

/// Serves one connection to its end.
async fn converse(stream: TcpStream, peer: SocketAddr, hub: Hub, settings: Settings, shutdown: CancellationToken) {
    let _counted = Counted::on(&hub.metrics().connections);
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY was refused");
    }
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

/// A peer that left before it was accepted costs nothing; anything else is a shortage that trying again at once makes worse.
async fn pause_after(error: &io::Error) {
    if error.kind() != io::ErrorKind::ConnectionAborted {
        tracing::warn!(%error, "connections cannot be accepted: raise the limit of open files (ulimit -n)");
        sleep(ACCEPT_PAUSE).await;
    }
}
