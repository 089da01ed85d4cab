//! Open bitstream units of AV1 (AV1 Bitstream & Decoding Process Specification, 5.3), one after another as in a temporal
//! unit or in `configOBUs`.

use crate::Error;

/// `obu_type` of a sequence header (AV1 6.2.2).
pub const SEQUENCE_HEADER: u8 = 1;
/// `obu_type` of a temporal delimiter.
pub const TEMPORAL_DELIMITER: u8 = 2;
/// `obu_type` of a frame header.
pub const FRAME_HEADER: u8 = 3;
/// `obu_type` of a frame: a frame header and its tiles.
pub const FRAME: u8 = 6;
/// `obu_type` of a redundant frame header.
pub const REDUNDANT_FRAME_HEADER: u8 = 7;
/// `obu_type` of a tile list.
pub const TILE_LIST: u8 = 8;
/// `obu_type` of padding.
pub const PADDING: u8 = 15;

/// One unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit<'a> {
    /// Its `obu_type`.
    pub kind: u8,
    /// All of it.
    pub bytes: &'a [u8],
    /// What follows its header and size.
    pub payload: &'a [u8],
}

impl Unit<'_> {
    /// Whether this is a frame, or the header of one, that is shown at once and that a decoder can start at.
    pub fn is_shown_key_frame(&self) -> bool {
        // AV1 5.9.2: show_existing_frame, two bits of frame_type, show_frame.
        let key = |first: &u8| first >> 4 == 0b0001;
        self.is_frame() && self.payload.first().is_some_and(key)
    }

    /// Whether a sample has it (AV1-ISOBMFF 2.4): not temporal delimiters, nor what should not be in one.
    pub fn is_in_samples(&self) -> bool {
        !matches!(self.kind, TEMPORAL_DELIMITER | REDUNDANT_FRAME_HEADER | TILE_LIST | PADDING)
    }

    /// Writes it with its size, as all but the last of a temporal unit need it.
    pub fn write(&self, to: &mut Vec<u8>) {
        match *self.bytes {
            [header, extension, ..] if header & EXTENSION != 0 => {
                write_with(&[header | HAS_SIZE, extension], self.payload, to);
            }
            [header, ..] => write(header, self.payload, to),
            [] => {}
        }
    }

    /// Whether this is a frame or the header of one.
    pub fn is_frame(&self) -> bool {
        matches!(self.kind, FRAME_HEADER | FRAME)
    }
}

/// The units in `data`. A unit that tells no size is the last.
///
/// Ends after the first error, which names the bytes that were left.
pub fn units(data: &[u8]) -> Units<'_> {
    Units { rest: data }
}

/// Iterator over units; see [`units`].
#[derive(Debug, Clone)]
pub struct Units<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Units<'a> {
    type Item = Result<Unit<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((unit, rest)) = split_unit(self.rest) else {
            let len = self.rest.len();
            self.rest = &[];
            return Some(Err(Error::Truncated { what: "AV1 OBU", len }));
        };
        self.rest = rest;
        Some(Ok(unit))
    }
}

/// Writes a unit without an extension, and its size.
pub(crate) fn write(header: u8, payload: &[u8], to: &mut Vec<u8>) {
    write_with(&[header | HAS_SIZE], payload, to);
}

fn write_with(header: &[u8], payload: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(header);
    let mut size = payload.len();
    loop {
        // AV1 4.10.5: seven bits a byte, the lowest first.
        let low = u8::try_from(size & 0x7f).unwrap_or(0);
        size >>= 7;
        if size == 0 {
            to.push(low);
            break;
        }
        to.push(low | 0x80);
    }
    to.extend_from_slice(payload);
}

/// `obu_extension_flag`
const EXTENSION: u8 = 0b100;
/// `obu_has_size_field`
const HAS_SIZE: u8 = 0b10;

/// AV1 5.3.2: forbidden bit, four bits of type, extension flag, size flag, reserved bit.
fn split_unit(data: &[u8]) -> Option<(Unit<'_>, &[u8])> {
    let (&header, mut rest) = data.split_first()?;
    let (has_extension, has_size) = (header & EXTENSION != 0, header & HAS_SIZE != 0);
    if has_extension {
        rest = rest.get(1..)?;
    }
    let size = if has_size { leb128(&mut rest)? } else { rest.len() };
    let (payload, after) = rest.split_at_checked(size)?;
    let bytes = data.get(..data.len() - after.len())?;
    Some((Unit { kind: (header >> 3) & 0xf, bytes, payload }, after))
}

/// Takes a size from the front of `data` (AV1 4.10.5, `leb128`): at most eight bytes, of which the value takes at most 32 bits.
pub fn leb128(data: &mut &[u8]) -> Option<usize> {
    let mut value = 0_u64;
    for shift in (0..56).step_by(7) {
        let (&byte, rest) = data.split_first()?;
        *data = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value).ok().and_then(|value| usize::try_from(value).ok());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_split_at_their_sizes() {
        let data = [0x12, 0, 0x36, 0x20, 0x81, 0, 0x10, 0x30, 0x00];
        let units: Vec<Unit<'_>> = units(&data).map(Result::unwrap).collect();
        let expected = [
            Unit { kind: TEMPORAL_DELIMITER, bytes: &[0x12, 0], payload: &[] },
            Unit { kind: FRAME, bytes: &[0x36, 0x20, 0x81, 0, 0x10], payload: &[0x10] },
            Unit { kind: FRAME, bytes: &[0x30, 0x00], payload: &[0x00] },
        ];
        assert_eq!(units, expected);
        assert_eq!(expected.map(|unit| unit.is_shown_key_frame()), [false, true, false]);
    }

    #[test]
    fn a_size_past_the_end_is_one_error_and_then_the_end() {
        for damaged in [&[0x12][..], &[0x32, 2, 0], &[0x34], &[0x32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
            let error = Error::Truncated { what: "AV1 OBU", len: damaged.len() };
            assert_eq!(units(damaged).collect::<Vec<_>>(), [Err(error)]);
        }
    }

    #[test]
    fn what_is_written_is_read_back_with_its_size() {
        for (unit, len) in
            [(vec![0x30], 0), (vec![0x34, 0x28], 5), (vec![0x32, 0], 0), (vec![0x30], 127), (vec![0x30], 128)]
        {
            let (header, mut data) = (unit.clone(), unit);
            data.extend(vec![7; len]);
            let mut written = Vec::new();
            units(&data).next().unwrap().unwrap().write(&mut written);
            written.push(0xff);
            let read = units(&written).next().unwrap().unwrap();
            assert_eq!(
                (read.kind, read.payload.len(), read.bytes.len()),
                (FRAME, len, written.len() - 1),
                "{header:x?}"
            );
            assert_eq!(read.bytes[0], header[0] | 2);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_units_or_an_error_and_none_is_lost(data in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut seen = Vec::new();
            for unit in units(&data) {
                match unit {
                    Ok(unit) => seen.extend_from_slice(unit.bytes),
                    Err(Error::Truncated { len, .. }) => seen.extend_from_slice(&data[data.len() - len..]),
                    Err(other) => panic!("{other}"),
                }
            }
            prop_assert_eq!(seen, data);
        }
    }
}
