//! The event desk: who watches and how well, how feeds and ladders do, what the next minutes need; once a second.
//!
//! ```text
//! audience, roster, ladders, nodes --gather--> Frame --> the dashboard, by SSE
//!                                    |--> pools: hints::Engine --> autoscalers
//!                                    |--> alerts --> timeline, webhooks
//! ```

mod alarm;
pub(crate) mod audit;
pub(crate) mod calendar;
pub(crate) mod deliveries;
pub(crate) mod frame;
mod gather;
pub(crate) mod history;
mod hops;
mod learning;
mod metrics;
mod notify;
pub(crate) mod pool;
mod rates;
mod state;
mod store;
pub(crate) mod timeline;
mod watchman;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat};
use prometheus_client::registry::Registry;
use tokio::sync::{broadcast, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use self::frame::Frame;
pub(crate) use self::gather::Sources;
pub(crate) use self::hops::Hops;
pub(crate) use self::notify::Notifications;
pub(crate) use self::state::{Refusal, State};
pub(crate) use self::store::Kept;
use self::timeline::Entry;

/// How often everything is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Entries of the timeline that a slow reader may be behind.
const BEHIND: usize = 256;

/// What a desk depends on beside what it looks at.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Settings {
    /// What hints depend on.
    pub(crate) hints: pool::Settings,
    /// The directory that what must outlive the process is kept in; `None`: nothing does.
    pub(crate) state: Option<PathBuf>,
    /// Whom to tell of alerts.
    pub(crate) notifications: Option<Notifications>,
}

/// The desk. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Desk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sources: Sources,
    state: Mutex<State>,
    frames: watch::Sender<Arc<Frame>>,
    entries: broadcast::Sender<Entry>,
}

/// What was kept when the process ended before this one; what cannot be read is an error, before anything has begun.
pub(crate) fn read(settings: &Settings) -> anyhow::Result<Kept> {
    settings.state.as_deref().map_or_else(|| Ok(Kept::default()), Kept::read)
}

impl Desk {
    /// Looks at nothing yet, and goes on from what was kept.
    pub(crate) fn new(sources: Sources, settings: Settings, kept: Kept) -> Self {
        let state = State::new(settings, kept, &sources, unix());
        let frames = watch::Sender::new(Arc::new(Frame::default()));
        Self(Arc::new(Inner { sources, state: Mutex::new(state), frames, entries: broadcast::Sender::new(BEHIND) }))
    }

    /// Registers what only the desk knows, as `touchline_desk_...` and `touchline_hints_...`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        metrics::register(self, registry);
    }

    /// Looks at everything once a second until `shutdown`, then keeps what there is to keep.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let notifications = self.with(|state| state.watchman.notifications().cloned());
        let courier = notifications.map(|to| tokio::spawn(notify::deliver(self.clone(), to, shutdown.clone())));
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = shutdown.cancelled() => break,
            }
            self.look(unix());
            self.keep().await;
        }
        self.keep().await;
        if let Some(courier) = courier {
            let _ = courier.await;
        }
    }

    /// Looks at everything, and tells who listens.
    pub(crate) fn look(&self, now: Duration) {
        let seen = self.0.sources.gather();
        let (frame, entries) = self.with(|state| state.look(now, &self.0.sources, &seen));
        self.0.frames.send_replace(Arc::new(frame));
        self.tell(entries);
    }

    /// Does something to the state, and tells who listens of what comes of it.
    pub(crate) fn act<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let (outcome, entries) = self.with(|state| (act(state), state.timeline.fresh()));
        self.tell(entries);
        outcome
    }

    /// Reads the state.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        read(&mut self.lock())
    }

    /// What was seen last, and what will be.
    pub(crate) fn frames(&self) -> watch::Receiver<Arc<Frame>> {
        self.0.frames.subscribe()
    }

    /// What happens from now on.
    pub(crate) fn entries(&self) -> broadcast::Receiver<Entry> {
        self.0.entries.subscribe()
    }

    /// What it looks at.
    pub(crate) fn sources(&self) -> &Sources {
        &self.0.sources
    }

    fn tell(&self, entries: Vec<Entry>) {
        for entry in entries {
            // Nobody listens.
            let _ = self.0.entries.send(entry);
        }
    }

    /// Writes what has changed and must outlive the process.
    async fn keep(&self) {
        let writings = self.with(State::unwritten);
        if !writings.is_empty() {
            // A disk that hangs holds up nothing but this.
            let _ = tokio::task::spawn_blocking(move || writings.iter().for_each(store::Writing::write)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while it was locked leaves figures of a second ago.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Since 1970.
pub(crate) fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// As people and programs read it (RFC 3339), in UTC.
pub(crate) fn rfc3339(at: Duration) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(millis).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Since 1970.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Duration> {
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    Some(Duration::from_millis(u64::try_from(at.timestamp_millis()).ok()?))
}

#[cfg(test)]
mod tests;
