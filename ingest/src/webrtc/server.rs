use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Desk;
use super::candidate::Reachable;
use super::desk::Context;
use super::interfaces;
use super::routes::Routes;
use super::secure::Identity;
use super::wire::Wire;
use crate::gate::Gate;
use crate::{Metrics, Publish};

/// Room for datagrams in the system: a keyframe of each of some dozens of publishers at once.
const RECEIVE_BUFFER: usize = 4 << 20;
/// TCP connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// How many ports of the system's choice are tried for one that is free for datagrams and for connections.
const ANY_PORT_ATTEMPTS: usize = 16;

/// Limits on who may publish and how long a peer may take, and where we say that we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The most sessions at a time.
    pub sessions: usize,
    /// The most sessions at a time from one IPv4 address or one IPv6 /64.
    pub sessions_per_address: usize,
    /// The most sessions at a time from one such address that have been arranged by HTTP and have not connected.
    pub unconnected_per_address: usize,
    /// From the answer to a secure connection.
    pub connect: Duration,
    /// For the answer of the channel.
    pub publish: Duration,
    /// Of a publisher, without a datagram.
    pub idle: Duration,
    /// Of a publisher, without a whole access unit.
    pub media: Duration,
    /// How often a keyframe is asked for.
    pub keyframe_interval: Duration,
    /// Where publishers reach us, for the answers. If there are none: the address that is listened on, or if that is
    /// any, those of all network interfaces that are up, the loopback address among them.
    pub announced: Vec<IpAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sessions: 1_000,
            sessions_per_address: 100,
            unconnected_per_address: 8,
            connect: Duration::from_secs(10),
            publish: Duration::from_secs(20),
            idle: Duration::from_secs(10),
            media: Duration::from_secs(30),
            keyframe_interval: Duration::from_secs(2),
            announced: Vec::new(),
        }
    }
}

/// Listens on `address`: for datagrams, and for TCP connections (RFC 6544) on the same port, if that is free.
/// With a port of 0, on one that is free for both. Within a Tokio runtime.
pub async fn bind(address: SocketAddr, settings: Settings) -> io::Result<Bound> {
    let identity = Identity::generate().map_err(io::Error::other)?;
    let attempts = if address.port() == 0 { ANY_PORT_ATTEMPTS } else { 1 };
    let (udp, tcp) = bind_both(attempts, || bind_udp(address))?;
    let address = udp.local_addr()?;
    let reachable = Reachable { addresses: announced(address, &settings.announced).await, tcp: tcp.is_some() };
    Ok(Bound { address, udp, tcp, reachable, identity, settings })
}

/// A listener that is bound.
#[derive(Debug)]
pub struct Bound {
    address: SocketAddr,
    udp: UdpSocket,
    tcp: Option<TcpListener>,
    reachable: Reachable,
    identity: Identity,
    settings: Settings,
}

impl Bound {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes publishers that come to the desk until `shutdown`, then sends away those that are there. Sessions are arranged and
    /// served while the future is polled.
    ///
    /// Each request to publish goes to `publishes`, where its answer is waited for within [`Settings::publish`].
    pub fn serve(
        self,
        publishes: mpsc::Sender<Publish>,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) -> (Desk, impl Future<Output = ()> + Send + 'static) {
        let Self { udp, tcp, reachable, identity, settings, .. } = self;
        let connections = Gate::new(settings.sessions, settings.sessions_per_address);
        let routes = Routes::default();
        let wire = Wire::new(udp, routes.clone(), metrics.clone());
        let context = Arc::new(Context { settings, metrics, shutdown: shutdown.clone() });
        let desk = Desk::new(context, publishes, identity, reachable, routes, wire.clone());
        let tasks = desk.tasks().clone();
        let (accepting, closing) = (wire.clone(), shutdown.clone());
        let accepting = async move {
            if let Some(listener) = tcp {
                accepting.accept(listener, connections, closing).await;
            }
        };
        let serving = async move {
            tokio::join!(wire.receive(shutdown), accepting);
            tasks.close();
            tasks.wait().await;
        };
        (desk, serving)
    }
}

/// A socket for datagrams of `candidates`, and a listener for TCP connections on the port of it, if there is one of so many
/// `attempts` whose port is free for both.
fn bind_both(
    attempts: usize,
    mut candidates: impl FnMut() -> io::Result<UdpSocket>,
) -> io::Result<(UdpSocket, Option<TcpListener>)> {
    // Those that do not do are kept until one does, or the system might offer the same port again.
    let mut refused = Vec::new();
    loop {
        let udp = candidates()?;
        let address = udp.local_addr()?;
        match bind_tcp(address) {
            Ok(listener) => return Ok((udp, Some(listener))),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && refused.len() + 1 < attempts => refused.push(udp),
            Err(error) => {
                warn!("WebRTC is served by UDP alone: cannot listen for TCP connections on {address}: {error}");
                return Ok((udp, None));
            }
        }
    }
}

fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER) {
        debug!("the system's buffer for datagrams stays as it is: {error}");
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that is started again must not wait until its old connections are forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Where publishers are told to come.
async fn announced(bound: SocketAddr, wanted: &[IpAddr]) -> Vec<SocketAddr> {
    let mut addresses: Vec<IpAddr> = wanted.to_vec();
    if addresses.is_empty() && !bound.ip().is_unspecified() {
        addresses.push(bound.ip());
    }
    if addresses.is_empty() {
        let all = interfaces::addresses().unwrap_or_else(|error| {
            warn!("the addresses of this machine cannot be read: {error}; name them in [webrtc] announce");
            Vec::new()
        });
        let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        let ways = [
            own_address(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()).await,
            own_address(Ipv6Addr::UNSPECIFIED.into(), documentation.into()).await,
        ];
        addresses = interfaces::announced(bound, &ways.into_iter().flatten().collect::<Vec<_>>(), &all);
    }
    addresses.into_iter().map(|ip| SocketAddr::new(ip, bound.port())).collect()
}

/// The address from which this machine would call `far`. Nothing is sent.
async fn own_address(any: IpAddr, far: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((any, 0)).await.ok()?;
    socket.connect((far, 9)).await.ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    /// Sockets, the first two of which have ports that somebody listens at for connections already; and who that is.
    fn candidates() -> (Vec<TcpListener>, impl FnMut() -> io::Result<UdpSocket>) {
        let mut taken = Vec::new();
        let mut sockets = Vec::new();
        while taken.len() < 2 {
            let udp = bind_udp(loopback(0)).unwrap();
            if let Ok(listener) = bind_tcp(udp.local_addr().unwrap()) {
                taken.push(listener);
                sockets.push(udp);
            }
        }
        let mut sockets = sockets.into_iter();
        (taken, move || sockets.next().map_or_else(|| bind_udp(loopback(0)), Ok))
    }

    #[tokio::test]
    async fn a_port_of_the_systems_choice_is_free_for_both() {
        let (taken, candidates) = candidates();
        let (udp, tcp) = bind_both(ANY_PORT_ATTEMPTS, candidates).unwrap();
        let address = udp.local_addr().unwrap();
        assert_eq!(tcp.map(|listener| listener.local_addr().unwrap()), Some(address));
        assert!(taken.iter().all(|listener| listener.local_addr().unwrap() != address));
    }

    #[tokio::test]
    async fn a_port_that_somebody_has_for_connections_is_served_for_datagrams() {
        let (taken, candidates) = candidates();
        let (udp, tcp) = bind_both(1, candidates).unwrap();
        assert_eq!(udp.local_addr().unwrap(), taken[0].local_addr().unwrap());
        assert!(tcp.is_none());
    }
}
