//! A node's part in the cluster: what it writes when. No I/O, no clock.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use touchline_media::ChannelName;

use crate::book::{Book, MEMORY, Mark, News, Remembered, Unreadable};
use crate::change::{Change, Write};
use crate::id::Id;
use crate::key::Key;
use crate::node::{Load, Node};
use crate::notice::Notice;
use crate::record::{Record, Standing};
use crate::registry::Stance;
use crate::snapshot::Snapshot;

/// A lease is renewed so many times before it would run out.
const RENEWALS: u32 = 3;
/// How long a key is left alone that somebody else has written at the same time, unless the store tells of it before.
const CONTENDED: Duration = Duration::from_millis(500);
/// How often what is not renewed with a lease is written again, so that the store does not forget it.
const REFRESH: Duration = Duration::from_hours(MEMORY.as_secs() / 3_600 / 4);

/// A node of the cluster, and what it knows of the others.
#[derive(Debug)]
pub(crate) struct Member {
    me: Id,
    node: Node,
    lease: Duration,
    clock: Clock,
    book: Book,
    /// The channels that are live here.
    wanted: BTreeMap<ChannelName, Stance>,
    /// When the lease was written last in this session of the store.
    renewed: Option<Instant>,
    /// The write that is under way.
    writing: Option<Key>,
    /// Keys that others have just written, and until when they are left alone.
    contended: BTreeMap<Key, Instant>,
    /// What the operator was told of each channel that is live here.
    told: BTreeMap<ChannelName, Option<Id>>,
    notices: Vec<Notice>,
    /// When the process began that calls itself as this one does.
    namesake: Option<u64>,
    leaving: bool,
    left: bool,
}

/// One moment, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// On the clock that only goes forward.
    pub(crate) instant: Instant,
    /// As Unix time.
    pub(crate) unix: Duration,
}

impl Clock {
    /// The Unix time of another moment, in milliseconds.
    fn unix_ms(self, now: Instant) -> u64 {
        let unix = self.unix + now.saturating_duration_since(self.instant);
        u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Member {
    /// A node that has not spoken yet. `clock` is the moment that it begins at.
    pub(crate) fn new(me: Id, node: Node, lease: Duration, clock: Clock) -> Self {
        Self {
            me,
            node,
            lease,
            clock,
            book: Book::new(lease, clock.instant),
            wanted: BTreeMap::new(),
            renewed: None,
            writing: None,
            contended: BTreeMap::new(),
            told: BTreeMap::new(),
            notices: Vec::new(),
            namesake: None,
            leaving: false,
            left: false,
        }
    }

    /// Knows again what an earlier process knew.
    pub(crate) fn remember(&mut self, memory: Remembered, now: Instant) {
        self.book.remember(memory, now);
    }

    /// What the next process should know.
    pub(crate) fn memory(&self) -> Remembered {
        self.book.memory()
    }

    /// The channels that are live here from now on.
    pub(crate) fn want(&mut self, wanted: &BTreeMap<ChannelName, Stance>) {
        if !self.leaving && self.wanted != *wanted {
            self.wanted.clone_from(wanted);
            self.told.retain(|channel, _| wanted.contains_key(channel));
        }
    }

    /// Leads viewers away from a pathway, or lets them return, on every node.
    pub(crate) fn drain(&mut self, pathway: Id, drained: bool, now: Instant) {
        let at = self.clock.unix_ms(now);
        self.book.mark(pathway, Mark { drained, at }, now);
    }

    /// How much it carries, which the next renewal tells.
    pub(crate) fn load(&mut self, load: Load) {
        self.node.load = load;
    }

    /// The store is there, and begins to tell what it has.
    pub(crate) fn begin(&mut self) {
        self.book.begin();
        self.contended.clear();
        self.writing = None;
    }

    /// The store has told what it has.
    pub(crate) fn synced(&mut self, now: Instant) {
        self.book.synced(now);
        self.renewed = None;
    }

    /// The store is gone.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.book.lost(now);
        self.writing = None;
    }

    /// Takes what the store says.
    pub(crate) fn apply(&mut self, change: &Change, now: Instant) -> Result<(), Unreadable> {
        let held = match &change.key {
            Key::Channel(channel) => self.holder(channel) == Some(&self.me),
            _ => false,
        };
        self.contended.remove(&change.key);
        self.book.apply(change, now)?;
        match &change.key {
            Key::Channel(channel) => self.tell(channel, held),
            Key::Node(id) if *id == self.me => self.recognise(),
            _ => {}
        }
        Ok(())
    }

    /// The store has taken a write under this revision.
    pub(crate) fn wrote(&mut self, write: Write, revision: u64, now: Instant) {
        self.writing = None;
        if write.key == Key::Node(self.me.clone()) {
            self.renewed = Some(now);
            self.left = self.leaving && write.value.is_none();
        }
        // What was written here can be read here.
        let _ = self.apply(&Change { key: write.key, revision, value: write.value }, now);
    }

    /// The store has not taken a write, because somebody else has written the key.
    pub(crate) fn refused(&mut self, write: Write, now: Instant) {
        self.writing = None;
        self.contended.insert(write.key, now + CONTENDED);
    }

    /// Gives everything up that it has.
    pub(crate) fn leave(&mut self) {
        self.leaving = true;
        self.wanted.clear();
        self.told.clear();
    }

    /// Whether it has given everything up.
    pub(crate) fn has_left(&self) -> bool {
        self.left
    }

    /// What is to be written next, one at a time.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Write> {
        if self.writing.is_some() || !self.book.is_up() || self.left {
            return None;
        }
        self.contended.retain(|_, until| *until > now);
        let renewal = if self.leaving { None } else { self.renewal(now) };
        let write = renewal.or_else(|| self.channel(now)).or_else(|| self.mark(now)).or_else(|| self.farewell())?;
        self.writing = Some(write.key.clone());
        Some(write)
    }

    /// What the operator should know since the last call.
    pub(crate) fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// What readers miss.
    pub(crate) fn news(&mut self, now: Instant) -> News {
        self.book.news(now)
    }

    /// What is known, for readers.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        self.book.snapshot()
    }

    /// The lease, where it is time.
    fn renewal(&self, now: Instant) -> Option<Write> {
        let due = self.renewed.is_none_or(|renewed| now >= renewed + self.lease / RENEWALS);
        due.then(|| write(Key::Node(self.me.clone()), &self.node, None))?
    }

    /// The first record of a channel that is not as this node would have it.
    fn channel(&self, now: Instant) -> Option<Write> {
        let wanted = self.wanted.iter().map(|(channel, stance)| (channel, Some(*stance)));
        let left = self
            .book
            .records()
            .filter(|(channel, entry)| entry.value.has(&self.me) && !self.wanted.contains_key(*channel));
        let channels = wanted.chain(left.map(|(channel, _)| (channel, None)));
        channels
            .filter(|(channel, _)| !self.contended.contains_key(&Key::Channel((*channel).clone())))
            .find_map(|(channel, stance)| self.claim(channel, stance, now))
    }

    fn claim(&self, channel: &ChannelName, stance: Option<Stance>, now: Instant) -> Option<Write> {
        let nobody = Record::default();
        let entry = self.book.record(channel);
        let before = entry.map_or(&nobody, |entry| &entry.value);
        let least_epoch = self.clock.unix_ms(now).max(self.book.epoch(channel) + 1);
        let next = before.settle(&self.me, stance, |node| self.standing(node, now), least_epoch);
        let revision = entry.map_or(0, |entry| entry.revision);
        // The store has lost the channel, or was brought back from a copy: it may have known another holder.
        let behind = revision == 0 || before.epoch < self.book.epoch(channel);
        let old = entry.is_some_and(|entry| now.saturating_duration_since(entry.seen) > REFRESH);
        if next == *before && !behind && !(old && before.holder() == Some(&self.me)) {
            return None;
        }
        let next = if behind && next.epoch == before.epoch { next.anew(least_epoch) } else { next };
        write(Key::Channel(channel.clone()), &next, Some(revision))
    }

    /// The first pathway that the store does not know as it is, or has not been told of for long.
    fn mark(&self, now: Instant) -> Option<Write> {
        let due = self.book.marks().find(|(id, entry)| {
            let old = now.saturating_duration_since(entry.seen) > REFRESH;
            (!entry.stored || old) && !self.contended.contains_key(&Key::Pathway((*id).clone()))
        });
        due.and_then(|(id, entry)| write(Key::Pathway(id.clone()), &entry.value, Some(entry.revision)))
    }

    /// The end of the lease, once nothing is claimed any more.
    fn farewell(&self) -> Option<Write> {
        let claims = self.book.records().any(|(_, entry)| entry.value.has(&self.me));
        let over = self.leaving && !claims;
        over.then(|| Write { key: Key::Node(self.me.clone()), value: None, expect: None })
    }

    fn standing(&self, node: &Id, now: Instant) -> Standing {
        self.book.standing(node, now)
    }

    fn holder(&self, channel: &ChannelName) -> Option<&Id> {
        self.book.record(channel).and_then(|entry| entry.value.holder())
    }

    /// Tells the operator who holds a channel that is live here, when that changes.
    fn tell(&mut self, channel: &ChannelName, held: bool) {
        let wanted = self.wanted.get(channel) == Some(&Stance::Live);
        let Some(entry) = self.book.record(channel).filter(|_| wanted) else { return };
        let (epoch, holder) = (entry.value.epoch, entry.value.holder().cloned());
        if self.told.insert(channel.clone(), holder.clone()) == Some(holder.clone()) {
            return;
        }
        let channel = channel.clone();
        self.notices.extend(match holder {
            Some(holder) if holder == self.me => Some(Notice::Holds { channel, epoch }),
            Some(holder) if held => Some(Notice::Fenced { channel, holder, epoch }),
            Some(holder) => Some(Notice::StandsBy { channel, holder }),
            None => None,
        });
    }

    /// Looks whether the lease under this node's name is its own.
    fn recognise(&mut self) {
        let other = self.book.known(&self.me).filter(|node| node.started > self.node.started);
        let Some((started, url)) = other.map(|node| (node.started, node.url.clone())) else { return };
        if self.namesake != Some(started) {
            self.namesake = Some(started);
            self.notices.push(Notice::Namesake { node: self.me.clone(), url });
        }
    }
}

/// A value that is written; `None` never comes: these are plain structs.
fn write(key: Key, value: &impl Serialize, expect: Option<u64>) -> Option<Write> {
    let value = serde_json::to_vec(value).ok()?;
    Some(Write { key, value: Some(value.into()), expect })
}
