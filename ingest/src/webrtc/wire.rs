//! The socket and the connections that all sessions share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::ice::Path;
use super::routes::{Datagram, Delivery, Routes};
use crate::Metrics;
use crate::gate::Gate;

/// The largest datagram that is taken: none that WebRTC sends is larger than a packet of an ethernet, or a little more on loopback.
const MAX_DATAGRAM: usize = 2_048;
/// Room to receive into is allotted so much at a time.
const ALLOTMENT: usize = 64 * MAX_DATAGRAM;
/// The most datagrams that wait to be sent over a TCP connection.
const MAX_UNSENT: usize = 64;
/// How long a TCP connection may be silent: that of a publisher brings media, or one check after another.
const TCP_IDLE: Duration = Duration::from_secs(10);
/// How long to wait when there is something wrong with accepting or receiving.
const BACKOFF: Duration = Duration::from_millis(100);

/// What all sessions send by and receive from. Its clones are one.
#[derive(Debug, Clone)]
pub(super) struct Wire(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    udp: UdpSocket,
    /// By whom it is connected to.
    tcp: Mutex<HashMap<Path, mpsc::Sender<Bytes>>>,
    routes: Routes,
    metrics: Metrics,
}

impl Wire {
    pub(super) fn new(udp: UdpSocket, routes: Routes, metrics: Metrics) -> Self {
        Self(Arc::new(Shared { udp, tcp: Mutex::default(), routes, metrics }))
    }

    /// Sends a datagram. One for which there is no room is dropped, as the network might.
    pub(super) fn send(&self, path: Path, datagram: Bytes) {
        let sent = match path {
            Path::Udp(to) => self.0.udp.try_send_to(&datagram, to).is_ok(),
            Path::Tcp(_) => {
                self.connections().get(&path).is_some_and(|connection| connection.try_send(datagram).is_ok())
            }
        };
        if !sent {
            self.0.metrics.dropped_datagram("unsent");
        }
    }

    /// Receives datagrams until `shutdown`.
    pub(super) async fn receive(self, shutdown: CancellationToken) {
        let mut room = BytesMut::new();
        loop {
            if room.capacity() < MAX_DATAGRAM {
                room = BytesMut::with_capacity(ALLOTMENT);
            }
            let Some(received) = shutdown.run_until_cancelled(self.0.udp.recv_buf_from(&mut room)).await else {
                return;
            };
            match received {
                Ok((_, from)) => {
                    self.deliver(Path::Udp(from), room.split().freeze());
                }
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
                Err(error) => {
                    warn!("cannot receive datagrams for WebRTC: {error}");
                    tokio::time::sleep(BACKOFF).await;
                }
            }
        }
    }

    /// Takes TCP connections (RFC 6544) until `shutdown`.
    pub(super) async fn accept(self, listener: TcpListener, gate: Gate, shutdown: CancellationToken) {
        let connections = TaskTracker::new();
        while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!("cannot accept TCP connections for WebRTC: {error}");
                    tokio::time::sleep(BACKOFF).await;
                    continue;
                }
            };
            let Ok(pass) = gate.enter(peer.ip()) else {
                self.0.metrics.dropped_datagram("tcp_connections");
                continue;
            };
            let (wire, closing) = (self.clone(), shutdown.clone());
            connections.spawn(async move {
                let path = Path::Tcp(peer);
                if let Some(Err(error)) = closing.run_until_cancelled(wire.carry(stream, path)).await {
                    debug!(%peer, "a TCP connection for WebRTC ended: {error}");
                }
                wire.connections().remove(&path);
                drop(pass);
            });
        }
        connections.close();
        connections.wait().await;
    }

    /// Carries datagrams over a TCP connection, each with its length in front (RFC 4571 2), until it ends, or is silent, or brings
    /// what is of no session.
    async fn carry(&self, stream: TcpStream, path: Path) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let (sender, mut unsent) = mpsc::channel::<Bytes>(MAX_UNSENT);
        self.connections().insert(path, sender);
        let read = async {
            loop {
                let length = timeout(TCP_IDLE, reader.read_u16()).await??;
                if usize::from(length) > MAX_DATAGRAM {
                    return Err(std::io::Error::other(format!("a frame of {length} bytes, more than {MAX_DATAGRAM}")));
                }
                let mut datagram = BytesMut::zeroed(length.into());
                timeout(TCP_IDLE, reader.read_exact(&mut datagram)).await??;
                if self.deliver(path, datagram.freeze()) == Delivery::Stranger {
                    return Err(std::io::Error::other("what it brings is of no session"));
                }
            }
        };
        let write = async {
            while let Some(datagram) = unsent.recv().await {
                let length = u16::try_from(datagram.len()).unwrap_or(u16::MAX).to_be_bytes();
                let frame = [&length, &*datagram].concat();
                timeout(TCP_IDLE, writer.write_all(&frame)).await??;
            }
            Ok(())
        };
        tokio::select! {
            ended = read => ended,
            ended = write => ended,
        }
    }

    fn deliver(&self, path: Path, data: Bytes) -> Delivery {
        let length = data.len() as u64;
        let delivery = self.0.routes.deliver(Datagram { path, received: Instant::now().into_std(), data });
        match delivery {
            Delivery::Delivered => {
                self.0.metrics.bytes.inc_by(length);
                self.0.metrics.messages.inc();
            }
            Delivery::Stranger => self.0.metrics.dropped_datagram("stranger"),
            Delivery::Overflow => self.0.metrics.dropped_datagram("overflow"),
        }
        delivery
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<Path, mpsc::Sender<Bytes>>> {
        // No code that holds the lock can leave the map half changed.
        self.0.tcp.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
