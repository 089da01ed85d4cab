//! From samples to parts and playlists.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use touchline_benches::{RECORDED, samples};
use touchline_media::{Sample, Track};
use touchline_packager::{Event, Packager, RenditionId, Settings, WallClock, Window};

fn packager(tracks: &[Track], at: Instant) -> Packager {
    let mut packager =
        Packager::new(Settings::default(), WallClock { instant: at, unix: Duration::from_hours(500_000) });
    packager.start(tracks).expect("the recorded tracks can be packaged");
    packager
}

fn package(tracks: &[Track], samples: Vec<Sample>) -> Vec<Event> {
    let Some(first) = samples.first() else { return Vec::new() };
    let mut packager = packager(tracks, first.received);
    samples.into_iter().flat_map(|sample| packager.push(sample)).collect()
}

/// Samples of one byte: what it costs to place, cut and time a sample, without the cost of its bytes.
fn segmenter(criterion: &mut Criterion) {
    let (tracks, samples) = samples(RECORDED);
    let empty = |sample: Sample| Sample { data: Bytes::from_static(b"x"), ..sample };
    let tiny: Vec<Sample> = samples.into_iter().map(empty).collect();
    let mut group = criterion.benchmark_group("segmenter");
    group.throughput(Throughput::Elements(tiny.len() as u64));
    group.bench_function("sample", |bencher| {
        bencher.iter_batched(|| tiny.clone(), |tiny| package(&tracks, tiny), BatchSize::LargeInput);
    });
    group.finish();
}

/// The same samples with their bytes, 3 Mb/s: what the parts themselves cost to build, boxes and copy.
fn parts(criterion: &mut Criterion) {
    let (tracks, samples) = samples(RECORDED);
    let parts = package(&tracks, samples.clone()).iter().filter(|event| matches!(event, Event::Part(_))).count();
    let mut group = criterion.benchmark_group("part");
    group.throughput(Throughput::Elements(parts as u64));
    group.bench_function("build", |bencher| {
        bencher.iter_batched(|| samples.clone(), |samples| package(&tracks, samples), BatchSize::LargeInput);
    });
    group.finish();
}

/// A media playlist at the live edge, from the window to text: paid once per part, however many viewers wait for it.
fn playlist(criterion: &mut Criterion) {
    let (tracks, samples) = samples(RECORDED);
    let events = package(&tracks, samples);
    let presentation = events.iter().find_map(|event| match event {
        Event::Opened(presentation) => Some(Arc::clone(presentation)),
        _ => None,
    });
    let mut window = Window::new(presentation.expect("the presentation opens"), RenditionId(0));
    for event in &events {
        window.apply(event);
    }
    criterion.bench_function("playlist/render", |bencher| {
        bencher.iter(|| black_box(&window).playlist(&[]).to_string());
    });
}

criterion_group!(benches, segmenter, parts, playlist);
criterion_main!(benches);
