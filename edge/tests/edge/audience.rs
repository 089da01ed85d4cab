//! Who watches, as a node counts it.

use std::time::Duration;

use hyper::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{advance, timeout};
use touchline_edge::Settings;
use touchline_edge::audience::{NodeReport, Reporter};

use crate::sockets::{PATIENCE, Server};
use crate::stage::{Stage, held};

const VIDEO: &str = "/live/main/video/index.m3u8";
const AUDIO: &str = "/live/main/audio/index.m3u8";

/// How many watch `main`, by rendition and protocol.
fn watching(stage: &Stage) -> String {
    let tallies = stage.hub.count();
    let Some(tally) = tallies.into_iter().find(|tally| tally.channel == "main") else { return "0".into() };
    format!("{} {:?} {:?}", tally.viewers, tally.renditions, tally.protocols)
}

/// Parts come as they do, and so many players wait for each of them in both playlists; for two seconds.
async fn watch(stage: &mut Stage, agents: &[(&str, &str)]) {
    for part in 2..12_u64 {
        let ask = |path: &str, agent: &str, cmcd: &str| {
            let target = format!("{path}?_HLS_msn=101&_HLS_part={part}");
            Box::pin(stage.request(Method::GET, &target, &[("user-agent", agent), ("cmcd-session", cmcd)]))
        };
        let asked = agents.iter().flat_map(|(agent, cmcd)| [ask(VIDEO, agent, cmcd), ask(AUDIO, agent, cmcd)]);
        let mut asked: Vec<_> = asked.collect();
        for request in &mut asked {
            assert!(held(request.as_mut()).await);
        }
        stage.part();
        for request in asked {
            assert_eq!(request.await.status, StatusCode::OK);
        }
        advance(Duration::from_millis(200)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn players_are_counted_by_what_they_ask_for_and_by_their_sessions() {
    let mut stage = Stage::live();
    assert_eq!(watching(&stage), "0");
    // Two with the same facts, one with others, and two that name their sessions.
    let players =
        [("hls.js", ""), ("hls.js", ""), ("AVPlayer", ""), ("hls.js", "sid=\"a\""), ("hls.js", "sid=\"b\",v=2")];
    watch(&mut stage, &players).await;
    assert_eq!(watching(&stage), r#"5 {"video": 5.0} {Http1: 5.0}"#);
    advance(Duration::from_secs(4)).await;
    assert_eq!(watching(&stage), r#"5 {"video": 5.0} {Http1: 5.0}"#);
    advance(Duration::from_secs(12)).await;
    assert_eq!(watching(&stage), "0 {} {}");
}

#[tokio::test(start_paused = true)]
async fn who_looks_once_or_asks_for_a_head_is_no_viewer() {
    let stage = Stage::live();
    for _ in 0..3 {
        stage.get(VIDEO).await;
        stage.get("/live/main/index.m3u8").await;
        stage.request(Method::HEAD, &format!("{VIDEO}?_HLS_msn=101&_HLS_part=0"), &[]).await;
        stage.request(Method::HEAD, VIDEO, &[("cmcd-session", "sid=\"a\"")]).await;
        advance(Duration::from_secs(2)).await;
    }
    assert_eq!(watching(&stage), "0");
}

#[tokio::test]
async fn what_players_report_is_taken_and_bad_reports_are_refused() {
    let server = Server::start(Settings::default());
    let post = |path: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: edge.test\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let report = "e=ps,sta=p,msd=480,ltc=1200,sid=\"a\",v=2\ne=t,sta=p,ltc=1300,mtp=(8000),bsd=(300),sid=\"a\",v=2\n";
    let preflight = "OPTIONS /cmcd/main HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n".to_owned();
    let cases = [
        (post("/cmcd/main", report), "204"),
        (preflight, "204"),
        (post("/cmcd/main", &"x".repeat(65 * 1_024)), "400"),
        (post("/cmcd/other", report), "404"),
        (post("/cmcd/a%20b", report), "400"),
        ("GET /cmcd/main HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n".into(), "405"),
    ];
    for (request, status) in cases {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer} to {}", &request[..40]);
    }
    let quality = server.stage.hub.count().pop().unwrap().quality;
    let of = |sketch: &touchline_audience::Sketch| sketch.quantiles().map(|read| (read.p50.round(), read.count));
    assert_eq!(of(&quality.startup_ms).map(|(_, count)| count), Some(1));
    assert_eq!(of(&quality.live_latency_ms).map(|(_, count)| count), Some(2));
    assert!(quality.starved_ms > 299.0 && quality.throughput_kbps.count() == 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_tells_who_watches_there() {
    let mut stage = Stage::live();
    watch(&mut stage, &[("hls.js", ""), ("AVPlayer", "")]).await;
    stage.hub.count();
    let report = Reporter::new(stage.hub.clone(), "edge-1".into(), 100, None).report(false);
    assert_eq!((report.node.as_str(), report.channels, report.connections_limit), ("edge-1", 1, 100));
    assert_eq!(report.tallies.iter().map(|tally| tally.sample.len()).sum::<usize>(), 2);
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<NodeReport>(&json).unwrap(), report);
}
