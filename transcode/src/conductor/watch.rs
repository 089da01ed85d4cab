use std::time::{Duration, Instant};

use crate::message::Report;

/// How long a worker may take from its start to its first report: it may have to look through all plugins.
const STARTING: Duration = Duration::from_secs(15);
/// A worker that has reported says something ten times a second, or is dead in all but name.
const SILENCE: Duration = Duration::from_millis(700);
/// How long pictures may wait in a worker without one coming out.
const STUCK: Duration = Duration::from_secs(3);

/// Whether a worker is alive.
#[derive(Debug)]
pub(super) struct Watch {
    began: Instant,
    reported: bool,
    heard: Instant,
    /// What had come out when something last did, and when that was.
    progress: (u64, Instant),
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, reported: false, heard: now, progress: (0, now) }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(super) fn report(&mut self, report: &Report, now: Instant) {
        self.reported = true;
        let out = report.rungs.iter().map(|rung| rung.frames_out).sum();
        let waiting = report.rungs.iter().any(|rung| rung.queued > 0);
        if out != self.progress.0 || !waiting {
            self.progress = (out, now);
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        if self.reported { (self.heard + SILENCE).min(self.progress.1 + STUCK) } else { self.began + STARTING }
    }

    /// What is wrong with it, in words, if something is.
    pub(super) fn judge(&self, now: Instant) -> Option<String> {
        if now < self.deadline() {
            return None;
        }
        let since = |at| now.duration_since(at).as_millis();
        Some(match self.reported {
            false => format!("it has not begun to work within {} s", STARTING.as_secs()),
            true if now >= self.heard + SILENCE => format!("it has said nothing for {} ms", since(self.heard)),
            true => format!("it has encoded nothing for {} ms", since(self.progress.1)),
        })
    }
}
