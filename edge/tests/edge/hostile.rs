//! Whatever a viewer sends, it gets an answer of the 200s or 400s, or is held as long as anybody may be.

use std::pin::pin;

use hyper::{Method, Uri};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use touchline_edge::{Kind, RequestLabels};

use crate::stage::{Stage, answered};

#[tokio::test]
async fn path_tricks_are_refused() {
    let stage = Stage::live();
    for path in [
        "/../etc/passwd",
        "/live/../../etc/passwd",
        "/live/main/../main/index.m3u8",
        "/live/%2e%2e/index.m3u8",
        "/live/main%2findex.m3u8",
        "/live/main/video%00/index.m3u8",
        "/live/main/video/%c0%ae%c0%ae/x",
        "/live/main/video/..%2f..%2fetc%2fpasswd",
        "/watch/%ff%fe",
        "/watch/..",
        "/assets/..",
        "/assets/../index.html",
        "/assets/%2e%2e%2findex.html",
        "//live/main/index.m3u8",
        "/live//main/index.m3u8",
        "/live/main/index.m3u8/",
        &format!("/watch/{}", "a".repeat(10_000)),
        &"/a".repeat(10_000),
    ] {
        let status = stage.get(path).await.status.as_u16();
        assert!((400..500).contains(&status), "{status} {path}");
    }
}

/// Neither text nor label nor anything else is kept for a query that nobody has sent before.
#[tokio::test]
async fn a_flood_of_junk_queries_is_answered_with_what_is_there() {
    const FLOOD: u32 = 5_000;
    let stage = Stage::live();
    let ask = |query: String| {
        let headers = [("accept-encoding", "gzip")];
        stage.request(Method::GET, &format!("/live/main/video/index.m3u8?{query}"), &headers)
    };
    let playlist = ask("token=0".into()).await;
    let built = (stage.metrics.playlists_built.get(), stage.metrics.gzips_built.get());
    for n in 0..FLOOD {
        let seen = ask(format!("x{n}={n}&token={n}")).await;
        assert_eq!((seen.status.as_u16(), seen.body.as_ptr()), (200, playlist.body.as_ptr()));
        assert_eq!(ask(format!("_HLS_z{n}=1")).await.status, 400);
        assert_eq!(ask(format!("_HLS_msn={n}x")).await.status, 400);
    }
    assert_eq!((stage.metrics.playlists_built.get(), stage.metrics.gzips_built.get()), built);
    let counted = |status| stage.metrics.requests.get_or_create(&RequestLabels { kind: Kind::Playlist, status }).get();
    assert_eq!((counted(200), counted(400)), (u64::from(FLOOD) + 1, 2 * u64::from(FLOOD)));
    let mut registry = Registry::default();
    registry.register("requests", "", stage.metrics.requests.clone());
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 2, "{text}");
}

/// One of the words that requests are made of, or anything.
fn word() -> impl Strategy<Value = String> {
    let known = vec![
        "live",
        "main",
        "video",
        "audio",
        "index.m3u8",
        "watch",
        "assets",
        "channels.json",
        "..",
        "%2e",
        "%2f",
        "%00",
        "",
        "part7-miapqww0.m4s",
        "seg100-miapqww0.m4s",
        "init0-miapqww0.mp4",
    ];
    prop_oneof![3 => proptest::sample::select(known).prop_map(String::from), 1 => "[!-~é\\x80]{0,40}"]
}

fn parameter() -> impl Strategy<Value = String> {
    let name = proptest::sample::select(&["_HLS_msn", "_HLS_part", "_HLS_skip", "_HLS_x", "token", ""][..]);
    (name, "=?(10[0-4]|[0-9]{1,30}|[!-~]{0,20})").prop_map(|(name, value)| format!("{name}{value}"))
}

proptest! {
    #[test]
    fn any_request_is_answered_or_held(
        path in proptest::collection::vec(word(), 0..6),
        query in proptest::collection::vec(parameter(), 0..4),
        method in proptest::sample::select(&[Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT][..]),
        range in "bytes=[0-9]{0,20}-[0-9]{0,20}|[ -~]{0,30}",
        encoding in "[ -~]{0,30}",
    ) {
        let target = format!("/{}?{}", path.join("/"), query.join("&"));
        prop_assume!(target.parse::<Uri>().is_ok());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let stage = Stage::live();
            let headers = [("range", range.as_str()), ("accept-encoding", encoding.as_str())];
            let mut request = pin!(stage.request(method, &target, &headers));
            if let Some(seen) = answered(request.as_mut()).await {
                let status = seen.status.as_u16();
                assert!((200..500).contains(&status), "{status} {target}");
            }
        });
    }
}
