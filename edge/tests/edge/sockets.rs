//! The server on real sockets.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use touchline_edge::{Settings, Site, audience, listen, serve};
use touchline_tls::Listener;

use crate::stage::Stage;

const HELD: &str = "/live/main/video/index.m3u8?_HLS_msn=101";

pub(crate) struct Server {
    pub(crate) stage: Stage,
    address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Server {
    pub(crate) fn start(settings: Settings) -> Self {
        Self::start_with(settings, Listener::from)
    }

    pub(crate) fn start_with(settings: Settings, listener: impl FnOnce(TcpListener) -> Listener) -> Self {
        let stage = Stage::live_with(settings);
        let socket = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = socket.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let site = Site::new(stage.hub.clone(), [audience::annex(&stage.hub)]);
        let task = tokio::spawn(serve([listener(socket)], site, settings, shutdown.clone()));
        Self { stage, address, shutdown, task }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn http1(&self) -> http1::SendRequest<Empty<Bytes>> {
        let (sender, connection) = http1::handshake(TokioIo::new(self.connect().await)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    async fn http2(&self) -> http2::SendRequest<Empty<Bytes>> {
        let io = TokioIo::new(self.connect().await);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    async fn until_held(&self, count: i64) {
        until(|| self.stage.metrics.held.get() == count).await;
    }
}

/// After which a test that waits in vain fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for what another task will do.
pub(crate) async fn until(done: impl Fn() -> bool) {
    let wait = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it came to pass");
}

pub(crate) fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path).header("host", "edge.test").body(Empty::new()).unwrap()
}

/// For HTTP/2, which takes scheme and authority from the URI.
pub(crate) fn get2(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://edge.test{path}")).body(Empty::new()).unwrap()
}

pub(crate) async fn text(response: Response<hyper::body::Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn http1_keeps_its_connection_for_the_next_request() {
    let server = Server::start(Settings::default());
    let mut sender = server.http1().await;
    for _ in 0..3 {
        let response = sender.send_request(get("/live/main/video/index.m3u8")).await.unwrap();
        assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_11));
        let length = response.headers()["content-length"].to_str().unwrap().parse::<usize>().unwrap();
        assert_eq!(text(response).await.len(), length);
        sender.ready().await.unwrap();
    }
    assert_eq!(server.stage.metrics.connections.get(), 1);
    assert!(server.stage.metrics.sent_bytes.get() > 1_000);
}

#[tokio::test]
async fn http2_holds_and_answers_side_by_side_on_one_connection() {
    let mut server = Server::start(Settings::default());
    let mut sender = server.http2().await;
    let held = tokio::spawn(sender.send_request(get2(HELD)));
    server.until_held(1).await;
    let response =
        sender.send_request(get2(&format!("/live/main/video/{}", Stage::name("seg100", "m4s")))).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert!(text(response).await.starts_with("[part 0 of"));
    server.stage.end_segment();
    assert!(text(held.await.unwrap().unwrap()).await.contains(&Stage::name("seg101", "m4s")));
    assert_eq!(server.stage.metrics.connections.get(), 1);
}

#[tokio::test]
async fn a_viewer_who_hangs_up_is_no_longer_held() {
    let server = Server::start(Settings::default());
    let mut stream = server.connect().await;
    stream.write_all(format!("GET {HELD} HTTP/1.1\r\nHost: edge.test\r\n\r\n").as_bytes()).await.unwrap();
    server.until_held(1).await;
    drop(stream);
    server.until_held(0).await;

    let io = TokioIo::new(server.connect().await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = tokio::spawn(sender.send_request(get2(HELD)));
    server.until_held(1).await;
    connection.abort();
    request.abort();
    server.until_held(0).await;
}

#[tokio::test]
async fn shutting_down_answers_what_is_held_and_closes_every_connection() {
    let server = Server::start(Settings::default());
    let (mut one, mut two, mut idle) = (server.http1().await, server.http2().await, server.connect().await);
    let held = [tokio::spawn(one.send_request(get(HELD))), tokio::spawn(two.send_request(get2(HELD)))];
    server.until_held(2).await;
    server.shutdown.cancel();
    for request in held {
        assert_eq!(request.await.unwrap().unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
    server.task.await.unwrap();
    assert_eq!(server.stage.metrics.connections.get(), 0);
    assert_eq!(TcpStream::connect(server.address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn shutting_down_does_not_wait_for_ever_for_a_viewer() {
    let server = Server::start(Settings { drain: Duration::ZERO, ..Settings::default() });
    let mut stuck = server.connect().await;
    stuck.write_all(b"GET / HTTP/1.1\r\nHost: edge").await.unwrap();
    until(|| server.stage.metrics.connections.get() == 1).await;
    server.shutdown.cancel();
    server.task.await.unwrap();
    assert_eq!(server.stage.metrics.connections.get(), 0);
}

#[tokio::test]
async fn one_connection_too_many_is_told_when_to_come_again() {
    let server = Server::start(Settings { connections: 1, ..Settings::default() });
    let mut first = server.http1().await;
    assert_eq!(first.send_request(get("/")).await.unwrap().status(), StatusCode::OK);
    let refused = server.http1().await.send_request(get("/")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!((2..10).contains(&retry_after(&refused)));
    assert_eq!(server.stage.metrics.connections_refused.get(), 1);
    assert_eq!(first.send_request(get("/")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn nearly_full_new_viewers_are_turned_away_and_those_who_watch_are_served() {
    let server = Server::start(Settings { connections: 2, ..Settings::default() });
    let (mut first, _second) = (server.http1().await, server.connect().await);
    let turned_away = async {
        loop {
            let response = first.send_request(get("/live/main/index.m3u8")).await.unwrap();
            first.ready().await.unwrap();
            if response.status() != StatusCode::OK {
                return response;
            }
        }
    };
    let response = tokio::time::timeout(PATIENCE, turned_away).await.expect("it is nearly full");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!((2..10).contains(&retry_after(&response)));
    assert!(text(response).await.contains("no new viewers are let in at present"));
    let watched = first.send_request(get("/live/main/video/index.m3u8")).await.unwrap();
    assert_eq!(watched.status(), StatusCode::OK);
    assert!(server.stage.metrics.viewers_refused.get() >= 1);
}

fn retry_after(response: &Response<hyper::body::Incoming>) -> u64 {
    response.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn threads_of_their_own_serve_and_end() {
    let server = Server::start(Settings { cores: 2, ..Settings::default() });
    let mut viewers = Vec::new();
    for _ in 0..4 {
        let mut viewer = server.http1().await;
        assert_eq!(viewer.send_request(get("/live/main/video/index.m3u8")).await.unwrap().status(), StatusCode::OK);
        viewer.ready().await.unwrap();
        viewers.push(viewer);
    }
    let held = tokio::spawn(viewers.remove(0).send_request(get(HELD)));
    server.until_held(1).await;
    server.shutdown.cancel();
    assert_eq!(held.await.unwrap().unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    server.task.await.unwrap();
    assert_eq!(server.stage.metrics.connections.get(), 0);
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let server = Server::start(Settings::default());
    let mut stream = server.connect().await;
    let head = format!("GET / HTTP/1.1\r\nHost: edge.test\r\nX-Junk: {}\r\n\r\n", "x".repeat(20_000));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let settings = Settings { head_timeout: Duration::from_millis(50), ..Settings::default() };
    let server = Server::start(settings);
    for opening in ["", "PRI * HTTP", "GET / HTTP/1.1\r\nHost: edge.test\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(opening.as_bytes()).await.unwrap();
        let closed = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1])).await.expect(opening);
        assert!(matches!(closed, Ok(0) | Err(_)), "{opening:?}: {closed:?}");
    }
}

#[tokio::test]
async fn a_joining_crowd_waits_in_the_backlog() {
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts. Past the backlog a connect hangs until its SYN is sent again.
    let join = async {
        let mut crowd = Vec::new();
        for _ in 0..600 {
            crowd.push(TcpStream::connect(address).await.unwrap());
        }
    };
    tokio::time::timeout(PATIENCE, join).await.expect("the backlog takes them all");
}
