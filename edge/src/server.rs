use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use touchline_tls::Listener;

use crate::annex::Site;
use crate::connection;
use crate::settings::Settings;

/// How long accepting pauses when the process has run out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves viewers over HTTP/1.1 and HTTP/2 on all listeners until `shutdown`; then answers what is held, lets responses
/// be taken for at most [`Settings::drain`], and cuts off the rest. The listeners share [`Settings::connections`].
///
/// HTTP/2 is for who asks for it by ALPN, or, in the clear, begins with its preface (RFC 9113 3.3).
pub async fn serve(
    listeners: impl IntoIterator<Item = Listener>,
    site: impl Into<Site>,
    settings: Settings,
    shutdown: CancellationToken,
) {
    let site = site.into();
    let room = Arc::new(Semaphore::new(settings.connections.min(Semaphore::MAX_PERMITS)));
    let mut open = JoinSet::new();
    for listener in listeners {
        open.spawn(admit(listener, site.clone(), settings, Arc::clone(&room), shutdown.clone()));
    }
    while open.join_next().await.is_some() {}
}

/// Lets viewers in as long as there is room for them.
async fn admit(listener: Listener, site: Site, settings: Settings, room: Arc<Semaphore>, shutdown: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&room).try_acquire_owned() {
                Ok(place) => {
                    let (tls, site, shutdown) = (listener.tls().cloned(), site.clone(), shutdown.clone());
                    connections.spawn(async move {
                        connection::serve(stream, peer, tls, site, settings, shutdown).await;
                        drop(place);
                    });
                }
                Err(_) => {
                    site.hub().metrics().connections_refused.inc();
                }
            },
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    site.hub().drain();
    let all_done = async { while connections.join_next().await.is_some() {} };
    if timeout(settings.drain, all_done).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "viewers were cut off: they did not take their last responses in time"
        );
        connections.shutdown().await;
    }
}

/// A peer that left before it was accepted costs nothing; anything else is a shortage that trying again at once makes worse.
async fn pause_after(error: &io::Error) {
    if error.kind() != io::ErrorKind::ConnectionAborted {
        tracing::warn!(%error, "connections cannot be accepted: raise the limit of open files (ulimit -n)");
        sleep(ACCEPT_PAUSE).await;
    }
}
