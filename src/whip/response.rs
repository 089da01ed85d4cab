//! What goes back to a publisher.

use bytes::Bytes;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName,
    HeaderValue, LINK, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde_json::json;
use touchline_edge::Body;
use touchline_ingest::health::Report;
use touchline_ingest::webrtc::Answer;
use touchline_media::ChannelName;

use super::error::{Error, Refused};
use super::request::{FRAGMENT, PREFIX, Resource, SDP};
use crate::config::IceServer;

/// W3C LDP 7.1, by RFC 9725 4.2.
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
/// RFC 5789 3.1.
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
/// What a page of another origin may send.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("Authorization, Content-Type, If-Match");
/// What such a page may read.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("Accept-Patch, Accept-Post, ETag, Link, Location, Retry-After, WWW-Authenticate");
/// One day, the longest that a browser remembers a preflight.
const PREFLIGHT_SECONDS: u64 = 86_400;
/// When a publisher that was turned away for want of room, or of a decision, comes again.
const RETRY_SECONDS: u64 = 5;

/// A session is there (RFC 9725 4.2).
pub(super) fn created(channel: &ChannelName, answer: Answer, ice_servers: &[IceServer]) -> Response<Body> {
    let session = format!("{PREFIX}/{channel}/{}", answer.session);
    let mut response = of(StatusCode::CREATED, SDP, answer.sdp);
    // RFC 8631 4.4: where the state of this resource is told.
    append(&mut response, LINK, &format!("<{session}/health>; rel=\"status\""));
    for server in ice_servers {
        append(&mut response, LINK, &link(server));
    }
    append(&mut response, LOCATION, &session);
    append(&mut response, ETAG, &answer.etag);
    response
}

/// ICE begins anew (RFC 9725 4.3.3).
pub(super) fn restarted(etag: &str, fragment: String) -> Response<Body> {
    let mut response = of(StatusCode::OK, FRAGMENT, fragment);
    append(&mut response, ETAG, etag);
    response
}

/// It is done, and there is nothing to tell.
pub(super) fn nothing() -> Response<Body> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// How a feed arrives.
pub(super) fn json(report: &Report) -> Response<Body> {
    // Serialising a plain struct to memory does not fail; if it did, an empty body would still say the status.
    of(StatusCode::OK, "application/json", serde_json::to_vec(report).unwrap_or_default())
}

/// What can be asked of a resource, and by whom (RFC 9725 4.2).
pub(super) fn options(resource: &Resource) -> Response<Body> {
    let mut response = Response::default();
    let methods = HeaderValue::from_static(methods(resource));
    let headers = response.headers_mut();
    headers.insert(ALLOW, methods.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS.into());
    match resource {
        Resource::Endpoint => headers.insert(ACCEPT_POST, HeaderValue::from_static(SDP)),
        Resource::Session(_) => headers.insert(ACCEPT_PATCH, HeaderValue::from_static(FRAGMENT)),
        Resource::Health(_) => None,
    };
    response
}

/// What a resource takes.
pub(super) fn methods(resource: &Resource) -> &'static str {
    match resource {
        Resource::Endpoint => "OPTIONS, GET, HEAD, POST",
        Resource::Session(_) => "OPTIONS, GET, HEAD, PATCH, DELETE",
        Resource::Health(_) => "OPTIONS, GET, HEAD",
    }
}

/// An error in words (RFC 9457), as RFC 9725 4.1 has it.
pub(super) fn error(refused: &Refused<'_>) -> Response<Body> {
    let status = refused.error.status();
    let channel = refused.channel.map(ChannelName::as_str);
    let problem = json!({
        "status": status.as_u16(),
        "title": status.canonical_reason(),
        "detail": refused.to_string(),
        "channel": channel,
    });
    let mut response = of(status, "application/problem+json", problem.to_string());
    match (&refused.error, status) {
        (Error::Method(methods), _) => append(&mut response, ALLOW, methods),
        (Error::ContentType(SDP), _) => append(&mut response, ACCEPT_POST, SDP),
        (Error::ContentType(expected), _) => append(&mut response, ACCEPT_PATCH, expected),
        (_, StatusCode::UNAUTHORIZED) => {
            // RFC 6750 3. A channel's name needs no escaping.
            append(&mut response, WWW_AUTHENTICATE, &format!("Bearer realm=\"{}\"", channel.unwrap_or_default()));
        }
        (_, StatusCode::SERVICE_UNAVAILABLE) => append(&mut response, RETRY_AFTER, &RETRY_SECONDS.to_string()),
        _ => {}
    }
    response
}

/// What every response has: pages of any origin may read it, and no cache keeps it. HEAD gets the head alone.
pub(super) fn finish(mut response: Response<Body>, head: bool) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if head {
        *response.body_mut() = Body::default();
    }
    response
}

fn of(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A header of ASCII text without line ends, which is always valid.
fn append(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().append(name, value);
    }
}

/// RFC 9725 4.6: a STUN or TURN server as a link (RFC 8288).
fn link(server: &IceServer) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let login = server.login.as_ref().map(|(username, credential)| {
        let (username, credential) = (quoted(username), quoted(credential.reveal()));
        format!("; username=\"{username}\"; credential=\"{credential}\"; credential-type=\"password\"")
    });
    format!("<{}>; rel=\"ice-server\"{}", server.url, login.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use touchline_ingest::Secret;

    use super::*;

    #[test]
    fn ice_servers_are_links_with_the_login_in_them() {
        let server = |url: &str, login: Option<(&str, &str)>| IceServer {
            url: url.into(),
            login: login.map(|(username, credential)| (username.into(), Secret::new(credential))),
        };
        assert_eq!(link(&server("stun:stun.example.net", None)), r#"<stun:stun.example.net>; rel="ice-server""#);
        assert_eq!(
            link(&server("turn:turn.example.net?transport=udp", Some(("user", r#"a"b\c"#)))),
            r#"<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; credential="a\"b\\c"; credential-type="password""#
        );
    }
}
