//! Lines: the outermost shape of a playlist (RFC 8216bis 4.1).

use super::{Fault, FaultKind};

/// A line that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// `#EXT...`, split at its first colon.
    Tag(&'a str, Option<&'a str>),
    /// Neither a tag nor a comment.
    Uri(&'a str),
}

/// The lines of a playlist with their numbers, and what is wrong with them as text. Comments and blank lines are left out.
pub(crate) fn read(text: &str) -> (Vec<(usize, Line<'_>)>, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut fault = |line, what: &str| faults.push(Fault { kind: FaultKind::Text, line, what: what.to_owned() });
    if text.starts_with('\u{feff}') {
        fault(1, "the playlist begins with a byte order mark");
    }
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    if body.lines().next() != Some("#EXTM3U") {
        fault(1, "the first line is not #EXTM3U");
    }
    let mut lines = Vec::new();
    for (number, line) in body.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).enumerate() {
        let number = number + 1;
        if line.chars().any(char::is_control) {
            fault(number, "the line has a control character");
        }
        if line.trim() != line {
            fault(number, "the line begins or ends with white space");
        }
        let line = line.trim();
        if line.starts_with("#EXT") {
            let (name, value) = line.split_once(':').map_or((line, None), |(name, value)| (name, Some(value)));
            lines.push((number, Line::Tag(name, value)));
        } else if !line.is_empty() && !line.starts_with('#') {
            lines.push((number, Line::Uri(line)));
        }
    }
    (lines, faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_uris_come_with_their_line_numbers() {
        let (lines, faults) = read("#EXTM3U\r\n# comment\r\n\r\n#EXTINF:2.0,a:b\r\nsegment.m4s\r\n");
        let expected = [
            (1, Line::Tag("#EXTM3U", None)),
            (4, Line::Tag("#EXTINF", Some("2.0,a:b"))),
            (5, Line::Uri("segment.m4s")),
        ];
        assert_eq!((lines.as_slice(), faults.len()), (expected.as_slice(), 0));
    }

    #[test]
    fn unclean_text_is_a_fault_of_its_line() {
        for (text, line) in [
            ("\u{feff}#EXTM3U\n", 1),
            ("\n#EXTM3U\n", 1),
            ("#EXTM3U \n", 1),
            ("#EXTM3U\n segment\n", 2),
            ("#EXTM3U\nseg\u{7}\n", 2),
            ("", 1),
        ] {
            assert_eq!(read(text).1.first().map(|fault| fault.line), Some(line), "{text:?}");
        }
    }
}
