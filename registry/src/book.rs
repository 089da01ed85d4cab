//! What is known of the cluster: what the store has said, and what a node remembers from before.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use touchline_media::ChannelName;

use crate::change::Change;
use crate::id::Id;
use crate::key::Key;
use crate::node::Node;
use crate::record::{Record, Standing};
use crate::snapshot::{self, Snapshot};

/// The longest value that is read, in bytes: a record of a channel that eight nodes have is a quarter of it.
pub(crate) const MAX_VALUE: usize = 4_096;
/// Nodes that are kept in mind; further ones are not heard of.
const MAX_NODES: usize = 1_024;
/// Channels that are kept in mind.
const MAX_CHANNELS: usize = 4_096;
/// Pathways that are kept in mind.
const MAX_PATHWAYS: usize = 64;
/// How long a node is remembered that does not renew its lease: an origin that is cut off from the store may be there still.
pub(crate) const MEMORY: Duration = Duration::from_hours(24);

/// Everything that is known.
#[derive(Debug)]
pub(crate) struct Book {
    lease: Duration,
    link: Link,
    nodes: BTreeMap<Id, Entry<Node>>,
    channels: BTreeMap<ChannelName, Entry<Record>>,
    pathways: BTreeMap<Id, Entry<Mark>>,
    /// The highest epoch that was ever seen of each channel that is known.
    epochs: BTreeMap<ChannelName, u64>,
    /// What readers have not been told.
    news: News,
}

/// Whether viewers are led away from a pathway. The one that was set last counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) drained: bool,
    /// When it was set, as Unix time in milliseconds.
    pub(crate) at: u64,
}

/// A value, and what the store has of it.
#[derive(Debug, Clone)]
pub(crate) struct Entry<T> {
    pub(crate) value: T,
    /// The revision of the key in the store; 0: it has none.
    pub(crate) revision: u64,
    /// Whether the store has this value, and not an older one or none.
    pub(crate) stored: bool,
    /// When it was written last, as far as is known.
    pub(crate) seen: Instant,
    /// As readers were told it, of a node: whether its lease is good.
    live: bool,
}

/// Whether the store is there.
#[derive(Debug, Clone, Copy)]
enum Link {
    /// All that it has was read at this moment.
    Up { since: Instant },
    /// Nothing has been heard from it since.
    Down { since: Instant },
}

/// How much readers miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum News {
    /// Nothing.
    None,
    /// How much a node carries: that can wait.
    Load,
    /// What they look up.
    Places,
}

/// Why a value of the store is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl Book {
    /// What was known `at` some moment, without a store so far.
    pub(crate) fn new(lease: Duration, at: Instant) -> Self {
        let link = Link::Down { since: at };
        let (nodes, channels, pathways, epochs) = Default::default();
        Self { lease, link, nodes, channels, pathways, epochs, news: News::Places }
    }

    /// The store begins to tell what it has.
    pub(crate) fn begin(&mut self) {
        self.nodes.values_mut().for_each(Entry::forget_store);
        self.channels.values_mut().for_each(Entry::forget_store);
        self.pathways.values_mut().for_each(Entry::forget_store);
    }

    /// The store has told what it has. No lease is counted as run out before those who hold one had the time to renew it:
    /// they may have been without a store as well.
    pub(crate) fn synced(&mut self, now: Instant) {
        self.link = Link::Up { since: now };
        self.news = News::Places;
    }

    /// The store is gone. Leases do not run on: nobody can renew one.
    pub(crate) fn lost(&mut self, now: Instant) {
        if self.is_up() {
            self.link = Link::Down { since: now };
            self.news = News::Places;
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// Takes what the store says.
    pub(crate) fn apply(&mut self, change: &Change, now: Instant) -> Result<(), Unreadable> {
        // What was written here is known before the store tells of what was written before it.
        if change.revision < self.revision(&change.key) {
            return Ok(());
        }
        match &change.key {
            Key::Node(id) => self.node(id, change, now),
            Key::Channel(name) => self.channel(name, change, now),
            Key::Pathway(id) => self.pathway(id, change, now),
        }
    }

    /// The revision that the store has of a key, as far as is known; 0: it has none.
    fn revision(&self, key: &Key) -> u64 {
        let revision = match key {
            Key::Node(id) => self.nodes.get(id).map(|entry| entry.revision),
            Key::Channel(name) => self.channels.get(name).map(|entry| entry.revision),
            Key::Pathway(id) => self.pathways.get(id).map(|entry| entry.revision),
        };
        revision.unwrap_or(0)
    }

    fn node(&mut self, id: &Id, change: &Change, now: Instant) -> Result<(), Unreadable> {
        let Some(value) = &change.value else {
            self.nodes.remove(id);
            self.news = News::Places;
            return Ok(());
        };
        let node: Node = read(value)?;
        let before = self.nodes.get(id);
        if before.is_none() && self.nodes.len() >= MAX_NODES {
            return Err(Unreadable);
        }
        let news = match before {
            Some(before) if before.value == node => News::None,
            Some(before) if (&before.value.url, before.value.role) == (&node.url, node.role) => News::Load,
            _ => News::Places,
        };
        self.news = self.news.max(news);
        let live = before.is_some_and(|before| before.live);
        self.nodes.insert(id.clone(), Entry { live, ..Entry::stored(node, change.revision, now) });
        Ok(())
    }

    fn channel(&mut self, name: &ChannelName, change: &Change, now: Instant) -> Result<(), Unreadable> {
        let Some(value) = &change.value else {
            self.channels.get_mut(name).into_iter().for_each(Entry::forget_store);
            return Ok(());
        };
        let record: Record = read(value)?;
        let before = self.channels.get(name);
        if before.is_none() && self.channels.len() >= MAX_CHANNELS {
            return Err(Unreadable);
        }
        if before.is_none_or(|before| before.value != record) {
            self.news = News::Places;
        }
        let highest = self.epochs.entry(name.clone()).or_default();
        *highest = record.epoch.max(*highest);
        self.channels.insert(name.clone(), Entry::stored(record, change.revision, now));
        Ok(())
    }

    fn pathway(&mut self, id: &Id, change: &Change, now: Instant) -> Result<(), Unreadable> {
        let room = self.pathways.len() < MAX_PATHWAYS;
        let before = self.pathways.get_mut(id);
        let Some(value) = &change.value else {
            before.into_iter().for_each(Entry::forget_store);
            return Ok(());
        };
        let mark: Mark = read(value)?;
        match before {
            Some(before) if mark.at < before.value.at => {
                (before.revision, before.stored) = (change.revision, false);
                return Ok(());
            }
            None if !room => return Err(Unreadable),
            _ => {}
        }
        self.pathways.insert(id.clone(), Entry::stored(mark, change.revision, now));
        self.news = News::Places;
        Ok(())
    }

    /// Leads viewers away from a pathway, or lets them return. Past [`MAX_PATHWAYS`] nothing happens.
    pub(crate) fn mark(&mut self, id: Id, mut mark: Mark, now: Instant) {
        let before = self.pathways.get(&id);
        if before.is_none() && self.pathways.len() >= MAX_PATHWAYS {
            return;
        }
        let revision = before.map_or(0, |entry| entry.revision);
        // Set here after all that is known, whatever the clocks of others say.
        mark.at = before.map_or(mark.at, |entry| mark.at.max(entry.value.at + 1));
        self.pathways.insert(id, Entry { stored: false, ..Entry::stored(mark, revision, now) });
        self.news = News::Places;
    }

    pub(crate) fn record(&self, channel: &ChannelName) -> Option<&Entry<Record>> {
        self.channels.get(channel)
    }

    /// The highest epoch that was ever seen of a channel; 0: none was.
    pub(crate) fn epoch(&self, channel: &ChannelName) -> u64 {
        self.epochs.get(channel).copied().unwrap_or(0)
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = (&ChannelName, &Entry<Record>)> {
        self.channels.iter()
    }

    pub(crate) fn marks(&self) -> impl Iterator<Item = (&Id, &Entry<Mark>)> {
        self.pathways.iter()
    }

    pub(crate) fn known(&self, id: &Id) -> Option<&Node> {
        self.nodes.get(id).map(|entry| &entry.value)
    }

    /// Whether the lease of a node is good.
    pub(crate) fn standing(&self, id: &Id, now: Instant) -> Standing {
        match self.nodes.get(id) {
            None => Standing::Unknown,
            Some(entry) if self.is_good(entry.seen, now) => Standing::Live,
            Some(_) => Standing::Lapsed,
        }
    }

    fn is_good(&self, seen: Instant, now: Instant) -> bool {
        let (from, until) = match self.link {
            Link::Up { since } => (seen.max(since), now),
            Link::Down { since } => (seen, since),
        };
        until < from + self.lease
    }

    /// What readers miss so far; leases that have run out, or are good again, among it.
    pub(crate) fn news(&mut self, now: Instant) -> News {
        self.forget(now);
        let turned: Vec<Id> = self
            .nodes
            .iter()
            .filter(|(_, node)| node.live != self.is_good(node.seen, now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in turned {
            if let Some(node) = self.nodes.get_mut(&id) {
                node.live = !node.live;
                self.news = News::Places;
            }
        }
        self.news
    }

    /// Forgets whom nobody has heard of for long, and claims that nobody makes any more, while the store is there to tell.
    fn forget(&mut self, now: Instant) {
        let Link::Up { since } = self.link else { return };
        let old = |seen: Instant| now.saturating_duration_since(seen.max(since)) > MEMORY;
        let before = self.nodes.len();
        self.nodes.retain(|_, node| !old(node.seen));
        let mut changed = self.nodes.len() != before;
        // Who has spoken in this session has had a whole lease to claim again what the store has lost.
        let nodes = &self.nodes;
        let silent = |id: &Id| nodes.get(id).is_some_and(|node| node.revision == 0);
        let lost = self.channels.values_mut().filter(|channel| channel.revision == 0 && now >= since + self.lease);
        for channel in lost {
            let before = channel.value.claims.len();
            channel.value.claims.retain(|claim| silent(&claim.node));
            changed |= channel.value.claims.len() != before;
        }
        let claimed = |record: &Record| record.claims.iter().any(|claim| nodes.contains_key(&claim.node));
        self.channels.retain(|_, channel| claimed(&channel.value) || !old(channel.seen));
        self.epochs.retain(|name, _| self.channels.contains_key(name));
        if changed {
            self.news = News::Places;
        }
    }

    /// All of it, for readers; they miss nothing then.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        self.news = News::None;
        let known = |(id, entry): (&Id, &Entry<Node>)| {
            (id.clone(), snapshot::Known { node: entry.value.clone(), live: entry.live })
        };
        let drained = self.pathways.iter().filter(|(_, entry)| entry.value.drained);
        Snapshot {
            connected: self.is_up(),
            nodes: self.nodes.iter().map(known).collect(),
            channels: self.claimed().collect(),
            drained: drained.map(|(id, _)| id.clone()).collect(),
        }
    }

    fn claimed(&self) -> impl Iterator<Item = (String, Record)> {
        let claimed = self.channels.iter().filter(|(_, entry)| !entry.value.claims.is_empty());
        claimed.map(|(name, entry)| (name.to_string(), entry.value.clone()))
    }

    /// All of it, to be remembered.
    pub(crate) fn memory(&self) -> Remembered {
        Remembered {
            nodes: self.nodes.iter().map(|(id, entry)| (id.clone(), entry.value.clone())).collect(),
            channels: self.claimed().collect(),
            pathways: self.pathways.iter().map(|(id, entry)| (id.clone(), entry.value)).collect(),
        }
    }

    /// Knows again what was remembered, as far as it is not known better.
    pub(crate) fn remember(&mut self, memory: Remembered, now: Instant) {
        for (id, node) in memory.nodes.into_iter().take(MAX_NODES) {
            self.nodes.entry(id).or_insert_with(|| Entry::remembered(node, now));
        }
        for (name, record) in memory.channels.into_iter().take(MAX_CHANNELS) {
            let Ok(name) = name.parse::<ChannelName>() else { continue };
            self.epochs.insert(name.clone(), record.epoch);
            self.channels.entry(name).or_insert_with(|| Entry::remembered(record, now));
        }
        for (id, mark) in memory.pathways.into_iter().take(MAX_PATHWAYS) {
            self.pathways.entry(id).or_insert_with(|| Entry::remembered(mark, now));
        }
        self.news = News::Places;
    }
}

/// What outlives a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub(crate) nodes: BTreeMap<Id, Node>,
    pub(crate) channels: BTreeMap<String, Record>,
    pub(crate) pathways: BTreeMap<Id, Mark>,
}

impl<T> Entry<T> {
    fn stored(value: T, revision: u64, seen: Instant) -> Self {
        Self { value, revision, stored: true, seen, live: false }
    }

    fn remembered(value: T, seen: Instant) -> Self {
        Self { value, revision: 0, stored: false, seen, live: false }
    }

    fn forget_store(&mut self) {
        (self.revision, self.stored) = (0, false);
    }
}

fn read<T: DeserializeOwned>(value: &[u8]) -> Result<T, Unreadable> {
    if value.len() > MAX_VALUE { Err(Unreadable) } else { serde_json::from_slice(value).map_err(|_| Unreadable) }
}
