//! Replies and their headers: RFC 8216bis Appendix B.1.

use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Frame, SizeHint};
use hyper::http::response::Builder;
use hyper::{HeaderMap, Response, header};
use tokio::sync::mpsc;

use super::{Fault, Origin, TARGET};

/// What a cache may do with a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// A playlist as it is: half a target duration.
    Playlist,
    /// A playlist asked for with directives, the same for all who ask: six target durations.
    BlockingPlaylist,
    /// A request with directives that failed: four target durations.
    BlockingError,
    /// Another failure: one target duration.
    Error,
    /// What never changes: an hour.
    Media,
}

/// A reply before its headers.
pub(super) struct Reply {
    status: u16,
    content_type: &'static str,
    lifetime: Lifetime,
    content_range: Option<String>,
    body: Content,
}

impl Reply {
    /// A playlist, 200.
    pub(super) fn playlist(text: String, lifetime: Lifetime) -> Self {
        Self::new(200, "application/vnd.apple.mpegurl", lifetime, Content::Whole(text.into()))
    }

    /// Media, 200.
    pub(super) fn media(content_type: &'static str, data: impl Into<Bytes>) -> Self {
        Self::new(200, content_type, Lifetime::Media, Content::Whole(data.into()))
    }

    /// Media that is sent piece by piece, 200.
    pub(super) fn pieces(content_type: &'static str, pieces: mpsc::Receiver<Bytes>) -> Self {
        Self::new(200, content_type, Lifetime::Media, Content::Pieces(pieces))
    }

    /// A failure.
    pub(super) fn error(status: u16, lifetime: Lifetime) -> Self {
        Self::new(status, "text/plain", lifetime, Content::Whole(Bytes::from_static(b"no\n")))
    }

    fn new(status: u16, content_type: &'static str, lifetime: Lifetime, body: Content) -> Self {
        Self { status, content_type, lifetime, content_range: None, body }
    }

    /// The same as a part of the whole, 206.
    pub(super) fn partial(self, content_range: String) -> Self {
        Self { status: 206, content_range: Some(content_range), ..self }
    }
}

impl Origin {
    /// Puts headers on a reply.
    pub(super) fn dress(&self, request: &HeaderMap, mut reply: Reply) -> Response<Content> {
        let mut head = Response::builder();
        if matches!(reply.lifetime, Lifetime::Playlist | Lifetime::BlockingPlaylist) {
            head = self.compress(head, request, &mut reply);
        }
        if reply.lifetime == Lifetime::Media && reply.status == 200 {
            head = head.header(header::ACCEPT_RANGES, "bytes");
            reply = self.cut(request, reply);
        }
        if let Some(range) = &reply.content_range {
            head = head.header(header::CONTENT_RANGE, range);
        }
        if reply.status < 400 || !self.wrong(Fault::CorsOnSuccess) {
            head = self.cors(head);
        }
        if self.wrong(Fault::ConnectionCloses) {
            head = head.header(header::CONNECTION, "close");
        }
        head.status(reply.status)
            .header(header::CONTENT_TYPE, self.content_type(&reply))
            .header(header::CACHE_CONTROL, self.cache_control(reply.lifetime))
            .body(reply.body)
            .unwrap()
    }

    /// The reply to OPTIONS: a page of another origin may send Range.
    pub(super) fn preflight(&self) -> Response<Content> {
        let head = self.cors(Response::builder().status(204));
        head.header(header::ACCESS_CONTROL_MAX_AGE, "86400").body(Content::Whole(Bytes::new())).unwrap()
    }

    fn content_type(&self, reply: &Reply) -> &'static str {
        match reply.lifetime {
            Lifetime::Media if self.wrong(Fault::MediaAsBytes) => "application/octet-stream",
            Lifetime::Playlist | Lifetime::BlockingPlaylist if self.wrong(Fault::PlaylistAsText) => "text/plain",
            _ => reply.content_type,
        }
    }

    fn cors(&self, head: Builder) -> Builder {
        if self.wrong(Fault::NoCors) {
            return head;
        }
        head.header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
            .header(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS")
            .header(header::ACCESS_CONTROL_ALLOW_HEADERS, "Range, Content-Type")
            .header(header::ACCESS_CONTROL_EXPOSE_HEADERS, "Age, Content-Length, Content-Range, Date")
    }

    fn cache_control(&self, lifetime: Lifetime) -> String {
        let target = TARGET / 1_000;
        let seconds = match lifetime {
            _ if self.wrong(Fault::NoStore) => return "no-store".to_owned(),
            Lifetime::BlockingError | Lifetime::Error if self.wrong(Fault::ErrorsLiveLong) => 86_400,
            Lifetime::Playlist if self.wrong(Fault::PlaylistLivesLong) => 3_600,
            Lifetime::BlockingPlaylist if self.wrong(Fault::BlockingPlaylistShort) => target / 2,
            Lifetime::Playlist => target / 2,
            Lifetime::BlockingPlaylist => 6 * target,
            Lifetime::BlockingError => 4 * target,
            Lifetime::Error => target,
            Lifetime::Media => 3_600,
        };
        format!("public, max-age={seconds}")
    }

    fn compress(&self, mut head: Builder, request: &HeaderMap, reply: &mut Reply) -> Builder {
        if !self.wrong(Fault::NoVary) {
            head = head.header(header::VARY, "Accept-Encoding");
        }
        let accepted =
            request.get(header::ACCEPT_ENCODING).is_some_and(|value| accepts_gzip(value.to_str().unwrap_or("")));
        let Content::Whole(text) = &reply.body else { return head };
        if self.wrong(Fault::NoGzip) || !(accepted || self.wrong(Fault::GzipForAll)) {
            return head;
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text).unwrap();
        reply.body = Content::Whole(gzip.finish().unwrap().into());
        head.header(header::CONTENT_ENCODING, "gzip")
    }

    /// RFC 9110 14: one range of bytes.
    fn cut(&self, request: &HeaderMap, reply: Reply) -> Reply {
        let Content::Whole(data) = &reply.body else { return reply };
        let asked = request.get(header::RANGE).and_then(|value| value.to_str().ok()?.strip_prefix("bytes="));
        let Some((from, to)) = asked.and_then(|range| range.split_once('-')) else { return reply };
        let len = data.len();
        let range = match (from.parse::<usize>(), to.parse::<usize>()) {
            _ if self.wrong(Fault::RangeIgnored) => return reply,
            (Ok(from), Ok(to)) if from <= to => from..to.saturating_add(1).min(len),
            (Ok(from), Err(_)) if to.is_empty() => from..len,
            (Err(_), Ok(suffix)) if from.is_empty() => len.saturating_sub(suffix)..len,
            _ => return reply,
        };
        if range.start >= len {
            if self.wrong(Fault::RangePastEndServed) {
                return reply;
            }
            return Reply { content_range: Some(format!("bytes */{len}")), ..Reply::error(416, Lifetime::Error) };
        }
        let last = range.end - usize::from(!self.wrong(Fault::RangeOffByOne));
        let content_range = format!("bytes {}-{last}/{len}", range.start);
        let data = data.slice(range);
        Reply { body: Content::Whole(data), ..reply }.partial(content_range)
    }
}

/// RFC 9110 12.5.3: named, and not with a weight of nought.
fn accepts_gzip(value: &str) -> bool {
    value.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0);
        (name.trim() == "gzip" || name.trim() == "*") && !refused
    })
}

/// The body of a reply.
pub(super) enum Content {
    /// All of it is there.
    Whole(Bytes),
    /// It comes piece by piece.
    Pieces(mpsc::Receiver<Bytes>),
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(data) if data.is_empty() => Poll::Ready(None),
            Self::Whole(data) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(data))))),
            Self::Pieces(pieces) => pieces.poll_recv(context).map(|piece| piece.map(|data| Ok(Frame::data(data)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(data) if data.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(data) => SizeHint::with_exact(u64::try_from(data.len()).unwrap()),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}
