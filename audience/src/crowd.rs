use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::census::Tick;
use crate::identity;

/// Positions that are remembered of a group: who is later than so many is not told from the first.
const POSITIONS: usize = 16;

/// How many with the same facts are in the same place at the same time.
///
/// A player asks once for each state of a playlist, and once for each segment. So whoever is the second with the same address and
/// the same player to ask for the same is somebody else: the second of that group, as long as it is there.
#[derive(Debug, Default)]
pub(crate) struct Crowd(HashMap<u64, Group>);

#[derive(Debug, Default)]
struct Group {
    /// By position: how often it has been asked for.
    asked: [(u64, u16); POSITIONS],
    next: usize,
    seen: Tick,
}

impl Crowd {
    /// Which of its group somebody is who asks for this. `limit`: groups that there may be; of one that has no room all are the first.
    pub(crate) fn ordinal(&mut self, now: Tick, connection: u64, position: u64, limit: usize) -> u16 {
        let room = self.0.len() < limit;
        let group = match self.0.entry(connection) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) if room => entry.insert(Group::default()),
            Entry::Vacant(_) => return 0,
        };
        group.seen = now;
        let position = identity::of_channel(position, 0);
        if let Some((_, count)) = group.asked.iter_mut().find(|(asked, _)| *asked == position) {
            let ordinal = *count;
            *count = ordinal.saturating_add(1);
            return ordinal;
        }
        if let Some(slot) = group.asked.get_mut(group.next % POSITIONS) {
            *slot = (position, 1);
        }
        group.next = (group.next + 1) % POSITIONS;
        0
    }

    /// Whether a group is there.
    pub(crate) fn has(&self, connection: u64) -> bool {
        self.0.contains_key(&connection)
    }

    /// Forgets groups that nobody was seen of since a moment.
    pub(crate) fn forget(&mut self, before: Tick) {
        self.0.retain(|_, group| group.seen >= before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_for_the_same_is_another() {
        let mut crowd = Crowd::default();
        let mut ordinals = |connection, positions: &[u64]| -> Vec<u16> {
            positions.iter().map(|position| crowd.ordinal(Tick::default(), connection, *position, 2)).collect()
        };
        assert_eq!(ordinals(1, &[5, 5, 6, 5, 6, 7]), [0, 1, 0, 2, 1, 0]);
        assert_eq!(ordinals(2, &[5, 6]), [0, 0]);
        assert_eq!(ordinals(3, &[5, 5]), [0, 0], "there is no room for a third group");
        let many: Vec<u64> = (100..100 + 2 * POSITIONS as u64).collect();
        ordinals(1, &many);
        assert_eq!(ordinals(1, &[5]), [0], "long ago");
        assert_eq!(ordinals(1, &[5]), [1]);
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let mut crowd = Crowd::default();
        let at = |seconds| Tick::of(std::time::Duration::from_secs(seconds));
        crowd.ordinal(at(1), 1, 5, 9);
        crowd.ordinal(at(2), 2, 5, 9);
        crowd.forget(at(2));
        assert_eq!((crowd.has(1), crowd.has(2)), (false, true));
    }
}
