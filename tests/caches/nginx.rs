//! nginx by `deploy/nginx/nginx.conf`.

use std::process::Command;

use serde_json::Value;

use crate::crowd::{self, OnAir};
use crate::front::Front;
use crate::http::Connection;
use crate::support::{self, Server, fixtures};

const VIEWERS: usize = 5;
const PLAYLIST: &str = "/live/main/video/index.m3u8";

#[test]
fn nginx_passes_every_request_on_and_holds_none_back() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n");
    let programme = crowd::watch(&server, Front::nginx, false, VIEWERS);
    let fetched = &programme.fetched;
    assert_eq!(fetched.playlists + fetched.parts + fetched.missing, programme.requests, "{programme:?}");
    assert!(fetched.parts > (VIEWERS - 1) * programme.objects.parts, "{programme:?}");
}

#[test]
fn nginx_brings_tls_and_http_2_and_leaves_gzip_as_it_is() {
    let server = Server::start("");
    let nginx = Front::nginx(&server);
    let _on_air = OnAir::begin(&server);
    let mut curl = Command::new("curl");
    curl.args(["-sk", "--http2", "-H", "Accept-Encoding: gzip", "-o", "/dev/null", "-D", "-"]);
    curl.arg("--unix-socket").arg(nginx.secure()).arg(format!("https://live.example{PLAYLIST}"));
    let head = String::from_utf8(support::run(&mut curl).stdout).unwrap();
    assert!(head.starts_with("HTTP/2 200"), "{head}");
    for header in ["content-encoding: gzip", "vary: Accept-Encoding", "access-control-allow-origin: *"] {
        assert_eq!(head.matches(header).count(), 1, "{header} in {head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers_pass_and_what_is_not_for_viewers_does_not() {
    let server = Server::start("[publish.keys]\nmain = \"secret\"\n");
    let nginx = Front::nginx(&server);
    let mut viewer = Connection::open(&nginx.at).await;
    for path in [
        "/replicate/main",
        "/replicate/../live/main/index.m3u8",
        "/metrics",
        "/api/v1/publishers?x",
        "/healthz",
        "/readyz",
    ] {
        let hidden = viewer.get(path, &[]).await;
        assert_eq!((hidden.status.as_u16(), hidden.header("content-type")), (404, "text/html"), "{path}");
    }
    let elsewhere = viewer.get("/live/../replicate/main", &[]).await;
    assert_eq!(elsewhere.header("content-type"), "application/json", "the server does not find its way by dots");

    let offer = std::fs::read(fixtures().join("chromium-156-camera-and-microphone.sdp")).unwrap();
    let sdp = ("content-type", "application/sdp");
    let stranger = viewer.ask("POST", "/whip/main", &[sdp], offer.clone()).await;
    assert_eq!(stranger.status, 401, "{}", stranger.text());
    let session = viewer.ask("POST", "/whip/main", &[sdp, ("authorization", "Bearer secret")], offer).await;
    assert_eq!(session.status, 201, "{}", session.text());
}

/// A door on the server's machine brings the whole world by the loopback.
#[tokio::test(flavor = "multi_thread")]
async fn without_keys_nobody_publishes_through_the_door() {
    let server = Server::start("");
    let nginx = Front::nginx(&server);
    let offer = std::fs::read(fixtures().join("chromium-156-camera-and-microphone.sdp")).unwrap();
    let mut stranger = Connection::open(&nginx.at).await;
    let refused = stranger.ask("POST", "/whip/main", &[("content-type", "application/sdp")], offer).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_said_to_be_in_words_that_pages_can_read() {
    let server = Server::start("");
    let nginx = Front::nginx(&server);
    drop(server);
    let mut viewer = Connection::open(&nginx.at).await;
    let away = viewer.get(PLAYLIST, &[]).await;
    assert_eq!((away.status.as_u16(), away.header("access-control-allow-origin")), (503, "*"));
    assert_eq!((away.header("cache-control"), away.header("retry-after")), ("no-store", "1"));
    serde_json::from_slice::<Value>(&away.body).unwrap();
}
