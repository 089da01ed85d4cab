use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

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

/// What viewers by TLS may speak, best first (RFC 7301): for the [`touchline_tls::Tls`] of a listener.
pub const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
