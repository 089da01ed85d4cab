//! What players say of themselves: CTA-5004 (CMCD), versions 1 and 2.

use std::borrow::Cow;

/// The longest text that is looked at, in bytes.
const MAX_LEN: usize = 4_096;
/// The longest session id (CTA-5004: 64 characters), in bytes; a longer one is none.
const MAX_SESSION: usize = 128;
/// More pairs than this are not looked at.
const MAX_PAIRS: usize = 64;

/// What a player is doing (`sta`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is starting, playing, seeking, waiting or ahead of its time: it is there.
    Active,
    /// It stands still for want of media.
    Rebuffering,
    /// Somebody has paused it.
    Paused,
    /// It is over: ended, left, or broken.
    Gone,
}

/// Why a report was sent (`e`, version 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Something went wrong.
    Error,
    /// What a player says from time to time, when it does something else, or for any other reason.
    Other,
}

/// What one request, or one line of a report, says. Whatever cannot be read is not there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cmcd {
    /// `sid`.
    pub session: Option<String>,
    /// `e`.
    pub event: Option<Event>,
    /// `sta`.
    pub state: Option<State>,
    /// `msd`: from when it was told to play until it played, in milliseconds.
    pub startup_ms: Option<f64>,
    /// `ltc`: behind live, in milliseconds.
    pub live_latency_ms: Option<f64>,
    /// `mtp`: in kb/s.
    pub throughput_kbps: Option<f64>,
    /// `bsd`: how long it stood still for want of media, in milliseconds, all times together.
    pub starved_ms: Option<f64>,
    /// `bs`: whether it has stood still since the last report.
    pub starved: bool,
    /// `ec`: whether there was an error.
    pub error: bool,
}

impl Cmcd {
    /// What the query of a URL says, in its parameter `CMCD`; `None` if there is none.
    pub fn of_query(query: &str) -> Option<Self> {
        let value = query.split('&').find_map(|parameter| parameter.strip_prefix("CMCD="))?;
        let mut said = Self::default();
        said.read(&decoded(value.get(..MAX_LEN).unwrap_or(value)));
        Some(said)
    }

    /// What a line of a report says, or a header: `CMCD-Object`, `-Request`, `-Session` or `-Status`.
    pub fn read(&mut self, text: &str) {
        for pair in pairs(text).take(MAX_PAIRS) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.take(name.trim(), value.trim());
        }
    }

    fn take(&mut self, name: &str, value: &str) {
        match name {
            "sid" => self.session = string(value).filter(|id| (1..=MAX_SESSION).contains(&id.len())),
            "e" => self.event = Some(if value == "e" { Event::Error } else { Event::Other }),
            "sta" => self.state = state(value),
            "msd" => self.startup_ms = numbers(value).next(),
            "ltc" => self.live_latency_ms = numbers(value).next(),
            "mtp" => self.throughput_kbps = numbers(value).reduce(f64::max),
            "bsd" => self.starved_ms = numbers(value).reduce(|sum, more| sum + more),
            // A boolean is true by its presence (RFC 8941 3.2).
            "bs" => self.starved = value != "?0",
            "ec" => self.error = true,
            _ => {}
        }
    }
}

/// Splits at commas that are neither within a string nor within an inner list (RFC 8941 3.1.1, 3.2).
fn pairs(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let here = rest?;
        let (mut quoted, mut escaped, mut depth) = (false, false, 0_u32);
        let end = here.bytes().position(|byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'(' if !quoted => depth += 1,
                b')' if !quoted => depth = depth.saturating_sub(1),
                b',' => return !quoted && depth == 0,
                _ => {}
            }
            false
        });
        let (pair, after) = match end {
            Some(end) => (here.get(..end)?, here.get(end + 1..)),
            None => (here, None),
        };
        rest = after;
        Some(pair)
    })
}

/// A string, or a token for one: players disagree.
fn string(value: &str) -> Option<String> {
    match value.strip_prefix('"') {
        Some(quoted) => Some(quoted.strip_suffix('"')?.replace("\\\"", "\"").replace("\\\\", "\\")),
        None => Some(value.to_owned()),
    }
}

fn state(value: &str) -> Option<State> {
    Some(match value {
        "s" | "p" | "k" | "w" | "d" => State::Active,
        "r" => State::Rebuffering,
        "a" => State::Paused,
        "e" | "f" | "q" => State::Gone,
        _ => return None,
    })
}

/// A number, or those of an inner list, whatever else is said of each: `(1200;v 300;a)`.
fn numbers(value: &str) -> impl Iterator<Item = f64> {
    let list = value.trim_start_matches('(').trim_end_matches(')');
    let items = list.split_ascii_whitespace().map(|item| item.split(';').next().unwrap_or_default());
    items.filter_map(|item| item.parse().ok()).filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

/// Undoes percent-encoding (RFC 3986 2.1).
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let hex = |byte: Option<&u8>| {
        byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok())
    };
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        let (byte, after) = match (byte, hex(after.first()), hex(after.get(1))) {
            (b'%', Some(high), Some(low)) => (high << 4 | low, after.get(2..).unwrap_or_default()),
            _ => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Cmcd {
        let mut said = Cmcd::default();
        said.read(text);
        said
    }

    #[test]
    fn a_request_of_version_1_is_read() {
        let said = Cmcd::of_query(
            "_HLS_msn=3&CMCD=bl%3D2100%2Cbr%3D3200%2Cbs%2Cmtp%3D25400%2Csid%3D%226e2fb550-c457-11e9-bb97-0800200c9a66%22&x=y",
        );
        let expected = Cmcd {
            session: Some("6e2fb550-c457-11e9-bb97-0800200c9a66".into()),
            throughput_kbps: Some(25_400.0),
            starved: true,
            ..Cmcd::default()
        };
        assert_eq!(said, Some(expected));
        assert_eq!(Cmcd::of_query("_HLS_msn=3&XCMCD=sid"), None);
    }

    #[test]
    fn headers_add_to_each_other() {
        let mut said = Cmcd::default();
        for header in ["sid=\"a,b\\\"c\",cid=\"main\"", "mtp=(900;v 1200;a)", "bs=?0"] {
            said.read(header);
        }
        assert_eq!(
            (said.session.as_deref(), said.throughput_kbps, said.starved),
            (Some("a,b\"c"), Some(1_200.0), false)
        );
    }

    #[test]
    fn a_report_of_version_2_is_read() {
        let said = read("e=ps,sta=r,ts=1790000000000,ltc=1850,msd=640,bsd=(120 80;v),sid=\"x\",v=2");
        let expected = Cmcd {
            session: Some("x".into()),
            event: Some(Event::Other),
            state: Some(State::Rebuffering),
            startup_ms: Some(640.0),
            live_latency_ms: Some(1_850.0),
            starved_ms: Some(200.0),
            ..Cmcd::default()
        };
        assert_eq!(said, expected);
        let said = read("e=e,ec=(\"404\" \"x\"),sta=f");
        assert_eq!((said.event, said.state, said.error), (Some(Event::Error), Some(State::Gone), true));
    }

    #[test]
    fn what_cannot_be_read_is_not_there() {
        assert_eq!(read("sid=\"open,ltc=-5,msd=NaN,mtp=(),sta=z,,=,e"), Cmcd { ..read("") });
        assert_eq!(read(&format!("sid=\"{}\"", "x".repeat(MAX_SESSION + 1))).session, None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,300}") {
            let _ = read(&text);
            let _ = Cmcd::of_query(&format!("CMCD={text}"));
        }
    }
}
