use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use touchline_tls::Listener;

use crate::annex::Site;
use crate::cores::{Cores, Entrant};
use crate::metrics::Metrics;
use crate::refusal::Refusals;
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
    let cores = Arc::new(Cores::start(&site, settings, &shutdown));
    let room = Arc::new(Semaphore::new(settings.connections.min(Semaphore::MAX_PERMITS)));
    let mut doors = JoinSet::new();
    for listener in listeners {
        let (cores, room, metrics) = (Arc::clone(&cores), Arc::clone(&room), site.hub().metrics().clone());
        doors.spawn(admit(listener, cores, room, metrics, shutdown.clone()));
    }
    while doors.join_next().await.is_some() {}
    site.hub().drain();
    if let Some(cores) = Arc::into_inner(cores) {
        cores.end().await;
    }
}

/// Lets viewers in as long as there is room for them.
async fn admit(
    listener: Listener,
    cores: Arc<Cores>,
    room: Arc<Semaphore>,
    metrics: Metrics,
    shutdown: CancellationToken,
) {
    let refusals = Refusals::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        let tls = listener.tls().cloned();
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            metrics.connections_refused.inc();
            refusals.tell(stream, tls.is_some(), cores.admission().retry_after());
            continue;
        };
        if let Err(error) = cores.deal(Entrant { stream, peer, tls, place }) {
            tracing::warn!(%peer, %error, "a viewer's connection could not be handed over");
        }
    }
}

/// A peer that left before it was accepted costs nothing; anything else is a shortage that trying again at once makes worse.
async fn pause_after(error: &io::Error) {
    if error.kind() != io::ErrorKind::ConnectionAborted {
        tracing::warn!(%error, "connections cannot be accepted: raise the limit of open files (ulimit -n)");
        sleep(ACCEPT_PAUSE).await;
    }
}
