//! Which packets arrived when (draft-holmer-rmcat-transport-wide-cc-extensions-01): senders estimate by it what the path
//! carries. Without it Chromium stays at a few hundred kb/s.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long arrivals are gathered before they are told.
const INTERVAL: Duration = Duration::from_millis(100);
/// The most packets that one feedback is about: more are told at once.
const MAX_PACKETS: usize = 500;
/// The most numbers from the first that has not been told to the newest. What leaps further is a sender that counts anew: telling
/// of all that is missing in between would take the longer the further it leaps.
const MAX_LEAP: i64 = 4_096;
/// Of reference times.
const REFERENCE_UNIT: Duration = Duration::from_millis(64);
/// Of the differences between arrivals, in microseconds.
const DELTA_MICROS: i64 = 250;

/// What has arrived and has not been told.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Times are told relative to this.
    epoch: Instant,
    /// By number, with how often they went round.
    pending: BTreeMap<i64, Instant>,
    /// The number after the last that was told of.
    next: Option<i64>,
    /// How many feedbacks there were.
    count: u8,
    /// When the first that is pending arrived.
    since: Option<Instant>,
}

/// Whether a packet arrived, and how long after the one before (draft 3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
enum Status {
    Missing = 0,
    Small = 1,
    Large = 2,
}

impl Arrivals {
    pub(super) fn new(epoch: Instant) -> Self {
        Self { epoch, pending: BTreeMap::new(), next: None, count: 0, since: None }
    }

    /// A packet has arrived.
    pub(super) fn record(&mut self, sequence: u16, now: Instant) {
        let newest = self.pending.last_key_value().map(|(number, _)| *number);
        let reference = newest.or(self.next).unwrap_or(i64::from(sequence));
        let [.., high, low] = reference.to_be_bytes();
        let ahead = i64::from(sequence.wrapping_sub(u16::from_be_bytes([high, low])).cast_signed());
        let number = reference + ahead;
        let oldest = self.next.or(self.pending.first_key_value().map(|(number, _)| *number)).unwrap_or(number);
        if ahead.abs() > MAX_LEAP || number - oldest > MAX_LEAP {
            self.pending.clear();
            (self.next, self.since) = (None, None);
        }
        // What was told to be missing is not told of again.
        if self.next.is_some_and(|next| number < next) {
            return;
        }
        self.pending.entry(number).or_insert(now);
        self.since.get_or_insert(now);
    }

    /// When feedback is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let since = self.since?;
        Some(if self.pending.len() >= MAX_PACKETS { since } else { since + INTERVAL })
    }

    /// The feedback that is due, from the base sequence number on (draft 3.1).
    pub(super) fn take(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.poll_timeout().filter(|due| *due <= now)?;
        let pending = std::mem::take(&mut self.pending);
        self.since = None;
        let (first, last) = (*pending.first_key_value()?.0, *pending.last_key_value()?.0);
        let base = self.next.unwrap_or(first);
        self.next = Some(last + 1);
        let earliest = pending.values().min()?.saturating_duration_since(self.epoch);
        let reference = earliest.as_millis() / REFERENCE_UNIT.as_millis();
        let mut told = i64::try_from(reference * REFERENCE_UNIT.as_micros()).ok()?;
        let (mut statuses, mut deltas) = (Vec::new(), Vec::new());
        for number in base..=last {
            let Some(arrival) = pending.get(&number) else {
                statuses.push(Status::Missing);
                continue;
            };
            let at = i64::try_from(arrival.saturating_duration_since(self.epoch).as_micros()).ok()?;
            let delta = ((at - told) / DELTA_MICROS).clamp(i16::MIN.into(), i16::MAX.into());
            // What is cut off here is added to the next: nothing adds up.
            told += delta * DELTA_MICROS;
            let [.., high, low] = delta.to_be_bytes();
            if (0..=255).contains(&delta) {
                statuses.push(Status::Small);
                deltas.push(low);
            } else {
                statuses.push(Status::Large);
                deltas.extend([high, low]);
            }
        }
        let [.., high, low] = base.to_be_bytes();
        let mut body = vec![high, low];
        body.extend(u16::try_from(statuses.len()).ok()?.to_be_bytes());
        let [.., a, b, c] = reference.to_be_bytes();
        body.extend([a, b, c, self.count]);
        self.count = self.count.wrapping_add(1);
        body.extend(chunks(&statuses));
        body.extend(deltas);
        Some(body)
    }
}

/// Draft 3.1.2 to 3.1.4: runs of one status, or seven statuses of two bits each.
fn chunks(mut statuses: &[Status]) -> Vec<u8> {
    const SEVEN: usize = 7;
    const LONGEST: usize = 0x1fff;
    let mut chunks = Vec::new();
    while let Some(&first) = statuses.first() {
        let run = statuses.iter().take(LONGEST).take_while(|status| **status == first).count();
        let (chunk, taken) = if run >= SEVEN {
            (u16::try_from(run).map_or(0, |run| (first as u16) << 13 | run), run)
        } else {
            let taken = statuses.len().min(SEVEN);
            let symbols = statuses.iter().take(SEVEN).zip(0..);
            (symbols.fold(0b11 << 14, |chunk, (status, at)| chunk | (*status as u16) << (12 - 2 * at)), taken)
        };
        chunks.extend(chunk.to_be_bytes());
        statuses = statuses.get(taken..).unwrap_or_default();
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn feedback_tells_what_arrived_when_and_what_did_not() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        for (sequence, millis) in [(65_535_u16, 130), (0, 135), (2, 140), (1, 137), (3, 300)] {
            arrivals.record(sequence, at(start, millis));
        }
        assert_eq!(arrivals.take(at(start, 229)), None, "gathered for 100 ms");
        let body = arrivals.take(at(start, 310)).unwrap();
        // 128 ms are two units of 64. Then 2 ms, 5 ms, 2 ms, 3 ms, and 160 ms in two bytes.
        let expected: &[u8] = b"\xff\xff\x00\x05\x00\x00\x02\x00\xd5\x60\x08\x14\x08\x0c\x02\x80";
        assert_eq!(body, expected);

        arrivals.record(7, at(start, 320));
        assert_eq!(arrivals.poll_timeout(), Some(at(start, 420)));
        let body = arrivals.take(at(start, 420)).unwrap();
        // From number 4 on: three are missing; 320 ms are five units.
        let expected: &[u8] = b"\x00\x04\x00\x04\x00\x00\x05\x01\xc0\x40\x00";
        assert_eq!(body, expected);
    }

    #[test]
    fn a_long_loss_is_one_run() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        arrivals.record(1, start);
        arrivals.take(at(start, 100)).unwrap();
        arrivals.record(1_002, at(start, 192));
        let body = arrivals.take(at(start, 400)).unwrap();
        let expected: &[u8] = b"\x00\x02\x03\xe9\x00\x00\x03\x01\x03\xe8\xd0\x00\x00";
        assert_eq!(body, expected);
    }

    #[test]
    fn what_comes_too_late_and_a_sender_that_counts_anew_are_met() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        arrivals.record(100, start);
        arrivals.take(at(start, 100)).unwrap();
        arrivals.record(99, at(start, 110));
        assert_eq!(arrivals.poll_timeout(), None);
        arrivals.record(30_000, at(start, 128));
        let body = arrivals.take(at(start, 300)).unwrap();
        assert_eq!(body, b"\x75\x30\x00\x01\x00\x00\x02\x01\xd0\x00\x00");
    }

    #[test]
    fn leaps_do_not_add_up_to_a_feedback_of_any_length() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        for leap in 0..100_u16 {
            arrivals.record(leap.wrapping_mul(4_000), start);
        }
        let body = arrivals.take(at(start, 100)).unwrap();
        // The last two packets and what is missing between them.
        assert_eq!(body[2..4], 4_001_u16.to_be_bytes());
    }

    #[test]
    fn many_packets_are_told_at_once() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        for sequence in 0..u16::try_from(MAX_PACKETS).unwrap() {
            assert_eq!(arrivals.take(start), None);
            arrivals.record(sequence, start);
        }
        let body = arrivals.take(start).unwrap();
        assert_eq!(body[8..10], [0x21, 0xf4], "a run of 500 small differences");
    }
}
