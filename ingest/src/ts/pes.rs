//! PES packets (ISO/IEC 13818-1 2.4.3.6): access units with their times, cut into transport packets.

use std::time::Instant;

use super::Damage;

/// A whole PES packet.
#[derive(Debug)]
pub(super) struct Pes<'a> {
    /// In ticks of 90 kHz, modulo two to the 33.
    pub(super) pts: Option<i64>,
    /// As `pts`; only where it differs.
    pub(super) dts: Option<i64>,
    pub(super) data: &'a [u8],
    /// When its last byte arrived.
    pub(super) received: Instant,
}

/// Puts the PES packets of one PID together.
#[derive(Debug)]
pub(super) struct Assembler {
    buffer: Vec<u8>,
    /// The most bytes of a PES packet.
    limit: usize,
    /// When the last byte in the buffer arrived; `None` between PES packets.
    open: Option<Instant>,
    ends: Ends,
}

/// How PES packets that state no length end.
///
/// Only the beginning of the next shows it for certain. But muxers fill up the packet in which one ends, and, where nothing
/// is to be sent at a constant rate, no other: once that has been seen often enough it is believed, and saves a frame of
/// latency.
#[derive(Debug, Default)]
struct Ends {
    /// How often the last packet, and only that, was filled up.
    seen: u32,
    /// A packet that was filled up was not the last.
    refuted: bool,
    /// The last packet of the PES packet that is open was filled up.
    filled: bool,
    /// The PES packet before was taken for whole because of it.
    believed: bool,
}

/// What has been seen so often is believed: four seconds of video at 25 frames/s.
const BELIEVED: u32 = 100;

/// What follows `PES_packet_length`.
const LENGTH_END: usize = 6;
/// The bytes before those that `PES_header_data_length` counts.
const HEAD_LEN: usize = 9;

impl Assembler {
    pub(super) fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), limit, open: None, ends: Ends::default() }
    }

    /// Begins a PES packet.
    pub(super) fn begin(&mut self, received: Instant) {
        self.buffer.clear();
        self.open = Some(received);
        self.ends.begin();
    }

    /// Takes the payload of a packet that belongs to the PES packet that is open, if one is, and may be filled up. Whether it
    /// is whole now.
    pub(super) fn append(&mut self, payload: &[u8], filled: bool, received: Instant) -> Result<bool, Damage> {
        let is_last = self.ends.is_last(filled);
        if self.open.is_none() {
            return if std::mem::take(&mut self.ends.believed) { Err(Damage::GoesOn) } else { Ok(false) };
        }
        if self.buffer.len() + payload.len() > self.limit {
            self.lose();
            return Err(Damage::TooLong { limit: self.limit });
        }
        self.buffer.extend_from_slice(payload);
        self.open = Some(received);
        let whole = self.stated_len().map_or(is_last, |len| self.buffer.len() >= len);
        self.ends.believed = whole && is_last;
        Ok(whole)
    }

    /// Ends the PES packet that is open, if one is.
    pub(super) fn close(&mut self) -> Option<Result<Pes<'_>, Damage>> {
        let received = self.open.take()?;
        Some(self.read(received))
    }

    /// Drops the PES packet that is open. Whether there was one.
    pub(super) fn lose(&mut self) -> bool {
        (self.ends.filled, self.ends.believed) = (false, false);
        self.open.take().is_some()
    }

    /// How long the whole packet is. A length of zero states nothing, and is allowed for video (2.4.3.7).
    fn stated_len(&self) -> Option<usize> {
        let [.., high, low] = self.buffer.first_chunk::<LENGTH_END>()?;
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        (len > 0).then_some(LENGTH_END + len)
    }

    fn read(&self, received: Instant) -> Result<Pes<'_>, Damage> {
        let end = self.stated_len().unwrap_or(self.buffer.len());
        let packet = self.buffer.get(..end).ok_or(Damage::CutShort)?;
        let ([p0, p1, p2, stream_id, _, _, scrambling, flags, header_len], rest) =
            packet.split_first_chunk::<HEAD_LEN>().ok_or(Damage::CutShort)?;
        // Table 2-21: a start code; table 2-22: streams without a header have nothing of use; 2.4.3.6: '10' ahead.
        let bare = matches!(stream_id, 0xbc | 0xbe | 0xbf | 0xf0 | 0xf1 | 0xf2 | 0xf8 | 0xff);
        if [*p0, *p1, *p2] != [0, 0, 1] || bare || scrambling >> 6 != 0b10 {
            return Err(Damage::Header);
        }
        if scrambling & 0x30 != 0 {
            return Err(Damage::Scrambled);
        }
        let (header, data) = rest.split_at_checked(usize::from(*header_len)).ok_or(Damage::Header)?;
        let (pts, dts) = match flags >> 6 {
            0b10 => (time(header), None),
            0b11 => (time(header), header.get(TIME_LEN..).and_then(time)),
            _ => (None, None),
        };
        Ok(Pes { pts, dts, data, received })
    }
}

impl Ends {
    /// A PES packet begins: the packet before was the last of its own.
    fn begin(&mut self) {
        self.seen = self.seen.saturating_add(u32::from(self.filled));
        (self.filled, self.believed) = (false, false);
    }

    /// Whether the next packet of a PES packet can be believed to be the last.
    fn is_last(&mut self, filled: bool) -> bool {
        self.refuted |= self.filled;
        self.filled = filled;
        filled && !self.refuted && self.seen >= BELIEVED
    }
}

/// Bytes of a time in a header.
const TIME_LEN: usize = 5;

/// A time of 33 bits, with marker bits between.
fn time(header: &[u8]) -> Option<i64> {
    let [top, high, middle, low, last] = header.first_chunk::<TIME_LEN>()?.map(i64::from);
    let marked = top & middle & last & 1 == 1;
    marked.then_some((top >> 1 & 7) << 30 | high << 22 | middle >> 1 << 15 | low << 7 | last >> 1)
}
