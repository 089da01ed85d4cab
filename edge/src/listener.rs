use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use touchline_tls::Tls;

/// Connections that the kernel completes ahead of us. The usual 128 overflows when a crowd joins at once, and every SYN
/// lost there costs its viewer a second.
pub const BACKLOG: u32 = 4_096;

/// A socket that takes a joining crowd: [`BACKLOG`] and `SO_REUSEADDR`.
///
/// Must be called within a Tokio runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What viewers by TLS may speak, best first (RFC 7301).
pub const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Where viewers connect: in the clear, or by TLS.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: Option<Tls>,
}

impl Listener {
    /// Every connection begins with a TLS handshake, which is to offer [`PROTOCOLS`].
    pub fn secured(socket: TcpListener, tls: Tls) -> Self {
        Self { socket, tls: Some(tls) }
    }

    /// The next connection, before any handshake.
    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.socket.accept().await
    }

    /// What a connection begins with.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }
}

/// In the clear.
impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self { socket, tls: None }
    }
}
