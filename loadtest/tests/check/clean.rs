//! Origins that do everything right.

use touchline_loadtest::check::Verdict;

use crate::origin::{Origin, Rendition, Shape, Skip};
use crate::proof::{in_paused_time, judged, rules};

/// Judges an origin that does everything right: no rule fails, none warns, and these alone have nothing to be seen by.
fn passes(shape: Shape, unseen: &[&str]) {
    let report = judged(None, shape);
    let faults: Vec<_> = report.findings.iter().filter(|finding| finding.verdict >= Verdict::Warn).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(rules(&report, Verdict::NotSeen), unseen);
}

#[test]
fn a_ladder_passes() {
    passes(Shape::LADDER, &[]);
}

#[test]
fn sound_alone_passes() {
    passes(Shape::SOUND, &[]);
}

#[test]
fn pictures_alone_pass() {
    passes(Shape::PICTURES, &[]);
}

#[test]
fn one_rung_with_sound_passes() {
    passes(Shape::ONE_RUNG, &[]);
}

#[test]
fn a_server_without_delta_updates_passes() {
    passes(Shape::NO_DELTA, &[]);
}

#[test]
fn a_server_with_tls_passes() {
    passes(Shape::SECURE, &[]);
}

#[test]
fn parts_that_are_byte_ranges_pass() {
    passes(Shape::RANGES, &[]);
}

#[test]
fn missing_segments_pass() {
    passes(Shape::GAPS, &[]);
}

#[test]
fn a_stream_that_ends_passes() {
    passes(Shape::ENDED, &[]);
}

#[test]
fn the_origin_writes_these_playlists() {
    in_paused_time(async {
        let origin = Origin::new(None, Shape::LADDER);
        insta::assert_snapshot!("multivariant", origin.multivariant());
        insta::assert_snapshot!("media", origin.media_playlist(Rendition::High, origin.now(), None));
        insta::assert_snapshot!("delta", origin.media_playlist(Rendition::Audio, origin.now(), Some(Skip::Segments)));
    });
}
