//! Decoder configurations of every codec, and what is read of access units by them.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use touchline_media::{aac, av1, avc, hevc, nal, obu, opus};

fuzz_target!(|data: &[u8]| {
    drop((avc::Config::parse(data), avc::length_size(data)));
    drop((hevc::Config::parse(data), hevc::length_size(data)));
    drop(av1::Config::parse(data));
    drop(aac::Config::parse(Bytes::copy_from_slice(data)));
    if let Ok(config) = opus::Config::parse_head(data) {
        assert_eq!(opus::Config::parse_head(&config.head()), Ok(config));
    }
    let _ = opus::packet_duration(data);
    for length_size in [1, 2, 4] {
        nal::units(data, length_size).for_each(drop);
    }
    obu::units(data).for_each(drop);
});
