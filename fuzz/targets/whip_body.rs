//! What WHIP brings: an offer, or a fragment of SDP. It is taken or refused in words.

#![no_main]

use libfuzzer_sys::fuzz_target;
use touchline_ingest::webrtc::{judge_fragment, judge_offer};

fuzz_target!(|input: (bool, &str)| {
    let (is_offer, text) = input;
    let words = if is_offer {
        judge_offer(text).map_err(|refusal| refusal.to_string())
    } else {
        judge_fragment(text).map_err(|malformed| malformed.to_string())
    };
    assert!(words.err().is_none_or(|words| !words.is_empty()));
});
