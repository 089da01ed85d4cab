//! The packets of a stream in their order, and what to ask for of those that are missing.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Counters, Packet};

/// So far ahead of the others a packet may be for those between to count as missing: further on it is another sequence.
const MAX_HOLE: usize = 512;
/// The most packets, there and missing, that wait...
const MAX_PACKETS: usize = 2_048;
/// ...and the most bytes of them.
const MAX_BYTES: usize = 8 * 1_024 * 1_024;
/// So many packets in a row, each the next of the one before, that are far from those awaited: the sender has begun anew.
const RESTART: usize = 8;
/// The same for packets that are near those awaited: once none of these has come for so long.
const ALONE: Duration = Duration::from_secs(1);
/// How often a packet is asked for.
const MAX_ASKS: u32 = 8;
/// The least that an answer is waited for.
const MIN_INTERVAL: Duration = Duration::from_millis(50);
/// What an answer may be late by, above the round trip.
const JITTER: Duration = Duration::from_millis(10);
/// The round trip, until somebody has measured it.
const USUAL_ROUND_TRIP: Duration = Duration::from_millis(100);
/// The most that is waited for packets which are late, not lost, before they are asked for.
const MAX_LATENESS: Duration = Duration::from_millis(40);

/// Puts packets in order. Bounded by [`MAX_PACKETS`], [`MAX_BYTES`] and the patience that it is given.
#[derive(Debug)]
pub(super) struct Reorder {
    patience: Duration,
    /// How often a packet is asked for: never, of a sender that cannot be asked.
    max_asks: u32,
    round_trip: Option<Duration>,
    /// From the next packet that is due to the newest that came, by sequence number.
    slots: VecDeque<Slot>,
    /// The sequence number of the first slot; `None` before there was a packet.
    next: Option<u16>,
    bytes: usize,
    missing: usize,
    /// How late packets come of themselves where the network changes their order.
    lateness: Duration,
    /// Packets that are none of those awaited, each the next of the one before.
    elsewhere: Vec<(Packet, Instant)>,
    /// When one of those awaited came last.
    newest: Option<Instant>,
    /// Packets were given up before the first slot, which has not been told of.
    gap: bool,
}

#[derive(Debug)]
enum Slot {
    Here(Packet, Instant),
    Missing(Hole),
}

/// A packet that is missing.
#[derive(Debug, Clone, Copy)]
struct Hole {
    since: Instant,
    asked: u32,
    /// When to ask for it.
    due: Instant,
}

/// What comes next of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A packet, and when it arrived.
    Packet(Packet, Instant),
    /// Packets are missing here for good.
    Gap,
}

impl Reorder {
    /// For a stream whose packets are waited for so long, and can be asked for or not.
    pub(super) fn new(patience: Duration, heeded: bool) -> Self {
        Self {
            patience,
            max_asks: if heeded { MAX_ASKS } else { 0 },
            round_trip: None,
            slots: VecDeque::new(),
            next: None,
            bytes: 0,
            missing: 0,
            lateness: Duration::ZERO,
            elsewhere: Vec::new(),
            newest: None,
            gap: false,
        }
    }

    /// The time from asking for a packet to its coming.
    pub(super) fn round_trip(&mut self, round_trip: Duration) {
        self.round_trip = Some(round_trip);
    }

    /// Nothing more comes: what is there is handed on at the next poll.
    pub(super) fn wait_no_more(&mut self) {
        self.patience = Duration::ZERO;
    }

    /// Takes a packet as it came.
    pub(super) fn push(&mut self, packet: Packet, now: Instant, counters: &mut Counters) {
        counters.packets += 1;
        let next = *self.next.get_or_insert(packet.sequence);
        // RFC 3550 A.1: the nearest way round.
        let ahead = isize::from(packet.sequence.wrapping_sub(self.end(next)).cast_signed());
        let at = ahead.saturating_add_unsigned(self.slots.len());
        match (usize::try_from(ahead), usize::try_from(at)) {
            (Ok(hole), _) if hole <= MAX_HOLE => self.append(packet, hole, now),
            (Err(_), Ok(at)) => self.fill(at, packet, now, counters),
            _ => return self.stray(packet, ahead.unsigned_abs() > MAX_PACKETS, now, counters),
        }
        self.elsewhere.clear();
        self.newest = Some(now);
        self.shrink(counters);
    }

    /// What is in order by now. What has been waited for long enough is given up.
    pub(super) fn poll(&mut self, now: Instant, counters: &mut Counters) -> Option<Next> {
        while let Some(Slot::Missing(hole)) = self.slots.front()
            && hole.since + self.patience <= now
        {
            self.lose(counters);
        }
        if std::mem::take(&mut self.gap) {
            return Some(Next::Gap);
        }
        match self.slots.front()? {
            Slot::Missing(_) => None,
            Slot::Here(..) => match self.pop()? {
                Slot::Here(packet, received) => Some(Next::Packet(packet, received)),
                Slot::Missing(_) => None,
            },
        }
    }

    /// What is to be asked for by now, in order.
    pub(super) fn asks(&mut self, now: Instant, counters: &mut Counters) -> Vec<u16> {
        let Some(next) = self.next.filter(|_| self.missing > 0) else { return Vec::new() };
        let interval = (self.round_trip.unwrap_or(USUAL_ROUND_TRIP) + JITTER).max(MIN_INTERVAL);
        let mut sequences = Vec::new();
        for (sequence, slot) in sequences_from(next).zip(&mut self.slots) {
            if let Slot::Missing(hole) = slot
                && hole.asked < self.max_asks
                && hole.due <= now
            {
                hole.asked += 1;
                hole.due = now + interval;
                sequences.push(sequence);
            }
        }
        counters.nacked += sequences.len() as u64;
        sequences
    }

    /// When something is to be asked for or given up.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.missing == 0 {
            return None;
        }
        let holes = self.slots.iter().filter_map(|slot| match slot {
            Slot::Missing(hole) => Some(hole),
            Slot::Here(..) => None,
        });
        let due = |hole: &Hole| {
            let given_up = hole.since + self.patience;
            if hole.asked < self.max_asks { hole.due.min(given_up) } else { given_up }
        };
        holes.map(due).min()
    }

    fn end(&self, next: u16) -> u16 {
        // There are at most MAX_PACKETS slots.
        next.wrapping_add(u16::try_from(self.slots.len()).unwrap_or(u16::MAX))
    }

    fn append(&mut self, packet: Packet, hole: usize, now: Instant) {
        let missing = Hole { since: now, asked: 0, due: now + self.lateness };
        self.slots.extend(std::iter::repeat_with(|| Slot::Missing(missing)).take(hole));
        self.missing += hole;
        self.bytes += packet.payload.len();
        self.slots.push_back(Slot::Here(packet, now));
    }

    fn fill(&mut self, at: usize, packet: Packet, now: Instant, counters: &mut Counters) {
        let Some(Slot::Missing(hole)) = self.slots.get(at) else {
            counters.duplicates += 1;
            return;
        };
        let (waited, asked) = (now.saturating_duration_since(hole.since), hole.asked);
        counters.recovered += u64::from(asked > 0);
        // What comes sooner than an answer can has not been lost.
        if self.round_trip.is_some_and(|round_trip| waited < round_trip / 2) {
            self.lateness = self.lateness.max(waited + waited / 4).min(MAX_LATENESS);
        }
        self.bytes += packet.payload.len();
        self.missing -= 1;
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Slot::Here(packet, now);
        }
    }

    /// Takes a packet that is far from the others, or behind what has been handed on.
    fn stray(&mut self, packet: Packet, far: bool, now: Instant, counters: &mut Counters) {
        counters.duplicates += 1;
        let follows = |(last, _): &(Packet, Instant)| last.sequence.wrapping_add(1) == packet.sequence;
        if !self.elsewhere.last().is_some_and(follows) || self.elsewhere.len() >= MAX_HOLE {
            self.elsewhere.clear();
        }
        self.elsewhere.push((packet, now));
        // Packets that were given up come late one after another too, but among others.
        let alone = self.newest.is_none_or(|newest| now.saturating_duration_since(newest) >= ALONE);
        if self.elsewhere.len() >= RESTART && (far || alone) {
            self.restart(counters);
        }
    }

    /// Goes on at other sequence numbers. What waits is waited for no more.
    fn restart(&mut self, counters: &mut Counters) {
        let packets = std::mem::take(&mut self.elsewhere);
        counters.restarts += 1;
        counters.duplicates -= packets.len() as u64;
        counters.lost += self.slots.len() as u64;
        self.slots.clear();
        (self.bytes, self.missing, self.gap) = (0, 0, true);
        self.next = packets.first().map(|(packet, _)| packet.sequence);
        for (packet, received) in packets {
            self.append(packet, 0, received);
        }
    }

    /// Gives up the oldest holes where more waits than may.
    fn shrink(&mut self, counters: &mut Counters) {
        while (self.slots.len() > MAX_PACKETS || self.bytes > MAX_BYTES)
            && matches!(self.slots.front(), Some(Slot::Missing(_)))
        {
            self.lose(counters);
        }
    }

    fn lose(&mut self, counters: &mut Counters) {
        self.pop();
        self.gap = true;
        counters.lost += 1;
    }

    fn pop(&mut self) -> Option<Slot> {
        let slot = self.slots.pop_front()?;
        self.next = self.next.map(|next| next.wrapping_add(1));
        match &slot {
            Slot::Here(packet, _) => self.bytes -= packet.payload.len(),
            Slot::Missing(_) => self.missing -= 1,
        }
        Some(slot)
    }
}

/// Sequence numbers one after another.
fn sequences_from(first: u16) -> impl Iterator<Item = u16> {
    std::iter::successors(Some(first), |sequence| Some(sequence.wrapping_add(1)))
}

#[cfg(test)]
mod tests;
