//! Apache Traffic Server by `deploy/ats`.

use crate::crowd::{self, OnAir, answered};
use crate::front::Front;
use crate::http::Connection;
use crate::support::Server;

const VIEWERS: usize = 30;
const PLAYLIST: &str = "/live/main/video/index.m3u8";

/// Half of the viewers take gzip: it asks once for their playlist, and once for that of the others, mostly later.
#[test]
fn traffic_server_asks_the_server_for_each_object_once_whatever_the_crowd() {
    let server = Server::start("[channels]\ngrace = \"0s\"\n");
    let programme = crowd::watch(&server, Front::traffic_server, false, VIEWERS);
    let (fetched, objects) = (programme.fetched, programme.objects);
    assert_eq!(fetched.parts, objects.parts, "{programme:?}");
    assert!((objects.playlists..=2 * objects.playlists).contains(&fetched.playlists), "{programme:?}");
    assert!(objects.parts > 30 && programme.requests > VIEWERS * objects.parts, "{programme:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_the_path_and_on_playlists_the_directives_in_canonical_order() {
    let server = Server::start("");
    let front = Front::traffic_server(&server);
    let on_air = OnAir::begin(&server);
    let next = on_air.next();
    let mut viewer = Connection::open(&front.at).await;
    let part = {
        let playlist = server.text(PLAYLIST);
        format!("/live/main/video/{}", playlist.split('"').find(|name| name.starts_with("part1-")).unwrap())
    };
    let before = (answered(&server, "playlist", 200), answered(&server, "part", 200));
    let (msn, index) = (next.msn, next.part.checked_sub(1).unwrap());
    for query in [
        format!("_HLS_msn={msn}&_HLS_part={index}"),
        format!("_HLS_part={index}&_HLS_msn={msn}"),
        format!("CMCD=bl%3D2100&_HLS_part={index}&token=a=b&_HLS_msn={msn}"),
    ] {
        let answer = viewer.get(&format!("{PLAYLIST}?{query}"), &[("cookie", "a=b")]).await;
        assert_eq!(answer.status, 200, "{query}");
    }
    for query in ["", "?CMCD=bl%3D2100", "?CMCD=bl%3D2200"] {
        assert_eq!(viewer.get(&format!("{part}{query}"), &[("cookie", "a=b")]).await.status, 200, "{query}");
    }
    assert_eq!((answered(&server, "playlist", 200), answered(&server, "part", 200)), (before.0 + 1, before.1 + 1));
    for path in ["/replicate/main", "/metrics", "/api/v1/publishers", "/healthz"] {
        assert_eq!(viewer.get(path, &[]).await.status, 404, "{path}");
    }
    assert_eq!(answered(&server, "other", 404), 0);
}
