use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use touchline_media::ChannelName;
use touchline_srt::listener::{Admission, Hello, Options};
use touchline_srt::{DEFAULT_LATENCY, Error, Listener, Passphrase, Reject};
use tracing::{Instrument, debug, field, info_span, warn};

use super::StreamId;
use super::connection::{self, Context};
use super::turned_away::TurnedAway;
use crate::gate::{Full, Gate};
use crate::lines::Lines;
use crate::{Metrics, Publish, Rejection, Secret};

/// Limits on who may connect and how long a peer may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The most connections at a time.
    pub connections: usize,
    /// The most connections at a time from one IPv4 address or one IPv6 /64.
    pub connections_per_address: usize,
    /// The least time for what is lost to come again; a caller may ask for more.
    pub latency: Duration,
    /// From the connection to the answer to its request to publish.
    pub publish: Duration,
    /// Of a publisher, without a datagram.
    pub idle: Duration,
    /// Of a publisher, without a whole access unit.
    pub media: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections: 1_000,
            connections_per_address: 100,
            latency: DEFAULT_LATENCY,
            publish: Duration::from_secs(20),
            idle: Duration::from_secs(10),
            media: Duration::from_secs(30),
        }
    }
}

/// Says at once whether somebody with this secret may publish into a channel now, and with which passphrase. It is asked on
/// the thread that carries all streams: it must not wait for anything.
pub type Door =
    Box<dyn Fn(&ChannelName, Option<&Secret>, SocketAddr) -> Result<Option<Passphrase>, Rejection> + Send + Sync>;

/// Listens on `address`. Callers are turned away until [`Bound::serve`].
pub fn bind(address: SocketAddr, settings: Settings) -> Result<Bound, Error> {
    let desk = Arc::new(OnceLock::<Desk>::new());
    let options = Options { latency: settings.latency, sockets: settings.connections };
    let asked = Arc::clone(&desk);
    let listener = Listener::bind(address, &options, move |hello| asked.get().ok_or(Reject::DOWN)?.admit(hello))?;
    Ok(Bound { listener, desk, settings })
}

/// A listener that is bound.
#[derive(Debug)]
pub struct Bound {
    listener: Listener,
    desk: Arc<OnceLock<Desk>>,
    settings: Settings,
}

impl Bound {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// Takes publishers that `door` lets in until `shutdown`, then closes the connections of those that are there. Callers
    /// are let in from now on, and answered while the future is polled.
    ///
    /// Each request to publish goes to `publishes`, where its answer is waited for within [`Settings::publish`].
    pub fn serve(
        self,
        door: Door,
        publishes: mpsc::Sender<Publish>,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let gate = Gate::new(self.settings.connections, self.settings.connections_per_address);
        let context = Arc::new(Context { settings: self.settings, publishes, metrics, shutdown });
        let (full, lines) = (AtomicBool::new(false), Lines::default());
        let desk = Desk { gate: gate.clone(), door, context: Arc::clone(&context), full, lines };
        self.desk.get_or_init(|| desk);
        accept(self.listener, gate, context)
    }
}

async fn accept(mut listener: Listener, gate: Gate, context: Arc<Context>) {
    let connections = TaskTracker::new();
    let (mut turned_away, mut look) = (TurnedAway::default(), interval(LOOK_EVERY));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            now = look.tick() => {
                turned_away.tell(&listener.turned_away(), now, &context.metrics);
                continue;
            }
            () = context.shutdown.cancelled() => break,
        };
        let socket = match accepted {
            Ok(socket) => socket,
            Err(error) => {
                warn!("an SRT connection was lost before it was taken: {error}");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        // The desk has seen that there was room; somebody may have been faster.
        let Ok(pass) = gate.enter(socket.peer().ip()) else { continue };
        let span = info_span!("srt", peer = %socket.peer(), channel = field::Empty);
        let context = Arc::clone(&context);
        let connection = async move {
            connection::run(socket, &context).await;
            drop(pass);
        };
        connections.spawn(connection.instrument(span));
    }
    connections.close();
    connections.wait().await;
}

/// How often it is looked whom libsrt has turned away.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait when there is something wrong with accepting.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Where callers are judged before they are connected.
struct Desk {
    gate: Gate,
    door: Door,
    context: Arc<Context>,
    /// Whether it has been told that there is no room.
    full: AtomicBool,
    lines: Lines,
}

impl Desk {
    fn admit(&self, hello: &Hello<'_>) -> Result<Admission, Reject> {
        let metrics = &self.context.metrics;
        if self.context.shutdown.is_cancelled() {
            metrics.refused("draining");
            return Err(Reject::DOWN);
        }
        self.check_room(hello.peer.ip())?;
        let target = StreamId::parse(hello.stream_id).map_err(|malformed| {
            metrics.refused("stream_id");
            self.tell(hello.peer, None, &format!("SRT caller refused: {malformed}"));
            malformed.reject()
        })?;
        let StreamId { channel, key } = target;
        let passphrase = (self.door)(&channel, key.as_ref(), hello.peer).map_err(|why| {
            metrics.refused(why.label());
            self.tell(hello.peer, Some(&channel), &format!("SRT caller refused: {why}{}", hint(why)));
            code(why)
        })?;
        Ok(Admission { passphrase, latency: None })
    }

    /// Tells the log of a stranger.
    fn tell(&self, peer: SocketAddr, channel: Option<&ChannelName>, words: &str) {
        let channel = channel.map(field::display);
        if let Some(line) = self.lines.tell(words, Instant::now()) {
            warn!(%peer, channel, "{line}");
        } else {
            debug!(%peer, channel, "{words}");
        }
    }

    fn check_room(&self, address: IpAddr) -> Result<(), Reject> {
        let Err(why) = self.gate.has_room(address) else {
            self.full.store(false, Ordering::Relaxed);
            return Ok(());
        };
        self.context.metrics.refused(why.label());
        if !self.full.swap(true, Ordering::Relaxed) {
            let settings = &self.context.settings;
            let (whose, count) = match why {
                Full::Total => ("", settings.connections),
                Full::Address => (" of its address", settings.connections_per_address),
            };
            warn!(%address, "refuses SRT callers{whose}: {count} are connected, the most that are allowed");
        }
        Err(Reject::OVERLOAD)
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("gate", &self.gate).finish_non_exhaustive()
    }
}

/// What goes on after the words of a rejection.
fn hint(why: Rejection) -> &'static str {
    match why {
        Rejection::Unauthorised => ": the stream ID has to be publish:CHANNEL:SECRET",
        _ => "",
    }
}

/// What the caller is told.
fn code(why: Rejection) -> Reject {
    match why {
        Rejection::Busy | Rejection::Replaced => Reject::CONFLICT,
        Rejection::Full | Rejection::Undecided => Reject::OVERLOAD,
        Rejection::Unauthorised => Reject::UNAUTHORIZED,
        Rejection::Draining => Reject::DOWN,
    }
}
