//! Asks a service of the operator's who may publish.
//!
//! Each question is a POST of JSON, signed with a secret that only the two know:
//!
//! ```text
//! POST /who HTTP/1.1
//! Content-Type: application/json
//! Touchline-Signature: t=1790000000,v1=HEX
//!
//! {"channel":"main","key":"SECRET","protocol":"SRT","peer":"192.0.2.7:5000","encoder":null}
//! ```
//!
//! where HEX is the HMAC-SHA256 of `1790000000.BODY`. Any 2xx lets the publisher in, 401, 403 and 404 do not. Anything else,
//! and no answer in time, leaves it to the last verdict on the same channel and key, if that is young enough.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use ring::{digest, hmac};
use rustls_pki_types::ServerName;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use touchline_ingest::{Publish, Rejection, Secret};
use touchline_media::ChannelName;
use tracing::warn;

/// A verdict so young is not asked for again: encoders that reconnect do so in bursts.
const FRESH: Duration = Duration::from_secs(10);
/// A verdict so old still counts when the service does not answer: a final goes on.
const STALE: Duration = Duration::from_hours(1);
/// Verdicts that are kept; beyond, the oldest goes.
const MAX_VERDICTS: usize = 4_096;

/// Where to ask.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// `http` or `https`, with a host.
    pub(crate) url: Uri,
    /// What questions are signed with.
    pub(crate) secret: Secret,
    /// How long an answer may take.
    pub(crate) timeout: Duration,
}

impl Settings {
    /// The URL of a webhook, or what is wrong with it.
    pub(crate) fn parse_url(text: &str) -> Result<Uri, String> {
        let usable = |uri: &Uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https"));
        let bad = || format!("\"{text}\" is not a URL to ask; write for example \"https://example.org/may-publish\"");
        text.parse().ok().filter(usable).ok_or_else(bad)
    }
}

/// The service and what it has said.
#[derive(Debug)]
pub(crate) struct Webhook {
    settings: Settings,
    verdicts: Mutex<BTreeMap<Question, (bool, Instant)>>,
}

/// A channel, and the SHA-256 of a key.
type Question = (ChannelName, Option<[u8; digest::SHA256_OUTPUT_LEN]>);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("the request cannot be written: {0}")]
    Request(#[from] hyper::http::Error),
}

impl Webhook {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, verdicts: Mutex::default() }
    }

    /// Whether somebody may publish.
    #[tracing::instrument(target = "touchline::control", name = "publish webhook", skip_all, fields(channel = %publish.channel, peer = %publish.peer))]
    pub(crate) async fn ask(&self, publish: &Publish) -> Result<(), Rejection> {
        let question = question(publish);
        if let Some(may) = self.said(&question, FRESH) {
            return verdict(may);
        }
        match self.post(publish).await {
            Ok(may) => {
                self.keep(question, may);
                verdict(may)
            }
            Err(failure) => {
                let before = self.said(&question, STALE);
                let then = match before {
                    Some(true) => "the publisher is let in, as it was before",
                    Some(false) => "the publisher is refused, as it was before",
                    None => "the publisher is refused: there is no earlier answer to go by",
                };
                let (url, channel) = (&self.settings.url, &publish.channel);
                warn!(%channel, peer = %publish.peer, "the publish webhook {url} gives no verdict: {failure}; {then}");
                before.map_or(Err(Rejection::Undecided), verdict)
            }
        }
    }

    async fn post(&self, publish: &Publish) -> Result<bool, Failure> {
        let Settings { url, secret, timeout: limit } = &self.settings;
        let answer = timeout(*limit, post(url, secret, None, body(publish))).await;
        let status = answer.map_err(|_| Failure::Late(*limit))??;
        match status {
            status if status.is_success() => Ok(true),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Ok(false),
            status => Err(Failure::Status(status)),
        }
    }

    fn said(&self, question: &Question, within: Duration) -> Option<bool> {
        self.lock().get(question).filter(|(_, at)| at.elapsed() < within).map(|(may, _)| *may)
    }

    fn keep(&self, question: Question, may: bool) {
        let mut verdicts = self.lock();
        verdicts.insert(question, (may, Instant::now()));
        if verdicts.len() > MAX_VERDICTS {
            let oldest = verdicts.iter().min_by_key(|(_, (_, at))| *at).map(|(question, _)| question.clone());
            oldest.and_then(|oldest| verdicts.remove(&oldest));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Question, (bool, Instant)>> {
        // No code that holds the lock can leave the verdicts half changed.
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn body(publish: &Publish) -> String {
    json!({
        "channel": publish.channel.as_str(),
        "key": publish.key.as_ref().map(Secret::reveal),
        "protocol": publish.protocol.to_string(),
        "peer": publish.peer.to_string(),
        "encoder": publish.encoder,
    })
    .to_string()
}

/// Sends JSON, signed and with the number of the message if it has one; what the service answers.
pub(crate) async fn post(
    url: &Uri,
    secret: &Secret,
    message: Option<u64>,
    body: String,
) -> Result<StatusCode, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut request = Request::post(url.path_and_query().map_or("/", |path| path.as_str()))
        .header(header::HOST, url.authority().map_or("", |authority| authority.as_str()))
        .header(header::CONTENT_TYPE, "application/json")
        .header("touchline-signature", sign(secret, now, &body));
    if let Some(message) = message {
        request = request.header("touchline-delivery", message);
    }
    send(url, request.body(Full::from(body))?).await
}

fn verdict(may: bool) -> Result<(), Rejection> {
    if may { Ok(()) } else { Err(Rejection::Unauthorised) }
}

fn question(publish: &Publish) -> Question {
    let key = publish
        .key
        .as_ref()
        .and_then(|key| digest::digest(&digest::SHA256, key.reveal().as_bytes()).as_ref().try_into().ok());
    (publish.channel.clone(), key)
}

/// The value of `Touchline-Signature`.
fn sign(secret: &Secret, unix_seconds: u64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    let tag = hmac::sign(&key, format!("{unix_seconds}.{body}").as_bytes());
    let mut text = format!("t={unix_seconds},v1=");
    for byte in tag.as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Sends a request by a connection of its own; what the service answers.
pub(crate) async fn send(url: &Uri, request: Request<Full<Bytes>>) -> Result<StatusCode, Failure> {
    let host = url.host().unwrap_or_default();
    let tls = url.scheme_str() == Some("https");
    let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((name, port)).await?;
    if !tls {
        return exchange(stream, request).await;
    }
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    exchange(connector()?.connect(name, stream).await?, request).await
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let asked = sender.send_request(request);
    tokio::pin!(connection, asked);
    tokio::select! {
        response = &mut asked => Ok(response?.status()),
        ended = &mut connection => {
            ended?;
            Ok(asked.await?.status())
        }
    }
}

/// Trusts whom the system trusts.
fn connector() -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // Some systems carry certificates that nothing can read.
        let _ = roots.add(certificate);
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_hmac_sha256_of_time_and_body() {
        // As `printf '1790000000.{}' | openssl dgst -sha256 -hmac hush` has it.
        assert_eq!(
            sign(&Secret::new("hush"), 1_790_000_000, "{}"),
            "t=1790000000,v1=0c6e718dc2fc3e237147462d48aa34960d9f35ccfaea186a37832ab193460d4e"
        );
    }

    #[test]
    fn only_urls_that_can_be_asked_are_taken() {
        for url in ["http://127.0.0.1:9000/who", "https://example.org", "http://[::1]/"] {
            assert!(Settings::parse_url(url).is_ok(), "{url}");
        }
        for text in ["", "example.org/who", "/who", "ftp://example.org/", "https://"] {
            assert!(Settings::parse_url(text).unwrap_err().contains("is not a URL to ask"), "{text}");
        }
    }
}
