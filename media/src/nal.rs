//! NAL units of H.264 and HEVC, in the length-prefixed form of ISO/IEC 14496-15 5.3 and 8.3. The types are those of H.264;
//! those of HEVC are in [`crate::hevc`].

use crate::Error;

/// `nal_unit_type` of an IDR slice (ISO/IEC 14496-10 table 7-1).
pub const IDR_SLICE: u8 = 5;
/// `nal_unit_type` of supplemental enhancement information.
pub const SEI: u8 = 6;
/// `nal_unit_type` of a sequence parameter set.
pub const SPS: u8 = 7;
/// `nal_unit_type` of a picture parameter set.
pub const PPS: u8 = 8;
/// `nal_unit_type` of an access unit delimiter.
pub const AUD: u8 = 9;

/// The `nal_unit_type` of a NAL unit of H.264; `None` for an empty one.
pub fn unit_type(nal: &[u8]) -> Option<u8> {
    nal.first().map(|header| header & 0x1f)
}

/// The NAL units of a length-prefixed access unit.
///
/// Ends after the first error, which names the bytes that were left.
pub fn units(data: &[u8], length_size: usize) -> Units<'_> {
    Units { rest: data, length_size }
}

/// Iterator over the NAL units of an access unit; see [`units`].
#[derive(Debug, Clone)]
pub struct Units<'a> {
    rest: &'a [u8],
    length_size: usize,
}

impl<'a> Iterator for Units<'a> {
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((nal, rest)) = split_unit(self.rest, self.length_size) else {
            let len = self.rest.len();
            self.rest = &[];
            return Some(Err(Error::Truncated { what: "access unit", len }));
        };
        self.rest = rest;
        Some(Ok(nal))
    }
}

/// A parameter set without the zeros that some encoders leave behind its trailing bits (ISO/IEC 14496-10 7.4.1, H.265
/// 7.4.2.1: `cabac_zero_words` belong to slices only).
pub(crate) fn without_trailing_zeros(nal: &[u8]) -> &[u8] {
    let end = nal.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    nal.get(..end).unwrap_or_default()
}

fn split_unit(data: &[u8], length_size: usize) -> Option<(&[u8], &[u8])> {
    let (prefix, rest) = data.split_at_checked(length_size)?;
    let len = prefix.iter().fold(0_usize, |len, &byte| (len << 8) | usize::from(byte));
    rest.split_at_checked(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_split_at_their_lengths() {
        let data = [0, 0, 0, 2, 0x65, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x09];
        let units: Vec<&[u8]> = units(&data, 4).map(Result::unwrap).collect();
        assert_eq!(units, [&[0x65, 1][..], &[], &[0x09]]);
    }

    #[test]
    fn a_length_past_the_end_is_one_error_and_then_the_end() {
        let data = [0, 1, 0x65, 0xff, 0xff, 0x65];
        let units: Vec<_> = units(&data, 2).collect();
        assert_eq!(units, [Ok(&[0x65][..]), Err(Error::Truncated { what: "access unit", len: 3 })]);
    }
}
