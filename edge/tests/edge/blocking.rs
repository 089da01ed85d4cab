//! Blocking playlist reload: RFC 8216bis 6.2.5.2. When what is answered is decided in `directives.rs`; here, that it is.

use std::pin::pin;

use tokio::time::Instant;
use touchline_edge::Settings;

use crate::stage::{LONGEST_HOLD, Stage, held, main, presentation};

const VIDEO: &str = "/live/main/video/index.m3u8";

#[tokio::test(start_paused = true)]
async fn msn_alone_is_held_until_the_segment_is_complete() {
    let mut stage = Stage::live();
    let mut request = pin!(stage.get(&format!("{VIDEO}?_HLS_msn=101")));
    assert!(held(request.as_mut()).await);
    stage.parts(3);
    assert!(held(request.as_mut()).await, "parts of the segment do not release it");
    stage.end_segment();
    let playlist = request.await.text();
    assert!(playlist.contains(&Stage::name("seg101", "m4s")), "{playlist}");
}

#[tokio::test(start_paused = true)]
async fn msn_and_part_are_held_until_that_part_is_listed() {
    let mut stage = Stage::live();
    let mut request = pin!(stage.get(&format!("{VIDEO}?_HLS_msn=101&_HLS_part=3")));
    stage.part();
    assert!(held(request.as_mut()).await);
    stage.part();
    let playlist = request.await.text();
    assert!(playlist.contains(&format!("\"{}\"", Stage::name("part8", "m4s"))), "{playlist}");
    assert_eq!(playlist, stage.get(VIDEO).await.text(), "it is the whole current playlist");
}

/// As caches keep it for all who ask later.
#[tokio::test(start_paused = true)]
async fn who_has_waited_gets_what_all_get_however_late_its_turn_comes() {
    let mut stage = Stage::live();
    let path = format!("{VIDEO}?_HLS_msn=101&_HLS_part=2");
    let (mut prompt, mut late) = (pin!(stage.get(&path)), pin!(stage.get(&path)));
    assert!(held(prompt.as_mut()).await && held(late.as_mut()).await);
    stage.part();
    let first = prompt.await;
    stage.parts(2);
    stage.end_segment();
    stage.part();
    let later = late.await;
    assert_eq!((later.text(), &later.headers), (first.text(), &first.headers));
    assert_eq!(first.header("cache-control"), "public, max-age=12");
    let now = stage.get(&path).await;
    assert_eq!((now.text(), now.header("cache-control")), (stage.get(VIDEO).await.text(), "public, max-age=1"));
}

#[tokio::test(start_paused = true)]
async fn a_part_past_the_end_of_a_segment_that_finishes_while_held_is_part_0_of_the_next() {
    let mut stage = Stage::live();
    let mut request = pin!(stage.get(&format!("{VIDEO}?_HLS_msn=101&_HLS_part=5")));
    stage.parts(3);
    assert!(held(request.as_mut()).await);
    stage.end_segment();
    assert!(held(request.as_mut()).await, "the segment has five parts: 0 to 4");
    stage.part();
    assert!(request.await.text().contains(&Stage::name("part10", "m4s")));
}

#[tokio::test(start_paused = true)]
async fn a_part_past_the_end_of_a_finished_segment_is_part_0_of_the_next() {
    let stage = Stage::live();
    let answered = stage.get(&format!("{VIDEO}?_HLS_msn=100&_HLS_part=77")).await;
    assert_eq!(answered.text(), stage.get(VIDEO).await.text());
}

#[tokio::test(start_paused = true)]
async fn what_is_listed_or_was_is_answered_at_once() {
    let stage = Stage::live();
    let now = stage.get(VIDEO).await.text();
    for query in ["_HLS_msn=0", "_HLS_msn=99&_HLS_part=0", "_HLS_msn=100", "_HLS_msn=101&_HLS_part=1"] {
        let started = Instant::now();
        let answered = stage.get(&format!("{VIDEO}?{query}")).await;
        assert_eq!((answered.status.as_u16(), answered.text() == now), (200, true), "{query}");
        assert_eq!(started.elapsed().as_nanos(), 0, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_far_ahead_or_malformed_is_refused_at_once() {
    let stage = Stage::live();
    for query in [
        "_HLS_msn=103",
        "_HLS_msn=103&_HLS_part=0",
        "_HLS_msn=101&_HLS_part=17",
        "_HLS_msn=18446744073709551615",
        "_HLS_part=0",
        "_HLS_msn=abc",
        "_HLS_msn=-1",
        "_HLS_msn=",
        "_HLS_msn=99999999999999999999999999999999",
        "_HLS_msn=101&_HLS_part=1.5",
        "_HLS_push=1",
    ] {
        let refused = stage.get(&format!("{VIDEO}?{query}")).await;
        assert_eq!(refused.status, 400, "{query}");
        assert_eq!(stage.metrics.held.get(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn skip_and_foreign_parameters_change_nothing() {
    let stage = Stage::live();
    let full = stage.get(VIDEO).await.text();
    for query in ["_HLS_skip=YES", "_HLS_skip=v2&_HLS_msn=100", "_HLS_skip=x", "token=abc&CMCD=bl%3D3000", "msn=x"] {
        assert_eq!(stage.get(&format!("{VIDEO}?{query}")).await.text(), full, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_ends_with_503_after_three_target_durations() {
    let mut stage = Stage::live();
    let started = Instant::now();
    let request = tokio::spawn(stage.get(&format!("{VIDEO}?_HLS_msn=102")));
    tokio::time::sleep(LONGEST_HOLD / 2).await;
    stage.part();
    let answered = request.await.unwrap();
    assert_eq!(
        (answered.status.as_u16(), started.elapsed()),
        (503, LONGEST_HOLD),
        "a part that comes gives no more time"
    );
    assert_eq!(stage.metrics.held.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_releases_all_that_is_held_with_the_final_playlist() {
    let mut stage = Stage::live();
    let mut requests = Vec::new();
    for query in ["_HLS_msn=101", "_HLS_msn=102", "_HLS_msn=101&_HLS_part=9"] {
        let mut request = Box::pin(stage.get(&format!("{VIDEO}?{query}")));
        assert!(held(request.as_mut()).await);
        requests.push(request);
    }
    stage.end();
    for request in requests {
        let last = request.await.text();
        assert!(last.ends_with("#EXT-X-ENDLIST\n"), "{last}");
    }
    assert_eq!(stage.metrics.held.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn after_the_end_directives_are_ignored() {
    let mut stage = Stage::live();
    stage.end();
    let last = stage.get(VIDEO).await.text();
    for query in ["_HLS_msn=999", "_HLS_msn=101&_HLS_part=99", "_HLS_part=1", "_HLS_msn=junk"] {
        assert_eq!(stage.get(&format!("{VIDEO}?{query}")).await.text(), last, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_viewer_who_leaves_is_no_longer_held() {
    let stage = Stage::live();
    let mut request = Box::pin(stage.get(&format!("{VIDEO}?_HLS_msn=101")));
    assert!(held(request.as_mut()).await);
    assert_eq!(stage.metrics.held.get(), 1);
    drop(request);
    assert_eq!(stage.metrics.held.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_channel_holds_no_more_requests_than_it_may() {
    let stage = Stage::live_with(Settings { held_per_channel: 1, ..Settings::default() });
    let path = format!("{VIDEO}?_HLS_msn=101");
    let mut first = Box::pin(stage.get(&path));
    assert!(held(first.as_mut()).await);
    let refused = stage.get(&path).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "1"));
    assert_eq!((stage.metrics.held.get(), stage.metrics.holds_refused.get()), (1, 1));
    drop(first);
    assert!(held(pin!(stage.get(&path))).await, "the place is free again");
}

#[tokio::test(start_paused = true)]
async fn shutting_down_answers_what_is_held_and_serves_on_what_is_there() {
    let stage = Stage::live();
    let mut request = pin!(stage.get(&format!("{VIDEO}?_HLS_msn=101")));
    assert!(held(request.as_mut()).await);
    stage.hub.drain();
    assert_eq!(request.await.status, 503);
    assert_eq!(stage.get(VIDEO).await.status, 200);
    assert_eq!(stage.get(&format!("{VIDEO}?_HLS_msn=101")).await.status, 503, "nothing is held any more");
}

#[tokio::test(start_paused = true)]
async fn removing_or_replacing_a_channel_answers_what_is_held() {
    let mut stage = Stage::live();
    let mut request = pin!(stage.get(&format!("{VIDEO}?_HLS_msn=101")));
    assert!(held(request.as_mut()).await);
    stage.remove();
    assert_eq!(request.await.status, 404);
    assert_eq!(stage.get(VIDEO).await.status, 404);

    let stage = Stage::live();
    let mut request = pin!(stage.get(&format!("{VIDEO}?_HLS_msn=101")));
    assert!(held(request.as_mut()).await);
    let _next = stage.hub.open(main(), presentation());
    assert_eq!(request.await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn playlists_of_a_channel_that_has_just_opened_are_held_until_there_is_something_to_play() {
    let mut stage = Stage::empty();
    let mut multivariant = pin!(stage.get("/live/main/index.m3u8"));
    let mut media = pin!(stage.get(VIDEO));
    assert!(held(multivariant.as_mut()).await && held(media.as_mut()).await);
    stage.part();
    assert!(multivariant.await.text().contains("video/index.m3u8"));
    assert!(media.await.text().contains("#EXT-X-PART:"));
}
