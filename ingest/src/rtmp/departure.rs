//! How connections end: counted, and told to the operator.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::{Error, Metrics};

/// How a connection ended in peace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// The peer closed it after it had unpublished.
    Unpublished,
    /// The peer closed it.
    Closed,
    /// The server goes away.
    Draining,
}

/// The most lines on strangers who fail in [`PERIOD`].
const MAX_LINES: u32 = 10;
/// What [`MAX_LINES`] are for.
const PERIOD: Duration = Duration::from_secs(10);

/// The book of departures that all connections share. Everybody is counted; of strangers who fail, who may be a flood, only so
/// many have a line in the log.
#[derive(Debug, Default)]
pub(super) struct Departures {
    metrics: Metrics,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    /// When the period began.
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Departures {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, lines: Mutex::default() }
    }

    /// A connection has ended that has published, or never has.
    pub(super) fn enter(&self, end: &Result<Farewell, Error>, published: bool) {
        self.count(end);
        match end {
            Ok(Farewell::Unpublished) => info!("left: unpublished"),
            Ok(Farewell::Closed) if published => info!("left: closed the connection without unpublishing"),
            Ok(Farewell::Closed) => debug!("left: closed the connection without publishing"),
            Ok(Farewell::Draining) => info!("sent away: the server is shutting down"),
            Err(error) if published => warn!("left: {error}"),
            Err(error) => match self.lines().ask(Instant::now()) {
                None => debug!("left: {error}"),
                Some(0) => warn!("left: {error}"),
                Some(others) => {
                    warn!("left: {error}; and {others} others who never published, since the last such line");
                }
            },
        }
    }

    fn count(&self, end: &Result<Farewell, Error>) {
        self.metrics.departed(label(end));
        match end {
            Err(Error::Refused { refusal, .. }) => self.metrics.refused(refusal.label()),
            Err(Error::Rtmp { .. }) => {
                self.metrics.protocol_errors.inc();
            }
            _ => {}
        }
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        // No code that holds the lock can leave the counts half changed.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    /// Whether there may be a line now, and how many there were none for since the last.
    fn ask(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.duration_since(since) >= PERIOD) {
            (self.since, self.written) = (Some(now), 0);
        }
        if self.written >= MAX_LINES {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// The value of the `reason` label.
fn label(end: &Result<Farewell, Error>) -> &'static str {
    match end {
        Ok(Farewell::Unpublished) => "unpublished",
        Ok(Farewell::Closed) => "closed",
        Ok(Farewell::Draining) => "draining",
        Err(error) => error.label(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_has_so_many_lines_and_the_first_after_it_tells_how_many_had_none() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in 0..10 {
            assert_eq!(lines.ask(at(second / 2)), Some(0));
        }
        for _ in 0..1_000 {
            assert_eq!(lines.ask(at(9)), None);
        }
        assert_eq!(lines.ask(at(10)), Some(1_000));
        assert_eq!(lines.ask(at(11)), Some(0));
    }
}
