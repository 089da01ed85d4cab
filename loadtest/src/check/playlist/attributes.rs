//! Attribute lists and the types of their values (RFC 8216bis 4.2).

use crate::check::seconds::Seconds;

/// The attributes of one tag, in the order in which they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes<'a> {
    list: Vec<(&'a str, &'a str)>,
    /// What is wrong with the list.
    pub(crate) faults: Vec<String>,
}

/// The types of values that this judge knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Type {
    Quoted,
    YesNo,
    Word,
    Integer,
    Decimal,
    Signed,
    Hex,
    Resolution,
}

impl<'a> Attributes<'a> {
    /// Reads the list of `tag`. Values keep their quotes.
    pub(crate) fn read(tag: &str, text: &'a str) -> Self {
        let mut attributes = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let Some((name, after)) = rest.split_once('=') else {
                attributes.faults.push(format!("{rest:?} is not NAME=VALUE"));
                break;
            };
            let end = match after.strip_prefix('"') {
                Some(quoted) => quoted.find('"').map(|at| at + 2),
                None => Some(after.find(',').unwrap_or(after.len())),
            };
            let Some((value, more)) = end.and_then(|end| after.split_at_checked(end)) else {
                attributes.faults.push(format!("the quoted string of {name} does not end"));
                break;
            };
            attributes.add(tag, name, value);
            rest = match more.strip_prefix(',') {
                Some("") => {
                    attributes.faults.push("a comma stands at the end".to_owned());
                    ""
                }
                Some(rest) => rest,
                None if more.is_empty() => "",
                None => {
                    attributes.faults.push(format!("no comma stands after the value of {name}"));
                    ""
                }
            };
        }
        attributes
    }

    fn add(&mut self, tag: &str, name: &'a str, value: &'a str) {
        let bare = name.trim();
        if bare != name || (!value.starts_with('"') && value.contains(char::is_whitespace)) {
            self.faults.push(format!("white space stands in {name}={value}"));
        }
        if bare.is_empty() || !bare.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'-')) {
            self.faults.push(format!("{bare:?} is not the name of an attribute: only A-Z, 0-9 and - may stand in one"));
        }
        if self.list.iter().any(|(known, _)| *known == bare) {
            self.faults.push(format!("{bare} stands twice"));
        }
        if let Some(kind) = kind_of(tag, bare)
            && !kind.fits(value.trim())
        {
            self.faults.push(format!("{bare}={value} should be {}", kind.describe()));
        }
        self.list.push((bare, value.trim()));
    }

    /// The value without its quotes.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        let value = self.list.iter().find(|(known, _)| *known == name)?.1;
        Some(value.trim_matches('"'))
    }

    /// Whether the attribute is YES.
    pub(crate) fn yes(&self, name: &str) -> bool {
        self.text(name) == Some("YES")
    }

    /// A decimal-integer.
    pub(crate) fn integer(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// A decimal-floating-point that is a duration.
    pub(crate) fn seconds(&self, name: &str) -> Option<Seconds> {
        Seconds::parse(self.text(name)?)
    }

    /// All names with their values as they stand, in alphabetical order.
    pub(crate) fn sorted(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> = self.list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.sort();
        all
    }
}

impl Type {
    fn fits(self, value: &str) -> bool {
        let digits =
            |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
        match self {
            Self::Quoted => value.len() >= 2 && value.starts_with('"') && value.ends_with('"'),
            Self::YesNo => matches!(value, "YES" | "NO"),
            Self::Word => !value.is_empty() && !value.contains(['"', ',']) && !value.contains(char::is_whitespace),
            Self::Integer => digits(value),
            Self::Decimal => Seconds::parse(value).is_some(),
            Self::Signed => Seconds::parse(value.strip_prefix('-').unwrap_or(value)).is_some(),
            Self::Hex => value
                .strip_prefix("0x")
                .or(value.strip_prefix("0X"))
                .is_some_and(|hex| !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit())),
            Self::Resolution => value.split_once('x').is_some_and(|(width, height)| digits(width) && digits(height)),
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Quoted => "a quoted string",
            Self::YesNo => "YES or NO, unquoted",
            Self::Word => "an unquoted word",
            Self::Integer => "an unquoted decimal integer",
            Self::Decimal => "an unquoted decimal number without exponent",
            Self::Signed => "an unquoted decimal number without exponent, which may be negative",
            Self::Hex => "a hexadecimal sequence that begins with 0x",
            Self::Resolution => "WIDTHxHEIGHT, unquoted",
        }
    }
}

/// The type that the draft gives to an attribute; `None` for attributes that it does not know.
fn kind_of(tag: &str, name: &str) -> Option<Type> {
    let kind = match (tag, name) {
        ("#EXT-X-KEY" | "#EXT-X-SESSION-KEY", "METHOD") | (_, "TYPE" | "HDCP-LEVEL" | "VIDEO-RANGE") => Type::Word,
        (
            "#EXT-X-STREAM-INF",
            "SUBTITLES" | "AUDIO" | "VIDEO" | "CODECS" | "SUPPLEMENTAL-CODECS" | "REQ-VIDEO-LAYOUT",
        )
        | (
            _,
            "URI"
            | "BYTERANGE"
            | "GROUP-ID"
            | "NAME"
            | "LANGUAGE"
            | "ASSOC-LANGUAGE"
            | "STABLE-RENDITION-ID"
            | "STABLE-VARIANT-ID"
            | "PATHWAY-ID"
            | "INSTREAM-ID"
            | "CHARACTERISTICS"
            | "CHANNELS"
            | "KEYFORMAT"
            | "KEYFORMATVERSIONS"
            | "RECENTLY-REMOVED-DATERANGES"
            | "ID"
            | "CLASS"
            | "START-DATE"
            | "END-DATE",
        ) => Type::Quoted,
        (
            _,
            "CAN-BLOCK-RELOAD"
            | "CAN-SKIP-DATERANGES"
            | "INDEPENDENT"
            | "GAP"
            | "DEFAULT"
            | "AUTOSELECT"
            | "FORCED"
            | "PRECISE"
            | "END-ON-NEXT",
        ) => Type::YesNo,
        (
            _,
            "BANDWIDTH" | "BYTERANGE-START" | "BYTERANGE-LENGTH" | "AVERAGE-BANDWIDTH" | "PROGRAM-ID" | "LAST-MSN"
            | "LAST-PART" | "SKIPPED-SEGMENTS" | "BIT-DEPTH" | "SAMPLE-RATE",
        ) => Type::Integer,
        (
            _,
            "DURATION" | "PLANNED-DURATION" | "PART-TARGET" | "PART-HOLD-BACK" | "HOLD-BACK" | "CAN-SKIP-UNTIL"
            | "FRAME-RATE" | "SCORE",
        ) => Type::Decimal,
        ("#EXT-X-START", "TIME-OFFSET") => Type::Signed,
        (_, "RESOLUTION") => Type::Resolution,
        (_, "IV") => Type::Hex,
        _ => return None,
    };
    Some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(tag: &str, text: &str) -> Vec<String> {
        Attributes::read(tag, text).faults
    }

    #[test]
    fn values_are_found_by_name() {
        let list = Attributes::read("#EXT-X-PART", r#"DURATION=0.20000,URI="a,b=c.m4s",INDEPENDENT=YES,X-OURS=1"#);
        assert_eq!(list.faults, Vec::<String>::new());
        assert_eq!((list.text("URI"), list.yes("INDEPENDENT")), (Some("a,b=c.m4s"), true));
        assert_eq!(list.seconds("DURATION"), Seconds::parse("0.2"));
    }

    #[test]
    fn each_wrong_list_is_told() {
        for (list, told) in [
            ("URI=a.m4s", "URI=a.m4s should be a quoted string"),
            (r#"INDEPENDENT="YES""#, r#"INDEPENDENT="YES" should be YES or NO, unquoted"#),
            ("DURATION=1e-05", "DURATION=1e-05 should be an unquoted decimal number without exponent"),
            ("BYTERANGE=100@0", "BYTERANGE=100@0 should be a quoted string"),
            ("DURATION=1,DURATION=1", "DURATION stands twice"),
            ("DURATION=1, GAP=YES", "white space stands in  GAP=YES"),
            ("DURATION=1,", "a comma stands at the end"),
            (r#"URI="a"#, "the quoted string of URI does not end"),
            (r#"URI="a"GAP=YES"#, "no comma stands after the value of URI"),
            ("DURATION", r#""DURATION" is not NAME=VALUE"#),
            ("duration=1", r#""duration" is not the name of an attribute: only A-Z, 0-9 and - may stand in one"#),
        ] {
            assert_eq!(faults("#EXT-X-PART", list), [told], "{list}");
        }
    }
}
