//! Opus: packets of any duration, and what the multivariant playlist says beside AAC.

use std::fmt::Write;
use std::time::Duration;

use touchline_media::{Kind, Sample, Track, TrackId};
use touchline_packager::Event;

use crate::check;
use crate::gaps::segments;
use crate::source::{
    Frames, RATES, audio, interleave, ladder, light_audio, live, opus, packager, packet, rate, stretch,
};
use crate::viewer::{Viewer, notices, parts};

fn multivariant(sources: &[Frames]) -> String {
    Viewer::of(&live(&mut packager(), sources, 10.0)).multivariant().unwrap()
}

/// The same sound as a transcoder makes it of Opus.
fn made() -> [Frames; 2] {
    [Frames::of(Track { bitrate: Some(128_000), ..audio(48_000) }), Frames::of(light_audio())]
}

#[test]
fn beside_what_is_made_of_it_opus_is_one_variant_more() {
    let [large, small, _] = ladder(rate(30, 1), false);
    let [sound, light] = made();
    insta::assert_snapshot!(multivariant(&[large, small, sound, light, Frames::of(opus(960))]));
}

#[test]
fn alone_opus_plays_with_all_pictures() {
    let [large, small, _] = ladder(rate(30, 1), false);
    insta::assert_snapshot!(multivariant(&[large, small, Frames::of(opus(960))]));
}

#[test]
fn languages_in_opus_are_in_the_group_of_opus_alone() {
    let [large, ..] = ladder(rate(30, 1), false);
    let [sound, light] = made();
    let spoken = |id, language: &str| {
        let language = Some(language.parse().unwrap());
        Frames::of(Track { id: TrackId(id), language, ..opus(960) })
    };
    insta::assert_snapshot!(multivariant(&[large, sound, light, spoken(5, "eng"), spoken(6, "ger")]));
}

#[test]
fn without_pictures_opus_is_the_last_variant() {
    let [sound, light] = made();
    insta::assert_snapshot!(multivariant(&[sound, light, Frames::of(opus(960))]));
}

/// Up to 60 ms they do, at every frame rate; where longer ones do not, the operator is told.
#[test]
fn parts_of_whole_packets_fill_part_target() {
    let mut table = String::from(
        "| packets of ms | frames/s | PART-TARGET ms | part of packets | % | told |\n|---|---|---|---|---|---|\n",
    );
    for ticks in [120, 240, 480, 960, 1_920, 2_880, 3_840, 5_760] {
        for (name, rate) in *RATES {
            let gop = (2.0 * rate.as_f64()) as u32;
            let events = live(&mut packager(), &[Frames::video(rate, gop), Frames::of(opus(ticks))], 20.0);
            let part = parts(&events, 1)[1].duration;
            let target = Viewer::open(&events).presentation.part_target;
            let fills = part.as_secs_f64() / target.as_secs_f64() * 100.0;
            let (packets, told) = (part.ticks() / i64::from(ticks), notices(&events).len());
            if told == 0 {
                check::consistent(&events);
            }
            assert_eq!(fills < 85.0, told > 0);
            let ms = f64::from(ticks) / 48.0;
            writeln!(table, "| {ms} | {name} | {} | {packets} | {fills:.1} | {told} |", target.as_millis()).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn alone_opus_of_20_ms_fits_200_ms_exactly() {
    let events = live(&mut packager(), &[Frames::of(opus(960))], 20.0);
    check::consistent(&events);
    assert_eq!(Viewer::open(&events).presentation.part_target, Duration::from_millis(200));
    assert!(parts(&events, 0).iter().all(|part| part.duration.ticks() == 9_600));
}

/// Packets whose duration changes all the time, for so many seconds.
fn varying(seconds: i64) -> Vec<Sample> {
    let track = Track { frame_ticks: None, ..opus(960) };
    let durations = [960, 960, 120, 2_880, 480, 1_920, 960, 240, 5_760].into_iter().cycle();
    let starts = durations.scan(0, |dts, ticks| Some((std::mem::replace(dts, *dts + i64::from(ticks)), ticks)));
    starts.take_while(|(dts, _)| *dts < seconds * 48_000).map(|(dts, ticks)| packet(&track, dts, ticks)).collect()
}

#[test]
fn packets_of_varying_duration_keep_their_times_and_wait_for_none() {
    let video = Frames::video(rate(30, 1), 60);
    let tracks = [video.track.clone(), Track { frame_ticks: None, ..opus(960) }];
    let packets = varying(10);
    let frames = video.between(Duration::ZERO, Duration::from_secs(10));
    let mut packager = packager();
    let mut events = stretch(&mut packager, &tracks, interleave([frames, packets.clone()]));
    assert!(notices(&events).is_empty(), "{}", segments(&events));
    events.extend(packager.end());
    check::consistent(&events);
    let written: Vec<_> = parts(&events, 1).into_iter().flat_map(|part| check::samples(part, Kind::Audio)).collect();
    // The opening gap of 200 ms lies before.
    let times = |pts: i64| pts + 9_600;
    assert_eq!(written.len(), packets.len());
    for (written, given) in written.iter().zip(&packets) {
        assert_eq!((written.pts, &written.data[..]), (times(given.pts.ticks()), &given.data[..]));
    }
    // What does not fit a part any more is made up in the next.
    let late = written.iter().map(|written| written.pts - written.dts).max().unwrap();
    assert!((0..5_760).contains(&late), "{late}");
}

#[test]
fn a_part_comes_out_with_its_last_packet() {
    let track = Track { frame_ticks: None, ..opus(960) };
    let mut packager = packager();
    packager.start(std::slice::from_ref(&track)).unwrap();
    let parts: Vec<usize> = (0..40)
        .map(|nth| {
            let events = packager.push(packet(&track, nth * 960, 960));
            events.iter().filter(|event| matches!(event, Event::Part(part) if !part.gap)).count()
        })
        .collect();
    let first = parts.iter().position(|&count| count > 0).unwrap();
    // PART-TARGET is 217 ms here, of which 85 % are ten packets.
    assert_eq!((first, parts.iter().sum::<usize>()), (9, 4));
}

#[test]
fn renditions_are_named_by_their_codec_where_that_tells_them_apart() {
    let sound = Track { bitrate: Some(128_000), ..audio(48_000) };
    let other = Track { id: TrackId(6), ..opus(960) };
    let names = |tracks: &[Track]| {
        let sources: Vec<Frames> = tracks.iter().cloned().map(Frames::of).collect();
        let presentation = Viewer::open(&live(&mut packager(), &sources, 0.1)).presentation.clone();
        presentation.renditions.iter().map(|rendition| rendition.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[sound, light_audio(), opus(960), other]), ["audio", "audio-64k", "audio-opus", "audio-4"]);
    assert_eq!(names(&[opus(960)]), ["audio"]);
}
