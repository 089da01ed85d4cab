//! Channels come, change and go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use touchline_edge::{Hub, Listing, Metrics, Settings};
use touchline_media::{MediaTime, Timescale};
use touchline_packager::{Event, Part, Presentation, Rendition, RenditionId, SegmentStart};

use crate::stage::{FIRST_MSN, Stage, main, presentation};

#[tokio::test]
async fn live_channels_are_listed_by_name_and_ended_ones_are_not() {
    let mut stage = Stage::live();
    let writer = stage.hub.open("a-side".parse().unwrap(), presentation());
    let names = |stage: &Stage| stage.hub.channels().into_iter().map(|listing| listing.name).collect::<Vec<_>>();
    assert_eq!(names(&stage), ["a-side", "main"]);
    stage.end();
    assert_eq!(names(&stage), ["a-side"]);
    stage.hub.remove(writer);
    assert_eq!(stage.hub.channels(), Vec::<Listing>::new());
}

#[tokio::test]
async fn an_ended_channel_stays_watchable_until_it_is_removed() {
    let mut stage = Stage::live();
    stage.end();
    assert_eq!(stage.get("/live/main/index.m3u8").await.status, 200);
    stage.remove();
    assert_eq!(stage.get("/live/main/index.m3u8").await.status, 404);
}

#[tokio::test]
async fn removing_a_channel_that_was_replaced_leaves_its_successor() {
    let mut stage = Stage::live();
    let _successor = stage.hub.open(main(), presentation());
    stage.remove();
    assert_eq!(stage.hub.channels().len(), 1);
}

/// Players that join do not choose a rendition that has just gone away.
#[tokio::test]
async fn a_rendition_leaves_the_multivariant_playlist_with_the_first_part_of_its_gap() {
    let video = presentation().renditions.first().unwrap().clone();
    let small = Rendition { name: "small".into(), ..video.clone() };
    let two = Presentation { renditions: vec![video, small], ..(*presentation()).clone() };
    let mut stage = Stage::of(Hub::new(Settings::default(), Metrics::default()), Metrics::default(), Arc::new(two));
    stage.parts(5);
    stage.end_segment();
    let shown = async |stage: &Stage| stage.get("/live/main/index.m3u8").await.text().contains("small/index.m3u8");
    assert!(shown(&stage).await);
    let start = SegmentStart { program_date_time: Duration::ZERO, discontinuity: false, independent: true, init: 0 };
    let gap = Part {
        rendition: RenditionId(1),
        msn: FIRST_MSN + 1,
        index: 0,
        number: 5,
        duration: MediaTime::new(200, Timescale::MILLIS),
        independent: false,
        gap: true,
        data: "[gap]".into(),
        segment_start: Some(start),
        received: Instant::now(),
    };
    stage.writer().apply(&[Event::Part(gap)]);
    assert!(!shown(&stage).await);
}
