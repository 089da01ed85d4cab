//! When parts should be there: the schedule that latency is measured against.
//!
//! A viewer who is late, or whose request is, must not set the zero of its own latency: that would leave out just the waits that matter
//! ("coordinated omission"). The zero is the same for all viewers of a rendition and follows from the programme's own dates. A part ends at
//! some moment of the programme. It can be there no earlier than that, plus what encoder, ingest and packager need; the least of what they
//! have been seen to need, by any viewer, is taken as what they need. A part is due then, whoever asks for it and whenever.

use super::moment::Moment;

/// How much the clocks of the encoder and of this machine may drift apart, in parts of a million. A schedule that were never given up
/// would take an encoder that runs slow for a server that gets worse.
const DRIFT: i64 = 100;

/// The schedule of one rendition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grid {
    /// The least time from the end of a part in the programme to its first sighting, in microseconds, and when it was seen. It is
    /// negative where the encoder's clock is ahead.
    least: Option<(i64, Moment)>,
    /// Discontinuity Sequence Number of what it was learnt from: after a discontinuity, dates are made anew.
    stretch: u64,
}

impl Grid {
    /// Somebody sees for the first time, at `seen`, a part that ends at `end` in the programme.
    pub(crate) fn sight(&mut self, stretch: u64, end: Moment, seen: Moment) {
        let needed = seen.micros() - end.micros();
        if stretch != self.stretch {
            *self = Self { least: None, stretch };
        }
        if self.least.is_none() || self.needed(seen).is_some_and(|least| needed < least) {
            self.least = Some((needed, seen));
        }
    }

    /// When a part should be there that ends at `end` in the programme; `None` before any was seen.
    pub(crate) fn due(&self, end: Moment, now: Moment) -> Option<Moment> {
        Some(Moment::from_micros(end.micros() + self.needed(now)?))
    }

    fn needed(&self, now: Moment) -> Option<i64> {
        let (least, seen) = self.least?;
        let age = i64::try_from(now.since(seen).as_micros()).unwrap_or(i64::MAX);
        Some(least + age / (1_000_000 / DRIFT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Moment {
        Moment::from_micros(millis * 1_000)
    }

    #[test]
    fn a_part_is_due_as_soon_after_its_end_as_any_has_been_seen() {
        let mut grid = Grid::default();
        assert_eq!(grid.due(at(200), at(0)), None);
        for (end, seen) in [(200, 230), (400, 412), (600, 900)] {
            grid.sight(0, at(end), at(seen));
        }
        // What was late itself is due when it would have been in time.
        assert_eq!([at(600), at(800)].map(|end| grid.due(end, at(412))), [Some(at(612)), Some(at(812))]);
    }

    #[test]
    fn who_sees_a_part_earlier_than_ever_sets_the_schedule() {
        let mut grid = Grid::default();
        grid.sight(0, at(200), at(230));
        grid.sight(0, at(400), at(405));
        assert_eq!(grid.due(at(400), at(405)), Some(at(405)));
    }

    #[test]
    fn an_encoder_that_runs_slow_does_not_make_parts_late() {
        let mut grid = Grid::default();
        grid.sight(0, at(0), at(10));
        // 50 parts of a million in ten minutes are 30 ms.
        assert!(grid.due(at(600_000), at(600_040)) >= Some(at(600_040)));
        assert!(grid.due(at(1_000), at(1_000)) < Some(at(1_011)));
    }

    #[test]
    fn after_a_discontinuity_the_schedule_is_learnt_anew() {
        let mut grid = Grid::default();
        grid.sight(0, at(200), at(205));
        grid.sight(1, at(9_000), at(9_090));
        assert_eq!(grid.due(at(9_000), at(9_090)), Some(at(9_090)));
    }
}
