use serde::{Deserialize, Serialize};

use crate::id::Id;
use crate::registry::Stance;

/// Claims that a channel has at most; one more is not entered. A channel that is published to more origins than this has
/// more spares than it needs.
pub(crate) const MAX_CLAIMS: usize = 8;

/// Who has a channel: the first claim holds it, the others stand by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Rises whenever another claim becomes the first, and is never below the Unix time in milliseconds of the moment that it
    /// rose: so it goes on rising when the store has been lost.
    pub epoch: u64,
    /// In the order in which they are to be turned to.
    pub claims: Vec<Claim>,
}

/// A node has a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The node.
    pub node: Id,
    /// Its publisher has left, and the channel waits for it: nothing new comes from there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resting: bool,
}

/// What is known of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its lease is good.
    Live,
    /// Its lease has run out.
    Lapsed,
    /// Nobody has heard of it for long.
    Unknown,
}

impl Record {
    /// Who holds the channel.
    pub fn holder(&self) -> Option<&Id> {
        self.claims.first().map(|claim| &claim.node)
    }

    /// Whether the node claims the channel.
    pub(crate) fn has(&self, node: &Id) -> bool {
        self.claims.iter().any(|claim| claim.node == *node)
    }

    /// What `me` makes of it, whose own stance is given; `None`: it does not have the channel.
    ///
    /// A node moves itself to the front when the one there is lapsed or rests, and hands over when it rests or leaves itself.
    /// It moves nobody else: whoever is there decides that, and two who move at once are told apart by the revision.
    pub(crate) fn settle(
        &self,
        me: &Id,
        stance: Option<Stance>,
        standing: impl Fn(&Id) -> Standing,
        least_epoch: u64,
    ) -> Self {
        let mut claims = self.claims.clone();
        claims.retain(|claim| claim.node != *me || stance.is_some());
        claims.retain(|claim| claim.node == *me || standing(&claim.node) != Standing::Unknown);
        if let Some(stance) = stance {
            enter(&mut claims, Claim { node: me.clone(), resting: stance == Stance::Resting }, &standing);
        }
        let good = |claim: &Claim| !claim.resting && (claim.node == *me || standing(&claim.node) == Standing::Live);
        let was_mine = self.holder() == Some(me);
        if let Some(best) = claims.iter().position(good)
            && (was_mine || claims.get(best).is_some_and(|claim| claim.node == *me))
        {
            let first = claims.remove(best);
            claims.insert(0, first);
        }
        let mut next = Self { epoch: self.epoch, claims };
        if next.holder().is_some() && next.holder() != self.holder() {
            next.epoch = least_epoch.max(self.epoch + 1);
        }
        next
    }

    /// The same under an epoch that is new.
    pub(crate) fn anew(self, least_epoch: u64) -> Self {
        Self { epoch: least_epoch.max(self.epoch + 1), claims: self.claims }
    }
}

/// Enters a claim, or changes it where it stands. Where there is no room, a lapsed one makes it.
fn enter(claims: &mut Vec<Claim>, mine: Claim, standing: impl Fn(&Id) -> Standing) {
    if let Some(claim) = claims.iter_mut().find(|claim| claim.node == mine.node) {
        *claim = mine;
    } else if claims.len() < MAX_CLAIMS {
        claims.push(mine);
    } else if let Some(lapsed) = claims.iter_mut().rfind(|claim| standing(&claim.node) == Standing::Lapsed) {
        *lapsed = mine;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> Id {
        name.parse().unwrap()
    }

    /// `a`: live; `a?`: lapsed; `a-`: rests.
    fn record(epoch: u64, claims: &str) -> Record {
        let claim = |name: &str| Claim { node: id(name.trim_end_matches('-')), resting: name.ends_with('-') };
        Record { epoch, claims: claims.split_whitespace().map(claim).collect() }
    }

    fn settle(before: &Record, me: &str, stance: Option<Stance>, lapsed: &[&str]) -> Record {
        let standing = |node: &Id| match node.as_str() {
            "gone" => Standing::Unknown,
            name if lapsed.contains(&name) => Standing::Lapsed,
            _ => Standing::Live,
        };
        before.settle(&id(me), stance, standing, 100)
    }

    #[test]
    fn the_first_to_come_holds_and_the_next_stands_by() {
        let first = settle(&Record::default(), "a", Some(Stance::Live), &[]);
        assert_eq!(first, record(100, "a"));
        assert_eq!(settle(&first, "b", Some(Stance::Live), &[]), record(100, "a b"));
        assert_eq!(settle(&first, "a", Some(Stance::Live), &[]), first);
    }

    #[test]
    fn who_stands_by_takes_over_from_a_lapsed_holder_under_a_higher_epoch() {
        let before = record(100, "a b c");
        assert_eq!(settle(&before, "b", Some(Stance::Live), &["a"]), record(101, "b a c"));
        // The next in the order does it, as long as it lives.
        assert_eq!(settle(&before, "c", Some(Stance::Live), &["a"]), before);
        assert_eq!(settle(&before, "c", Some(Stance::Live), &["a", "b"]), record(101, "c a b"));
        // Back again, the first holder stands by.
        let after = record(101, "b a c");
        assert_eq!(settle(&after, "a", Some(Stance::Live), &[]), after);
    }

    #[test]
    fn a_holder_that_leaves_or_rests_hands_over() {
        let before = record(100, "a b c");
        assert_eq!(settle(&before, "a", None, &["b"]), record(101, "c b"));
        assert_eq!(settle(&before, "a", Some(Stance::Resting), &["b"]), record(101, "c a- b"));
        assert_eq!(settle(&before, "b", None, &[]), record(100, "a c"));
        // Whose holder rests is taken by who stands by.
        assert_eq!(settle(&record(100, "a- b"), "b", Some(Stance::Live), &[]), record(101, "b a-"));
    }

    #[test]
    fn a_channel_that_rests_everywhere_stays_where_it_is() {
        let before = record(100, "a- b");
        let both = settle(&before, "b", Some(Stance::Resting), &[]);
        assert_eq!(both, record(100, "a- b-"));
        assert_eq!(settle(&both, "a", Some(Stance::Resting), &[]), both);
        assert_eq!(settle(&both, "b", Some(Stance::Live), &[]), record(101, "b a-"));
    }

    #[test]
    fn the_epoch_outlives_the_claims() {
        let empty = settle(&record(700, "a"), "a", None, &[]);
        assert_eq!(empty, record(700, ""));
        assert_eq!(settle(&empty, "b", Some(Stance::Live), &[]), record(701, "b"));
    }

    #[test]
    fn claims_of_nodes_that_nobody_knows_any_more_go_and_there_is_an_end_of_them() {
        assert_eq!(settle(&record(100, "gone a"), "a", Some(Stance::Live), &[]), record(101, "a"));
        let full = record(100, "a b c d e f g h");
        assert_eq!(settle(&full, "i", Some(Stance::Live), &[]), full);
        assert_eq!(settle(&full, "i", Some(Stance::Live), &["d"]), record(100, "a b c i e f g h"));
    }
}
