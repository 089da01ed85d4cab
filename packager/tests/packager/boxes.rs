//! Init sections and chunks, box by box.

use mp4_atom::{Any, DecodeMaybe};
use std::time::Duration;
use touchline_media::{Format, Kind, Track, av1, hevc};
use touchline_packager::Event;

use crate::check;
use crate::source::{Frames, live, opus, packager, rate, stretch};
use crate::viewer::parts;

#[test]
fn init_section_of_video() {
    let events = live(&mut packager(), &[Frames::video(rate(30, 1), 60)], 0.1);
    insta::assert_debug_snapshot!(dump(init_sections(&events)[0]));
}

#[test]
fn init_section_of_hevc() {
    let config = hevc::Config::parse(HEVC).unwrap();
    insta::assert_debug_snapshot!(init_section_of(Format::Hevc(config)));
}

#[test]
fn init_section_of_av1() {
    let config = av1::Config::parse(AV1).unwrap();
    insta::assert_debug_snapshot!(init_section_of(Format::Av1(config)));
}

#[test]
fn init_section_of_opus() {
    let events = live(&mut packager(), &[Frames::of(opus(960))], 0.1);
    insta::assert_debug_snapshot!(dump(init_sections(&events)[0]));
}

#[test]
fn init_section_of_audio() {
    let events = live(&mut packager(), &[Frames::audio(48_000)], 0.1);
    insta::assert_debug_snapshot!(dump(init_sections(&events)[0]));
}

#[test]
fn chunk_of_video_with_b_frames() {
    let source = Frames { reorder: &[2, 4, 1, 0], ..Frames::video(rate(30, 1), 60) };
    let events = live(&mut packager(), &[source], 0.3);
    insta::assert_debug_snapshot!(dump_without_media(&parts(&events, 0)[0].data));
}

#[test]
fn chunk_of_audio() {
    let events = live(&mut packager(), &[Frames::audio(48_000)], 0.5);
    insta::assert_debug_snapshot!(dump_without_media(&parts(&events, 0)[1].data));
}

#[test]
fn b_frames_keep_their_composition_offsets() {
    let source = Frames { reorder: &[2, 4, 1, 0], ..Frames::video(rate(30_000, 1_001), 60) };
    let frames = source.between(Duration::ZERO, Duration::from_secs(9));
    let mut packager = packager();
    let mut events = stretch(&mut packager, std::slice::from_ref(&source.track), frames.clone());
    events.extend(packager.end());
    check::complete(&events, &[vec![frames.clone()]]);
    let written = parts(&events, 0).into_iter().flat_map(|part| check::samples(part, Kind::Video));
    for (written, given) in written.zip(frames) {
        // The opening gap of 201 ms lies before.
        assert_eq!((written.dts, written.pts), (given.dts.ticks() + 6_030, given.pts.ticks() + 6_030));
        assert_eq!(written.duration, 1_001);
    }
}

/// x265 at 160x90, Main 1.0, lengths of two bytes.
const HEVC: &[u8] = b"\x01\x01\x60\0\0\0\x90\0\0\0\0\0\x1e\xf0\0\xfc\xfd\xf8\xf8\0\0\x0d\x03\
    \x20\0\x01\0\x18\x40\x01\x0c\x01\xff\xff\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\x95\x90\x09\
    \x21\0\x01\0\x2a\x42\x01\x01\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\xa0\x14\x20\x61\xf2\x65\x95\x91\x29\x30\xbc\
    \x05\xa0\x20\0\0\x03\0\x20\0\0\x03\x03\xc1\
    \x22\0\x01\0\x06\x44\x01\xc0\x73\xc1\x89";
/// libaom at 160x90, Main 2.0.
const AV1: &[u8] = b"\x81\0\x0c\0\x0a\x0a\0\0\0\x03\xb4\xfd\x93\x6b\xe4\x01";

fn init_section_of(format: Format) -> Vec<Any> {
    let source = Frames::video(rate(30, 1), 60);
    let source = Frames { track: Track { format, ..source.track }, ..source };
    let events = live(&mut packager(), &[source], 0.1);
    dump(init_sections(&events)[0])
}

fn init_sections(events: &[Event]) -> Vec<&[u8]> {
    let all = events.iter().filter_map(|event| match event {
        Event::Init(init) => Some(&*init.data),
        _ => None,
    });
    all.collect()
}

fn dump(mut data: &[u8]) -> Vec<Any> {
    let mut boxes = Vec::new();
    while let Some(any) = Any::decode_maybe(&mut data).unwrap() {
        boxes.push(any);
    }
    assert!(data.is_empty());
    boxes
}

fn dump_without_media(data: &[u8]) -> Vec<Any> {
    let mut boxes = dump(data);
    for any in &mut boxes {
        if let Any::Mdat(mdat) = any {
            mdat.data.truncate(4);
        }
    }
    boxes
}
