//! AAC in LATM and LOAS (ISO/IEC 14496-3 1.7.2 and 1.7.3).

use bytes::Bytes;
use touchline_media::TrackId;

use super::sound::Sound;
use super::{AUDIO, Output};
use crate::ts::Damage;
use crate::ts::pes::Pes;

/// Takes frames out of an `AudioSyncStream`.
#[derive(Debug)]
pub(super) struct Latm {
    sound: Sound,
    /// The last `StreamMuxConfig`.
    mux: Option<Mux>,
    carry: Vec<u8>,
}

impl Latm {
    pub(super) fn new(track: TrackId) -> Self {
        Self { sound: Sound::new(track), mux: None, carry: Vec::new() }
    }

    pub(super) fn lose(&mut self) {
        self.carry.clear();
        self.sound.lose();
    }

    pub(super) fn read(&mut self, pes: &Pes<'_>, out: &mut Output<'_>) {
        let begun = self.carry.len();
        self.carry.extend_from_slice(pes.data);
        let data = std::mem::take(&mut self.carry);
        let (mut at, mut pts, mut aligned) = (0, pes.pts, true);
        while let Some(([a, b, c], rest)) = data.get(at..).and_then(<[u8]>::split_first_chunk) {
            // 1.7.2: eleven bits of sync word, thirteen of length.
            if *a != 0x56 || b & 0xe0 != 0xe0 {
                if std::mem::take(&mut aligned) {
                    out.dropped(AUDIO, Damage::Frame);
                }
                at += 1;
                continue;
            }
            let len = usize::from(u16::from_be_bytes([b & 0x1f, *c]));
            let Some(element) = rest.get(..len) else { break };
            if let Some(pts) = pts.take_if(|_| at >= begun) {
                self.sound.due_at(pts);
            }
            self.element(element, pes, out);
            (at, aligned) = (at + 3 + len, true);
        }
        self.carry = data.get(at..).unwrap_or_default().to_vec();
    }

    /// An `AudioMuxElement` (1.7.3.1).
    fn element(&mut self, element: &[u8], pes: &Pes<'_>, out: &mut Output<'_>) {
        let mut bits = Bits { data: element, at: 0 };
        let frames = self.frames(&mut bits);
        match (frames, &self.mux) {
            (Ok(frames), Some(mux)) => {
                for frame in frames {
                    self.sound.aac(&mux.record, frame, pes.received, out);
                }
            }
            (Ok(_), None) => {}
            (Err(damage), _) => {
                out.dropped(AUDIO, damage);
                self.sound.lose();
            }
        }
    }

    fn frames(&mut self, bits: &mut Bits<'_>) -> Result<Vec<Bytes>, Damage> {
        let same = bits.read(1)? == 1;
        if !same {
            self.mux = None;
            self.mux = Some(Mux::read(bits)?);
        }
        // A configuration comes now and then; before the first there is nothing to do.
        let Some(mux) = &self.mux else { return Ok(Vec::new()) };
        (0..mux.frames).map(|_| payload(bits)).collect()
    }
}

/// What a `StreamMuxConfig` says (1.7.3.1), where there is one programme with one layer.
#[derive(Debug)]
struct Mux {
    /// The `AudioSpecificConfig`.
    record: Vec<u8>,
    /// Frames in each element.
    frames: u32,
}

impl Mux {
    fn read(bits: &mut Bits<'_>) -> Result<Self, Damage> {
        let version = bits.read(1)?;
        if version == 1 && bits.read(1)? == 1 {
            return Err(Damage::Form("LATM of a version to come"));
        }
        if version == 1 {
            bits.value()?;
        }
        let same_framing = bits.read(1)?;
        let frames = bits.read(6)? + 1;
        let (programmes, layers) = (bits.read(4)?, bits.read(3)?);
        if (same_framing, programmes, layers) != (1, 0, 0) {
            return Err(Damage::Form("LATM with several streams in one"));
        }
        let record = if version == 1 {
            let len = bits.value()?;
            bits.copy(len)?
        } else {
            let start = bits.at;
            let len = specific_config_len(&mut Bits { ..*bits })?;
            bits.at = start;
            bits.copy(len)?
        };
        if bits.read(3)? != 0 {
            return Err(Damage::Form("LATM with frames of fixed length"));
        }
        bits.read(8)?;
        if bits.read(1)? == 1 {
            match version {
                1 => drop(bits.value()?),
                // A flag that more follows, and eight bits.
                _ => while bits.read(9)? >> 8 == 1 {},
            }
        }
        if bits.read(1)? == 1 {
            bits.read(8)?;
        }
        Ok(Self { record, frames })
    }
}

/// How many bits an `AudioSpecificConfig` of AAC takes that is followed by other fields (1.6.2.1, 4.4.1).
fn specific_config_len(bits: &mut Bits<'_>) -> Result<u32, Damage> {
    const SBR: u32 = 5;
    const PS: u32 = 29;
    let start = bits.at;
    let mut object_type = bits.object_type()?;
    bits.sampling_frequency()?;
    let channels = bits.read(4)?;
    if matches!(object_type, SBR | PS) {
        bits.sampling_frequency()?;
        object_type = bits.object_type()?;
    }
    if object_type > 4 || channels == 0 {
        return Err(Damage::Form("LATM with another codec or layout of channels than AAC has by number"));
    }
    bits.read(1)?;
    if bits.read(1)? == 1 {
        bits.read(14)?;
    }
    bits.read(1)?;
    u32::try_from(bits.at - start).map_err(|_| Damage::Frame)
}

/// `PayloadLengthInfo` and `PayloadMux` (1.7.3.1).
fn payload(bits: &mut Bits<'_>) -> Result<Bytes, Damage> {
    let mut len = 0;
    loop {
        let more = bits.read(8)?;
        len += more;
        if more != 255 {
            break;
        }
    }
    bits.copy(len * 8).map(Bytes::from)
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: usize) -> Result<u32, Damage> {
        let mut value = 0;
        for at in self.at..self.at + count {
            let byte = self.data.get(at / 8).ok_or(Damage::Frame)?;
            value = value << 1 | u32::from(byte >> (7 - at % 8) & 1);
        }
        self.at += count;
        Ok(value)
    }

    /// Bits that begin anywhere, from the start of a byte on and filled up with zeros.
    fn copy(&mut self, count: u32) -> Result<Vec<u8>, Damage> {
        let mut left = usize::try_from(count).map_err(|_| Damage::Frame)?;
        if self.at + left > self.data.len() * 8 {
            return Err(Damage::Frame);
        }
        let mut copied = Vec::with_capacity(left.div_ceil(8));
        while left > 0 {
            let taken = left.min(8);
            let byte = self.read(taken)? << (8 - taken);
            copied.push(u8::try_from(byte).unwrap_or(0));
            left -= taken;
        }
        Ok(copied)
    }

    /// `LatmGetValue`
    fn value(&mut self) -> Result<u32, Damage> {
        let bytes = self.read(2)? + 1;
        self.read(8 * bytes as usize)
    }

    fn object_type(&mut self) -> Result<u32, Damage> {
        match self.read(5)? {
            31 => Ok(32 + self.read(6)?),
            short => Ok(short),
        }
    }

    fn sampling_frequency(&mut self) -> Result<(), Damage> {
        if self.read(4)? == 15 {
            self.read(24)?;
        }
        Ok(())
    }
}
