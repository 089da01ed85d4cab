//! Connections and sockets to servers, each from an address of its publisher's own.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use super::call::{Call, Gone};
use super::target;
use crate::check::tls::{self, MaybeTls};

/// Bytes that the kernel keeps for a publisher by UDP, each way: a keyframe goes out at once.
const UDP_BUFFER: usize = 1 << 20;

/// A connection by TCP, or by TLS where the URL says so.
pub(super) async fn tcp(call: &Call) -> Result<MaybeTls<TcpStream>, Gone> {
    let failed = |error: io::Error| Gone::Broken(format!("cannot connect to {}: {error}", call.server));
    let socket = if call.server.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    socket.bind(target::source(call.server, call.number)).map_err(failed)?;
    let stream = socket.connect(call.server).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    if !call.target.tls {
        return Ok(MaybeTls::Plain(stream));
    }
    tls::connector(call.insecure, &[]).connect(&call.target.host, stream).await.map_err(failed)
}

/// A UDP socket, from which the server can be reached.
pub(super) fn udp(call: &Call) -> Result<UdpSocket, Gone> {
    let bind = || {
        let source: SocketAddr = target::source(call.server, call.number);
        let socket = Socket::new(Domain::for_address(source), Type::DGRAM, Some(Protocol::UDP))?;
        // The kernel gives as much as it is allowed to.
        socket.set_send_buffer_size(UDP_BUFFER)?;
        socket.set_recv_buffer_size(UDP_BUFFER)?;
        socket.set_nonblocking(true)?;
        socket.bind(&source.into())?;
        UdpSocket::from_std(socket.into())
    };
    bind().map_err(|error| Gone::Broken(format!("cannot open a UDP socket: {error}")))
}

/// The address that the server sees a socket at, if nothing on the way changes it.
pub(super) fn facing(socket: &UdpSocket, server: SocketAddr) -> io::Result<SocketAddr> {
    let local = socket.local_addr()?;
    if !local.ip().is_unspecified() {
        return Ok(local);
    }
    let probe = std::net::UdpSocket::bind((local.ip(), 0))?;
    probe.connect(server)?;
    Ok(SocketAddr::new(probe.local_addr()?.ip(), local.port()))
}
