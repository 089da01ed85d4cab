//! How the judge reaches a server: a stream of bytes to an authority. TLS, when the URL asks for it, is spoken on top of that stream.

use std::io;

use hyper::http::uri::Authority;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Opens connections. The judge's own is [`Tcp`]; a test puts an origin in memory in its place.
pub trait Dial: Clone + Send + Sync + 'static {
    /// A connection: bytes both ways.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Connects to `authority`, which always has a port.
    fn dial(&self, authority: &Authority) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Connections over the network.
#[derive(Clone, Copy, Debug)]
pub struct Tcp;

impl Dial for Tcp {
    type Stream = TcpStream;

    async fn dial(&self, authority: &Authority) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(authority.as_str()).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
