//! A transport stream in any pieces. An access unit that comes of it is never empty.

#![no_main]

use std::sync::LazyLock;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use touchline_ingest::ts::{Demuxer, Event};

static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|input: (Vec<u16>, &[u8])| {
    let (sizes, mut rest) = input;
    let (mut demuxer, mut sizes) = (Demuxer::default(), sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().map_or(rest.len(), |size| usize::from(*size).max(1));
        let (piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        demuxer.push(piece, *NOW);
        check(&mut demuxer);
    }
    demuxer.finish();
    check(&mut demuxer);
});

fn check(demuxer: &mut Demuxer) {
    while let Some(event) = demuxer.poll() {
        if let Event::Unit(unit) = event {
            assert!(!unit.data.is_empty());
        }
    }
}
