//! Whole responses: status, headers and body of each kind.

use std::pin::pin;

use hyper::Method;
use insta::assert_snapshot;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use touchline_edge::{Kind, Metrics, RequestLabels};

use crate::stage::{Seen, Stage, held};

async fn whole(method: Method, path: &str, headers: &[(&str, &str)]) -> String {
    Stage::live().request(method, path, headers).await.whole()
}

async fn get(path: &str, headers: &[(&str, &str)]) -> String {
    whole(Method::GET, path, headers).await
}

fn video(item: &str, extension: &str) -> String {
    format!("/live/main/video/{}", Stage::name(item, extension))
}

#[tokio::test]
async fn multivariant_playlist() {
    assert_snapshot!(get("/live/main/index.m3u8", &[]).await);
}

#[tokio::test]
async fn media_playlist() {
    assert_snapshot!(get("/live/main/video/index.m3u8", &[]).await);
}

#[tokio::test]
async fn media_playlist_asked_for_by_directives() {
    assert_snapshot!(
        get("/live/main/video/index.m3u8?_HLS_msn=101&_HLS_part=1", &[("accept-encoding", "br, gzip")]).await
    );
}

#[tokio::test]
async fn part() {
    assert_snapshot!(get(&video("part5", "m4s"), &[("accept-encoding", "gzip")]).await);
}

#[tokio::test]
async fn init_section_of_audio() {
    assert_snapshot!(get(&video("init0", "mp4").replace("video", "audio"), &[]).await);
}

#[tokio::test]
async fn range_of_a_segment() {
    assert_snapshot!(get(&video("seg100", "m4s"), &[("range", "bytes=20-40")]).await);
}

#[tokio::test]
async fn range_outside_the_resource() {
    assert_snapshot!(get(&video("part5", "m4s"), &[("range", "bytes=1000-")]).await);
}

#[tokio::test]
async fn range_that_is_conditional_on_a_validator_is_void() {
    let whole = get(&video("part5", "m4s"), &[]).await;
    assert_eq!(get(&video("part5", "m4s"), &[("range", "bytes=1-2"), ("if-range", "\"x\"")]).await, whole);
}

#[tokio::test]
async fn head_is_the_head_of_get() {
    for path in [
        "/live/main/index.m3u8",
        "/live/main/video/index.m3u8?_HLS_msn=100",
        &video("part5", "m4s"),
        "/live/none/index.m3u8",
    ] {
        let get = Stage::live().get(path).await;
        let head = Stage::live().request(Method::HEAD, path, &[]).await;
        assert_eq!((head.status, head.headers), (get.status, get.headers), "{path}");
        assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn head_of_a_compressed_playlist_has_the_length_of_that() {
    let stage = Stage::live();
    for path in ["/live/main/index.m3u8", "/live/main/video/index.m3u8"] {
        let get = stage.request(Method::GET, path, &[("accept-encoding", "gzip")]).await;
        let head = stage.request(Method::HEAD, path, &[("accept-encoding", "gzip")]).await;
        assert_eq!((head.status, &head.headers), (get.status, &get.headers), "{path}");
        assert_eq!(
            (head.header("content-length"), head.body.len()),
            (get.body.len().to_string().as_str(), 0),
            "{path}"
        );
    }
}

#[tokio::test]
async fn playlists_vary_by_encoding_whichever_they_come_in() {
    let stage = Stage::live();
    for path in ["/live/main/index.m3u8", "/live/main/video/index.m3u8", "/live/main/video/index.m3u8?_HLS_msn=100"] {
        for (accepted, encoding) in [("gzip", "gzip"), ("gzip;q=0", ""), ("br", ""), ("identity", "")] {
            let seen = stage.request(Method::GET, path, &[("accept-encoding", accepted)]).await;
            let form = (seen.header("content-encoding"), seen.header("vary"));
            assert_eq!(form, (encoding, "Accept-Encoding"), "{path} {accepted}");
        }
    }
}

/// RFC 8216bis B.1, in target durations of two seconds: six for a playlist that was waited for, half a one for any
/// other, at most four for what is refused there and one elsewhere.
#[tokio::test(start_paused = true)]
async fn caches_keep_each_answer_as_long_as_it_stands() {
    let stage = Stage::live();
    let playlist = "/live/main/video/index.m3u8";
    for (path, status, lifetime) in [
        (format!("{playlist}?_HLS_msn=100"), 200, "public, max-age=1"),
        (format!("{playlist}?_HLS_msn=101&_HLS_part=0"), 200, "public, max-age=1"),
        (format!("{playlist}?_HLS_msn=101&_HLS_part=1"), 200, "public, max-age=12"),
        (format!("{playlist}?_HLS_skip=YES"), 200, "public, max-age=1"),
        (playlist.into(), 200, "public, max-age=1"),
        ("/live/main/index.m3u8".into(), 200, "public, max-age=1"),
        (video("part5", "m4s"), 200, "public, max-age=31536000, immutable"),
        (video("seg100", "m4s"), 200, "public, max-age=31536000, immutable"),
        (video("init0", "mp4"), 200, "public, max-age=31536000, immutable"),
        (format!("{playlist}?_HLS_msn=999"), 400, "no-store"),
        (format!("{playlist}?_HLS_msn=x"), 400, "public, max-age=1"),
        (format!("{playlist}?_HLS_msn=102"), 503, "public, max-age=1"),
        (video("part99", "m4s"), 404, "no-store"),
        ("/live/none/index.m3u8".into(), 404, "public, max-age=1"),
    ] {
        let seen = stage.get(&path).await;
        assert_eq!((seen.status.as_u16(), seen.header("cache-control")), (status, lifetime), "{path}");
        assert_eq!((seen.header("etag"), seen.header("age")), ("", ""), "{path}");
    }
}

/// Made-up directives, late ones and those of a channel that has ended give what is current: it takes no room for long.
#[tokio::test(start_paused = true)]
async fn only_the_first_version_that_has_what_is_asked_for_is_kept_long() {
    let mut stage = Stage::live();
    let playlist = "/live/main/video/index.m3u8";
    let short = ("public, max-age=1".to_owned(), 200);
    let long = ("public, max-age=12".to_owned(), 200);
    let seen = |seen: Seen| (seen.header("cache-control").to_owned(), seen.status.as_u16());
    let mut whole = pin!(stage.get(&format!("{playlist}?_HLS_msn=101")));
    assert!(held(whole.as_mut()).await);
    let newest = format!("{playlist}?_HLS_msn=101&_HLS_part=1");
    assert_eq!(seen(stage.get(&newest).await), long);
    stage.end_segment();
    assert_eq!(seen(stage.get(&newest).await), short, "the segment's end made another version");
    assert_eq!(seen(whole.await), long);
    for query in ["_HLS_msn=0", "_HLS_msn=100&_HLS_part=77", "_HLS_skip=YES&_HLS_msn=99"] {
        assert_eq!(seen(stage.get(&format!("{playlist}?{query}")).await), short, "{query}");
    }
    let mut next = pin!(stage.get(&format!("{playlist}?_HLS_msn=102&_HLS_part=0")));
    assert!(held(next.as_mut()).await);
    stage.end();
    assert_eq!(seen(next.await), long, "what the end releases is the same everywhere too");
    for query in ["_HLS_msn=104", "_HLS_msn=102&_HLS_part=99", "_HLS_msn=101&_HLS_part=1", "_HLS_part=1"] {
        assert_eq!(seen(stage.get(&format!("{playlist}?{query}")).await), short, "{query}");
    }
}

#[tokio::test]
async fn a_slash_behind_the_watch_page_leads_to_it() {
    assert_snapshot!(get("/watch/main/", &[]).await);
    assert_eq!(Stage::live().get("/watch/%2e%2e/").await.status, 400);
    assert_eq!(Stage::live().get("/watch//").await.status, 400);
}

#[tokio::test]
async fn preflight() {
    let headers = [("origin", "https://example.com"), ("access-control-request-headers", "range")];
    assert_snapshot!(whole(Method::OPTIONS, &video("part5", "m4s"), &headers).await);
}

#[tokio::test]
async fn method_that_changes_something() {
    assert_snapshot!(whole(Method::POST, "/live/main/index.m3u8", &[]).await);
}

#[tokio::test]
async fn channel_that_is_not_live() {
    assert_snapshot!(get("/live/away/index.m3u8", &[]).await);
}

#[tokio::test]
async fn directives_too_far_ahead() {
    assert_snapshot!(get("/live/main/video/index.m3u8?_HLS_msn=110", &[]).await);
}

#[tokio::test]
async fn directives_that_do_not_parse() {
    assert_snapshot!(get("/live/main/video/index.m3u8?_HLS_msn=1e3", &[]).await);
}

#[tokio::test]
async fn file_that_does_not_exist() {
    assert_snapshot!(get(&video("part99", "m4s"), &[]).await);
}

#[tokio::test(start_paused = true)]
async fn hold_that_times_out() {
    assert_snapshot!(get(&video("part7", "m4s"), &[]).await);
}

#[tokio::test]
async fn list_of_channels() {
    assert_snapshot!(get("/channels.json", &[]).await);
}

#[tokio::test]
async fn pages_are_kept_for_seconds_by_shared_caches_alone_and_hashed_assets_for_ever() {
    let stage = Stage::live();
    let index = stage.get("/").await;
    assert_eq!((index.status.as_u16(), index.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(index.header("cache-control"), "public, max-age=0, s-maxage=10");
    let watch = stage.get("/watch/not-live-yet").await;
    assert_eq!((watch.status.as_u16(), watch.header("cache-control")), (200, "public, max-age=0, s-maxage=10"));
    let page = watch.text();
    let script =
        page.split('"').find(|text| text.starts_with("/assets/") && text.strip_suffix(".js").is_some()).expect(&page);
    let plain = stage.get(script).await;
    assert_eq!((plain.status.as_u16(), plain.header("content-type")), (200, "text/javascript; charset=utf-8"));
    assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
    let packed = stage.request(Method::GET, script, &[("accept-encoding", "gzip")]).await;
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "Accept-Encoding"));
    assert!(packed.body.len() < plain.body.len());
}

#[tokio::test]
async fn every_response_may_be_read_by_any_page() {
    let stage = Stage::live();
    for path in ["/", "/nowhere", "/channels.json", "/live/main/index.m3u8", "/live/none/index.m3u8", "/watch/%2e%2e"] {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::DELETE] {
            let seen = stage.request(method.clone(), path, &[]).await;
            assert_eq!(seen.header("access-control-allow-origin"), "*", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn requests_are_counted_by_kind_and_status() {
    let stage = Stage::live();
    for path in ["/live/main/index.m3u8", "/live/main/video/index.m3u8", "/live/none/index.m3u8", "/nowhere", "/"] {
        stage.get(path).await;
    }
    let counted = |kind, status| stage.metrics.requests.get_or_create(&RequestLabels { kind, status }).get();
    let counts = [
        counted(Kind::Multivariant, 200),
        counted(Kind::Playlist, 200),
        counted(Kind::Multivariant, 404),
        counted(Kind::Other, 404),
        counted(Kind::Page, 200),
        counted(Kind::Page, 404),
    ];
    assert_eq!(counts, [1, 1, 1, 1, 1, 0]);
}

#[tokio::test]
async fn metrics_are_registered_under_the_name_of_the_stage() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    metrics.requests.get_or_create(&RequestLabels { kind: Kind::Part, status: 206 }).inc();
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    assert_snapshot!(text);
}
