use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use touchline_media::{ChannelName, feed};
use tracing::{Instrument, debug, info, info_span, warn};

use super::answer::{self, Ours};
use super::candidate::{Fragment, Reachable};
use super::connection::{Command, Connection, etag};
use super::ice::Credentials;
use super::media::Media;
use super::offer::Proposal;
use super::peer::Peer;
use super::routes::Routes;
use super::secure::Identity;
use super::wire::Wire;
use super::{Malformed, NoCodec, SessionId, Settings, random};
use crate::gate::{Gate, Pass};
use crate::health::{Publisher, Report, Seat};
use crate::{Metrics, Protocol, Publish, Rejection, Secret, rtp};

/// The most commands that wait for a session.
const MAX_COMMANDS: usize = 8;

/// Where sessions are arranged, changed and ended. Its clones are one.
#[derive(Debug, Clone)]
pub struct Desk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    context: Arc<Context>,
    publishes: mpsc::Sender<Publish>,
    identity: Identity,
    reachable: Arc<Reachable>,
    routes: Routes,
    wire: Wire,
    gate: Gate,
    unconnected: Gate,
    tasks: TaskTracker,
    sessions: Sessions,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) settings: Settings,
    pub(super) metrics: Metrics,
    pub(super) shutdown: CancellationToken,
}

/// The sessions that are there. Its clones are one.
#[derive(Debug, Clone, Default)]
struct Sessions(Arc<Mutex<HashMap<SessionId, Session>>>);

/// What HTTP has to do with a session.
#[derive(Debug, Clone)]
struct Session {
    /// What it was begun with.
    key: Option<Secret>,
    commands: mpsc::Sender<Command>,
    seat: Arc<Seat>,
}

/// A session's place among the [`Sessions`]. Dropping it forgets the session.
#[derive(Debug)]
struct Place {
    session: SessionId,
    sessions: Sessions,
}
/// A publisher's offer, as HTTP brought it.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Into which channel.
    pub channel: ChannelName,
    /// The secret that the publisher gave.
    pub key: Option<Secret>,
    /// From where the HTTP request came.
    pub peer: SocketAddr,
    /// What the encoder calls itself.
    pub encoder: Option<String>,
    /// The offer itself (RFC 8866).
    pub sdp: String,
}

/// The answer to an [`Offer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The session that is there from now on.
    pub session: SessionId,
    /// Of the ICE session, with its quotation marks (RFC 9725 4.3.1).
    pub etag: String,
    /// The answer itself (RFC 8866).
    pub sdp: String,
}

/// What a patch did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patched {
    /// Candidates were taken note of.
    Candidates,
    /// ICE starts anew.
    Restarted {
        /// Of the new ICE session, with its quotation marks.
        etag: String,
        /// Our part of it (RFC 8840).
        fragment: String,
    },
}

/// Why something is refused, in words for the person at the encoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The channel is not for this publisher, or not now.
    #[error("{0}")]
    Rejected(Rejection),
    /// An offer or a fragment that cannot be read or served.
    #[error("{0}")]
    Malformed(Malformed),
    /// Nothing that is offered can be taken.
    #[error("{0}")]
    NoCodec(NoCodec),
    /// There is no such session, or no more.
    #[error("there is no such session, or it has ended: publish again")]
    NoSession,
    /// Not the key that the session was begun with.
    #[error("the key is missing, or is not the one that this session was begun with")]
    WrongKey,
    /// A patch has to say which ICE session it is for.
    #[error("a patch needs an If-Match header with the ETag of the session, or * to restart ICE")]
    EtagMissing,
    /// A patch for an ICE session that is over.
    #[error("the If-Match header names an ICE session that is over: ICE has been restarted since")]
    EtagStale,
    /// There is no room for another session.
    #[error("as many WebRTC sessions are open as the server takes: try again in a moment")]
    Full,
}

impl Desk {
    pub(super) fn new(
        context: Arc<Context>,
        publishes: mpsc::Sender<Publish>,
        identity: Identity,
        reachable: Reachable,
        routes: Routes,
        wire: Wire,
    ) -> Self {
        let settings = &context.settings;
        Self(Arc::new(Shared {
            gate: Gate::new(settings.sessions, settings.sessions_per_address),
            unconnected: Gate::new(settings.sessions, settings.unconnected_per_address),
            publishes,
            identity,
            reachable: Arc::new(reachable),
            routes,
            wire,
            tasks: TaskTracker::new(),
            sessions: Sessions::default(),
            context,
        }))
    }

    /// The tasks of the sessions.
    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// How many sessions there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.sessions.lock().len()
    }

    /// Where datagrams go.
    #[cfg(test)]
    pub(super) fn routes(&self) -> &Routes {
        &self.0.routes
    }

    /// Asks the channel, and arranges a session if it takes the publisher. The channel is taken from then on; it is let go if
    /// the publisher has not connected within [`Settings::connect`].
    pub async fn offer(&self, offer: Offer) -> Result<Answer, Refusal> {
        let peer = offer.peer;
        let span = info_span!("whip", %peer, channel = %offer.channel);
        let arranged = self.arrange(offer).instrument(span.clone()).await;
        if let Err(refusal) = &arranged {
            self.0.context.metrics.refused(refusal.label());
            span.in_scope(|| warn!("refused: {refusal}"));
        }
        arranged
    }

    /// Takes candidates, or starts ICE anew (RFC 9725 4.3). `if_match` is the header of that name, `fragment` is
    /// `application/trickle-ice-sdpfrag` (RFC 8840).
    pub async fn patch(
        &self,
        session: &SessionId,
        key: Option<&Secret>,
        if_match: Option<&str>,
        fragment: &str,
    ) -> Result<Patched, Refusal> {
        let found = self.0.sessions.find(session, key)?;
        let if_match = if_match.ok_or(Refusal::EtagMissing)?.to_owned();
        let fragment = Fragment::parse(fragment)?;
        let (answer, patched) = oneshot::channel();
        let command = Command::Patch { if_match, fragment, answer };
        found.commands.send(command).await.map_err(|_| Refusal::NoSession)?;
        patched.await.unwrap_or(Err(Refusal::NoSession))
    }

    /// Ends a session. When it returns, its channel is free.
    pub async fn close(&self, session: &SessionId, key: Option<&Secret>) -> Result<(), Refusal> {
        let found = self.0.sessions.find(session, key)?;
        let (answer, closed) = oneshot::channel();
        found.commands.send(Command::Close(answer)).await.map_err(|_| Refusal::NoSession)?;
        // It is dropped when all is over.
        drop(closed.await);
        Ok(())
    }

    /// How the feed of a session does.
    pub fn health(&self, session: &SessionId, key: Option<&Secret>) -> Result<Report, Refusal> {
        let found = self.0.sessions.find(session, key)?;
        found.seat.read(Instant::now().into_std()).ok_or(Refusal::NoSession)
    }

    async fn arrange(&self, offer: Offer) -> Result<Answer, Refusal> {
        let shared = &*self.0;
        if shared.context.shutdown.is_cancelled() {
            return Err(Refusal::Rejected(Rejection::Draining));
        }
        let proposal = Proposal::parse(&offer.sdp)?;
        let address = offer.peer.ip();
        let pass = shared.gate.enter(address).map_err(|_| Refusal::Full)?;
        let unconnected = shared.unconnected.enter(address).map_err(|_| Refusal::Full)?;
        let key = offer.key.clone();
        let (writer, who) = self.ask(offer).await?;
        self.begin(&proposal, key, writer, who, (pass, unconnected))
    }

    /// Asks for the channel.
    async fn ask(&self, offer: Offer) -> Result<(feed::Writer, Publisher), Refusal> {
        let Shared { publishes, context, .. } = &*self.0;
        info!("asks to publish {}", if offer.key.is_some() { "with a key" } else { "without a key" });
        let (publish, answer) = Publish::new(offer.channel, offer.key, offer.peer, Protocol::Whip, offer.encoder);
        let who = Publisher::of(&publish);
        let asking = async {
            publishes.send(publish).await.ok()?;
            answer.await.ok()
        };
        let limit = context.settings.publish;
        let answer = timeout(limit, asking).await.unwrap_or(Some(Err(Rejection::Undecided)));
        answer.unwrap_or(Err(Rejection::Draining)).map(|writer| (writer, who)).map_err(Refusal::Rejected)
    }

    /// Everything is agreed upon: the session is there from now on.
    fn begin(
        &self,
        proposal: &Proposal,
        key: Option<Secret>,
        writer: feed::Writer,
        who: Publisher,
        (pass, unconnected): (Pass, Pass),
    ) -> Result<Answer, Refusal> {
        let shared = &*self.0;
        let (session, local, now) = (SessionId::random(), Credentials::random(), Instant::now());
        let peer = Peer::new(proposal, &shared.identity, local.clone(), now.into_std()).map_err(|broken| {
            warn!("{broken}");
            Refusal::Rejected(Rejection::Draining)
        })?;
        let streams: Vec<rtp::Description> = proposal.media().map(Media::description).collect();
        let settings =
            rtp::Settings { keyframe_interval: shared.context.settings.keyframe_interval, ..rtp::Settings::default() };
        let publication = rtp::Publication::new(writer, &streams, settings, now.into_std());
        let health = publication.intake().health();
        let from = who.peer;
        let seat = Arc::new(shared.context.metrics.roster().enter(who, health.clone(), now.into_std()));
        let (route, inbox) = shared.routes.open(session, &local);
        let (commands, orders) = mpsc::channel(MAX_COMMANDS);
        let place = shared.sessions.enter(session, Session { key, commands, seat: Arc::clone(&seat) });
        let ours = Ours {
            local: &local,
            fingerprint: shared.identity.fingerprint(),
            reachable: &shared.reachable,
            number: u64::from_be_bytes(random::bytes()) >> 2,
        };
        let answer = Answer { session, etag: etag(&local), sdp: answer::write(proposal, &ours) };
        let connection = Connection {
            peer,
            from,
            publication,
            health: health.clone(),
            wire: shared.wire.clone(),
            route,
            reachable: Arc::clone(&shared.reachable),
            section: answer::first_section(proposal),
            context: Arc::clone(&shared.context),
            started: now,
            unconnected: Some(unconnected),
            _seat: seat,
        };
        let task = async move {
            let closing = connection.run(inbox, orders).await;
            drop((place, pass));
            drop(closing);
        };
        debug!("session {session:?} is arranged for {streams:?}");
        shared.tasks.spawn(task.instrument(tracing::Span::current()));
        Ok(answer)
    }
}

impl Sessions {
    fn enter(&self, session: SessionId, entry: Session) -> Place {
        self.lock().insert(session, entry);
        Place { session, sessions: self.clone() }
    }

    fn find(&self, session: &SessionId, key: Option<&Secret>) -> Result<Session, Refusal> {
        let found = self.lock().get(session).cloned().ok_or(Refusal::NoSession)?;
        match &found.key {
            Some(begun_with) if key != Some(begun_with) => Err(Refusal::WrongKey),
            _ => Ok(found),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Session>> {
        // No code that holds the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.session);
    }
}

impl Refusal {
    /// The value of the `reason` label.
    fn label(&self) -> &'static str {
        match self {
            Self::Rejected(why) => why.label(),
            Self::Malformed(_) => "malformed",
            Self::NoCodec(_) => "codec",
            Self::NoSession => "no_session",
            Self::WrongKey => "unauthorised",
            Self::EtagMissing | Self::EtagStale => "etag",
            Self::Full => "connections",
        }
    }
}
