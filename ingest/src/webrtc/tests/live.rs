//! A publisher over real sockets on loopback: from its offer to samples in a feed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::timeout;
use touchline_media::feed::{self, Event};

use super::client::Client;
use super::desk::{Stage, key, offer};
use crate::webrtc::{Offer, Settings};

const PATIENCE: Duration = Duration::from_mins(1);
/// x264 at 320x180.
pub(super) const SPS: &[u8] =
    b"\x67\x64\0\x0d\xac\xd9\x41\x41\x9f\x9f\x01\x10\0\0\x03\0\x10\0\0\x03\x03\xc0\xf1\x42\x99\x60";
pub(super) const PPS: &[u8] = b"\x68\xef\x8f\xcb";

/// What the client sends by.
enum Line {
    Udp(UdpSocket),
    Tcp(OwnedWriteHalf, mpsc::Receiver<Bytes>),
}

impl Line {
    async fn tcp(server: SocketAddr) -> (Self, SocketAddr) {
        let stream = TcpStream::connect(server).await.unwrap();
        let address = stream.local_addr().unwrap();
        let (reader, writer) = stream.into_split();
        let (frames, received) = mpsc::channel(64);
        tokio::spawn(read_frames(reader, frames));
        (Self::Tcp(writer, received), address)
    }

    async fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        match self {
            Self::Udp(socket) => drop(socket.send_to(datagram, to).await.unwrap()),
            Self::Tcp(writer, _) => {
                let length = u16::try_from(datagram.len()).unwrap().to_be_bytes();
                writer.write_all(&[&length, datagram].concat()).await.unwrap();
            }
        }
    }

    async fn receive(&mut self) -> Option<Bytes> {
        match self {
            Self::Udp(socket) => {
                let mut room = vec![0; 2_048];
                let length = socket.recv(&mut room).await.unwrap();
                Some(Bytes::copy_from_slice(&room[..length]))
            }
            Self::Tcp(_, received) => received.recv().await,
        }
    }
}

async fn read_frames(mut reader: OwnedReadHalf, frames: mpsc::Sender<Bytes>) {
    while let Ok(length) = reader.read_u16().await {
        let mut frame = vec![0; length.into()];
        if reader.read_exact(&mut frame).await.is_err() || frames.send(frame.into()).await.is_err() {
            return;
        }
    }
}

/// Sends thirty keyframes and as much sound in a second, for as long as it is polled.
async fn publish(mut client: Client, mut line: Line, server: SocketAddr) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut count = 0_u16;
    loop {
        while let Some((to, datagram)) = client.poll_transmit() {
            line.send(to, &datagram).await;
        }
        tokio::select! {
            _ = ticks.tick() => if client.connected {
                let now = Instant::now();
                let parameters = [b"\x18\0\x1a".as_slice(), SPS, b"\0\x04", PPS, b"\0\x06\x65\x88\x80\x10\0\x01"].concat();
                client.send(0, count, u32::from(count) * 1_800, &parameters, now);
                client.send(1, count, u32::from(count) * 960, b"\xfc\xff\xfe", now);
                count += 1;
            },
            received = line.receive() => match received {
                Some(datagram) => client.handle(server, &datagram, Instant::now()),
                None => return,
            },
        }
        client.handle_timeout(Instant::now());
    }
}

/// Publishes until there are some samples of both tracks; then the session is closed by HTTP, and the feed ends.
async fn publishes_and_leaves(by_tcp: bool) {
    let mut stage = Stage::open(Settings::default()).await;
    let server = stage.address;
    let (line, address) = if by_tcp {
        Line::tcp(server).await
    } else {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        (Line::Udp(socket), address)
    };
    let mut client = Client::new(address, Instant::now());
    let (writer, mut reader) = feed::channel();
    let sdp = client.offer(Instant::now());
    let answer = stage.offer(Offer { sdp, ..offer() }, Ok(writer)).await.unwrap();
    client.accept(&answer.sdp, Instant::now());
    let publishing = tokio::spawn(publish(client, line, server));

    let mut samples = [0, 0];
    let mut codecs = Vec::new();
    while samples.iter().any(|count| *count < 10) {
        match timeout(PATIENCE, reader.next()).await.unwrap().unwrap() {
            Event::Start { tracks, .. } => {
                codecs = tracks.iter().map(|track| track.format.codec().into_owned()).collect();
            }
            Event::Sample(sample) => samples[usize::try_from(sample.track.0).unwrap()] += 1,
        }
    }
    assert_eq!(codecs, ["avc1.64000d", "opus"]);
    let report = stage.desk.health(&answer.session, Some(&key())).unwrap();
    assert_eq!((report.channel.as_str(), report.vitals.tracks.len()), ("main", 2));
    assert_eq!(stage.metrics.publishers.get(), 1);
    stage.desk.close(&answer.session, Some(&key())).await.unwrap();
    while timeout(PATIENCE, reader.next()).await.unwrap().is_some() {}
    assert_eq!((stage.metrics.publishers.get(), stage.desk.routes().count()), (0, (0, 0, 0)));
    publishing.abort();
    stage.close().await;
}

#[tokio::test]
async fn a_publisher_by_udp_is_served() {
    publishes_and_leaves(false).await;
}

#[tokio::test]
async fn a_publisher_by_tcp_is_served() {
    publishes_and_leaves(true).await;
}

#[tokio::test]
async fn a_tcp_connection_that_brings_junk_is_closed() {
    let stage = Stage::open(Settings::default()).await;
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    // A reset is an end too.
    drop(timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap());
    assert_eq!(rest, b"");
    stage.close().await;
}
