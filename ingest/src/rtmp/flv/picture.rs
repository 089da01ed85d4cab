//! Access units of video, as a sample wants them, and whether a decoder can start at them.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes, BytesMut};
use touchline_media::{Error, Format, av1, avc, hevc, nal, obu};

use super::Damage;
use super::header::{Frame, Video};

/// The video of a stream.
#[derive(Debug)]
pub(super) struct Pictures {
    codec: Video,
    /// Codec and decoder configuration.
    pub(super) format: Format,
    /// Bytes of the length in front of each NAL unit.
    length_size: usize,
    /// Pictures have come that a player which starts at the keyframe before them cannot show.
    pub(super) open_groups: bool,
}

impl Pictures {
    /// Reads the decoder configuration of a codec.
    pub(super) fn configure(codec: Video, record: &[u8]) -> Result<Self, Error> {
        let (format, length_size) = match codec {
            Video::Avc => (Format::Avc(avc::Config::parse(record)?), avc::length_size(record)?),
            Video::Hevc => (Format::Hevc(hevc::Config::parse(record)?), hevc::length_size(record)?),
            Video::Av1 => (Format::Av1(av1::Config::parse(record)?), 0),
        };
        Ok(Self { codec, format, length_size, open_groups: false })
    }

    /// The data of a sample, and whether it is a sync sample.
    pub(super) fn read(&mut self, codec: Video, frame: Frame) -> Result<(Bytes, bool), Damage> {
        match (codec, &self.format) {
            _ if codec != self.codec => Err(Damage::Unconfigured),
            // Tags call pictures of H.264 keyframes that a decoder cannot start at, so that only the NAL units count.
            (Video::Avc, _) => access_unit(frame.body, self.length_size, avc_role).map(|unit| (unit.data, unit.start)),
            (Video::Hevc, Format::Hevc(config)) => {
                let unit = access_unit(frame.body, self.length_size, |unit| hevc_role(unit, config))?;
                self.open_groups |= unit.open;
                // Whether one can start at a CRA picture is for the encoder to say, who knows what follows.
                Ok((unit.data, unit.start && frame.key))
            }
            _ => temporal_unit(&frame.body).map(|(data, starts)| (data, starts && frame.key)),
        }
    }
}

/// What a NAL unit is to an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// Not for a sample: without a whole header, or in the decoder configuration.
    Omitted,
    /// A slice of a picture that a decoder can start at.
    Start,
    /// A slice of a picture that a decoder which has started at the keyframe before it cannot decode.
    Open,
    /// A slice of another picture.
    Slice,
    Other,
}

/// The sample that an access unit of NAL units makes.
struct AccessUnit {
    /// NAL units, each behind a length of four bytes.
    data: Bytes,
    start: bool,
    open: bool,
}

fn avc_role(unit: &[u8]) -> Role {
    /// `nal_unit_type` of a slice of a picture that is no IDR picture; 2 to 4 are its data partitions.
    const FIRST_SLICE: u8 = 1;
    match nal::unit_type(unit) {
        None => Role::Omitted,
        Some(nal::IDR_SLICE) => Role::Start,
        Some(FIRST_SLICE..nal::IDR_SLICE) => Role::Slice,
        Some(_) => Role::Other,
    }
}

fn hevc_role(unit: &[u8], config: &hevc::Config) -> Role {
    match hevc::unit_type(unit) {
        None => Role::Omitted,
        Some(kind) if hevc::is_irap(kind) => Role::Start,
        Some(kind) if hevc::is_rasl(kind) => Role::Open,
        Some(kind) if hevc::is_slice(kind) => Role::Slice,
        Some(hevc::VPS..=hevc::PPS) if config.holds(unit) => Role::Omitted,
        Some(_) => Role::Other,
    }
}

fn access_unit(body: Bytes, length_size: usize, role: impl Fn(&[u8]) -> Role) -> Result<AccessUnit, Damage> {
    let (mut roles, mut len) = (BTreeSet::new(), 0);
    for unit in nal::units(&body, length_size) {
        let unit = unit.map_err(|_| Damage::Damaged)?;
        let role = role(unit);
        roles.insert(role);
        if role != Role::Omitted {
            len += 4 + unit.len();
        }
    }
    let [start, open, slice] = [Role::Start, Role::Open, Role::Slice].map(|role| roles.contains(&role));
    if !(start || open || slice) {
        return Err(Damage::Empty);
    }
    if length_size == 4 && !roles.contains(&Role::Omitted) {
        return Ok(AccessUnit { data: body, start, open });
    }
    let mut data = BytesMut::with_capacity(len);
    for unit in nal::units(&body, length_size).flatten().filter(|unit| role(unit) != Role::Omitted) {
        data.put_u32(u32::try_from(unit.len()).unwrap_or(u32::MAX));
        data.put_slice(unit);
    }
    Ok(AccessUnit { data: data.freeze(), start, open })
}

/// The OBUs of a temporal unit that a sample has; and whether the first frame is one that a decoder can start at.
fn temporal_unit(body: &Bytes) -> Result<(Bytes, bool), Damage> {
    let (mut starts, mut leading, mut kept) = (None, 0, 0);
    for unit in obu::units(body) {
        let unit = unit.map_err(|_| Damage::Damaged)?;
        if unit.is_frame() {
            starts.get_or_insert(unit.is_shown_key_frame());
        }
        match (unit.is_in_samples(), kept) {
            (true, _) => kept += unit.bytes.len(),
            (false, 0) => leading += unit.bytes.len(),
            (false, _) => {}
        }
    }
    let starts = starts.ok_or(Damage::Empty)?;
    if leading + kept == body.len() {
        // As all encoders have it: a temporal delimiter first, or none.
        return Ok((body.slice(leading..), starts));
    }
    let mut data = BytesMut::with_capacity(kept);
    obu::units(body).flatten().filter(obu::Unit::is_in_samples).for_each(|unit| data.put_slice(unit.bytes));
    Ok((data.freeze(), starts))
}
