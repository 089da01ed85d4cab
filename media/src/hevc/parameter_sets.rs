use std::io::Read;

use h264_reader::rbsp::{BitRead, BitReader, BitReaderError};

use super::{Config, PPS, SPS, Sps, VPS, unit_type, unsupported};
use crate::{Error, nal};

impl Config {
    /// The configuration that parameter sets within a stream make (ISO/IEC 14496-15 8.3.3.1.2). NAL units of other types
    /// are passed over.
    pub fn from_parameter_sets(units: &[&[u8]]) -> Result<Self, Error> {
        let of_type = |kind| units.iter().copied().filter(move |unit| unit_type(unit) == Some(kind));
        let sps = of_type(SPS).next().ok_or_else(|| unsupported("number of sequence parameter sets", 0))?;
        let mut record = head(sps)?;
        for kind in [VPS, SPS, PPS] {
            let sets: Vec<&[u8]> = of_type(kind).map(nal::without_trailing_zeros).collect();
            put_array(&mut record, kind, &sets)?;
        }
        Self::parse(&record)
    }
}

/// What stands before the arrays (8.3.3.1.2), with three arrays to follow.
fn head(sps: &[u8]) -> Result<Vec<u8>, Error> {
    const ARRAYS: u8 = 3;
    // H.265 7.3.2.2.1: four bits of the video parameter set's id, three of sub-layers and one flag; then 7.3.3.
    let mut start = [0; 13];
    let truncated = |_| Error::Truncated { what: Sps::WHAT, len: sps.len() };
    Sps::bytes(sps)?.read_exact(&mut start).map_err(truncated)?;
    let mut bits = BitReader::new(Sps::bytes(sps)?);
    let read = Sps::read(&mut bits)?;
    let depth = |depth: Result<u32, BitReaderError>| {
        let depth = depth.map_err(|error| Sps::error(format!("{error:?}")))?;
        // 7.4.3.2.1: in the range of 0 to 8.
        u8::try_from(depth).ok().filter(|&depth| depth <= 8).ok_or_else(|| Sps::unsupported("bit depth", depth))
    };
    let luma = depth(bits.read_ue("bit_depth_luma_minus8"))?;
    let chroma = depth(bits.read_ue("bit_depth_chroma_minus8"))?;
    let layers = (read.sub_layers + 1) << 3 | u8::from(read.nested) << 2 | 3;
    // No smallest spatial segment, any kind of parallel decoding, no average frame rate.
    let formats = [0xf0, 0, 0xfc, 0xfc | read.chroma, 0xf8 | (luma & 7), 0xf8 | (chroma & 7), 0, 0];
    let [_, profile_tier_level @ ..] = start;
    Ok([&[1][..], &profile_tier_level, &formats, &[layers, ARRAYS]].concat())
}

fn put_array(record: &mut Vec<u8>, kind: u8, sets: &[&[u8]]) -> Result<(), Error> {
    let too_many = || unsupported("number of parameter sets", sets.len());
    record.push(0x80 | kind);
    record.extend_from_slice(&u16::try_from(sets.len()).map_err(|_| too_many())?.to_be_bytes());
    for set in sets {
        let len = u16::try_from(set.len()).map_err(|_| unsupported("length", set.len()))?;
        record.extend_from_slice(&len.to_be_bytes());
        record.extend_from_slice(set);
    }
    Ok(())
}
