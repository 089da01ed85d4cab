use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use touchline_media::ChannelName;

use super::LEASE;
use crate::book::{News, Unreadable};
use crate::change::{Change, Write};
use crate::id::Id;
use crate::key::Key;
use crate::member::{Clock, Member};
use crate::node::{Load, Node, Role};
use crate::notice::Notice;
use crate::record::Record;
use crate::registry::Stance;
use crate::snapshot::{Snapshot, Standing};

/// Unix time when a world begins.
const BEGINNING: Duration = Duration::from_secs(1_790_000_000);
/// How finely time passes.
const STEP: Duration = Duration::from_millis(250);

/// A store and the nodes around it.
pub(super) struct World {
    origin: Instant,
    now: Instant,
    store_is_up: bool,
    revision: u64,
    values: Values,
    nodes: Vec<Peer>,
    /// For each channel and epoch, who has held it: there may be but one.
    held: BTreeMap<(ChannelName, u64), Id>,
}

pub(super) type Values = BTreeMap<Key, Stored>;

#[derive(Debug, Clone)]
pub(super) struct Stored {
    revision: u64,
    value: Bytes,
    at: Instant,
}

struct Peer {
    id: Id,
    member: Member,
    /// The process runs.
    runs: bool,
    /// The network between it and the store is whole.
    reaches: bool,
    /// It is in a session.
    online: bool,
    channels: BTreeMap<ChannelName, Stance>,
    /// What it has not been told yet.
    mail: VecDeque<Change>,
    notices: Vec<Notice>,
    snapshot: Snapshot,
}

impl World {
    pub(super) fn of(nodes: &[&str]) -> Self {
        let origin = Instant::now();
        let mut world = Self {
            origin,
            now: origin,
            store_is_up: true,
            revision: 0,
            values: BTreeMap::new(),
            nodes: Vec::new(),
            held: BTreeMap::new(),
        };
        for node in nodes {
            world.add(node);
        }
        world
    }

    /// Another process by this name.
    pub(super) fn add(&mut self, name: &str) {
        let id: Id = name.parse().unwrap();
        let member = self.member(&id);
        self.nodes.push(Peer {
            id,
            member,
            runs: true,
            reaches: true,
            online: false,
            channels: BTreeMap::new(),
            mail: VecDeque::new(),
            notices: Vec::new(),
            snapshot: Snapshot::default(),
        });
        self.connect();
    }

    fn member(&mut self, id: &Id) -> Member {
        // No two processes begin at once.
        self.now += Duration::from_millis(1);
        let unix = BEGINNING + (self.now - self.origin);
        let started = u64::try_from(unix.as_millis()).unwrap();
        let node = Node { url: format!("http://{id}"), role: Role::Origin, started, load: Load::default() };
        Member::new(id.clone(), node, LEASE, Clock { instant: self.now, unix })
    }

    fn peer(&mut self, name: &str) -> &mut Peer {
        self.nodes.iter_mut().find(|peer| peer.id.as_str() == name).unwrap()
    }

    pub(super) fn open(&mut self, node: &str, channel: &str) {
        self.set(node, channel, Stance::Live);
    }

    pub(super) fn set(&mut self, node: &str, channel: &str, stance: Stance) {
        let peer = self.peer(node);
        peer.channels.insert(channel.parse().unwrap(), stance);
        peer.member.want(&peer.channels);
    }

    pub(super) fn close(&mut self, node: &str, channel: &str) {
        let peer = self.peer(node);
        peer.channels.remove(&channel.parse().unwrap());
        peer.member.want(&peer.channels);
    }

    pub(super) fn drain(&mut self, node: &str, pathway: &str, drained: bool) {
        let now = self.now;
        self.peer(node).member.drain(pathway.parse().unwrap(), drained, now);
    }

    pub(super) fn leave(&mut self, node: &str) {
        self.peer(node).member.leave();
    }

    /// The process ends on the spot.
    pub(super) fn kill(&mut self, node: &str) {
        let peer = self.peer(node);
        (peer.runs, peer.online) = (false, false);
        peer.mail.clear();
    }

    /// Another process takes its place, on the same disk.
    pub(super) fn restart(&mut self, node: &str) {
        let id: Id = node.parse().unwrap();
        let mut member = self.member(&id);
        let now = self.now;
        let peer = self.peer(node);
        member.remember(peer.member.memory(), now);
        (peer.member, peer.runs, peer.online) = (member, true, false);
        peer.channels.clear();
        peer.mail.clear();
        self.connect();
        self.read();
    }

    /// The network between the node and the store breaks.
    pub(super) fn cut(&mut self, node: &str) {
        self.peer(node).reaches = false;
        self.disconnect();
    }

    pub(super) fn heal(&mut self, node: &str) {
        self.peer(node).reaches = true;
        self.connect();
    }

    pub(super) fn stop_store(&mut self) {
        self.store_is_up = false;
        self.disconnect();
    }

    pub(super) fn start_store(&mut self) {
        self.store_is_up = true;
        self.connect();
    }

    pub(super) fn empty_store(&mut self) {
        self.values.clear();
        self.revision = 0;
    }

    pub(super) fn copy_store(&self) -> (u64, Values) {
        (self.revision, self.values.clone())
    }

    pub(super) fn restore_store(&mut self, (revision, values): (u64, Values)) {
        (self.revision, self.values) = (revision, values);
    }

    /// The store forgets what has not been written for so long.
    pub(super) fn expire(&mut self, age: Duration) {
        let now = self.now;
        self.values.retain(|_, stored| now - stored.at < age);
    }

    pub(super) fn stored(&self) -> BTreeSet<String> {
        self.values.keys().map(ToString::to_string).collect()
    }

    pub(super) fn stored_epoch(&self, channel: &str) -> u64 {
        let stored = &self.values[&Key::Channel(channel.parse().unwrap())];
        serde_json::from_slice::<Record>(&stored.value).unwrap().epoch
    }

    fn disconnect(&mut self) {
        for peer in &mut self.nodes {
            if peer.online && !(peer.reaches && self.store_is_up) {
                peer.online = false;
                peer.mail.clear();
                peer.member.lost(self.now);
            }
        }
        self.read();
    }

    fn connect(&mut self) {
        for peer in &mut self.nodes {
            if peer.runs && !peer.online && peer.reaches && self.store_is_up {
                peer.online = true;
                peer.member.begin();
                for (key, stored) in &self.values {
                    let value = Some(stored.value.clone());
                    let change = Change { key: key.clone(), revision: stored.revision, value };
                    peer.member.apply(&change, self.now).unwrap();
                }
                peer.member.synced(self.now);
            }
        }
        self.read();
    }

    /// What a node wants to write.
    pub(super) fn poll(&mut self, node: &str) -> Option<Write> {
        let now = self.now;
        self.peer(node).member.poll(now)
    }

    /// Brings a write to the store; whether it is taken.
    pub(super) fn deliver(&mut self, node: &str, write: Write) -> bool {
        let index = self.nodes.iter().position(|peer| peer.id.as_str() == node).unwrap();
        self.deliver_from(index, write)
    }

    fn deliver_from(&mut self, index: usize, write: Write) -> bool {
        let there = self.values.get(&write.key).map_or(0, |stored| stored.revision);
        if write.expect.is_some_and(|expected| expected != there) {
            self.nodes[index].member.refused(write, self.now);
            return false;
        }
        self.revision += 1;
        let (revision, at) = (self.revision, self.now);
        match &write.value {
            Some(value) => {
                self.values.insert(write.key.clone(), Stored { revision, value: value.clone(), at });
            }
            None => {
                self.values.remove(&write.key);
            }
        }
        self.check_fencing(&write);
        let change = Change { key: write.key.clone(), revision, value: write.value.clone() };
        for peer in self.nodes.iter_mut().filter(|peer| peer.online) {
            peer.mail.push_back(change.clone());
        }
        self.nodes[index].member.wrote(write, revision, at);
        true
    }

    fn check_fencing(&mut self, write: &Write) {
        let (Key::Channel(channel), Some(value)) = (&write.key, &write.value) else { return };
        let record: Record = serde_json::from_slice(value).unwrap();
        let Some(holder) = record.holder() else { return };
        let before = self.held.insert((channel.clone(), record.epoch), holder.clone());
        assert!(before.is_none_or(|before| before == *holder), "two hold {channel} under {}", record.epoch);
    }

    /// Lets everything happen that happens at this moment.
    pub(super) fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for index in 0..self.nodes.len() {
                let now = self.now;
                let peer = &mut self.nodes[index];
                while let Some(change) = peer.mail.pop_front() {
                    peer.member.apply(&change, now).unwrap();
                    quiet = false;
                }
                if peer.online
                    && let Some(write) = peer.member.poll(now)
                {
                    self.deliver_from(index, write);
                    quiet = false;
                }
            }
            if quiet {
                break;
            }
        }
        self.read();
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        self.pass_by(time, STEP);
    }

    /// Lets much time pass.
    pub(super) fn pass_coarsely(&mut self, time: Duration) {
        self.pass_by(time, LEASE / 3);
    }

    fn pass_by(&mut self, time: Duration, step: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now += step;
            self.settle();
        }
    }

    /// Readers take what is new.
    fn read(&mut self) {
        for peer in self.nodes.iter_mut().filter(|peer| peer.runs) {
            if peer.member.news(self.now) > News::None {
                peer.snapshot = peer.member.snapshot();
            }
            peer.notices.extend(peer.member.notices());
        }
    }

    pub(super) fn snapshot(&mut self, node: &str) -> Snapshot {
        self.peer(node).snapshot.clone()
    }

    /// Where a node has it that a channel is to be had.
    pub(super) fn origins(&mut self, node: &str, channel: &str) -> String {
        let found = self.snapshot(node).origins(&channel.parse().unwrap());
        let told = found.origins.iter().map(|origin| match origin.standing {
            Standing::Live => origin.node.to_string(),
            standing => format!("{} ({standing:?})", origin.node),
        });
        told.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn epoch(&mut self, node: &str, channel: &str) -> u64 {
        self.snapshot(node).origins(&channel.parse().unwrap()).epoch
    }

    pub(super) fn notices(&mut self, node: &str) -> Vec<Notice> {
        std::mem::take(&mut self.peer(node).notices)
    }

    /// Somebody writes nonsense under a key; what each node makes of it.
    pub(super) fn scribble(&mut self, key: &str, value: &str) -> Vec<Result<(), Unreadable>> {
        self.revision += 1;
        let value = Some(Bytes::copy_from_slice(value.as_bytes()));
        let change = Change { key: Key::parse(key).unwrap(), revision: self.revision, value };
        self.nodes.iter_mut().map(|peer| peer.member.apply(&change, self.now)).collect()
    }

    /// Whether everybody who is there knows the same.
    pub(super) fn agrees(&self) -> bool {
        let mut readers = self.nodes.iter().filter(|peer| peer.online).map(|peer| &peer.snapshot);
        let Some(first) = readers.next() else { return true };
        readers.all(|other| other.channels == first.channels && other.drained == first.drained)
    }

    /// Channels that are live somewhere, and where edges would turn to somebody else first.
    pub(super) fn lost_channels(&mut self, reader: &str) -> Vec<String> {
        let snapshot = self.snapshot(reader);
        let mut live: BTreeMap<&ChannelName, Vec<&Id>> = BTreeMap::new();
        for peer in self.nodes.iter().filter(|peer| peer.online) {
            for (channel, _) in peer.channels.iter().filter(|(_, stance)| **stance == Stance::Live) {
                live.entry(channel).or_default().push(&peer.id);
            }
        }
        let is_found = |channel: &ChannelName, nodes: &[&Id]| {
            snapshot.origins(channel).origins.first().is_some_and(|first| nodes.contains(&&first.node))
        };
        live.into_iter()
            .filter(|(channel, nodes)| !is_found(channel, nodes))
            .map(|(channel, _)| channel.to_string())
            .collect()
    }
}
