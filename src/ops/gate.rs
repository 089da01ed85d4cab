//! Who may ask: whoever reaches a loopback listener, and elsewhere who knows the token.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ring::hmac;
use serde::{Deserialize, Serialize};
use touchline_media::Secret;
use tracing::field::Empty;
use tracing::{Instrument as _, info_span};
use utoipa::ToSchema;

use super::Ops;
use super::body::Asked;
use super::refusal::{Refusal, Why};
use crate::desk;
use crate::telemetry::CONTROL;

/// How long somebody stays logged in: an event desk's day.
const SESSION: Duration = Duration::from_hours(14);
const COOKIE_NAME: &str = "touchline_session";

/// Lets in who may.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    /// `None`: there is no token.
    token: Option<hmac::Key>,
    loopback: bool,
}

/// Whether and how somebody has to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Session {
    login_required: bool,
    logged_in: bool,
}

/// What logs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    /// As in `[admin] token`.
    token: String,
}

impl Gate {
    /// For a listener that only this machine reaches, or others too.
    pub(crate) fn new(token: Option<&Secret>, loopback: bool) -> Self {
        let token = token.map(|token| hmac::Key::new(hmac::HMAC_SHA256, token.reveal().as_bytes()));
        Self { token, loopback }
    }

    /// Why somebody may not ask for this, if so.
    fn refuses(&self, method: &Method, headers: &HeaderMap, now: Duration) -> Option<Refusal> {
        if *method != Method::GET && *method != Method::HEAD && is_of_another_site(headers) {
            return Some(Refusal::new(StatusCode::FORBIDDEN, "a page of another site may not do this"));
        }
        match &self.token {
            None if !self.loopback => Some(Refusal::new(
                StatusCode::FORBIDDEN,
                "this listener is not on loopback and has no token, so that anybody could give orders: set [admin] token, \
                 or TOUCHLINE_ADMIN_TOKEN, and start again",
            )),
            // A page of another site that has its own name lead here is taken for one of ours by the browser.
            None if !is_of_this_machine(headers) => Some(Refusal::new(
                StatusCode::FORBIDDEN,
                "a listener without a token answers by its address only, as in http://127.0.0.1:9090/: set [admin] token \
                 to reach it by a name",
            )),
            None => None,
            Some(_) if self.is_logged_in(headers, now) => None,
            Some(_) => Some(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "log in at /, or say Authorization: Bearer TOKEN, with the token of [admin] token",
            )),
        }
    }

    fn is_logged_in(&self, headers: &HeaderMap, now: Duration) -> bool {
        let Some(key) = &self.token else { return true };
        let header = |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        let bearer = header(AUTHORIZATION).filter_map(|value| value.strip_prefix("Bearer "));
        if bearer.into_iter().any(|token| is_token(key, token)) {
            return true;
        }
        let cookies =
            header(COOKIE).flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        cookies.into_iter().any(|(name, value)| name == COOKIE_NAME && is_session(key, value, now))
    }

    fn session(&self, headers: &HeaderMap, now: Duration) -> Session {
        let login_required = self.token.is_some() || !self.loopback;
        Session { login_required, logged_in: self.token.is_some() && self.is_logged_in(headers, now) }
    }
}

/// Two tags of the same text are equal if the keys are, and take as long to compare if not.
fn is_token(key: &hmac::Key, token: &str) -> bool {
    let theirs = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes()), b"token");
    hmac::verify(key, b"token", theirs.as_ref()).is_ok()
}

/// `UNTIL.TAG`.
fn session_of(key: &hmac::Key, until: u64) -> String {
    let mut text = format!("{until}.");
    for byte in hmac::sign(key, format!("session {until}").as_bytes()).as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn is_session(key: &hmac::Key, text: &str, now: Duration) -> bool {
    let until = text.split_once('.').and_then(|(until, _)| until.parse().ok());
    let Some(until) = until.filter(|until| now < Duration::from_secs(*until)) else { return false };
    let ours = session_of(key, until);
    // As above: compared by their tags.
    hmac::verify(key, text.as_bytes(), hmac::sign(key, ours.as_bytes()).as_ref()).is_ok()
}

/// A browser on this machine reaches this listener too, and says of which site the page is that asks.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let site = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, site)| site);
    site.is_none() || site != host
}

/// Whether it is asked for by an address, or as localhost.
fn is_of_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return true };
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    name == "localhost" || name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

/// Answers in the place of what is asked for, where somebody may not.
pub(super) async fn guard(State(ops): State<Arc<Ops>>, request: Request, next: Next) -> Response {
    match ops.gate.refuses(request.method(), request.headers(), desk::unix()) {
        Some(refusal) => refusal.into_response(),
        None if request.method() == Method::GET => next.run(request).await,
        None => {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let span = info_span!(target: CONTROL, "order", %method, path, status = Empty);
            let response = next.run(request).instrument(span.clone()).await;
            span.record("status", response.status().as_u16());
            response
        }
    }
}

/// Whether somebody has to log in.
#[utoipa::path(get, path = "/api/v1/session", tag = "session", responses((status = 200, body = Session)))]
pub(super) async fn session(State(ops): State<Arc<Ops>>, headers: HeaderMap) -> Json<Session> {
    Json(ops.gate.session(&headers, desk::unix()))
}

/// Logs in: the answer sets a cookie that pages cannot read.
#[utoipa::path(
    post, path = "/api/v1/session", tag = "session", request_body = Login,
    responses(
        (status = 200, body = Session), (status = 400, body = Why), (status = 401, body = Why), (status = 403, body = Why),
    )
)]
pub(super) async fn log_in(
    State(ops): State<Arc<Ops>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Asked(login): Asked<Login>,
) -> Result<Response, Refusal> {
    if is_of_another_site(&headers) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "a page of another site may not do this"));
    }
    let Some(key) = &ops.gate.token else {
        return Err(Refusal::bad_request("there is nothing to log in with: no [admin] token is set"));
    };
    if !is_token(key, &login.token) {
        tracing::warn!(%peer, "somebody has tried to log in with another token");
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "this is not the token of [admin] token"));
    }
    let until = (desk::unix() + SESSION).as_secs();
    let cookie = format!(
        "{COOKIE_NAME}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age={}",
        session_of(key, until),
        SESSION.as_secs()
    );
    let session = Session { login_required: true, logged_in: true };
    Ok(([(SET_COOKIE, cookie)], Json(session)).into_response())
}

/// Logs out.
#[utoipa::path(
    delete, path = "/api/v1/session", tag = "session",
    responses((status = 204), (status = 403, body = Why))
)]
pub(super) async fn log_out(headers: HeaderMap) -> Result<Response, Refusal> {
    if is_of_another_site(&headers) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "a page of another site may not do this"));
    }
    let cookie = format!("{COOKIE_NAME}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(axum::http::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn pages_of_other_sites_are_told_by_their_origin() {
        let from = |origin: Option<&str>| {
            let mut headers = headers(&[(HOST, "127.0.0.1:9090")]);
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            is_of_another_site(&headers)
        };
        assert!(!from(None));
        assert!(!from(Some("http://127.0.0.1:9090")));
        for origin in ["http://127.0.0.1:8080", "https://elsewhere.example", "null"] {
            assert!(from(Some(origin)), "{origin}");
        }
    }

    #[test]
    fn without_a_token_this_machine_alone_gives_orders_and_by_an_address() {
        let now = Duration::from_secs(1_000);
        let asks = |gate: &Gate, host: &str| gate.refuses(&Method::GET, &headers(&[(HOST, host)]), now).is_none();
        let here = Gate::new(None, true);
        for host in ["127.0.0.1:9090", "localhost:9090", "[::1]:9090", "10.0.0.1"] {
            assert!(asks(&here, host), "{host}");
        }
        assert!(!asks(&here, "rebound.example:9090"));
        assert!(!asks(&Gate::new(None, false), "127.0.0.1:9090"));
    }

    #[test]
    fn who_knows_the_token_or_has_logged_in_is_let_in() {
        let now = Duration::from_secs(1_000);
        let gate = Gate::new(Some(&Secret::new("0123456789abcdef")), false);
        let asks = |name, value: &str, now| {
            gate.refuses(&Method::POST, &headers(&[(HOST, "desk.example"), (name, value)]), now).is_none()
        };
        assert!(asks(AUTHORIZATION, "Bearer 0123456789abcdef", now));
        assert!(!asks(AUTHORIZATION, "Bearer 0123456789abcdeg", now));
        let key = gate.token.clone().unwrap();
        let cookie = format!("other=1; {COOKIE_NAME}={}", session_of(&key, 1_100));
        assert!(asks(COOKIE, &cookie, now));
        assert!(!asks(COOKIE, &cookie, Duration::from_secs(1_100)));
        assert!(!asks(COOKIE, &cookie.replace("1100.", "9100."), now));
        assert!(!asks(COOKIE, "touchline_session=", now));
        let session = gate.session(&headers(&[(COOKIE, &cookie)]), now);
        assert_eq!(session, Session { login_required: true, logged_in: true });
    }
}
