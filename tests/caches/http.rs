//! A client that can be kept waiting.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};

/// How long something may take to answer before it is asked again.
const PATIENCE: Duration = Duration::from_millis(500);

/// Where something listens.
#[derive(Debug, Clone)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A persistent connection, for one request at a time.
pub(crate) struct Connection(http1::SendRequest<Full<Bytes>>);

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Whether what listens there answers: a socket takes connections before anybody reads from them.
pub(crate) fn answers(address: SocketAddr) -> bool {
    let Ok(mut socket) = std::net::TcpStream::connect(address) else { return false };
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let asked = socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: live.example\r\nConnection: close\r\n\r\n");
    asked.is_ok() && socket.read(&mut [0; 1]).is_ok_and(|read| read > 0)
}

impl Connection {
    pub(crate) async fn open(address: &Address) -> Self {
        match address {
            Address::Tcp(address) => {
                let socket = TcpStream::connect(address).await.unwrap();
                let (sender, connection) = http1::handshake(TokioIo::new(socket)).await.unwrap();
                tokio::spawn(connection);
                Self(sender)
            }
            Address::Unix(path) => {
                let socket = UnixStream::connect(path).await.unwrap();
                let (sender, connection) = http1::handshake(TokioIo::new(socket)).await.unwrap();
                tokio::spawn(connection);
                Self(sender)
            }
        }
    }

    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(HOST, "live.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        self.0.ready().await.unwrap();
        let (head, body) = self.0.send_request(request).await.unwrap().into_parts();
        Answer { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    pub(crate) async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers, Bytes::new()).await
    }
}

impl Answer {
    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
