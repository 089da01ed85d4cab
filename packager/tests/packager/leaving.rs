//! Renditions whose source says that it pauses, as a rung's does that a ladder drops.

use std::ops::Range;

use touchline_media::Sample;
use touchline_packager::{Event, Notice, Packager};

use crate::check;
use crate::gaps::segments;
use crate::rungs::{Way, by_ways, starts, way};
use crate::source::{
    Frames, LIGHT, RATES, SMALL, VIDEO, ZERO, interleave, ladder, light_audio, packager, rate, secs, stretch,
};
use crate::viewer::{Viewer, all_parts, notices};

fn leaves(holes: &[Range<f64>]) -> Way {
    Way { announced: true, ..way(holes) }
}

fn gaps(events: &[Event]) -> Vec<&Notice> {
    notices(events).into_iter().filter(|notice| matches!(notice, Notice::Gap { .. })).collect()
}

#[test]
fn a_rung_that_leaves_has_a_gap_at_once_and_comes_back_with_the_others() {
    let ways = [way(&[]), Way { delay: 60, ..leaves(&[6.0..10.0]) }, way(&[])];
    insta::assert_snapshot!(segments(&by_ways(&ladder(rate(30, 1), false), &ways, 13.0)));
}

#[test]
fn nothing_is_lost_of_a_rung_that_leaves_and_comes_back_at_keyframes() {
    for (_, rate) in *RATES {
        for half in [false, true] {
            for (delays, late) in [([0, 0], 0), ([0, 120], 0), ([300, 0], 0), ([0, 300], 1)] {
                let sources = ladder(rate, half);
                let gop = f64::from(sources[0].gop) / rate.as_f64() - 0.001;
                let [large, small] = delays;
                let away = Way { delay: small, ..leaves(&[3.0 * gop..5.0 * gop]) };
                let ways = [Way { delay: large, ..way(&[]) }, away, way(&[])];
                let events = by_ways(&sources, &ways, 15.0);
                let what = format!("{rate:?} {half} {delays:?}\n{}", segments(&events));
                let mut expected = starts(&events, 0);
                let missing: Vec<u64> = expected.keys().skip(3).take(2 + late).copied().collect();
                expected.retain(|msn, _| !missing.contains(msn));
                assert_eq!(starts(&events, 1), expected, "{what}");
                let left_out = late * sources[1].gop as usize;
                let [Notice::Gap { announced: true, left_out: told, .. }] = gaps(&events)[..] else { panic!("{what}") };
                assert_eq!(*told, left_out, "{what}");
            }
        }
    }
}

/// A source's own pictures have B-frames, and those of its rungs have none: their decode times differ.
#[test]
fn nothing_is_lost_whichever_pictures_have_b_frames() {
    for ((_, rate), less) in RATES.iter().flat_map(|rate| [0, 4, 8].map(|less| (*rate, less))) {
        let [mut large, small, _] = ladder(rate, false);
        // Parts divide a group of pictures, or do not.
        large.gop = large.gop / 4 * 4 - less;
        large.reorder = &[2, 4, 1, 0];
        let small = Frames { gop: large.gop, first: 2, ..small };
        let gop = f64::from(large.gop) / rate.as_f64();
        for (index, delay) in [(0, 0), (0, 150), (1, 0), (1, 90)] {
            let mut ways = [way(&[]), way(&[])];
            let later = if index == 1 { 2.0 / rate.as_f64() } else { 0.0 };
            ways[index] = leaves(&[3.0 * gop + later - 0.001..5.0 * gop + later - 0.001]);
            ways[index].delay = delay;
            let events = by_ways(&[large.clone(), small.clone()], &ways, 15.0);
            let what = format!("{rate:?} {less} {index} {delay}\n{}", segments(&events));
            let numbers = |rendition| -> Vec<_> { starts(&events, rendition).into_iter().take(8).collect() };
            let (mut expected, mut seen) = (numbers(1 - index), numbers(index));
            expected.drain(3..5);
            seen.truncate(expected.len());
            assert_eq!(seen, expected, "{what}");
            assert!(matches!(gaps(&events)[..], [Notice::Gap { announced: true, left_out: 0, .. }]), "{what}");
        }
    }
}

/// A ladder whose smaller rung leaves at six seconds, and comes back at ten.
fn with_a_rung_away(seconds: f64) -> (Packager, Vec<Event>) {
    let [large, small, sound] = ladder(rate(30, 1), false);
    let tracks = [large.track.clone(), small.track.clone(), sound.track.clone()];
    let mut packager = packager();
    let between = |from: f64, to: f64, without: &[&Frames]| -> Vec<Sample> {
        let all = [&large, &small, &sound]
            .into_iter()
            .filter(|source| !without.iter().any(|not| std::ptr::eq(*not, *source)));
        interleave(all.map(|source| source.between(secs(from), secs(to.min(seconds)))))
    };
    let mut events = stretch(&mut packager, &tracks, between(0.0, 6.0, &[]));
    events.extend(packager.leave(SMALL));
    for sample in between(6.0, 10.0, &[&small]).into_iter().chain(between(10.0, 60.0, &[])) {
        events.extend(packager.push(sample));
    }
    (packager, events)
}

#[test]
fn the_gap_of_a_rung_that_has_left_grows_with_the_leader() {
    let (_, events) = with_a_rung_away(9.9);
    let mut viewer = Viewer::open(&events);
    let mut furthest = [ZERO; 2];
    for event in &events {
        viewer.apply(std::slice::from_ref(event));
        if let Event::Part(part) = event
            && let Some(furthest) = furthest.get_mut(usize::from(part.rendition.0))
        {
            *furthest += part.duration.to_duration();
        }
        let [leader, other] = furthest;
        assert!(leader.abs_diff(other) <= secs(0.201), "{leader:?} {other:?}\n{}", segments(&events));
    }
    assert_eq!(all_parts(&events, 1).iter().filter(|part| part.gap).count(), 1 + 19);
    let (_, events) = with_a_rung_away(6.5);
    insta::assert_snapshot!("playlist_of_a_rung_that_has_left", Viewer::of(&events).playlist("360p"));
}

#[test]
fn players_that_join_are_not_sent_to_a_rung_that_is_away() {
    let (_, events) = with_a_rung_away(12.0);
    let mut viewer = Viewer::open(&events);
    let mut shown: Vec<String> = Vec::new();
    for event in &events {
        viewer.apply(std::slice::from_ref(event));
        let text = viewer.multivariant().unwrap_or_default();
        let uris: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        shown.push(uris.join(" "));
        shown.dedup();
    }
    let all = "720p/index.m3u8 360p/index.m3u8";
    assert_eq!(shown, ["", all, "720p/index.m3u8", all]);
    let (_, events) = with_a_rung_away(7.0);
    insta::assert_snapshot!("multivariant_without_a_rung", Viewer::of(&events).multivariant().unwrap());
}

/// The publisher drops while a rung is behind by the beginning of a segment.
#[test]
fn a_rung_that_lacks_the_last_segment_of_a_stretch_is_still_offered() {
    let [large, small, _] = ladder(rate(30, 1), false);
    let mut packager = packager();
    let samples = interleave([large.between(ZERO, secs(6.1)), small.between(ZERO, secs(6.0))]);
    let mut events = stretch(&mut packager, &[large.track.clone(), small.track.clone()], samples);
    events.extend(packager.pause());
    assert!(all_parts(&events, 1).last().unwrap().gap, "{}", segments(&events));
    let text = Viewer::of(&events).multivariant().unwrap();
    assert!(text.contains("720p/index.m3u8") && text.contains("360p/index.m3u8"), "{text}");
}

#[test]
fn when_the_lighter_sound_is_away_all_pictures_play_with_the_other() {
    let [large, small, sound] = ladder(rate(30, 1), false);
    let sources = [large, small, sound, Frames::of(light_audio())];
    let mut packager = packager();
    let tracks = sources.clone().map(|source| source.track);
    let samples = interleave(sources.iter().map(|source| source.between(ZERO, secs(7.0))));
    let mut events = stretch(&mut packager, &tracks, samples);
    events.extend(packager.leave(LIGHT));
    for sample in interleave(sources.iter().take(3).map(|source| source.between(secs(7.0), secs(8.0)))) {
        events.extend(packager.push(sample));
    }
    insta::assert_snapshot!(Viewer::of(&events).multivariant().unwrap());
}

#[test]
fn when_the_leading_rung_leaves_another_leads_at_once() {
    let ways = [leaves(&[6.0..10.0]), way(&[]), way(&[])];
    insta::assert_snapshot!(segments(&by_ways(&ladder(rate(30, 1), false), &ways, 13.0)));
}

#[test]
fn a_rung_that_leaves_within_a_segment_goes_on_with_the_same_numbers() {
    let ways = [way(&[]), leaves(&[5.1..8.7]), way(&[])];
    insta::assert_snapshot!(segments(&by_ways(&ladder(rate(30, 1), false), &ways, 16.0)));
}

#[test]
fn when_all_pictures_leave_sound_goes_on() {
    let ways = [leaves(&[6.0..12.0]), leaves(&[6.0..10.0]), way(&[])];
    insta::assert_snapshot!(segments(&by_ways(&ladder(rate(30, 1), false), &ways, 18.0)));
}

#[test]
fn a_stretch_begins_without_a_rung_that_is_away() {
    let [large, small, sound] = ladder(rate(30, 1), false);
    let mut packager = packager();
    let mut events = packager.start(&[large.track.clone(), small.track.clone(), sound.track.clone()]).unwrap();
    events.extend(packager.leave(VIDEO));
    let mut push = |packager: &mut Packager, samples: Vec<Vec<Sample>>| {
        events.extend(interleave(samples).into_iter().flat_map(|sample| packager.push(sample)));
    };
    push(&mut packager, [&small, &sound].map(|source| source.between(ZERO, secs(3.9))).to_vec());
    // The clock of the source jumps by a minute.
    let jumped = |source: &Frames, to: f64| -> Vec<Sample> {
        let mut samples = source.between(secs(64.0), secs(to));
        for sample in &mut samples {
            sample.received -= secs(60.0);
        }
        samples
    };
    push(&mut packager, [&small, &sound].map(|source| jumped(source, 68.0)).to_vec());
    let back = |source: &Frames| -> Vec<Sample> {
        let mut samples = jumped(source, 72.0);
        samples.retain(|sample| sample.dts.to_duration() >= secs(68.0));
        samples
    };
    push(&mut packager, [&large, &small, &sound].map(back).to_vec());
    check::consistent(&events);
    insta::assert_snapshot!(segments(&events));
}

#[test]
fn a_track_that_is_not_there_cannot_leave() {
    let mut packager = packager();
    assert!(packager.leave(VIDEO).is_empty());
    packager.start(&[light_audio()]).unwrap();
    assert!(packager.leave(VIDEO).is_empty());
}
