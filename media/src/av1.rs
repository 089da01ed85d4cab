//! AV1: the `AV1CodecConfigurationRecord` of the AV1 Codec ISO Media File Format Binding 2.3 and what its sequence header
//! says.

mod sequence_header;

use bytes::Bytes;

use crate::{Error, FrameRate, obu};

use self::sequence_header::SequenceHeader;

/// Decoder configuration of an AV1 track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The `AV1CodecConfigurationRecord` ("av1C"), reserved bits zero.
    pub record: Bytes,
    /// The largest width of a picture in pixels.
    pub width: u32,
    /// The largest height of a picture in pixels.
    pub height: u32,
    /// The frame rate that the sequence header declares, if it does.
    pub declared_rate: Option<FrameRate>,
}

impl Config {
    /// The longest record taken, in bytes.
    pub const MAX_LEN: usize = 8 * 1_024;

    /// Reads an `AV1CodecConfigurationRecord`, which has to hold a sequence header.
    pub fn parse(record: &[u8]) -> Result<Self, Error> {
        if record.len() > Self::MAX_LEN {
            return Err(unsupported("length", record.len()));
        }
        let ([first, profile, depth, delay], units) =
            record.split_first_chunk().ok_or(Error::Truncated { what: WHAT, len: record.len() })?;
        if *first != MARKER_AND_VERSION {
            return Err(unsupported("marker and version", usize::from(*first)));
        }
        let header = SequenceHeader::parse(sequence_header(units)?)?;
        let delay = if delay & DELAY_PRESENT == 0 { 0 } else { delay & 0x1f };
        let record = [&[*first, *profile, *depth, delay][..], units].concat();
        Ok(Self { record: record.into(), width: header.width, height: header.height, declared_rate: header.rate })
    }

    /// The configuration that a sequence header within a stream makes (AV1-ISOBMFF 2.3.4): an OBU, with its size or without.
    pub fn from_sequence_header(unit: &[u8]) -> Result<Self, Error> {
        let payload = sequence_header(unit)?;
        let (header, coding) = SequenceHeader::parse_all(payload)?;
        let mut record = vec![MARKER_AND_VERSION, coding.profile_and_level, coding.depth_and_chroma, 0];
        obu::write(obu::SEQUENCE_HEADER << 3, payload, &mut record);
        if record.len() > Self::MAX_LEN {
            return Err(unsupported("length", record.len()));
        }
        Ok(Self { record: record.into(), width: header.width, height: header.height, declared_rate: header.rate })
    }

    /// The RFC 6381 string, for example `av01.0.08M.08`: profile, level and tier, bit depth (AV1-ISOBMFF section 5).
    pub fn codec(&self) -> String {
        let [_, profile_and_level, depth, ..] = *self.record else {
            return "av01".into();
        };
        let tier = if depth & 0x80 == 0 { 'M' } else { 'H' };
        let bits = match (depth & 0x40 != 0, depth & 0x20 != 0) {
            (false, _) => 8,
            (true, false) => 10,
            (true, true) => 12,
        };
        format!("av01.{}.{:02}{tier}.{bits:02}", profile_and_level >> 5, profile_and_level & 0x1f)
    }

    /// The profile and level in words, for logs: `Main 4.0`.
    pub fn profile_and_level(&self) -> String {
        let [_, profile_and_level, ..] = *self.record else {
            return "unknown".into();
        };
        let (profile, level) = (profile_and_level >> 5, profile_and_level & 0x1f);
        let name = match profile {
            0 => "Main",
            1 => "High",
            2 => "Professional",
            _ => return format!("profile {profile} level {level}"),
        };
        // AV1 A.3: four levels to each major number from 2 on; 31 is no limit.
        if level == 31 { format!("{name} without a level") } else { format!("{name} {}.{}", 2 + level / 4, level % 4) }
    }
}

const WHAT: &str = "AV1CodecConfigurationRecord";
const MARKER_AND_VERSION: u8 = 0x81;
/// `initial_presentation_delay_present`
const DELAY_PRESENT: u8 = 0x10;

fn unsupported(field: &'static str, value: usize) -> Error {
    Error::Unsupported { what: WHAT, field, value: u32::try_from(value).unwrap_or(u32::MAX) }
}

/// The payload of the first sequence header.
fn sequence_header(units: &[u8]) -> Result<&[u8], Error> {
    for unit in obu::units(units) {
        let unit = unit?;
        if unit.kind == obu::SEQUENCE_HEADER {
            return Ok(unit.payload);
        }
    }
    Err(unsupported("number of sequence headers", 0))
}

#[cfg(test)]
mod tests;
