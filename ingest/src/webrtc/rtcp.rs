//! RTCP (RFC 3550 6, RFC 4585): what senders report is read; how we receive, and what we want, is written.

use std::time::{Duration, Instant};

/// Packet types.
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
/// A source cannot have lost more, by 24 bits of which one is the sign.
const MAX_LOST: i64 = 0x7f_ffff;

/// What a sender reports of one of its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SenderReport {
    pub(super) ssrc: u32,
    /// Seconds since 1900, 32.32.
    pub(super) ntp: u64,
    pub(super) timestamp: u32,
}

/// The sender reports of a compound packet. What cannot be read ends it.
pub(super) fn sender_reports(mut compound: &[u8]) -> impl Iterator<Item = SenderReport> {
    std::iter::from_fn(move || {
        loop {
            let (head, length) = (compound.get(..2)?, compound.get(2..4)?);
            let [flags, kind] = head else { return None };
            let length = 4 * (usize::from(u16::from_be_bytes(length.try_into().ok()?)) + 1);
            let (packet, rest) = compound.split_at_checked(length)?;
            if flags >> 6 != 2 {
                return None;
            }
            compound = rest;
            if *kind == SENDER_REPORT
                && let Some(fields) = packet.get(4..20)
            {
                let (ssrc, times) = fields.split_first_chunk()?;
                let (ntp, times) = times.split_first_chunk()?;
                return Some(SenderReport {
                    ssrc: u32::from_be_bytes(*ssrc),
                    ntp: u64::from_be_bytes(*ntp),
                    timestamp: u32::from_be_bytes(*times.first_chunk()?),
                });
            }
        }
    })
}

/// A compound packet that we write.
#[derive(Debug)]
pub(super) struct Compound {
    sender: u32,
    bytes: Vec<u8>,
}

impl Compound {
    /// An empty one. RFC 5506: without a report in front only if the peer has agreed to `reduced` sizes.
    pub(super) fn new(sender: u32, reduced: bool) -> Self {
        let mut compound = Self { sender, bytes: Vec::new() };
        if !reduced {
            compound.packet(0, RECEIVER_REPORT, &[]);
        }
        compound
    }

    /// How sources are received (RFC 3550 6.4.2), and who says so (6.5).
    pub(super) fn reports(sender: u32, blocks: &[[u8; 24]]) -> Self {
        let mut compound = Self { sender, bytes: Vec::new() };
        let count = u8::try_from(blocks.len()).unwrap_or(31).min(31);
        compound.packet(count, RECEIVER_REPORT, &blocks.concat());
        // CNAME, ten bytes, and the end of the items.
        compound.packet(1, SOURCE_DESCRIPTION, b"\x01\x09touchline\0");
        compound
    }

    /// RFC 4585 6.3.1.
    pub(super) fn picture_loss(mut self, media: u32) -> Self {
        self.packet(1, PAYLOAD_FEEDBACK, &media.to_be_bytes());
        self
    }

    /// RFC 4585 6.2.1: each item names a packet and which of the next sixteen are missing too.
    pub(super) fn nack(mut self, media: u32, sequences: &[u16]) -> Self {
        let mut items: Vec<(u16, u16)> = Vec::new();
        for &sequence in sequences {
            match items.last_mut() {
                Some((first, others)) if (1..=16).contains(&sequence.wrapping_sub(*first)) => {
                    *others |= 1 << (sequence.wrapping_sub(*first) - 1);
                }
                _ => items.push((sequence, 0)),
            }
        }
        let mut body = media.to_be_bytes().to_vec();
        body.extend(
            items.into_iter().flat_map(|(first, others)| [first.to_be_bytes(), others.to_be_bytes()]).flatten(),
        );
        self.packet(1, TRANSPORT_FEEDBACK, &body);
        self
    }

    /// What arrived when; see [`super::transport_feedback`].
    pub(super) fn transport_feedback(mut self, media: u32, body: &[u8]) -> Self {
        let mut whole = media.to_be_bytes().to_vec();
        whole.extend(body);
        self.packet(15, TRANSPORT_FEEDBACK, &whole);
        self
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A packet of our own, padded to whole words.
    fn packet(&mut self, count: u8, kind: u8, body: &[u8]) {
        let words = body.len().div_ceil(4) + 1;
        self.bytes.extend([0x80 | count, kind]);
        self.bytes.extend(u16::try_from(words).unwrap_or(u16::MAX).to_be_bytes());
        self.bytes.extend(self.sender.to_be_bytes());
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// How one source is received (RFC 3550 A.1, A.3, A.8).
#[derive(Debug, Clone, Copy)]
pub(super) struct Reception {
    ssrc: u32,
    /// Ticks of its clock in a second.
    rate: u32,
    /// The first and the highest sequence number, with how often they went round.
    first: i64,
    highest: i64,
    received: i64,
    /// As they were at the last report.
    before: (i64, i64),
    /// When the last packet came and what it was stamped with.
    newest: Option<(Instant, u32)>,
    /// In ticks.
    jitter: f64,
    /// The middle of the NTP time of the newest sender report, and when it came.
    report: Option<(u32, Instant)>,
}

impl Reception {
    /// A source that begins with packet number `sequence`.
    pub(super) fn new(ssrc: u32, rate: u32, sequence: u16) -> Self {
        let first = i64::from(sequence);
        Self {
            ssrc,
            rate,
            first,
            highest: first - 1,
            received: 0,
            before: (0, 0),
            newest: None,
            jitter: 0.0,
            report: None,
        }
    }

    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// A packet has come that was not sent again.
    pub(super) fn packet(&mut self, sequence: u16, timestamp: u32, now: Instant) {
        self.received += 1;
        // The distance to the highest, which may be behind it: as a number with a sign.
        let ahead = i64::from(sequence.wrapping_sub(as_sent(self.highest)).cast_signed());
        if ahead > 0 {
            self.highest += ahead;
        }
        if let Some((before, stamp)) = self.newest {
            let ticks = now.saturating_duration_since(before).as_secs_f64() * f64::from(self.rate);
            let transit = ticks - f64::from(timestamp.wrapping_sub(stamp).cast_signed());
            self.jitter += (transit.abs() - self.jitter) / 16.0;
        }
        self.newest = Some((now, timestamp));
    }

    pub(super) fn sender_report(&mut self, report: &SenderReport, now: Instant) {
        #[expect(clippy::cast_possible_truncation, reason = "RFC 3550 6.4.1: the middle 32 bits")]
        let middle = (report.ntp >> 16) as u32;
        self.report = Some((middle, now));
    }

    /// The block on this source in our report, since the last of them.
    pub(super) fn block(&mut self, now: Instant) -> [u8; 24] {
        let expected = self.highest - self.first + 1;
        let lost = (expected - self.received).clamp(-MAX_LOST, MAX_LOST);
        let (expected_now, received_now) = (expected - self.before.0, self.received - self.before.1);
        self.before = (expected, self.received);
        let lost_now = (expected_now - received_now).max(0);
        let fraction = (lost_now * 256).checked_div(expected_now).unwrap_or(0).clamp(0, 255);
        let (last_report, delay) =
            self.report.map_or((0, 0), |(middle, came)| (middle, units_of_65536(now.saturating_duration_since(came))));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a figure that is above nought")]
        let jitter = self.jitter as u32;
        let [.., a, b, c] = lost.to_be_bytes();
        let [.., fraction] = fraction.to_be_bytes();
        let [_, _, _, _, highest @ ..] = self.highest.to_be_bytes();
        let mut block = [0; 24];
        let fields = [
            self.ssrc.to_be_bytes(),
            [fraction, a, b, c],
            highest,
            jitter.to_be_bytes(),
            last_report.to_be_bytes(),
            delay.to_be_bytes(),
        ];
        for (place, field) in block.chunks_exact_mut(4).zip(fields) {
            place.copy_from_slice(&field);
        }
        block
    }
}

/// A sequence number as it is sent, of one that counts how often it went round.
fn as_sent(sequence: i64) -> u16 {
    let [.., high, low] = sequence.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// RFC 3550 6.4.1: delays are in units of 1/65536 seconds.
fn units_of_65536(delay: Duration) -> u32 {
    u32::try_from(delay.as_micros() * 65_536 / 1_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sender_reports_are_found_among_other_packets() {
        let mut bytes = Compound::new(1, true).picture_loss(2).into_bytes();
        bytes.extend(b"\x80\xc8\x00\x06\0\0\0\x05\0\0\0\x01\x80\0\0\0\0\0\0\x63\0\0\0\0\0\0\0\0");
        bytes.extend(b"\x81\xca\x00\x01\0\0\0\x05");
        bytes.extend(b"\x80\xc8\x00\x06\0\0\0\x06\0\0\0\x02\0\0\0\0\0\0\0\x64\0\0\0\0\0\0\0\0");
        let first = SenderReport { ssrc: 5, ntp: 0x1_8000_0000, timestamp: 99 };
        let second = SenderReport { ssrc: 6, ntp: 0x2_0000_0000, timestamp: 100 };
        assert_eq!(sender_reports(&bytes).collect::<Vec<_>>(), [first, second]);
        for end in 0..bytes.len() {
            assert!(sender_reports(&bytes[..end]).count() < 2);
        }
    }

    #[test]
    fn what_is_asked_for_is_written_as_rfc_4585_says() {
        let asked = Compound::new(1, true).nack(2, &[65_534, 65_535, 14, 15, 40]).into_bytes();
        let expected: &[u8] = b"\x81\xcd\x00\x05\0\0\0\x01\0\0\0\x02\xff\xfe\x80\x01\x00\x0f\x00\x00\x00\x28\x00\x00";
        assert_eq!(asked, expected);
        let loss = Compound::new(1, false).picture_loss(2).into_bytes();
        assert_eq!(loss, b"\x80\xc9\x00\x01\0\0\0\x01\x81\xce\x00\x02\0\0\0\x01\0\0\0\x02");
    }

    #[test]
    fn a_report_tells_what_was_lost_how_far_it_got_and_when_the_sender_reported() {
        let start = Instant::now();
        let mut reception = Reception::new(7, 90_000, 65_534);
        for (index, sequence) in [65_534_u16, 65_535, 1, 2].into_iter().enumerate() {
            let at = u32::try_from(index).unwrap();
            reception.packet(sequence, at * 900, start + Duration::from_millis(10) * at);
        }
        reception.sender_report(&SenderReport { ssrc: 7, ntp: 0x0001_2345_6789_abcd, timestamp: 0 }, start);
        let block = reception.block(start + Duration::from_millis(500));
        // One of five is lost: 51/256. The highest is 2 after one round. No jitter. Half a second is 32768/65536.
        let expected: &[u8] = b"\0\0\0\x07\x33\0\0\x01\0\x01\0\x02\0\0\0\0\x23\x45\x67\x89\0\0\x80\0";
        assert_eq!(block, expected);
        let next = reception.block(start);
        assert_eq!((next[4], next[7]), (0, 1), "nothing more since");
    }

    #[test]
    fn our_report_is_a_compound_packet_of_whole_words() {
        let bytes = Compound::reports(1, &[[0; 24]]).into_bytes();
        assert_eq!(bytes.len(), 32 + 20);
        assert_eq!(&bytes[..4], b"\x81\xc9\x00\x07");
        assert_eq!(&bytes[32..], b"\x81\xca\x00\x04\0\0\0\x01\x01\x09touchline\0");
    }
}
