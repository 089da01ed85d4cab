//! When a ladder is more than the machine can carry: which rung goes, and when it comes back.
//!
//! A worker sheds pictures by itself, so that nothing piles up. If it has to go on with that, the top rung goes whole, at an
//! IDR; it comes back once there has been rest for a while, and has to rest longer each time that this fails.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::message::Report;

/// Over so much time shedding is judged: what passes sooner, as when a program starts beside us, costs viewers less than a rung
/// that rests.
const WINDOW: Duration = Duration::from_secs(6);
/// More than one picture in so many left out of any rung is too much.
const TOLERATED: u64 = 10;
/// After a change, how long its effect is waited for.
const SETTLING: Duration = Duration::from_secs(6);
/// How long a rung rests at least.
const MIN_REST: Duration = Duration::from_secs(30);
/// How long a rung rests at most.
const MAX_REST: Duration = Duration::from_mins(10);
/// A rung that has come back and stayed so long has come back for good.
const PROBATION: Duration = Duration::from_secs(30);

/// A rung is to go, or to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    /// The rung.
    pub(crate) stream: u8,
    /// Whether it is made.
    pub(crate) on: bool,
}

/// Watches the reports of a worker.
#[derive(Debug)]
pub(crate) struct Overload {
    /// The rungs of pictures, highest first.
    streams: Vec<u8>,
    /// How many of them rest, from the top.
    resting: usize,
    /// How long the next one rests.
    rest: Duration,
    reports: VecDeque<(Instant, Totals)>,
    /// When pictures were last shed.
    uneasy: Instant,
    changed: Instant,
    came_back: Option<Instant>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    taken: u64,
    shed: u64,
}

impl Overload {
    /// Watches a worker that makes these rungs, highest first.
    pub(crate) fn new(streams: Vec<u8>, now: Instant) -> Self {
        let reports = VecDeque::new();
        Self { streams, resting: 0, rest: MIN_REST, reports, uneasy: now, changed: now, came_back: None }
    }

    /// The rungs that rest.
    pub(crate) fn resting(&self) -> &[u8] {
        self.streams.get(..self.resting).unwrap_or_default()
    }

    /// Another worker counts from nought, and has to catch up first.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.reports.clear();
        self.changed = now;
    }

    /// Judges a report.
    pub(crate) fn observe(&mut self, report: &Report, now: Instant) -> Option<Change> {
        let totals = self.over_the_window(report, now)?;
        if totals.shed > 0 {
            self.uneasy = now;
        }
        if now.duration_since(self.changed) < SETTLING {
            return None;
        }
        // The lowest rung stays: it is what a viewer has who cannot take the source.
        let another = self.resting + 1 < self.streams.len();
        if totals.shed * TOLERATED > totals.taken && another {
            return self.send_to_rest(now);
        }
        let rested = now.duration_since(self.uneasy.max(self.changed)) >= self.rest;
        if rested { self.call_back(now) } else { None }
    }

    fn send_to_rest(&mut self, now: Instant) -> Option<Change> {
        let in_vain = self.came_back.is_some_and(|at| now.duration_since(at) < PROBATION);
        self.rest = if in_vain { (self.rest * 2).min(MAX_REST) } else { MIN_REST };
        let stream = *self.streams.get(self.resting)?;
        self.resting += 1;
        self.restart(now);
        Some(Change { stream, on: false })
    }

    fn call_back(&mut self, now: Instant) -> Option<Change> {
        self.resting = self.resting.checked_sub(1)?;
        let stream = *self.streams.get(self.resting)?;
        self.came_back = Some(now);
        self.restart(now);
        Some(Change { stream, on: true })
    }

    /// What has come and what was shed over the last [`WINDOW`]; `None` before it is full.
    fn over_the_window(&mut self, report: &Report, now: Instant) -> Option<Totals> {
        let rungs = report.rungs.iter().filter(|rung| !self.resting().contains(&rung.stream));
        let rungs = rungs.map(|rung| Totals { taken: rung.frames_in + rung.shed, shed: rung.shed });
        let decoder = Totals { taken: report.video_in + report.skipped, shed: report.skipped };
        let sum = rungs.chain([decoder]).fold(Totals::default(), |worst, one| Totals {
            taken: worst.taken.max(one.taken),
            shed: worst.shed.max(one.shed),
        });
        self.reports.push_back((now, sum));
        while self.reports.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.reports.pop_front();
        }
        let (at, before) = *self.reports.front()?;
        (now.duration_since(at) >= WINDOW).then(|| Totals {
            taken: sum.taken.saturating_sub(before.taken),
            shed: sum.shed.saturating_sub(before.shed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::RungReport;

    /// A machine that can carry so many of three rungs, at ten reports a second of three pictures each.
    struct Machine {
        overload: Overload,
        began: Instant,
        ticks: u32,
        counts: [RungReport; 3],
    }

    impl Machine {
        fn new() -> Self {
            let began = Instant::now();
            let counts = [1, 2, 3].map(|stream| RungReport { stream, ..RungReport::default() });
            Self { overload: Overload::new(vec![1, 2, 3], began), began, ticks: 0, counts }
        }

        /// Runs for so many seconds, and tells the changes: `12.1:-1` is stream 1 that goes after 12.1 s.
        fn run(&mut self, seconds: u32, carries: usize) -> String {
            let mut seen = Vec::new();
            for _ in 0..seconds * 10 {
                self.ticks += 1;
                let resting = self.overload.resting().len();
                let too_many = 3 - resting > carries;
                for rung in self.counts.iter_mut().skip(resting) {
                    rung.frames_in += if too_many { 2 } else { 3 };
                    rung.shed += u64::from(too_many);
                }
                let report = Report { rungs: self.counts.to_vec(), ..Report::default() };
                let now = self.began + Duration::from_millis(100) * self.ticks;
                if let Some(Change { stream, on }) = self.overload.observe(&report, now) {
                    let sign = if on { '+' } else { '-' };
                    seen.push(format!("{}:{sign}{stream}", f64::from(self.ticks) / 10.0));
                }
            }
            seen.join(" ")
        }
    }

    #[test]
    fn a_ladder_that_is_carried_stays_whole() {
        assert_eq!(Machine::new().run(600, 3), "");
    }

    #[test]
    fn rungs_go_from_the_top_one_at_a_time_and_the_lowest_stays() {
        assert_eq!(Machine::new().run(25, 0), "6.1:-1 12.2:-2");
    }

    #[test]
    fn a_rung_comes_back_after_rest_and_rests_longer_when_that_was_too_early() {
        let mut machine = Machine::new();
        assert_eq!(machine.run(200, 2), "6.1:-1 36.1:+1 42.2:-1 102.2:+1 108.3:-1");
        assert_eq!(machine.run(200, 3), "228.3:+1");
        // It has stayed: the next rest is a short one.
        assert_eq!(machine.run(50, 2), "401.9:-1 431.9:+1 438:-1");
    }

    #[test]
    fn a_little_shedding_is_borne_but_nothing_comes_back_meanwhile() {
        let mut machine = Machine::new();
        machine.run(10, 2);
        for _ in 0..60 {
            machine.counts[1].shed += 1;
            assert_eq!(machine.run(2, 3), "");
        }
        assert_eq!(machine.run(40, 3), "164:+1");
    }
}
