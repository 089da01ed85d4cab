//! One session: a peer, and the feed it writes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::candidate::{Fragment, Reachable};
use super::desk::{Context, Patched, Refusal};
use super::ice::{Credentials, Path};
use super::peer::{Event, Peer};
use super::routes::{Datagram, Route};
use super::wire::Wire;
use crate::gate::Pass;
use crate::health::{Health, Seat};
use crate::{Awaited, Error, Rejection, rtp};

/// How often the figures of a connection are read.
const STATS_INTERVAL: Duration = Duration::from_secs(1);
/// The most datagrams that are taken before what they bring about is looked after.
const MAX_BATCH: usize = 64;

/// What is wanted of a session by HTTP.
#[derive(Debug)]
pub(super) enum Command {
    Patch {
        if_match: String,
        fragment: Fragment,
        answer: oneshot::Sender<Result<Patched, Refusal>>,
    },
    /// The answer is that it is dropped, when all is over.
    Close(oneshot::Sender<()>),
}

/// A session.
pub(super) struct Connection {
    pub(super) peer: Peer,
    /// From where the offer came.
    pub(super) from: SocketAddr,
    pub(super) publication: rtp::Publication,
    pub(super) health: Health,
    pub(super) wire: Wire,
    pub(super) route: Route,
    pub(super) reachable: Arc<Reachable>,
    /// The section that our candidates belong to.
    pub(super) section: String,
    pub(super) context: Arc<Context>,
    pub(super) started: Instant,
    /// Until it has connected.
    pub(super) unconnected: Option<Pass>,
    pub(super) _seat: Arc<Seat>,
}

/// How a session ended in peace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Farewell {
    /// The publisher said so, by HTTP or over the connection.
    Closed,
    /// The server goes away.
    Draining,
}

/// What a session has brought, and when.
struct Progress {
    connected: bool,
    /// When the last datagram came. A session begins with none.
    last_datagram: Option<Instant>,
    last_media: Instant,
    units: u64,
    round_trip: Option<Duration>,
    next_figures: Instant,
    /// Whoever waits for the end.
    closing: Option<oneshot::Sender<()>>,
}

impl Connection {
    /// Serves the session until either side is done. Gives back whoever waits for the end.
    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Datagram>,
        mut commands: mpsc::Receiver<Command>,
    ) -> Option<oneshot::Sender<()>> {
        self.context.metrics.connections.inc();
        self.context.metrics.open_connections.inc();
        let mut progress = Progress {
            connected: false,
            last_datagram: None,
            last_media: self.started,
            units: 0,
            round_trip: None,
            next_figures: self.started + STATS_INTERVAL,
            closing: None,
        };
        let end = self.serve(&mut inbox, &mut commands, &mut progress).await;
        self.peer.close(Instant::now().into_std());
        self.transmit();
        if progress.connected {
            self.context.metrics.publishers.dec();
        }
        self.read_figures(&progress);
        self.leave(&end, &progress);
        let Self { publication, context, .. } = self;
        publication.finish(&context.metrics);
        context.metrics.open_connections.dec();
        progress.closing
    }

    async fn serve(
        &mut self,
        inbox: &mut mpsc::Receiver<Datagram>,
        commands: &mut mpsc::Receiver<Command>,
        progress: &mut Progress,
    ) -> Result<Farewell, Error> {
        let shutdown = self.context.shutdown.clone();
        loop {
            let (deadline, awaited, limit) = self.deadline(progress);
            let now = Instant::now();
            if deadline <= now {
                return Err(self.timed_out(awaited, limit));
            }
            if progress.next_figures <= now {
                progress.next_figures = now + STATS_INTERVAL;
                self.read_figures(progress);
            }
            if self.publication.intake().is_evicted() {
                return Err(Error::Rejected { peer: self.from, why: Rejection::Replaced });
            }
            let due = [self.peer.poll_timeout(), self.publication.poll_timeout()];
            let due = due
                .into_iter()
                .flatten()
                .map(Instant::from_std)
                .fold(deadline.min(progress.next_figures), Instant::min);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(Farewell::Draining),
                Some(command) = commands.recv() => if self.obey(command, progress) {
                    return Ok(Farewell::Closed);
                },
                Some(datagram) = inbox.recv() => {
                    let mut next = Some(datagram);
                    let mut taken = 0;
                    while let Some(datagram) = next.take() {
                        self.peer.handle(datagram.path, &datagram.data, datagram.received);
                        taken += 1;
                        next = if taken < MAX_BATCH { inbox.try_recv().ok() } else { None };
                    }
                    progress.last_datagram = Some(Instant::now());
                }
                () = sleep_until(due) => {}
            }
            if self.pass_on(progress) {
                return Ok(Farewell::Closed);
            }
        }
    }

    /// Hands on what the peer has brought, and sends what is to be sent. True at the end.
    fn pass_on(&mut self, progress: &mut Progress) -> bool {
        let (now, context) = (Instant::now(), Arc::clone(&self.context));
        self.peer.handle_timeout(now.into_std());
        let mut closed = false;
        while let Some(event) = self.peer.poll_event() {
            match event {
                Event::Connected => self.connected(progress, now),
                Event::Packet { stream, packet } => {
                    self.publication.packet(stream, packet, now.into_std(), &context.metrics);
                }
                Event::Report { stream, report } => self.publication.report(stream, report, now.into_std()),
                Event::RoundTrip(round_trip) => {
                    progress.round_trip = Some(round_trip);
                    self.publication.round_trip(round_trip);
                }
                Event::Closed => closed = true,
            }
        }
        self.publication.handle_timeout(now.into_std(), &context.metrics);
        while let Some(feedback) = self.publication.poll_feedback() {
            self.peer.ask(&feedback);
        }
        let units = self.publication.counters().units;
        if std::mem::replace(&mut progress.units, units) != units {
            progress.last_media = now;
        }
        self.transmit();
        closed
    }

    fn connected(&mut self, progress: &mut Progress, now: Instant) {
        progress.connected = true;
        progress.last_media = now;
        self.unconnected = None;
        self.context.metrics.publishers.inc();
        let by = match self.peer.agent().selected() {
            Some(Path::Tcp(address)) => format!("TCP from {address}"),
            Some(Path::Udp(address)) => format!("UDP from {address}"),
            None => "no path".to_owned(),
        };
        info!("publishes: connected by {by} after {:?}", now.duration_since(self.started));
    }

    fn transmit(&mut self) {
        while let Some((path, datagram)) = self.peer.poll_transmit() {
            self.wire.send(path, datagram);
        }
    }

    /// Does what HTTP wants. True at the end.
    fn obey(&mut self, command: Command, progress: &mut Progress) -> bool {
        match command {
            Command::Close(answer) => {
                progress.closing = Some(answer);
                true
            }
            Command::Patch { if_match, fragment, answer } => {
                // Who does not wait for the answer any more needs none.
                drop(answer.send(self.patch(&if_match, fragment)));
                false
            }
        }
    }

    /// RFC 9725 4.3.
    fn patch(&mut self, if_match: &str, fragment: Fragment) -> Result<Patched, Refusal> {
        let names_current = if_match.split(',').any(|tag| tag.trim() == etag(self.peer.agent().local()));
        if !names_current && if_match.trim() != "*" {
            return Err(Refusal::EtagStale);
        }
        let Some(remote) = fragment.remote.filter(|remote| !self.peer.agent().is_remote(remote)) else {
            return Ok(Patched::Candidates);
        };
        let local = Credentials::random();
        self.route.expect(&local);
        let fragment = self.reachable.fragment(&local, &self.section);
        let etag = etag(&local);
        self.peer.restart_ice(local, remote);
        info!("restarts ICE");
        Ok(Patched::Restarted { etag, fragment })
    }

    /// The time limit that comes first.
    fn deadline(&self, progress: &Progress) -> (Instant, Awaited, Duration) {
        let settings = &self.context.settings;
        if !progress.connected {
            let awaited = if progress.last_datagram.is_some() { Awaited::Handshake } else { Awaited::Datagram };
            return (self.started + settings.connect, awaited, settings.connect);
        }
        let last = progress.last_datagram.unwrap_or(self.started);
        let idle = (last + settings.idle, Awaited::Byte, settings.idle);
        let media = (progress.last_media + settings.media, Awaited::Media, settings.media);
        if idle.0 < media.0 { idle } else { media }
    }

    fn timed_out(&self, awaited: Awaited, limit: Duration) -> Error {
        match self.peer.trouble() {
            Some(trouble) if awaited == Awaited::Handshake => {
                Error::Webrtc { peer: self.from, trouble: trouble.clone() }
            }
            _ => Error::TimeOut { peer: self.from, awaited, limit },
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn read_figures(&self, progress: &Progress) {
        let counters = self.publication.counters();
        self.health.link([
            ("received_packets", counters.packets as f64),
            ("lost_packets", counters.lost as f64),
            ("recovered_packets", counters.recovered as f64),
            ("requested_packets", counters.nacked as f64),
            ("duplicate_packets", counters.duplicates as f64),
            ("keyframe_requests", counters.keyframe_requests as f64),
            ("connected", f64::from(u8::from(progress.connected))),
        ]);
        let seconds = |name, time: Option<Duration>| time.map(|time| (name, time.as_secs_f64()));
        self.health.link(seconds("round_trip_seconds", progress.round_trip));
        self.health.link(seconds("keyframe_answer_seconds", counters.keyframe_answer));
    }

    /// Closes the books and tells the log.
    fn leave(&self, end: &Result<Farewell, Error>, progress: &Progress) {
        let metrics = &self.context.metrics;
        metrics.departed(match end {
            Ok(Farewell::Closed) => "closed",
            Ok(Farewell::Draining) => "draining",
            Err(error) => error.label(),
        });
        if let Err(Error::Rejected { why, .. }) = end {
            metrics.refused(why.label());
        }
        let counters = self.publication.counters();
        let round_trip = progress.round_trip.map_or_else(|| "not known".to_owned(), |time| format!("{time:?}"));
        let totals = format!(
            "{} packets received, {} never came; {} were asked for again, {} of them came, {} came twice; {} keyframes were asked \
             for; round trip {round_trip}",
            counters.packets,
            counters.lost,
            counters.nacked,
            counters.recovered,
            counters.duplicates,
            counters.keyframe_requests,
        );
        match end {
            Ok(Farewell::Closed) => info!("left: closed the connection; {totals}"),
            Ok(Farewell::Draining) => info!("sent away: the server is shutting down; {totals}"),
            Err(error) => warn!("left: {error}; {totals}"),
        }
    }
}

/// Names an ICE session (RFC 9725 4.3.1): by our ufrag, which no other has.
pub(super) fn etag(local: &Credentials) -> String {
    format!("\"{}\"", local.ufrag)
}
