use touchline_media::{ChannelName, ChannelNameError};
use touchline_srt::Reject;

use crate::Secret;

/// What a caller wants, as its stream ID says: `publish:CHANNEL`, `publish:CHANNEL:SECRET`, or in the form of SRT's access
/// control guideline `#!::m=publish,r=CHANNEL,s=SECRET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamId {
    /// Where it wants to publish.
    pub channel: ChannelName,
    /// The secret that goes with it.
    pub key: Option<Secret>,
}

/// Why a stream ID is not taken, in words for the person at the encoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Of neither form.
    #[error("the stream ID has to be {FORMS}")]
    Form,
    /// It names no channel, or none that could be.
    #[error("the stream ID has to be {FORMS}, and {0}")]
    Channel(#[from] ChannelNameError),
    /// A key is there twice.
    #[error("the stream ID has more than one \"{0}\": it has to be {FORMS}")]
    Twice(char),
    /// It is not for publishing.
    #[error("the stream ID asks for mode {0:?}, and only \"publish\" is served here: it has to be {FORMS}")]
    Mode(String),
    /// It is not for a stream.
    #[error("the stream ID says type {0:?}, and only \"stream\" is taken: leave out \"t\"")]
    Type(String),
}

const FORMS: &str = "publish:CHANNEL or publish:CHANNEL:SECRET (or #!::m=publish,r=CHANNEL,s=SECRET)";

impl StreamId {
    /// Reads a stream ID. Values are taken as they stand, unless all of it is percent-encoded: no escaping is defined for them. A secret of the short form goes
    /// to the end, one of the long form to the next comma.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.starts_with("%23!") {
            // Some callers (ffmpeg 5.1) send on what they found in their URL, where `#` cannot stand for itself.
            return Self::parse(&decode(text).ok_or(Malformed::Form)?);
        }
        match text.strip_prefix("#!:") {
            Some(content) => Self::parse_keys(content),
            None => Self::parse_short(text),
        }
    }

    fn parse_short(text: &str) -> Result<Self, Malformed> {
        let (mode, rest) = text.split_once(':').ok_or(Malformed::Form)?;
        match mode {
            "publish" => {}
            "request" | "bidirectional" | "read" | "play" => return Err(Malformed::Mode(mode.to_owned())),
            _ => return Err(Malformed::Form),
        }
        let (channel, secret) = rest.split_once(':').unwrap_or((rest, ""));
        Self::new(channel, secret)
    }

    /// General syntax: `:` and pairs, or pairs in braces; `key=value` with commas between.
    fn parse_keys(content: &str) -> Result<Self, Malformed> {
        let in_braces = || content.strip_prefix('{')?.strip_suffix('}');
        let pairs = content.strip_prefix(':').or_else(in_braces).ok_or(Malformed::Form)?;
        let (mut mode, mut kind, mut resource, mut session) = (None, None, None, None);
        for pair in pairs.split(',') {
            let (name, value) = pair.split_once('=').ok_or(Malformed::Form)?;
            let (letter, slot) = match name {
                "m" => ('m', &mut mode),
                "t" => ('t', &mut kind),
                "r" => ('r', &mut resource),
                "s" => ('s', &mut session),
                // User and host name mean nothing here; other keys belong to other programs.
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(Malformed::Twice(letter));
            }
        }
        // Standard keys: a caller that says nothing wants to receive, and a stream.
        match (mode.unwrap_or("request"), kind.unwrap_or("stream")) {
            ("publish", "stream") => Self::new(resource.unwrap_or_default(), session.unwrap_or_default()),
            ("publish", kind) => Err(Malformed::Type(kind.to_owned())),
            (mode, _) => Err(Malformed::Mode(mode.to_owned())),
        }
    }

    fn new(channel: &str, secret: &str) -> Result<Self, Malformed> {
        let key = (!secret.is_empty()).then(|| Secret::new(secret));
        Ok(Self { channel: channel.parse()?, key })
    }
}

impl Malformed {
    /// What the caller is told.
    pub fn reject(&self) -> Reject {
        match self {
            Self::Form | Self::Channel(_) | Self::Twice(_) => Reject::BAD_REQUEST,
            Self::Mode(_) => Reject::BAD_MODE,
            Self::Type(_) => Reject::UNSUPPORTED_MEDIA,
        }
    }
}

/// Text with its percent-encoding taken off (RFC 3986 2.1).
fn decode(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut decoded = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        decoded.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reject(text: &str) -> i32 {
        StreamId::parse(text).unwrap_err().reject().code()
    }

    #[test]
    fn both_forms_name_a_channel_and_perhaps_a_secret() {
        for (text, key) in [
            ("publish:main", None),
            ("publish:main:", None),
            ("publish:main:s3cret", Some("s3cret")),
            ("publish:main:s3:cr,et=%20", Some("s3:cr,et=%20")),
            ("#!::m=publish,r=main", None),
            ("#!::r=main,m=publish,s=s3cret", Some("s3cret")),
            ("#!::u=me,h=host,t=stream,m=publish,r=main,s=a=b,studio_x=1", Some("a=b")),
            ("#!:{m=publish,r=main,s=s3cret}", Some("s3cret")),
            ("%23!::m%3Dpublish,r=main%2Cs%3Ds3cret%25", Some("s3cret%")),
        ] {
            let expected = StreamId { channel: "main".parse().unwrap(), key: key.map(Secret::new) };
            assert_eq!(StreamId::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn others_are_refused_with_a_code_and_in_words_that_hold_no_secret() {
        for text in [
            "",
            "main",
            "publish",
            "publish:",
            "publish:a/b:s3cret",
            "live/main",
            "#!",
            "#!:",
            "#!::",
            "#!:m=publish",
            "#!::m=publish",
            "#!::m=publish,r=a b,s=s3cret",
            "#!::m=publish,r=main,r=other",
            "#!:{m=publish,r=main",
            "#!::m=publish,main",
            "%23!::m=publish,r=main%",
            "%23!::m=publish,r=main%2",
            "%23!::m=publish,r=%ff",
            "%23!%é",
        ] {
            assert_eq!(reject(text), 1400, "{text}");
            assert!(!StreamId::parse(text).unwrap_err().to_string().contains("s3cret"));
        }
        for text in ["request:main", "read:main", "#!::r=main", "#!::m=request,r=main", "#!::m=bidirectional,r=main"] {
            assert_eq!(reject(text), 1405, "{text}");
        }
        assert_eq!(reject("#!::m=publish,t=file,r=main"), 1415);
        insta::assert_snapshot!(StreamId::parse("main").unwrap_err(), @"the stream ID has to be publish:CHANNEL or publish:CHANNEL:SECRET (or #!::m=publish,r=CHANNEL,s=SECRET)");
    }

    proptest! {
        #[test]
        fn what_is_written_in_either_form_is_read(channel in "[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}", secret in "[^,\0]{1,80}") {
            let expected = StreamId { channel: channel.parse().unwrap(), key: Some(Secret::new(&secret)) };
            prop_assert_eq!(StreamId::parse(&format!("publish:{channel}:{secret}")), Ok(expected.clone()));
            prop_assert_eq!(StreamId::parse(&format!("#!::m=publish,r={channel},s={secret}")), Ok(expected));
        }

        #[test]
        fn any_text_is_an_answer(text in "((#|%23)!:[:{])?\\PC{0,60}") {
            let _ = StreamId::parse(&text);
        }
    }
}
