//! Held requests. Every hold ends: answered, timed out, or dropped with its connection.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::metrics::{Counted, Metrics};
use crate::settings::Settings;

/// The requests that one channel holds.
#[derive(Debug)]
pub(crate) struct Holds {
    now: AtomicUsize,
    limit: usize,
    /// Of all channels together.
    limit_of_all: usize,
    longest: Duration,
    metrics: Metrics,
}

/// Why a request is held no longer, or not at all, without what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfulfilled {
    /// The channel holds as many requests as it may.
    Full { limit: usize },
    /// All channels together hold as many requests as they may.
    AllFull { limit: usize },
    /// It was held as long as it may be.
    Timeout { after: Duration },
}

impl Holds {
    /// As many requests at once as the settings allow, each for at most `longest`.
    pub(crate) fn new(settings: &Settings, longest: Duration, metrics: Metrics) -> Self {
        let (limit, limit_of_all) = (settings.held_per_channel, settings.held);
        Self { now: AtomicUsize::new(0), limit, limit_of_all, longest, metrics }
    }

    /// What `judge` makes of the first state that it has an answer to: of the present one at once, else of each that
    /// follows and is seen, while the request counts as held: of which it is told. Woken by changes alone.
    pub(crate) async fn until<S, T>(
        &self,
        states: &watch::Sender<S>,
        mut judge: impl FnMut(&S, bool) -> Option<T>,
    ) -> Result<T, Unfulfilled> {
        if let Some(answer) = judge(&states.borrow(), false) {
            return Ok(answer);
        }
        let _held = self.hold()?;
        let mut states = states.subscribe();
        let answer = async {
            loop {
                if let Some(answer) = judge(&states.borrow_and_update(), true) {
                    return answer;
                }
                if states.changed().await.is_err() {
                    // The sender outlives this borrow of it.
                    std::future::pending::<()>().await;
                }
            }
        };
        timeout(self.longest, answer).await.map_err(|_| Unfulfilled::Timeout { after: self.longest })
    }

    /// Whether it holds any.
    pub(crate) fn any(&self) -> bool {
        self.now.load(Ordering::Relaxed) > 0
    }

    fn hold(&self) -> Result<Hold<'_>, Unfulfilled> {
        let hold = Hold { now: &self.now, _counted: Counted::on(&self.metrics.held) };
        let here = self.now.fetch_add(1, Ordering::Relaxed);
        let in_all = usize::try_from(self.metrics.held.get()).unwrap_or_default();
        let refusal = match (self.limit, self.limit_of_all) {
            (limit, _) if here >= limit => Unfulfilled::Full { limit },
            (_, limit) if in_all > limit => Unfulfilled::AllFull { limit },
            _ => return Ok(hold),
        };
        self.metrics.holds_refused.inc();
        Err(refusal)
    }
}

/// Counts as held until dropped.
struct Hold<'a> {
    now: &'a AtomicUsize,
    _counted: Counted,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}
