//! Init sections and chunks, box by box.

use mp4_atom::{Any, DecodeMaybe};
use std::time::Duration;
use touchline_media::Kind;
use touchline_packager::Event;

use crate::check;
use crate::source::{Frames, live, packager, rate, stretch};
use crate::viewer::parts;

#[test]
fn init_section_of_video() {
    let events = live(&mut packager(), &[Frames::video(rate(30, 1), 60)], 0.1);
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
