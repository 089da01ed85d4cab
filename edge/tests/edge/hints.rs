//! Preload hints and media files: RFC 8216bis 6.2.6.

use std::pin::pin;

use tokio::time::Instant;

use crate::stage::{LONGEST_HOLD, Stage, held};

fn part(number: u64) -> String {
    format!("/live/main/video/{}", Stage::name(&format!("part{number}"), "m4s"))
}

#[tokio::test(start_paused = true)]
async fn the_hinted_part_is_held_until_it_exists_also_where_it_begins_a_segment() {
    let mut stage = Stage::live();
    for number in 7..12 {
        let mut request = pin!(stage.get(&part(number)));
        assert!(held(request.as_mut()).await);
        if number == 10 {
            stage.end_segment();
            assert!(held(request.as_mut()).await);
        }
        stage.part();
        assert_eq!(request.await.text(), format!("[part {number} of RenditionId(0)]"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_uri_that_the_playlist_hints_at_is_the_one_that_is_held() {
    let stage = Stage::live();
    let playlist = stage.get("/live/main/video/index.m3u8").await.text();
    let hint = playlist.rsplit_once("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"").unwrap().1;
    let hinted = hint.split_once('"').unwrap().0;
    assert!(held(pin!(stage.get(&format!("/live/main/video/{hinted}")))).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_neither_there_nor_hinted_is_404_at_once() {
    let stage = Stage::live();
    let files = [
        Stage::name("part8", "m4s"),
        Stage::name("part18446744073709551615", "m4s"),
        Stage::name("seg101", "m4s"),
        Stage::name("seg99", "m4s"),
        Stage::name("init1", "mp4"),
        "part7-abc.m4s".into(),
        "part07-abc.m4s".into(),
        "secret.txt".into(),
    ];
    for file in files {
        let missing = stage.get(&format!("/live/main/video/{file}")).await;
        assert_eq!((missing.status.as_u16(), stage.metrics.held.get()), (404, 0), "{file}");
    }
    assert_eq!(stage.get("/live/main/4k/index.m3u8").await.status, 404);
    assert_eq!(stage.get(&part(1).replace("video", "4k")).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn the_hinted_part_is_404_once_the_end_has_come() {
    let mut stage = Stage::live();
    let mut request = pin!(stage.get(&part(7)));
    assert!(held(request.as_mut()).await);
    stage.end();
    // All viewers wait for it: a cache that holds them as one has something to answer them with.
    for ended in [request.await, stage.get(&part(7)).await] {
        assert_eq!((ended.status.as_u16(), ended.header("cache-control")), (404, "public, max-age=1"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hinted_part_that_does_not_come_is_503_after_three_target_durations() {
    let stage = Stage::live();
    let started = Instant::now();
    assert_eq!(stage.get(&part(7)).await.status, 503);
    assert_eq!((started.elapsed(), stage.metrics.held.get()), (LONGEST_HOLD, 0));
}

#[tokio::test(start_paused = true)]
async fn a_segment_is_its_parts_one_after_the_other() {
    let stage = Stage::live();
    let mut parts = String::new();
    for number in 0..5 {
        parts += &stage.get(&part(number)).await.text();
    }
    assert_eq!(stage.get(&format!("/live/main/video/{}", Stage::name("seg100", "m4s"))).await.text(), parts);
}
