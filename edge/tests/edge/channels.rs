//! The list of channels.

use touchline_edge::Listing;

use crate::stage::{Stage, main, presentation};

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
