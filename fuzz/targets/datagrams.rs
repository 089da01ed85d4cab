//! What a WebRTC publisher sends as it is after decryption, RTP and RTCP, and STUN: pieces of the milliseconds since the one
//! before, in two bytes, and a datagram. What is to be told of arrivals is told.

#![no_main]

use std::sync::LazyLock;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use touchline_fuzz::pieces;
use touchline_ingest::webrtc::fuzzing;

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|input: &[u8]| {
    let datagrams = pieces(input).filter_map(|piece| piece.split_first_chunk());
    let timed = datagrams.map(|(millis, datagram)| (u16::from_be_bytes(*millis), datagram));
    assert!(fuzzing::packets(timed, *BEGUN));
});
