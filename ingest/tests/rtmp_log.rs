//! What an operator reads of a publisher.
//!
//! A process of its own: which log lines are wanted is remembered for all threads of a process.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use touchline_ingest::{Metrics, rtmp};
use touchline_media::feed;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_tells_who_came_what_they_sent_and_why_they_left_and_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_writer(move || writer.clone())
        .init();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let peer = stream.local_addr().unwrap();
    let (sender, mut publishes) = mpsc::channel(1);
    let shutdown = CancellationToken::new();
    let server =
        rtmp::serve([listener.into()], rtmp::Settings::default(), sender, Metrics::default(), shutdown.clone());
    let server = tokio::spawn(server);

    let recording = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/ffmpeg-5.1-key-in-stream-name.rtmp");
    stream.write_all(&std::fs::read(recording).unwrap()).await.unwrap();
    stream.shutdown().await.unwrap();
    let (writer, _reader) = feed::channel();
    publishes.recv().await.unwrap().accept(writer);
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    shutdown.cancel();
    server.await.unwrap();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix(" INFO ")).collect();
    let expected = [
        "asks to publish with a key encoder=\"FMLE/3.0 (compatible; Lavf59.27.100)\"",
        "publishes",
        "the encoder is Lavf59.27.100",
        "receives H.264 High 1.1 160x90 at 30.000 frames/s and AAC (mp4a.40.2) 48000 Hz 2 channels",
        "video 73 kb/s, audio 47 kb/s, a keyframe every 1.000 s",
        "unpublishes",
        "left: unpublished",
    ]
    .map(|line| format!("rtmp{{peer={peer} channel=\"main\"}}: {line}"));
    assert_eq!(lines, expected, "{log}");
    assert!(!log.contains("secret"), "{log}");
}
