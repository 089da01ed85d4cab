//! Origins that do everything right.

use std::collections::BTreeSet;

use touchline_loadtest::check::Verdict;

use crate::origin::{Origin, Rendition, Shape, Skip};
use crate::proof::{in_paused_time, judged, rules};

/// There are no other renditions to be compared with.
const OF_SEVERAL_RENDITIONS: &[&str] = &[
    "target-duration-shared",
    "server-control-shared",
    "discontinuities-match",
    "renditions-in-sync",
    "reports-complete",
    "report-uri",
    "report-last-part",
    "report-fresh",
    "groups-consistent",
    "channels-declared",
];
/// The stream does not end.
const OF_THE_END: &[&str] = &["ends-cleanly", "directives-after-end"];
/// Delta updates are not offered.
const OF_DELTA_UPDATES: &[&str] =
    &["skip-boundary-least", "delta-update", "delta-boundary", "delta-complete", "delta-date-ranges"];
/// Nothing is held for three target durations by a stream that goes on.
const OF_A_STALL: &[&str] = &["hold-ends"];
/// Parts have URIs of their own.
const OF_BYTE_RANGES: &[&str] = &["byte-range-parts"];
/// Without TLS there is no ALPN.
const OF_TLS: &[&str] = &["http2"];

/// Judges an origin that does everything right: no rule fails, none warns, and only these have nothing to be seen by.
fn passes(shape: Shape, unseen: &[&[&str]]) {
    let report = judged(None, shape);
    let faults: Vec<_> = report.findings.iter().filter(|finding| finding.verdict >= Verdict::Warn).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let found: BTreeSet<_> = rules(&report, Verdict::NotSeen).into_iter().collect();
    assert_eq!(found, unseen.concat().into_iter().collect());
}

#[test]
fn a_ladder_passes() {
    passes(Shape::LADDER, &[OF_THE_END, OF_A_STALL, OF_BYTE_RANGES, OF_TLS]);
}

#[test]
fn one_rung_with_sound_passes() {
    passes(Shape::ONE_RUNG, &[OF_THE_END, OF_A_STALL, OF_BYTE_RANGES, OF_TLS]);
}

#[test]
fn pictures_alone_pass() {
    passes(Shape::PICTURES, &[OF_SEVERAL_RENDITIONS, OF_THE_END, OF_A_STALL, OF_BYTE_RANGES, OF_TLS]);
}

#[test]
fn sound_alone_passes() {
    // Every part of sound is independent and so may be short; there is no video.
    let unseen = [OF_SEVERAL_RENDITIONS, OF_THE_END, OF_A_STALL, OF_BYTE_RANGES, OF_TLS];
    passes(Shape::SOUND, &[&unseen[..], &[&["part-long-enough", "resolution-right"]]].concat());
}

#[test]
fn a_server_without_delta_updates_passes() {
    passes(Shape::NO_DELTA, &[OF_DELTA_UPDATES, OF_THE_END, OF_A_STALL, OF_BYTE_RANGES, OF_TLS]);
}

#[test]
fn a_stream_that_ends_passes() {
    passes(Shape::ENDED, &[OF_A_STALL, OF_BYTE_RANGES, OF_TLS]);
}

#[test]
fn missing_segments_pass() {
    passes(Shape::GAPS, &[OF_THE_END, OF_A_STALL, OF_BYTE_RANGES, OF_TLS]);
}

#[test]
fn parts_that_are_byte_ranges_pass() {
    // An open range begins with one part and ends with another.
    passes(Shape::RANGES, &[&["part-at-once"], OF_THE_END, OF_A_STALL, OF_TLS]);
}

#[test]
fn a_server_with_tls_passes() {
    passes(Shape::SECURE, &[OF_THE_END, OF_A_STALL, OF_BYTE_RANGES]);
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
