//! What a publisher asks for.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::Uri;
use hyper::body::Body;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, FORWARDED, HeaderName, IF_MATCH, ORIGIN, USER_AGENT, VIA};
use hyper::http::request::Parts;
use tokio::time::timeout;
use touchline_ingest::Secret;
use touchline_ingest::webrtc::{MAX_OFFER, SessionId};
use touchline_media::ChannelName;

use super::error::Error;

/// Below it is everything of WHIP.
pub(super) const PREFIX: &str = "/whip";
/// RFC 8866 8.1.
pub(super) const SDP: &str = "application/sdp";
/// RFC 8840 9.
pub(super) const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// How long a body may take: a few packets on the worst of lines.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest name of an encoder that is kept, in characters.
const MAX_ENCODER: usize = 128;

/// What proxies add.
const PASSED_ON: [HeaderName; 3] = [VIA, FORWARDED, HeaderName::from_static("x-forwarded-for")];

/// Why a body does not come.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// What a path stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) channel: ChannelName,
    pub(super) resource: Resource,
}

/// What there is of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    /// Where sessions are arranged.
    Endpoint,
    /// A session.
    Session(SessionId),
    /// How the feed of a session does.
    Health(SessionId),
}

impl Target {
    /// Reads a path as it was sent. Nothing is percent-decoded: no name needs escaping.
    pub(super) fn parse(path: &str) -> Result<Self, Error> {
        let mut segments = path.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('/')).unwrap_or("").split('/');
        // One more than the longest route, to see that nothing follows it.
        let route: [Option<&str>; 4] = std::array::from_fn(|_| segments.next());
        let session = |text: &str| text.parse().map_err(|_| Error::NoSuchPath);
        let (channel, resource) = match route {
            [Some(channel), None, ..] => (channel, Resource::Endpoint),
            [Some(channel), Some(id), None, _] => (channel, Resource::Session(session(id)?)),
            [Some(channel), Some(id), Some("health"), None] => (channel, Resource::Health(session(id)?)),
            _ => return Err(Error::NoSuchPath),
        };
        Ok(Self { channel: channel.parse()?, resource })
    }
}

/// The body as text, within its limits of time and length.
pub(super) async fn text<B>(body: B) -> Result<String, Error>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BodyError>,
{
    let collected = timeout(BODY_TIMEOUT, Limited::new(body, MAX_OFFER).collect()).await.map_err(|_| Error::Slow)?;
    match collected {
        Ok(body) => String::from_utf8(body.to_bytes().into()).map_err(|_| Error::NotText),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::TooLong),
        Err(_) => Err(Error::CutShort),
    }
}

/// Fails unless the body is said to be of this type, whatever its parameters.
pub(super) fn content_type(head: &Parts, expected: &'static str) -> Result<(), Error> {
    let given = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) { Ok(()) } else { Err(Error::ContentType(expected)) }
}

/// RFC 6750 2.1: the key as a bearer token.
pub(super) fn key(head: &Parts) -> Option<Secret> {
    let (scheme, token) = head.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty()).then(|| Secret::new(token))
}

pub(super) fn if_match(head: &Parts) -> Option<&str> {
    head.headers.get(IF_MATCH)?.to_str().ok()
}

/// What the encoder calls itself.
pub(super) fn encoder(head: &Parts) -> Option<String> {
    let name = head.headers.get(USER_AGENT)?.to_str().ok()?;
    Some(name.chars().take(MAX_ENCODER).collect())
}

/// Whether the request is of no page, or of a page that this machine serves.
pub(super) fn origin_is_this_machine(head: &Parts) -> bool {
    let Some(origin) = head.headers.get(ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let host = origin.as_ref().and_then(Uri::host).unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    // RFC 6761 6.3: what ends in .localhost is this machine.
    host == "localhost" || host.ends_with(".localhost") || ip.is_ok_and(|ip| ip.is_loopback())
}

/// Whether a proxy has passed the request on (RFC 9110 7.6.3, RFC 7239): who it is from, the connection does not tell then.
pub(super) fn was_passed_on(head: &Parts) -> bool {
    PASSED_ON.iter().any(|name| head.headers.contains_key(name))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::Request;
    use hyper::body::Frame;
    use tokio::time::Instant;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn with(name: &str, value: &str) -> Parts {
        Request::builder().header(name, value).body(()).unwrap().into_parts().0
    }

    #[test]
    fn paths_name_an_endpoint_a_session_or_its_health() {
        let session = ID.parse().unwrap();
        for (path, resource) in [
            ("/whip/main".to_owned(), Resource::Endpoint),
            (format!("/whip/main/{ID}"), Resource::Session(session)),
            (format!("/whip/main/{ID}/health"), Resource::Health(session)),
        ] {
            let target = Target::parse(&path).unwrap();
            assert_eq!((target.channel.as_str(), target.resource), ("main", resource), "{path}");
        }
        for path in ["/whip/main/", "/whip/main/x", "/whip/main/x/health", "/whip/main//health"] {
            assert!(matches!(Target::parse(path), Err(Error::NoSuchPath)), "{path}");
        }
        let long = format!("/whip/main/{ID}/health/");
        assert!(matches!(Target::parse(&long), Err(Error::NoSuchPath)));
        for path in ["/whip/", "/whip/a%2fb", "/whip/..", "/whip/.hidden"] {
            assert!(matches!(Target::parse(path), Err(Error::ChannelName(_))), "{path}");
        }
    }

    #[test]
    fn a_key_is_a_bearer_token() {
        assert_eq!(key(&with("authorization", "Bearer secret")), Some(Secret::new("secret")));
        assert_eq!(key(&with("authorization", "bearer  secret ")), Some(Secret::new("secret")));
        for other in ["Basic secret", "Bearer", "Bearer ", "secret"] {
            assert_eq!(key(&with("authorization", other)), None, "{other}");
        }
    }

    #[test]
    fn a_content_type_may_have_parameters() {
        for given in ["application/sdp", "Application/SDP; charset=utf-8"] {
            assert!(content_type(&with("content-type", given), SDP).is_ok(), "{given}");
        }
        for given in ["application/sdpx", "text/plain", ""] {
            assert!(content_type(&with("content-type", given), SDP).is_err(), "{given}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_not_of_this_machine() {
        assert!(origin_is_this_machine(&with("host", "127.0.0.1:8080")), "no page at all");
        for (origin, is_here) in [
            ("http://127.0.0.1:8080", true),
            ("https://localhost:8443", true),
            ("http://[::1]:8080", true),
            ("http://studio.localhost", true),
            ("https://example.org", false),
            ("http://127.0.0.1.example.org", false),
            ("http://localhost.example.org", false),
            ("http://192.0.2.1:8080", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(origin_is_this_machine(&with("origin", origin)), is_here, "{origin}");
        }
    }

    /// A body that never comes.
    struct Silent;

    impl Body for Silent {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let started = Instant::now();
        assert!(matches!(text(Silent).await, Err(Error::Slow)));
        assert_eq!(started.elapsed(), BODY_TIMEOUT);
    }

    #[tokio::test]
    async fn a_body_is_text_of_a_limited_length() {
        let full = |bytes: Vec<u8>| http_body_util::Full::new(Bytes::from(bytes));
        assert_eq!(text(full(vec![b'v'; MAX_OFFER])).await.unwrap().len(), MAX_OFFER);
        assert!(matches!(text(full(vec![b'v'; MAX_OFFER + 1])).await, Err(Error::TooLong)));
        assert!(matches!(text(full(vec![0xff])).await, Err(Error::NotText)));
    }
}
