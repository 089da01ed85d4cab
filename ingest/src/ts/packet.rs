//! Transport packets (ISO/IEC 13818-1 2.4.3): where they begin, what their headers say, and whether one is missing.

/// Bytes of a transport packet.
pub(super) const LEN: usize = 188;
/// What every packet begins with.
const SYNC: u8 = 0x47;
/// `transport_error_indicator`
const TRANSPORT_ERROR: u8 = 0x80;
/// The PID of packets that only fill up the bit rate.
pub(super) const NULL: u16 = 0x1fff;

/// A transport packet.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub(super) pid: u16,
    /// A PES packet or a section begins in it.
    pub(super) starts: bool,
    pub(super) scrambled: bool,
    counter: u8,
    adaptation: Option<&'a [u8]>,
    pub(super) payload: Option<&'a [u8]>,
}

impl<'a> Packet<'a> {
    /// `None` for one that somebody before us has found to be damaged, or whose header contradicts itself.
    pub(super) fn parse(bytes: &'a [u8; LEN]) -> Option<Self> {
        let [_, flags, low, control, body @ ..] = bytes;
        if flags & TRANSPORT_ERROR != 0 {
            return None;
        }
        let (adaptation, payload) = match control >> 4 & 3 {
            1 => (None, Some(&body[..])),
            2 => (Some(adaptation_field(body)?.0), None),
            3 => adaptation_field(body).map(|(field, payload)| (Some(field), Some(payload)))?,
            // Table 2-5: reserved.
            _ => return None,
        };
        Some(Self {
            pid: u16::from_be_bytes([flags & 0x1f, *low]),
            starts: flags & 0x40 != 0,
            scrambled: control & 0xc0 != 0,
            counter: control & 0x0f,
            adaptation,
            payload,
        })
    }

    /// Its counter need not follow the one before.
    fn is_discontinuous(&self) -> bool {
        self.adaptation.and_then(<[u8]>::first).is_some_and(|flags| flags & 0x80 != 0)
    }

    /// It is filled up, because there was no more to carry.
    pub(super) fn is_filled(&self) -> bool {
        self.adaptation.is_some_and(has_stuffing)
    }
}

/// The adaptation field without its length, and what follows it.
fn adaptation_field(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&len, rest) = body.split_first()?;
    rest.split_at_checked(usize::from(len))
}

/// Whether an adaptation field has bytes that say nothing (2.4.3.4). One of no length has none but its length, which is one.
fn has_stuffing(field: &[u8]) -> bool {
    const CLOCK_LEN: usize = 6;
    let Some((&flags, rest)) = field.split_first() else { return true };
    let has = |flag: u8| flags & flag != 0;
    // Two clock references and a countdown, then fields that have a length.
    let mut len = CLOCK_LEN * (usize::from(has(0x10)) + usize::from(has(0x08))) + usize::from(has(0x04));
    for flag in [0x02, 0x01] {
        if has(flag) {
            len += 1 + usize::from(rest.get(len).copied().unwrap_or(0));
        }
    }
    rest.len() > len
}

/// Whether packets of a PID are missing (2.4.3.3).
#[derive(Debug, Default)]
pub(super) struct Continuity {
    counter: Option<u8>,
    /// What the last packet carried.
    payload: Vec<u8>,
    repeated: bool,
}

/// What a packet is to the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It follows.
    Next,
    /// It is the same again.
    Duplicate,
    /// It does not follow, and says so.
    Cut,
    /// Others are missing between them.
    Gap,
}

impl Continuity {
    pub(super) fn check(&mut self, packet: &Packet<'_>) -> Verdict {
        let Some(payload) = packet.payload else {
            // The counter stands still for it.
            if packet.is_discontinuous() {
                self.counter = None;
            }
            return Verdict::Next;
        };
        let verdict = match self.counter {
            None => Verdict::Next,
            Some(before) if packet.counter == (before + 1) & 0x0f => Verdict::Next,
            Some(_) if packet.is_discontinuous() => Verdict::Cut,
            Some(before) if packet.counter == before && !self.repeated && self.payload == payload => {
                self.repeated = true;
                return Verdict::Duplicate;
            }
            Some(_) => Verdict::Gap,
        };
        self.counter = Some(packet.counter);
        self.repeated = false;
        self.payload.clear();
        self.payload.extend_from_slice(payload);
        verdict
    }

    /// Whatever comes next follows.
    pub(super) fn forget(&mut self) {
        self.counter = None;
    }
}

/// Finds packets in a stream of bytes.
#[derive(Debug)]
pub(super) struct Aligner {
    buffer: Vec<u8>,
    /// Bytes of the buffer that have been handed on.
    used: usize,
    /// A packet begins where the one before ended.
    aligned: bool,
    pub(super) resyncs: u64,
    pub(super) skipped: u64,
}

impl Default for Aligner {
    fn default() -> Self {
        Self { buffer: Vec::new(), used: 0, aligned: true, resyncs: 0, skipped: 0 }
    }
}

impl Aligner {
    /// Takes bytes; what they hold is to be fetched by [`Self::next`] before there are more, so that the buffer holds no more
    /// than is pushed and two packets.
    pub(super) fn push(&mut self, data: &[u8]) {
        self.buffer.drain(..self.used);
        self.used = 0;
        self.buffer.extend_from_slice(data);
    }

    /// The next whole packet.
    pub(super) fn next(&mut self) -> Option<[u8; LEN]> {
        let rest = self.buffer.get(self.used..)?;
        if self.aligned && rest.first().is_some_and(|&byte| byte != SYNC) {
            self.aligned = false;
            self.resyncs += 1;
        }
        if !self.aligned {
            self.seek();
        }
        let packet = self.buffer.get(self.used..)?.first_chunk().filter(|_| self.aligned)?;
        self.used += LEN;
        Some(*packet)
    }

    /// Goes to where two packets begin one behind the other, or as near to it as there are bytes.
    fn seek(&mut self) {
        let rest = self.buffer.get(self.used..).unwrap_or_default();
        let candidate =
            |&at: &usize| rest.get(at) == Some(&SYNC) && rest.get(at + LEN).is_none_or(|&byte| byte == SYNC);
        let at = (0..rest.len()).find(candidate).unwrap_or(rest.len());
        self.aligned = rest.len() > at + LEN;
        self.used += at;
        self.skipped += at as u64;
    }
}
