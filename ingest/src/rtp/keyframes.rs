//! When a keyframe is asked for.

use std::time::{Duration, Instant};

/// The least time from one request to the next while nothing can be shown.
const MIN_INTERVAL: Duration = Duration::from_millis(200);
/// After so many of them the sender takes none: its keyframes come when they come.
const MAX_URGENT: u32 = 10;
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
    /// When it was asked for the next one, for the first time and for the last.
    asked: Option<(Instant, Instant)>,
    /// Since when nothing can be shown, and how often it was asked since.
    urgent: Option<(Instant, u32)>,
}

impl Keyframes {
    pub(super) fn new(interval: Duration, heeded: bool) -> Self {
        Self { interval, heeded, round_trip: Duration::ZERO, last: None, asked: None, urgent: None }
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
        let asked = self.asked.take();
        (self.last, self.urgent) = (Some(now), None);
        asked.map(|(first, _)| now.saturating_duration_since(first))
    }

    /// Whether one is to be asked for now.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        if self.due().is_none_or(|due| due > now) {
            return false;
        }
        self.asked = Some((self.asked.map_or(now, |(first, _)| first), now));
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
        let asked = self.asked.map(|(_, last)| last);
        if let Some((since, times)) = self.urgent {
            let wait = if times < MAX_URGENT { self.round_trip.max(MIN_INTERVAL) } else { self.interval };
            return Some(after(asked, wait).map_or(since, |due| due.max(since)));
        }
        let ahead = self.interval.saturating_sub(MAKING + self.round_trip).max(MIN_INTERVAL);
        // A sender that does not heed one request may yet heed another, but none before the next is due.
        after(self.last, ahead).max(after(asked, self.interval))
    }
}
