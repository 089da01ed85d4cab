//! An event again, with somebody who decides how many nodes there are: what that costs, and who is not served.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use touchline_hints::{Observation, Series, Settings};

use super::policy::{Known, Policy};

/// How long a node that is taken away goes on, and is paid for: its viewers leave little by little.
const DRAIN: Duration = Duration::from_mins(5);

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Outcome {
    /// Minutes of viewers who were not served.
    pub(super) lost: f64,
    /// Minutes of all viewers.
    pub(super) watched: f64,
    /// Minutes of nodes that were paid for, booting and draining included.
    pub(super) paid: f64,
    /// The same, of who knows the future.
    pub(super) oracle: f64,
}

impl Outcome {
    /// Of a million minutes, those that were lost.
    pub(super) fn lost_per_million(&self) -> f64 {
        self.lost / self.watched.max(f64::MIN_POSITIVE) * 1e6
    }

    /// The cost, as a multiple of the oracle's.
    pub(super) fn cost(&self) -> f64 {
        self.paid / self.oracle.max(f64::MIN_POSITIVE)
    }

    pub(super) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.watched += other.watched;
        self.paid += other.paid;
        self.oracle += other.oracle;
    }
}

/// What there was at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) viewers: f64,
    /// Viewers that there was room for.
    pub(super) room: f64,
}

/// Nodes by what they do.
struct Nodes {
    serving: f64,
    /// When they will serve, and how many.
    booting: VecDeque<(Duration, f64)>,
    draining: VecDeque<(Duration, f64)>,
}

/// Plays an event. `node`: viewers that a node has room for.
pub(super) fn replay(
    series: &Series,
    node: f64,
    settings: &Settings,
    policy: &mut dyn Policy,
) -> (Outcome, Vec<Moment>) {
    let minutes = series.step.as_secs_f64() / 60.0;
    let first = series.viewers.first().copied().unwrap_or_default();
    let mut nodes = Nodes { serving: (first * 1.2 / node).ceil(), booting: VecDeque::new(), draining: VecDeque::new() };
    let (mut outcome, mut moments) = (Outcome::default(), Vec::new());
    let mut next = series.moment(0);
    for (index, viewers) in series.viewers.iter().copied().enumerate() {
        let now = series.moment(index);
        nodes.settle(now);
        if now >= next {
            next = now + settings.control;
            let at = now.saturating_sub(settings.lag);
            let seen = Observation { at, viewers: seen_at(series, at) };
            let room = nodes.serving * node;
            let known = Known { now, seen, room, node, calendar: &series.calendar };
            let wish = (policy.room(&known) / node - 1e-9).ceil().max(1.0);
            nodes.turn_into(wish, now, settings.boot);
        }
        let room = nodes.serving * node;
        outcome.lost += (viewers - room).max(0.0) * minutes;
        outcome.watched += viewers * minutes;
        outcome.paid += nodes.all() * minutes;
        moments.push(Moment { viewers, room });
    }
    outcome.oracle = oracle(series, node, settings.boot);
    (outcome, moments)
}

/// How many watched, in between two measurements by the line between them.
fn seen_at(series: &Series, at: Duration) -> f64 {
    let position = at.saturating_sub(series.start).as_secs_f64() / series.step.as_secs_f64();
    let (index, part) = (position.floor(), position.fract());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a position in the series")]
    let index = index as usize;
    let value = |index: usize| series.viewers.get(index).or(series.viewers.last()).copied().unwrap_or_default();
    value(index) * (1.0 - part) + value(index + 1) * part
}

impl Nodes {
    fn settle(&mut self, now: Duration) {
        while let Some((_, count)) = self.booting.pop_front_if(|(at, _)| *at <= now) {
            self.serving += count;
        }
        while self.draining.pop_front_if(|(at, _)| *at <= now).is_some() {}
    }

    fn turn_into(&mut self, wish: f64, now: Duration, boot: Duration) {
        let there = self.serving + self.booting.iter().map(|(_, count)| count).sum::<f64>();
        if wish > there {
            self.booting.push_back((now + boot, wish - there));
            return;
        }
        // Those that do not serve yet go first, the youngest before the others.
        let mut surplus = there - wish;
        while surplus > 0.0
            && let Some((_, count)) = self.booting.back_mut()
        {
            let gone = surplus.min(*count);
            *count -= gone;
            surplus -= gone;
            if *count <= 0.0 {
                self.booting.pop_back();
            }
        }
        let gone = surplus.min(self.serving);
        if gone > 0.0 {
            self.serving -= gone;
            self.draining.push_back((now + DRAIN, gone));
        }
    }

    fn all(&self) -> f64 {
        let count = |queue: &VecDeque<(Duration, f64)>| queue.iter().map(|(_, count)| count).sum::<f64>();
        self.serving + count(&self.booting) + count(&self.draining)
    }
}

/// Minutes of nodes that who knows the future pays for: a node boots so that it serves when it is needed, and is kept where that is
/// cheaper than to let it go and boot it again.
fn oracle(series: &Series, node: f64, boot: Duration) -> f64 {
    let step = series.step.as_secs_f64() / 60.0;
    let around = (boot + DRAIN).as_secs_f64() / 60.0;
    let needed: Vec<f64> = series.viewers.iter().map(|viewers| (viewers / node).ceil()).collect();
    let most = needed.iter().copied().fold(0.0, f64::max);
    let (mut paid, mut level) = (0.0, 1.0);
    while level <= most {
        let mut last_needed: Option<usize> = None;
        for (index, _) in needed.iter().enumerate().filter(|(_, needed)| **needed >= level) {
            let steps = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) * step;
            paid += match last_needed {
                None => around + step,
                Some(last) => steps(index - last).min(around + step),
            };
            last_needed = Some(index);
        }
        level += 1.0;
    }
    paid
}

#[cfg(test)]
mod tests {
    use touchline_hints::Calendar;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn series(viewers: &[f64]) -> Series {
        let start = Duration::from_secs(1_000_000);
        Series { start, step: MINUTE, viewers: viewers.to_vec(), calendar: Calendar::default() }
    }

    fn settings(boot: u64) -> Settings {
        Settings { boot: MINUTE * u32::try_from(boot).unwrap(), lag: Duration::ZERO, ..Settings::default() }
    }

    /// As much room as is needed for what is seen.
    struct JustEnough;

    impl Policy for JustEnough {
        fn room(&mut self, known: &Known<'_>) -> f64 {
            known.seen.viewers
        }
    }

    fn same(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value}, not {expected}");
    }

    #[test]
    fn who_asks_when_it_is_needed_loses_what_comes_while_nodes_boot() {
        let mut viewers = vec![100.0; 20];
        viewers[5..].fill(200.0);
        let (outcome, moments) = replay(&series(&viewers), 10.0, &settings(3), &mut JustEnough);
        // Twelve nodes were there at first, ten from the first look on.
        same(outcome.lost, 3.0 * 100.0);
        assert_eq!((moments[7].room, moments[8].room), (100.0, 200.0));
        same(outcome.watched, 5.0 * 100.0 + 15.0 * 200.0);
        // Ten nodes all the time, ten from when they are asked for, and two that drain for five minutes.
        same(outcome.paid, 20.0 * 10.0 + 15.0 * 10.0 + 5.0 * 2.0);
    }

    #[test]
    fn who_knows_the_future_keeps_what_is_needed_again_soon() {
        let paid = |dip: usize| {
            let mut viewers = vec![10.0; 40];
            viewers[10..10 + dip].fill(0.0);
            oracle(&series(&viewers), 10.0, MINUTE * 3)
        };
        // Booting and draining take eight minutes.
        same(paid(0), 40.0 + 8.0);
        same(paid(8), 40.0 + 8.0);
        same(paid(20), 20.0 + 2.0 * 8.0);
    }
}
