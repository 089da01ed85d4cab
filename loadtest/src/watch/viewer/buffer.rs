//! What of a track is there to be played.

use std::ops::Range;
use std::time::Duration;

use crate::watch::moment::Moment;

/// A hole that players play over: hls.js's `maxBufferHole`.
pub(super) const HOLE: Duration = Duration::from_millis(100);
/// Ranges that are kept; the oldest go first.
const MAX_RANGES: usize = 16;

/// Ranges of the programme, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Buffer(Vec<Range<Moment>>);

impl Buffer {
    /// Adds media.
    pub(super) fn add(&mut self, start: Moment, end: Moment) {
        let mut added = start..end;
        let touches = |known: &Range<Moment>| known.start <= end + HOLE && start <= known.end + HOLE;
        for known in self.0.iter().filter(|known| touches(known)) {
            added = added.start.min(known.start)..added.end.max(known.end);
        }
        self.0.retain(|known| !touches(known));
        let at = self.0.partition_point(|known| known.start < added.start);
        self.0.insert(at, added);
        if self.0.len() > MAX_RANGES {
            self.0.remove(0);
        }
    }

    /// Until when there is media from `position` on; `None` where there is none.
    pub(super) fn until(&self, position: Moment) -> Option<Moment> {
        let covers = |range: &&Range<Moment>| range.start <= position + HOLE && position < range.end;
        self.0.iter().find(covers).map(|range| range.end)
    }

    /// Where the next media after `position` begins.
    pub(super) fn after(&self, position: Moment) -> Option<Moment> {
        self.0.iter().map(|range| range.start).find(|start| *start > position)
    }

    /// The end of all media.
    pub(super) fn end(&self) -> Option<Moment> {
        self.0.last().map(|range| range.end)
    }

    /// Forgets what has been played.
    pub(super) fn forget_before(&mut self, position: Moment) {
        self.0.retain(|range| range.end > position);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Moment {
        Moment::from_micros(millis * 1_000)
    }

    fn of(ranges: &[(i64, i64)]) -> Buffer {
        let mut buffer = Buffer::default();
        for &(start, end) in ranges {
            buffer.add(at(start), at(end));
        }
        buffer
    }

    #[test]
    fn media_that_follows_closely_is_one_range() {
        assert_eq!(of(&[(0, 200), (200, 400), (450, 600)]), of(&[(0, 600)]));
        assert_eq!(of(&[(400, 600), (0, 200), (200, 400)]), of(&[(0, 600)]));
    }

    #[test]
    fn a_gap_splits_what_is_there() {
        let buffer = of(&[(0, 200), (1_000, 1_200)]);
        let told = [at(-50), at(0), at(199), at(200), at(950)].map(|position| buffer.until(position));
        assert_eq!(told, [Some(at(200)), Some(at(200)), Some(at(200)), None, Some(at(1_200))]);
        assert_eq!((buffer.after(at(200)), buffer.end()), (Some(at(1_000)), Some(at(1_200))));
    }

    #[test]
    fn what_was_played_is_forgotten() {
        let mut buffer = of(&[(0, 200), (1_000, 1_200)]);
        buffer.forget_before(at(500));
        assert_eq!(buffer, of(&[(1_000, 1_200)]));
    }
}
