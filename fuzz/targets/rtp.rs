//! Packets and reports of two streams in any form and order, up to the feed. Whatever comes, nothing panics, no sample is
//! empty, and every packet is counted once.
//!
//! The first byte is the codec of the pictures. What happens is in pieces: a byte that says what it is, and its content, which
//! is an RTP packet without sources and extensions, or an NTP time and a timestamp, or so many milliseconds in two bytes.

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use touchline_fuzz::pieces;
use touchline_ingest::Metrics;
use touchline_ingest::rtp::{Codec, Description, Packet, Publication, SenderReport, Settings};
use touchline_media::feed;

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|input: &[u8]| {
    let Some((codec, input)) = input.split_first() else { return };
    let codec = [Codec::H264, Codec::H265, Codec::Av1][usize::from(codec % 3)];
    let (writer, mut reader) = feed::channel();
    let streams = [codec, Codec::Opus { channels: 2 }].map(Description::from);
    let mut publication = Publication::new(writer, &streams, Settings::default(), *BEGUN);
    let (metrics, mut now, mut packets) = (Metrics::default(), *BEGUN, 0);
    for (kind, content) in pieces(input).filter_map(<[u8]>::split_first) {
        match kind % 6 {
            // Of pictures, of sound, and of a stream that is none.
            stream @ 0..3 => {
                let Some(packet) = packet(content) else { continue };
                publication.packet(stream.into(), packet, now, &metrics);
                packets += u64::from(stream < 2);
            }
            3 => {
                let Some((ntp, timestamp)) = content.split_first_chunk() else { continue };
                let Some(timestamp) = timestamp.first_chunk() else { continue };
                let (ntp, timestamp) = (u64::from_be_bytes(*ntp), u32::from_be_bytes(*timestamp));
                publication.report((kind >> 7).into(), SenderReport { ntp, timestamp }, now);
            }
            4 => {
                now += millis(content);
                publication.handle_timeout(now, &metrics);
                assert!(publication.poll_timeout().is_none_or(|due| due > now));
            }
            _ => publication.round_trip(millis(content)),
        }
        while publication.poll_feedback().is_some() {}
    }
    assert_eq!(publication.counters().packets, packets);
    publication.finish(&metrics);
    while let Some(event) = reader.try_next() {
        if let feed::Event::Sample(sample) = event {
            assert!(!sample.data.is_empty());
        }
    }
});

fn packet(bytes: &[u8]) -> Option<Packet> {
    let ([_, second, s0, s1, t0, t1, t2, t3, _, _, _, _], payload) = bytes.split_first_chunk()?;
    Some(Packet {
        sequence: u16::from_be_bytes([*s0, *s1]),
        timestamp: u32::from_be_bytes([*t0, *t1, *t2, *t3]),
        marker: second & 0x80 != 0,
        payload: Bytes::copy_from_slice(payload),
    })
}

fn millis(content: &[u8]) -> Duration {
    Duration::from_millis(content.first_chunk().map_or(0, |millis| u16::from_be_bytes(*millis).into()))
}
