use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use touchline_tls::Listener;
use tracing::{Instrument, debug, field, info_span, warn};

use super::connection::{self, Context};
use super::departure::Departures;
use crate::gate::{Full, Gate};
use crate::{Metrics, Publish};

/// Limits on who may connect and how long a peer may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The most connections at a time.
    pub connections: usize,
    /// The most connections at a time from one IPv4 address or one IPv6 /64.
    pub connections_per_address: usize,
    /// From the connection to the end of the handshake.
    pub handshake: Duration,
    /// From the connection, or from the end of the last publish, to a request to publish and its answer.
    pub publish: Duration,
    /// Without a byte.
    pub idle: Duration,
    /// Of a publisher, without a whole audio or video message.
    pub media: Duration,
    /// For the peer to take what it is sent.
    pub write: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections: 1_000,
            connections_per_address: 100,
            handshake: Duration::from_secs(10),
            publish: Duration::from_secs(20),
            idle: Duration::from_secs(10),
            media: Duration::from_secs(30),
            write: Duration::from_secs(10),
        }
    }
}

/// Takes publishers from all listeners until `shutdown`, then says goodbye to those that are there. The listeners share the
/// room that there is.
///
/// Each request to publish goes to `publishes`, where its answer is waited for within [`Settings::publish`].
pub async fn serve(
    listeners: impl IntoIterator<Item = Listener>,
    settings: Settings,
    publishes: mpsc::Sender<Publish>,
    metrics: Metrics,
    shutdown: CancellationToken,
) {
    let gate = Gate::new(settings.connections, settings.connections_per_address);
    let departures = Departures::new(metrics.clone());
    let context = Arc::new(Context { settings, publishes, metrics, departures, shutdown });
    let all = TaskTracker::new();
    for listener in listeners {
        all.spawn(admit(listener, gate.clone(), Arc::clone(&context)));
    }
    all.close();
    all.wait().await;
}

/// Lets publishers in as long as there is room for them.
async fn admit(listener: Listener, gate: Gate, context: Arc<Context>) {
    let connections = TaskTracker::new();
    let mut full = false;
    while let Some(accepted) = context.shutdown.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!("cannot accept RTMP connections: {error}");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        let pass = match gate.enter(peer.ip()) {
            Ok(pass) => pass,
            Err(why) => {
                context.metrics.refused(why.label());
                if !std::mem::replace(&mut full, true) {
                    warn!(%peer, "{}", words(why, &context.settings));
                }
                continue;
            }
        };
        full = false;
        set_no_delay(&stream);
        let span = if listener.tls().is_some() {
            info_span!("rtmps", %peer, channel = field::Empty)
        } else {
            info_span!("rtmp", %peer, channel = field::Empty)
        };
        let (context, tls) = (Arc::clone(&context), listener.tls().cloned());
        let connection = async move {
            connection::run(stream, tls, peer, &context).await;
            drop(pass);
        };
        connections.spawn(connection.instrument(span));
    }
    connections.close();
    connections.wait().await;
}

/// How long to wait when the system has no more file descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Answers are small and encoders wait for them.
fn set_no_delay(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!("cannot set TCP_NODELAY: {error}");
    }
}

fn words(full: Full, settings: &Settings) -> String {
    match full {
        Full::Total => {
            format!("refuses RTMP connections: {} are open, the most that are allowed", settings.connections)
        }
        Full::Address => format!(
            "refuses RTMP connections of this address: {} are open, the most that are allowed",
            settings.connections_per_address
        ),
    }
}
