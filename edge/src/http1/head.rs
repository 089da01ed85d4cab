//! The heads of requests and answers (RFC 9112 2.1).

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use hyper::Method;
use hyper::http::response::Parts;
use touchline_audience::Protocol;

use crate::annex::Site;
use crate::audience::{CMCD, Signs};
use crate::service::Wishes;

/// As many header fields as browsers and the caches before us send, three times over. What has more is left to hyper.
const FIELDS: usize = 64;
/// Room for the head of an answer, in bytes.
const LENGTH: usize = 512;

/// The head of a request without a body, as far as it matters here.
pub(crate) struct Head {
    pub(crate) method: Method,
    /// In origin-form (RFC 9112 3.2.1): path and query.
    pub(crate) target: String,
    pub(crate) wishes: Wishes,
    pub(crate) signs: Signs,
    /// Whether the peer wants no more than this.
    pub(crate) last: bool,
}

/// What bytes are the beginning of.
pub(super) enum Parsed {
    /// A head of so many bytes.
    Head(Head, usize),
    /// A head that is not complete, as it seems.
    Partial,
    /// Something that is left to hyper.
    Other,
}

impl Head {
    /// The path, and the query if there is one.
    pub(crate) fn path_and_query(&self) -> (&str, Option<&str>) {
        split(&self.target)
    }
}

fn split(target: &str) -> (&str, Option<&str>) {
    target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)))
}

/// Reads the head that `bytes` begin with.
pub(super) fn parse(bytes: &[u8], site: &Site, peer: IpAddr) -> Parsed {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let len = match request.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete(len)) => len,
        // HTTP/2 begins with what looks like the beginning of one (RFC 9113 3.4).
        Ok(httparse::Status::Partial) if !bytes.starts_with(b"PRI ") => return Parsed::Partial,
        Ok(httparse::Status::Partial) | Err(_) => return Parsed::Other,
    };
    match head(&request, site, peer) {
        Some(head) => Parsed::Head(head, len),
        None => Parsed::Other,
    }
}

/// The head of a plain request for what the hub of `site` serves.
fn head(request: &httparse::Request<'_, '_>, site: &Site, peer: IpAddr) -> Option<Head> {
    let method = match request.method? {
        "GET" => Method::GET,
        "HEAD" => Method::HEAD,
        "OPTIONS" => Method::OPTIONS,
        _ => return None,
    };
    let target = request.path?;
    let plain = request.version? == 1 && target.starts_with('/') && !target.contains('#');
    if !plain || site.annex(split(target).0).is_some() {
        return None;
    }
    let (mut range, mut conditional, mut last, mut agent) = (None, false, false, Default::default());
    for field in request.headers.iter() {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        match field.name.len() {
            5 if is("range") => range = range.or(Some(field.value)),
            6 if is("expect") => return None,
            8 if is("if-range") => conditional = true,
            10 if is("connection") => last |= closes(field.value),
            10 if is("user-agent") => agent = field.value,
            14 if is("content-length") => return None,
            17 if is("transfer-encoding") => return None,
            _ => {}
        }
    }
    let accept_encoding = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("accept-encoding"));
    let wishes = Wishes::new(
        accept_encoding.filter_map(|field| str::from_utf8(field.value).ok()),
        range.and_then(|value| str::from_utf8(value).ok()),
        conditional,
    );
    let said = request.headers.iter().filter(|field| CMCD.iter().any(|name| field.name.eq_ignore_ascii_case(name)));
    let said = said.filter_map(|field| str::from_utf8(field.value).ok());
    let signs = Signs::new(site.hub().audience(), peer, Protocol::Http1, agent, split(target).1, said);
    Some(Head { method, target: target.to_owned(), wishes, signs, last })
}

/// Whether a value of `Connection` has the option that ends it (RFC 9112 9.6).
fn closes(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// The head of an answer whose body has the length that its fields tell, or none. `last`: no other will follow it.
pub(super) fn written(parts: &Parts, last: bool) -> Vec<u8> {
    let mut head = Vec::with_capacity(LENGTH);
    head.extend_from_slice(b"HTTP/1.1 ");
    head.extend_from_slice(parts.status.as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(parts.status.canonical_reason().unwrap_or_default().as_bytes());
    for (name, value) in &parts.headers {
        field(&mut head, name.as_str(), value.as_bytes());
    }
    if last {
        field(&mut head, "connection", b"close");
    }
    DATE.with_borrow_mut(|date| field(&mut head, "date", date.now().as_bytes()));
    head.extend_from_slice(b"\r\n\r\n");
    head
}

fn field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(b"\r\n");
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
}

thread_local! {
    static DATE: RefCell<Date> = RefCell::default();
}

/// An IMF-fixdate (RFC 9110 5.6.7), written anew when the second changes.
#[derive(Debug, Default)]
struct Date {
    /// Since 1970.
    seconds: u64,
    text: String,
}

impl Date {
    fn now(&mut self) -> &str {
        self.at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn at(&mut self, since_1970: Duration) -> &str {
        let seconds = since_1970.as_secs();
        if seconds != self.seconds || self.text.is_empty() {
            self.seconds = seconds;
            let date = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
            self.text = date.unwrap_or_default().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::annex::Annex;
    use crate::hub::Hub;
    use crate::metrics::Metrics;
    use crate::settings::Settings;

    fn parsed(bytes: &str) -> Parsed {
        let hub = Hub::new(Settings::default(), Metrics::default());
        let site = Site::new(hub, Some(Annex::new("/annex", async |_, _| hyper::Response::default())));
        parse(bytes.as_bytes(), &site, IpAddr::from([127, 0, 0, 1]))
    }

    #[test]
    fn a_plain_request_is_ours() {
        const HEAD: &str =
            "GET /live/main/index.m3u8?a=b?c HTTP/1.1\r\nHost: edge.test\r\nConnection: x, CLOSE\r\n\r\n";
        let Parsed::Head(head, len) = parsed(&format!("{HEAD}GET / HTTP/1.1\r\n")) else { panic!("no head") };
        assert_eq!((head.method.as_str(), len, head.last), ("GET", HEAD.len(), true));
        assert_eq!(head.path_and_query(), ("/live/main/index.m3u8", Some("a=b?c")));
        for len in 0..HEAD.len() {
            assert!(matches!(parsed(&HEAD[..len]), Parsed::Partial), "{len}");
        }
    }

    #[test]
    fn whatever_else_is_left_to_hyper() {
        for head in [
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "PRI * HT",
            "POST / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET http://edge.test/ HTTP/1.1\r\n\r\n",
            "GET /#top HTTP/1.1\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\n\r\n",
            "GET /annex/a HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n",
            "GET / HTTP/1.1\r\nno field\r\n\r\n",
            "\x16\x03\x01\x02",
        ] {
            assert!(matches!(parsed(head), Parsed::Other), "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), ours in any::<bool>()) {
            let mut head = if ours { b"GET /live/main/index.m3u8?".to_vec() } else { Vec::new() };
            head.extend(bytes);
            if let Parsed::Head(_, len) = parsed(&String::from_utf8_lossy(&head)) {
                prop_assert!(len <= String::from_utf8_lossy(&head).len());
            }
            let hub = Hub::new(Settings::default(), Metrics::default());
            drop(parse(&head, &Site::from(hub), IpAddr::from([127, 0, 0, 1])));
        }
    }

    #[test]
    fn a_date_is_written_once_a_second() {
        let mut date = Date::default();
        // RFC 9110 5.6.7.
        assert_eq!(date.at(Duration::from_secs(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
        let written = date.text.as_ptr();
        assert_eq!(date.at(Duration::from_millis(784_111_777_999)).as_ptr(), written);
        assert_eq!(date.at(Duration::from_secs(784_111_778)), "Sun, 06 Nov 1994 08:49:38 GMT");
    }
}
