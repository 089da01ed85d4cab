//! Whatever a viewer sends, it gets an answer of the 200s or 400s, or is held as long as anybody may be.

use std::pin::pin;

use hyper::{Method, Uri};
use proptest::prelude::*;

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
