//! Publishing by SRT: MPEG-TS over the protocol of `srt-protocol`, which is what `srt-tokio` drives its sockets with.
//!
//! It is driven here without `srt-tokio`, whose sockets always say goodbye: a publisher that dies does not.

mod ts;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use serde::Serialize;
use srt_protocol::connection::DuplexConnection;
use srt_protocol::options::{ByteCount, Encryption, KeySize, LiveBandwidthMode, SocketOptions};
use srt_protocol::packet::{Packet, ReceivePacketResult, SeqNumber};
use srt_protocol::protocol::pending_connection::connect::Connect;
use srt_protocol::protocol::pending_connection::{ConnectionReject, ConnectionResult};
use tokio::net::UdpSocket;
use tokio::time::{interval, sleep_until};

use super::call::{Call, Gone};
use super::clip::Clip;
use super::dial;
use super::schedule::Due;
use ts::Muxer;
pub(super) use ts::Streams;

/// How often the handshake looks whether it has to say something again.
const TICK: Duration = Duration::from_millis(100);
/// Room for what is not acknowledged yet: twenty seconds of 3 Mb/s.
const SEND_BUFFER: ByteCount = ByteCount(8 << 20);
/// A datagram of the largest size that SRT agrees on.
const DATAGRAM: usize = 1_500;

/// A connection that publishes.
pub(super) struct Connection {
    socket: UdpSocket,
    protocol: DuplexConnection,
    muxer: Muxer,
    /// What the kernel had no room for.
    held: Option<(Packet, SocketAddr)>,
    outbox: BytesMut,
    inbox: BytesMut,
}

/// What SRT counts.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Figures {
    /// Packets of media that were sent, each counted once.
    pub(super) packets: u64,
    /// Packets that were sent again.
    pub(super) retransmitted: u64,
    /// Packets that the server has reported as lost.
    pub(super) reported_lost: u64,
    /// Packets that were given up because they would have come too late.
    pub(super) dropped: u64,
}

impl Connection {
    /// Calls, and is let in.
    pub(super) async fn open(call: &Call) -> Result<Self, Gone> {
        let socket = dial::udp(call)?;
        socket.writable().await?;
        let stream_id = match &call.key {
            Some(key) => format!("publish:{}:{key}", call.channel),
            None => format!("publish:{}", call.channel),
        };
        let first = SeqNumber::new_truncate(u32::try_from(call.seed & u64::from(u32::MAX)).unwrap_or(0));
        let local = socket.local_addr()?.ip();
        let mut connect = Connect::new(call.server, local, options(call)?.into(), Some(stream_id), first);
        let mut ticks = interval(TICK);
        let (mut outbox, mut inbox) = (BytesMut::with_capacity(DATAGRAM), BytesMut::with_capacity(DATAGRAM));
        loop {
            let result = tokio::select! {
                _ = ticks.tick() => connect.handle_tick(Instant::now()),
                came = socket.recv_buf_from(&mut inbox) => {
                    let (_, from) = came?;
                    let packet = parse(&mut inbox, from);
                    connect.handle_packet(packet, Instant::now())
                }
            };
            let (packet, connected) = match result {
                ConnectionResult::SendPacket(packet) => (Some(packet), None),
                ConnectionResult::Connected(packet, connection) => (packet, Some(connection)),
                ConnectionResult::Reject(_, reject) => return Err(Gone::Refused(words(&reject))),
                ConnectionResult::Failure(error) => return Err(error.into()),
                _ => (None, None),
            };
            if let Some((packet, to)) = packet {
                outbox.clear();
                packet.serialize(&mut outbox);
                socket.send_to(&outbox, to).await?;
            }
            if let Some(connection) = connected {
                let protocol = DuplexConnection::new(connection);
                return Ok(Self { socket, protocol, muxer: Muxer::default(), held: None, outbox, inbox });
            }
        }
    }

    /// Sends a unit; how many bytes there are of it.
    pub(super) async fn send(&mut self, due: &Due, streams: &Streams, clip: &Clip) -> Result<usize, Gone> {
        let now = Instant::now();
        let mut length = 0;
        for datagram in self.muxer.datagrams(due, streams, clip) {
            length += datagram.len();
            self.protocol.handle_data_input(now, Some((now, datagram)));
        }
        while self.pump()? {
            self.socket.writable().await?;
        }
        Ok(length)
    }

    /// Answers what the server says, until it is gone. Cancelling loses nothing.
    pub(super) async fn attend(&mut self) -> Gone {
        loop {
            let blocked = match self.pump() {
                Ok(blocked) => blocked,
                Err(gone) => return gone,
            };
            if !self.protocol.is_open() {
                return Gone::Closed;
            }
            let due = self.protocol.check_timers(Instant::now());
            tokio::select! {
                () = sleep_until(due.into()) => {}
                writable = self.socket.writable(), if blocked => if let Err(error) = writable {
                    return error.into();
                },
                readable = self.socket.readable() => {
                    if let Err(gone) = readable.and_then(|()| self.read()) {
                        return gone.into();
                    }
                }
            }
        }
    }

    /// Says goodbye once all is acknowledged.
    pub(super) async fn finish(mut self) -> Result<(), Gone> {
        self.protocol.handle_data_input(Instant::now(), None);
        match self.attend().await {
            Gone::Closed => Ok(()),
            gone => Err(gone),
        }
    }

    pub(super) fn figures(&self) -> Figures {
        let counted = self.protocol.statistics();
        Figures {
            packets: counted.tx_unique_data,
            retransmitted: counted.tx_retransmit_data,
            reported_lost: counted.tx_loss_data,
            dropped: counted.tx_dropped_data,
        }
    }

    /// Sends what is due; whether the kernel has no room for all of it.
    fn pump(&mut self) -> Result<bool, Gone> {
        let now = Instant::now();
        self.protocol.check_timers(now);
        while self.protocol.next_data(now).is_some() {}
        while let Some((packet, to)) = self.held.take().or_else(|| self.protocol.next_packet(now)) {
            self.outbox.clear();
            packet.serialize(&mut self.outbox);
            match self.socket.try_send_to(&self.outbox, to) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.held = Some((packet, to));
                    return Ok(true);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    fn read(&mut self) -> io::Result<()> {
        loop {
            match self.socket.try_recv_buf_from(&mut self.inbox) {
                Ok((_, from)) => {
                    let packet = parse(&mut self.inbox, from);
                    self.protocol.handle_packet_input(Instant::now(), packet);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

fn options(call: &Call) -> Result<SocketOptions, Gone> {
    let mut options = SocketOptions::default();
    options.sender.buffer_size = SEND_BUFFER;
    options.sender.bandwidth = LiveBandwidthMode::Unlimited;
    options.sender.peer_latency = call.latency;
    options.receiver.latency = call.latency;
    if let Some(passphrase) = &call.passphrase {
        let refused = |_| Gone::Broken("a passphrase of SRT has 10 to 79 characters".to_owned());
        let passphrase = passphrase.clone().try_into().map_err(refused)?;
        options.encryption =
            Encryption { passphrase: Some(passphrase), key_size: KeySize::AES128, ..Encryption::default() };
    }
    Ok(options)
}

fn parse(datagram: &mut BytesMut, from: SocketAddr) -> ReceivePacketResult {
    let packet = Packet::parse(&mut &datagram[..], from.is_ipv6());
    datagram.clear();
    Ok((packet?, from))
}

/// A reject code, with what it stands for: libsrt's `access_control.h`, from 1000 on in `access_control`'s own words.
fn words(reject: &ConnectionReject) -> String {
    let (ConnectionReject::Rejected(reason) | ConnectionReject::Rejecting(reason)) = reject;
    let code = i32::from(*reason);
    let meaning = match code {
        1_010 => "the passphrase is wrong",
        1_011 => "one side encrypts and the other does not: see --passphrase",
        2_400 => "the stream ID is not understood",
        2_401 => "the key is missing or wrong: see --key",
        2_402 => "there is no room for more publishers",
        2_403 => "publishing is forbidden",
        2_404 => "there is no such channel",
        2_409 => "somebody publishes into this channel already",
        2_415 => "the server does not take such media",
        2_503 => "the server takes no publishers now",
        _ => return format!("SRT reject code {code}: {reason}"),
    };
    // On the wire, a listener's own codes are a thousand above what it is said to have said.
    let shown = if code >= 2_000 { code - 1_000 } else { code };
    format!("SRT reject code {shown}: {meaning}")
}
