//! One publisher: it connects, sends what is due, and comes back when it has lost its server.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::call::{Call, Gone};
use super::clip::Clip;
use super::line::{Line, Media};
use super::pace::{Fault, Kind, Pace};
use super::record::{Record, State};
use super::schedule::Schedule;

/// Pauses before it connects again; the last one from then on.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// How often what a protocol counts is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// All that a publisher is told.
pub(super) struct Publisher {
    pub(super) call: Call,
    pub(super) media: Media,
    pub(super) clip: Arc<Clip>,
    /// Which of the clip's tracks it sends.
    pub(super) tracks: Vec<usize>,
    /// How often it plays the clip; for ever without.
    pub(super) turns: Option<u64>,
    /// Which of the clip's keyframes it begins with.
    pub(super) first: usize,
    pub(super) pace: Pace,
    pub(super) faults: Vec<Fault>,
    /// When it begins.
    pub(super) start: Instant,
    /// True once all are to end.
    pub(super) stop: watch::Receiver<bool>,
    pub(super) record: Record,
}

/// Why no more is sent by a connection.
enum End {
    /// All are to end, or the clip is over.
    Over,
    /// A fault is due.
    Fault(Kind),
    Gone(Gone),
}

impl Publisher {
    /// Publishes until it is told to stop, its media is over or a fault ends it.
    pub(super) async fn run(mut self) {
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => return,
            () = sleep_until(self.start) => {}
        }
        let mut schedule = None;
        let mut failures = 0;
        loop {
            self.record.set(State::Connecting);
            let opened = tokio::select! {
                biased;
                () = stopped(&mut self.stop) => return self.record.set(State::Ended),
                opened = Line::open(&self.call, &self.media, &self.clip) => opened,
            };
            let ended = match opened {
                Ok(line) => {
                    failures = 0;
                    let now = Instant::now();
                    // An encoder's clock begins when it is let in, and never stops from then on.
                    let schedule = schedule.get_or_insert_with(|| self.schedule(now));
                    self.record.on_air(schedule.rejoin(now));
                    Box::pin(self.play(line, schedule)).await
                }
                Err(gone) => End::Gone(gone),
            };
            match ended {
                End::Over | End::Fault(Kind::Close) => return self.record.set(State::Ended),
                End::Gone(gone) => self.record.lost(&gone),
                End::Fault(_) => {}
            }
            self.record.set(State::Waiting);
            let pause = PAUSES.get(failures).or(PAUSES.last()).copied().unwrap_or_default();
            failures += 1;
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => return self.record.set(State::Ended),
                () = sleep_until(Instant::now() + pause) => {}
            }
        }
    }

    fn schedule(&self, start: Instant) -> Schedule {
        Schedule::new(Arc::clone(&self.clip), &self.tracks, self.turns, self.first, start, self.pace.clone())
    }

    /// Sends what is due for as long as the connection holds.
    async fn play(&mut self, mut line: Line, schedule: &mut Schedule) -> End {
        let began = Instant::now();
        let mut look = began + LOOK_EVERY;
        let cut = self.cut(schedule.start(), began);
        let end = loop {
            let Some(due) = schedule.due() else { break End::Over };
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => break End::Over,
                kind = when(cut) => break End::Fault(kind),
                () = sleep_until(due) => {}
                gone = line.attend() => break End::Gone(gone),
            }
            while let Some(unit) = schedule.take(Instant::now()) {
                match line.send(&unit, &self.clip).await {
                    Ok(length) => self.record.sent(length, Instant::now() - unit.at),
                    Err(gone) => return End::Gone(gone),
                }
            }
            if Instant::now() >= look {
                self.record.look(line.figures());
                look += LOOK_EVERY;
            }
        };
        self.record.look(line.figures());
        self.record.left();
        if let End::Over = end {
            // Whoever does not hear it finds out by itself.
            let _ = timeout(GOODBYE, Box::pin(line.finish(&self.call))).await;
        }
        end
    }

    /// When a connection that begins at `began` is cut off, if it is.
    fn cut(&self, start: Instant, began: Instant) -> Option<(Instant, Kind)> {
        let cuts = self.faults.iter().filter(|fault| matches!(fault.kind, Kind::Close | Kind::Drop));
        let cuts = cuts.map(|fault| (start + fault.at, fault.kind)).filter(|(at, _)| *at > began);
        cuts.min_by_key(|(at, _)| *at)
    }
}

/// Completes when all are to end.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever could say so is gone only when all has ended.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Completes when a fault is due.
async fn when(cut: Option<(Instant, Kind)>) -> Kind {
    match cut {
        Some((at, kind)) => {
            sleep_until(at).await;
            kind
        }
        None => std::future::pending().await,
    }
}
