//! Requests and heads of answers of HTTP/1.1 (RFC 9112): as much of it as a server has to speak to players.

use std::io::Write as _;
use std::mem::MaybeUninit;

use crate::watch::exchange::{Request, What};

/// The largest head that is read, in bytes.
pub(super) const MAX_HEAD: usize = 16 * 1024;
/// Header fields of an answer.
const MAX_FIELDS: usize = 64;

/// Writes a request into `out`.
pub(super) fn write(request: &Request, out: &mut Vec<u8>) {
    let separator = if request.link.path.contains('?') { '&' } else { '?' };
    let query = match request.what {
        What::Playlist(_, directives) => directives.to_string(),
        What::Ladder | What::Media => String::new(),
    };
    let (path, site) = (&request.link.path, &request.link.site);
    // Writing to memory does not fail.
    let _ = match query.as_str() {
        "" => write!(out, "GET {path} HTTP/1.1\r\n"),
        query => write!(out, "GET {path}{separator}{query} HTTP/1.1\r\n"),
    };
    let _ = write!(out, "Host: {site}\r\n{FIELDS}");
    if let Some(range) = request.range {
        let _ = write!(out, "Range: bytes={}-{}\r\n", range.start, (range.start + range.length).saturating_sub(1));
    }
    out.extend_from_slice(b"\r\n");
}

/// What viewers say of themselves, the same in every request.
const FIELDS: &str = concat!(
    "User-Agent: touchline-loadtest/",
    env!("CARGO_PKG_VERSION"),
    "\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n"
);

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) length: Length,
    pub(super) gzip: bool,
    /// The connection is of no use for another request.
    pub(super) closes: bool,
}

/// How the end of a body is told (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Bytes(u64),
    Chunked,
    /// To the end of the connection.
    Open,
}

/// What is at the beginning of `bytes`: a head and its size; `None` while there is more to come.
pub(super) fn read(bytes: &[u8]) -> Result<Option<(Head, usize)>, Malformed> {
    let mut skipped = 0;
    loop {
        let rest = bytes.get(skipped..).unwrap_or_default();
        let Some((head, size)) = read_one(rest)? else { return Ok(None) };
        skipped += size;
        // RFC 9110 15.2: answers before the answer.
        if head.status >= 200 {
            return Ok(Some((head, skipped)));
        }
    }
}

/// It is not HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

fn read_one(bytes: &[u8]) -> Result<Option<(Head, usize)>, Malformed> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut response, bytes, &mut fields)
        .map_err(|_| Malformed)?;
    let httparse::Status::Complete(size) = parsed else {
        return if bytes.len() > MAX_HEAD { Err(Malformed) } else { Ok(None) };
    };
    let status = response.code.ok_or(Malformed)?;
    let mut head = Head { status, length: Length::Open, gzip: false, closes: response.version == Some(0) };
    for field in &*response.headers {
        let has = |word: &[u8]| {
            field.value.split(|byte| *byte == b',').any(|value| value.trim_ascii().eq_ignore_ascii_case(word))
        };
        if field.name.eq_ignore_ascii_case("content-length") && head.length == Length::Open {
            let digits = std::str::from_utf8(field.value).map_err(|_| Malformed)?;
            head.length = Length::Bytes(digits.trim().parse().map_err(|_| Malformed)?);
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") && has(b"chunked") {
            head.length = Length::Chunked;
        } else if field.name.eq_ignore_ascii_case("content-encoding") {
            head.gzip = has(b"gzip");
        } else if field.name.eq_ignore_ascii_case("connection") {
            head.closes |= has(b"close");
        }
    }
    if matches!(status, 100..=199 | 204 | 304) {
        head.length = Length::Bytes(0);
    }
    head.closes |= head.length == Length::Open;
    Ok(Some((head, size)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::playlist::ByteRange;
    use crate::watch::exchange::{Directives, Ticket};
    use crate::watch::link::Sites;

    fn written(url: &str, what: What, range: Option<ByteRange>) -> String {
        let link = Sites::default().link(&url.parse().unwrap()).unwrap();
        let mut out = Vec::new();
        write(&Request { ticket: Ticket(1), what, link, range }, &mut out);
        String::from_utf8(out).unwrap().replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn directives_are_added_to_a_query_that_is_there() {
        let directives = Directives { awaited: Some((7, Some(2))), skip: None };
        insta::assert_snapshot!(
            written("http://127.0.0.1:8080/live/main/video/index.m3u8?token=1", What::Playlist(0, directives), None),
            @r"
        GET /live/main/video/index.m3u8?token=1&_HLS_msn=7&_HLS_part=2 HTTP/1.1
        Host: 127.0.0.1:8080
        User-Agent: touchline-loadtest/VERSION
        Accept: */*
        Accept-Encoding: gzip
        "
        );
        assert!(
            written("http://[::1]/a.mp4", What::Media, Some(ByteRange { start: 10, length: 5 }))
                .contains("Range: bytes=10-14\r\n")
        );
    }

    #[test]
    fn a_head_tells_how_its_body_ends() {
        for (fields, length, closes) in [
            ("Content-Length: 12\r\n", Length::Bytes(12), false),
            ("content-length: 12\r\nConnection: Close\r\n", Length::Bytes(12), true),
            ("Content-Length: 12\r\nTransfer-Encoding: chunked\r\n", Length::Chunked, false),
            ("", Length::Open, true),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{fields}Content-Encoding: gzip\r\n\r\nbody");
            let head = Head { status: 200, length, gzip: true, closes };
            assert_eq!(read(text.as_bytes()), Ok(Some((head, text.len() - 4))), "{fields}");
        }
    }

    #[test]
    fn a_head_that_is_not_all_there_is_waited_for() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(read(&text[..end]), Ok(None), "{end}");
        }
        let head = Head { status: 204, length: Length::Bytes(0), gzip: false, closes: false };
        assert_eq!(read(text), Ok(Some((head, text.len()))));
    }

    #[test]
    fn what_is_not_http_is_refused() {
        for text in ["SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/9 200\r\n\r\n"] {
            assert_eq!(read(text.as_bytes()), Err(Malformed), "{text}");
        }
        assert_eq!(read(format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(MAX_HEAD)).as_bytes()), Err(Malformed));
    }
}
