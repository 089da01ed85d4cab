//! The stream id of an SRT caller, in either form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use touchline_ingest::srt::StreamId;

fuzz_target!(|text: &str| {
    drop(StreamId::parse(text));
});
