//! Audio and video tags, classic and enhanced: pieces of a kind, a timestamp of four bytes and a payload. An access unit that
//! comes of them is never empty.

#![no_main]

use std::sync::LazyLock;
use std::time::Instant;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use touchline_fuzz::pieces;
use touchline_ingest::rtmp::Media;
use touchline_ingest::rtmp::flv::{Demuxer, Tag};
use touchline_media::Kind;

static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|input: &[u8]| {
    let mut demuxer = Demuxer::default();
    for piece in pieces(input) {
        let Some(([video, timestamp @ ..], payload)) = piece.split_first_chunk::<5>() else { continue };
        let kind = if video & 1 == 1 { Kind::Video } else { Kind::Audio };
        let timestamp = u32::from_be_bytes(*timestamp);
        let media = Media { kind, timestamp, payload: Bytes::copy_from_slice(payload), received: *NOW };
        let Ok(tags) = demuxer.read(&media) else { return };
        for tag in tags {
            if let Tag::Unit(unit) = tag {
                assert!(!unit.data.is_empty());
            }
        }
    }
});
