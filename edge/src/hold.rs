//! Held requests. Every hold ends: answered, timed out, or dropped with its connection.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::metrics::{Counted, Metrics};

/// The requests that one channel holds.
#[derive(Debug)]
pub(crate) struct Holds {
    now: AtomicUsize,
    limit: usize,
    longest: Duration,
    metrics: Metrics,
}

/// Why a request is held no longer, or not at all, without what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfulfilled {
    /// The channel holds as many requests as it may.
    Full { limit: usize },
    /// It was held as long as it may be.
    Timeout { after: Duration },
}

impl Holds {
    /// At most `limit` requests at once, each for at most `longest`.
    pub(crate) fn new(limit: usize, longest: Duration, metrics: Metrics) -> Self {
        Self { now: AtomicUsize::new(0), limit, longest, metrics }
    }

    /// What `judge` makes of the first state that it has an answer to: of the present one at once, else of each that
    /// follows, while the request counts as held. Woken by changes alone.
    pub(crate) async fn until<S, T>(
        &self,
        states: &watch::Sender<S>,
        mut judge: impl FnMut(&S) -> Option<T>,
    ) -> Result<T, Unfulfilled> {
        if let Some(answer) = judge(&states.borrow()) {
            return Ok(answer);
        }
        let _held = self.hold()?;
        let mut states = states.subscribe();
        let answer = async {
            loop {
                if let Some(answer) = judge(&states.borrow_and_update()) {
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
        if self.now.fetch_add(1, Ordering::Relaxed) < self.limit {
            return Ok(hold);
        }
        self.metrics.holds_refused.inc();
        Err(Unfulfilled::Full { limit: self.limit })
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
