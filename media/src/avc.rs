//! H.264: the `AVCDecoderConfigurationRecord` of ISO/IEC 14496-15 5.3.3.1 and what its parameter sets say.

use bytes::Bytes;
use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::rbsp::{BitReader, ByteReader};

use crate::{Error, FrameRate, nal, picture};

/// Decoder configuration of an H.264 track whose samples carry four-byte lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The `AVCDecoderConfigurationRecord` ("avcC") with `lengthSizeMinusOne` 3.
    pub record: Bytes,
    /// Width of the cropped picture in pixels.
    pub width: u32,
    /// Height of the cropped picture in pixels.
    pub height: u32,
    /// The frame rate that the VUI declares, if it does. A hint: encoders get it wrong.
    pub declared_rate: Option<FrameRate>,
}

impl Config {
    /// The longest record taken, in bytes.
    pub const MAX_LEN: usize = 8 * 1_024;

    /// Reads an `AVCDecoderConfigurationRecord`.
    pub fn parse(record: &[u8]) -> Result<Self, Error> {
        length_size(record)?;
        let sps = Sps::parse(first_sps(record)?)?;
        let mut normal = record.to_vec();
        if let Some(length_size_minus_one) = normal.get_mut(4) {
            *length_size_minus_one |= 3;
        }
        Ok(Self { record: normal.into(), width: sps.width, height: sps.height, declared_rate: sps.declared_rate })
    }

    /// The configuration that parameter sets within a stream make (ISO/IEC 14496-15 5.3.3.1.2). NAL units of other types
    /// are passed over.
    pub fn from_parameter_sets(units: &[&[u8]]) -> Result<Self, Error> {
        let of_type = |kind| units.iter().copied().filter(move |unit| nal::unit_type(unit) == Some(kind));
        let sets = |kind| -> Vec<&[u8]> { of_type(kind).map(nal::without_trailing_zeros).collect() };
        let (sequence, picture) = (sets(nal::SPS), sets(nal::PPS));
        let first = *sequence.first().ok_or_else(|| unsupported("number of sequence parameter sets", 0))?;
        if picture.is_empty() {
            return Err(unsupported("number of picture parameter sets", 0));
        }
        let [_, profile, constraints, level, ..] = *first else {
            return Err(Error::Truncated { what: Sps::WHAT, len: first.len() });
        };
        let mut record = vec![1, profile, constraints, level, 0xff];
        put_sets(&mut record, 0xe0, 0x1f, &sequence)?;
        put_sets(&mut record, 0, 0xff, &picture)?;
        record.extend_from_slice(&Sps::parse(first)?.extension);
        Self::parse(&record)
    }

    /// Whether the record holds this NAL unit, which then need not be, and under `avc1` must not be, in a sample
    /// (ISO/IEC 14496-15 5.3.3.1.2).
    pub fn holds(&self, nal: &[u8]) -> bool {
        let nal = nal::without_trailing_zeros(nal);
        self.parameter_sets().any(|set| nal::without_trailing_zeros(set) == nal)
    }

    /// The sequence parameter sets of the record, then its picture parameter sets.
    pub fn parameter_sets(&self) -> impl Iterator<Item = &[u8]> {
        let sequence = counted_sets(self.record.get(5..).unwrap_or_default(), 0x1f);
        let picture = sequence.and_then(|(_, rest)| counted_sets(rest, 0xff));
        let counted = sequence.into_iter().chain(picture);
        counted.flat_map(|(sets, _)| nal::units(sets, 2)).flatten()
    }

    /// The RFC 6381 string, for example `avc1.64001f`: profile, constraint flags and level as the record has them
    /// (RFC 6381 3.3, ISO/IEC 14496-15 annex E).
    pub fn codec(&self) -> String {
        match *self.record {
            [_, profile, constraints, level, ..] => format!("avc1.{profile:02x}{constraints:02x}{level:02x}"),
            _ => "avc1".into(),
        }
    }

    /// The profile and level in words, for logs: `High 3.1`.
    pub fn profile_and_level(&self) -> String {
        let [_, profile, constraints, level, ..] = *self.record else {
            return "unknown".into();
        };
        let name = match (profile, constraints & 0x40) {
            (66, 0) => "Baseline",
            (66, _) => "Constrained Baseline",
            (77, _) => "Main",
            (100, _) => "High",
            (110, _) => "High 10",
            (122, _) => "High 4:2:2",
            (244, _) => "High 4:4:4",
            _ => return format!("profile {profile} level {level}"),
        };
        format!("{name} {}.{}", level / 10, level % 10)
    }
}

/// How many bytes the length of a NAL unit takes in samples that go with this record: 1, 2 or 4.
pub fn length_size(record: &[u8]) -> Result<usize, Error> {
    let truncated = Error::Truncated { what: WHAT, len: record.len() };
    if record.len() > Config::MAX_LEN {
        return Err(unsupported("length", record.len()));
    }
    match record {
        [1, _, _, _, sizes, _, ..] => match usize::from(sizes & 3) + 1 {
            3 => Err(unsupported("length size", 3)),
            size => Ok(size),
        },
        [version, ..] if *version != 1 => Err(unsupported("version", usize::from(*version))),
        _ => Err(truncated),
    }
}

const WHAT: &str = "AVCDecoderConfigurationRecord";

fn unsupported(field: &'static str, value: usize) -> Error {
    Error::Unsupported { what: WHAT, field, value: u32::try_from(value).unwrap_or(u32::MAX) }
}

fn first_sps(record: &[u8]) -> Result<&[u8], Error> {
    let truncated = || Error::Truncated { what: WHAT, len: record.len() };
    let count = record.get(5).ok_or_else(truncated)? & 0x1f;
    if count == 0 {
        return Err(unsupported("number of sequence parameter sets", 0));
    }
    let sets = record.get(6..).ok_or_else(truncated)?;
    nal::units(sets, 2).next().ok_or_else(truncated)?.map_err(|_| truncated())
}

/// Writes a number of parameter sets below `marker`, and the sets.
fn put_sets(record: &mut Vec<u8>, marker: u8, max: u8, sets: &[&[u8]]) -> Result<(), Error> {
    let count = u8::try_from(sets.len()).ok().filter(|&count| count <= max);
    record.push(marker | count.ok_or_else(|| unsupported("number of parameter sets", sets.len()))?);
    for set in sets {
        let len = u16::try_from(set.len()).map_err(|_| unsupported("length", set.len()))?;
        record.extend_from_slice(&len.to_be_bytes());
        record.extend_from_slice(set);
    }
    Ok(())
}

/// Parameter sets behind their number, and what follows them.
fn counted_sets(data: &[u8], mask: u8) -> Option<(&[u8], &[u8])> {
    let (count, sets) = data.split_first()?;
    let mut rest = sets;
    for _ in 0..count & mask {
        let (len, after) = rest.split_first_chunk()?;
        rest = after.get(usize::from(u16::from_be_bytes(*len))..)?;
    }
    Some((sets.get(..sets.len() - rest.len())?, rest))
}

/// What a sequence parameter set says (ISO/IEC 14496-10 7.3.2.1).
struct Sps {
    width: u32,
    height: u32,
    declared_rate: Option<FrameRate>,
    /// What follows the parameter sets in the record of a profile that knows formats of chroma.
    extension: Vec<u8>,
}

impl Sps {
    const WHAT: &'static str = "H.264 sequence parameter set";

    fn parse(nal: &[u8]) -> Result<Self, Error> {
        // h264-reader panics on an empty NAL unit.
        if nal::unit_type(nal) != Some(nal::SPS) {
            return Err(Self::error("the first parameter set is not a sequence parameter set"));
        }
        let bits = BitReader::new(ByteReader::skipping_h264_header(nal::without_trailing_zeros(nal)));
        let sps = SeqParameterSet::from_bits(bits).map_err(|e| Self::error(format!("{e:?}")))?;
        let (width, height) = sps.pixel_dimensions().map_err(|e| Self::error(format!("{e:?}")))?;
        let (width, height) = picture::size(Self::WHAT, width, height)?;
        let chroma = &sps.chroma_info;
        let extension = if sps.profile_idc.has_chroma_info() {
            let format = u8::try_from(chroma.chroma_format.to_u32()).unwrap_or(0) & 3;
            vec![0xfc | format, 0xf8 | chroma.bit_depth_luma_minus8, 0xf8 | chroma.bit_depth_chroma_minus8, 0]
        } else {
            Vec::new()
        };
        let timing = sps.vui_parameters.and_then(|vui| vui.timing_info);
        // E.2.1: a frame lasts two ticks.
        let declared_rate = timing.and_then(|t| FrameRate::new(t.time_scale, t.num_units_in_tick.checked_mul(2)?));
        Ok(Self { width, height, declared_rate, extension })
    }

    fn error(reason: impl Into<String>) -> Error {
        Error::Unreadable { what: Self::WHAT, reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// x264 at 1280x720 and 30000/1001 frames/s, High profile.
    const RECORD: &[u8] = &[
        0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x18, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb,
        0x01, 0x10, 0x00, 0x00, 0x3e, 0x90, 0x00, 0x0e, 0xa6, 0x00, 0xf1, 0x83, 0x19, 0x60, 0x01, 0x00, 0x04, 0x68,
        0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8, 0x00,
    ];

    #[test]
    fn the_record_tells_size_rate_and_codec() {
        let config = Config::parse(RECORD).unwrap();
        assert_eq!((config.width, config.height), (1_280, 720));
        assert_eq!(config.codec(), "avc1.64001f");
        assert_eq!(config.profile_and_level(), "High 3.1");
        assert_eq!(config.declared_rate, FrameRate::new(30_000, 1_001));
    }

    #[test]
    fn shorter_lengths_are_normalised_in_the_record() {
        let mut short = RECORD.to_vec();
        short[4] = 0xfd;
        assert_eq!(length_size(&short), Ok(2));
        assert_eq!(Config::parse(&short).unwrap().record, RECORD);
    }

    #[test]
    fn parameter_sets_of_a_stream_make_the_same_record() {
        let (sps, pps) = (&RECORD[8..32], &RECORD[35..39]);
        let config = Config::from_parameter_sets(&[&[0x06, 1], sps, &[pps, &[0, 0]].concat()]).unwrap();
        assert_eq!(config, Config::parse(RECORD).unwrap());
        assert!(config.holds(sps) && config.holds(pps) && config.holds(&[pps, &[0]].concat()));
        assert!(!config.holds(&sps[..23]) && !config.holds(&[]) && !config.holds(&[0x68, 1]));
        assert!(config.parameter_sets().eq([sps, pps]));
        let main = [&[0x67, 77][..], &sps[2..]].concat();
        let message = |units: &[&[u8]]| Config::from_parameter_sets(units).unwrap_err().to_string();
        assert_eq!(
            message(&[pps]),
            "AVCDecoderConfigurationRecord has unsupported number of sequence parameter sets 0"
        );
        assert_eq!(
            message(&[&main]),
            "AVCDecoderConfigurationRecord has unsupported number of picture parameter sets 0"
        );
        assert_eq!(message(&[&[0x67], pps]), "H.264 sequence parameter set is cut short: 1 bytes");
        assert_eq!(
            message(&[vec![sps; 32], vec![pps]].concat()),
            "AVCDecoderConfigurationRecord has unsupported number of parameter sets 32"
        );
    }

    #[test]
    fn zeros_behind_a_parameter_set_are_no_error() {
        let mut padded = RECORD.to_vec();
        let sps_len = usize::from(padded[7]);
        padded[7] += 2;
        padded.splice(8 + sps_len..8 + sps_len, [0, 0]);
        assert_eq!(Config::parse(&padded).unwrap().width, 1_280);
    }

    #[test]
    fn what_is_not_a_record_is_an_error_that_says_why() {
        let message = |record: &[u8]| Config::parse(record).unwrap_err().to_string();
        assert_eq!(message(&[]), "AVCDecoderConfigurationRecord is cut short: 0 bytes");
        assert_eq!(message(&RECORD[..20]), "AVCDecoderConfigurationRecord is cut short: 20 bytes");
        assert_eq!(message(&[0; 8]), "AVCDecoderConfigurationRecord has unsupported version 0");
        assert_eq!(
            message(&[1, 0x64, 0, 0x1f, 0xff, 0xe0, 0]),
            "AVCDecoderConfigurationRecord has unsupported number of sequence parameter sets 0"
        );
        assert!(message(&[1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 0]).contains("not a sequence parameter set"));
    }

    proptest! {
        #[test]
        fn mutated_records_never_panic(edits in prop::collection::vec((0..RECORD.len(), any::<u8>()), 1..6)) {
            let mut record = RECORD.to_vec();
            for (at, byte) in edits {
                record[at] = byte;
            }
            if let Ok(config) = Config::parse(&record) {
                config.holds(&[0x68, 1]);
            }
        }

        #[test]
        fn mutated_parameter_sets_make_a_record_or_an_error(
            edits in prop::collection::vec((8..RECORD.len(), any::<u8>()), 1..6),
        ) {
            let mut record = RECORD.to_vec();
            for (at, byte) in edits {
                record[at] = byte;
            }
            let (sps, pps) = (&record[8..32], &record[35..39]);
            if let Ok(config) = Config::from_parameter_sets(&[sps, pps]) {
                prop_assert!(config.holds(sps) && config.holds(pps));
            }
        }
    }
}
