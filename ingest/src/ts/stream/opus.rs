//! Opus in MPEG-TS (ETSI TS-OPUS, "Opus in MPEG-2 transport streams", as `FFmpeg` and `GStreamer` write it).

use bytes::Bytes;
use touchline_media::{Format, TrackId, opus};

use super::sound::Sound;
use super::{AUDIO, Output};
use crate::ts::Damage;
use crate::ts::pes::Pes;

/// Takes packets out of access units, each of which has a control header.
#[derive(Debug)]
pub(super) struct Opus {
    sound: Sound,
    config: opus::Config,
    format: Format,
}

impl Opus {
    pub(super) fn new(track: TrackId, config: opus::Config) -> Self {
        Self { sound: Sound::new(track), format: Format::Opus(config.clone()), config }
    }

    pub(super) fn lose(&mut self) {
        self.sound.lose();
    }

    pub(super) fn read(&mut self, pes: &Pes<'_>, out: &mut Output<'_>) {
        if let Some(pts) = pes.pts {
            self.sound.due_at(pts);
        }
        let mut rest = pes.data;
        while !rest.is_empty() {
            let unit =
                access_unit(rest).and_then(|(packet, after)| Some((packet, self.config.check(packet).ok()?, after)));
            let Some((packet, ticks, after)) = unit else {
                out.dropped(AUDIO, Damage::Frame);
                return self.sound.lose();
            };
            self.sound.with(&self.format, Bytes::copy_from_slice(packet), ticks, pes.received, out);
            rest = after;
        }
    }
}

/// The packet behind an `opus_control_header`, and what follows it.
fn access_unit(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([prefix, flags], mut rest) = data.split_first_chunk()?;
    // The prefix is 0x3ff in eleven bits.
    if *prefix != 0x7f || flags & 0xe0 != 0xe0 {
        return None;
    }
    let mut len = 0;
    loop {
        let (&byte, after) = rest.split_first()?;
        len += usize::from(byte);
        rest = after;
        if byte != u8::MAX {
            break;
        }
    }
    // Trimming at the start and at the end, in two bytes each.
    for flag in [0x10, 0x08] {
        rest = if flags & flag != 0 { rest.get(2..)? } else { rest };
    }
    if flags & 0x04 != 0 {
        let (&extension, after) = rest.split_first()?;
        rest = after.get(usize::from(extension)..)?;
    }
    rest.split_at_checked(len)
}
