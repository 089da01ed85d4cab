//! Packets of a transport stream (ISO/IEC 13818-1 2.4.3.2), and the tables that are in some of them.

use std::collections::BTreeMap;

use bytes::{BufMut as _, Bytes, BytesMut};

/// Bytes of a packet.
const PACKET: usize = 188;
/// Bytes of a packet behind its header.
const BODY: usize = PACKET - 4;
/// Packets that a datagram holds, which is as many as fit into an Ethernet frame with SRT's headers.
const PER_DATAGRAM: usize = 7;
/// What an adaptation field with a clock takes: its length, flags, six bytes of clock.
const CLOCK_FIELD: usize = 8;

/// Writes packets, with continuity counters that go on.
#[derive(Debug, Default)]
pub(super) struct Packets {
    counters: BTreeMap<u16, u8>,
}

impl Packets {
    /// A payload that starts in the first of as many packets as it takes. The first carries the programme's clock, where there is one,
    /// in 90000ths of a second, and whether a decoder can start there.
    pub(super) fn write(&mut self, out: &mut BytesMut, pid: u16, clock: Option<(i64, bool)>, payload: &[u8]) {
        let counter = self.counters.entry(pid).or_insert(0x0f);
        let (mut rest, mut clock, mut starts) = (payload, clock, true);
        while !rest.is_empty() {
            *counter = (*counter + 1) & 0x0f;
            let field = if clock.is_some() { CLOCK_FIELD } else { 0 };
            let (taken, left) = rest.split_at(rest.len().min(BODY - field));
            let field = BODY - taken.len();
            let [high, low] = pid.to_be_bytes();
            let adapted = if field > 0 { 0x30 } else { 0x10 };
            out.put_slice(&[0x47, high | u8::from(starts) << 6, low, adapted | *counter]);
            adaptation(out, field, clock.take());
            out.put_slice(taken);
            (rest, starts) = (left, false);
        }
    }
}

/// 2.4.3.4: an adaptation field of so many bytes, with a clock or nothing but stuffing.
fn adaptation(out: &mut BytesMut, length: usize, clock: Option<(i64, bool)>) {
    let end = out.len() + length;
    if length > 0 {
        out.put_u8(u8::try_from(length - 1).unwrap_or(0));
    }
    if length > 1 {
        let flags = clock.map_or(0, |(_, key)| 0x10 | u8::from(key) << 6);
        out.put_u8(flags);
    }
    if let Some((clock, _)) = clock {
        // 33 bits of 90 kHz, six reserved ones, nine of 27 MHz.
        out.put_int((clock & 0x1_ffff_ffff) << 15 | 0x7e00, 6);
    }
    out.put_bytes(0xff, end.saturating_sub(out.len()));
}

/// 2.4.4: a table in one section, behind the pointer to it, with its checksum.
pub(super) fn section(id: u8, body: &[u8]) -> Bytes {
    let length = u16::try_from(body.len() + 4).unwrap_or(0) | 0xb000;
    let mut section = [&[id][..], &length.to_be_bytes(), body].concat();
    let checksum = checksum(&section);
    section.extend(checksum.to_be_bytes());
    section.insert(0, 0);
    // A payload shorter than a packet would be stuffed in front of it; sections are filled up behind.
    section.resize(section.len().next_multiple_of(BODY), 0xff);
    section.into()
}

/// Annex A: CRC-32 as MPEG has it.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
            let carried = sum >> 31;
            (sum << 1) ^ (carried * 0x04c1_1db7)
        })
    })
}

/// Packets in datagrams, of which the last may be shorter: what is live does not wait for more.
pub(super) fn datagrams(mut packets: Bytes) -> Vec<Bytes> {
    let mut datagrams = Vec::new();
    while !packets.is_empty() {
        datagrams.push(packets.split_to(packets.len().min(PER_DATAGRAM * PACKET)));
    }
    datagrams
}
