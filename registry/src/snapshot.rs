use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use touchline_media::ChannelName;

use crate::id::Id;
use crate::node::{Node, Role};
use crate::record::Record;

/// What is known of the cluster, at one moment. A reader needs nothing else: no clock, no network, no lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Whether the store is there; without it, the rest is as it was when it was lost.
    pub connected: bool,
    /// The nodes, by name.
    pub nodes: BTreeMap<Id, Known>,
    /// Who has which channel, by its name.
    pub channels: BTreeMap<String, Record>,
    /// The pathways that viewers are led away from.
    pub drained: BTreeSet<Id>,
}

/// A node that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Known {
    /// What it said last.
    #[serde(flatten)]
    pub node: Node,
    /// Whether its lease is good.
    pub live: bool,
}

/// Where a channel is to be had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// Under which epoch the first was given; 0: nobody has the channel.
    pub epoch: u64,
    /// Whom to turn to, in this order.
    pub origins: Vec<Origin>,
}

/// One of those that have a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its name.
    pub node: Id,
    /// Where edges reach it.
    pub url: String,
    /// What is to be expected there.
    pub standing: Standing,
}

/// What is to be expected of a node that has a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It lives, and its publisher is there.
    Live,
    /// It lives, and waits for its publisher.
    Resting,
    /// It has not renewed its lease: it is gone, or cut off from the store. Better than nothing, and no more.
    Lapsed,
}

impl Snapshot {
    /// Where a channel is to be had: whoever holds it first, then who stands by, then who has not been heard of lately.
    pub fn origins(&self, channel: &ChannelName) -> Origins {
        let Some(record) = self.channels.get(channel.as_str()) else { return Origins::default() };
        let origin = |claim: &crate::record::Claim| {
            let known = self.nodes.get(&claim.node)?;
            let standing = match (known.live, claim.resting) {
                (true, false) => Standing::Live,
                (true, true) => Standing::Resting,
                (false, _) => Standing::Lapsed,
            };
            Some(Origin { node: claim.node.clone(), url: known.node.url.clone(), standing })
        };
        let mut origins: Vec<Origin> = record.claims.iter().filter_map(origin).collect();
        origins.sort_by_key(|origin| origin.standing);
        Origins { epoch: record.epoch, origins }
    }

    /// The channels that somebody has.
    pub fn channels(&self) -> impl Iterator<Item = ChannelName> {
        self.channels.keys().filter_map(|name| name.parse().ok())
    }

    /// How many nodes of a kind live.
    pub fn live(&self, role: Role) -> usize {
        self.nodes.values().filter(|known| known.live && known.node.role == role).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Load;
    use crate::record::Claim;

    fn known(live: bool, url: &str) -> Known {
        Known { node: Node { url: url.into(), role: Role::Origin, started: 1, load: Load::default() }, live }
    }

    #[test]
    fn the_holder_comes_first_then_who_stands_by_then_who_rests_then_who_is_lapsed() {
        let nodes = [("a", false), ("b", true), ("c", true), ("d", true)];
        let nodes = nodes.map(|(name, live)| (name.parse().unwrap(), known(live, &format!("http://{name}"))));
        let claims = ["a", "b", "unheard-of", "c", "d"];
        let claims = claims.map(|node| Claim { node: node.parse().unwrap(), resting: node == "b" }).to_vec();
        let channels = [("main".to_owned(), Record { epoch: 7, claims })];
        let snapshot = Snapshot { nodes: nodes.into(), channels: channels.into(), ..Snapshot::default() };
        let found = snapshot.origins(&"main".parse().unwrap());
        let order: Vec<_> = found.origins.iter().map(|origin| (origin.url.as_str(), origin.standing)).collect();
        let expected = [
            ("http://c", Standing::Live),
            ("http://d", Standing::Live),
            ("http://b", Standing::Resting),
            ("http://a", Standing::Lapsed),
        ];
        assert_eq!((found.epoch, order.as_slice()), (7, &expected[..]));
        assert_eq!(snapshot.origins(&"other".parse().unwrap()), Origins::default());
        assert_eq!(snapshot.channels().count(), 1);
    }
}
