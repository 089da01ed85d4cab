//! FLV files (Adobe FLV 10.1, annex E), as far as clips need them: H.264 and AAC in classic tags.

use std::num::NonZeroU32;

use bytes::Bytes;

use super::{Aac, Avc, Codec, Track, Unit};

/// E.2: a header of nine bytes, and a length of zero in front of the first tag.
const HEADER: usize = 13;
/// E.4.1: kind, length, timestamp, stream.
const TAG_HEADER: usize = 11;
/// The length of the tag in front of it ends each tag.
const TAG_TRAILER: usize = 4;
/// Times are in milliseconds.
const MILLISECONDS: NonZeroU32 = NonZeroU32::new(1_000).unwrap();

/// The tracks that can be published.
pub(super) fn read(file: &Bytes) -> Result<Vec<Track>, String> {
    let mut tracks = Tracks::default();
    let mut rest = file.get(HEADER..).map_or_else(Bytes::new, |rest| file.slice_ref(rest));
    while let Some(header) = rest.first_chunk::<TAG_HEADER>() {
        let [kind, s0, s1, s2, t0, t1, t2, t3, ..] = *header;
        let size = u32::from_be_bytes([0, s0, s1, s2]) as usize;
        let ends = TAG_HEADER + size;
        // A recording that was broken off ends within a tag.
        let Some(body) = rest.get(TAG_HEADER..ends).map(|body| rest.slice_ref(body)) else { break };
        let time = i64::from(u32::from_be_bytes([t3, t0, t1, t2]));
        match kind {
            8 => tracks.sound(time, &body)?,
            9 => tracks.picture(time, &body)?,
            _ => {}
        }
        rest = rest.slice((ends + TAG_TRAILER).min(rest.len())..);
    }
    Ok(tracks.finish())
}

#[derive(Default)]
struct Tracks {
    avc: Option<(Avc, usize)>,
    pictures: Vec<Unit>,
    aac: Option<Aac>,
    sound: Vec<Unit>,
}

impl Tracks {
    /// E.4.3: a tag of pictures.
    fn picture(&mut self, time: i64, body: &Bytes) -> Result<(), String> {
        let Some([kind, packet, c0, c1, c2]) = body.first_chunk::<5>() else { return Ok(()) };
        if kind & 0x0f != 7 {
            return Err("its pictures are not H.264 in classic FLV, which is all that is published".to_owned());
        }
        let data = body.slice(5..);
        match packet {
            0 => {
                let configuration = Avc::read(&data)?;
                if self.avc.as_ref().is_some_and(|before| *before != configuration) {
                    return Err("its pictures change their form, which is not published".to_owned());
                }
                self.avc = Some(configuration);
            }
            1 => {
                let Some((_, length)) = self.avc else { return Ok(()) };
                // A signed number of 24 bits.
                let offset = i64::from(i32::from_be_bytes([*c0, *c1, *c2, 0]) >> 8);
                let data = Avc::normalised(&data, length)?;
                self.pictures.push(Unit { dts: time, offset, sync: kind >> 4 == 1, data });
            }
            _ => {}
        }
        Ok(())
    }

    /// E.4.2: a tag of sound.
    fn sound(&mut self, time: i64, body: &Bytes) -> Result<(), String> {
        let Some([kind, packet]) = body.first_chunk::<2>() else { return Ok(()) };
        if kind >> 4 != 10 {
            return Err("its sound is not AAC in classic FLV, which is all that is published".to_owned());
        }
        let data = body.slice(2..);
        match packet {
            0 => self.aac = Some(Aac::read(data)?),
            1 => self.sound.push(Unit { dts: time, offset: 0, sync: true, data }),
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Vec<Track> {
        let Self { avc, pictures, aac, sound } = self;
        let pictures = avc.and_then(|(avc, _)| Track::evenly(Codec::Avc(avc), MILLISECONDS, pictures));
        pictures.into_iter().chain(aac.and_then(|aac| frames(aac, sound))).collect()
    }
}

/// Milliseconds say only roughly when a frame of AAC begins: they follow each other from the first one on.
fn frames(aac: Aac, mut units: Vec<Unit>) -> Option<Track> {
    let rate = aac.rate()?;
    let first = units.first()?.dts * i64::from(rate.get()) / 1_000;
    let frame = i64::from(Aac::FRAME.get());
    let mut end = first;
    for unit in &mut units {
        unit.dts = end;
        end += frame;
    }
    Some(Track { codec: Codec::Aac(aac), timescale: rate, units, step: Some(Aac::FRAME), end })
}
