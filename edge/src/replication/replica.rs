//! One channel of an edge: what its origin says is applied to the hub.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::pin;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use touchline_media::ChannelName;
use tracing::{info, warn};

use super::Metrics;
use super::link::{self, Heard, Origins, Over};
use super::log::{Clock, Mark};
use super::wire::Batch;
use crate::channel::{Snapshot, Writer};
use crate::hub::Hub;

/// What is heard of an origin and not applied yet.
const HEARD: usize = 16;
/// After a failure, when an origin is tried again: doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How a channel stands that viewers want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing is known yet.
    Asking,
    /// It is in the hub.
    Open,
    /// No origin has it.
    NotThere,
    /// No origin answers.
    Unreachable,
}

pub(super) struct Replica {
    name: ChannelName,
    hub: Hub,
    origins: Origins,
    /// Opened ahead of time: kept whatever happens.
    named: bool,
    standing: watch::Sender<Standing>,
    writer: Option<Writer>,
    /// Where it stands.
    at: Option<(Mark, Clock)>,
    metrics: Metrics,
}

/// What to do after something was heard.
enum Next {
    GoOn,
    /// What is here is not what the origin has.
    StartAnew,
}

impl Replica {
    pub(super) fn new(
        name: ChannelName,
        hub: Hub,
        origins: Origins,
        named: bool,
        standing: watch::Sender<Standing>,
    ) -> Self {
        let metrics = hub.metrics().replication.clone();
        Self { name, hub, origins, named, standing, writer: None, at: None, metrics }
    }

    /// Follows the channel until its origin has ended it. What happens to the channel afterwards is for the caller to say,
    /// who may drop this at any time.
    pub(super) async fn run(&mut self) {
        let mut pause = FIRST_PAUSE;
        let mut index = 0;
        loop {
            let origins = std::sync::Arc::clone(&self.origins);
            let Some(origin) = origins.get(index % origins.len().max(1)) else { return };
            let before = self.at.map(|(mark, _)| mark);
            let over = self.follow(origin).await;
            match over {
                Over::Removed if !self.named => return,
                Over::NotThere if index + 1 >= origins.len() && !self.named && self.writer.is_none() => {
                    self.standing.send_replace(Standing::NotThere);
                    return;
                }
                Over::NotThere | Over::Removed => {}
                ref why => {
                    self.metrics.breaks.inc();
                    warn!(channel = %self.name, %origin, "no longer followed: {why}");
                }
            }
            if self.at.map(|(mark, _)| mark) != before {
                pause = FIRST_PAUSE;
            }
            index += 1;
            if index.is_multiple_of(origins.len()) {
                if self.writer.is_none() && !self.named {
                    self.standing.send_replace(Standing::Unreachable);
                    return;
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Follows one origin as long as it says something.
    async fn follow(&mut self, origin: &super::Origin) -> Over {
        let (sender, mut heard) = mpsc::channel(HEARD);
        let (name, metrics) = (self.name.clone(), self.metrics.clone());
        let link = link::follow(origin, &name, self.at, sender, &metrics);
        pin!(link);
        loop {
            let next = tokio::select! {
                biased;
                Some(said) = heard.recv() => self.take(said),
                over = &mut link => {
                    while let Ok(said) = heard.try_recv() {
                        self.take(said);
                    }
                    return over;
                }
            };
            if matches!(next, Next::StartAnew) {
                self.at = None;
                return Over::Closed;
            }
        }
    }

    fn take(&mut self, said: Heard) -> Next {
        match said {
            Heard::Snapshot(snapshot, proofs) => {
                self.open(*snapshot);
                let proved = self.writer.as_ref().is_some_and(|writer| writer.is_proved_by(&proofs));
                if !proved {
                    self.metrics.mismatches.inc();
                    warn!(channel = %self.name, "a snapshot gives other playlists than its origin has");
                }
                self.standing.send_replace(Standing::Open);
                Next::GoOn
            }
            Heard::Resumed(_) => {
                self.metrics.resumptions.inc();
                Next::GoOn
            }
            Heard::Batch(batch) => self.apply(&batch),
            Heard::Thumbnail(mark, jpeg) => {
                let Some(writer) = &mut self.writer else { return Next::StartAnew };
                writer.thumbnail_as(mark, jpeg);
                self.at = self.at.map(|(_, clock)| (mark, clock));
                Next::GoOn
            }
            Heard::KeepAlive => Next::GoOn,
        }
    }

    fn open(&mut self, snapshot: Snapshot) {
        self.metrics.snapshots.inc();
        self.at = Some((snapshot.mark, snapshot.clock));
        match &mut self.writer {
            Some(writer) if *writer.channel().presentation() == *snapshot.presentation => writer.restore(snapshot),
            _ => {
                let mut writer = self.hub.open(self.name.clone(), snapshot.presentation.clone());
                writer.restore(snapshot);
                self.writer = Some(writer);
                info!(channel = %self.name, "channel is followed");
            }
        }
    }

    fn apply(&mut self, batch: &Batch) -> Next {
        let (Some(writer), Some((mark, clock))) = (&mut self.writer, self.at) else { return Next::StartAnew };
        if batch.mark != mark.next() {
            warn!(channel = %self.name, "batch {:?} follows {mark:?}: a new snapshot is taken", batch.mark);
            return Next::StartAnew;
        }
        let wrong = writer.apply_as(batch);
        self.at = Some((batch.mark, clock));
        self.metrics.batches.inc();
        self.metrics.seconds.observe(age(batch.made).as_secs_f64());
        if wrong.is_empty() {
            return Next::GoOn;
        }
        self.metrics.mismatches.inc();
        warn!(channel = %self.name, "renditions {wrong:?} are not what the origin has: a new snapshot is taken");
        Next::StartAnew
    }

    /// Takes the channel from the hub.
    pub(super) fn close(self) {
        if let Some(writer) = self.writer {
            self.hub.remove(writer);
        }
    }
}

/// How long ago that was, in microseconds of Unix time; nothing, where the other clock is ahead.
fn age(made: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_micros(made))
}
