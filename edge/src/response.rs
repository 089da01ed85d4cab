//! What goes out. No response carries a validator (`ETag`, `Last-Modified`): media never changes, so that nobody has to ask
//! again, and a playlist has changed whenever a player asks.

use std::sync::OnceLock;

use bytes::Bytes;
use hyper::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::body::Body;
use crate::error::Error;
use crate::range::Range;
use crate::text::Text;

/// RFC 8216bis 4: what a playlist is identified by.
pub(crate) const PLAYLIST: &str = "application/vnd.apple.mpegurl";
/// RFC 8216bis 7.2: what a Steering Manifest is identified by.
const STEERING_LIST: &str = "application/vnd.apple.steering-list";
const JSON: &str = "application/json";
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
const REPORT_METHODS: HeaderValue = HeaderValue::from_static("POST, OPTIONS");
/// Players ask for ranges, and send CTA-5004 (CMCD) as headers where they are told to.
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("Range, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status");
/// What a player in a page may read: `Age` tells it how old a cached playlist is (RFC 8216bis appendix C).
const EXPOSED: HeaderValue = HeaderValue::from_static("Age, Content-Length, Content-Range, Date");
/// One day, the longest that a browser remembers a preflight.
const PREFLIGHT_SECONDS: u64 = 86_400;
/// A day: the address of a page does not change with the programme.
const MOVED: Lifetime = Lifetime::Seconds(86_400);
/// As many headers as an answer has at most, for which memory is taken once.
const HEADERS: usize = 10;
/// How long an upgrade's pages may be late: when all join at once, one of them asks the origin.
const SHARED_SECONDS: u64 = 10;

/// How long caches may keep a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// Not at all.
    None,
    /// By a browser not without asking; by a cache that many share for [`SHARED_SECONDS`].
    Revalidated,
    /// For so many seconds.
    Seconds(u64),
    /// For ever: the URL never stands for anything else.
    Forever,
}

impl Lifetime {
    /// What is wrong for good: a second takes the load of a flood, and is no more than any target duration.
    pub(crate) const ERROR: Self = Self::Seconds(1);

    fn header(self) -> HeaderValue {
        match self {
            Self::None => HeaderValue::from_static("no-store"),
            Self::Revalidated => HeaderValue::try_from(format!("public, max-age=0, s-maxage={SHARED_SECONDS}"))
                .unwrap_or(HeaderValue::from_static("no-cache")),
            Self::Forever => HeaderValue::from_static("public, max-age=31536000, immutable"),
            Self::Seconds(seconds) => {
                let text = || format!("public, max-age={seconds}");
                match usize::try_from(seconds).ok().and_then(|seconds| WRITTEN.get(seconds)) {
                    Some(written) => HeaderValue::from_static(written.get_or_init(|| text().leak())),
                    None => HeaderValue::try_from(text()).unwrap_or(HeaderValue::from_static("no-store")),
                }
            }
        }
    }
}

/// What lifetimes of so many seconds are in words: there are few, and every playlist has one.
static WRITTEN: [OnceLock<&str>; 128] = [const { OnceLock::new() }; 128];

/// A text, compressed where `gzip` allows it and that makes it smaller.
pub(crate) fn text(text: &Text, content_type: &'static str, lifetime: Lifetime, gzip: bool) -> Response<Body> {
    let compressed = if gzip { text.gzip() } else { None };
    let encoding = compressed.is_some().then_some(HeaderValue::from_static("gzip"));
    let mut response = of(StatusCode::OK, content_type, lifetime, compressed.unwrap_or_else(|| text.plain()));
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, encoding);
    }
    response
}

/// A part, segment or init section, or the range of it that is asked for (RFC 9110 14).
pub(crate) fn media(whole: Body, content_type: &'static str, range: Option<Range>) -> Result<Response<Body>, Error> {
    let len = whole.len();
    let mut response = match range {
        None => of(StatusCode::OK, content_type, Lifetime::Forever, whole),
        Some(range) => {
            let range = range.within(len).ok_or(Error::Range { len })?;
            let content_range = format!("bytes {}-{}/{len}", range.start, range.end - 1);
            let mut response = of(StatusCode::PARTIAL_CONTENT, content_type, Lifetime::Forever, whole.slice(range));
            insert_text(&mut response, CONTENT_RANGE, content_range);
            response
        }
    };
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    Ok(response)
}

/// A still picture.
pub(crate) fn jpeg(jpeg: Bytes, lifetime: Lifetime) -> Response<Body> {
    of(StatusCode::OK, "image/jpeg", lifetime, jpeg)
}

/// A value as JSON.
pub(crate) fn json(status: StatusCode, lifetime: Lifetime, value: &impl Serialize) -> Response<Body> {
    of(status, JSON, lifetime, serialised(value))
}

/// A Steering Manifest.
pub(crate) fn steering_list(lifetime: Lifetime, value: &impl Serialize) -> Response<Body> {
    of(StatusCode::OK, STEERING_LIST, lifetime, serialised(value))
}

fn serialised(value: &impl Serialize) -> Bytes {
    // Serialising a plain struct to memory does not fail; if it did, an empty body would still say the status.
    Bytes::from(serde_json::to_vec(value).unwrap_or_default())
}

/// An error, with the words that go with it.
pub(crate) fn error(error: &Error) -> Response<Body> {
    #[derive(Serialize)]
    struct Words<'a> {
        error: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        channel: Option<&'a str>,
        hint: &'static str,
    }
    let status = error.status();
    let channel = error.channel().map(touchline_media::ChannelName::as_str);
    let mut response = json(status, error.lifetime(), &Words { error: error.to_string(), channel, hint: error.hint() });
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    match error {
        Error::Method => {
            response.headers_mut().insert(ALLOW, METHODS);
        }
        Error::ReportsOnly => {
            response.headers_mut().insert(ALLOW, REPORT_METHODS);
        }
        Error::Range { len } => insert_text(&mut response, CONTENT_RANGE, format!("bytes */{len}")),
        _ => {}
    }
    response
}

/// The page is elsewhere for good.
pub(crate) fn moved(path: String) -> Response<Body> {
    let mut response =
        of(StatusCode::PERMANENT_REDIRECT, "text/plain; charset=utf-8", MOVED, Bytes::from(format!("{path}\n")));
    insert_text(&mut response, LOCATION, path);
    response
}

/// What a browser asks before a request to another origin that is not a plain one.
pub(crate) fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ALLOW, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS.into());
    response
}

/// The same where players report.
pub(crate) fn reports_preflight() -> Response<Body> {
    let mut response = preflight();
    let headers = response.headers_mut();
    headers.insert(ALLOW, REPORT_METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, REPORT_METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    response
}

/// What was sent has been taken.
pub(crate) fn taken() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What every response has: pages of any origin may read it. HEAD gets the same head without the body.
pub(crate) fn finish(mut response: Response<Body>, head: bool) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if head {
        *response.body_mut() = Body::default();
    }
    response
}

fn of(status: StatusCode, content_type: &'static str, lifetime: Lifetime, body: impl Into<Body>) -> Response<Body> {
    let body = body.into();
    let len = body.len();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    *headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, len.into());
    headers.insert(CACHE_CONTROL, lifetime.header());
    response
}

/// A header of digits and ASCII words, which is always valid.
fn insert_text(response: &mut Response<Body>, name: hyper::header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}
