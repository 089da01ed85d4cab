//! WHIP's requests (RFC 9725 4.2): an offer is posted, and a session deleted.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;

use super::super::call::{Call, Gone};
use super::super::dial;

/// The largest answer that is read.
const MAX_ANSWER: usize = 256 << 10;

/// A session that was arranged.
#[derive(Debug)]
pub(super) struct Session {
    /// Where it is, as a path; `None` where the server has not said.
    path: Option<String>,
}

impl Session {
    /// Posts an offer; the session, and the answer.
    pub(super) async fn begin(call: &Call, offer: String) -> Result<(Self, String), Gone> {
        let path = format!("{}/{}", call.target.path, call.channel);
        let answer = ask(call, "POST", &path, offer).await?;
        if answer.status != StatusCode::CREATED {
            return Err(Gone::Refused(answer.words()));
        }
        // A server may say it as a whole URL.
        let path = answer.location.as_deref().map(|location| match location.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| rest.get(at..).unwrap_or("/")).to_owned(),
            None => location.to_owned(),
        });
        Ok((Self { path }, answer.body))
    }

    /// Deletes it.
    pub(super) async fn end(&self, call: &Call) -> Result<(), Gone> {
        let Some(path) = &self.path else { return Ok(()) };
        ask(call, "DELETE", path, String::new()).await.map(|_| ())
    }
}

struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: String,
}

impl Answer {
    /// Why there is no session, as the server says it: the detail of a problem (RFC 9457), or the beginning of what it says.
    fn words(&self) -> String {
        let problem = serde_json::from_str::<serde_json::Value>(&self.body).ok();
        let detail = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str());
        let words = detail.unwrap_or_else(|| self.body.lines().next().unwrap_or_default());
        format!("HTTP {}: {}", self.status, words.chars().take(300).collect::<String>())
    }
}

/// One request over a connection of its own.
async fn ask(call: &Call, method: &str, path: &str, body: String) -> Result<Answer, Gone> {
    let failed = |error: &dyn std::fmt::Display| Gone::Broken(format!("{method} {path}: {error}"));
    let stream = dial::tcp(call).await?;
    let authority = format!("{}:{}", call.target.host, call.target.port);
    let mut request = Request::builder().method(method).header(CONTENT_TYPE, "application/sdp");
    if let Some(key) = &call.key {
        request = request.header(AUTHORIZATION, format!("Bearer {key}"));
    }
    let body = Full::new(Bytes::from(body));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    tokio::spawn(connection);
    let request = request.uri(path).header(HOST, authority).body(body).map_err(|error| failed(&error))?;
    let response = sender.send_request(request).await;
    let (head, body) = response.map_err(|error| failed(&error))?.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| failed(&error))?.to_bytes();
    let location = head.headers.get(LOCATION).and_then(|location| location.to_str().ok()).map(str::to_owned);
    Ok(Answer { status: head.status, location, body: String::from_utf8_lossy(&body).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_as_the_server_says_it() {
        let answer = |body: &str| Answer { status: StatusCode::CONFLICT, location: None, body: body.to_owned() };
        assert_eq!(
            answer(r#"{"status":409,"detail":"somebody publishes into this channel already"}"#).words(),
            "HTTP 409 Conflict: somebody publishes into this channel already"
        );
        assert_eq!(answer("busy\nsorry").words(), "HTTP 409 Conflict: busy");
        assert_eq!(answer("").words(), "HTTP 409 Conflict: ");
    }
}
