//! When a keyframe is asked for.

use std::time::{Duration, Instant};

/// The least time from one request to the next while nothing can be shown.
const MIN_INTERVAL: Duration = Duration::from_millis(200);
/// After so many of them the sender takes none: its keyframes come when they come.
const MAX_URGENT: u32 = 10;
/// A keyframe that comes this long after it was asked for at most was made for that.
const ANSWER: Duration = Duration::from_millis(500);
/// What browsers take to make one.
const MAKING: Duration = Duration::from_millis(40);

/// Asks for keyframes: at once and again while nothing can be shown, and else so that one comes with each segment. Browsers
/// make none of themselves. Senders that take no requests are not asked more often for it, and those that say so not at all.
#[derive(Debug)]
pub(super) struct Keyframes {
    interval: Duration,
    /// Whether the sender can be asked.
    heeded: bool,
    round_trip: Duration,
    /// When the last one came.
    last: Option<Instant>,
    /// When it was asked for the next one.
    asked: Option<Asked>,
    /// Whether the newest that was asked for came at once.
    answers: bool,
    /// Since when nothing can be shown, and how often it was asked since.
    urgent: Option<(Instant, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    first: Instant,
    last: Instant,
    times: u32,
}

impl Keyframes {
    pub(super) fn new(interval: Duration, heeded: bool) -> Self {
        Self { interval, heeded, round_trip: Duration::ZERO, last: None, asked: None, answers: false, urgent: None }
    }

    pub(super) fn round_trip(&mut self, round_trip: Duration) {
        self.round_trip = round_trip;
    }

    /// Nothing can be shown until one comes, as it turned out by `now`.
    pub(super) fn need(&mut self, now: Instant) {
        self.urgent.get_or_insert((now, 0));
    }

    /// One has come, and all can be shown. How long after it was asked for, if it was.
    pub(super) fn came(&mut self, now: Instant) -> Option<Duration> {
        let took = self.asked.take().map(|asked| now.saturating_duration_since(asked.first));
        self.answers = took.map_or(self.answers, |took| took < ANSWER);
        (self.last, self.urgent) = (Some(now), None);
        took
    }

    /// Whether one is to be asked for now.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        if self.due().is_none_or(|due| due > now) {
            return false;
        }
        let before = self.asked.unwrap_or(Asked { first: now, last: now, times: 0 });
        self.asked = Some(Asked { last: now, times: before.times + 1, ..before });
        if let Some((_, times)) = &mut self.urgent {
            *times += 1;
        }
        true
    }

    /// When one is to be asked for.
    pub(super) fn due(&self) -> Option<Instant> {
        if !self.heeded {
            return None;
        }
        let after = |from: Option<Instant>, wait: Duration| from.map(|from| from + wait);
        let asked = self.asked.map(|asked| asked.last);
        if let Some((since, times)) = self.urgent {
            let wait = if times < MAX_URGENT { self.round_trip.max(MIN_INTERVAL) } else { self.interval };
            return Some(after(asked, wait).map_or(since, |due| due.max(since)));
        }
        let ahead = self.interval.saturating_sub(MAKING + self.round_trip).max(MIN_INTERVAL);
        // A sender that does not heed one request may yet heed another, but none before the next is due. What one that heeds them
        // has not heeded got lost.
        let lost = self.answers && self.asked.is_some_and(|asked| asked.times == 1);
        let wait = if lost { ((MAKING + self.round_trip) * 3).max(MIN_INTERVAL) } else { self.interval };
        after(self.last, ahead).max(after(asked, wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(2);

    /// Milliseconds at which one is asked for, of a sender whose keyframes come at `came`, until `end`.
    fn asks(came: &[u64], end: u64) -> Vec<u64> {
        let start = Instant::now();
        let mut keyframes = Keyframes::new(INTERVAL, true);
        let mut asks = Vec::new();
        for millis in 0..end {
            let now = start + Duration::from_millis(millis);
            if came.contains(&millis) {
                keyframes.came(now);
            }
            if keyframes.ask(now) {
                asks.push(millis);
            }
        }
        asks
    }

    #[test]
    fn a_request_that_got_lost_is_made_a_second_time() {
        assert_eq!(asks(&[0, 2_010], 6_100), [1_960, 3_970, 4_170], "and no third");
    }

    #[test]
    fn a_sender_that_makes_keyframes_when_it_likes_is_asked_no_more_for_it() {
        assert_eq!(asks(&[0, 3_000, 6_000], 8_500), [1_960, 4_960, 7_960]);
    }
}
