//! Audio and video tags, classic and enhanced. An access unit that comes of them is never empty.

#![no_main]

use std::sync::LazyLock;
use std::time::Instant;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use touchline_ingest::rtmp::Media;
use touchline_ingest::rtmp::flv::{Demuxer, Tag};
use touchline_media::Kind;

static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|messages: Vec<(bool, u32, Vec<u8>)>| {
    let mut demuxer = Demuxer::default();
    for (video, timestamp, payload) in messages {
        let kind = if video { Kind::Video } else { Kind::Audio };
        let media = Media { kind, timestamp, payload: Bytes::from(payload), received: *NOW };
        let Ok(tags) = demuxer.read(&media) else { return };
        for tag in tags {
            if let Tag::Unit(unit) = tag {
                assert!(!unit.data.is_empty());
            }
        }
    }
});
