use std::net::Ipv4Addr;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Ping, RecvStream};
use hyper::{Request, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use touchline_packager::{Coding, Epoch, Media, Presentation, Rendition};

use super::*;
use crate::hub::Hub;

const SECOND: Duration = Duration::from_secs(1);
const WRITE_TIMEOUT: Duration = Settings::WRITE_TIMEOUT;
/// A page that is longer than what a pipe takes.
const PAGE: &str = "GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n";
/// A channel that has just opened: what is asked of it is held.
const HELD: &str = "/live/main/index.m3u8";

/// A connection over a pipe in memory that takes so many bytes.
struct Pipe {
    server: JoinHandle<()>,
    hub: Hub,
    metrics: Metrics,
    shutdown: CancellationToken,
    started: Instant,
}

impl Pipe {
    fn of(room: usize) -> (Self, DuplexStream) {
        let metrics = Metrics::default();
        let hub = Hub::new(Settings::default(), metrics.clone());
        let shutdown = CancellationToken::new();
        let (near, far) = duplex(room);
        let started = Instant::now();
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let server = tokio::spawn(converse(near, peer, shared(&hub, &shutdown)));
        (Self { server, hub, metrics, shutdown, started }, far)
    }

    /// When the server has hung up, how long that took, and how often it was for want of progress.
    async fn hung_up(self) -> (Duration, u64) {
        self.server.await.unwrap();
        (self.started.elapsed(), self.metrics.connections_stalled.get())
    }
}

fn shared(hub: &Hub, shutdown: &CancellationToken) -> Arc<Shared> {
    let settings = Settings::default();
    let admission = Arc::new(Admission::new(1, &settings, hub.metrics().clone()));
    Arc::new(Shared { site: hub.clone().into(), settings, admission, shutdown: shutdown.clone() })
}

/// An HTTP/2 viewer.
struct Viewer {
    send: SendRequest<Bytes>,
    link: JoinHandle<Result<(), h2::Error>>,
    pipe: Pipe,
}

impl Viewer {
    /// Grants each answer a window of so many bytes to begin with.
    async fn with_window(window: u32) -> Self {
        let (pipe, far) = Pipe::of(64 * 1_024);
        let (send, link) = Self::greet(window, far).await;
        Self { send, link, pipe }
    }

    /// Sends the preface, and a ping every second from then on.
    async fn greet(window: u32, stream: DuplexStream) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
        let mut builder = h2::client::Builder::new();
        let handshake = builder.initial_window_size(window).handshake::<_, Bytes>(stream);
        let (send, mut link) = handshake.await.unwrap();
        let mut pings = link.ping_pong().unwrap();
        tokio::spawn(async move {
            while pings.ping(Ping::opaque()).await.is_ok() {
                sleep(SECOND).await;
            }
        });
        (send, tokio::spawn(link))
    }

    fn ask(&mut self, path: &str) -> ResponseFuture {
        let request = Request::get(format!("http://edge.test{path}")).body(()).unwrap();
        self.send.send_request(request, true).unwrap().0
    }

    async fn get(&mut self, path: &str) -> RecvStream {
        let response = self.ask(path).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body()
    }
}

/// The path of a file of more than a hundred kilobytes, and its length.
async fn long_asset(hub: &Hub) -> (String, u64) {
    let request = Request::get("/watch/main").body(()).unwrap();
    let page = http_body_util::BodyExt::collect(respond(hub, request, [127, 0, 0, 1].into()).await.into_body())
        .await
        .unwrap()
        .to_bytes();
    let page = String::from_utf8(page.to_vec()).unwrap();
    let path = page.split('"').find(|text| text.starts_with("/assets/") && text.contains(".js")).unwrap().to_owned();
    let script = respond(hub, Request::get(&path).body(()).unwrap(), [127, 0, 0, 1].into()).await.into_body().len();
    assert!(script > 100_000, "{path} has {script} bytes");
    (path, script)
}

/// The length of the answer to [`PAGE`], its head included.
async fn page_length(hub: &Hub) -> usize {
    let (near, mut far) = duplex(64 * 1_024);
    tokio::spawn(converse(near, SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), shared(hub, &CancellationToken::new())));
    far.write_all(PAGE.replace("Host", "Connection: close\r\nHost").as_bytes()).await.unwrap();
    let mut answer = String::new();
    far.read_to_string(&mut answer).await.unwrap();
    answer.replace("connection: close\r\n", "").len()
}

/// Sends text, and takes `bytes` of what comes back after each second, until nothing comes any more. How many came.
async fn sip(stream: &mut DuplexStream, said: &str, bytes: usize) -> usize {
    stream.write_all(said.as_bytes()).await.unwrap();
    let (mut sip, mut taken) = (vec![0; bytes], 0);
    loop {
        sleep(SECOND).await;
        match stream.read(&mut sip).await {
            Ok(0) | Err(_) => return taken,
            Ok(more) => taken += more,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_viewer_too_slow_for_what_is_sent_is_cut_off_however_steadily_it_takes_some() {
    let (pipe, mut far) = Pipe::of(8);
    let viewer = tokio::spawn(async move { sip(&mut far, PAGE, 8).await });
    assert_eq!(pipe.hung_up().await, (WRITE_TIMEOUT, 1));
    assert!(viewer.await.unwrap() < 100);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_takes_each_answer_in_time_may_go_on_for_ever() {
    let (pipe, mut far) = Pipe::of(1_024);
    let mut page = vec![0; page_length(&pipe.hub).await];
    let (steps, reads) = (page.len().div_ceil(1_024), 20);
    assert!((2..10).contains(&steps), "{steps}");
    for _ in 0..reads {
        far.write_all(PAGE.as_bytes()).await.unwrap();
        for piece in page.chunks_mut(1_024) {
            sleep(SECOND).await;
            far.read_exact(piece).await.unwrap();
        }
        assert!(page.starts_with(b"HTTP/1.1 200 OK"));
    }
    assert!(pipe.started.elapsed() > 4 * WRITE_TIMEOUT);
    assert!(!pipe.server.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_never_completes_a_head_is_cut_off() {
    const TIMEOUT: Duration = Settings::HEAD_TIMEOUT;
    for opening in ["", "PRI * HTTP", "GET / HTTP/1.1\r\nHost: edge.test\r\n"] {
        let (pipe, mut far) = Pipe::of(64);
        far.write_all(opening.as_bytes()).await.unwrap();
        assert_eq!(pipe.hung_up().await, (TIMEOUT, 0), "{opening:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_for_a_head_begins_when_the_answer_before_it_is_taken() {
    let (pipe, mut far) = Pipe::of(64 * 1_024);
    let mut page = vec![0; page_length(&pipe.hub).await];
    for _ in 0..3 {
        far.write_all(PAGE.as_bytes()).await.unwrap();
        far.read_exact(&mut page).await.unwrap();
        sleep(Settings::HEAD_TIMEOUT * 8 / 10).await;
    }
    far.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert_eq!(pipe.hung_up().await, (Settings::HEAD_TIMEOUT * 16 / 10 + Settings::HEAD_TIMEOUT, 0));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_held_on_http1_is_no_idle_connection() {
    let (pipe, mut far) = Pipe::of(1_024);
    let _writer = pipe.hub.open("main".parse().unwrap(), slow_presentation());
    far.write_all(format!("GET {HELD} HTTP/1.1\r\nHost: edge.test\r\n\r\n").as_bytes()).await.unwrap();
    let mut status = [0; 12];
    far.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 503");
    assert!(pipe.started.elapsed() > Settings::HEAD_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_grants_no_window_is_cut_off_though_it_answers_pings() {
    let mut viewer = Viewer::with_window(0).await;
    let _body = viewer.get("/").await;
    assert_eq!(viewer.pipe.hung_up().await, (WRITE_TIMEOUT, 1));
}

#[tokio::test(start_paused = true)]
async fn asking_for_more_is_no_progress() {
    let mut viewer = Viewer::with_window(0).await;
    let mut bodies = Vec::new();
    for _ in 0..9 {
        bodies.push(viewer.get("/").await);
        sleep(SECOND).await;
    }
    // A reset neither, as long as others wait.
    bodies.pop();
    assert_eq!(viewer.pipe.hung_up().await, (WRITE_TIMEOUT, 1));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_byte_at_a_time_is_cut_off() {
    let mut viewer = Viewer::with_window(1).await;
    let path = long_asset(&viewer.pipe.hub).await.0;
    let mut body = viewer.get(&path).await;
    let trickle = tokio::spawn(async move {
        while let Some(Ok(data)) = body.data().await {
            sleep(SECOND / 100).await;
            body.flow_control().release_capacity(data.len()).unwrap();
        }
    });
    assert_eq!(viewer.pipe.hung_up().await, (WRITE_TIMEOUT, 1));
    trickle.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_viewer_that_goes_on_taking_is_left_alone() {
    const STEP: usize = 16 * 1_024;
    let mut viewer = Viewer::with_window(16 * 1_024).await;
    let (path, len) = long_asset(&viewer.pipe.hub).await;
    let mut body = viewer.get(&path).await;
    let (mut taken, mut unreleased) = (0, 0);
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        taken += data.len() as u64;
        unreleased += data.len();
        if unreleased >= STEP {
            sleep(WRITE_TIMEOUT * 8 / 10).await;
            body.flow_control().release_capacity(std::mem::take(&mut unreleased)).unwrap();
        }
    }
    assert_eq!(taken, len);
    assert!(viewer.pipe.started.elapsed() > 5 * WRITE_TIMEOUT);
    assert_eq!(viewer.pipe.metrics.connections_stalled.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_held_request_is_nothing_that_could_be_taken() {
    let mut viewer = Viewer::with_window(65_535).await;
    let _writer = viewer.pipe.hub.open("main".parse().unwrap(), slow_presentation());
    let response = viewer.ask(HELD).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(viewer.pipe.started.elapsed() > 2 * WRITE_TIMEOUT);
    assert_eq!(viewer.pipe.metrics.connections_stalled.get(), 0);
    assert!(!viewer.pipe.server.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_asks_for_nothing_is_told_good_bye() {
    let viewer = Viewer::with_window(65_535).await;
    let (link, started) = (viewer.link, viewer.pipe.started);
    viewer.pipe.server.await.unwrap();
    assert_eq!(started.elapsed(), Settings::HEAD_TIMEOUT);
    assert!(link.await.unwrap().is_ok(), "GOAWAY says NO_ERROR");
}

#[tokio::test(start_paused = true)]
async fn shutting_down_lets_a_slow_viewer_take_what_it_has_asked_for() {
    let mut viewer = Viewer::with_window(16 * 1_024).await;
    let (path, len) = long_asset(&viewer.pipe.hub).await;
    let mut body = viewer.get(&path).await;
    viewer.pipe.shutdown.cancel();
    let mut taken = 0;
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        taken += data.len() as u64;
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    assert_eq!(taken, len);
    drop(body);
    assert_eq!(viewer.pipe.hung_up().await.1, 0);
}

/// Held requests of it are held longer than a viewer may take for what is written.
fn slow_presentation() -> Arc<Presentation> {
    let media = Media::Audio { sample_rate: 48_000, channels: 2 };
    let coding = Coding { codec: "mp4a.40.2".into(), media, bitrate: None, language: None };
    Arc::new(Presentation {
        epoch: Epoch(1),
        first_msn: 1,
        target_duration: 11,
        part_target: SECOND,
        window: 60 * SECOND,
        renditions: vec![Rendition { name: "audio".into(), coding }],
    })
}
