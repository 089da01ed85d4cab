//! The byte stream format (ISO/IEC 14496-10 and H.265, annex B).

/// The NAL units of a byte stream, without the zeros between them. What stands before the first start code is left out.
pub(super) fn units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = start_code(data).and_then(|at| data.get(at + START_CODE_LEN..));
    std::iter::from_fn(move || {
        let unit = rest?;
        let end = start_code(unit);
        rest = end.and_then(|end| unit.get(end + START_CODE_LEN..));
        // B.2: a NAL unit does not end with zeros.
        let unit = unit.get(..end.unwrap_or(unit.len())).unwrap_or_default();
        let len = unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        unit.get(..len)
    })
    .filter(|unit| !unit.is_empty())
}

/// Bytes of 00 00 01; a zero before it belongs to what is before.
const START_CODE_LEN: usize = 3;

/// Where the first start code is. Looks at a third of the bytes where none is near.
fn start_code(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match data.get(at..)?.first_chunk::<START_CODE_LEN>()? {
            [0, 0, 1] => return Some(at),
            [_, _, last] if *last > 1 => at += 3,
            [_, middle, _] if *middle > 0 => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(data: &[u8]) -> Vec<&[u8]> {
        units(data).collect()
    }

    #[test]
    fn units_are_split_at_start_codes_of_any_length() {
        assert_eq!(
            split(b"\0\0\0\x01\x09\x10\0\0\x01\x67\x64\0\0\0\0\x01\x65\x88\x80"),
            [&b"\x09\x10"[..], b"\x67\x64", b"\x65\x88\x80"]
        );
        assert_eq!(split(b"junk\0\0\x01\x65\0\0\x03\0\0"), [b"\x65\0\0\x03"]);
        for nothing in [&b""[..], b"\0\0", b"\0\0\x01", b"\0\0\x01\0\0\0\x01", b"no start code"] {
            assert!(split(nothing).is_empty(), "{nothing:?}");
        }
    }

    proptest! {
        #[test]
        fn start_codes_are_found_wherever_they_are(data in prop::collection::vec(0..4_u8, 0..60)) {
            let naive = data.windows(3).position(|window| window == [0, 0, 1]);
            prop_assert_eq!(start_code(&data), naive);
        }
    }
}
