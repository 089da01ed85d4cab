//! Byte ranges: RFC 9110 14.

/// A single range of a `Range` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// `bytes=FIRST-` and `bytes=FIRST-LAST`; both ends are included.
    Between(u64, u64),
    /// `bytes=-N`: the last N bytes.
    Last(u64),
}

impl Range {
    /// `None` for several ranges, another unit, or what does not parse: RFC 9110 14.2 has them ignored, so that the whole
    /// representation is the answer.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (unit, range) = value.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        match (first, last) {
            ("", last) => Some(Self::Last(decimal(last)?)),
            (first, "") => Some(Self::Between(decimal(first)?, u64::MAX)),
            (first, last) => {
                let (first, last) = (decimal(first)?, decimal(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// The bytes of a representation of `len` bytes, or `None` where it has none of them: 416.
    pub(crate) fn within(self, len: u64) -> Option<std::ops::Range<u64>> {
        let range = match self {
            Self::Between(first, last) => first..len.min(last.saturating_add(1)),
            Self::Last(n) => len.saturating_sub(n)..len,
        };
        (!range.is_empty()).then_some(range)
    }
}

/// Digits alone: `u64::from_str` takes a sign as well.
fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_range_is_cut_to_the_representation() {
        let cases = [
            ("bytes=0-0", Some(0..1)),
            ("bytes=2-5", Some(2..6)),
            ("Bytes=2-", Some(2..10)),
            ("bytes=2-9007199254740991", Some(2..10)),
            ("bytes=0-18446744073709551615", Some(0..10)),
            ("bytes=-3", Some(7..10)),
            ("bytes=-30", Some(0..10)),
            ("bytes=10-", None),
            ("bytes=-0", None),
        ];
        for (value, expected) in cases {
            assert_eq!(Range::parse(value).expect(value).within(10), expected, "{value}");
        }
    }

    #[test]
    fn what_is_no_single_range_is_ignored() {
        for value in
            ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,4-5", "bytes=+1-2", "bytes=a-b", "lines=1-2"]
        {
            assert_eq!(Range::parse(value), None, "{value:?}");
        }
        assert_eq!(Range::parse("bytes=0-99999999999999999999999999"), None);
    }
}
