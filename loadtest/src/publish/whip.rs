//! Publishing by WebRTC: an offer by HTTP as WHIP has it (RFC 9725), and the peer connection of `rtc`, which is sans-IO, over UDP.

mod http;
mod packets;
mod peer;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use tokio::net::UdpSocket;
use tokio::time::sleep_until;

use super::call::{Call, Gone};
use super::clip::Clip;
use super::dial;
use super::schedule::Due;
pub(super) use packets::Packets;
use peer::Peer;

/// A datagram of the largest size that a peer sends.
const DATAGRAM: usize = 2_048;
/// A peer that is waiting for nothing is asked again after so long.
const IDLE: Duration = Duration::from_millis(100);

/// A session that publishes.
pub(super) struct Connection {
    socket: UdpSocket,
    local: SocketAddr,
    peer: Peer,
    /// Where the session is ended.
    session: http::Session,
    /// What the kernel had no room for.
    held: Option<(SocketAddr, Bytes)>,
    inbox: Vec<u8>,
}

/// What the peer connection counts.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Figures {
    /// RTP packets that were sent, each counted once.
    pub(super) packets: u64,
    /// Packets that the server has asked for again.
    pub(super) nacks: u64,
    /// Keyframes that the server has asked for; a recording has none to give.
    pub(super) keyframe_requests: u64,
    /// Packets that the server has reported as lost for good.
    pub(super) reported_lost: u64,
    /// By the newest report of the server, in milliseconds.
    pub(super) round_trip_ms: Option<f64>,
}

impl Connection {
    /// Offers, and is connected.
    pub(super) async fn open(call: &Call, packets: &Packets) -> Result<Self, Gone> {
        let socket = dial::udp(call)?;
        socket.writable().await?;
        let local = dial::facing(&socket, call.server)?;
        let mut peer = Peer::new(local, packets.offered(), call.seed, Instant::now())?;
        let offer = peer.offer(Instant::now())?;
        let (session, answer) = http::Session::begin(call, offer).await?;
        peer.accept(answer, Instant::now())?;
        let mut connection = Self { socket, local, peer, session, held: None, inbox: vec![0; DATAGRAM] };
        while !connection.peer.is_connected() {
            connection.step().await?;
        }
        Ok(connection)
    }

    /// Sends a unit; how many bytes there are of it.
    pub(super) async fn send(&mut self, due: &Due, packets: &Packets, clip: &Clip) -> Result<usize, Gone> {
        let length = self.peer.send(due, packets, clip, Instant::now())?;
        while self.pump()? {
            self.socket.writable().await?;
        }
        Ok(length)
    }

    /// Answers what the server says, until it is gone. Cancelling loses nothing.
    pub(super) async fn attend(&mut self) -> Gone {
        loop {
            if let Err(gone) = self.step().await {
                return gone;
            }
        }
    }

    /// Ends the session.
    pub(super) async fn finish(mut self, call: &Call) -> Result<(), Gone> {
        self.session.end(call).await?;
        self.peer.close();
        self.pump().map(|_| ())
    }

    pub(super) fn figures(&self) -> Figures {
        self.peer.figures()
    }

    /// Sends what is to be sent, and waits for what comes next.
    async fn step(&mut self) -> Result<(), Gone> {
        let blocked = self.pump()?;
        if self.peer.is_closed() {
            return Err(Gone::Closed);
        }
        let now = Instant::now();
        let due = self.peer.poll_timeout().map_or(now + IDLE, |due| due.min(now + IDLE));
        tokio::select! {
            () = sleep_until(due.into()) => self.peer.handle_timeout(Instant::now()),
            writable = self.socket.writable(), if blocked => writable?,
            readable = self.socket.readable() => readable.and_then(|()| self.read())?,
        }
        Ok(())
    }

    /// Sends what there is to send; whether the kernel has no room for all of it.
    fn pump(&mut self) -> Result<bool, Gone> {
        while let Some((to, datagram)) = self.held.take().or_else(|| self.peer.poll_transmit()) {
            match self.socket.try_send_to(&datagram, to) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.held = Some((to, datagram));
                    return Ok(true);
                }
                // A candidate of the server may be out of reach from this socket.
                Err(_) if !self.peer.is_connected() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    fn read(&mut self) -> io::Result<()> {
        loop {
            match self.socket.try_recv_from(&mut self.inbox) {
                Ok((length, from)) => {
                    let datagram = self.inbox.get(..length).unwrap_or_default();
                    self.peer.handle(from, self.local, datagram, Instant::now());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}
