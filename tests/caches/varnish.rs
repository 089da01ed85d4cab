//! Varnish by `deploy/varnish/touchline.vcl`.

use serde_json::Value;
use tokio::task::JoinSet;

use crate::crowd::{self, Next, OnAir, answered, metric};
use crate::front::Front;
use crate::http::{Address, Answer, Connection};
use crate::support::{self, Server, fixtures};

const VIEWERS: usize = 30;
const PLAYLIST: &str = "/live/main/video/index.m3u8";

#[test]
fn varnish_asks_the_server_for_each_object_once_whatever_the_crowd() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n");
    let programme = crowd::watch(&server, Front::varnish, true, VIEWERS);
    assert_eq!(programme.fetched, programme.objects, "{programme:?}");
    assert!(programme.objects.parts > 30, "{programme:?}");
    assert!(programme.requests > VIEWERS * programme.objects.parts, "{programme:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_playlist_is_its_path_and_its_directives_in_canonical_order() {
    let server = Server::start("");
    let varnish = Front::varnish(&server);
    let on_air = OnAir::begin(&server);
    let (msn, part) = newest(&on_air.next());
    let before = answered(&server, "playlist", 200);
    let mut viewer = Connection::open(&varnish.at).await;
    let mut seen = Vec::new();
    for query in [
        format!("_HLS_msn={msn}&_HLS_part={part}"),
        format!("_HLS_part={part}&_HLS_msn={msn}"),
        format!("_HLS_msn=00{msn}&_HLS_part=0{part}"),
        format!("CMCD=bl%3D2100%2Csid%3D%226e2f%22&_HLS_part={part}&token=a=b&&_HLS_msn={msn}&"),
        format!("_HLS_skip=no&_HLS_msn={msn}&_HLS_part={part}"),
    ] {
        let headers = [("cookie", "a=b"), ("authorization", "Bearer x"), ("cmcd-request", "bl=2100")];
        let answer = viewer.get(&format!("{PLAYLIST}?{query}"), &headers).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "public, max-age=12"), "{query}");
        seen.push(answer.body);
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(answered(&server, "playlist", 200), before + 1);
    for query in ["_HLS_skip=YES&_HLS_msn=1", "a&_HLS_msn=01&_HLS_skip=YES", "_HLS_msn=1&_HLS_skip=v2", "_HLS_msn=1"] {
        assert_eq!(viewer.get(&format!("{PLAYLIST}?{query}"), &[]).await.status, 200, "{query}");
    }
    assert_eq!(answered(&server, "playlist", 200), before + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn directives_that_the_server_would_refuse_do_not_reach_it() {
    let server = Server::start("");
    let varnish = Front::varnish(&server);
    let _on_air = OnAir::begin(&server);
    let mut viewer = Connection::open(&varnish.at).await;
    for query in [
        "_HLS_msn=abc",
        "_HLS_msn=",
        "_HLS_msn",
        "_HLS_msn=-1",
        "_HLS_msn=123456789012345678901",
        "_HLS_msn=1&_HLS_part=1.5",
        "_HLS_msn=1&_HLS_msn=1",
        "_HLS_msn=1&_HLS_part=1&_HLS_part=2",
        "_HLS_skip=YES&_HLS_skip=v2",
        "_HLS_push=1",
        "a=b&_HLS_",
        "_HLS_MSN=1",
    ] {
        let answer = viewer.get(&format!("{PLAYLIST}?{query}"), &[]).await;
        let direct = server.get(&format!("{PLAYLIST}?{query}"));
        assert_eq!((answer.status.as_u16(), direct.0), (400, 400), "{query}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        serde_json::from_slice::<Value>(&answer.body).unwrap();
    }
    assert_eq!(answered(&server, "playlist", 400), 12, "those that were sent past Varnish");
}

#[tokio::test(flavor = "multi_thread")]
async fn media_pages_and_assets_are_kept_under_their_paths_alone() {
    let server = Server::start("");
    let varnish = Front::varnish(&server);
    let on_air = OnAir::begin(&server);
    let playlist = server.text(PLAYLIST);
    let named = |prefix: &str| playlist.split('"').find(|name| name.starts_with(prefix)).unwrap().to_owned();
    let page = server.text("/watch/main");
    let script = page.split('"').find(|name| name.starts_with("/assets/")).unwrap();
    let mut viewer = Connection::open(&varnish.at).await;
    for (kind, path) in [
        ("part", format!("/live/main/video/{}", named("part1-"))),
        ("init", format!("/live/main/video/{}", named("init"))),
        ("page", script.to_owned()),
        ("page", "/watch/main".into()),
    ] {
        let (before, whole) = (answered(&server, kind, 200), server.get(&path).1);
        for query in ["", "?CMCD=bl%3D2100", "?", "?_HLS_msn=1", "?CMCD=bl%3D2200"] {
            let answer = viewer.get(&format!("{path}{query}"), &[("cookie", "a=b")]).await;
            assert_eq!(answer.status, 200, "{path}{query}");
            assert!(answer.body == whole, "{path}{query}");
        }
        assert_eq!(answered(&server, kind, 200), before + 2, "{path}");
    }
    drop(on_air);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_playlist_is_fetched_once_for_those_who_take_gzip_and_those_who_do_not() {
    let server = Server::start("");
    let varnish = Front::varnish(&server);
    let on_air = OnAir::begin(&server);
    let (msn, part) = newest(&on_air.next());
    let path = format!("{PLAYLIST}?_HLS_msn={msn}&_HLS_part={part}");
    let before = answered(&server, "playlist", 200);
    let mut viewer = Connection::open(&varnish.at).await;
    for (accepted, encoding) in [("br, gzip", "gzip"), ("identity", ""), ("gzip;q=0", ""), ("gzip, deflate", "gzip")] {
        let answer = viewer.get(&path, &[("accept-encoding", accepted)]).await;
        assert_eq!((answer.header("content-encoding"), answer.header("vary")), (encoding, "Accept-Encoding"));
        let magic = if encoding.is_empty() { b"#E" } else { b"\x1f\x8b" };
        assert_eq!(&answer.body[..2], magic, "{accepted}");
    }
    assert_eq!(answered(&server, "playlist", 200), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_was_asked_for_too_early_is_there_in_time_and_fetched_once() {
    let server = Server::start("");
    let varnish = Front::varnish(&server);
    let mut on_air = OnAir::begin(&server);
    let hint = on_air.next().hint;
    let (number, epoch) = hint.strip_prefix("part").unwrap().split_once('-').unwrap();
    let next: u64 = number.parse::<u64>().unwrap() + 1;
    let path = format!("/live/main/video/part{next}-{epoch}");
    let mut early = Connection::open(&varnish.at).await;
    let refused = early.get(&path, &[]).await;
    assert_eq!((refused.status.as_u16(), refused.header("cache-control")), (404, "no-store"));
    on_air.next_part();
    assert_eq!(format!("/live/main/video/{}", on_air.next().hint), path);
    let before = answered(&server, "part", 200);
    let crowd = tokio::spawn(crowd_for(varnish.at.clone(), path));
    tokio::task::block_in_place(|| {
        support::until(|| metric(&server, "touchline_edge_held_requests") == 1);
        on_air.next_part();
    });
    for answer in crowd.await.unwrap() {
        assert_eq!((answer.status.as_u16(), answer.header("age")), (200, "0"));
    }
    assert_eq!(answered(&server, "part", 200), before + 1);
}

/// The crowd whose part does not come is answered by one answer, when the server's own patience is at its end.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_come_is_refused_to_all_at_once() {
    let server = Server::start("[hls]\nsegment = \"1s\"\n");
    let varnish = Front::varnish(&server);
    let on_air = OnAir::begin(&server);
    // A feed that falls silent has its segment closed. After that, nothing comes.
    tokio::task::block_in_place(|| support::until(|| on_air.next().part == 0));
    let Next { msn, part, hint } = on_air.next();
    let paths = [format!("{PLAYLIST}?_HLS_msn={msn}&_HLS_part={part}"), format!("/live/main/video/{hint}")];
    let [playlists, parts] = paths.map(|path| tokio::spawn(crowd_for(varnish.at.clone(), path)));
    for answer in playlists.await.unwrap().iter().chain(&parts.await.unwrap()) {
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"), "{}", answer.text());
        assert_eq!(answer.header("cache-control"), "public, max-age=1");
    }
    assert_eq!((answered(&server, "playlist", 503), answered(&server, "part", 503)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_and_heads_are_cut_from_what_was_fetched_whole() {
    let server = Server::start("");
    let varnish = Front::varnish(&server);
    let _on_air = OnAir::begin(&server);
    let playlist = server.text(PLAYLIST);
    let name = playlist.split('"').find(|name| name.starts_with("part1-")).unwrap();
    let path = format!("/live/main/video/{name}");
    let whole = server.get(&path).1;
    let mut viewer = Connection::open(&varnish.at).await;
    let range = viewer.get(&path, &[("range", "bytes=20-99")]).await;
    assert_eq!(range.status, 206);
    assert_eq!(range.header("content-range"), format!("bytes 20-99/{}", whole.len()));
    assert_eq!(range.body, whole[20..100]);
    let head = viewer.ask("HEAD", &path, &[], "").await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, whole.len().to_string().as_str()));
    assert_eq!(viewer.get(&path, &[]).await.body, whole);
    assert_eq!(answered(&server, "part", 200) + answered(&server, "part", 206), 2, "one of them past Varnish");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pages_may_do_is_asked_once() {
    let server = Server::start("");
    let varnish = Front::varnish(&server);
    let mut page = Connection::open(&varnish.at).await;
    let asked = [("origin", "https://player.example"), ("access-control-request-headers", "cmcd-request")];
    for path in [PLAYLIST, "/live/main/video/part1-a.m4s", "/live/other/index.m3u8?CMCD=x"] {
        let allowed = page.ask("OPTIONS", path, &asked, "").await;
        assert_eq!(allowed.status, 204, "{path}");
        assert!(allowed.header("access-control-allow-headers").contains("CMCD-Request"), "{path}");
    }
    assert_eq!(answered(&server, "preflight", 204), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers_pass_and_what_is_not_for_viewers_does_not() {
    let server = Server::start("[publish.keys]\nmain = \"secret\"\n");
    let varnish = Front::varnish(&server);
    let mut viewer = Connection::open(&varnish.at).await;
    for path in ["/replicate/main", "/metrics", "/api/v1/publishers?x", "/healthz", "/readyz"] {
        assert_eq!(viewer.get(path, &[]).await.status, 404, "{path}");
        assert_eq!(viewer.ask("POST", path, &[], "").await.status, 404, "{path}");
    }
    assert_eq!(answered(&server, "other", 404) + answered(&server, "other", 405), 0);
    assert_eq!(viewer.ask("POST", "/live/main/index.m3u8", &[], "").await.status, 405);

    let offer = std::fs::read(fixtures().join("chromium-156-camera-and-microphone.sdp")).unwrap();
    let sdp = ("content-type", "application/sdp");
    let stranger = viewer.ask("POST", "/whip/main", &[sdp], offer.clone()).await;
    assert_eq!(stranger.status, 401, "{}", stranger.text());
    let session = viewer.ask("POST", "/whip/main", &[sdp, ("authorization", "Bearer secret")], offer).await;
    assert_eq!(session.status, 201, "{}", session.text());
    let ended = viewer.ask("DELETE", session.header("location"), &[("authorization", "Bearer secret")], "").await;
    assert_eq!(ended.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_served_past_its_life_when_the_server_is_away() {
    let server = Server::start("");
    let varnish = Front::varnish(&server);
    let on_air = OnAir::begin(&server);
    let playlist = server.text(PLAYLIST);
    let part = playlist.split('"').find(|name| name.starts_with("part1-")).unwrap();
    let part = format!("/live/main/video/{part}");
    let mut viewer = Connection::open(&varnish.at).await;
    for path in [&part, PLAYLIST, "/live/main/index.m3u8"] {
        assert_eq!(viewer.get(path, &[]).await.status, 200);
    }
    drop(on_air);
    drop(server);
    for path in [PLAYLIST, "/live/main/index.m3u8"] {
        let away = loop {
            let answer = viewer.get(path, &[]).await;
            if answer.status != 200 {
                break answer;
            }
            let age: u64 = answer.header("age").parse().unwrap();
            assert!(age <= 1 && answer.header("cache-control") == "public, max-age=1", "{path} is {age} s old");
        };
        assert_eq!((away.status.as_u16(), away.header("access-control-allow-origin")), (503, "*"));
        assert_eq!((away.header("cache-control"), away.header("retry-after")), ("no-store", "1"));
        serde_json::from_slice::<Value>(&away.body).unwrap();
    }
    assert_eq!(viewer.get(&part, &[]).await.status, 200, "media never changes");
}

/// What viewers get who all ask for the same.
async fn crowd_for(front: Address, path: String) -> Vec<Answer> {
    let mut viewers = JoinSet::new();
    for number in 0..VIEWERS {
        let separator = if path.contains('?') { '&' } else { '?' };
        let (front, path) = (front.clone(), format!("{path}{separator}CMCD=bl%3D{number}"));
        viewers.spawn(async move { Connection::open(&front).await.get(&path, &[]).await });
    }
    viewers.join_all().await
}

/// The newest part, of which the playlist is the first that has it.
fn newest(next: &Next) -> (u64, usize) {
    assert!(next.part > 0, "the segment has just ended");
    (next.msn, next.part - 1)
}
