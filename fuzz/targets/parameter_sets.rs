//! Decoder configurations of every codec, made of a record or of what is in a stream, and what is read of access units by them.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use touchline_fuzz::pieces;
use touchline_media::{aac, av1, avc, hevc, nal, obu, opus};

fuzz_target!(|data: &[u8]| {
    records(data);
    units(data);
    let units: Vec<&[u8]> = pieces(data).collect();
    in_stream(&units);
});

fn records(data: &[u8]) {
    drop((avc::Config::parse(data), avc::length_size(data)));
    drop((hevc::Config::parse(data), hevc::length_size(data)));
    drop(av1::Config::parse(data));
    drop(aac::Config::parse(Bytes::copy_from_slice(data)));
    if let Ok(config) = opus::Config::parse_head(data) {
        assert_eq!(opus::Config::parse_head(&config.head()), Ok(config));
    }
}

fn units(data: &[u8]) {
    if let Ok(duration) = opus::Config::new(2).unwrap().check(data) {
        assert_eq!(opus::packet_duration(data), Ok(duration));
    }
    drop(opus::Config::new(6).unwrap().check(data));
    for length_size in [1, 2, 4] {
        nal::units(data, length_size).for_each(drop);
    }
    obu::units(data).for_each(drop);
}

/// A record that is made of parameter sets holds them, is read as the same again, and can be named.
fn in_stream(units: &[&[u8]]) {
    if let Ok(config) = avc::Config::from_parameter_sets(units) {
        assert!(
            units
                .iter()
                .filter(|unit| matches!(nal::unit_type(unit), Some(nal::SPS | nal::PPS)))
                .all(|unit| config.holds(unit))
        );
        drop((config.codec(), config.profile_and_level()));
        assert_eq!(avc::Config::parse(&config.record), Ok(config));
    }
    if let Ok(config) = hevc::Config::from_parameter_sets(units) {
        drop((config.codec(), config.profile_and_level()));
        assert_eq!(hevc::Config::parse(&config.record), Ok(config));
    }
    for unit in units {
        if let Ok(config) = av1::Config::from_sequence_header(unit) {
            drop((config.codec(), config.profile_and_level()));
            assert_eq!(av1::Config::parse(&config.record), Ok(config));
        }
    }
}
