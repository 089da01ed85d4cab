//! Packets and reports of two streams in any form and order, up to the feed. Whatever comes, nothing panics, no sample is
//! empty, and every packet is counted once.

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use touchline_ingest::Metrics;
use touchline_ingest::rtp::{Codec, Description, Packet, Publication, SenderReport, Settings};
use touchline_media::feed;

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

#[derive(Debug, Arbitrary)]
enum Event<'a> {
    /// The next packet of a stream, or one so far from it.
    Packet {
        sound: bool,
        off: Option<i16>,
        step: u16,
        marker: bool,
        payload: &'a [u8],
    },
    /// Anything.
    Stray {
        stream: u8,
        sequence: u16,
        timestamp: u32,
        marker: bool,
        payload: &'a [u8],
    },
    Report {
        sound: bool,
        ntp: u64,
        timestamp: u32,
    },
    Wait {
        millis: u16,
    },
    RoundTrip {
        millis: u16,
    },
}

fuzz_target!(|input: (u8, Vec<Event<'_>>)| {
    let (codec, events) = input;
    let codec = [Codec::H264, Codec::H265, Codec::Av1][usize::from(codec % 3)];
    let (writer, mut reader) = feed::channel();
    let streams = [codec, Codec::Opus { channels: 2 }].map(Description::from);
    let mut publication = Publication::new(writer, &streams, Settings::default(), *BEGUN);
    let (metrics, mut now, mut packets) = (Metrics::default(), *BEGUN, 0);
    let mut next = [(0_u16, 0_u32); 2];
    for event in events {
        match event {
            Event::Packet { sound, off, step, marker, payload } => {
                let (sequence, timestamp) = &mut next[usize::from(sound)];
                *timestamp = timestamp.wrapping_add(step.into());
                let sequence = match off {
                    Some(off) => sequence.wrapping_add_signed(off),
                    None => std::mem::replace(sequence, sequence.wrapping_add(1)),
                };
                let packet = Packet { sequence, timestamp: *timestamp, marker, payload: payload.to_vec().into() };
                publication.packet(sound.into(), packet, now, &metrics);
                packets += 1;
            }
            Event::Stray { stream, sequence, timestamp, marker, payload } => {
                let packet = Packet { sequence, timestamp, marker, payload: payload.to_vec().into() };
                publication.packet(stream.into(), packet, now, &metrics);
                packets += u64::from(stream < 2);
            }
            Event::Report { sound, ntp, timestamp } => {
                publication.report(sound.into(), SenderReport { ntp, timestamp }, now);
            }
            Event::Wait { millis } => {
                now += Duration::from_millis(millis.into());
                publication.handle_timeout(now, &metrics);
                assert!(publication.poll_timeout().is_none_or(|due| due > now));
            }
            Event::RoundTrip { millis } => publication.round_trip(Duration::from_millis(millis.into())),
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
