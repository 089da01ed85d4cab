//! One caller: a socket of its own towards the server, and the two ways between them.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::MAX_DATAGRAM;
use super::link::Link;
use super::tally::Tally;
use crate::Error;

/// A caller that is not heard of for so long, nor its server, has gone.
pub(super) const IDLE: Duration = Duration::from_secs(30);

/// A caller and its ways.
pub(super) struct Flow {
    caller: SocketAddr,
    listener: Arc<UdpSocket>,
    upstream: UdpSocket,
    there: Link,
    back: Link,
    tally: Arc<Tally>,
}

impl Flow {
    /// A flow from `caller`, who is answered by `listener`, to `server`.
    pub(super) async fn open(
        caller: SocketAddr,
        listener: Arc<UdpSocket>,
        server: SocketAddr,
        [there, back]: [Link; 2],
        tally: Arc<Tally>,
    ) -> Result<Self, Error> {
        let any: SocketAddr =
            if server.is_ipv6() { (Ipv6Addr::UNSPECIFIED, 0).into() } else { (Ipv4Addr::UNSPECIFIED, 0).into() };
        let failed = |source| Error::Io { doing: "opening a socket towards the server", source };
        let upstream = UdpSocket::bind(any).await.map_err(failed)?;
        upstream.connect(server).await.map_err(failed)?;
        tally.callers.add(1);
        Ok(Self { caller, listener, upstream, there, back, tally })
    }

    /// Carries what comes from the caller by `inbox`, and what the server answers, until neither is heard of any more.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Bytes>) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut heard = Instant::now();
        loop {
            self.hand_on().await;
            let next = [self.there.next_arrival(), self.back.next_arrival()].into_iter().flatten().min();
            tokio::select! {
                called = inbox.recv() => match called {
                    Some(datagram) => {
                        heard = Instant::now();
                        self.tally.there.taken(self.there.take(datagram, heard.into_std()));
                    }
                    None => return,
                },
                // An error is the server's host that refuses: the caller finds out by itself, as without a relay.
                answered = self.upstream.recv(&mut buffer) => if let Ok(len) = answered {
                    heard = Instant::now();
                    let datagram = Bytes::copy_from_slice(buffer.get(..len).unwrap_or_default());
                    self.tally.back.taken(self.back.take(datagram, heard.into_std()));
                },
                () = sleep_until(next.map_or(heard + IDLE, Instant::from_std)) => if next.is_none() {
                    return;
                },
            }
        }
    }

    /// Sends what has arrived. A socket that cannot send loses it, as the network does.
    async fn hand_on(&mut self) {
        let now = Instant::now().into_std();
        while let Some(arrival) = self.there.arrived(now) {
            self.tally.there.arrived(&arrival);
            drop(self.upstream.send(&arrival.datagram).await);
        }
        while let Some(arrival) = self.back.arrived(now) {
            self.tally.back.arrived(&arrival);
            drop(self.listener.send_to(&arrival.datagram, self.caller).await);
        }
    }
}
