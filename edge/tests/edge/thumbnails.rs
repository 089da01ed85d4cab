//! The still picture of a channel.

use bytes::Bytes;
use hyper::Method;
use insta::assert_snapshot;
use touchline_edge::{Kind, RequestLabels};

use crate::stage::Stage;

const PATH: &str = "/live/main/thumbnail.jpg";
const MEBIBYTE: usize = 1_024 * 1_024;

#[tokio::test]
async fn before_the_first_thumbnail_there_is_none() {
    assert_snapshot!("thumbnail_before_the_first", Stage::live().get(PATH).await.whole());
    assert_eq!(Stage::live().get("/live/none/thumbnail.jpg").await.status, 404);
}

#[tokio::test]
async fn the_newest_thumbnail_is_served() {
    let mut stage = Stage::live();
    for jpeg in ["[first jpeg]", "[second jpeg]"] {
        stage.writer().thumbnail(jpeg.into());
    }
    assert_snapshot!("thumbnail", stage.get(PATH).await.whole());
    let label = RequestLabels { kind: Kind::Thumbnail, status: 200 };
    assert_eq!(stage.metrics.requests.get_or_create(&label).get(), 1);
}

#[tokio::test]
async fn head_of_a_thumbnail_is_the_head_of_get() {
    let mut stage = Stage::live();
    stage.writer().thumbnail("[jpeg]".into());
    let get = stage.get(PATH).await;
    let head = stage.request(Method::HEAD, PATH, &[]).await;
    assert_eq!((head.status, head.headers), (get.status, get.headers));
    assert!(head.body.is_empty() && !get.body.is_empty());
}

#[tokio::test]
async fn a_thumbnail_that_is_too_large_leaves_the_one_before() {
    let mut stage = Stage::live();
    stage.writer().thumbnail(Bytes::from(vec![1; MEBIBYTE]));
    stage.writer().thumbnail(Bytes::from(vec![2; MEBIBYTE + 1]));
    assert_eq!(stage.get(PATH).await.body, vec![1; MEBIBYTE]);
}

#[tokio::test]
async fn the_list_of_channels_says_where_the_thumbnail_is() {
    let mut stage = Stage::live();
    let listed = |stage: &Stage| stage.hub.channels().remove(0).thumbnail;
    assert_eq!(listed(&stage), None);
    stage.writer().thumbnail("[jpeg]".into());
    assert_eq!(listed(&stage).as_deref(), Some(PATH));
}
