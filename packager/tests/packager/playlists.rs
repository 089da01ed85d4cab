//! Whole playlists, as a player gets them.

use std::time::Duration;

use touchline_packager::{Found, Settings};

use crate::source::{Frames, audio, live, packager, rate, small_video, stretch, with};
use crate::viewer::{Viewer, notices};

fn match_of(gop: u32) -> [Frames; 2] {
    [Frames::video(rate(30, 1), gop), Frames::audio(48_000)]
}

#[test]
fn at_start_up_there_are_parts_and_no_segment() {
    let viewer = Viewer::of(&live(&mut packager(), &match_of(60), 0.9));
    insta::assert_snapshot!("start_up_video", viewer.playlist("video"));
    insta::assert_snapshot!("start_up_audio", viewer.playlist("audio"));
}

#[test]
fn before_the_first_part_the_playlist_hints_it() {
    let viewer = Viewer::of(&live(&mut packager(), &match_of(60), 0.05));
    insta::assert_snapshot!(viewer.playlist("video"));
    assert_eq!(viewer.multivariant(), None);
}

#[test]
fn at_the_live_edge_old_segments_are_gone_and_parts_are_near_the_end() {
    let settings = Settings { window: Duration::from_secs(12), ..Settings::default() };
    let viewer = Viewer::of(&live(&mut with(settings), &match_of(60), 31.0));
    insta::assert_snapshot!("live_edge_video", viewer.playlist("video"));
    insta::assert_snapshot!("live_edge_audio", viewer.playlist("audio"));
}

#[test]
fn a_publisher_that_returns_goes_on_after_a_discontinuity() {
    let mut packager = packager();
    let mut events = live(&mut packager, &match_of(60), 5.0);
    events.extend(packager.pause());
    insta::assert_snapshot!("paused", Viewer::of(&events).playlist("video"));
    // Away for three seconds, and back with another picture size and clocks that begin anew.
    let back = [Frames { track: small_video(rate(25, 1)), ..Frames::video(rate(25, 1), 50) }, Frames::audio(48_000)];
    let away = Duration::from_secs(8);
    let samples = back.iter().flat_map(|source| source.between(Duration::ZERO, Duration::from_secs(3)));
    let mut samples: Vec<_> = samples.collect();
    for sample in &mut samples {
        sample.received += away;
    }
    samples.sort_by_key(|sample| sample.received);
    events.extend(stretch(&mut packager, &[back[0].track.clone(), audio(48_000)], samples));
    let viewer = Viewer::of(&events);
    insta::assert_snapshot!("discontinuity_video", viewer.playlist("video"));
    insta::assert_snapshot!("discontinuity_audio", viewer.playlist("audio"));
    insta::assert_snapshot!("discontinuity_multivariant", viewer.multivariant().unwrap());
}

#[test]
fn at_the_end_there_is_nothing_to_wait_for() {
    let mut packager = packager();
    let mut events = live(&mut packager, &match_of(60), 5.0);
    events.extend(packager.end());
    let viewer = Viewer::of(&events);
    insta::assert_snapshot!("ended_video", viewer.playlist("video"));
    let next = format!("part26-{}.m4s", viewer.presentation.epoch);
    assert!(matches!(viewer.window("video").find(next.parse().unwrap()), Found::Missing));
    assert!(viewer.playlist("audio").ends_with("\n#EXT-X-ENDLIST\n"));
}

#[test]
fn keyframes_too_far_apart_are_told_of_and_segments_are_not_independent() {
    let events = live(&mut packager(), &match_of(300), 12.0);
    let viewer = Viewer::of(&events);
    let said: Vec<String> = notices(&events).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("long_gop_notice", said.join("\n"));
    insta::assert_snapshot!("long_gop_video", viewer.playlist("video"));
    insta::assert_snapshot!("long_gop_multivariant", viewer.multivariant().unwrap());
}

#[test]
fn sound_alone() {
    let viewer = Viewer::of(&live(&mut packager(), &[Frames::audio(44_100)], 7.0));
    insta::assert_snapshot!("audio_only", viewer.playlist("audio"));
    insta::assert_snapshot!("audio_only_multivariant", viewer.multivariant().unwrap());
}

#[test]
fn pictures_alone() {
    let viewer = Viewer::of(&live(&mut packager(), &[Frames::video(rate(60_000, 1_001), 120)], 3.0));
    insta::assert_snapshot!("video_only_multivariant", viewer.multivariant().unwrap());
}

#[test]
fn multivariant_playlist_of_pictures_and_sound() {
    let sources = [Frames::video(rate(30_000, 1_001), 60), Frames::audio(48_000)];
    let early = Viewer::of(&live(&mut packager(), &sources, 0.3)).multivariant().unwrap();
    let late = Viewer::of(&live(&mut packager(), &sources, 20.0)).multivariant().unwrap();
    insta::assert_snapshot!("multivariant_early", early);
    insta::assert_snapshot!("multivariant_late", late);
}

/// An independent parser reads the playlists.
#[test]
fn playlists_parse() {
    let viewer = Viewer::of(&live(&mut packager(), &match_of(60), 20.0));
    let (_, media) = m3u8_rs::parse_media_playlist(viewer.playlist("video").as_bytes()).unwrap();
    assert_eq!((media.target_duration, media.version, media.end_list), (2, Some(6), false));
    assert!(media.segments[0].map.is_some());
    assert!(
        media
            .segments
            .iter()
            .skip(1)
            .all(|segment| (segment.duration - 2.0).abs() < 1e-5 && segment.program_date_time.is_some())
    );
    let (_, multivariant) = m3u8_rs::parse_master_playlist(viewer.multivariant().unwrap().as_bytes()).unwrap();
    let variant = &multivariant.variants[0];
    assert_eq!(variant.codecs.as_deref(), Some("avc1.64001f,mp4a.40.2"));
    assert_eq!(variant.audio.as_deref(), Some(&*multivariant.alternatives[0].group_id));
}

/// A live window never has less than three target durations, whatever is configured.
#[test]
fn the_window_keeps_three_target_durations() {
    let settings = Settings { window: Duration::from_secs(1), ..Settings::default() };
    let viewer = Viewer::of(&live(&mut with(settings), &match_of(60), 20.0));
    assert_eq!(viewer.playlist("video").matches("#EXTINF:2.00000,").count(), 3);
}
