//! Real SRT callers publish into a listener.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::SinkExt as _;
use prometheus_client::registry::Registry;
use srt_tokio::SrtSocket;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use touchline_ingest::srt::{self, Passphrase};
use touchline_ingest::{Metrics, Protocol, Publish, Rejection, Secret};
use touchline_media::feed::{self, Event};
use touchline_srt::listener::{Admission, Hello, Options};
use touchline_srt::{Error, Listener, Reject, Socket, caller};

const PATIENCE: Duration = Duration::from_mins(1);
/// Frames of the clip that encoders send, and how many of them are keyframes.
const FRAMES: usize = 90;
const KEYFRAMES: usize = 3;

/// A listener, and whoever answers requests to publish.
struct Server {
    address: SocketAddr,
    publishes: mpsc::Receiver<Publish>,
    metrics: Metrics,
    registry: Registry,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    fn start(settings: srt::Settings, door: srt::Door) -> Self {
        let bound = srt::bind(SocketAddr::from(([127, 0, 0, 1], 0)), settings).unwrap();
        let (sender, publishes) = mpsc::channel(8);
        let (shutdown, mut registry) = (CancellationToken::new(), Registry::default());
        let (address, metrics) = (bound.local_addr(), Metrics::register(&mut registry));
        let task = tokio::spawn(bound.serve(door, sender, metrics.clone(), shutdown.clone()));
        Self { address, publishes, metrics, registry, shutdown, task }
    }

    fn open() -> Self {
        Self::start(srt::Settings::default(), Box::new(|_, _, _| Ok(None)))
    }

    fn url(&self, query: &str) -> String {
        format!("srt://{}?{query}", self.address)
    }

    async fn next(&mut self) -> Publish {
        timeout(PATIENCE, self.publishes.recv()).await.unwrap().unwrap()
    }

    /// Lets the next publisher in; what it sends until it leaves.
    async fn take(&mut self) -> Feed {
        let publish = self.next().await;
        assert_eq!((publish.channel.as_str(), publish.protocol), ("main", Protocol::Srt));
        let (writer, mut reader) = feed::channel();
        publish.accept(writer);
        let mut feed = Feed::default();
        while let Some(event) = timeout(PATIENCE, reader.next()).await.unwrap() {
            match event {
                Event::Start { tracks, .. } => {
                    feed.codecs = tracks.iter().map(|track| track.format.codec().into_owned()).collect();
                    feed.stretches += 1;
                }
                Event::Sample(sample) => {
                    let (count, sync) = feed.samples.entry(sample.track.0).or_default();
                    *count += 1;
                    *sync += usize::from(sample.sync);
                }
            }
        }
        feed
    }

    /// The value of a metric.
    fn metric(&self, name: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.unwrap_or_else(|| panic!("{name} is missing:\n{text}"))
    }

    async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

/// What somebody has sent.
#[derive(Debug, Default)]
struct Feed {
    codecs: Vec<String>,
    stretches: usize,
    /// Samples, and those of them at which a decoder can start, by track.
    samples: BTreeMap<u32, (usize, usize)>,
}

impl Feed {
    #[track_caller]
    fn assert_whole(&self) {
        assert_eq!(self.samples.get(&0), Some(&(FRAMES, KEYFRAMES)), "{self:?}");
        // 3 s of AAC at 48 kHz are 140 or 141 frames, and what an encoder puts before them.
        assert!(self.samples.get(&1).is_some_and(|(frames, _)| (139..=143).contains(frames)), "{self:?}");
        assert_eq!(self.stretches, 1, "{self:?}");
    }
}

/// Three seconds of pictures and sound, as arguments of ffmpeg.
fn clip() -> Vec<&'static str> {
    "-hide_banner -loglevel error -f lavfi -i testsrc=size=160x90:rate=30 -f lavfi -i sine=sample_rate=48000 -t 3 \
     -c:v libx264 -preset ultrafast -tune zerolatency -g 30 -keyint_min 30 -sc_threshold 0 -c:a aac"
        .split_whitespace()
        .collect()
}

fn ffmpeg(arguments: &[&str]) -> JoinHandle<Output> {
    run("ffmpeg", &[&clip()[..], arguments].concat())
}

fn run(program: &'static str, arguments: &[&str]) -> JoinHandle<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    tokio::spawn(async move { command.output().await.unwrap_or_else(|error| panic!("{program}: {error}")) })
}

async fn succeed(program: JoinHandle<Output>) {
    let output = timeout(PATIENCE, program).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn call(server: &Server, stream_id: &str) -> Result<Socket, Error> {
    let options = caller::Options { stream_id: Some(stream_id.into()), ..caller::Options::default() };
    caller::connect(server.address, &options).await
}

async fn refusal(server: &Server, stream_id: &str) -> Reject {
    match call(server, stream_id).await {
        Err(Error::Refused { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn ffmpeg_publishes_whole() {
    let mut server = Server::open();
    let program = ffmpeg(&["-f", "mpegts", &server.url("streamid=publish:main&linger=2&pkt_size=1316")]);
    let feed = server.take().await;
    succeed(program).await;
    feed.assert_whole();
    assert!(feed.codecs.iter().any(|codec| codec.starts_with("avc1")), "{feed:?}");
    assert_eq!(server.metric("touchline_ingest_publishers"), 0);
    assert_eq!(server.metric("touchline_ingest_departures_total{reason=\"closed\"}"), 1);
    server.stop().await;
}

#[tokio::test]
async fn ffmpeg_publishes_encrypted_with_the_long_form_of_a_stream_id() {
    let passphrase = Passphrase::new("correct-horse").unwrap();
    let door: srt::Door = Box::new(move |channel, key, _| {
        assert_eq!((channel.as_str(), key), ("main", Some(&Secret::new("s3cret"))));
        Ok(Some(passphrase.clone()))
    });
    let mut server = Server::start(srt::Settings::default(), door);
    let query =
        "streamid=%23!::m%3Dpublish,r%3Dmain,s%3Ds3cret&passphrase=correct-horse&pbkeylen=32&linger=2&pkt_size=1316";
    let program = ffmpeg(&["-f", "mpegts", &server.url(query)]);
    let feed = server.take().await;
    succeed(program).await;
    feed.assert_whole();
    server.stop().await;
}

/// An implementation of SRT that shares nothing with libsrt.
#[tokio::test]
async fn srt_tokio_publishes_whole_and_encrypted() {
    let passphrase = Passphrase::new("correct-horse").unwrap();
    let mut server = Server::start(srt::Settings::default(), Box::new(move |_, _, _| Ok(Some(passphrase.clone()))));
    let clip = ffmpeg(&["-f", "mpegts", "-"]).await.unwrap().stdout;
    let address = server.address.to_string();
    let sending = async {
        let caller = SrtSocket::builder().encryption(16, "correct-horse");
        let mut socket = caller.call(address.as_str(), Some("publish:main")).await.unwrap();
        // It does not wait for what is not acknowledged when it closes: as a live source, it has the time of its clip.
        let mut pace = interval(Duration::from_millis(5));
        for datagram in clip.chunks(1_316) {
            socket.send((Instant::now(), Bytes::copy_from_slice(datagram))).await.unwrap();
            pace.tick().await;
        }
        socket.close().await.unwrap();
    };
    let (feed, ()) = tokio::join!(server.take(), sending);
    feed.assert_whole();
    server.stop().await;
}

#[tokio::test]
async fn gstreamer_publishes_whole() {
    let mut server = Server::open();
    let uri = format!("uri={}", server.url("streamid=publish:main"));
    let pipeline = "mpegtsmux name=mux alignment=7 ! srtsink wait-for-connection=true";
    let video = "videotestsrc num-buffers=90 ! video/x-raw,width=160,height=90,framerate=30/1 \
                 ! x264enc tune=zerolatency key-int-max=30 ! h264parse ! mux.";
    let audio = "audiotestsrc num-buffers=141 samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! mux.";
    let words: Vec<&str> = [pipeline, &uri, video, audio].into_iter().flat_map(str::split_whitespace).collect();
    let program = run("gst-launch-1.0", &[&["-q"], &words[..]].concat());
    let feed = server.take().await;
    succeed(program).await;
    feed.assert_whole();
    server.stop().await;
}

#[tokio::test]
async fn callers_read_why_they_are_refused() {
    let door: srt::Door = Box::new(|channel, key, _| match (channel.as_str(), key) {
        ("busy", _) => Err(Rejection::Busy),
        ("full", _) => Err(Rejection::Full),
        (_, None) => Err(Rejection::Unauthorised),
        _ => Ok(None),
    });
    let mut server = Server::start(srt::Settings::default(), door);
    for (stream_id, reject) in [
        ("main", Reject::BAD_REQUEST),
        ("#!::r=main", Reject::BAD_MODE),
        ("#!::m=publish,r=main,t=file", Reject::UNSUPPORTED_MEDIA),
        ("publish:main", Reject::UNAUTHORIZED),
        ("publish:busy:key", Reject::CONFLICT),
        ("publish:full:key", Reject::OVERLOAD),
    ] {
        assert_eq!(refusal(&server, stream_id).await, reject, "{stream_id}");
    }
    let socket = call(&server, "publish:main:key").await.unwrap();
    assert_eq!(server.next().await.key, Some(Secret::new("key")));
    drop(socket);
    assert_eq!(server.metric("touchline_ingest_refusals_total{reason=\"stream_id\"}"), 3);
    server.stop().await;
}

#[tokio::test]
async fn a_publisher_that_the_channel_does_not_want_is_disconnected() {
    let mut server = Server::open();
    let mut socket = call(&server, "publish:main").await.unwrap();
    server.next().await.reject(Rejection::Busy);
    assert_eq!(timeout(PATIENCE, socket.recv(&mut [0; 1_456])).await.unwrap().unwrap(), None);
    server.stop().await;
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() {
    let settings = srt::Settings { connections_per_address: 1, ..srt::Settings::default() };
    let mut server = Server::start(settings, Box::new(|_, _, _| Ok(None)));
    let first = call(&server, "publish:main").await.unwrap();
    let publish = server.next().await;
    assert_eq!(refusal(&server, "publish:other").await, Reject::OVERLOAD);
    drop((first, publish));
    server.stop().await;
}

#[tokio::test]
async fn who_sends_nothing_that_can_be_shown_is_sent_away() {
    let settings = srt::Settings { media: Duration::from_millis(300), ..srt::Settings::default() };
    let mut server = Server::start(settings, Box::new(|_, _, _| Ok(None)));
    let mut socket = call(&server, "publish:main").await.unwrap();
    let (writer, _reader) = feed::channel();
    server.next().await.accept(writer);
    // Null packets (ISO/IEC 13818-1 2.4.3.3), for as long as the connection takes them.
    let null = [0x47, 0x1f, 0xff, 0x10].into_iter().chain([0xff; 184]).collect::<Vec<u8>>().repeat(7);
    let sending = async {
        while socket.send(&null).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, sending).await.unwrap();
    assert_eq!(server.metric("touchline_ingest_departures_total{reason=\"no_media\"}"), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_drain_ends_feeds_and_refuses_callers() {
    let mut server = Server::open();
    let mut socket = call(&server, "publish:main").await.unwrap();
    let (writer, mut reader) = feed::channel();
    server.next().await.accept(writer);
    server.shutdown.cancel();
    assert!(timeout(PATIENCE, reader.next()).await.unwrap().is_none());
    assert_eq!(timeout(PATIENCE, socket.recv(&mut [0; 1_456])).await.unwrap().unwrap(), None);
    assert!(server.metrics.roster().read(Instant::now()).is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_source_is_fetched_again_whenever_it_ends() {
    let asked: fn(&Hello<'_>) -> Result<Admission, Reject> = |hello| match hello.stream_id {
        "request:main" => Ok(Admission { passphrase: Passphrase::new("correct-horse").ok(), latency: None }),
        _ => Err(Reject::NOT_FOUND),
    };
    let mut studio = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &Options::default(), asked).unwrap();
    let url = format!("srt://{}?streamid=request:main&passphrase=correct-horse&pbkeylen=24", studio.local_addr());
    let (sender, mut publishes) = mpsc::channel(8);
    let (shutdown, metrics) = (CancellationToken::new(), Metrics::default());
    let source = srt::Source::parse(&url).unwrap();
    let pulling =
        srt::pull("main".parse().unwrap(), source, srt::Settings::default(), sender, metrics, shutdown.clone());
    let pulling = tokio::spawn(pulling);
    for _ in 0..2 {
        let socket = timeout(PATIENCE, studio.accept()).await.unwrap().unwrap();
        let publish = timeout(PATIENCE, publishes.recv()).await.unwrap().unwrap();
        assert!(publish.invited && publish.channel.as_str() == "main");
        let (writer, mut reader) = feed::channel();
        publish.accept(writer);
        drop(socket);
        assert!(timeout(PATIENCE, reader.next()).await.unwrap().is_none());
    }
    shutdown.cancel();
    timeout(PATIENCE, pulling).await.unwrap().unwrap();
}

#[tokio::test]
async fn operators_read_the_figures_of_a_connection() {
    let mut server = Server::open();
    let mut socket = call(&server, "publish:main").await.unwrap();
    let (writer, _reader) = feed::channel();
    server.next().await.accept(writer);
    let read = || server.metrics.roster().read(Instant::now());
    let figures = async {
        loop {
            socket.send(&[0x47; 1_316]).await.unwrap();
            if let Some(report) = read().first()
                && report.vitals.link.get("received_packets").is_some_and(|count| *count > 0.0)
            {
                return report.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let report = timeout(PATIENCE, figures).await.unwrap();
    assert_eq!((report.channel.as_str(), report.protocol.as_str()), ("main", "SRT"));
    assert_eq!(report.vitals.link.get("latency_seconds"), Some(&0.12));
    let names: Vec<_> = report.vitals.link.keys().copied().collect();
    assert_eq!(
        names,
        [
            "bandwidth_bits_per_second",
            "belated_packets",
            "buffered_seconds",
            "latency_seconds",
            "lost_packets",
            "received_packets",
            "retransmitted_packets",
            "round_trip_seconds",
            "undecrypted_packets",
        ]
    );
    server.stop().await;
}
