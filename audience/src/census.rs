use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cmcd::{Cmcd, State};
use crate::crowd::Crowd;
use crate::identity::{Key, Visitor, nth, of_channel};
use crate::quality::{Quality, Reading};

/// A viewer that has asked for nothing for so long has left...
const WINDOW: Duration = Duration::from_secs(15);
/// ...and one who asks often, in less: in so many times the longest that it has been silent of late, but in no less than this.
const PATIENCE: u32 = 4;
const LEAST_PATIENCE: Duration = Duration::from_secs(5);
/// Of a channel of which nothing new has come for so long, viewers have nothing to ask for; longer than so long nobody waits.
const QUIET: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// From when on somebody who has been seen again is a viewer: who reloads a page or fetches ahead is seen but once.
const SETTLED: Duration = Duration::from_secs(1);
/// Instead of the number of a rendition: none, and one of those for whose names there is no room.
const NONE: u16 = u16::MAX;
const OTHER: u16 = u16::MAX - 1;
/// Parts of the tables, each with a lock of its own.
const SHARDS: usize = 16;
/// Of each channel, the most ids that are told to whoever merges.
const SAMPLE: usize = 512;

/// How much a census may remember.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Viewers that are remembered one by one, at most: 25 bytes each. Where there are more, every second, fourth, ... is.
    pub viewers: usize,
    /// Groups with the same address and player: 300 bytes each.
    pub groups: usize,
    /// Names of channels and of renditions.
    pub names: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { viewers: 1 << 18, groups: 1 << 15, names: 4_096 }
    }
}

/// Tenths of a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u32);

impl Tick {
    pub(crate) fn of(now: Duration) -> Self {
        Self(u32::try_from(now.as_millis() / 100).unwrap_or(u32::MAX))
    }

    fn back(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(Self::of(span).0))
    }
}

/// Where somebody was seen: a channel and a rendition, as numbers that [`Census::place`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    channel: u16,
    rendition: u16,
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Protocol {
    /// HTTP/1.1.
    #[serde(rename = "http/1.1")]
    Http1,
    /// HTTP/2.
    #[serde(rename = "http/2")]
    Http2,
    /// A player's report, from behind a cache.
    #[serde(rename = "report")]
    Report,
}

/// A request for media, or for a media playlist.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    /// Who asks.
    pub visitor: Visitor,
    /// For what.
    pub place: Place,
    /// How.
    pub protocol: Protocol,
    /// Something that each player asks for but once, of which there is one at a time for all renditions: who has no session id is told
    /// from others with the same facts by this.
    pub position: Option<u64>,
    /// What its player says.
    pub said: Option<&'a Cmcd>,
}

/// Who watches now.
///
/// A viewer is known by the hash of its session id, or else of its address, its player, and which of those with the same
/// address and player it is. It is one from when it has been seen over a second, until it has not been for
/// fifteen, or, as it asks often, for five.
///
/// All are remembered, up to [`Limits::viewers`]. Where there are more, those are whose hash begins with so many zero bits, and each
/// stands for as many as that leaves out (adaptive sampling: Wegman; Flajolet, 1990): with half of 2^18 of them, the standard
/// error is 0.28 %.
#[derive(Debug)]
pub struct Census {
    limits: Limits,
    /// Tells those from others at another node who are known by being one of several.
    node: u64,
    key: RwLock<Key>,
    /// After the key was changed: until when it cannot be told who is new, and who watched before.
    blind: Mutex<Option<(Duration, BTreeMap<u16, Tally>)>>,
    shards: [Mutex<Shard>; SHARDS],
    crowds: [Mutex<Crowd>; SHARDS],
    /// Zero bits that a hash has to begin with.
    level: AtomicU32,
    names: Mutex<Names>,
    channels: Mutex<BTreeMap<u16, Channel>>,
}

#[derive(Debug, Default)]
struct Shard {
    level: u32,
    entries: HashMap<u64, Entry, BuildHasherDefault<AsIs>>,
    /// By channel: who has left at once.
    left: Vec<u16>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    first: Tick,
    last: Tick,
    channel: u16,
    rendition: u16,
    protocol: Protocol,
    /// Whether it has been counted as one who joined.
    joined: bool,
    /// Whether it would say if its pictures stood still.
    reports: bool,
    /// How long it has been silent at most, in ticks; what is long ago counts little.
    silent: u8,
}

impl Entry {
    fn seen(&mut self, now: Tick) {
        let silent = now.0.saturating_sub(self.last.0);
        // As it is not known at first, it begins with the whole window.
        let faded = u32::from(self.silent) * 7 / 8;
        self.silent = u8::try_from(silent.max(faded)).unwrap_or(u8::MAX);
        self.last = self.last.max(now);
    }

    /// Whether it has left by now, while there was nothing to ask for for so many ticks.
    fn is_gone(&self, now: Tick, waited: u32) -> bool {
        let (least, most) = (Tick::of(LEAST_PATIENCE).0, Tick::of(WINDOW).0);
        let patience = (PATIENCE * u32::from(self.silent)).clamp(least, most);
        now.0.saturating_sub(self.last.0) > patience + waited
    }
}

#[derive(Debug, Default)]
struct Names {
    by_name: HashMap<Arc<str>, u16>,
    names: Vec<Arc<str>>,
}

/// What is known of a channel apart from who watches it.
#[derive(Debug, Default)]
struct Channel {
    joins: f64,
    leaves: f64,
    quality: Quality,
    /// For how many ticks there was nothing to ask for, and until when that excuses silence.
    waited: (u32, Tick),
}

/// Who watches a channel, on one node: what it tells whoever merges.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// The channel.
    pub channel: String,
    /// How many watch.
    pub viewers: f64,
    /// How many have come since the node started.
    pub joins: f64,
    /// How many have left.
    pub leaves: f64,
    /// How many watch each rendition.
    pub renditions: BTreeMap<String, f64>,
    /// How many come by each protocol.
    pub protocols: BTreeMap<Protocol, f64>,
    /// How many would say if their pictures stood still.
    pub reporting: f64,
    /// The standard error of these numbers, as a share.
    pub standard_error: f64,
    /// Zero bits that hashes of the sample begin with.
    pub sample_level: u32,
    /// Hashes of viewers that begin so.
    pub sample: Vec<u64>,
    /// What players say.
    pub quality: Reading,
}

impl Census {
    /// Nobody has been seen. `node`: a number that no other node has.
    pub fn new(key: Key, node: u64, limits: Limits) -> Self {
        Self {
            limits,
            node,
            key: RwLock::new(key),
            blind: Mutex::default(),
            shards: std::array::from_fn(|_| Mutex::default()),
            crowds: std::array::from_fn(|_| Mutex::default()),
            level: AtomicU32::new(0),
            names: Mutex::default(),
            channels: Mutex::default(),
        }
    }

    /// What stands for a channel, and one of its renditions of pictures: whoever asks for something else of it stays where it was.
    pub fn place(&self, channel: &str, rendition: Option<&str>) -> Place {
        let (mut names, limit) = (locked(&self.names), self.limits.names.min(OTHER.into()));
        Place {
            channel: names.number(channel, limit),
            rendition: rendition.map_or(NONE, |rendition| names.number(rendition, limit)),
        }
    }

    /// Who asks, by its address, what its player calls itself, and its session id if there is one.
    pub fn visitor(&self, address: IpAddr, agent: &[u8], session: Option<&str>) -> Visitor {
        Visitor::new(&self.key.read().unwrap_or_else(PoisonError::into_inner), address, agent, session)
    }

    /// Changes the key: nobody is known any more by who knew it before. Who watches is counted on as if it were the same people.
    pub fn rekey(&self, now: Duration, key: Key) {
        let mut held = self.key.write().unwrap_or_else(PoisonError::into_inner);
        if *held == key {
            return;
        }
        *held = key;
        let numbers: BTreeMap<String, u16> = locked(&self.names).numbered().collect();
        let before = self.look(now, now).into_iter();
        let before = before.filter_map(|tally| Some((*numbers.get(&tally.channel)?, tally))).collect();
        *locked(&self.blind) = Some((now + WINDOW, before));
        self.shards.iter().for_each(|shard| locked(shard).entries.clear());
        self.crowds.iter().for_each(|crowd| *locked(crowd) = Crowd::default());
    }

    /// Somebody asks for media, or for a media playlist.
    pub fn sighted(&self, now: Duration, sighting: Sighting<'_>) {
        let Sighting { visitor, place, protocol, position, said } = sighting;
        let tick = Tick::of(now);
        let id = match (visitor.session, position) {
            (Some(session), _) => session,
            (None, Some(position)) => {
                let limit = self.limits.groups / SHARDS;
                let position = of_channel(position, place.channel.into());
                let mut crowd = locked(shard(&self.crowds, visitor.connection));
                nth(visitor.connection, self.node, crowd.ordinal(tick, visitor.connection, position, limit))
            }
            (None, None) => return,
        };
        self.see(tick, of_channel(id, place.channel.into()), place, protocol);
        if let Some(said) = said {
            self.hear(now, place.channel, said);
        }
    }

    /// A player reports. It is a viewer by that alone if nobody with its facts asks for media here: then it does so elsewhere.
    pub fn reported(&self, now: Duration, visitor: Visitor, place: Place, said: &Cmcd) {
        let tick = Tick::of(now);
        let id = visitor.session.map(|session| of_channel(session, place.channel.into()));
        if let Some(id) = id {
            if said.state == Some(State::Gone) {
                self.leave(id);
            } else if !self.is_known(tick, id)
                && !locked(shard(&self.crowds, visitor.connection)).has(visitor.connection)
            {
                self.see(tick, id, place, Protocol::Report);
            }
        }
        self.hear(now, place.channel, said);
    }

    /// Nothing new has come of a channel for so long: whoever waits for it has asked already, and has not left.
    pub fn waited(&self, now: Duration, channel: &str, quiet: Duration) {
        if quiet >= QUIET {
            let place = self.place(channel, None);
            let waited = (Tick::of(quiet.min(LONGEST_WAIT)).0, Tick::of(now + WINDOW));
            locked(&self.channels).entry(place.channel).or_default().waited = waited;
        }
    }

    /// Who watches which channel, by name. To be called about once a second: it is then that viewers come and go.
    pub fn look(&self, now: Duration, since: Duration) -> Vec<Tally> {
        let tick = Tick::of(now);
        let (gone, settled) = (tick.back(WINDOW), Tick::of(SETTLED));
        for crowd in &self.crowds {
            locked(crowd).forget(gone);
        }
        let waited: BTreeMap<u16, u32> = locked(&self.channels)
            .iter()
            .filter(|(_, channel)| tick <= channel.waited.1)
            .map(|(number, channel)| (*number, channel.waited.0))
            .collect();
        let mut found: BTreeMap<u16, Found> = BTreeMap::new();
        let level = self.level.load(Ordering::Relaxed);
        for shard in &self.shards {
            let mut shard = locked(shard);
            shard.rise(level);
            for channel in std::mem::take(&mut shard.left) {
                found.entry(channel).or_default().left += 1.0;
            }
            shard.entries.retain(|id, entry| {
                let found = found.entry(entry.channel).or_default();
                if entry.is_gone(tick, waited.get(&entry.channel).copied().unwrap_or_default()) {
                    found.left += f64::from(u8::from(entry.joined));
                    return false;
                }
                if entry.last.0.saturating_sub(entry.first.0) >= settled.0 {
                    found.joined += f64::from(u8::from(!entry.joined));
                    entry.joined = true;
                    found.count(*id, entry);
                }
                true
            });
        }
        let names = locked(&self.names);
        let mut channels = locked(&self.channels);
        let mut blind = locked(&self.blind);
        if blind.as_ref().is_some_and(|(until, _)| *until <= now) {
            *blind = None;
        }
        for (number, found) in &found {
            let channel = channels.entry(*number).or_default();
            if blind.is_none() {
                channel.joins += found.joined * scale(level);
                channel.leaves += found.left * scale(level);
            }
            channel.quality.watched(now, found.reporting * scale(level), now.saturating_sub(since));
        }
        let tallies = channels.iter_mut().map(|(number, channel)| {
            let found = found.remove(number).unwrap_or_default();
            let (joins, leaves) = (channel.joins, channel.leaves);
            let now_here = found.tally(*number, level, &names);
            let before = blind.as_ref().and_then(|(_, before)| before.get(number));
            let here = before.filter(|before| before.viewers > now_here.viewers).cloned().unwrap_or(now_here);
            Tally { joins, leaves, quality: channel.quality.read(now), ..here }
        });
        tallies.collect()
    }

    /// Whether somebody is remembered, who is heard of now by a report.
    fn is_known(&self, now: Tick, id: u64) -> bool {
        let mut shard = locked(shard(&self.shards, id));
        let entry = shard.entries.get_mut(&id);
        entry.is_some_and(|entry| {
            entry.seen(now);
            entry.reports = true;
            true
        })
    }

    fn see(&self, now: Tick, id: u64, place: Place, protocol: Protocol) {
        let level = self.level.load(Ordering::Relaxed);
        if id.leading_zeros() < level {
            return;
        }
        let mut shard = locked(shard(&self.shards, id));
        shard.rise(level);
        let entry = shard.entries.entry(id).or_insert(Entry {
            first: now,
            last: now,
            channel: place.channel,
            rendition: place.rendition,
            protocol,
            joined: false,
            reports: protocol == Protocol::Report,
            silent: u8::MAX,
        });
        entry.seen(now);
        if protocol != Protocol::Report {
            entry.protocol = protocol;
        }
        if place.rendition != NONE {
            entry.rendition = place.rendition;
        }
        if shard.entries.len() > self.limits.viewers / SHARDS {
            self.level.fetch_max(level + 1, Ordering::Relaxed);
            shard.rise(level + 1);
        }
    }

    fn leave(&self, id: u64) {
        let mut shard = locked(shard(&self.shards, id));
        if let Some(entry) = shard.entries.remove(&id).filter(|entry| entry.joined) {
            shard.left.push(entry.channel);
        }
    }

    fn hear(&self, now: Duration, channel: u16, said: &Cmcd) {
        locked(&self.channels).entry(channel).or_default().quality.take(now, said);
    }
}

/// What a look has found of a channel, of those that are remembered.
#[derive(Default)]
struct Found {
    ids: Vec<u64>,
    renditions: BTreeMap<u16, f64>,
    protocols: BTreeMap<Protocol, f64>,
    reporting: f64,
    joined: f64,
    left: f64,
}

impl Found {
    fn count(&mut self, id: u64, entry: &Entry) {
        self.ids.push(id);
        if entry.rendition != NONE {
            *self.renditions.entry(entry.rendition).or_default() += 1.0;
        }
        *self.protocols.entry(entry.protocol).or_default() += 1.0;
        self.reporting += f64::from(u8::from(entry.reports));
    }

    fn tally(self, channel: u16, level: u32, names: &Names) -> Tally {
        let scale = scale(level);
        let kept = as_f64(self.ids.len());
        let (mut sample, mut sample_level) = (self.ids, level);
        while sample.len() > SAMPLE && sample_level < u64::BITS {
            sample_level += 1;
            sample.retain(|id| id.leading_zeros() >= sample_level);
        }
        sample.sort_unstable();
        Tally {
            channel: names.name(channel),
            viewers: kept * scale,
            renditions: self
                .renditions
                .into_iter()
                .map(|(number, count)| (names.name(number), count * scale))
                .collect(),
            protocols: self.protocols.into_iter().map(|(protocol, count)| (protocol, count * scale)).collect(),
            reporting: self.reporting * scale,
            // Each is remembered with a probability of 1 / scale: binomial.
            standard_error: if kept > 0.0 { ((1.0 - 1.0 / scale) / kept).sqrt() } else { 0.0 },
            sample_level,
            sample,
            ..Tally::default()
        }
    }
}

impl Shard {
    /// Forgets who does not begin with so many zero bits.
    fn rise(&mut self, level: u32) {
        if self.level < level {
            self.level = level;
            self.entries.retain(|id, _| id.leading_zeros() >= level);
        }
    }
}

impl Names {
    /// The number of a name. Those for which there is no room have the last number together.
    fn number(&mut self, name: &str, limit: usize) -> u16 {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let Some(number) = u16::try_from(self.names.len()).ok().filter(|_| self.names.len() < limit) else {
            return OTHER;
        };
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.by_name.insert(name, number);
        number
    }

    fn numbered(&self) -> impl Iterator<Item = (String, u16)> {
        self.by_name.iter().map(|(name, number)| (String::from(&**name), *number))
    }

    fn name(&self, number: u16) -> String {
        self.names.get(usize::from(number)).map_or_else(|| "other".to_owned(), ToString::to_string)
    }
}

/// How many each stands for.
fn scale(level: u32) -> f64 {
    2_f64.powi(i32::try_from(level).unwrap_or(i32::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "there are not so many")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::indexing_slicing, reason = "the remainder is within")]
fn shard<T>(shards: &[T; SHARDS], id: u64) -> &T {
    // By the end of the hash: the beginning tells who is remembered.
    &shards[usize::from(id.to_le_bytes()[0]) % SHARDS]
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is counted is whole after each change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ids are hashes.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, id: u64) {
        // The table looks at both ends, of which the first bits are nought for all who are remembered.
        self.0 = id.rotate_left(32);
    }
}

#[cfg(test)]
mod tests;
