//! One connection over a pipe, with the clock in our hands.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use touchline_media::feed;

use super::super::Settings;
use super::super::amf0::{self, Value};
use super::super::chunk::{Reader, kind};
use super::super::connection::{Context, run};
use super::super::departure::Departures;
use super::super::handshake::PACKET_LEN;
use super::script::Script;
use super::{PEER, Seen, fixtures};
use crate::metrics::Reason;
use crate::{Metrics, Publish, Rejection};

/// A connection and the far end of it.
struct Peer {
    stream: DuplexStream,
    /// When the connection ended.
    task: JoinHandle<Instant>,
    context: Arc<Context>,
    publishes: mpsc::Receiver<Publish>,
}

impl Peer {
    /// A peer with a pipe of `size` bytes each way.
    fn with_pipe(size: usize) -> Self {
        let (sender, publishes) = mpsc::channel(1);
        let ((stream, theirs), metrics) = (duplex(size), Metrics::default());
        let context = Arc::new(Context {
            settings: Settings::default(),
            publishes: sender,
            metrics: metrics.clone(),
            departures: Departures::new(metrics),
            shutdown: CancellationToken::new(),
        });
        let task = tokio::spawn({
            let context = Arc::clone(&context);
            async move {
                run(theirs, None, PEER, &context).await;
                Instant::now()
            }
        });
        Self { stream, task, context, publishes }
    }

    /// A peer that has sent `script`.
    async fn sending(script: &Script) -> Self {
        let mut peer = Self::with_pipe(1 << 20);
        peer.send(script).await;
        peer
    }

    async fn send(&mut self, script: &Script) {
        self.stream.write_all(&script.bytes).await.unwrap();
    }

    /// Sends `bytes` once a second until the server has closed.
    async fn drip(&mut self, bytes: &[u8]) {
        for _ in 0..60 {
            if self.stream.write_all(bytes).await.is_err() {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
        panic!("the server listens to this for a minute");
    }

    async fn accepted(&mut self) -> feed::Reader {
        let (writer, reader) = feed::channel();
        self.publishes.recv().await.unwrap().accept(writer);
        reader
    }

    /// Everything that the server says until it closes.
    async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for the end of the connection, and says why it came.
    async fn departed(self) -> &'static str {
        self.departed_after(Instant::now()).await.0
    }

    /// Why the connection ended, and how long after `start`.
    async fn departed_after(self, start: Instant) -> (&'static str, Duration) {
        let ended = self.task.await.unwrap();
        let metrics = &self.context.metrics;
        let gauges = (metrics.open_connections.get(), metrics.publishers.get(), metrics.buffered.get());
        assert_eq!(gauges, (0, 0, 0));
        let departed = |reason: &&&'static str| metrics.departures.get_or_create(&Reason { reason }).get() == 1;
        (REASONS.iter().find(departed).unwrap(), ended - start)
    }
}

const REASONS: [&str; 12] = [
    "unpublished",
    "closed",
    "draining",
    "protocol_error",
    "refused",
    "no_handshake",
    "no_tls",
    "no_publish",
    "idle",
    "no_media",
    "not_reading",
    "broken",
];

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_gone_after_10_s() {
    let start = Instant::now();
    let peer = Peer::with_pipe(1_024);
    assert_eq!(peer.departed_after(start).await, ("no_handshake", Duration::from_secs(10)));
}

#[tokio::test(start_paused = true)]
async fn one_byte_per_second_is_no_handshake() {
    let start = Instant::now();
    let mut peer = Peer::with_pipe(1_024);
    peer.drip(&[3]).await;
    assert_eq!(peer.departed_after(start).await, ("no_handshake", Duration::from_secs(10)));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_publishes_is_gone_after_20_s() {
    let start = Instant::now();
    let mut peer = Peer::sending(&Script::connected()).await;
    let ping = Script::new().message(2, 0, kind::USER_CONTROL, &[0, 6, 0, 0, 0, 0]);
    peer.drip(&ping.bytes).await;
    assert_eq!(peer.departed_after(start).await, ("no_publish", Duration::from_secs(20)));
}

#[tokio::test(start_paused = true)]
async fn an_idle_publisher_is_gone_10_s_after_its_last_byte() {
    let mut peer = Peer::sending(&Script::publishing()).await;
    let mut reader = peer.accepted().await;
    sleep(Duration::from_secs(9)).await;
    peer.send(&Script::new().video(0, b"\x27\x01")).await;
    let last = Instant::now();
    assert!(reader.next().await.is_none(), "the feed ends");
    assert_eq!(peer.departed_after(last).await, ("idle", Duration::from_secs(10)));
}

#[tokio::test(start_paused = true)]
async fn a_publisher_at_one_byte_per_second_is_gone_after_30_s_without_media() {
    let mut peer = Peer::sending(&Script::publishing()).await;
    let _reader = peer.accepted().await;
    let start = Instant::now();
    peer.send(&Script::new().header(6, kind::VIDEO, 1_000)).await;
    peer.drip(&[0]).await;
    assert_eq!(peer.departed_after(start).await, ("no_media", Duration::from_secs(30)));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_is_gone_after_10_s() {
    let mut peer = Peer::with_pipe(4_096);
    let pings = (0..1_000).fold(Script::greeted(), |s, _| s.message(2, 0, kind::USER_CONTROL, &[0, 6, 0, 0, 0, 0]));
    assert!(peer.stream.write_all(&pings.bytes).await.is_err());
    assert_eq!(peer.departed().await, "not_reading");
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_publish_may_take_longer_than_the_idle_limit() {
    let mut peer = Peer::sending(&Script::publishing()).await;
    sleep(Duration::from_secs(15)).await;
    let _reader = peer.accepted().await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(peer.context.metrics.publishers.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn connect_and_close_leaves_nothing() {
    // Whoever has something to read when it closes breaks the pipe.
    for (script, reason) in [
        (Script::new(), "closed"),
        (Script::greeted(), "broken"),
        (Script::connected(), "broken"),
        (Script::publishing(), "broken"),
    ] {
        let mut peer = Peer::sending(&script).await;
        drop(std::mem::replace(&mut peer.stream, duplex(1).0));
        assert_eq!(peer.departed().await, reason);
    }
}

#[tokio::test(start_paused = true)]
async fn addresses_and_stream_keys_that_are_wrong_are_refused_in_words() {
    let app = |app: &str| {
        let connect = Value::Object(vec![("app".into(), app.into())]);
        Script::greeted().command(&["connect".into(), Value::Number(1.0), connect])
    };
    for (script, words) in [
        (app("vod").publish("main"), "the server address has to end in /live"),
        (app("live/main").publish("main"), "the server address has to end in /live"),
        (app("live").publish(""), "the stream key has to be CHANNEL or CHANNEL?key=SECRET"),
        (app("live").publish("a/b"), "and a channel name is 1 to 64 of A-Z a-z 0-9 _ - ."),
        (app("live").publish(&"x".repeat(60_000)), "a channel name is 1 to 64"),
        (app("live").publish("../etc?key=x"), "a channel name is 1 to 64"),
    ] {
        let mut peer = Peer::sending(&script).await;
        let said = peer.read_to_end().await;
        assert!(said.contains("NetStream.Publish.BadName") && said.contains(words), "{said}");
        drop(std::mem::replace(&mut peer.stream, duplex(1).0));
        assert_eq!(peer.departed().await, "refused");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_publisher_is_told_why_and_disconnected() {
    for (why, code) in [
        (Rejection::Busy, "NetStream.Publish.BadName"),
        (Rejection::Unauthorised, "NetStream.Publish.Denied"),
        (Rejection::Draining, "NetStream.Publish.Rejected"),
    ] {
        let mut peer = Peer::sending(&Script::publishing()).await;
        peer.publishes.recv().await.unwrap().reject(why);
        let said = peer.read_to_end().await;
        assert!(said.contains(code) && said.contains(&why.to_string()), "{said}");
        // A socket that is closed with input unread is reset, and the words are lost: the server reads on for a second.
        let told = Instant::now();
        assert!(peer.stream.write_all(b"more").await.is_ok());
        assert_eq!(peer.departed_after(told).await, ("refused", Duration::from_secs(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn who_breaks_the_protocol_is_told_how_once_it_is_connected() {
    let broken = Script::new().message(2, 0, kind::SET_CHUNK_SIZE, &[0; 4]);
    for (script, words) in [(Script::connected(), true), (Script::publishing(), true), (Script::greeted(), false)] {
        let mut peer = Peer::sending(&script).await;
        let feed =
            if script.bytes.len() > Script::connected().bytes.len() { Some(peer.accepted().await) } else { None };
        peer.send(&broken).await;
        let said = peer.read_to_end().await;
        let told = said.contains("NetStream.Failed") && said.contains("chunk size 0 is outside of 1 to 2147483647");
        assert_eq!(told, words, "{said}");
        if let Some(mut feed) = feed {
            assert!(feed.next().await.is_none(), "the feed has ended");
        }
        drop(std::mem::replace(&mut peer.stream, duplex(1).0));
        assert_eq!(peer.departed().await, "protocol_error");
    }
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_nobody_takes_is_refused() {
    let mut peer = Peer::sending(&Script::publishing()).await;
    drop(peer.publishes.recv().await.unwrap());
    assert!(peer.read_to_end().await.contains(&Rejection::Draining.to_string()));
    let mut peer = Peer::with_pipe(1 << 20);
    peer.publishes.close();
    peer.send(&Script::publishing()).await;
    assert!(peer.read_to_end().await.contains(&Rejection::Draining.to_string()));
}

#[tokio::test(start_paused = true)]
async fn a_codec_that_is_not_supported_ends_the_stream_in_words() {
    let mut peer = Peer::sending(&Script::publishing()).await;
    let mut reader = peer.accepted().await;
    peer.send(&Script::new().video(0, b"\x90vp09")).await;
    let said = peer.read_to_end().await;
    assert!(said.contains("NetStream.Publish.Rejected"), "{said}");
    assert!(said.contains("VP9 video is not supported: set the encoder to H.264, HEVC or AV1"), "{said}");
    assert!(reader.next().await.is_none());
}

#[test]
fn connect_is_answered_with_what_enhanced_tags_may_carry() {
    let sent = Seen::of_whole(&Script::connected().bytes).sent;
    let (mut reader, mut replies) = (Reader::new(0), &sent[1 + 2 * PACKET_LEN..]);
    let result =
        std::iter::from_fn(|| reader.read(&mut replies).unwrap()).find(|reply| reply.kind == kind::COMMAND_AMF0);
    let values = amf0::decode(&result.unwrap().payload).unwrap();
    let properties = &values[2];
    let (video, audio) = (["avc1", "hvc1", "av01"], ["mp4a", "Opus"]);
    let list = Value::Array(video.iter().chain(&audio).map(|four_cc| Value::from(*four_cc)).collect());
    assert_eq!(properties.property("fourCcList"), Some(&list));
    let forwarded = |four_ccs: &[&str]| {
        Value::Object(four_ccs.iter().map(|four_cc| ((*four_cc).to_owned(), Value::Number(4.0))).collect())
    };
    assert_eq!(properties.property("videoFourCcInfoMap"), Some(&forwarded(&video)));
    assert_eq!(properties.property("audioFourCcInfoMap"), Some(&forwarded(&audio)));
    assert_eq!(properties.property("capsEx"), Some(&Value::Number(6.0)));
}

#[tokio::test(start_paused = true)]
async fn a_publisher_is_told_that_the_server_goes_away() {
    let mut peer = Peer::sending(&Script::publishing()).await;
    let mut reader = peer.accepted().await;
    sleep(Duration::from_millis(1)).await;
    peer.context.shutdown.cancel();
    let said = peer.read_to_end().await;
    assert!(said.contains("NetStream.Unpublish.Success") && said.contains("NetConnection.Connect.Closed"), "{said}");
    drop(std::mem::replace(&mut peer.stream, duplex(1).0));
    assert_eq!(peer.departed().await, "draining");
    assert!(reader.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn one_connection_may_publish_again_after_it_has_unpublished() {
    let mut peer = Peer::sending(&Script::publishing()).await;
    let mut first = peer.accepted().await;
    peer.send(&Script::new().command(&["deleteStream".into()]).publish("other")).await;
    assert!(first.next().await.is_none());
    let publish = peer.publishes.recv().await.unwrap();
    assert_eq!(publish.channel.as_str(), "other");
    let (writer, mut second) = feed::channel();
    publish.accept(writer);
    sleep(Duration::from_millis(1)).await;
    drop(std::mem::replace(&mut peer.stream, duplex(1).0));
    assert!(second.next().await.is_none());
    assert_eq!(peer.departed().await, "closed", "the second stream was not unpublished");
}

#[tokio::test(start_paused = true)]
async fn what_a_recorded_client_sends_becomes_a_feed() {
    for (name, expected) in fixtures::served() {
        let number = |kind: &str, name: &str| expected[kind][name].as_u64().unwrap_or(0);
        let total: u64 = ["video", "audio"].map(|kind| number(kind, "frames") * number(kind, "tracks")).iter().sum();
        let mut peer = Peer::with_pipe(1 << 16);
        let bytes = fixtures::read(&name);
        let (mut output, mut input) = tokio::io::split(peer.stream);
        let sending = tokio::spawn(async move { input.write_all(&bytes).await });
        let reading = tokio::spawn(async move { output.read_to_end(&mut Vec::new()).await });
        let (writer, mut reader) = feed::channel();
        peer.publishes.recv().await.unwrap().accept(writer);
        let (mut samples, mut starts) = (0, 0);
        while let Some(event) = reader.next().await {
            match event {
                feed::Event::Sample(_) => samples += 1,
                feed::Event::Start { .. } => starts += 1,
            }
        }
        assert!(samples == total && starts > 0, "{name}: {samples} of {total}, {starts} starts");
        sending.await.unwrap().unwrap();
        reading.abort();
        peer.stream = duplex(1).0;
        let units: u64 = ["video", "audio"]
            .map(|kind| peer.context.metrics.units.get_or_create(&crate::metrics::KindLabel { kind }).get())
            .iter()
            .sum();
        assert_eq!(units, total, "{name}");
        drop(reading.await);
        peer.task.abort();
    }
}
