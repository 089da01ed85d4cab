//! A small HTTP client that shows everything: raw heads, the path as it was given, when the head and the body came. It follows no
//! redirect and unpacks nothing by itself.

use std::io::Read as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::{http1, http2};
use hyper::header::{HeaderMap, HeaderName};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::{Instant, timeout};
use url::Url;

use super::dial::Dial;
use super::tls::{self, MaybeTls};

/// The largest body that is read; a segment of 4K video of ten seconds fits.
const MAX_BODY: usize = 64 << 20;
/// The largest size of a playlist once it is unpacked.
const MAX_UNPACKED: u64 = 16 << 20;
/// Idle connections that are kept.
const MAX_IDLE: usize = 64;

type Body = Empty<Bytes>;

/// A client; clones share connections.
pub(crate) struct Client<D> {
    dial: D,
    tls: Option<tls::Connector>,
    shared: Arc<Shared>,
}

impl<D: Clone> Clone for Client<D> {
    fn clone(&self) -> Self {
        Self { dial: self.dial.clone(), tls: self.tls.clone(), shared: self.shared.clone() }
    }
}

#[derive(Default)]
struct Shared {
    idle: Mutex<Vec<(String, Sender)>>,
    counts: Counts,
}

/// What became of connections.
#[derive(Default)]
pub(crate) struct Counts {
    requests: AtomicU64,
    /// Requests that were answered on a connection that had answered before.
    reused: AtomicU64,
    /// HTTP/1 connections that the server closed after an answer.
    closed: AtomicU64,
    http2: AtomicU64,
}

impl Counts {
    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests, requests on a used connection, connections closed after an answer, requests over HTTP/2.
    pub(crate) fn read(&self) -> [u64; 4] {
        [&self.requests, &self.reused, &self.closed, &self.http2].map(|counter| counter.load(Ordering::Relaxed))
    }
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// When the request was made.
    pub(crate) asked: Instant,
    /// When the first byte of the body came, or the head when there is no body.
    pub(crate) began: Instant,
    /// When the last byte came.
    pub(crate) ended: Instant,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot connect to {0}: {1}")]
    Connect(String, String),
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("no answer within {} s", .0.as_secs_f64())]
    Late(Duration),
    #[error("the body is larger than {MAX_BODY} bytes")]
    TooLarge,
    #[error("the request cannot be written: {0}")]
    Request(String),
}

/// A request: what differs from a plain GET.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) headers: Vec<(HeaderName, &'a str)>,
    /// How long the whole answer may take.
    pub(crate) limit: Duration,
}

impl Ask<'_> {
    /// A GET that may take `limit`.
    pub(crate) fn get(limit: Duration) -> Self {
        Self { method: Method::GET, headers: Vec::new(), limit }
    }
}

impl<'a> Ask<'a> {
    /// With another header.
    pub(crate) fn with(mut self, name: HeaderName, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With another method.
    pub(crate) fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }
}

impl<D: Dial> Client<D> {
    /// A client that reaches servers through `dial`; with `insecure` it takes any certificate.
    pub(crate) fn new(dial: D, https: bool, insecure: bool) -> Self {
        Self { dial, tls: https.then(|| tls::connector(insecure, tls::ANY_HTTP)), shared: Arc::default() }
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Asks for `url`.
    pub(crate) async fn ask(&self, url: &Url, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        self.ask_path(url, &path, ask).await
    }

    /// Asks the server of `url` for `path`, which is sent as it is.
    pub(crate) async fn ask_path(&self, url: &Url, path: &str, ask: &Ask<'_>) -> Result<Answer, Failure> {
        timeout(ask.limit, self.exchange(url, path, ask)).await.unwrap_or(Err(Failure::Late(ask.limit)))
    }

    async fn exchange(&self, url: &Url, path: &str, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let asked = Instant::now();
        let authority = authority(url)?;
        let key = format!("{}://{authority}", url.scheme());
        Counts::add(&self.shared.counts.requests);
        while let Some(sender) = self.idle(&key) {
            // A server may close an idle connection at any time: such a failure says nothing.
            if let Ok(answer) = self.send(sender, &key, &authority, path, ask, asked).await {
                Counts::add(&self.shared.counts.reused);
                return Ok(answer);
            }
        }
        let sender = self.connect(url, &authority).await?;
        self.send(sender, &key, &authority, path, ask, asked).await
    }

    fn idle(&self, key: &str) -> Option<Sender> {
        let mut idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let at = idle.iter().position(|(known, _)| known == key)?;
        let (key, sender) = idle.swap_remove(at);
        if let Sender::Http2(shared) = &sender {
            idle.push((key, Sender::Http2(shared.clone())));
            if shared.is_closed() {
                idle.pop();
                return None;
            }
        }
        Some(sender)
    }

    fn keep(&self, key: &str, sender: Sender) {
        let mut idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let known = matches!(sender, Sender::Http2(_)) && idle.iter().any(|(other, _)| other == key);
        if idle.len() < MAX_IDLE && !known {
            idle.push((key.to_owned(), sender));
        }
    }

    async fn connect(&self, url: &Url, authority: &Authority) -> Result<Sender, Failure> {
        let failed = |error: String| Failure::Connect(authority.to_string(), error);
        let stream = self.dial.dial(authority).await.map_err(|error| failed(error.to_string()))?;
        let stream = match (&self.tls, url.scheme()) {
            (Some(tls), "https") => {
                tls.connect(authority.host(), stream).await.map_err(|error| failed(error.to_string()))?
            }
            _ => MaybeTls::Plain(stream),
        };
        let http2 = stream.is_http2();
        let broken = |error: hyper::Error| failed(error.to_string());
        if http2 {
            let (sender, connection) =
                http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(broken)?;
            tokio::spawn(connection);
            return Ok(Sender::Http2(sender));
        }
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        Ok(Sender::Http1(sender))
    }

    async fn send(
        &self,
        mut sender: Sender,
        key: &str,
        authority: &Authority,
        path: &str,
        ask: &Ask<'_>,
        asked: Instant,
    ) -> Result<Answer, Failure> {
        let request = request(&sender, key, authority, path, ask)?;
        let broken = |error: hyper::Error| Failure::Broken(error.to_string());
        let response = match &mut sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => sender.send_request(request).await,
        };
        let answer = read(response.map_err(broken)?, asked).await?;
        let open = match &mut sender {
            Sender::Http2(_) => {
                Counts::add(&self.shared.counts.http2);
                true
            }
            Sender::Http1(sender) => sender.ready().await.is_ok(),
        };
        if open {
            self.keep(key, sender);
        } else {
            Counts::add(&self.shared.counts.closed);
        }
        Ok(answer)
    }
}

fn request(
    sender: &Sender,
    key: &str,
    authority: &Authority,
    path: &str,
    ask: &Ask<'_>,
) -> Result<Request<Body>, Failure> {
    let mut request = Request::builder().method(&ask.method);
    request = match sender {
        Sender::Http1(_) => request.uri(path).header("host", authority.as_str()),
        Sender::Http2(_) => request.version(Version::HTTP_2).uri(format!("{key}{path}")),
    };
    for (name, value) in &ask.headers {
        request = request.header(name, *value);
    }
    request.body(Empty::new()).map_err(|error| Failure::Request(error.to_string()))
}

async fn read(response: Response<hyper::body::Incoming>, asked: Instant) -> Result<Answer, Failure> {
    let (head, mut body) = response.into_parts();
    let mut began = None;
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::Broken(error.to_string()))?;
        let Some(data) = frame.data_ref().filter(|data| !data.is_empty()) else { continue };
        began.get_or_insert_with(Instant::now);
        if bytes.len() + data.len() > MAX_BODY {
            return Err(Failure::TooLarge);
        }
        bytes.extend_from_slice(data);
    }
    let ended = Instant::now();
    let (status, began) = (head.status.as_u16(), began.unwrap_or(ended));
    Ok(Answer { status, headers: head.headers, body: bytes.into(), asked, began, ended })
}

/// Host and port of `url`; the port is always there.
fn authority(url: &Url) -> Result<Authority, Failure> {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
    format!("{host}:{port}").parse().map_err(|_| Failure::Request(format!("{url} has no host")))
}

impl Answer {
    /// A header's value, when it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as it was before it was compressed, or why it cannot be unpacked.
    pub(crate) fn unpacked(&self) -> Result<Vec<u8>, String> {
        match self.header("content-encoding").unwrap_or("identity") {
            "identity" => Ok(self.body.to_vec()),
            "gzip" | "x-gzip" => unpack(&self.body).map_err(|error| format!("the gzip data is broken: {error}")),
            other => Err(format!("the body is in content encoding {other:?}, which was not asked for")),
        }
    }

    /// How long the answer took from the request to its first byte.
    pub(crate) fn waited(&self) -> Duration {
        self.began - self.asked
    }
}

/// What was compressed with gzip, up to a playlist's largest size.
pub(crate) fn unpack(packed: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(packed).take(MAX_UNPACKED).read_to_end(&mut text)?;
    Ok(text)
}
