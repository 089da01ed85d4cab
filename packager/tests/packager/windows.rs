//! What can be fetched, and for how long.

use touchline_packager::{Event, Settings};

use crate::source::{Frames, ZERO, interleave, live, packager, rate, secs, sources, tracks, with};
use crate::viewer::{Viewer, all_parts, parts};

#[test]
fn the_peak_is_that_of_segments_of_some_length() {
    let mut packager = packager();
    let mut events = live(&mut packager, &[Frames::video(rate(30, 1), 60)], 4.2);
    let peak = Viewer::of(&events).window("video").rates().unwrap().peak;
    events.extend(packager.pause());
    let window = Viewer::of(&events).window("video").clone();
    assert_eq!(window.last_segment(), Some(window.presentation().first_msn + 3));
    assert_eq!((peak, window.rates().unwrap().peak), (252_976, 252_976));
}

#[test]
fn what_has_left_the_playlist_can_be_fetched_for_a_while() {
    let settings = Settings { window: secs(6.0), ..Settings::default() };
    let mut packager = with(settings);
    let sources = sources();
    let mut events = packager.start(&tracks()).unwrap();
    let mut viewer = None;
    let mut gone = Vec::new();
    let epoch = |events: &[Event]| Viewer::open(events).presentation.epoch;
    for sample in interleave(sources.iter().map(|source| source.between(ZERO, secs(40.0)))) {
        let now = sample.dts.as_secs_f64();
        let new = packager.push(sample);
        events.extend(new.iter().cloned());
        if events.iter().any(|event| matches!(event, Event::Opened(_))) {
            viewer.get_or_insert_with(|| Viewer::open(&events)).apply(&new);
        }
        let Some(viewer) = &viewer else { continue };
        let first = viewer.presentation.first_msn;
        // The segment of 10 s to 12 s, and the part that begins at 11 s.
        let segment = viewer.fetch("video", &format!("seg{}-{}.m4s", first + 5, epoch(&events)));
        let part = viewer.fetch("video", &format!("part55-{}.m4s", epoch(&events)));
        gone.push((now, segment.is_some(), part.is_some()));
    }
    let span = |has: fn(&(f64, bool, bool)) -> bool| {
        let there: Vec<f64> = gone.iter().filter(|moment| has(moment)).map(|moment| moment.0).collect();
        (there[0], *there.last().unwrap())
    };
    // RFC 8216bis 6.2.2: the segment appears at 12 s, its playlist lasts 8 s at most: until 22 s at least. The part left
    // the playlist when its segment was 6 s from the end, at 18 s: until 24 s.
    let (segment, part) = (span(|moment| moment.1), span(|moment| moment.2));
    assert!(segment.0 <= 12.04 && (22.0..27.0).contains(&segment.1), "{segment:?}");
    assert!(part.0 <= 11.2 && (24.0..27.0).contains(&part.1), "{part:?}");
}

#[test]
fn a_segment_is_its_parts_and_only_the_next_part_is_awaited() {
    let events = live(&mut packager(), &sources(), 9.0);
    let viewer = Viewer::of(&events);
    let window = viewer.window("video");
    let (msn, epoch) = (window.last_segment().unwrap(), viewer.presentation.epoch);
    let of_segment: Vec<_> = parts(&events, 0).into_iter().filter(|part| part.msn == msn).collect();
    let fetched: Vec<u8> = of_segment
        .iter()
        .flat_map(|part| viewer.fetch("video", &format!("part{}-{epoch}.m4s", part.number)).unwrap())
        .collect();
    assert_eq!(Some(fetched), viewer.fetch("video", &format!("seg{msn}-{epoch}.m4s")));
    let next = all_parts(&events, 0).len();
    let find = |file: String| format!("{:?}", window.find(file.parse().unwrap()));
    assert_eq!(find(format!("part{next}-{epoch}.m4s")), "Next");
    assert_eq!(find(format!("part{}-{epoch}.m4s", next + 1)), "Missing");
    assert_eq!(find(format!("seg{}-{epoch}.m4s", msn + 1)), "Missing", "a segment is there when it is whole");
    assert_eq!(find("part0-0.m4s".into()), "Missing", "another epoch");
    assert_eq!(find(format!("init1-{epoch}.mp4")), "Missing");
    assert!(viewer.fetch("video", &format!("init0-{epoch}.mp4")).is_some());
}
