use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

use crate::Tls;

/// Where peers connect: in the clear, or by TLS.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: Option<Tls>,
}

impl Listener {
    /// Every connection begins with a TLS handshake.
    pub fn secured(socket: TcpListener, tls: Tls) -> Self {
        Self { socket, tls: Some(tls) }
    }

    /// The next connection, before any handshake.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.socket.accept().await
    }

    /// What a connection begins with.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }
}

/// In the clear.
impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self { socket, tls: None }
    }
}
