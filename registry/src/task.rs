//! The shell around a [`Member`]: a store, the clock, the disk.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::book::News;
use crate::change::Write;
use crate::member::{Clock, Member};
use crate::metrics::Metrics;
use crate::node::Node;
use crate::notice::Notice;
use crate::registry::{Registry, Settings};
use crate::state::State;
use crate::store::{Failure, Refusal, Session, Store, Word, Writing};

/// How long a store may take to be reached.
const CONNECT: Duration = Duration::from_secs(10);
/// How long it may take to say what it has, and to take a write. Longer than NATS takes to elect another leader.
const ANSWER: Duration = Duration::from_secs(10);
/// The first pause before it is tried again, which doubles...
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// ...up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a node takes at most to give up its claims when it goes.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often what is known is written to the disk, at most.
const SAVING: Duration = Duration::from_secs(1);

/// Keeps a [`Registry`]: writes what this node has, reads what others have.
#[derive(Debug)]
pub struct Task {
    registry: Registry,
    member: Member,
    settings: Settings,
    store: Store,
    state: Option<State>,
    metrics: Metrics,
    /// What is known is not on the disk.
    unsaved: bool,
    saving: Option<(tokio::time::Instant, JoinHandle<()>)>,
}

/// How a session of the store came to its end.
enum End {
    /// The node has given up its claims, or had no more time to.
    Left,
    Lost(Failure),
}

impl Task {
    pub(crate) fn new(registry: Registry, settings: Settings, store: Store, metrics: Metrics) -> Self {
        let clock = Clock { instant: now(), unix: unix() };
        let started = u64::try_from(clock.unix.as_millis()).unwrap_or(u64::MAX);
        let node = Node { url: settings.url.clone(), role: settings.role, started, load: (settings.load)() };
        let mut member = Member::new(settings.node.clone(), node, settings.lease, clock);
        let state = settings.state.clone().map(State::new);
        if let Some(state) = &state {
            remember(state, &mut member, &metrics);
        }
        let mut task = Self { registry, member, settings, store, state, metrics, unsaved: false, saving: None };
        task.tell_readers(News::Places);
        task
    }

    /// Keeps the registry until `shutdown`, then gives up what this node has claimed.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        let mut lost_at = None;
        while !shutdown.is_cancelled() {
            let connecting = timeout(CONNECT, self.store.connect());
            let session = tokio::select! {
                session = connecting => session.unwrap_or_else(|_| Err(late("no answer", CONNECT))),
                () = shutdown.cancelled() => break,
            };
            let failure = match session {
                Ok(session) => match self.converse(session, &shutdown, &mut lost_at).await {
                    End::Left => break,
                    End::Lost(failure) => failure,
                },
                Err(failure) => failure,
            };
            self.member.lost(now());
            self.metrics.connected.set(0);
            self.metrics.failures.inc();
            self.tell_readers(News::Load);
            if lost_at.is_none() {
                pause = FIRST_PAUSE;
                lost_at = Some(Instant::now());
                self.complain(&failure);
            } else {
                debug!("the registry is still away: {failure}");
            }
            self.idle(pause, &shutdown).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        if let Some((_, saving)) = self.saving.take() {
            let _ = saving.await;
        }
    }

    /// Reads and writes until the store is gone, or this node is.
    async fn converse(
        &mut self,
        mut session: Session,
        shutdown: &CancellationToken,
        lost_at: &mut Option<Instant>,
    ) -> End {
        self.member.begin();
        let mut tick = interval((self.settings.lease / 20).clamp(Duration::from_millis(10), SAVING));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut writing: Option<(Write, Writing)> = None;
        let mut until = tokio::time::Instant::now() + ANSWER;
        let (mut synced, mut leaving) = (false, false);
        loop {
            self.take_wishes();
            if writing.is_none()
                && let Some(write) = self.member.poll(now())
            {
                until = tokio::time::Instant::now() + ANSWER;
                writing = Some((write.clone(), (session.pen)(write)));
            }
            self.tell_readers(News::Places);
            if self.member.has_left() {
                return End::Left;
            }
            tokio::select! {
                word = session.words.next() => {
                    match word {
                        Some(Ok(word)) => synced |= self.hear(word, lost_at),
                        Some(Err(failure)) => return End::Lost(failure),
                        None => return End::Lost(Failure::Broken("it has closed it".into())),
                    }
                }
                written = answer(&mut writing) => {
                    if let Some((write, written)) = written && let Err(failure) = self.written(write, written) {
                        return End::Lost(failure);
                    }
                }
                () = self.registry.woken() => {}
                _ = tick.tick() => {
                    self.member.load((self.settings.load)());
                    self.tell_readers(News::Load);
                    if synced {
                        self.save();
                    }
                }
                () = sleep_until(until), if !synced || leaving || writing.is_some() => {
                    return if leaving { End::Left } else { End::Lost(late("no answer", ANSWER)) };
                }
                () = shutdown.cancelled(), if !leaving => {
                    leaving = true;
                    until = tokio::time::Instant::now() + FAREWELL;
                    self.member.leave();
                }
            }
        }
    }

    /// Takes a word of the store; whether that was the last of what it has.
    fn hear(&mut self, word: Word, lost_at: &mut Option<Instant>) -> bool {
        self.metrics.heard.now();
        match word {
            Word::Change(change) => {
                if self.member.apply(&change, now()).is_err() {
                    self.metrics.unreadable.inc();
                    debug!(key = %change.key, "a value of the registry is passed over: it cannot be read, or there is no room");
                }
                self.tell_operator();
            }
            Word::Synced => {
                self.member.synced(now());
                self.metrics.connected.set(1);
                if let Some(lost) = lost_at.take() {
                    info!("the registry is there again, after {}", humane(lost.elapsed()));
                } else {
                    info!("the registry is there: {}", self.store.name());
                }
                return true;
            }
            Word::Unknown => {
                self.metrics.unreadable.inc();
            }
        }
        false
    }

    fn written(&mut self, write: Write, written: Result<u64, Refusal>) -> Result<(), Failure> {
        match written {
            Ok(revision) => {
                self.metrics.heard.now();
                if matches!(&write.key, crate::key::Key::Node(_)) && write.value.is_some() {
                    self.metrics.renewals.inc();
                }
                self.member.wrote(write, revision, now());
                self.tell_operator();
                Ok(())
            }
            Err(Refusal::Conflict(key)) => {
                debug!("another node has written {key} first");
                self.metrics.conflicts.inc();
                self.member.refused(write, now());
                Ok(())
            }
            Err(Refusal::Failure(failure)) => Err(failure),
        }
    }

    /// Waits, and still does what can be done without a store.
    async fn idle(&mut self, pause: Duration, shutdown: &CancellationToken) {
        let over = sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                () = shutdown.cancelled() => return,
                () = self.registry.woken() => {
                    self.take_wishes();
                    self.tell_readers(News::Places);
                }
            }
        }
    }

    fn take_wishes(&mut self) {
        self.member.want(&self.registry.announced());
        for (pathway, drained) in self.registry.orders() {
            self.member.drain(pathway, drained, now());
        }
    }

    /// Hands readers what they miss, if it is at least so much.
    fn tell_readers(&mut self, least: News) {
        let news = self.member.news(now());
        if news == News::None || news < least {
            return;
        }
        self.unsaved |= news == News::Places;
        let snapshot = self.member.snapshot();
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.nodes.set(count(snapshot.nodes.values().filter(|known| known.live).count()));
        self.metrics.channels.set(count(snapshot.channels().count()));
        self.registry.publish(snapshot);
    }

    fn tell_operator(&mut self) {
        for notice in self.member.notices() {
            if matches!(notice, Notice::Fenced { .. }) {
                self.metrics.fenced.inc();
            }
            if notice.is_trouble() {
                warn!("{notice}");
            } else {
                info!("{notice}");
            }
        }
    }

    fn complain(&self, failure: &Failure) {
        let store = self.store.name();
        let known = match self.metrics.heard.age() {
            Some(age) => format!("what was known {} ago holds", humane(age)),
            None if self.state.is_some() => "nothing is known from before".to_owned(),
            None => "nothing is known from before; with [cluster] state = \"DIR\" it would be".to_owned(),
        };
        warn!(
            "the registry at {store} is away: {failure}. Nobody who is connected is touched; {known}. It is tried again"
        );
    }

    /// Has what is known written to the disk, if it is not there, and was not just now.
    fn save(&mut self) {
        let Some(state) = self.state.clone().filter(|_| self.unsaved) else { return };
        let busy = |(since, saving): &(tokio::time::Instant, JoinHandle<()>)| {
            since.elapsed() < SAVING || !saving.is_finished()
        };
        if self.saving.as_ref().is_some_and(busy) {
            return;
        }
        self.unsaved = false;
        let (known, unix) = (self.member.memory(), unix());
        let saving = tokio::task::spawn_blocking(move || {
            if let Err(error) = state.save(known, unix) {
                warn!(
                    "what is known of the cluster cannot be kept in {}: {error}; a restart while the registry is away would \
                     begin without it",
                    state.directory().display()
                );
            }
        });
        self.saving = Some((tokio::time::Instant::now(), saving));
    }
}

/// The outcome of the write that is under way; never comes when there is none.
async fn answer(writing: &mut Option<(Write, Writing)>) -> Option<(Write, Result<u64, Refusal>)> {
    let Some((_, pending)) = writing else { return std::future::pending().await };
    let written = pending.await;
    writing.take().map(|(write, _)| (write, written))
}

fn remember(state: &State, member: &mut Member, metrics: &Metrics) {
    let directory = state.directory().display();
    match state.load(unix()) {
        Ok(Some((known, age))) => {
            metrics.heard.ago(age);
            info!("what was known of the cluster {} ago is read from {directory}", humane(age));
            member.remember(known, now());
        }
        Ok(None) => {}
        Err(error) => warn!("what was known of the cluster cannot be read from {directory}: {error}; it is made anew"),
    }
}

fn late(what: &str, after: Duration) -> Failure {
    Failure::Unreachable(format!("{what} within {after:?}"))
}

/// To the second, from a second on.
fn humane(age: Duration) -> String {
    let age = if age < Duration::from_secs(1) { age } else { Duration::from_secs(age.as_secs()) };
    format!("{age:?}")
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
