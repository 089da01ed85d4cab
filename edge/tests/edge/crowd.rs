//! One build per change, however many wait for it.

use tokio::task::JoinSet;

use crate::stage::Stage;
use hyper::Method;

const CROWD: usize = 5_000;

#[tokio::test(start_paused = true)]
async fn five_thousand_held_requests_share_one_playlist_and_one_gzip() {
    let mut stage = Stage::live();
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let path = "/live/main/video/index.m3u8?_HLS_msn=101&_HLS_part=2";
        crowd.spawn(stage.request(Method::GET, path, &[("accept-encoding", "gzip")]));
    }
    while stage.metrics.held.get() < 5_000 {
        tokio::task::yield_now().await;
    }
    let (playlists, gzips) = (stage.metrics.playlists_built.get(), stage.metrics.gzips_built.get());
    stage.part();
    let answers = crowd.join_all().await;
    // A part of each of the two renditions has come, and one's playlist was asked for.
    assert_eq!(stage.metrics.playlists_built.get() - playlists, 1);
    assert_eq!(stage.metrics.gzips_built.get() - gzips, 1);
    assert_eq!((answers.len(), stage.metrics.held.get()), (CROWD, 0));
    let first = &answers[0];
    assert_eq!((first.status.as_u16(), first.header("content-encoding")), (200, "gzip"));
    assert!(answers.iter().all(|answer| answer.body.as_ptr() == first.body.as_ptr()), "the same bytes in memory");
}

#[tokio::test(start_paused = true)]
async fn five_thousand_held_requests_for_a_part_share_its_bytes() {
    let mut stage = Stage::live();
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        crowd.spawn(stage.get(&format!("/live/main/video/{}", Stage::name("part7", "m4s"))));
    }
    while stage.metrics.held.get() < 5_000 {
        tokio::task::yield_now().await;
    }
    stage.part();
    let answers = crowd.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body.as_ptr() == answers[0].body.as_ptr()));
}

#[tokio::test(start_paused = true)]
async fn playlists_are_not_built_again_for_those_who_ask_again() {
    let stage = Stage::long();
    let built = stage.metrics.playlists_built.get();
    for _ in 0..10 {
        stage.get("/live/main/index.m3u8").await;
        stage.get("/live/main/audio/index.m3u8").await;
        stage.get("/live/main/audio/index.m3u8?_HLS_skip=YES").await;
        stage.get("/live/main/audio/index.m3u8?_HLS_skip=v2").await;
    }
    // The audio playlist, whole and as both kinds of update; the multivariant playlist was there.
    assert_eq!(stage.metrics.playlists_built.get() - built, 3);
}

#[tokio::test(start_paused = true)]
async fn without_gzip_nothing_is_compressed() {
    let stage = Stage::live();
    stage.get("/live/main/video/index.m3u8").await;
    assert_eq!(stage.metrics.gzips_built.get(), 0);
}
