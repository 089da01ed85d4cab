//! A DTLS handshake over a network that changes datagrams: each piece says what becomes of one. Nothing panics, at either end.

#![no_main]

use std::sync::LazyLock;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use touchline_fuzz::pieces;
use touchline_ingest::webrtc::fuzzing::Handshake;

static HANDSHAKE: LazyLock<Handshake> = LazyLock::new(|| Handshake::new().expect("a certificate"));
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|input: &[u8]| {
    let connected = HANDSHAKE.run(pieces(input), *BEGUN).expect("both ends begin");
    assert!(connected || !input.is_empty(), "a handshake that nobody disturbs is done");
});
