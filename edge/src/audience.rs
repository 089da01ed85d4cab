//! Who watches here, and what other nodes tell of who watches there.
//!
//! ```text
//! request -> Signs -> Census;  POST /cmcd/CHANNEL -> Census             (each node)
//! look, once a second -> NodeReport -> POST /replicate/v1/audience       (edge -> origins)
//! ```

mod annex;
mod metrics;
mod report;
mod signs;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::time::Instant;
use touchline_audience::{Census, Cmcd, Key, Limits, Place, Sighting, Tally};
use touchline_media::{ChannelName, Secret};
use touchline_packager::{Item, RenditionId};

pub use self::annex::annex;
pub use self::report::{NodeReport, Reporter};
pub(crate) use self::signs::{CMCD, Signs};
use crate::channel::Channel;
use crate::directives::{Directives, Until};

/// How long the key holds by which viewers are hashed: a day, of which each begins when few watch, at four in the morning (UTC).
const KEY_LIFE: Duration = Duration::from_hours(24);
const KEY_BEGINS: Duration = Duration::from_hours(4);
/// Nodes whose reports are kept.
const MAX_NODES: usize = 1_024;
/// For how long a report is kept that no other follows.
const REPORT_LIFE: Duration = Duration::from_mins(10);

/// Who watches. Clones are one.
#[derive(Debug, Clone)]
pub struct Audience(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    census: Census,
    begun: Instant,
    /// What keys are made of, so that nodes which share it know the same viewer again.
    secret: Mutex<hmac::Key>,
    last: Mutex<Last>,
    /// What other nodes have told, and when.
    others: Mutex<BTreeMap<String, (Instant, NodeReport)>>,
}

/// The last look.
#[derive(Debug)]
struct Last {
    at: Duration,
    tallies: Vec<Tally>,
}

impl Default for Audience {
    fn default() -> Self {
        let (mut random, mut node) = ([0; 32], [0; 8]);
        // The system's generator does not fail once it has been seeded, which is before there are processes.
        let _ = SystemRandom::new().fill(&mut random).and_then(|()| SystemRandom::new().fill(&mut node));
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &random);
        Self(Arc::new(Inner {
            census: Census::new(key(&secret, SystemTime::now()), u64::from_ne_bytes(node), Limits::default()),
            begun: Instant::now(),
            secret: Mutex::new(secret),
            last: Mutex::new(Last { at: Duration::ZERO, tallies: Vec::new() }),
            others: Mutex::default(),
        }))
    }
}

impl Audience {
    /// Knows viewers again whom other nodes with this secret have seen. To be called before there are any.
    pub fn share(&self, secret: &Secret) {
        let key_of_secret = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
        *locked(&self.0.secret) = key_of_secret;
        self.rekey(SystemTime::now());
    }

    /// Nothing new has come of a channel for so long.
    pub(crate) fn waited(&self, channel: &ChannelName, quiet: Duration) {
        self.0.census.waited(self.now(), channel.as_str(), quiet);
    }

    /// Who watches each channel here.
    pub(crate) fn look(&self) -> Vec<Tally> {
        self.rekey(SystemTime::now());
        let now = self.now();
        let mut last = locked(&self.0.last);
        last.tallies = self.0.census.look(now, last.at);
        last.at = now;
        last.tallies.clone()
    }

    /// What the last look saw.
    pub fn last(&self) -> Vec<Tally> {
        locked(&self.0.last).tallies.clone()
    }

    /// What other nodes have told, by their names, and how long ago.
    pub fn others(&self) -> Vec<(Duration, NodeReport)> {
        let mut others = locked(&self.0.others);
        others.retain(|_, (at, _)| at.elapsed() < REPORT_LIFE);
        others.values().map(|(at, report)| (at.elapsed(), report.clone())).collect()
    }

    /// Other nodes tell who watches there. Of a node that is not known, and for which there is no room, nothing is kept.
    pub(crate) fn told(&self, reports: Vec<NodeReport>) {
        let mut others = locked(&self.0.others);
        for report in reports {
            if others.len() < MAX_NODES || others.contains_key(&report.node) {
                others.insert(report.node.clone(), (Instant::now(), report));
            }
        }
    }

    /// Somebody asks for a media playlist, or for media.
    pub(crate) fn sighted(&self, place: Place, signs: &Signs, position: Option<u64>) {
        let sighting =
            Sighting { visitor: signs.visitor, place, protocol: signs.protocol, position, said: signs.said.as_deref() };
        self.0.census.sighted(self.now(), sighting);
    }

    /// A player reports.
    fn reported(&self, channel: &ChannelName, signs: &Signs, said: &Cmcd) {
        let place = self.0.census.place(channel.as_str(), None);
        self.0.census.reported(self.now(), signs.visitor, place, said);
    }

    pub(crate) fn census(&self) -> &Census {
        &self.0.census
    }

    fn now(&self) -> Duration {
        self.0.begun.elapsed()
    }

    fn rekey(&self, at: SystemTime) {
        let key = key(&locked(&self.0.secret), at);
        self.0.census.rekey(self.now(), key);
    }
}

/// The key of a day.
fn key(secret: &hmac::Key, at: SystemTime) -> Key {
    let unix = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let day = unix.saturating_sub(KEY_BEGINS).as_secs() / KEY_LIFE.as_secs();
    let tag = hmac::sign(secret, format!("touchline audience {day}").as_bytes());
    let mut bytes = [0; 16];
    for (byte, of_tag) in bytes.iter_mut().zip(tag.as_ref()) {
        *byte = *of_tag;
    }
    Key::new(bytes)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept is whole after each change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The places of a channel's renditions, in their order.
pub(crate) fn places(audience: &Audience, channel: &Channel) -> Vec<Place> {
    let presentation = channel.presentation();
    let pictures = |id: RenditionId| presentation.rendition(id).filter(|_| channel.is_followed_by(id));
    let place = |id| audience.census().place(channel.name().as_str(), pictures(id).map(|found| found.name.as_str()));
    presentation.ids().map(place).collect()
}

/// What each player asks for once, of a playlist.
pub(crate) fn of_playlist(directives: &Directives) -> Option<u64> {
    match directives.until {
        Until::Now => None,
        Until::Segment(msn) => Some(position(PLAYLIST, msn, u64::from(u16::MAX))),
        Until::Part(msn, part) => Some(position(PLAYLIST, msn, part)),
    }
}

/// What each player asks for once, of media: parts are told by their playlists.
pub(crate) fn of_media(item: Item) -> Option<u64> {
    match item {
        Item::Segment(msn) | Item::Cut { msn, .. } => Some(position(SEGMENT, msn, 0)),
        Item::Init(_) | Item::Part(_) => None,
    }
}

const PLAYLIST: u64 = 1;
const SEGMENT: u64 = 2;

fn position(kind: u64, msn: u64, part: u64) -> u64 {
    msn.wrapping_mul(1 << 20).wrapping_add(part << 2).wrapping_add(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_change_every_day_and_are_shared_by_who_has_the_secret() {
        let secret = |text: &str| hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
        let at = |hours| UNIX_EPOCH + Duration::from_hours(hours);
        let (ours, theirs) = (secret("0123456789abcdef"), secret("fedcba9876543210"));
        assert_eq!(key(&ours, at(24 * 100 + 4)), key(&ours, at(24 * 101 + 3)));
        assert_ne!(key(&ours, at(24 * 101 + 3)), key(&ours, at(24 * 101 + 4)));
        assert_ne!(key(&ours, at(2_404)), key(&theirs, at(2_404)));
    }

    #[test]
    fn positions_are_told_apart() {
        let of = |until| of_playlist(&Directives { until, skip: None });
        let positions = [
            of(Until::Part(7, 0)),
            of(Until::Part(7, 1)),
            of(Until::Segment(7)),
            of(Until::Part(8, 0)),
            of_media(Item::Segment(7)),
        ];
        for (index, position) in positions.iter().enumerate() {
            assert!(position.is_some() && !positions[index + 1..].contains(position), "{index}");
        }
        assert_eq!((of(Until::Now), of_media(Item::Part(7))), (None, None));
    }
}
