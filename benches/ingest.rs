//! From a publisher's bytes to access units, without sockets.

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use touchline_benches::{RECORDED, messages};
use touchline_ingest::rtmp::flv::Demuxer;

/// RTMP session and FLV demultiplexer over five seconds of a 3 Mb/s feed: what one publisher costs in parsing. Isolates
/// chunk reassembly, message parsing and the walk over NAL units from the socket, the feed and the timeline.
fn demux(criterion: &mut Criterion) {
    let now = Instant::now();
    let mut group = criterion.benchmark_group("rtmp");
    group.throughput(Throughput::Bytes(RECORDED.len() as u64));
    group.bench_function("demux", |bencher| {
        bencher.iter(|| {
            let mut demuxer = Demuxer::default();
            messages(black_box(RECORDED), now).iter().filter(|media| demuxer.read(media).is_ok()).count()
        });
    });
    group.finish();
}

criterion_group!(benches, demux);
criterion_main!(benches);
