//! Several audio tracks: renditions of one channel, each a group of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use touchline_media::{Track, TrackId};
use touchline_packager::Event;

use crate::gaps::segments;
use crate::rungs::{Way, by_ways, starts, way};
use crate::source::{Frames, audio, ladder, light_audio, live, packager, rate};
use crate::viewer::{Viewer, notices};

fn names(tracks: &[Track]) -> Vec<String> {
    let sources: Vec<Frames> = tracks.iter().cloned().map(Frames::of).collect();
    let presentation = Viewer::open(&live(&mut packager(), &sources, 0.1)).presentation.clone();
    presentation.renditions.iter().map(|rendition| rendition.name.clone()).collect()
}

/// The furthest that segments of one number begin apart in two renditions.
pub(crate) fn apart(one: &BTreeMap<u64, Duration>, other: &BTreeMap<u64, Duration>) -> Duration {
    let both = one.iter().filter_map(|(msn, start)| Some(other.get(msn)?.abs_diff(*start)));
    both.max().expect("no segment of one number has media in both")
}

#[test]
fn the_first_sound_is_audio_and_others_are_named_by_their_bitrate() {
    let track = |id, bitrate| Track { id: TrackId(id), bitrate, ..audio(48_000) };
    let one = [track(1, Some(128_000))];
    assert_eq!(names(&one), ["audio"]);
    let several =
        [track(1, None), track(2, Some(64_000)), track(3, Some(95_900)), track(4, Some(64_100)), track(5, None)];
    assert_eq!(names(&several), ["audio", "audio-64k", "audio-96k", "audio-4", "audio-5"]);
}

#[test]
fn more_tracks_than_there_may_be_renditions_are_refused() {
    let tracks: Vec<Track> = (0..17).map(|id| Track { id: TrackId(id), ..audio(48_000) }).collect();
    assert!(packager().start(&tracks[..16]).is_ok());
    let error = packager().start(&tracks).unwrap_err();
    insta::assert_snapshot!(error, @"the publisher sends 17 tracks, and a channel has 16 at most: send fewer");
}

#[test]
fn every_sound_is_cut_where_the_pictures_are() {
    for delays in [[0, 0, 0, 0], [400, 0, 0, 700], [0, 400, 700, 0]] {
        let [large, small, sound] = ladder(rate(30, 1), false);
        let ways = delays.map(|delay| Way { delay, holes: Vec::new(), announced: false });
        let events = by_ways(&[large, small, sound, Frames::of(light_audio())], &ways, 11.0);
        assert!(notices(&events).is_empty(), "{}", segments(&events));
        assert_eq!(starts(&events, 2), starts(&events, 3));
        assert!(apart(&starts(&events, 0), &starts(&events, 3)) < Duration::from_millis(23));
    }
}

/// Left alone, segments of whole frames would be 8 ms longer in one than in the other.
#[test]
fn without_pictures_the_first_sound_leads_whatever_the_sampling_rates_are() {
    let sounds = || [Frames::audio(44_100), Frames::of(light_audio())];
    for delays in [[0, 0], [400, 0], [0, 700]] {
        let events = by_ways(&sounds(), &delays.map(|delay| Way { delay, holes: Vec::new(), announced: false }), 60.0);
        assert!(notices(&events).is_empty(), "{}", segments(&events));
        assert!(starts(&events, 0).len() > 25);
        assert!(apart(&starts(&events, 0), &starts(&events, 1)) < Duration::from_millis(23), "{}", segments(&events));
    }
    let events = by_ways(&sounds(), &[way(&[6.7..9.3]), way(&[])], 16.0);
    insta::assert_snapshot!("the_leading_sound_stalls", segments(&events));
    let events = by_ways(&sounds(), &[way(&[]), way(&[6.7..9.3])], 16.0);
    insta::assert_snapshot!("a_following_sound_stalls", segments(&events));
}

fn multivariant(sources: &[Frames]) -> String {
    let events: Vec<Event> = live(&mut packager(), sources, 10.0);
    Viewer::of(&events).multivariant().unwrap()
}

#[test]
fn low_pictures_play_with_the_lightest_sound() {
    let [large, small, sound] = ladder(rate(30, 1), false);
    insta::assert_snapshot!(multivariant(&[large, small, sound, Frames::of(light_audio())]));
}

#[test]
fn the_top_rendition_plays_with_the_first_sound_however_low_it_is() {
    let [_, small, sound] = ladder(rate(30, 1), false);
    let text = multivariant(&[small, sound, Frames::of(light_audio())]);
    let variant = text.lines().find(|line| line.starts_with("#EXT-X-STREAM-INF")).unwrap();
    assert!(variant.contains("RESOLUTION=640x360") && variant.contains("AUDIO=\"audio\","), "{variant}");
}

#[test]
fn without_known_bitrates_all_pictures_play_with_the_first_sound() {
    let [large, small, sound] = ladder(rate(30, 1), false);
    let other = Frames::of(Track { bitrate: None, ..light_audio() });
    insta::assert_snapshot!(multivariant(&[large, small, sound, other]));
}

#[test]
fn every_language_can_be_chosen_with_all_pictures() {
    let [large, small, sound] = ladder(rate(30, 1), false);
    let spoken = |language: &str, source: Frames| Frames {
        track: Track { language: Some(language.parse().unwrap()), ..source.track },
        ..source
    };
    let beside = |id, language: &str| {
        let track = Track { id: TrackId(id), bitrate: None, ..light_audio() };
        spoken(language, Frames::of(track))
    };
    let light = spoken("eng", Frames::of(light_audio()));
    let sources = [large, small, spoken("eng", sound), beside(21, "ger"), beside(22, "qaa"), beside(23, "eng"), light];
    insta::assert_snapshot!(multivariant(&sources));
}

#[test]
fn without_pictures_each_sound_is_a_variant() {
    insta::assert_snapshot!(multivariant(&[Frames::audio(48_000), Frames::of(light_audio())]));
}
