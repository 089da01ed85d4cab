//! One viewer's connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use touchline_tls::{self as tls, Tls};

use crate::annex::Site;
use crate::metrics::{Counted, Kind};
use crate::progress::{Progress, Verdict};
use crate::service::respond;
use crate::settings::Settings;
use crate::socket::Socket;

/// The longest request head, in bytes: a path, a token, cookies of the site that it is embedded in.
const MAX_HEAD: u16 = 16 * 1_024;
/// Requests at once on one HTTP/2 connection: a player has four, a cache in front of us many.
const MAX_STREAMS: u32 = 256;
/// How often a silent HTTP/2 peer is asked whether it is still there, and how long it has to say so.
const H2_PING: Duration = Duration::from_secs(15);

/// Serves one connection to its end, TLS first where `tls` is given.
pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Tls>,
    site: Site,
    settings: Settings,
    shutdown: CancellationToken,
) {
    let _counted = Counted::on(&site.hub().metrics().connections);
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY was refused");
    }
    let Some(tls) = tls else {
        return converse(stream, peer, site, settings, shutdown).await;
    };
    let shaken = tokio::select! {
        shaken = handshake(&tls, stream, &settings) => shaken,
        () = shutdown.cancelled() => return,
    };
    match shaken {
        Ok(stream) => {
            site.hub().metrics().tls_handshakes.inc();
            converse(stream, peer, site, settings, shutdown).await;
        }
        Err(error) => {
            site.hub().metrics().tls_handshakes_failed.inc();
            tracing::debug!(%peer, %error, "a viewer's TLS handshake failed");
        }
    }
}

async fn handshake(tls: &Tls, stream: TcpStream, settings: &Settings) -> std::io::Result<tls::Stream<TcpStream>> {
    timeout(settings.handshake_timeout, tls.accept(stream)).await?
}

/// Speaks HTTP until either side ends it.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    site: Site,
    settings: Settings,
    shutdown: CancellationToken,
) {
    let sent_bytes = site.hub().metrics().sent_bytes.clone();
    let socket = Socket::new(stream, settings.head_timeout, settings.write_timeout, sent_bytes);
    let progress = Progress::new();
    let answer = service_fn(|request: hyper::Request<Incoming>| {
        let (site, asked) = (site.clone(), progress.asked(request.version()));
        async move {
            let response = match site.annex(request.uri().path()) {
                Some(annex) => {
                    let response = annex.answer(request, peer).await;
                    site.hub().metrics().count_request(Kind::Annex, response.status().as_u16());
                    response
                }
                None => respond(site.hub(), request).await,
            };
            Ok::<_, Infallible>(response.map(|body| asked.answered(body)))
        }
    });
    let protocol = protocol(&settings);
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(socket), answer));
    let mut closing = false;
    let outcome = loop {
        tokio::select! {
            outcome = connection.as_mut() => break outcome,
            () = shutdown.cancelled(), if !closing => {}
            verdict = progress.ends(&settings) => {
                if verdict == Verdict::Stalled {
                    site.hub().metrics().connections_stalled.inc();
                }
                // Who does not even take a farewell is left without one.
                if closing || verdict == Verdict::Stalled {
                    break Err("the viewer takes nothing of what it has asked for".into());
                }
            }
        }
        closing = true;
        connection.as_mut().graceful_shutdown();
    };
    if let Err(error) = outcome {
        tracing::debug!(%peer, error, "a viewer's connection ended early");
    }
}

fn protocol(settings: &Settings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(settings.head_timeout).max_buf_size(MAX_HEAD.into());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD.into())
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING);
    builder
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use bytes::Bytes;
    use h2::client::{ResponseFuture, SendRequest};
    use h2::{Ping, RecvStream};
    use hyper::{Request, StatusCode};
    use tokio::io::{DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, sleep};
    use touchline_packager::{Coding, Epoch, Media, Presentation, Rendition};

    use super::*;
    use crate::hub::Hub;
    use crate::metrics::Metrics;

    const SECOND: Duration = Duration::from_secs(1);
    const WRITE_TIMEOUT: Duration = Settings::WRITE_TIMEOUT;
    /// A channel that has just opened: what is asked of it is held.
    const HELD: &str = "/live/main/index.m3u8";

    /// An HTTP/2 viewer over a pipe in memory.
    struct Viewer {
        send: SendRequest<Bytes>,
        link: JoinHandle<Result<(), h2::Error>>,
        server: JoinHandle<()>,
        hub: Hub,
        metrics: Metrics,
        shutdown: CancellationToken,
        started: Instant,
    }

    impl Viewer {
        /// Grants each answer a window of so many bytes to begin with.
        async fn with_window(window: u32) -> Self {
            let metrics = Metrics::default();
            let hub = Hub::new(Settings::default(), metrics.clone());
            let shutdown = CancellationToken::new();
            let (near, far) = duplex(64 * 1_024);
            let started = Instant::now();
            let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
            let server = tokio::spawn(converse(near, peer, hub.clone().into(), Settings::default(), shutdown.clone()));
            let (send, link) = Self::greet(window, far).await;
            Self { send, link, server, hub, metrics, shutdown, started }
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

        /// When the server has hung up, how long that took, and how often it was for want of progress.
        async fn hung_up(self) -> (Duration, u64) {
            self.server.await.unwrap();
            (self.started.elapsed(), self.metrics.connections_stalled.get())
        }
    }

    /// The path of a file of more than a hundred kilobytes, and its length.
    async fn long_asset(hub: &Hub) -> (String, u64) {
        let request = Request::get("/watch/main").body(()).unwrap();
        let page = http_body_util::BodyExt::collect(respond(hub, request).await.into_body()).await.unwrap().to_bytes();
        let page = String::from_utf8(page.to_vec()).unwrap();
        let path =
            page.split('"').find(|text| text.starts_with("/assets/") && text.contains(".js")).unwrap().to_owned();
        let script = respond(hub, Request::get(&path).body(()).unwrap()).await.into_body().len();
        assert!(script > 100_000, "{path} has {script} bytes");
        (path, script)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_grants_no_window_is_cut_off_though_it_answers_pings() {
        let mut viewer = Viewer::with_window(0).await;
        let _body = viewer.get("/").await;
        assert_eq!(viewer.hung_up().await, (WRITE_TIMEOUT, 1));
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
        assert_eq!(viewer.hung_up().await, (WRITE_TIMEOUT, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_byte_at_a_time_is_cut_off() {
        let mut viewer = Viewer::with_window(1).await;
        let path = long_asset(&viewer.hub).await.0;
        let mut body = viewer.get(&path).await;
        let trickle = tokio::spawn(async move {
            while let Some(Ok(data)) = body.data().await {
                sleep(SECOND / 100).await;
                body.flow_control().release_capacity(data.len()).unwrap();
            }
        });
        assert_eq!(viewer.hung_up().await, (WRITE_TIMEOUT, 1));
        trickle.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_viewer_that_goes_on_taking_is_left_alone() {
        const STEP: usize = 16 * 1_024;
        let mut viewer = Viewer::with_window(16 * 1_024).await;
        let (path, len) = long_asset(&viewer.hub).await;
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
        assert!(viewer.started.elapsed() > 5 * WRITE_TIMEOUT);
        assert_eq!(viewer.metrics.connections_stalled.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_request_is_nothing_that_could_be_taken() {
        let mut viewer = Viewer::with_window(65_535).await;
        let _writer = viewer.hub.open("main".parse().unwrap(), slow_presentation());
        let response = viewer.ask(HELD).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(viewer.started.elapsed() > 2 * WRITE_TIMEOUT);
        assert_eq!(viewer.metrics.connections_stalled.get(), 0);
        assert!(!viewer.server.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_asks_for_nothing_is_told_good_bye() {
        let viewer = Viewer::with_window(65_535).await;
        let (link, started) = (viewer.link, viewer.started);
        viewer.server.await.unwrap();
        assert_eq!(started.elapsed(), Settings::HEAD_TIMEOUT);
        assert!(link.await.unwrap().is_ok(), "GOAWAY says NO_ERROR");
    }

    #[tokio::test(start_paused = true)]
    async fn shutting_down_lets_a_slow_viewer_take_what_it_has_asked_for() {
        let mut viewer = Viewer::with_window(16 * 1_024).await;
        let (path, len) = long_asset(&viewer.hub).await;
        let mut body = viewer.get(&path).await;
        viewer.shutdown.cancel();
        let mut taken = 0;
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            taken += data.len() as u64;
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        assert_eq!(taken, len);
        drop(body);
        assert_eq!(viewer.hung_up().await.1, 0);
    }

    /// Held requests of it are held longer than a viewer may take for what is written.
    fn slow_presentation() -> Arc<Presentation> {
        let media = Media::Audio { sample_rate: 48_000, channels: 2 };
        let coding = Coding { codec: "mp4a.40.2".into(), media, bitrate: None, language: None };
        Arc::new(Presentation {
            epoch: Epoch(1),
            first_msn: 1,
            target_duration: 8,
            part_target: SECOND,
            window: 60 * SECOND,
            renditions: vec![Rendition { name: "audio".into(), coding }],
        })
    }
}
