//! How connections end: counted, and told to the operator.

use std::time::Instant;

use tracing::{debug, info, warn};

use crate::lines::Lines;
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

/// The book of departures that all connections share. Everybody is counted; of strangers who fail, who may be a flood, only so
/// many have a line in the log.
#[derive(Debug, Default)]
pub(super) struct Departures {
    metrics: Metrics,
    lines: Lines,
}

impl Departures {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, lines: Lines::default() }
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
            Err(error) => {
                let words = format!("left: {error}");
                if let Some(line) = self.lines.tell(&words, Instant::now()) {
                    warn!("{line}");
                } else {
                    debug!("{words}");
                }
            }
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
