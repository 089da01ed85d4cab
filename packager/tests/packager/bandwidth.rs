//! What the multivariant playlist says of bitrates that encoders declare.

use bytes::Bytes;
use touchline_media::{Sample, Track};
use touchline_packager::Event;

use crate::source::{Frames, ZERO, interleave, ladder, light_audio, live, packager, rate, secs, stretch};
use crate::viewer::Viewer;

/// What the encoders of pictures are told to keep to: a little more than the tests' samples make.
const LARGE: u32 = 300_000;
const SMALL: u32 = 260_000;

/// A ladder whose rungs and lighter sound declare their bitrates; the other sound is the source's own.
fn declared() -> [Frames; 4] {
    let [mut large, mut small, sound] = ladder(rate(30, 1), false);
    large.track.bitrate = Some(LARGE);
    small.track.bitrate = Some(SMALL);
    [large, small, sound, Frames::of(light_audio())]
}

/// Their samples, as large as `resize` makes them by their numbers.
fn samples(sources: &[Frames], seconds: f64, resize: impl Fn(usize, usize) -> usize) -> Vec<Sample> {
    let resized = sources.iter().map(|source| {
        let mut samples = source.between(ZERO, secs(seconds));
        for (number, sample) in samples.iter_mut().enumerate() {
            sample.data = Bytes::from(vec![0; resize(number, sample.data.len())]);
        }
        samples
    });
    interleave(resized.collect::<Vec<_>>())
}

fn package(sources: &[Frames], samples: Vec<Sample>) -> Vec<Event> {
    let tracks: Vec<Track> = sources.iter().map(|source| source.track.clone()).collect();
    stretch(&mut packager(), &tracks, samples)
}

#[test]
fn what_encoders_declare_is_told_from_the_first_part_on() {
    let early = Viewer::of(&live(&mut packager(), &declared(), 0.3)).multivariant().unwrap();
    insta::assert_snapshot!("declared_early", early);
    let late = Viewer::of(&live(&mut packager(), &declared(), 20.0)).multivariant().unwrap();
    insta::assert_snapshot!("declared_late", late);
}

#[test]
fn the_text_stays_the_same_while_encoders_keep_to_what_they_declare() {
    // Some seconds are heavier than others.
    let resize = |number: usize, len: usize| len * (100 + number / 45 % 7) / 103;
    let [large, small, _, light] = declared();
    let sources = [large, small, light];
    let events = package(&sources, samples(&sources, 60.0, resize));
    let mut viewer = Viewer::open(&events);
    let mut texts: Vec<String> = Vec::new();
    for event in &events {
        viewer.apply(std::slice::from_ref(event));
        texts.extend(viewer.multivariant());
        texts.dedup();
    }
    assert!(texts.len() <= 4, "{}", texts.join("\n"));
}

#[test]
fn what_is_measured_counts_where_encoders_do_not_keep_to_what_they_declare() {
    let sources = declared();
    let viewer = Viewer::of(&package(&sources, samples(&sources, 10.0, |_, len| len * 2)));
    let text = viewer.multivariant().unwrap();
    for (rendition, sound) in [("720p", "audio"), ("360p", "audio-64k")] {
        let peak = viewer.window(rendition).rates().unwrap().peak + viewer.window(sound).rates().unwrap().peak;
        let bandwidth = bandwidth(&text, rendition);
        assert!((bandwidth * 100).abs_diff(peak * 110) <= 200, "{peak}: {bandwidth}");
    }
}

fn bandwidth(text: &str, rendition: &str) -> u64 {
    let line = text.lines().zip(text.lines().skip(1)).find(|(_, uri)| uri.starts_with(rendition)).unwrap().0;
    let (_, bandwidth) = line.split_once(":BANDWIDTH=").unwrap();
    bandwidth.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn a_source_of_few_bits_is_still_listed_above_the_rungs_below_it() {
    let mut sources = declared();
    sources[0].track.bitrate = None;
    let text = Viewer::of(&package(&sources, samples(&sources, 10.0, |_, len| len / 10))).multivariant().unwrap();
    assert_eq!(bandwidth(&text, "720p"), bandwidth(&text, "360p") + 1, "{text}");
}

#[test]
fn another_bitrate_is_told_with_another_init_section() {
    let mut packager = packager();
    let mut events = live(&mut packager, &declared(), 5.0);
    events.extend(packager.pause());
    let mut sources = declared();
    sources[0].track.bitrate = Some(2 * LARGE);
    let tracks = sources.clone().map(|source| source.track);
    let mut samples = samples(&sources, 3.0, |_, len| len);
    for sample in &mut samples {
        sample.received += secs(5.0);
    }
    events.extend(stretch(&mut packager, &tracks, samples));
    let inits = events.iter().filter_map(|event| match event {
        Event::Init(init) => Some((init.rendition.0, init.number, init.coding.bitrate)),
        _ => None,
    });
    let (large, small, light) = (Some(LARGE), Some(SMALL), Some(64_000));
    let first = [(0, 0, large), (1, 0, small), (2, 0, None), (3, 0, light)];
    assert!(inits.eq(first.into_iter().chain([(0, 1, Some(2 * LARGE))])));
    insta::assert_snapshot!("declared_anew", Viewer::of(&events).multivariant().unwrap());
}
