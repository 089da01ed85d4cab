use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cmcd::{Cmcd, Event};
use crate::sketch::Sketch;

/// What players say counts for six of these.
const SLOT: Duration = Duration::from_secs(10);
const SLOTS: usize = 6;
/// How much of what a player says it stood still is believed, in milliseconds: a minute.
const MAX_STARVED_MS: f64 = 60_000.0;

/// What players have said within the last minute.
#[derive(Debug, Default)]
pub struct Quality {
    /// By when they begin, oldest first.
    slots: VecDeque<(Duration, Reading)>,
}

/// The same, to be read and merged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// From when a player was told to play until it played, in milliseconds.
    pub startup_ms: Sketch,
    /// Behind live, in milliseconds.
    pub live_latency_ms: Sketch,
    /// In kb/s.
    pub throughput_kbps: Sketch,
    /// How long pictures stood still for want of media, in milliseconds, all players together.
    pub starved_ms: f64,
    /// How long players were there that would have said so, in milliseconds.
    pub watched_ms: f64,
    /// How often players say that they have stood still.
    pub starvations: u64,
    /// Errors that players tell of.
    pub errors: u64,
}

impl Reading {
    /// Takes in what others have said.
    pub fn merge(&mut self, other: &Self) {
        self.startup_ms.merge(&other.startup_ms);
        self.live_latency_ms.merge(&other.live_latency_ms);
        self.throughput_kbps.merge(&other.throughput_kbps);
        self.starved_ms += other.starved_ms;
        self.watched_ms += other.watched_ms;
        self.starvations += other.starvations;
        self.errors += other.errors;
    }

    /// Of the time that was watched, the share that pictures stood still; `None` if nobody would have said so.
    pub fn rebuffer_ratio(&self) -> Option<f64> {
        (self.watched_ms > 0.0).then(|| (self.starved_ms / self.watched_ms).min(1.0))
    }

    /// Over how long this is.
    pub const SPAN: Duration = Duration::from_secs(SLOT.as_secs() * SLOTS as u64);
}

impl Quality {
    /// A player has said something.
    pub fn take(&mut self, now: Duration, said: &Cmcd) {
        let slot = self.slot(now);
        let figures = [
            (&mut slot.startup_ms, said.startup_ms),
            (&mut slot.live_latency_ms, said.live_latency_ms),
            (&mut slot.throughput_kbps, said.throughput_kbps),
        ];
        for (sketch, value) in figures {
            if let Some(value) = value {
                sketch.add(value);
            }
        }
        slot.starved_ms += said.starved_ms.unwrap_or_default().min(MAX_STARVED_MS);
        slot.starvations += u64::from(said.starved);
        slot.errors += u64::from(said.error || said.event == Some(Event::Error));
    }

    /// So many that would say so have watched for so long.
    pub fn watched(&mut self, now: Duration, players: f64, span: Duration) {
        self.slot(now).watched_ms += players * span.as_secs_f64() * 1_000.0;
    }

    /// Everything within the last minute.
    pub fn read(&mut self, now: Duration) -> Reading {
        self.slot(now);
        let mut all = Reading::default();
        self.slots.iter().for_each(|(_, slot)| all.merge(slot));
        all
    }

    fn slot(&mut self, now: Duration) -> &mut Reading {
        if self.slots.back().is_none_or(|(begun, _)| now.saturating_sub(*begun) >= SLOT) {
            self.slots.push_back((now, Reading::default()));
        }
        while self.slots.len() > 1
            && self.slots.front().is_some_and(|(begun, _)| now.saturating_sub(*begun) >= Reading::SPAN)
        {
            self.slots.pop_front();
        }
        &mut self.slots.back_mut().expect("one has just been pushed").1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_counts_for_a_minute() {
        let mut quality = Quality::default();
        let said = |latency, starved| Cmcd { live_latency_ms: Some(latency), starved_ms: starved, ..Cmcd::default() };
        let at = Duration::from_secs;
        quality.take(at(100), &said(1_000.0, Some(500.0)));
        quality.watched(at(100), 2.0, at(25));
        quality.take(at(130), &Cmcd { event: Some(Event::Error), ..said(2_000.0, None) });
        let read = quality.read(at(131));
        assert_eq!((read.live_latency_ms.count(), read.errors), (2, 1));
        assert_eq!(read.rebuffer_ratio(), Some(0.01));
        let read = quality.read(at(161));
        assert_eq!((read.live_latency_ms.count(), read.rebuffer_ratio()), (1, None));
        assert_eq!(quality.read(at(1_000)), Reading::default());
        assert!(quality.slots.len() <= SLOTS + 1);
    }

    #[test]
    fn nobody_stands_still_for_longer_than_a_minute() {
        let mut quality = Quality::default();
        quality.take(Duration::ZERO, &Cmcd { starved_ms: Some(1e12), ..Cmcd::default() });
        assert!(quality.read(Duration::ZERO).starved_ms <= MAX_STARVED_MS);
    }
}
