//! Whether new viewers are let in.
//!
//! A server that is asked for more than it can do is late for everybody, and players that are late ask for more. So it turns
//! away who comes, as long as it is late or nearly full, and serves who watches. A new viewer is known by what it asks for
//! first, the multivariant playlist.

mod rule;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use self::rule::{Change, Reason, Rule};
use crate::metrics::Metrics;
use crate::settings::Settings;

/// How often each core is measured.
const TICK: Duration = Duration::from_millis(100);

/// What the cores of a server are measured by, and who is turned away for it.
#[derive(Debug)]
pub(crate) struct Admission {
    rule: Mutex<Rule>,
    /// What the rule says.
    closed: AtomicBool,
    /// Viewers and connections that have been told to come again.
    told: AtomicU64,
    metrics: Metrics,
}

impl Admission {
    /// Of a server with so many cores.
    pub(crate) fn new(cores: usize, settings: &Settings, metrics: Metrics) -> Self {
        let rule = Mutex::new(Rule::new(cores, settings.lag, settings.connections));
        Self { rule, closed: AtomicBool::new(false), told: AtomicU64::new(0), metrics }
    }

    /// Measures the core that this runs on, by how late a timer goes off, for as long as it is polled.
    pub(crate) async fn measure(&self, core: usize) {
        loop {
            let due = Instant::now() + TICK;
            sleep_until(due).await;
            self.measured(core, due.elapsed());
        }
    }

    /// Whether new viewers are turned away.
    pub(crate) fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Counts a new viewer that is turned away; after how many seconds it is to come again.
    pub(crate) fn turn_away(&self) -> u64 {
        self.metrics.viewers_refused.inc();
        self.retry_after()
    }

    /// After how many seconds who is not let in is to come again.
    pub(crate) fn retry_after(&self) -> u64 {
        rule::retry_after(self.told.fetch_add(1, Ordering::Relaxed))
    }

    fn measured(&self, core: usize, late: Duration) {
        let connections = usize::try_from(self.metrics.connections.get()).unwrap_or_default();
        let mut rule = self.rule.lock().unwrap_or_else(PoisonError::into_inner);
        let change = rule.measured(core, late, connections, std::time::Instant::now());
        self.metrics.lag_seconds.set(rule.lag().as_secs_f64());
        self.closed.store(rule.closed(), Ordering::Relaxed);
        drop(rule);
        match change {
            Some(Change::Closed(reason)) => tell(reason, connections),
            Some(Change::Opened(after)) => {
                tracing::info!("new viewers are let in again, after {:.0} s", after.as_secs_f64());
            }
            None => {}
        }
    }
}

/// Says once for each spell what is done and why.
fn tell(reason: Reason, connections: usize) {
    match reason {
        Reason::Late(lag) => tracing::warn!(
            connections,
            "new viewers are turned away: what is due is done {} ms late, and more viewers would make it later for all. \
             Start another edge, or see what else keeps this machine busy",
            lag.as_millis()
        ),
        Reason::Full => tracing::warn!(
            connections,
            "new viewers are turned away: nearly as many connections are open as may be. Start another edge, or raise \
             [viewers] connections where memory and the limit of open files (ulimit -n) allow"
        ),
    }
}
