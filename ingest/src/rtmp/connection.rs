//! One connection: a socket, a session, and the feed it writes.

use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use touchline_tls::Tls;
use tracing::{Span, debug, info};

use super::departure::{Departures, Farewell};
use super::handshake;
use super::publication::Publication;
use super::session::{self, Media, Output, Request, Session};
use super::{Refusal, Settings, Target, Violation};
use crate::health::Publisher;
use crate::publish::Answer;
use crate::{Awaited, Error, Metrics, Protocol, Publish, Rejection};

/// What all connections share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) settings: Settings,
    pub(super) publishes: mpsc::Sender<Publish>,
    pub(super) metrics: Metrics,
    pub(super) departures: Departures,
    pub(super) shutdown: CancellationToken,
}

/// Serves one peer until either side is done, TLS first where `tls` is given.
pub(super) async fn run<S>(stream: S, tls: Option<Tls>, peer: SocketAddr, context: &Context)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    context.metrics.connections.inc();
    context.metrics.open_connections.inc();
    let since = Instant::now();
    match tls {
        None => Connection::new(stream, peer, Protocol::Rtmp, since, context).run().await,
        Some(tls) => run_secured(stream, &tls, peer, since, context).await,
    }
    context.metrics.open_connections.dec();
}

/// The handshake of TLS takes of the time for that of RTMP.
async fn run_secured<S>(stream: S, tls: &Tls, peer: SocketAddr, since: Instant, context: &Context)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limit = context.settings.handshake;
    let handshake = timeout_at(since + limit, tls.accept(stream));
    let end = match context.shutdown.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => return Connection::new(stream, peer, Protocol::Rtmps, since, context).run().await,
        Some(Ok(Err(source))) if touchline_tls::is_foreign(&source) => Err(Error::NotTls { peer }),
        Some(Ok(Err(source))) => Err(Error::Tls { peer, source }),
        Some(Err(_)) => Err(Error::TimeOut { peer, awaited: Awaited::Handshake, limit }),
        None => Ok(Farewell::Draining),
    };
    context.departures.enter(&end, false);
}

struct Connection<'a, S> {
    stream: S,
    peer: SocketAddr,
    protocol: Protocol,
    context: &'a Context,
    session: Session,
    /// Replies on their way.
    out: Vec<u8>,
    asking: Option<Asking>,
    /// Who asked last.
    who: Option<Publisher>,
    publication: Option<Publication>,
    refusal: Option<Refusal>,
    /// It has been let in at least once.
    published: bool,
    /// It has ended its last publication.
    unpublished: bool,
    /// When it came, or when its last publication ended.
    since: Instant,
    last_byte: Instant,
    last_media: Instant,
    counted: Counted,
}

/// The answer to a request to publish; `None`: nobody takes requests any more.
type Asking = Pin<Box<dyn Future<Output = Option<Answer>> + Send>>;

/// What of the session the metrics have been told.
#[derive(Default)]
struct Counted {
    messages: u64,
    dropped: session::Dropped,
    buffered: usize,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Connection<'a, S> {
    /// A connection that came at `since`.
    fn new(stream: S, peer: SocketAddr, protocol: Protocol, since: Instant, context: &'a Context) -> Self {
        Self {
            stream,
            peer,
            protocol,
            context,
            session: Session::new(peer, random()),
            out: Vec::new(),
            asking: None,
            who: None,
            publication: None,
            refusal: None,
            published: false,
            unpublished: false,
            since,
            last_byte: since,
            last_media: since,
            counted: Counted::default(),
        }
    }

    async fn run(mut self) {
        let end = self.serve().await;
        if let Err(Error::Rtmp { violation, .. }) = &end {
            self.complain(violation).await;
        }
        self.leave(&end);
        if end.is_ok() {
            // RFC 8446 6.1: who closes says so. A peer that is gone need not hear it.
            drop(timeout(LINGER, self.stream.shutdown()).await);
        }
    }

    async fn serve(&mut self) -> Result<Farewell, Error> {
        let mut input = vec![0; session::MAX_INPUT];
        // Made once, and not for each of many reads: the alarm rings early, and is put off then.
        let context = self.context;
        let mut closing = pin!(context.shutdown.cancelled());
        let mut alarm = pin!(sleep_until(self.deadline().0));
        loop {
            self.flush().await?;
            if let Some(refusal) = self.refusal.take() {
                self.linger().await;
                return Err(Error::Refused { peer: self.peer, refusal });
            }
            let (deadline, awaited, limit) = self.deadline();
            if deadline < alarm.deadline() {
                alarm.as_mut().reset(deadline);
            }
            let reads = self.asking.is_none();
            tokio::select! {
                biased;
                () = &mut closing => return self.say_goodbye().await,
                answer = answer(&mut self.asking) => self.on_answer(answer)?,
                // Who waits for our answer is read no further: what it sends ahead stays in its socket.
                read = self.stream.read(&mut input), if reads => match read {
                    // An end of TCP without one of TLS (RFC 8446 6.1): the end of a stream is told by RTMP.
                    Err(source) if source.kind() == ErrorKind::UnexpectedEof => return Ok(self.farewell()),
                    Err(source) => return Err(Error::Connection { peer: self.peer, source }),
                    Ok(0) => return Ok(self.farewell()),
                    Ok(count) => self.on_bytes(input.get(..count).unwrap_or_default())?,
                },
                () = &mut alarm, if reads => {
                    if deadline <= Instant::now() {
                        return Err(Error::TimeOut { peer: self.peer, awaited, limit });
                    }
                    alarm.as_mut().reset(deadline);
                }
            }
        }
    }

    fn farewell(&self) -> Farewell {
        if self.unpublished { Farewell::Unpublished } else { Farewell::Closed }
    }

    /// The time limit that comes first.
    fn deadline(&self) -> (Instant, Awaited, Duration) {
        let settings = &self.context.settings;
        let (from, awaited, limit) = if !self.session.is_greeted() {
            (self.since, Awaited::Handshake, settings.handshake)
        } else if self.publication.is_some() {
            (self.last_media, Awaited::Media, settings.media)
        } else {
            (self.since, Awaited::Publish, settings.publish)
        };
        let phase = (from + limit, awaited, limit);
        let idle = (self.last_byte + settings.idle, Awaited::Byte, settings.idle);
        // A peer that waits for our answer has nothing to say.
        if self.asking.is_none() && idle.0 < phase.0 { idle } else { phase }
    }

    fn on_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.last_byte = Instant::now();
        self.context.metrics.bytes.inc_by(bytes.len() as u64);
        let result = self.session.handle(bytes, self.last_byte.into_std());
        self.take_outputs();
        self.count();
        result
    }

    fn on_answer(&mut self, answer: Option<Answer>) -> Result<(), Error> {
        self.asking = None;
        match answer.unwrap_or(Err(Rejection::Draining)) {
            Err(why) => {
                self.refuse(why.into());
                Ok(())
            }
            Ok(writer) => {
                info!("publishes");
                (self.published, self.unpublished) = (true, false);
                let who = self.who.take();
                self.publication = who.map(|who| Publication::new(writer, who, self.context.metrics.roster()));
                self.context.metrics.publishers.inc();
                let now = Instant::now();
                // The peer was waiting for us.
                self.last_byte = now;
                self.last_media = now;
                let result = self.session.accept(now.into_std());
                self.take_outputs();
                self.count();
                result
            }
        }
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send(bytes) => self.out.extend_from_slice(&bytes),
                Output::Publish(request) => self.ask(request),
                Output::Unpublish => self.unpublish(),
                Output::Metadata(metadata) => {
                    if let Some(publication) = &mut self.publication {
                        publication.on_metadata(metadata);
                    }
                }
                Output::Media(media) => self.on_media(&media),
            }
        }
    }

    fn on_media(&mut self, media: &Media) {
        let Some(publication) = &mut self.publication else { return };
        self.last_media = Instant::now();
        if let Err(unsupported) = publication.on_media(media, &self.context.metrics) {
            self.end_publication();
            self.refuse(unsupported.into());
        } else if publication.is_evicted() {
            self.end_publication();
            self.refuse(Rejection::Replaced.into());
        }
    }

    fn ask(&mut self, Request { app, stream, encoder }: Request) {
        let target = match Target::parse(&app, &stream.0) {
            Ok(target) => target,
            Err(refusal) => return self.refuse(refusal),
        };
        Span::current().record("channel", target.channel.as_str());
        info!(
            encoder = encoder.as_deref().unwrap_or("unknown"),
            "asks to publish {}",
            if target.key.is_some() { "with a key" } else { "without a key" }
        );
        let (publish, answer) = Publish::new(target.channel, target.key, self.peer, self.protocol, encoder);
        self.who = Some(Publisher::of(&publish));
        let publishes = self.context.publishes.clone();
        self.asking = Some(Box::pin(async move {
            publishes.send(publish).await.ok()?;
            answer.await.ok()
        }));
    }

    /// Says no; the connection ends once that has been sent.
    fn refuse(&mut self, refusal: Refusal) {
        self.session.reject(&refusal);
        self.refusal = Some(refusal);
        self.take_outputs();
    }

    fn unpublish(&mut self) {
        info!("unpublishes");
        self.end_publication();
        self.unpublished = true;
        self.since = Instant::now();
    }

    fn end_publication(&mut self) {
        if let Some(publication) = self.publication.take() {
            self.context.metrics.publishers.dec();
            publication.finish();
        }
    }

    /// Tells the peer what it did wrong, if it has come so far as to be told.
    async fn complain(&mut self, violation: &Violation) {
        self.end_publication();
        self.session.complain(violation);
        self.take_outputs();
        if !self.out.is_empty() && self.flush().await.is_ok() {
            self.linger().await;
        }
    }

    async fn say_goodbye(&mut self) -> Result<Farewell, Error> {
        self.session.close();
        self.take_outputs();
        self.flush().await?;
        self.linger().await;
        Ok(Farewell::Draining)
    }

    async fn flush(&mut self) -> Result<(), Error> {
        if self.out.is_empty() {
            return Ok(());
        }
        let (peer, limit) = (self.peer, self.context.settings.write);
        let sending = async {
            self.stream.write_all(&self.out).await?;
            // TLS keeps what its socket has no room for.
            self.stream.flush().await
        };
        match timeout(limit, sending).await {
            Err(_) => Err(Error::TimeOut { peer, awaited: Awaited::Reading, limit }),
            Ok(Err(source)) => Err(Error::Connection { peer, source }),
            Ok(Ok(())) => {
                self.out.clear();
                Ok(())
            }
        }
    }

    /// Gives the peer time to read our last words: closing a socket with unread input resets it, and they would be lost.
    async fn linger(&mut self) {
        let drain = async {
            self.stream.shutdown().await?;
            tokio::io::copy(&mut self.stream, &mut tokio::io::sink()).await
        };
        if let Ok(Err(error)) = timeout(LINGER, drain).await {
            debug!("the connection broke while it was being closed: {error}");
        }
    }

    fn count(&mut self) {
        let metrics = &self.context.metrics;
        let (messages, dropped, buffered) = (self.session.messages(), self.session.dropped(), self.session.buffered());
        metrics.messages.inc_by(messages - self.counted.messages);
        metrics.dropped("empty_message", dropped.empty - self.counted.dropped.empty);
        metrics.dropped("unpublished", dropped.unpublished - self.counted.dropped.unpublished);
        metrics.dropped("bad_data", dropped.bad_data - self.counted.dropped.bad_data);
        metrics.buffered.inc_by(signed(buffered) - signed(self.counted.buffered));
        if let Some(publication) = &self.publication
            && messages > self.counted.messages
        {
            publication.link(messages, buffered);
        }
        self.counted = Counted { messages, dropped, buffered };
    }

    /// Closes the books and tells the log.
    fn leave(&mut self, end: &Result<Farewell, Error>) {
        self.end_publication();
        self.context.metrics.buffered.dec_by(signed(self.counted.buffered));
        self.context.departures.enter(end, self.published);
    }
}

/// How long a peer may take to read our last words, and to close.
const LINGER: Duration = Duration::from_secs(1);

async fn answer(asking: &mut Option<Asking>) -> Option<Answer> {
    match asking {
        Some(asking) => asking.await,
        None => std::future::pending().await,
    }
}

/// 5.2.3: the handshake wants bytes that differ from connection to connection; nothing has to be unguessable.
fn random() -> Box<handshake::Random> {
    let state = RandomState::new();
    let mut random = Box::new([0; handshake::PACKET_LEN - 8]);
    for (n, piece) in random.chunks_exact_mut(8).enumerate() {
        piece.copy_from_slice(&state.hash_one(n).to_ne_bytes());
    }
    random
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
