//! AMF0 values. What is read can be written, and is read as the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use touchline_ingest::rtmp::amf0;

fuzz_target!(|data: &[u8]| {
    let Ok(values) = amf0::decode(data) else { return };
    let written = amf0::encode(&values);
    if let Ok(again) = amf0::decode(&written) {
        // Numbers may be no numbers, which are never equal.
        assert_eq!(amf0::encode(&again), written);
    }
});
