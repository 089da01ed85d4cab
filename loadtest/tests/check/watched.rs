//! What a crowd makes of the origin: over real sockets and in real time, so for a few seconds only.

use tokio::net::TcpListener;
use touchline_loadtest::watch::{Options, Report, watch_all};

use crate::origin::{Origin, Shape};

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

/// Lets viewers watch a stream for some seconds.
fn watched(shape: Shape, flags: &str) -> Report {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/live/main.m3u8", listener.local_addr().unwrap());
        let line = format!("watch {url} --viewers 8 --ramp 500ms --duration 4s --verify 100% {flags}");
        let options = <Cli as clap::Parser>::parse_from(line.split_whitespace()).options;
        let origin = Origin::new(None, shape);
        let served = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // A viewer who leaves breaks its connections off.
                tokio::spawn(origin.clone().serve(stream));
            }
        });
        let report = watch_all(&options).await.unwrap();
        served.abort();
        report
    })
}

#[test]
fn a_crowd_watches_a_correct_origin_without_a_stall() {
    let report = watched(Shape::LADDER, "--threads 2");
    assert_eq!((report.people.stalled, report.people.never_played), (0, 0), "{report}");
    assert_eq!(report.whole.troubles.len(), 0, "{report}");
    let count = |name: &str| report.whole.counts[name];
    // Five parts a second of each track, for four seconds and eight viewers.
    assert!(count("parts") > 8 * 30 && count("verified") > count("parts"), "{report}");
    assert!(count("delta_updates") > count("playlists") / 2, "{report}");
    assert!(report.whole.part.count > 200 && report.whole.startup.count == 8, "{report}");
    // The origin's dates are of another day: how far pictures are behind is told, but not by how much it should be.
    assert!(report.steady.latency.count > 0, "{report}");
}

#[test]
fn a_crowd_takes_parts_that_are_ranges_and_gaps_as_they_come() {
    for shape in [Shape::RANGES, Shape::GAPS] {
        let report = watched(shape, "");
        assert_eq!((report.people.never_played, report.whole.troubles.len()), (0, 0), "{report}");
    }
}
