//! RTMP over TLS.

use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::CancellationToken;
use touchline_media::feed;
use touchline_tls::{Files, Listener, Tls};

use super::super::connection::{Context, run};
use super::super::departure::Departures;
use super::super::{Settings, serve};
use super::script::Script;
use super::{PEER, fixtures};
use crate::metrics::Reason;
use crate::{Metrics, Protocol};

/// A certificate, and clients who trust it alone.
struct Trusted {
    tls: Tls,
    pair: CertifiedKey<KeyPair>,
}

impl Trusted {
    fn new() -> Self {
        let pair = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (chain, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
        fs::write(&chain, pair.cert.pem()).unwrap();
        fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        Self { tls: Tls::new(Files::new(chain, key).read().unwrap(), &[]).unwrap(), pair }
    }

    async fn connect<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> TlsStream<S> {
        let mut roots = RootCertStore::empty();
        roots.add(self.pair.cert.der().clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await.unwrap()
    }
}

#[tokio::test]
async fn publishers_come_by_tls_and_in_the_clear() {
    let trusted = Trusted::new();
    let (clear, secured) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let addresses = [clear.local_addr().unwrap(), secured.local_addr().unwrap()];
    let listeners = [clear.into(), Listener::secured(secured, trusted.tls.clone())];
    let (sender, mut publishes) = mpsc::channel(1);
    let (metrics, shutdown) = (Metrics::default(), CancellationToken::new());
    let server = tokio::spawn(serve(listeners, Settings::default(), sender, metrics.clone(), shutdown.clone()));

    let recording = fixtures::read("ffmpeg-5.1-24fps-44100.rtmp");
    for (address, protocol) in addresses.into_iter().zip([Protocol::Rtmp, Protocol::Rtmps]) {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream: Box<dyn Stream> = match protocol {
            Protocol::Rtmps => Box::new(trusted.connect(stream).await),
            _ => Box::new(stream),
        };
        stream.write_all(&recording).await.unwrap();
        stream.flush().await.unwrap();
        let publish = publishes.recv().await.unwrap();
        assert_eq!(publish.protocol, protocol);
        let (writer, mut reader) = feed::channel();
        publish.accept(writer);
        let mut samples = 0;
        while let Some(event) = reader.next().await {
            samples += u64::from(matches!(event, feed::Event::Sample(_)));
        }
        assert_eq!(samples, 72 + 131, "{protocol}");
        stream.shutdown().await.unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.unwrap();
        assert!(String::from_utf8_lossy(&said).contains("NetStream.Publish.Start"));
    }
    shutdown.cancel();
    server.await.unwrap();
    assert_eq!(metrics.departures.get_or_create(&Reason { reason: "unpublished" }).get(), 2);
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// A connection by TLS, and its far end before any handshake.
struct Peer {
    trusted: Trusted,
    stream: DuplexStream,
    task: JoinHandle<Instant>,
    metrics: Metrics,
}

impl Peer {
    fn new() -> Self {
        let (trusted, metrics) = (Trusted::new(), Metrics::default());
        let (stream, theirs) = duplex(1 << 16);
        let (publishes, _) = mpsc::channel(1);
        let context = Context {
            settings: Settings::default(),
            publishes,
            metrics: metrics.clone(),
            departures: Departures::new(metrics.clone()),
            shutdown: CancellationToken::new(),
        };
        let tls = trusted.tls.clone();
        let task = tokio::spawn(async move {
            run(theirs, Some(tls), PEER, &context).await;
            Instant::now()
        });
        Self { trusted, stream, task, metrics }
    }
}

fn departed(metrics: &Metrics, reason: &'static str) -> bool {
    assert_eq!(metrics.open_connections.get(), 0);
    metrics.departures.get_or_create(&Reason { reason }).get() == 1
}

#[tokio::test(start_paused = true)]
async fn both_handshakes_together_have_ten_seconds() {
    for wait in [None, Some(Duration::from_secs(6))] {
        let start = Instant::now();
        let peer = Peer::new();
        let stream = match wait {
            None => Err(peer.stream),
            Some(wait) => {
                sleep(wait).await;
                Ok(peer.trusted.connect(peer.stream).await)
            }
        };
        assert_eq!(peer.task.await.unwrap() - start, Duration::from_secs(10));
        assert!(departed(&peer.metrics, "no_handshake"));
        drop(stream);
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_speak_tls_is_sent_away_at_once() {
    let mut peer = Peer::new();
    peer.stream.write_all(&Script::greeted().bytes).await.unwrap();
    // RFC 8446 5.1: an alert.
    assert_eq!(peer.stream.read_u8().await.unwrap(), 21);
    peer.task.await.unwrap();
    assert!(departed(&peer.metrics, "no_tls"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_without_a_word_of_tls_is_closed_and_not_broken() {
    let peer = Peer::new();
    let mut stream = peer.trusted.connect(peer.stream).await;
    stream.write_all(&Script::greeted().bytes).await.unwrap();
    stream.read_exact(&mut [0; 1 + 2 * 1_536]).await.unwrap();
    drop(stream.into_inner().0);
    peer.task.await.unwrap();
    assert!(departed(&peer.metrics, "closed"));
}

#[tokio::test(start_paused = true)]
async fn a_peer_by_tls_that_reads_nothing_is_gone_after_10_s() {
    let peer = Peer::new();
    let mut stream = peer.trusted.connect(peer.stream).await;
    let pings = (0..40_000).fold(Script::greeted(), |s, _| s.message(2, 0, 4, &[0, 6, 0, 0, 0, 0]));
    let start = Instant::now();
    assert_eq!(stream.write_all(&pings.bytes).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(peer.task.await.unwrap() - start, Duration::from_secs(10));
    assert!(departed(&peer.metrics, "not_reading"));
}
