//! What the enhanced headers of audio and video have in common (Enhanced RTMP v2, "`ExAudioTagHeader`" and
//! "`ExVideoTagHeader`"): what modifies a packet, and for which tracks it is.

use bytes::{Buf, Bytes};

use super::{Damage, MAX_TRACKS};

/// Names a codec.
pub(super) type FourCc = [u8; 4];

/// What a tag holds for one track.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) id: u8,
    pub(super) four_cc: FourCc,
    pub(super) body: Bytes,
}

/// The packet type for which another one follows, behind what modifies the packet.
const MOD_EX: u8 = 7;

// "AvMultitrackType"
const ONE_TRACK: u8 = 0;
const MANY_TRACKS: u8 = 1;
const MANY_TRACKS_MANY_CODECS: u8 = 2;

/// `ModEx`: what modifies a packet stands before its real type. The only modifier there is tells nanoseconds, which are of
/// no use beside a clock of milliseconds.
pub(super) fn past_modifiers(mut packet_type: u8, mut rest: &[u8]) -> Option<(u8, &[u8])> {
    while packet_type == MOD_EX {
        let (&size, mut data) = rest.split_first()?;
        let mut size = usize::from(size) + 1;
        if size == 256 {
            let (long, after) = data.split_first_chunk()?;
            (size, data) = (usize::from(u16::from_be_bytes(*long)) + 1, after);
        }
        let (_, after) = data.split_at_checked(size)?;
        let (types, after) = after.split_first()?;
        (packet_type, rest) = (types & 0x0f, after);
    }
    Some((packet_type, rest))
}

/// The only track of a tag without track numbers, as [`tracks`] would have it.
pub(super) fn track(packet_type: u8, mut body: Bytes) -> Result<(u8, Tracks), Damage> {
    let four_cc = four_cc(&mut body)?;
    Ok((packet_type, Tracks { four_cc: Some(four_cc), numbered: false, sized: false, left: 1, rest: Some(body) }))
}

/// The packet type of a `Multitrack` tag, and its tracks.
pub(super) fn tracks(mut body: Bytes) -> Result<(u8, Tracks), Damage> {
    let types = body.try_get_u8().map_err(|_| Damage::CutShort)?;
    let (multitrack_type, packet_type) = (types >> 4, types & 0x0f);
    let four_cc = match multitrack_type {
        ONE_TRACK | MANY_TRACKS => Some(four_cc(&mut body)?),
        MANY_TRACKS_MANY_CODECS => None,
        other => return Err(Damage::MultitrackType(other)),
    };
    let sized = multitrack_type != ONE_TRACK;
    Ok((packet_type, Tracks { four_cc, numbered: true, sized, left: MAX_TRACKS, rest: Some(body) }))
}

/// The tracks of a tag, one after another. Damage is the last of them.
#[derive(Debug)]
pub(super) struct Tracks {
    /// The codec of all of them; `None`: each has its own.
    four_cc: Option<FourCc>,
    /// Each begins with its number.
    numbered: bool,
    /// Each tells its size: another may follow.
    sized: bool,
    /// How many more are read.
    left: usize,
    /// `None`: nothing follows.
    rest: Option<Bytes>,
}

impl Tracks {
    fn read(&mut self, mut rest: Bytes) -> Result<Track, Damage> {
        self.left = self.left.checked_sub(1).ok_or(Damage::Tracks)?;
        let four_cc = self.four_cc.map_or_else(|| four_cc(&mut rest), Ok)?;
        let id = if self.numbered { rest.try_get_u8().map_err(|_| Damage::CutShort)? } else { 0 };
        if !self.sized {
            return Ok(Track { id, four_cc, body: rest });
        }
        let size = rest.try_get_uint(3).map_err(|_| Damage::CutShort)?;
        let size = usize::try_from(size).ok().filter(|size| *size <= rest.len()).ok_or(Damage::CutShort)?;
        let body = rest.split_to(size);
        self.rest = (!rest.is_empty()).then_some(rest);
        Ok(Track { id, four_cc, body })
    }
}

impl Iterator for Tracks {
    type Item = Result<Track, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        Some(self.read(rest))
    }
}

fn four_cc(body: &mut Bytes) -> Result<FourCc, Damage> {
    let four_cc = *body.first_chunk().ok_or(Damage::CutShort)?;
    body.advance(size_of::<FourCc>());
    Ok(four_cc)
}
