//! H.264 in access units as files have it: a length in front of each NAL unit (ISO/IEC 14496-15 5.3.3).

use bytes::{Bytes, BytesMut};

use super::{Avc, Unit};

/// H.264 table 7-1: an access unit delimiter, which only byte streams need.
const DELIMITER: u8 = 9;

impl Avc {
    /// Reads an `AVCDecoderConfigurationRecord`; and how many bytes the lengths of NAL units have.
    pub(super) fn read(record: &Bytes) -> Result<(Self, usize), String> {
        let cut_short = || "its H.264 configuration is cut short".to_owned();
        let length = usize::from(record.get(4).ok_or_else(cut_short)? & 3) + 1;
        let mut parameter_sets = Vec::new();
        let mut at = 5;
        // The count of sequence parameter sets shares its byte with reserved bits.
        for mask in [0x1f, 0xff] {
            let count = record.get(at).ok_or_else(cut_short)? & mask;
            at += 1;
            for _ in 0..count {
                let set = unit_at(record, at, 2).ok_or_else(cut_short)?;
                at += 2 + set.len();
                parameter_sets.push(set);
            }
        }
        Ok((Self { record: record.slice(..), parameter_sets }, length))
    }

    /// A unit as a byte stream (H.264 annex B): a delimiter, in front of a keyframe the parameter sets, and the unit.
    pub(in super::super) fn byte_stream(&self, unit: &Unit) -> Bytes {
        let delimiter = Bytes::from_static(&[DELIMITER, 0xf0]);
        let sets = self.parameter_sets.iter().filter(|_| unit.sync).cloned();
        let mut stream = BytesMut::with_capacity(unit.data.len() + 256);
        for nal in [delimiter].into_iter().chain(sets).chain(split(&unit.data, 4).unwrap_or_default()) {
            stream.extend_from_slice(&[0, 0, 0, 1]);
            stream.extend_from_slice(&nal);
        }
        stream.freeze()
    }

    /// The same units with lengths of four bytes and without delimiters.
    pub(super) fn normalised(data: &Bytes, length: usize) -> Result<Bytes, String> {
        let units: Vec<Bytes> = split(data, length)?;
        if length == 4 && !units.iter().any(is_delimiter) {
            return Ok(data.clone());
        }
        let mut whole = BytesMut::with_capacity(data.len() + units.len() * 4);
        for unit in units.iter().filter(|unit| !is_delimiter(unit)) {
            let length = u32::try_from(unit.len()).map_err(|_| "it has a NAL unit of more than 4 GB".to_owned())?;
            whole.extend_from_slice(&length.to_be_bytes());
            whole.extend_from_slice(unit);
        }
        Ok(whole.freeze())
    }
}

fn split(data: &Bytes, length: usize) -> Result<Vec<Bytes>, String> {
    let mut units = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let unit = unit_at(data, at, length).ok_or("a NAL unit says that it is longer than its access unit")?;
        at += length + unit.len();
        units.push(unit);
    }
    Ok(units)
}

/// The unit whose length stands at `at` in so many bytes.
fn unit_at(data: &Bytes, at: usize, length: usize) -> Option<Bytes> {
    let begins = at.checked_add(length)?;
    let size = data.get(at..begins)?.iter().fold(0, |size, byte| size << 8 | usize::from(*byte));
    let ends = begins.checked_add(size).filter(|ends| *ends <= data.len())?;
    Some(data.slice(begins..ends))
}

fn is_delimiter(unit: &Bytes) -> bool {
    unit.first().is_some_and(|header| header & 0x1f == DELIMITER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_become_four_bytes_and_delimiters_go() {
        let data = Bytes::from_static(b"\0\x02\x09\xf0\0\x03\x65ab");
        assert_eq!(Avc::normalised(&data, 2).unwrap(), &b"\0\0\0\x03\x65ab"[..]);
        let error = Avc::normalised(&Bytes::from_static(b"\0\0\0\x09\x65"), 4).unwrap_err();
        assert_eq!(error, "a NAL unit says that it is longer than its access unit");
    }

    #[test]
    fn a_byte_stream_has_parameter_sets_in_front_of_keyframes() {
        let avc = Avc { parameter_sets: vec![Bytes::from_static(b"\x67abc")], ..Avc::default() };
        let unit = |sync| Unit { dts: 0, offset: 0, sync, data: Bytes::from_static(b"\0\0\0\x02\x65d") };
        assert_eq!(avc.byte_stream(&unit(true)), &b"\0\0\0\x01\x09\xf0\0\0\0\x01\x67abc\0\0\0\x01\x65d"[..]);
        assert_eq!(avc.byte_stream(&unit(false)), &b"\0\0\0\x01\x09\xf0\0\0\0\x01\x65d"[..]);
    }

    #[test]
    fn parameter_sets_are_read_from_a_record() {
        let record = Bytes::from_static(b"\x01\x64\0\x1f\xff\xe1\0\x04\x67abc\x01\0\x02\x68d");
        let (avc, length) = Avc::read(&record).unwrap();
        assert_eq!(
            (avc.parameter_sets, length),
            (vec![Bytes::from_static(b"\x67abc"), Bytes::from_static(b"\x68d")], 4)
        );
        Avc::read(&record.slice(..record.len() - 1)).unwrap_err();
    }
}
