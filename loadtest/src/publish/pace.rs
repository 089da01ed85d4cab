//! What a publisher does with its schedule: how unevenly it sends, and the faults that it has.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use crate::Error;
use crate::random::Random;

/// When units are sent that are due.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Each unit is later by a time that is drawn from zero to this.
    jitter: Duration,
    /// Units wait for each other for so long, and are sent together.
    burst: Duration,
    faults: Vec<Fault>,
    random: Random,
    /// Units keep their order.
    last: Duration,
}

/// What goes wrong at a publisher, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// When, since the publisher has begun.
    pub at: Duration,
}

/// What goes wrong at a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is gone without a word, and does not come back.
    Close,
    /// It is gone without a word, and connects again.
    Drop,
    /// It sends nothing for so long, then at once what was due.
    Stall(Duration),
    /// The times that it sends jump ahead by so much.
    Skip(Duration),
}

impl Pace {
    /// A pace with these faults, which draws from `seed`.
    pub(super) fn new(jitter: Duration, burst: Duration, faults: Vec<Fault>, seed: u64) -> Self {
        Self { jitter, burst, faults, random: Random::new(seed), last: Duration::ZERO }
    }

    #[cfg(test)]
    pub(super) fn even() -> Self {
        Self::new(Duration::ZERO, Duration::ZERO, Vec::new(), 0)
    }

    /// When a unit is sent that is due at `due`, which is later for each unit than for the one before. Both are since the beginning.
    pub(super) fn sent(&mut self, due: Duration) -> Duration {
        let mut sent = due;
        if !self.burst.is_zero() {
            let bursts = due.as_nanos().div_ceil(self.burst.as_nanos());
            sent = Duration::from_nanos(u64::try_from(bursts * self.burst.as_nanos()).unwrap_or(u64::MAX));
        }
        sent += Duration::from_nanos(self.random.below(u64::try_from(self.jitter.as_nanos()).unwrap_or(u64::MAX)));
        for fault in &self.faults {
            if let Kind::Stall(time) = fault.kind
                && sent >= fault.at
            {
                sent = sent.max(fault.at + time);
            }
        }
        self.last = self.last.max(sent);
        self.last
    }

    /// How far the times of what is due at `due` are ahead of it.
    pub(super) fn skipped(&self, due: Duration) -> Duration {
        let skips = self.faults.iter().filter(|fault| fault.at <= due).map(|fault| match fault.kind {
            Kind::Skip(time) => time,
            _ => Duration::ZERO,
        });
        skips.sum()
    }
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (kind, at) = text.split_once('@')?;
            let kind = match kind.split_once(':') {
                None if kind == "close" => Kind::Close,
                None if kind == "drop" => Kind::Drop,
                Some(("stall", time)) => Kind::Stall(humantime::parse_duration(time).ok()?),
                Some(("skip", time)) => Kind::Skip(humantime::parse_duration(time).ok()?),
                _ => return None,
            };
            Some(Self { kind, at: humantime::parse_duration(at).ok()? })
        };
        parse().ok_or_else(|| Error::Argument {
            what: "fault",
            value: text.to_owned(),
            expected: "what happens and when: close@20s, drop@20s, stall:3s@20s or skip:10s@20s",
        })
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = humantime::format_duration;
        match self.kind {
            Kind::Close => f.write_str("close")?,
            Kind::Drop => f.write_str("drop")?,
            Kind::Stall(amount) => write!(f, "stall:{}", time(amount))?,
            Kind::Skip(amount) => write!(f, "skip:{}", time(amount))?,
        }
        write!(f, "@{}", time(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(jitter: u64, burst: u64, faults: &[&str]) -> Pace {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        Pace::new(Duration::from_millis(jitter), Duration::from_millis(burst), faults, 7)
    }

    fn sent(mut pace: Pace, due: impl IntoIterator<Item = u64>) -> Vec<u128> {
        due.into_iter().map(|due| pace.sent(Duration::from_millis(due)).as_millis()).collect()
    }

    #[test]
    fn bursts_hold_units_together() {
        assert_eq!(sent(pace(0, 100, &[]), [0, 1, 100, 101, 200]), [0, 100, 100, 200, 200]);
    }

    #[test]
    fn jitter_delays_each_unit_and_keeps_their_order() {
        let due = || (0..1_000).map(|n| n * 5);
        let drawn = sent(pace(20, 0, &[]), due());
        assert!(drawn.is_sorted());
        let late: Vec<u128> = drawn.iter().zip(due()).map(|(sent, due)| sent - u128::from(due)).collect();
        assert!(late.iter().all(|late| *late < 20) && late.iter().any(|late| *late >= 15), "{late:?}");
        assert_eq!(drawn, sent(pace(20, 0, &[]), due()), "the same seed draws the same");
    }

    #[test]
    fn what_is_due_during_a_stall_is_sent_when_it_is_over() {
        assert_eq!(
            sent(pace(0, 0, &["stall:2s@1s"]), [999, 1_000, 2_500, 3_000, 3_033]),
            [999, 3_000, 3_000, 3_000, 3_033]
        );
    }

    #[test]
    fn times_jump_ahead_where_they_are_told_to() {
        let pace = pace(0, 0, &["skip:10s@1s", "skip:1m@2s"]);
        let skipped = [999, 1_000, 2_000].map(|due| pace.skipped(Duration::from_millis(due)).as_secs());
        assert_eq!(skipped, [0, 10, 70]);
    }

    #[test]
    fn faults_are_typed_as_they_are_shown() {
        for fault in ["close@20s", "drop@1m", "stall:3s@20s", "skip:10s@1m 30s"] {
            assert_eq!(fault.parse::<Fault>().unwrap().to_string(), fault);
        }
        for fault in ["", "close", "close@", "stall@20s", "close:3s@20s", "burn@1s"] {
            fault.parse::<Fault>().unwrap_err();
        }
    }
}
