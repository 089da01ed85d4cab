//! One channel of an edge: what its origins say is applied to the hub.
//!
//! The channel of the origin that viewers have goes straight to the hub. That of another one, which is followed so that it can
//! be turned to, is kept in a *shadow*: a channel that no viewer sees. Turning to it goes on with the same history where both
//! origins have it from the same place, else splices the one programme to the other, else replaces the channel.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep_until;
use touchline_media::ChannelName;
use touchline_packager::{Event, Shift, Unfit};
use tracing::{Instrument as _, Span, info, warn};

use super::failover::{Act, Failover};
use super::link::{self, Heard, Over, Unheard};
use super::log::{Clock, Mark};
use super::proof::Proof;
use super::wire::Batch;
use super::{Directory, Metrics, Origin};
use crate::channel::{Snapshot, Writer};
use crate::hub::Hub;

/// What is heard of all origins and not applied yet.
const HEARD: usize = 16;
/// A channel that viewers have and no origin has any more is closed after so long: an encoder may come back to an origin
/// that has started anew.
const MISSED: Duration = Duration::from_secs(30);

/// How often it is looked whether there are further origins.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Origins of a channel that are kept in mind; further ones are not turned to.
const MAX_ORIGINS: usize = 16;

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
    directory: Directory,
    /// Those that it has named so far. They only become more: one that it names no longer may be cut off from who told it.
    origins: Vec<Arc<Origin>>,
    looked: Option<Instant>,
    /// Opened ahead of time: kept whatever happens.
    named: bool,
    standing: watch::Sender<Standing>,
    failover: Failover,
    sides: Vec<Side>,
    /// What viewers have.
    writer: Option<Writer>,
    /// Since when no origin has the channel.
    missed: Option<Instant>,
    metrics: Metrics,
}

/// What is known of one origin.
#[derive(Debug, Default)]
struct Side {
    link: Option<Following>,
    /// Where its channel stands that is here.
    at: Option<(Mark, Clock)>,
    /// Its channel, while viewers have another one's.
    shadow: Option<Writer>,
    /// How its events become those of the viewers' channel, where that has gone on with it.
    shift: Option<Shift>,
    last: Last,
}

/// What came of following an origin the last time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Unknown,
    Heard,
    NotThere,
    Failed,
}

/// A link that is dropped is closed.
#[derive(Debug)]
struct Following {
    /// Tells what it says from what an earlier one has said.
    number: u64,
    task: JoinHandle<()>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a link says.
struct Said {
    origin: usize,
    link: u64,
    what: Result<Heard, Over>,
}

impl Replica {
    pub(super) fn new(
        name: ChannelName,
        hub: Hub,
        directory: Directory,
        named: bool,
        warm: bool,
        standing: watch::Sender<Standing>,
    ) -> Self {
        let metrics = hub.metrics().replication.clone();
        let failover = Failover::new(0, warm, Instant::now());
        let (origins, sides) = (Vec::new(), Vec::new());
        Self {
            name,
            hub,
            directory,
            origins,
            looked: None,
            named,
            standing,
            failover,
            sides,
            writer: None,
            missed: None,
            metrics,
        }
    }

    /// Follows the channel until no origin has it any more. What happens to it afterwards is for the caller to say, who may
    /// drop this at any time.
    pub(super) async fn run(&mut self) {
        let (sender, mut heard) = mpsc::channel(HEARD);
        let mut links = 0;
        loop {
            let now = Instant::now();
            self.look(now);
            while let Some(act) = self.failover.poll(now) {
                match act {
                    Act::Follow(origin) => {
                        links += 1;
                        self.follow(origin, links, &sender);
                    }
                    Act::TurnTo(origin) => self.turn_to(origin),
                    Act::Leave(origin) => self.leave(origin),
                }
            }
            if self.is_over(now) {
                return;
            }
            let due = self.failover.deadline(now).map_or(now + LOOK_EVERY, |due| due.min(now + LOOK_EVERY));
            tokio::select! {
                biased;
                Some(said) = heard.recv() => self.take(said),
                () = sleep_until(due.into()) => {}
            }
        }
    }

    /// Gets to know the origins that have come since the last time.
    fn look(&mut self, now: Instant) {
        if self.looked.is_some_and(|looked| now < looked + LOOK_EVERY) {
            return;
        }
        self.looked = Some(now);
        for origin in self.directory.of(&self.name) {
            let known = self.origins.iter().any(|known| known.address() == origin.address());
            if !known && self.origins.len() < MAX_ORIGINS {
                self.origins.push(origin);
                self.sides.push(Side::default());
            }
        }
        self.failover.grow(self.origins.len(), now);
    }

    /// Takes the channel from the hub.
    pub(super) fn close(&mut self) {
        if let Some(writer) = self.writer.take() {
            self.hub.remove(writer);
        }
    }

    fn follow(&mut self, index: usize, number: u64, heard: &mpsc::Sender<Said>) {
        let Some(side) = self.sides.get_mut(index) else { return };
        let Some(origin) = self.origins.get(index).map(Arc::clone) else { return };
        let (name, metrics, heard) = (self.name.clone(), self.metrics.clone(), heard.clone());
        let from = side.at;
        let task = async move {
            let say = |what| Said { origin: index, link: number, what };
            let over = link::follow(
                &origin,
                &name,
                from,
                async |what| heard.send(say(Ok(what))).await.map_err(|_| Unheard),
                &metrics,
            )
            .await;
            // Nobody listens any more where this does not arrive.
            let _ = heard.send(say(Err(over))).await;
        };
        side.link = Some(Following { number, task: tokio::spawn(task.instrument(Span::current())) });
    }

    fn leave(&mut self, origin: usize) {
        if let Some(side) = self.sides.get_mut(origin) {
            *side = Side { last: side.last, ..Side::default() };
        }
    }

    /// Viewers get the channel of this origin from now on.
    fn turn_to(&mut self, index: usize) {
        for other in (0..self.sides.len()).filter(|other| *other != index) {
            // Only that of the standbys is of use.
            if self.sides.get(other).is_some_and(|side| side.shadow.is_none()) {
                self.leave(other);
            }
        }
        self.merge(index);
    }

    fn take(&mut self, said: Said) {
        let Said { origin, link, what } = said;
        let Some(side) = self.sides.get_mut(origin) else { return };
        if side.link.as_ref().is_none_or(|following| following.number != link) {
            return;
        }
        let now = Instant::now();
        let heard = match what {
            Ok(heard) => heard,
            Err(over) => return self.lost(origin, &over, now),
        };
        side.last = Last::Heard;
        self.missed = None;
        match heard {
            Heard::KeepAlive => self.failover.heard(origin, false, now),
            Heard::Resumed(mark) => {
                if side.at.is_none_or(|(at, _)| at != mark) {
                    return self.start_anew(origin, now);
                }
                self.failover.heard(origin, false, now);
                self.metrics.resumptions.inc();
            }
            Heard::Snapshot(snapshot, proofs) => {
                self.failover.parts_last(snapshot.presentation.part_target);
                self.failover.heard(origin, false, now);
                self.shade(origin, *snapshot, &proofs);
                self.merge_if_active(origin);
            }
            Heard::Batch(batch) => {
                self.failover.heard(origin, true, now);
                self.batch(origin, &batch, now);
            }
            Heard::Thumbnail(mark, jpeg) => {
                self.failover.heard(origin, false, now);
                self.thumbnail(origin, mark, jpeg);
            }
        }
    }

    fn lost(&mut self, index: usize, over: &Over, now: Instant) {
        self.failover.lost(index, now);
        let Some(side) = self.sides.get_mut(index) else { return };
        side.link = None;
        if side.shadow.take().is_some() {
            side.at = None;
        }
        side.last = match over {
            Over::NotThere | Over::Removed => Last::NotThere,
            _ => Last::Failed,
        };
        if side.last == Last::Failed {
            self.metrics.breaks.inc();
            let origin = self.origins.get(index).map(ToString::to_string).unwrap_or_default();
            warn!("{origin} is no longer followed: {over}");
        }
    }

    /// Keeps what an origin begins with apart from what viewers have.
    fn shade(&mut self, origin: usize, snapshot: Snapshot, proofs: &[Proof]) {
        let Some(side) = self.sides.get_mut(origin) else { return };
        self.metrics.snapshots.inc();
        side.at = Some((snapshot.mark, snapshot.clock));
        side.shift = None;
        let mut shadow = self.hub.shadow(self.name.clone(), Arc::clone(&snapshot.presentation));
        shadow.restore(snapshot);
        if !shadow.is_proved_by(proofs) {
            self.metrics.mismatches.inc();
            warn!("a snapshot gives other playlists than its origin has");
        }
        side.shadow = Some(shadow);
    }

    fn batch(&mut self, origin: usize, batch: &Batch, now: Instant) {
        let Some(side) = self.sides.get_mut(origin) else { return };
        let Some((mark, clock)) = side.at else { return self.start_anew(origin, now) };
        if batch.mark.line == mark.line && batch.mark.position <= mark.position {
            return;
        }
        if batch.mark.position != mark.position + 1 {
            warn!("batch {} follows {}: a new snapshot is taken", batch.mark.position, mark.position);
            return self.start_anew(origin, now);
        }
        let ends = batch.events.iter().any(|event| matches!(event, Event::Ended));
        if ends && self.failover.ended(origin, now) && side.shadow.is_none() {
            info!("the channel ends on an origin while another goes on with it");
            return;
        }
        let wrong = match (&mut side.shadow, &mut self.writer) {
            (Some(shadow), _) => shadow.apply_as(batch),
            (None, Some(writer)) => {
                self.metrics.batches.inc();
                self.metrics.seconds.observe(age(batch.made).as_secs_f64());
                self.metrics.recent.add(age(batch.made));
                match side.shift {
                    None => writer.apply_as(batch),
                    Some(shift) => {
                        let events: Vec<Event> = batch.events.iter().filter_map(|event| shift.apply(event)).collect();
                        writer.apply_made(&events, batch.made);
                        Vec::new()
                    }
                }
            }
            (None, None) => return self.start_anew(origin, now),
        };
        side.at = Some((batch.mark, clock));
        if !wrong.is_empty() {
            self.metrics.mismatches.inc();
            warn!("renditions {wrong:?} are not what the origin has: a new snapshot is taken");
            return self.start_anew(origin, now);
        }
        self.merge_if_active(origin);
    }

    fn thumbnail(&mut self, origin: usize, mark: Mark, jpeg: bytes::Bytes) {
        let Some(side) = self.sides.get_mut(origin) else { return };
        let Some((_, clock)) = side.at else { return };
        side.at = Some((mark, clock));
        match (&mut side.shadow, &mut self.writer) {
            (Some(shadow), _) => shadow.thumbnail_as(mark, jpeg),
            (None, Some(writer)) if side.shift.is_none() => writer.thumbnail_as(mark, jpeg),
            (None, Some(writer)) => writer.thumbnail(jpeg),
            (None, None) => {}
        }
    }

    /// What is here is not what the origin has.
    fn start_anew(&mut self, origin: usize, now: Instant) {
        self.leave(origin);
        self.failover.lost(origin, now);
    }

    fn merge_if_active(&mut self, origin: usize) {
        if self.failover.active() == Some(origin) && self.sides.get(origin).is_some_and(|side| side.shadow.is_some()) {
            self.merge(origin);
        }
    }

    /// Has viewers go on with the channel of an origin.
    fn merge(&mut self, index: usize) {
        let Some(side) = self.sides.get_mut(index) else { return };
        let Some(shadow) = side.shadow.take() else { return };
        let origin = self.origins.get(index).map(ToString::to_string).unwrap_or_default();
        let Some(writer) = &mut self.writer else {
            info!("the channel is followed from {origin}");
            return self.replace(&shadow);
        };
        if writer.mark().line == shadow.mark().line {
            info!("the channel is followed from {origin}, which has it from the same place");
            writer.restore(shadow.snapshot());
            return;
        }
        match writer.splice(&shadow) {
            Ok(shift) => {
                side.shift = Some(shift);
                self.metrics.splices.inc();
                warn!("viewers go on with the channel of {origin}, after a discontinuity");
            }
            Err(Unfit::TooEarly) => side.shadow = Some(shadow),
            Err(Unfit::Ended) if !writer.channel().live() => {
                info!("the channel that has ended here is another one on {origin}");
                self.replace(&shadow);
            }
            Err(Unfit::Ended) => writer.apply(&[Event::Ended]),
            Err(why @ Unfit::Different) => {
                warn!("viewers cannot go on with the channel of {origin} and have to load it anew: {why}");
                self.replace(&shadow);
            }
        }
    }

    /// Puts a channel in the place of what viewers have.
    fn replace(&mut self, shadow: &Writer) {
        let snapshot = shadow.snapshot();
        let mut writer = self.hub.open(self.name.clone(), Arc::clone(&snapshot.presentation));
        writer.restore(snapshot);
        self.writer = Some(writer);
        self.standing.send_replace(Standing::Open);
    }

    /// Whether there is nothing to be followed.
    fn is_over(&mut self, now: Instant) -> bool {
        let all = |last: Last| self.sides.iter().all(|side| side.link.is_none() && side.last == last);
        let tried = self.sides.iter().all(|side| side.link.is_none() && side.last != Last::Unknown);
        let (missing, failed) = (all(Last::NotThere), tried && !all(Last::NotThere));
        if !missing {
            self.missed = None;
        }
        let Some(writer) = &self.writer else {
            let standing = if missing { Standing::NotThere } else { Standing::Unreachable };
            if !self.named && (missing || failed) {
                self.standing.send_replace(standing);
                return true;
            }
            return false;
        };
        let since = *self.missed.get_or_insert(now);
        let over = missing && (!writer.channel().live() || now.saturating_duration_since(since) >= MISSED);
        if !missing {
            self.missed = None;
        }
        if over && self.named {
            self.close();
            return false;
        }
        over
    }
}

/// How long ago that was, in microseconds of Unix time; nothing, where the other clock is ahead.
fn age(made: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_micros(made))
}
