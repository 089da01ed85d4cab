//! Playlist Delta Updates (RFC 8216bis 6.2.5.1) and long windows.

use std::time::Duration;

use proptest::prelude::*;
use touchline_packager::{Event, Settings, Skip, Window};

use crate::source::{Frames, interleave, live, rate, sources, stretch, tracks, with};
use crate::updates;
use crate::viewer::Viewer;

const BOTH: [Skip; 2] = [Skip::Segments, Skip::SegmentsAndDateRanges];

fn window_of(window: Duration) -> Settings {
    Settings { window, ..Settings::default() }
}

#[test]
fn updates_of_both_kinds() {
    let viewer = Viewer::of(&live(&mut with(window_of(Duration::from_secs(20))), &sources(), 31.0));
    insta::assert_snapshot!("full", viewer.playlist("video"));
    insta::assert_snapshot!("delta_v1", viewer.delta("video", Skip::Segments));
    insta::assert_snapshot!("delta_v2", viewer.delta("video", Skip::SegmentsAndDateRanges));
}

#[test]
fn without_enough_to_skip_there_is_no_update() {
    let young = Viewer::of(&live(&mut with(window_of(Duration::from_secs(20))), &sources(), 11.9));
    assert_eq!(young.delta("video", Skip::Segments), young.playlist("video"));
    let short = Viewer::of(&live(&mut with(window_of(Duration::from_secs(12))), &sources(), 31.0));
    assert_eq!(short.delta("video", Skip::Segments), short.playlist("video"));
    assert!(!short.playlist("video").contains("CAN-SKIP"), "what is never done is not announced");
}

#[test]
fn after_the_end_there_is_no_update() {
    let mut packager = with(window_of(Duration::from_secs(20)));
    let mut events = live(&mut packager, &sources(), 31.0);
    events.extend(packager.end());
    let viewer = Viewer::of(&events);
    assert_eq!(viewer.delta("video", Skip::Segments), viewer.playlist("video"));
}

/// What a player downloads at each reload does not grow with the window.
#[test]
fn an_update_is_as_small_in_a_window_of_an_hour_as_in_one_of_half_a_minute() {
    let sizes = [30, 3_600].map(|seconds| {
        let video = Frames::video(rate(5, 1), 10);
        let viewer = Viewer::of(&live(&mut with(window_of(Duration::from_secs(seconds))), &[video], 3_700.0));
        (viewer.playlist("video").len(), viewer.delta("video", Skip::Segments).len())
    });
    let [(short, update), (long, same)] = sizes;
    assert!(long > 30 * short, "{sizes:?}");
    assert!(update.abs_diff(same) < 8, "{sizes:?}");
}

/// Segments of seemingly random length, and now and then another stretch.
fn programme() -> impl Strategy<Value = (Vec<u32>, u64)> {
    (prop::collection::vec(20_u32..75, 1..4), 13_u64..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Who reloads at any moments, none longer ago than half of CAN-SKIP-UNTIL (6.2.5.1), knows at each what the whole
    /// playlist says.
    #[test]
    fn updates_rebuild_the_playlist_exactly(
        (gops, window) in programme(),
        pauses in prop::collection::vec(0_usize..30, 1..20),
    ) {
        let mut packager = with(window_of(Duration::from_secs(window)));
        let mut events: Vec<Event> = Vec::new();
        for (index, gop) in gops.iter().enumerate() {
            let frames = [Frames::video(rate(30, 1), *gop), Frames::audio(48_000)];
            let mut samples = interleave(frames.iter().map(|source| source.between(Duration::ZERO, Duration::from_secs(25))));
            for sample in &mut samples {
                sample.received += Duration::from_secs(30) * u32::try_from(index).unwrap();
            }
            events.extend(stretch(&mut packager, &tracks(), samples));
        }
        let mut viewer = Viewer::open(&events);
        for name in ["video", "audio"] {
            let mut pauses = pauses.iter().copied().cycle();
            let (mut known, mut wait) = (viewer.playlist(name), 0);
            for event in &events {
                let id = usize::from(viewer.presentation.find(name).unwrap().0);
                if !viewer.windows[id].apply(event) {
                    continue;
                }
                if wait > 0 {
                    wait -= 1;
                    continue;
                }
                // Thirty parts last six seconds at most.
                wait = pauses.next().unwrap();
                let full = viewer.playlist(name);
                if full.contains("CAN-SKIP-UNTIL") {
                    for skip in BOTH {
                        updates::rebuilds(&known, &viewer.delta(name, skip), &full);
                    }
                }
                known = full;
            }
        }
    }
}

#[test]
fn media_far_from_the_edge_is_handed_out_once_and_kept_elsewhere() {
    let settings = window_of(Duration::from_mins(1));
    let events = live(&mut with(settings), &sources(), 61.0);
    let viewer = Viewer::of(&events);
    let mut window: Window = viewer.window("video").clone();
    let first = viewer.presentation.first_msn;
    let offloads = window.offload(Duration::from_secs(20));
    let msns: Vec<u64> = offloads.iter().map(|offload| offload.msn).collect();
    let newest = window.last_segment().unwrap();
    // Segments of two seconds: the ten newest end within 20 s of the end, and so does the one that ends at 20 s.
    let media = (first..=newest - 11).filter(|msn| viewer.playlist("video").contains(&format!("seg{msn}-")));
    assert_eq!(msns, media.collect::<Vec<_>>());
    assert!(window.offload(Duration::from_secs(20)).is_empty());
    let len: usize = offloads[0].chunks.iter().map(bytes::Bytes::len).sum();
    window.offloaded(msns[0]);
    let name = format!("seg{}-{}.m4s", msns[0], viewer.presentation.epoch);
    let found = format!("{:?}", window.find(name.parse().unwrap()));
    assert_eq!(found, format!("Offloaded {{ msn: {}, len: {len} }}", msns[0]));
    assert_eq!(window.playlist(&[]).to_string(), viewer.window("video").playlist(&[]).to_string());
}
