//! Viewers go on with the media of another origin of the same feed.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use touchline_media::Sample;
use touchline_packager::{Event, Packager, Settings, Shift, Unfit, WallClock, Window, splice};

use crate::source::{OPENING, ZERO, at, interleave, ladder, rate, secs, stretch};
use crate::updates;
use crate::viewer::Viewer;

const RENDITIONS: [&str; 3] = ["720p", "360p", "audio"];

/// An origin that begins to package the feed at `from`, by a clock that is off by so much.
fn origin(from: f64, off: Duration, settings: &Settings) -> Vec<Event> {
    let sources = ladder(rate(30, 1), false);
    let tracks = sources.clone().map(|source| source.track);
    let clock = WallClock { instant: at(ZERO), unix: OPENING + off };
    let mut packager = Packager::new(settings.clone(), clock);
    let samples: Vec<Sample> = interleave(sources.iter().map(|source| source.between(secs(from), secs(40.0))));
    stretch(&mut packager, &tracks, samples)
}

fn windows(viewer: &Viewer) -> Vec<&Window> {
    viewer.windows.iter().collect()
}

/// Turns viewers from the one to the other; how its events are shifted from then on.
fn turn(here: &mut Viewer, there: &Viewer) -> Result<Shift, Unfit> {
    let (shift, events) = splice(&windows(here), &windows(there), at(secs(40.0)))?;
    here.apply(&events);
    Ok(shift)
}

/// The Media Sequence Numbers that begin with a discontinuity.
fn discontinuities(playlist: &str) -> Vec<u64> {
    let first = playlist.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).unwrap().parse::<u64>();
    let mut msn = first.unwrap();
    let mut found = Vec::new();
    for line in playlist.lines() {
        if line == "#EXT-X-DISCONTINUITY" {
            found.push(msn);
        }
        msn += u64::from(!line.starts_with('#'));
    }
    found
}

/// Every file that is listed is there, but for those that evened out a rendition.
fn all_there(viewer: &Viewer) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for rendition in RENDITIONS {
        let playlist = viewer.playlist(rendition);
        let mut gap = false;
        for line in playlist.lines() {
            gap = line == "#EXT-X-GAP" || (gap && line.starts_with("#EXTINF"));
            let name = match line.split('"').nth(1) {
                Some(name) if line.starts_with("#EXT-X-PART:") && !line.contains("GAP=YES") => name,
                Some(name) if line.starts_with("#EXT-X-MAP:") => name,
                None if !line.starts_with('#') && !gap => line,
                _ => continue,
            };
            let file = viewer.fetch(rendition, name).unwrap_or_else(|| panic!("{name} of\n{playlist}"));
            files.insert(format!("{rendition}/{name}"), file);
        }
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whenever the one stops, however far the other is: playlists change only as they may, and a name means the same bytes as
    /// on the origin that it comes from.
    #[test]
    fn playlists_go_on_with_another_origin(
        from in 0.0..12.0_f64,
        off in 0_u64..900,
        cut in 14.0..30.0_f64,
        ahead in -1.5..1.5_f64,
        window in prop::sample::select(vec![6_u64, 30]),
    ) {
        let settings = Settings { window: Duration::from_secs(window), ..Settings::default() };
        let (first, second) = (origin(0.0, ZERO, &settings), origin(from, Duration::from_millis(off), &settings));
        let until = |events: &[Event], seconds: f64| {
            let late = |event: &Event| matches!(event, Event::Part(part) if part.received > at(secs(seconds)));
            events.iter().position(late).unwrap()
        };
        let (end, begin) = (until(&first, cut), until(&second, cut + ahead));
        let (mut here, mut there) = (Viewer::of(&first[..end]), Viewer::of(&second[..begin]));
        let (theirs, before) = (all_there(&here), RENDITIONS.map(|rendition| here.playlist(rendition)));
        let shift = turn(&mut here, &there).unwrap();
        for (rendition, before) in RENDITIONS.iter().zip(&before) {
            updates::kept(before, &here.playlist(rendition));
        }
        let at_splice = RENDITIONS.map(|rendition| discontinuities(&here.playlist(rendition)));
        prop_assert_eq!(at_splice[0].len(), 1);
        prop_assert!(at_splice.iter().all(|msns| *msns == at_splice[0]), "{:?}", at_splice);
        for event in &second[begin..] {
            there.apply(std::slice::from_ref(event));
            let shifted = shift.apply(event).unwrap();
            let before = RENDITIONS.map(|rendition| here.playlist(rendition));
            here.apply(&[shifted]);
            for (rendition, before) in RENDITIONS.iter().zip(&before) {
                updates::allowed(before, &here.playlist(rendition));
            }
        }
        let ours = all_there(&there);
        for (name, file) in all_there(&here) {
            let original = ours.get(&name).or(theirs.get(&name));
            // A segment that was cut off is no file of either.
            prop_assert!(original.is_none_or(|original| *original == file), "{name}");
            prop_assert!(original.is_some() || name.contains("seg") || window == 30, "{name}");
        }
        let last = |viewer: &Viewer| viewer.window("720p").snapshot().next_part;
        prop_assert_eq!(last(&here), last(&there));
    }
}

#[test]
fn the_same_origin_can_be_turned_to_again_and_lists_nothing_twice() {
    let settings = Settings::default();
    let (first, second) = (origin(0.0, ZERO, &settings), origin(3.0, Duration::from_millis(5), &settings));
    let at_seconds = |events: &[Event], seconds: f64| {
        let late = |event: &Event| matches!(event, Event::Part(part) if part.received > at(secs(seconds)));
        events.iter().position(late).unwrap()
    };
    let mut here = Viewer::of(&first[..at_seconds(&first, 15.1)]);
    let shift = turn(&mut here, &Viewer::of(&second[..at_seconds(&second, 15.2)])).unwrap();
    for event in &second[at_seconds(&second, 15.2)..at_seconds(&second, 20.3)] {
        here.apply(&[shift.apply(event).unwrap()]);
    }
    turn(&mut here, &Viewer::of(&first[..at_seconds(&first, 20.4)])).unwrap();
    let playlist = here.playlist("720p");
    let mut names: Vec<&str> = playlist.lines().filter(|line| !line.starts_with('#')).collect();
    let listed = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), listed, "{playlist}");
    assert_eq!(discontinuities(&playlist).len(), 2, "{playlist}");
    all_there(&here);
}

#[test]
fn what_is_cut_otherwise_is_not_gone_on_with() {
    let (settings, other) = (Settings::default(), Settings { segment: Duration::from_secs(4), ..Settings::default() });
    let mut here = Viewer::of(&origin(0.0, ZERO, &settings));
    let there = Viewer::of(&origin(0.0, ZERO, &other));
    assert_eq!(turn(&mut here, &there), Err(Unfit::Different));
}
