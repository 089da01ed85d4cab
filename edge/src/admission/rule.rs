//! When new viewers are turned away.

use std::time::{Duration, Instant};

/// A lag is smoothed over about so many measurements: a fault of a moment turns nobody away.
const SMOOTHING: u32 = 8;
/// Parts in a hundred of all connections at which it is nearly full, and at which it is so no longer.
const NEARLY_FULL: usize = 95;
const ROOM_AGAIN: usize = 90;
/// How long nobody is let in at least, for what has been let in before to show.
const SPELL: Duration = Duration::from_secs(2);
/// The seconds after which who was turned away may come again: each is told one of them, so that they do not come at once.
const RETRY_SECONDS: std::ops::Range<u64> = 2..10;

/// Late or nearly full, by what is measured. It knows no clock: `now` never goes back.
#[derive(Debug)]
pub(super) struct Rule {
    /// The smoothed lag that is too much.
    limit: Duration,
    /// Connections that may be open.
    connections: usize,
    /// Of each core, smoothed.
    lags: Vec<Duration>,
    spell: Option<Spell>,
}

/// A time in which no new viewer is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spell {
    reason: Reason,
    since: Instant,
}

/// Why nobody is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// What is due is done so much later.
    Late(Duration),
    /// Nearly as many connections are open as may be.
    Full,
}

/// What an operator is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// No new viewers from now on.
    Closed(Reason),
    /// They are let in again, after so long.
    Opened(Duration),
}

impl Rule {
    /// Everybody is let in, by a server of so many cores that may be late by `limit` and have so many connections.
    pub(super) fn new(cores: usize, limit: Duration, connections: usize) -> Self {
        Self { limit, connections, lags: vec![Duration::ZERO; cores], spell: None }
    }

    /// A timer of a core has gone off so late, while so many connections were open.
    pub(super) fn measured(&mut self, core: usize, late: Duration, connections: usize, now: Instant) -> Option<Change> {
        if let Some(lag) = self.lags.get_mut(core) {
            *lag = (*lag * (SMOOTHING - 1) + late) / SMOOTHING;
        }
        match self.spell {
            None => {
                let reason = self.reason(connections)?;
                self.spell = Some(Spell { reason, since: now });
                Some(Change::Closed(reason))
            }
            Some(Spell { since, .. }) => {
                let lasted = now.saturating_duration_since(since);
                if lasted < SPELL || !self.well(connections) {
                    return None;
                }
                self.spell = None;
                Some(Change::Opened(lasted))
            }
        }
    }

    /// Whether new viewers are turned away.
    pub(super) fn closed(&self) -> bool {
        self.spell.is_some()
    }

    /// The smoothed lag of the core that has the largest.
    pub(super) fn lag(&self) -> Duration {
        self.lags.iter().copied().max().unwrap_or_default()
    }

    fn reason(&self, connections: usize) -> Option<Reason> {
        if self.lag() > self.limit {
            return Some(Reason::Late(self.lag()));
        }
        (connections >= share(self.connections, NEARLY_FULL)).then_some(Reason::Full)
    }

    /// Whether there is room enough for it not to be over again at once.
    fn well(&self, connections: usize) -> bool {
        self.lag() < self.limit / 2 && connections < share(self.connections, ROOM_AGAIN).max(1)
    }
}

/// Seconds after which the `number`th viewer that was turned away may come again.
pub(super) fn retry_after(number: u64) -> u64 {
    // Fibonacci hashing spreads numbers that follow each other evenly.
    let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    RETRY_SECONDS.start + hash % (RETRY_SECONDS.end - RETRY_SECONDS.start)
}

/// So many parts in a hundred, rounded up.
fn share(connections: usize, percent: usize) -> usize {
    connections.saturating_mul(percent).div_ceil(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(250);
    const TICK: Duration = Duration::from_millis(100);

    /// Measures a core so many times, with so many connections open; what changes, and when.
    fn run(
        rule: &mut Rule,
        start: Instant,
        ticks: std::ops::Range<u32>,
        late: Duration,
        connections: usize,
    ) -> Vec<(u32, Change)> {
        ticks.filter_map(|tick| Some((tick, rule.measured(0, late, connections, start + TICK * tick)?))).collect()
    }

    #[test]
    fn a_server_that_is_on_time_lets_everybody_in() {
        let mut rule = Rule::new(2, LIMIT, 1_000);
        assert_eq!(run(&mut rule, Instant::now(), 0..1_000, LIMIT, 949), []);
        assert!(!rule.closed());
    }

    #[test]
    fn one_long_stop_turns_nobody_away_but_being_late_does() {
        let mut rule = Rule::new(1, LIMIT, 1_000);
        let start = Instant::now();
        assert_eq!(run(&mut rule, start, 0..1, 7 * LIMIT, 0), []);
        assert_eq!(run(&mut rule, start, 1..20, Duration::ZERO, 0), []);
        let changes = run(&mut rule, start, 20..40, 2 * LIMIT, 0);
        assert!(matches!(changes[..], [(23..27, Change::Closed(Reason::Late(lag)))] if lag > LIMIT), "{changes:?}");
    }

    #[test]
    fn it_lets_in_again_when_it_has_been_well_for_a_while() {
        let mut rule = Rule::new(1, LIMIT, 1_000);
        let start = Instant::now();
        run(&mut rule, start, 0..10, 4 * LIMIT, 0);
        assert!(rule.closed());
        // Half the limit is not well.
        assert_eq!(run(&mut rule, start, 10..600, LIMIT / 2, 0), []);
        let changes = run(&mut rule, start, 600..700, Duration::ZERO, 0);
        assert!(matches!(changes[..], [(600..602, Change::Opened(_))]), "{changes:?}");
        assert!(!rule.closed());
    }

    #[test]
    fn a_spell_lasts_two_seconds_at_least() {
        let mut rule = Rule::new(1, LIMIT, 100);
        let start = Instant::now();
        assert_eq!(run(&mut rule, start, 0..1, Duration::ZERO, 95), [(0, Change::Closed(Reason::Full))]);
        assert_eq!(run(&mut rule, start, 1..30, Duration::ZERO, 0), [(20, Change::Opened(SPELL))]);
    }

    #[test]
    fn it_is_full_before_the_last_connection_and_until_some_have_gone() {
        let mut rule = Rule::new(1, LIMIT, 100);
        let start = Instant::now();
        assert_eq!(run(&mut rule, start, 0..10, Duration::ZERO, 94), []);
        assert_eq!(run(&mut rule, start, 10..11, Duration::ZERO, 95), [(10, Change::Closed(Reason::Full))]);
        assert_eq!(run(&mut rule, start, 11..50, Duration::ZERO, 90), []);
        assert_eq!(run(&mut rule, start, 50..51, Duration::ZERO, 89), [(50, Change::Opened(TICK * 40))]);
    }

    #[test]
    fn the_latest_core_decides() {
        let mut rule = Rule::new(2, LIMIT, 1_000);
        let start = Instant::now();
        for tick in 0..20 {
            rule.measured(0, Duration::ZERO, 0, start + TICK * tick);
            rule.measured(1, 2 * LIMIT, 0, start + TICK * tick);
        }
        assert!(rule.closed());
        assert!(rule.lag() > LIMIT);
    }

    #[test]
    fn who_is_turned_away_comes_again_at_different_times() {
        let mut told = [0; 12];
        for number in 0..8_000 {
            told[usize::try_from(retry_after(number)).unwrap()] += 1;
        }
        assert_eq!(told[..2], [0, 0]);
        assert_eq!(told[10..], [0, 0]);
        assert!(told[2..10].iter().all(|times| (900..1_100).contains(times)), "{told:?}");
    }
}
