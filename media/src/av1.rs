//! AV1: the `AV1CodecConfigurationRecord` of the AV1 Codec ISO Media File Format Binding 2.3 and what its sequence header
//! says.

use bytes::Bytes;
use h264_reader::rbsp::{BitRead, BitReader, BitReaderError};

use crate::{Error, FrameRate, obu, picture};

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

/// What a sequence header says (AV1 5.5.1), up to the size of its pictures.
struct SequenceHeader {
    width: u32,
    height: u32,
    rate: Option<FrameRate>,
}

impl SequenceHeader {
    const WHAT: &'static str = "AV1 sequence header";

    fn parse(payload: &[u8]) -> Result<Self, Error> {
        let mut bits = BitReader::new(payload);
        let (width, height, rate) = Self::read(&mut bits)
            .map_err(|error| Error::Unreadable { what: Self::WHAT, reason: format!("{error:?}") })?;
        let (width, height) = picture::size(Self::WHAT, width, height)?;
        Ok(Self { width, height, rate })
    }

    fn read(bits: &mut impl BitRead) -> Result<(u32, u32, Option<FrameRate>), BitReaderError> {
        bits.skip(3, "seq_profile")?;
        bits.skip(1, "still_picture")?;
        let mut rate = None;
        if bits.read_bit("reduced_still_picture_header")? {
            bits.skip(5, "seq_level_idx")?;
        } else {
            let mut delay_len = None;
            if bits.read_bit("timing_info_present_flag")? {
                rate = timing_info(bits)?;
                if bits.read_bit("decoder_model_info_present_flag")? {
                    delay_len = Some(decoder_model_info(bits)?);
                }
            }
            skip_operating_points(bits, delay_len)?;
        }
        let width_len = bits.read::<4, u32>("frame_width_bits_minus_1")? + 1;
        let height_len = bits.read::<4, u32>("frame_height_bits_minus_1")? + 1;
        let width: u32 = bits.read_var(width_len, "max_frame_width_minus_1")?;
        let height: u32 = bits.read_var(height_len, "max_frame_height_minus_1")?;
        Ok((width + 1, height + 1, rate))
    }
}

/// AV1 5.5.3: a rate only where all pictures last equally long.
fn timing_info(bits: &mut impl BitRead) -> Result<Option<FrameRate>, BitReaderError> {
    let units: u32 = bits.read::<32, _>("num_units_in_display_tick")?;
    let scale: u32 = bits.read::<32, _>("time_scale")?;
    if !bits.read_bit("equal_picture_interval")? {
        return Ok(None);
    }
    let ticks = bits.read_ue("num_ticks_per_picture_minus_1")?.saturating_add(1);
    Ok(units.checked_mul(ticks).and_then(|ticks| FrameRate::new(scale, ticks)))
}

/// AV1 5.5.4: the bits that a buffer delay takes.
fn decoder_model_info(bits: &mut impl BitRead) -> Result<u32, BitReaderError> {
    let len = bits.read::<5, u32>("buffer_delay_length_minus_1")? + 1;
    bits.skip(32 + 5 + 5, "decoder_model_info")?;
    Ok(len)
}

/// AV1 5.5.1; `delay_len` is there if a decoder model is.
fn skip_operating_points(bits: &mut impl BitRead, delay_len: Option<u32>) -> Result<(), BitReaderError> {
    let has_display_delay = bits.read_bit("initial_display_delay_present_flag")?;
    let count = bits.read::<5, u32>("operating_points_cnt_minus_1")? + 1;
    for _ in 0..count {
        bits.skip(12, "operating_point_idc")?;
        if bits.read::<5, u32>("seq_level_idx")? > 7 {
            bits.skip(1, "seq_tier")?;
        }
        if let Some(len) = delay_len
            && bits.read_bit("decoder_model_present_for_this_op")?
        {
            bits.skip(len + len + 1, "operating_parameters_info")?;
        }
        if has_display_delay && bits.read_bit("initial_display_delay_present_for_this_op")? {
            bits.skip(4, "initial_display_delay_minus_1")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
