use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::AUTHORIZATION;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use touchline_media::Secret;
use touchline_tls::Trust;

/// What origins are spoken to by TLS: for the [`Trust`] of an [`Origin`].
pub const PROTOCOLS: [&[u8]; 1] = [b"h2"];

/// How long a connection may take, its handshakes included.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an origin may take to begin an answer: it may have to ask an origin of its own.
const ANSWER: Duration = Duration::from_secs(8);
/// What an origin may send before it is told that it was taken: media of seconds, so that a round trip costs nothing.
const FLOW: u32 = 16 << 20;

/// Where an origin is: `http://HOST[:PORT]`, or `https`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    url: String,
    tls: bool,
    host: String,
    port: u16,
}

/// A node that has channels.
pub struct Origin {
    address: Address,
    tls: Option<Trust>,
    secret: Option<Secret>,
    /// For questions; channels have connections of their own.
    questions: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

/// Why an origin does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("it takes longer than {0:?}")]
    Late(Duration),
    #[error("it cannot be connected to: {0}")]
    Connect(#[from] io::Error),
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("its answer cannot be read: {0}")]
    Answer(Box<dyn std::error::Error + Send + Sync>),
}

impl Address {
    /// The host may be a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn parse(url: &str) -> Result<Self, String> {
        let uri: Option<Uri> = url.parse().ok();
        let parsed = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?, uri.path(), uri.query())));
        let Some((scheme @ ("http" | "https"), authority, "/", None)) = parsed else {
            return Err(format!(
                "\"{url}\" is not the URL of an origin; write for example \"https://origin.example.org:8443\""
            ));
        };
        let tls = scheme == "https";
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { url: format!("{scheme}://{authority}"), tls, host, port })
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        Self::parse(url)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Origin {
    /// The origin at an address, to which this node proves by `secret` that it may follow; by TLS, `trust` says who is
    /// believed.
    pub fn new(address: Address, secret: Option<Secret>, trust: &Trust) -> Self {
        let tls = address.tls.then(|| trust.clone());
        Self { address, tls, secret, questions: Mutex::new(None) }
    }

    /// Where it is: what tells it from others.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// A connection to it.
    pub(super) async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Error> {
        timeout(CONNECT, self.shake_hands()).await.map_err(|_| Error::Late(CONNECT))?
    }

    /// Asks for a path on a connection; the head of the answer.
    pub(super) async fn ask(
        &self,
        connection: &mut SendRequest<Full<Bytes>>,
        path: &str,
    ) -> Result<Response<Incoming>, Error> {
        self.send(connection, Method::GET, path, Bytes::new()).await
    }

    async fn send(
        &self,
        connection: &mut SendRequest<Full<Bytes>>,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        if let Some(secret) = &self.secret {
            request = request.header(AUTHORIZATION, format!("Bearer {}", secret.reveal()));
        }
        let request = request.body(Full::new(body)).map_err(|error| Error::Answer(error.into()))?;
        Ok(timeout(ANSWER, connection.send_request(request)).await.map_err(|_| Error::Late(ANSWER))??)
    }

    /// Tells something.
    pub(crate) async fn post(&self, path: &str, body: Bytes) -> Result<(), Error> {
        let mut connection = self.questions().await?;
        let response = self.send(&mut connection, Method::POST, path, body).await?;
        if response.status().is_success() { Ok(()) } else { Err(Error::Status(response.status())) }
    }

    /// Asks a question; the whole answer, of at most `limit` bytes.
    pub(super) async fn get(&self, path: &str, limit: usize) -> Result<Bytes, Error> {
        let mut connection = self.questions().await?;
        let response = self.ask(&mut connection, path).await?;
        if response.status() != StatusCode::OK {
            return Err(Error::Status(response.status()));
        }
        let whole = timeout(ANSWER, Limited::new(response.into_body(), limit).collect());
        Ok(whole.await.map_err(|_| Error::Late(ANSWER))?.map_err(Error::Answer)?.to_bytes())
    }

    /// The connection for questions, made anew where it has broken.
    async fn questions(&self) -> Result<SendRequest<Full<Bytes>>, Error> {
        let mut questions = self.questions.lock().await;
        if let Some(connection) = questions.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        let connection = self.connect().await?;
        *questions = Some(connection.clone());
        Ok(connection)
    }

    async fn shake_hands(&self) -> Result<SendRequest<Full<Bytes>>, Error> {
        let Address { host, port, .. } = &self.address;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => handshake(stream).await,
            Some(trust) => handshake(trust.connect(host, stream).await?).await,
        }
    }
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).initial_stream_window_size(FLOW).initial_connection_window_size(FLOW);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // Ends when the last who uses it is gone.
    tokio::spawn(connection);
    Ok(sender)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Origin").field(&self.address.url).finish()
    }
}
