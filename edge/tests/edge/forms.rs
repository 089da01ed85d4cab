//! The forms of a media playlist: whole, delta updates (RFC 8216bis 6.2.5.1), and its rendition reports.

use std::pin::pin;

use crate::stage::{Stage, held};

const VIDEO: &str = "/live/main/video/index.m3u8";
const AUDIO: &str = "/live/main/audio/index.m3u8";

#[tokio::test(start_paused = true)]
async fn an_update_leaves_out_what_is_beyond_the_skip_boundary() {
    let stage = Stage::long();
    insta::assert_snapshot!("delta_v1", stage.get(&format!("{VIDEO}?_HLS_skip=YES")).await.whole());
    insta::assert_snapshot!("delta_v2", stage.get(&format!("{VIDEO}?_HLS_skip=v2")).await.whole());
}

#[tokio::test(start_paused = true)]
async fn an_update_can_be_waited_for() {
    let mut stage = Stage::long();
    let mut request = pin!(stage.get(&format!("{VIDEO}?_HLS_msn=109&_HLS_part=2&_HLS_skip=YES")));
    assert!(held(request.as_mut()).await);
    stage.part();
    let update = request.await.text();
    assert!(update.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n"), "{update}");
    assert!(update.contains(&Stage::name("part92", "m4s")), "{update}");
}

#[tokio::test(start_paused = true)]
async fn unknown_values_of_skip_and_playlists_with_nothing_to_skip_give_the_whole() {
    for (stage, query) in
        [(Stage::long(), "_HLS_skip=NO"), (Stage::long(), "_HLS_skip"), (Stage::live(), "_HLS_skip=YES")]
    {
        let whole = stage.get(VIDEO).await.text();
        assert_eq!(stage.get(&format!("{VIDEO}?{query}")).await.text(), whole, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_end_directives_are_ignored_and_everybody_gets_the_whole() {
    let mut stage = Stage::long();
    let held_update = stage.get(&format!("{VIDEO}?_HLS_msn=109&_HLS_part=2&_HLS_skip=v2"));
    let mut held_update = pin!(held_update);
    assert!(held(held_update.as_mut()).await);
    stage.end();
    let whole = stage.get(VIDEO).await.text();
    assert!(whole.ends_with("#EXT-X-ENDLIST\n"));
    assert_eq!(held_update.await.text(), whole);
    assert_eq!(stage.get(&format!("{VIDEO}?_HLS_msn=9999&_HLS_skip=YES")).await.text(), whole);
}

/// RFC 8216bis 4.4.5.4: as up-to-date as the playlist that carries it, and the same for everybody who gets that.
#[tokio::test(start_paused = true)]
async fn reports_are_as_fresh_as_the_playlist_that_carries_them() {
    let mut stage = Stage::live();
    let report = |playlist: String| playlist.lines().last().unwrap().to_owned();
    let video = |part| format!("#EXT-X-RENDITION-REPORT:URI=\"../video/index.m3u8\",LAST-MSN=101,LAST-PART={part}");
    let audio = |part| format!("#EXT-X-RENDITION-REPORT:URI=\"../audio/index.m3u8\",LAST-MSN=101,LAST-PART={part}");
    let waiting = stage.get(&format!("{AUDIO}?_HLS_msn=101&_HLS_part=2"));
    let mut waiting = pin!(waiting);
    assert!(held(waiting.as_mut()).await);
    stage.video_part();
    assert_eq!(report(stage.get(VIDEO).await.text()), audio(1));
    assert_eq!(report(stage.get(AUDIO).await.text()), video(1), "a version never changes");
    stage.part();
    assert_eq!(report(waiting.await.text()), video(2));
    assert_eq!(report(stage.get(VIDEO).await.text()), audio(2));
}
