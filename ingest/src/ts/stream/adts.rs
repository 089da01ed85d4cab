//! AAC with ADTS headers (ISO/IEC 14496-3 1.A.3.2).

use bytes::Bytes;
use touchline_media::TrackId;

use super::sound::Sound;
use super::{AUDIO, Output};
use crate::ts::Damage;
use crate::ts::pes::Pes;

/// Takes frames out of a stream of them, in which a frame may begin in one PES packet and end in another.
#[derive(Debug)]
pub(super) struct Adts {
    sound: Sound,
    /// The beginning of a frame.
    carry: Vec<u8>,
}

impl Adts {
    pub(super) fn new(track: TrackId) -> Self {
        Self { sound: Sound::new(track), carry: Vec::new() }
    }

    pub(super) fn lose(&mut self) {
        self.carry.clear();
        self.sound.lose();
    }

    pub(super) fn read(&mut self, pes: &Pes<'_>, out: &mut Output<'_>) {
        let begun = self.carry.len();
        self.carry.extend_from_slice(pes.data);
        let data = Bytes::from(std::mem::take(&mut self.carry));
        let (mut at, mut pts, mut aligned) = (0, pes.pts, true);
        while let Some(rest) = data.get(at..).filter(|rest| rest.len() >= HEADER_LEN) {
            let Some(header) = Header::parse(rest).filter(|header| aligned || header.is_followed(rest)) else {
                if std::mem::take(&mut aligned) {
                    out.dropped(AUDIO, Damage::Frame);
                }
                at += 1;
                continue;
            };
            if rest.len() < header.len {
                break;
            }
            if let Some(pts) = pts.take_if(|_| at >= begun) {
                self.sound.due_at(pts);
            }
            let frame = data.slice(at + header.end..at + header.len);
            if header.blocks == 1 {
                self.sound.aac(&header.record(), frame, pes.received, out);
            } else {
                out.dropped(AUDIO, Damage::Form("AAC with several blocks in a frame"));
                self.sound.lose();
            }
            (at, aligned) = (at + header.len, true);
        }
        self.carry = data.get(at..).unwrap_or_default().to_vec();
    }
}

/// A header without its checksum.
const HEADER_LEN: usize = 7;

struct Header {
    profile: u8,
    frequency: u8,
    channels: u8,
    /// Where the frame begins behind it.
    end: usize,
    /// Bytes of the frame, with its header.
    len: usize,
    /// Raw data blocks.
    blocks: u8,
}

impl Header {
    fn parse(data: &[u8]) -> Option<Self> {
        let &[sync, flags, codec, layout, middle, low, blocks] = data.first_chunk::<HEADER_LEN>()?;
        let header = Self {
            profile: codec >> 6,
            frequency: codec >> 2 & 0x0f,
            channels: (codec & 1) << 2 | layout >> 6,
            end: if flags & 1 == 1 { HEADER_LEN } else { HEADER_LEN + 2 },
            len: usize::from(layout & 3) << 11 | usize::from(middle) << 3 | usize::from(low >> 5),
            blocks: (blocks & 3) + 1,
        };
        // The sync word, and a layer of zero.
        let found = sync == 0xff && flags & 0xf6 == 0xf0;
        (found && header.len > header.end && header.frequency < 13).then_some(header)
    }

    /// Whether another header comes behind the frame, where there is enough to tell. What looks like a header may be none.
    fn is_followed(&self, data: &[u8]) -> bool {
        data.get(self.len..self.len + HEADER_LEN).is_none_or(|next| Self::parse(next).is_some())
    }

    /// The `AudioSpecificConfig` (ISO/IEC 14496-3 1.6.2.1): the object type is one more than the profile.
    fn record(&self) -> [u8; 2] {
        [(self.profile + 1) << 3 | self.frequency >> 1, self.frequency << 7 | self.channels << 3]
    }
}
