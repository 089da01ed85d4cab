//! A window that is restored from a snapshot goes on as the one that it was taken of.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use touchline_packager::{Event, Item, Name, Settings, Skip, Window};

use crate::source::{Frames, interleave, ladder, rate, secs, stretch, with};
use crate::viewer::Viewer;

/// The same windows on another node.
fn copied(viewer: &Viewer) -> Viewer {
    let copy =
        |window: &Window| Window::restore(Arc::clone(&viewer.presentation), window.rendition(), window.snapshot());
    Viewer { presentation: Arc::clone(&viewer.presentation), windows: viewer.windows.iter().map(copy).collect() }
}

/// Everything that a viewer can be given: all playlists in all forms, and all files.
fn all(viewer: &Viewer) -> Vec<String> {
    let mut all = vec![format!("{:?}", viewer.multivariant())];
    for (rendition, window) in viewer.presentation.renditions.iter().zip(&viewer.windows) {
        all.push(viewer.playlist(&rendition.name));
        all.extend([Skip::Segments, Skip::SegmentsAndDateRanges].map(|skip| viewer.delta(&rendition.name, skip)));
        let snapshot = window.snapshot();
        let last = snapshot.next_part + 2;
        let inits = (0..4).map(Item::Init);
        let segments = (window.oldest().saturating_sub(2)..=window.last_segment().unwrap_or(0) + 1).map(Item::Segment);
        let parts = (last.saturating_sub(200)..last).map(Item::Part);
        for item in inits.chain(segments).chain(parts) {
            let name = Name { epoch: viewer.presentation.epoch, item };
            all.push(format!("{name} {:?}", window.find(name)));
        }
    }
    all
}

/// A ladder with a second of sound missing, an interruption, another size of pictures after it, and the end.
fn events(window: u64, gop: u32, cut: f64) -> Vec<Event> {
    let settings = Settings { window: Duration::from_secs(window), ..Settings::default() };
    let mut packager = with(settings);
    let mut sources = ladder(rate(30, 1), false);
    sources[0].gop = gop;
    let tracks = sources.clone().map(|source| source.track);
    let mut sound = sources[2].between(Duration::ZERO, secs(cut));
    sound.retain(|sample| !(secs(3.0)..secs(4.1)).contains(&sample.dts.to_duration()));
    let pictures = sources[..2].iter().map(|source| source.between(Duration::ZERO, secs(cut)));
    let first = interleave(pictures.chain([sound]));
    let mut events = stretch(&mut packager, &tracks, first);
    let late = |source: &Frames| {
        let mut samples = source.between(Duration::ZERO, secs(9.0));
        for sample in &mut samples {
            sample.received += secs(cut + 2.5);
        }
        samples
    };
    let second = interleave(sources.iter().map(late));
    events.extend(stretch(&mut packager, &tracks, second));
    events.extend(packager.end());
    events
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Wherever another node joins, and whatever it is told at a time: from then on it has the same text and the same bytes.
    #[test]
    fn another_node_has_the_same_from_when_it_joins(
        window in prop::sample::select(vec![6_u64, 14, 30]),
        gop in 20_u32..90,
        cut in 12.0..45.0_f64,
        joins in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        looks in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let events = events(window, gop, cut);
        let joins: Vec<usize> = joins.iter().map(|index| index.index(events.len())).collect();
        let mut looks: Vec<usize> = looks.iter().map(|index| index.index(events.len())).collect();
        looks.extend([events.len() - 1]);
        looks.extend(&joins);
        let mut here = Viewer::open(&events);
        let mut there: Option<Viewer> = None;
        for (index, event) in events.iter().enumerate() {
            here.apply(std::slice::from_ref(event));
            if let Some(there) = &mut there {
                there.apply(std::slice::from_ref(event));
            }
            if joins.contains(&index) {
                // A node that has joined takes snapshots of others as well.
                there = Some(copied(there.as_ref().unwrap_or(&here)));
            }
            if let Some(there) = there.as_ref().filter(|_| looks.contains(&index)) {
                prop_assert_eq!(all(there), all(&here), "after event {} of {}", index, events.len());
            }
        }
    }
}
