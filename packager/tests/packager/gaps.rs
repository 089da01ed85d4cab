//! Renditions whose media stops while that of others goes on.

use std::fmt::Write;

use touchline_media::Sample;
use touchline_packager::{Event, Packager};

use crate::check;
use crate::source::{Frames, OPENING, ZERO, interleave, packager, secs, sources, stretch, tracks};
use crate::viewer::{Viewer, all_parts, notices};

/// The segments of all renditions side by side: when each begins, how long it lasts, and what it is; then what the
/// operator is told.
pub(crate) fn segments(events: &[Event]) -> String {
    let presentation = Viewer::open(events).presentation;
    let mut table = String::new();
    let columns: Vec<Vec<String>> = (0..presentation.renditions.len()).map(|index| column(events, index)).collect();
    let names: Vec<&str> = presentation.renditions.iter().map(|rendition| rendition.name.as_str()).collect();
    let line = |cells: Vec<String>| cells.join(" | ");
    writeln!(table, "msn | {}", line(names.iter().map(|name| format!("{name:<27}")).collect())).unwrap();
    for msn in 0..columns.iter().map(Vec::len).max().unwrap() {
        let row = columns.iter().map(|column| column.get(msn).map_or("", |cell| cell));
        writeln!(table, "+{msn:<2} | {}", line(row.map(|cell| format!("{cell:<27}")).collect())).unwrap();
    }
    for notice in notices(events) {
        writeln!(table, "{notice}").unwrap();
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn column(events: &[Event], rendition: usize) -> Vec<String> {
    let mut cells: Vec<(f64, f64, String)> = Vec::new();
    for part in all_parts(events, rendition) {
        if let Some(start) = part.segment_start {
            let begins = start.program_date_time.as_secs_f64() - OPENING.as_secs_f64();
            let what = match (part.gap, start.independent) {
                (true, _) => "gap",
                (false, true) => "media",
                (false, false) => "media, dependent",
            };
            let new = if start.discontinuity { "new " } else { "" };
            cells.push((begins, 0.0, format!("{new}{what}")));
        }
        cells.last_mut().unwrap().1 += part.duration.as_secs_f64();
    }
    cells.into_iter().map(|(begins, lasts, what)| format!("{begins:6.3} {lasts:5.3} {what}")).collect()
}

/// Pictures and sound, each without what it has within a span of seconds.
fn with_holes(pictures: std::ops::Range<f64>, sound: std::ops::Range<f64>, seconds: f64) -> (Packager, Vec<Event>) {
    let [video, audio] = sources();
    let without = |frames: Vec<Sample>, hole: &std::ops::Range<f64>| -> Vec<Sample> {
        frames.into_iter().filter(|frame| !hole.contains(&frame.dts.as_secs_f64())).collect()
    };
    let samples = interleave([
        without(video.between(ZERO, secs(seconds)), &pictures),
        without(audio.between(ZERO, secs(seconds)), &sound),
    ]);
    let mut packager = packager();
    let events = stretch(&mut packager, &tracks(), samples);
    check::consistent(&events);
    (packager, events)
}

#[test]
fn pictures_that_stop_for_five_seconds_leave_a_gap_and_sound_goes_on() {
    let (_, events) = with_holes(6.7..11.7, 0.0..0.0, 18.0);
    insta::assert_snapshot!("video_stall", segments(&events));
    let viewer = Viewer::of(&events);
    insta::assert_snapshot!("video_stall_video", viewer.playlist("video"));
    insta::assert_snapshot!("video_stall_audio", viewer.playlist("audio"));
}

#[test]
fn sound_that_stops_leaves_a_gap_and_comes_back_where_a_segment_begins() {
    let (_, events) = with_holes(0.0..0.0, 6.7..11.7, 24.0);
    insta::assert_snapshot!("audio_stall", segments(&events));
    insta::assert_snapshot!("audio_stall_audio", Viewer::of(&events).playlist("audio"));
}

#[test]
fn a_pause_within_patience_is_no_gap() {
    for hole in [4.5..5.5, 5.0..5.9] {
        for (pictures, sound) in [(hole.clone(), 0.0..0.0), (0.0..0.0, hole.clone())] {
            let (_, events) = with_holes(pictures, sound, 12.0);
            assert!(notices(&events).is_empty(), "{}", segments(&events));
            assert_eq!(all_parts(&events, 0).iter().chain(&all_parts(&events, 1)).filter(|p| p.gap).count(), 2);
        }
    }
}

#[test]
fn sound_that_never_comes_is_a_gap_from_the_beginning() {
    let (mut packager, mut events) = with_holes(0.0..0.0, 0.0..9.9, 9.0);
    events.extend(packager.end());
    insta::assert_snapshot!(segments(&events));
}

#[test]
fn sound_that_begins_late_begins_where_a_segment_does() {
    let (_, events) = with_holes(0.0..0.0, 0.0..8.9, 16.0);
    insta::assert_snapshot!(segments(&events));
}

#[test]
fn a_short_stretch_without_sound_counts_alike_in_both() {
    let (mut packager, mut events) = with_holes(0.0..0.0, 0.0..1.0, 0.5);
    events.extend(packager.pause());
    let back = |source: &Frames| -> Vec<Sample> {
        let mut samples = source.between(ZERO, secs(5.0));
        for sample in &mut samples {
            sample.received += secs(3.0);
        }
        samples
    };
    let [video, audio] = sources();
    events.extend(stretch(&mut packager, &tracks(), interleave([back(&video), back(&audio)])));
    check::consistent(&events);
    insta::assert_snapshot!(segments(&events));
}
