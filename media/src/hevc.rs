//! HEVC: the `HEVCDecoderConfigurationRecord` of ISO/IEC 14496-15 8.3.3.1 and what its parameter sets say.

mod parameter_sets;

use std::fmt::Write;
use std::num::NonZeroUsize;

use bytes::Bytes;
use h264_reader::rbsp::{BitRead, BitReader, BitReaderError, ByteReader};

use crate::{Error, FrameRate, nal, picture};

/// `nal_unit_type` of a video parameter set (ITU-T H.265 table 7-1).
pub const VPS: u8 = 32;
/// `nal_unit_type` of a sequence parameter set.
pub const SPS: u8 = 33;
/// `nal_unit_type` of a picture parameter set.
pub const PPS: u8 = 34;

/// The `nal_unit_type` of a NAL unit; `None` for one without a whole header.
pub fn unit_type(nal: &[u8]) -> Option<u8> {
    match nal {
        [first, _, ..] => Some((first >> 1) & 0x3f),
        _ => None,
    }
}

/// Whether a NAL unit of this type is a slice of a picture (H.265 table 7-1: VCL).
pub fn is_slice(unit_type: u8) -> bool {
    unit_type < VPS
}

/// Whether a NAL unit of this type is a slice of a picture that a decoder can start at: BLA, IDR or CRA (H.265 3.69).
pub fn is_irap(unit_type: u8) -> bool {
    (16..=23).contains(&unit_type)
}

/// Whether a NAL unit of this type is a slice of a picture that is left out where decoding starts at the IRAP picture before
/// it: RASL (H.265 3.112). Closed groups of pictures have none.
pub fn is_rasl(unit_type: u8) -> bool {
    matches!(unit_type, 8 | 9)
}

/// Decoder configuration of an HEVC track whose samples carry four-byte lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The `HEVCDecoderConfigurationRecord` ("hvcC") with `lengthSizeMinusOne` 3 and complete arrays of parameter sets.
    pub record: Bytes,
    /// Width of the cropped picture in pixels.
    pub width: u32,
    /// Height of the cropped picture in pixels.
    pub height: u32,
    /// The frame rate that the record declares, if it does. A hint: most encoders leave it out.
    pub declared_rate: Option<FrameRate>,
}

impl Config {
    /// The longest record taken, in bytes. x265 writes its settings into it.
    pub const MAX_LEN: usize = 16 * 1_024;
    /// The most NAL units in a record: those of an access unit are held against them one by one. H.265 knows 96 parameter sets.
    pub const MAX_UNITS: usize = 128;

    /// Reads an `HEVCDecoderConfigurationRecord`.
    pub fn parse(record: &[u8]) -> Result<Self, Error> {
        let head = Head::read(record)?;
        let (mut sets, mut units) = (ParameterSets::default(), 0);
        let mut normal = record.to_vec();
        if let Some(sizes) = normal.get_mut(LENGTH_SIZE_AT) {
            *sizes |= 3;
        }
        for array in Arrays::new(record, head.arrays) {
            let array = array?;
            units += usize::from(array.count);
            if units > Self::MAX_UNITS {
                return Err(unsupported("number of NAL units", units));
            }
            sets.add(&array);
            // 8.3.3.1.3: under the sample entry `hvc1`, arrays of parameter sets are complete.
            if let (VPS..=PPS, Some(first)) = (array.unit_type, normal.get_mut(array.at)) {
                *first |= 0x80;
            }
        }
        let Sps { width, height, .. } = Sps::parse(sets.sps()?)?;
        Ok(Self { record: normal.into(), width, height, declared_rate: head.average_rate })
    }

    /// Whether the record holds this NAL unit, which then need not be, and under `hvc1` must not be, in a sample
    /// (8.3.3.1.3).
    pub fn holds(&self, nal: &[u8]) -> bool {
        self.units().any(|unit| unit == nal)
    }

    /// The parameter sets of the record, in the order in which they refer to each other: video, sequence, picture.
    pub fn parameter_sets(&self) -> impl Iterator<Item = &[u8]> {
        let of = |kind| self.units().filter(move |unit| unit_type(unit) == Some(kind));
        of(VPS).chain(of(SPS)).chain(of(PPS))
    }

    /// All NAL units of the record.
    fn units(&self) -> impl Iterator<Item = &[u8]> {
        let arrays = Head::read(&self.record).map_or(0, |head| head.arrays);
        Arrays::new(&self.record, arrays).flatten().flat_map(|array| nal::units(array.units, 2)).flatten()
    }

    /// The RFC 6381 string, for example `hvc1.1.6.L93.B0`: profile space and profile, compatibility flags in reverse, tier
    /// and level, and the constraint bytes up to the last that is not zero (ISO/IEC 14496-15 annex E.3).
    pub fn codec(&self) -> String {
        let mut codec = String::from("hvc1");
        let Some([_, profile, f0, f1, f2, f3, constraints @ .., level]) = self.record.first_chunk::<13>() else {
            return codec;
        };
        let space = match profile >> 6 {
            0 => "",
            1 => "A",
            2 => "B",
            _ => "C",
        };
        let compatibility = u32::from_be_bytes([*f0, *f1, *f2, *f3]).reverse_bits();
        let tier = if profile & HIGH_TIER == 0 { 'L' } else { 'H' };
        let used = constraints.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        // Writing to a string does not fail.
        let _ = write!(codec, ".{space}{}.{compatibility:X}.{tier}{level}", profile & 0x1f);
        for byte in constraints.iter().take(used) {
            let _ = write!(codec, ".{byte:X}");
        }
        codec
    }

    /// The profile and level in words, for logs: `Main 3.1`.
    pub fn profile_and_level(&self) -> String {
        let Some([_, profile, .., level]) = self.record.first_chunk::<13>() else {
            return "unknown".into();
        };
        let name = match profile & 0x1f {
            1 => "Main",
            2 => "Main 10",
            3 => "Main Still Picture",
            4 => "Range Extensions",
            other => return format!("profile {other} level {level}"),
        };
        let tier = if profile & HIGH_TIER == 0 { "" } else { " High tier" };
        // H.265 A.4.1: thirty times the level.
        format!("{name} {}.{}{tier}", level / 30, level % 30 / 3)
    }
}

/// How many bytes the length of a NAL unit takes in samples that go with this record: 1, 2 or 4.
pub fn length_size(record: &[u8]) -> Result<usize, Error> {
    Head::read(record).map(|head| head.length_size)
}

const WHAT: &str = "HEVCDecoderConfigurationRecord";
/// Where the bits of `lengthSizeMinusOne` are.
const LENGTH_SIZE_AT: usize = 21;
/// The bytes before the arrays.
const HEAD_LEN: usize = 23;
/// `general_tier_flag` in the byte of the profile.
const HIGH_TIER: u8 = 0x20;

fn truncated(record: &[u8]) -> Error {
    Error::Truncated { what: WHAT, len: record.len() }
}

fn unsupported(field: &'static str, value: usize) -> Error {
    Error::Unsupported { what: WHAT, field, value: u32::try_from(value).unwrap_or(u32::MAX) }
}

/// What stands before the arrays.
struct Head {
    average_rate: Option<FrameRate>,
    length_size: usize,
    arrays: u8,
}

impl Head {
    fn read(record: &[u8]) -> Result<Self, Error> {
        if record.len() > Config::MAX_LEN {
            return Err(unsupported("length", record.len()));
        }
        if let Some(&version) = record.first()
            && version != 1
        {
            return Err(unsupported("version", usize::from(version)));
        }
        let head: &[u8; HEAD_LEN] = record.first_chunk().ok_or_else(|| truncated(record))?;
        let [.., high, low, sizes, arrays] = *head;
        let length_size = match usize::from(sizes & 3) + 1 {
            3 => return Err(unsupported("length size", 3)),
            size => size,
        };
        // 8.3.3.1.3: in frames per 256 seconds; 0 tells nothing.
        let average_rate = FrameRate::from_f64(f64::from(u16::from_be_bytes([high, low])) / 256.0);
        Ok(Self { average_rate, length_size, arrays })
    }
}

/// NAL units of one type.
struct Array<'a> {
    unit_type: u8,
    /// How many there are.
    count: u16,
    /// Where in the record its first byte is.
    at: usize,
    /// Each behind its length in two bytes.
    units: &'a [u8],
}

/// Walks over the arrays of a record.
struct Arrays<'a> {
    record: &'a [u8],
    rest: &'a [u8],
    left: u8,
}

impl<'a> Arrays<'a> {
    fn new(record: &'a [u8], count: u8) -> Self {
        Self { record, rest: record.get(HEAD_LEN..).unwrap_or_default(), left: count }
    }

    fn read(&mut self) -> Option<Array<'a>> {
        let at = self.record.len() - self.rest.len();
        let ([kind, high, low], units) = self.rest.split_first_chunk()?;
        let count = u16::from_be_bytes([*high, *low]);
        let mut rest = units;
        for _ in 0..count {
            let (len, after) = rest.split_first_chunk()?;
            rest = after.get(usize::from(u16::from_be_bytes(*len))..)?;
        }
        self.rest = rest;
        let units = units.get(..units.len() - rest.len())?;
        Some(Array { unit_type: kind & 0x3f, count, at, units })
    }
}

impl<'a> Iterator for Arrays<'a> {
    type Item = Result<Array<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let array = self.read().ok_or_else(|| truncated(self.record));
        if array.is_err() {
            self.left = 0;
        }
        Some(array)
    }
}

/// The first parameter set of each kind.
#[derive(Default)]
struct ParameterSets<'a> {
    video: Option<&'a [u8]>,
    sequence: Option<&'a [u8]>,
    picture: Option<&'a [u8]>,
}

impl<'a> ParameterSets<'a> {
    fn add(&mut self, array: &Array<'a>) {
        let place = match array.unit_type {
            VPS => &mut self.video,
            SPS => &mut self.sequence,
            PPS => &mut self.picture,
            _ => return,
        };
        *place = place.or(nal::units(array.units, 2).next().and_then(Result::ok));
    }

    /// The first sequence parameter set of a record that has all that a decoder needs.
    fn sps(&self) -> Result<&'a [u8], Error> {
        self.video.ok_or_else(|| unsupported("number of video parameter sets", 0))?;
        self.picture.ok_or_else(|| unsupported("number of picture parameter sets", 0))?;
        self.sequence.ok_or_else(|| unsupported("number of sequence parameter sets", 0))
    }
}

/// What a sequence parameter set says (H.265 7.3.2.2.1), up to the size of its pictures.
#[derive(Debug, PartialEq, Eq)]
struct Sps {
    /// `sps_max_sub_layers_minus1`
    sub_layers: u8,
    nested: bool,
    chroma: u8,
    width: u32,
    height: u32,
}

impl Sps {
    const WHAT: &'static str = "HEVC sequence parameter set";
    /// 7.4.3.2.1: `sps_max_sub_layers_minus1` is at most 6.
    const MAX_SUB_LAYERS_MINUS_1: u32 = 6;
    const HEADER_LEN: NonZeroUsize = NonZeroUsize::new(2).expect("2 is not 0");

    fn parse(nal: &[u8]) -> Result<Self, Error> {
        Self::read(&mut BitReader::new(Self::bytes(nal)?))
    }

    /// What stands behind the header, without emulation prevention.
    fn bytes(nal: &[u8]) -> Result<ByteReader<&[u8]>, Error> {
        if unit_type(nal) != Some(SPS) {
            return Err(Self::error("it is another kind of NAL unit"));
        }
        Ok(ByteReader::skipping_bytes(nal::without_trailing_zeros(nal), Self::HEADER_LEN))
    }

    fn read(bits: &mut impl BitRead) -> Result<Self, Error> {
        let unreadable = |error: BitReaderError| Self::error(format!("{error:?}"));
        bits.skip(4, "sps_video_parameter_set_id").map_err(unreadable)?;
        let sub_layers: u32 = bits.read::<3, _>("sps_max_sub_layers_minus1").map_err(unreadable)?;
        if sub_layers > Self::MAX_SUB_LAYERS_MINUS_1 {
            return Err(Self::unsupported("sps_max_sub_layers_minus1", sub_layers));
        }
        let nested = bits.read_bit("sps_temporal_id_nesting_flag").map_err(unreadable)?;
        skip_profile_tier_level(bits, sub_layers).map_err(unreadable)?;
        bits.read_ue("sps_seq_parameter_set_id").map_err(unreadable)?;
        let chroma = bits.read_ue("chroma_format_idc").map_err(unreadable)?;
        if chroma > 3 {
            return Err(Self::unsupported("chroma_format_idc", chroma));
        }
        if chroma == 3 {
            bits.skip(1, "separate_colour_plane_flag").map_err(unreadable)?;
        }
        let width = bits.read_ue("pic_width_in_luma_samples").map_err(unreadable)?;
        let height = bits.read_ue("pic_height_in_luma_samples").map_err(unreadable)?;
        let [left, right, top, bottom] = conformance_window(bits).map_err(unreadable)?;
        // Table 6-1: a window is told in samples of chroma.
        let (horizontal, vertical) = match chroma {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let crop = |side: u32, unit, a: u32, b: u32| side.saturating_sub(a.saturating_add(b).saturating_mul(unit));
        let (width, height) = (crop(width, horizontal, left, right), crop(height, vertical, top, bottom));
        let (width, height) = picture::size(Self::WHAT, width, height)?;
        let byte = |value| u8::try_from(value).unwrap_or(u8::MAX);
        Ok(Self { sub_layers: byte(sub_layers), nested, chroma: byte(chroma), width, height })
    }

    fn error(reason: impl Into<String>) -> Error {
        Error::Unreadable { what: Self::WHAT, reason: reason.into() }
    }

    fn unsupported(field: &'static str, value: u32) -> Error {
        Error::Unsupported { what: Self::WHAT, field, value }
    }
}

/// H.265 7.3.3, with the profile present.
fn skip_profile_tier_level(bits: &mut impl BitRead, sub_layers: u32) -> Result<(), BitReaderError> {
    const PROFILE: u32 = 88;
    const LEVEL: u32 = 8;
    bits.skip(PROFILE + LEVEL, "general_profile_tier_level")?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.read_bit("sub_layer_profile_present")?, bits.read_bit("sub_layer_level_present")?));
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers), "reserved_zero_2bits")?;
    }
    for (profile, level) in present {
        bits.skip(if profile { PROFILE } else { 0 }, "sub_layer_profile")?;
        bits.skip(if level { LEVEL } else { 0 }, "sub_layer_level")?;
    }
    Ok(())
}

/// Left, right, top and bottom offset.
fn conformance_window(bits: &mut impl BitRead) -> Result<[u32; 4], BitReaderError> {
    let mut window = [0; 4];
    if bits.read_bit("conformance_window_flag")? {
        for offset in &mut window {
            *offset = bits.read_ue("conf_win_offset")?;
        }
    }
    Ok(window)
}

#[cfg(test)]
mod tests;
