//! The server on real sockets.

use std::net::SocketAddr;

use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use touchline_media::feed;

use super::super::{Settings, serve};
use super::fixtures;
use super::script::Script;
use crate::metrics::Reason;
use crate::{Metrics, Publish};

struct Server {
    address: SocketAddr,
    publishes: mpsc::Receiver<Publish>,
    metrics: Metrics,
    registry: Registry,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let (sender, publishes) = mpsc::channel(8);
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve([listener.into()], settings, sender, metrics.clone(), shutdown.clone()));
        Self { address, publishes, metrics, registry, shutdown, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A publisher that has been accepted; the recording is sent up to `end`.
    async fn publisher(&mut self, recording: &[u8], end: usize) -> (TcpStream, feed::Reader) {
        let mut stream = self.connect().await;
        stream.write_all(&recording[..end]).await.unwrap();
        let (writer, reader) = feed::channel();
        self.publishes.recv().await.unwrap().accept(writer);
        (stream, reader)
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
        assert_eq!(self.metrics.open_connections.get(), 0);
    }
}

/// The number of samples up to the end of the feed.
async fn count(mut reader: feed::Reader) -> u64 {
    let mut samples = 0;
    while let Some(event) = reader.next().await {
        samples += u64::from(matches!(event, feed::Event::Sample(_)));
    }
    samples
}

const RECORDING: &str = "ffmpeg-5.1-24fps-44100.rtmp";
/// Of video and audio.
const FRAMES: u64 = 72 + 131;

#[tokio::test]
async fn of_5000_connections_as_many_as_allowed_get_in_and_a_publisher_is_undisturbed() {
    let settings = Settings { connections: 16, connections_per_address: 16, ..Settings::default() };
    let mut server = Server::start(settings).await;
    let recording = fixtures::read(RECORDING);
    let (mut publisher, reader) = server.publisher(&recording, recording.len() / 2).await;
    let mut inside = Vec::new();
    let mut refused = 0;
    for _ in 0..5_000 {
        let mut stream = server.connect().await;
        if inside.len() < 15 {
            stream.write_all(&Script::greeted().bytes).await.unwrap();
            stream.read_u8().await.unwrap();
            inside.push(stream);
        } else {
            // The server closes it before it says a word.
            refused += u64::from(!matches!(stream.read(&mut [0]).await, Ok(1)));
        }
    }
    let reason = Reason { reason: "connections" };
    assert_eq!((refused, server.metrics.refusals.get_or_create(&reason).get()), (4_985, 4_985));
    assert_eq!((server.metrics.open_connections.get(), server.metrics.connections.get()), (16, 16));
    publisher.write_all(&recording[recording.len() / 2..]).await.unwrap();
    assert_eq!(count(reader).await, FRAMES);
    drop((inside, publisher));
    server.stop().await;
}

#[tokio::test]
async fn a_publisher_is_undisturbed_by_hostile_peers() {
    let mut server = Server::start(Settings::default()).await;
    let recording = fixtures::read(RECORDING);
    let (mut publisher, reader) = server.publisher(&recording, recording.len() / 2).await;
    let deep = [0x0a, 0, 0, 0, 1].repeat(13_000);
    let hostile = [
        Script::new().raw(b"GET / HTTP/1.1\r\n\r\n"),
        Script::greeted().raw(&[0xff; 4_096]),
        Script::connected().message(3, 0, 20, &deep),
        Script::connected().header(6, 9, 0x00ff_ffff),
        (0..200).fold(Script::greeted(), |script, id| script.raw(&[0, id, 0, 0, 0, 0, 0, 0, 18, 0, 0, 0, 0])),
        Script::connected().message(2, 0, 1, &[0; 4]),
    ];
    for script in &hostile {
        let mut stream = server.connect().await;
        stream.write_all(&script.bytes).await.unwrap();
        // Whether the end comes as such or as a reset depends on what is unread.
        drop(stream.read_to_end(&mut Vec::new()).await);
    }
    publisher.write_all(&recording[recording.len() / 2..]).await.unwrap();
    assert_eq!(count(reader).await, FRAMES);
    drop(publisher);
    let metrics = server.metrics.clone();
    server.stop().await;
    assert_eq!(metrics.protocol_errors.get(), hostile.len() as u64);
}

#[tokio::test]
async fn shutdown_says_goodbye_and_waits_for_all() {
    let mut server = Server::start(Settings::default()).await;
    let recording = fixtures::read(RECORDING);
    let (mut publisher, reader) = server.publisher(&recording, recording.len() / 2).await;
    server.shutdown.cancel();
    let mut said = Vec::new();
    publisher.read_to_end(&mut said).await.unwrap();
    assert!(String::from_utf8_lossy(&said).contains("NetConnection.Connect.Closed"));
    drop(publisher);
    count(reader).await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_received_is_counted() {
    let mut server = Server::start(Settings::default()).await;
    let recording = fixtures::read(RECORDING);
    let (publisher, reader) = server.publisher(&recording, recording.len()).await;
    assert_eq!(count(reader).await, FRAMES);
    drop(publisher);
    let Server { registry, shutdown, task, .. } = server;
    shutdown.cancel();
    task.await.unwrap();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "touchline_ingest_connections_total 1",
        "touchline_ingest_open_connections 0",
        "touchline_ingest_publishers 0",
        "touchline_ingest_buffered_bytes 0",
        "touchline_ingest_units_total{kind=\"video\"} 72",
        "touchline_ingest_units_total{kind=\"audio\"} 131",
        &format!("touchline_ingest_received_bytes_total {}", recording.len()),
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}
