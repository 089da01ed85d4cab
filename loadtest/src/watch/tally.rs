//! What happened, counted and measured.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

use super::library::Unreadable;
use crate::histogram::Histogram;

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Requests that were made.
    Requests,
    /// Connections that were opened.
    Connections,
    /// Bytes of bodies that came.
    Bytes,
    /// Media playlists that came.
    Playlists,
    /// Of these, delta updates.
    Deltas,
    /// Of these, playlists with nothing new in them.
    Unchanged,
    /// Parts that came.
    Parts,
    /// Whole segments that came.
    Segments,
    /// Init sections that came.
    Inits,
    /// Times that somebody began to watch.
    Joins,
    /// Times that somebody left.
    Leaves,
    /// Times that somebody went back in the programme, or forward to its edge.
    Seeks,
    /// Changes of variant.
    Switches,
    /// Times that a picture stood still.
    Stalls,
    /// Gaps that were left out.
    Jumps,
    /// Discontinuities that were loaded.
    Discontinuities,
    /// Times that somebody had to go to the live edge, since the playlist no longer had what came next.
    Resyncs,
    /// Parts and segments that were given up.
    Lost,
    /// Bodies of media whose boxes were looked at.
    Verified,
}

impl Count {
    /// All that is counted, with the names that reports give them.
    pub const ALL: [(Self, &'static str); 19] = [
        (Self::Requests, "requests"),
        (Self::Connections, "connections"),
        (Self::Bytes, "bytes"),
        (Self::Playlists, "playlists"),
        (Self::Deltas, "delta_updates"),
        (Self::Unchanged, "unchanged_playlists"),
        (Self::Parts, "parts"),
        (Self::Segments, "segments"),
        (Self::Inits, "init_sections"),
        (Self::Joins, "joins"),
        (Self::Leaves, "leaves"),
        (Self::Seeks, "seeks"),
        (Self::Switches, "switches"),
        (Self::Stalls, "stalls"),
        (Self::Jumps, "jumps"),
        (Self::Discontinuities, "discontinuities"),
        (Self::Resyncs, "resyncs"),
        (Self::Lost, "lost"),
        (Self::Verified, "verified"),
    ];
}

/// Something that went wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// No connection.
    Connect,
    /// The connection ended in the middle of an answer.
    Broken,
    /// No answer in time.
    Late,
    /// An answer that is not HTTP.
    Malformed,
    /// A status other than 200 and 206.
    Status(u16),
    /// What came is no playlist.
    Playlist(Unreadable),
    /// The boxes of media do not fill its body.
    Boxes,
    /// A playlist leads to a server that is not to be asked.
    Elsewhere,
}

impl Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("no connection"),
            Self::Broken => f.write_str("connection broken"),
            Self::Late => f.write_str("no answer in time"),
            Self::Malformed => f.write_str("not HTTP"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Playlist(what) => write!(f, "playlist: {what}"),
            Self::Boxes => f.write_str("boxes do not fill the body"),
            Self::Elsewhere => f.write_str("link to a server that was not allowed"),
        }
    }
}

/// Counts and durations of many viewers.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: [u64; Count::ALL.len()],
    /// How often what went wrong.
    pub troubles: BTreeMap<Trouble, u64>,
    /// From the first request to the first frame that could be shown.
    pub startup: Histogram,
    /// From the moment a part should have been there to its last byte.
    pub part: Histogram,
    /// From the first viewer's sight of a part to its last byte.
    pub fan_out: Histogram,
    /// How long pictures stood still.
    pub stall: Histogram,
    /// From a seek to the first frame after it.
    pub seek: Histogram,
    /// How far behind the programme's clock viewers at the live edge were, once a second each.
    pub latency: Histogram,
    /// How late the threads of viewers came to what they were to do.
    pub lag: Histogram,
    /// How long pictures moved, of all viewers together.
    pub played: Duration,
    /// How long they stood still.
    pub stood: Duration,
}

impl Tally {
    /// Counts.
    pub fn add(&mut self, count: Count, many: u64) {
        if let Some(counted) = self.counts.get_mut(count as usize) {
            *counted += many;
        }
    }

    /// How many there were.
    pub fn count(&self, count: Count) -> u64 {
        self.counts.get(count as usize).copied().unwrap_or(0)
    }

    /// Something went wrong.
    pub fn trouble(&mut self, trouble: Trouble) {
        *self.troubles.entry(trouble).or_default() += 1;
    }

    /// How often something went wrong.
    pub fn troubles(&self) -> u64 {
        self.troubles.values().sum()
    }

    /// Adds all of another one.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        for (trouble, more) in &other.troubles {
            *self.troubles.entry(*trouble).or_default() += more;
        }
        self.startup.merge(&other.startup);
        self.part.merge(&other.part);
        self.fan_out.merge(&other.fan_out);
        self.stall.merge(&other.stall);
        self.seek.merge(&other.seek);
        self.latency.merge(&other.latency);
        self.lag.merge(&other.lag);
        self.played += other.played;
        self.stood += other.stood;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_its_name_in_its_place() {
        for (place, (count, name)) in Count::ALL.into_iter().enumerate() {
            assert_eq!(count as usize, place, "{name}");
        }
    }

    #[test]
    fn two_tallies_are_one() {
        let (mut one, mut two) = (Tally::default(), Tally::default());
        one.add(Count::Parts, 2);
        two.add(Count::Parts, 3);
        two.trouble(Trouble::Status(503));
        two.part.record(Duration::from_millis(5));
        one.merge(&two);
        assert_eq!((one.count(Count::Parts), one.troubles(), one.part.len()), (5, 1, 1));
    }
}
