//! Segments far from the live edge, kept in files.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use tempfile::TempDir;
use touchline_edge::spool::Spool;
use touchline_edge::{Hub, Metrics, Settings};
use touchline_packager::Presentation;

use crate::sockets::until;
use crate::stage::{Stage, presentation};

/// More than is kept in memory.
const WINDOW: Duration = Duration::from_mins(2);
/// How many of fifty segments of two seconds end further than a minute from the end.
const FAR: i64 = 19;

pub(crate) fn segment(msn: u64) -> String {
    format!("/live/main/video/{}", Stage::name(&format!("seg{msn}"), "m4s"))
}

/// A channel that has been on for a while, and the directory that it keeps segments in.
pub(crate) struct Spooling {
    pub(crate) stage: Stage,
    dir: TempDir,
}

impl Spooling {
    /// Segments of two seconds, 100 and those that follow.
    pub(crate) async fn after(segments: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let metrics = Metrics::default();
        let spool = Spool::open(dir.path().into()).unwrap();
        let hub = Hub::spooling(Settings::default(), metrics.clone(), spool);
        let presentation = Presentation { window: WINDOW, ..(*presentation()).clone() };
        let mut spooling = Self { stage: Stage::of(hub, metrics, Arc::new(presentation)), dir };
        spooling.segments(segments).await;
        spooling
    }

    /// More of them; each is written before the next comes.
    pub(crate) async fn segments(&mut self, count: u64) {
        for _ in 0..count {
            self.stage.parts(10);
            self.stage.end_segment();
            let metrics = &self.stage.metrics;
            until(|| metrics.spool_waiting_segments.get() == 0 && metrics.spooled_segments.get() == self.files()).await;
        }
        self.stage.part();
    }

    fn directory(&self) -> PathBuf {
        self.dir.path().join(Stage::name("main", "spool"))
    }

    fn files(&self) -> i64 {
        fs::read_dir(self.directory()).map_or(0, |files| i64::try_from(files.count()).unwrap())
    }
}

#[tokio::test]
async fn a_segment_is_the_same_from_a_file_whole_in_part_and_by_its_head() {
    let spooling = Spooling::after(50).await;
    assert_eq!(spooling.stage.metrics.spooled_segments.get(), 2 * FAR);
    let whole = spooling.stage.get(&segment(100)).await;
    let parts: Vec<String> = (0..10).map(|number| format!("[part {number} of RenditionId(0)]")).collect();
    let parts = parts.concat();
    assert_eq!((whole.status.as_u16(), whole.text()), (200, parts.clone()));
    assert_eq!(whole.header("cache-control"), "public, max-age=31536000, immutable");

    let part = spooling.stage.request(Method::GET, &segment(100), &[("range", "bytes=20-40")]).await;
    assert_eq!((part.status.as_u16(), part.text().as_str()), (206, &parts[20..=40]));
    assert_eq!(part.header("content-range"), format!("bytes 20-40/{}", parts.len()));
    let outside = spooling.stage.request(Method::GET, &segment(100), &[("range", "bytes=9999-")]).await;
    assert_eq!(outside.status, 416);
    let head = spooling.stage.request(Method::HEAD, &segment(100), &[]).await;
    assert_eq!((head.headers, head.body.len()), (whole.headers, 0));
}

#[tokio::test]
async fn what_is_in_a_file_is_not_in_memory_and_what_is_near_the_live_edge_is() {
    let spooling = Spooling::after(50).await;
    assert_eq!(spooling.stage.metrics.spooled_segments.get(), 2 * FAR);
    let file = |msn: u64| spooling.directory().join(format!("0-{msn}.m4s"));
    let len = fs::metadata(file(101)).unwrap().len();
    let other = "x".repeat(usize::try_from(len).unwrap());
    fs::write(file(101), &other).unwrap();
    assert_eq!(spooling.stage.get(&segment(101)).await.text(), other);
    fs::remove_file(file(102)).unwrap();
    assert_eq!(spooling.stage.get(&segment(102)).await.status, 404);
    let near = 100 + u64::try_from(FAR).unwrap();
    assert!(file(near - 1).exists() && !file(near).exists());
    assert_eq!(spooling.stage.get(&segment(near)).await.status, 200);
}

#[tokio::test]
async fn files_go_when_their_time_is_over_and_the_directory_with_its_channel() {
    let mut spooling = Spooling::after(50).await;
    let mut most = 0;
    for _ in 0..30 {
        spooling.segments(10).await;
        most = most.max(spooling.files());
    }
    // From a minute to two before the live edge, and until nobody has a playlist any more that lists them.
    assert!((60..=68).contains(&most), "{most} files of two renditions");
    assert_eq!(spooling.stage.get(&segment(100)).await.status, 404);
    spooling.stage.remove();
    until(|| !spooling.directory().exists()).await;
    assert_eq!(spooling.stage.metrics.spooled_segments.get(), 0);
    assert_eq!(spooling.stage.metrics.spool_failures.get(), 0);
}
