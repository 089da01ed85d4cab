use proptest::prelude::*;

use super::*;

/// x265 at 160x90, Main 1.0, without the SEI that holds its settings.
const RECORD: &[u8] = b"\x01\x01\x60\0\0\0\x90\0\0\0\0\0\x1e\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f\x03\
    \x20\0\x01\0\x18\x40\x01\x0c\x01\xff\xff\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\x95\x90\x09\
    \x21\0\x01\0\x2a\x42\x01\x01\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\xa0\x14\x20\x61\xf2\x65\x95\x91\x29\x30\xbc\
    \x05\xa0\x20\0\0\x03\0\x20\0\0\x03\x03\xc1\
    \x22\0\x01\0\x06\x44\x01\xc0\x73\xc1\x89";
/// Where its sequence parameter set begins.
const SPS_AT: usize = 23 + 29 + 5;

fn with_head(bytes: &[(usize, u8)]) -> Config {
    let mut record = RECORD.to_vec();
    for &(at, byte) in bytes {
        record[at] = byte;
    }
    Config::parse(&record).unwrap()
}

#[test]
fn the_record_tells_size_and_codec() {
    let config = Config::parse(RECORD).unwrap();
    assert_eq!((config.width, config.height), (160, 90));
    assert_eq!(config.codec(), "hvc1.1.6.L30.90");
    assert_eq!(config.profile_and_level(), "Main 1.0");
    assert_eq!(config.declared_rate, None);
}

#[test]
fn codec_strings_are_those_of_the_specification() {
    // ISO/IEC 14496-15 annex E: the Main profile of level 3.1 with frames only and progressive.
    assert_eq!(with_head(&[(6, 0xb0), (12, 93)]).codec(), "hvc1.1.6.L93.B0");
    assert_eq!(with_head(&[(1, 0x22), (2, 0x20), (6, 0xb0), (12, 150)]).codec(), "hvc1.2.4.H150.B0");
    assert_eq!(with_head(&[(1, 0x44), (6, 0), (8, 0x0c), (12, 93)]).codec(), "hvc1.A4.6.L93.0.0.C");
    assert_eq!(with_head(&[(6, 0)]).codec(), "hvc1.1.6.L30");
    assert_eq!(with_head(&[(1, 0x22), (12, 153)]).profile_and_level(), "Main 10 5.1 High tier");
}

#[test]
fn the_average_rate_is_a_declared_rate() {
    // 7672 / 256 is 29.97 frames/s, as near as the field can tell.
    let config = with_head(&[(19, 0x1d), (20, 0xf8)]);
    assert_eq!(config.declared_rate, FrameRate::new(30_000, 1_001));
}

#[test]
fn lengths_and_completeness_are_normalised_in_the_record() {
    let config = with_head(&[(LENGTH_SIZE_AT, 0x0d)]);
    assert_eq!(config.record[LENGTH_SIZE_AT], 0x0f);
    assert_eq!([23, SPS_AT - 5, RECORD.len() - 11].map(|at| config.record[at]), [0xa0, 0xa1, 0xa2]);
    for (byte, size) in [(0x0c, 1), (0x0d, 2), (0x0f, 4)] {
        let mut record = RECORD.to_vec();
        record[LENGTH_SIZE_AT] = byte;
        assert_eq!(length_size(&record), Ok(size));
    }
}

#[test]
fn a_record_has_few_units_because_each_is_looked_at_for_each_of_an_access_unit() {
    let with_messages = |count: u8| {
        // An array more, of prefix SEI.
        let mut record = [RECORD, &[39, 0, count], &vec![0; usize::from(count) * 2]].concat();
        record[22] = 4;
        Config::parse(&record).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(with_messages(125), Ok(()));
    let refused = "HEVCDecoderConfigurationRecord has unsupported number of NAL units 129";
    assert_eq!(with_messages(126), Err(refused.to_owned()));
}

#[test]
fn what_is_not_a_record_is_an_error_that_says_why() {
    let message = |record: &[u8]| Config::parse(record).unwrap_err().to_string();
    let edited = |at: usize, byte: u8| {
        let mut record = RECORD.to_vec();
        record[at] = byte;
        message(&record)
    };
    let messages = [
        message(&[]),
        message(&RECORD[..22]),
        message(&RECORD[..60]),
        message(&[0; 30]),
        message(&vec![1; Config::MAX_LEN + 1]),
        edited(LENGTH_SIZE_AT, 0x0e),
        edited(22, 0),
        edited(22, 2),
        edited(22, 4),
        edited(23, 0x27),
        edited(SPS_AT, 0x40),
        edited(SPS_AT + 2, 0x0f),
    ];
    let head = "HEVCDecoderConfigurationRecord";
    assert_eq!(
        messages,
        [
            format!("{head} is cut short: 0 bytes"),
            format!("{head} is cut short: 22 bytes"),
            format!("{head} is cut short: 60 bytes"),
            format!("{head} has unsupported version 0"),
            format!("{head} has unsupported length 16385"),
            format!("{head} has unsupported length size 3"),
            format!("{head} has unsupported number of video parameter sets 0"),
            format!("{head} has unsupported number of picture parameter sets 0"),
            format!("{head} is cut short: {} bytes", RECORD.len()),
            format!("{head} has unsupported number of video parameter sets 0"),
            "HEVC sequence parameter set does not parse: it is another kind of NAL unit".to_owned(),
            "HEVC sequence parameter set has unsupported sps_max_sub_layers_minus1 7".to_owned(),
        ]
    );
}

/// A sequence parameter set, bit by bit: sub-layers, chroma format, size and the conformance window in units of chroma.
fn sps(sub_layers: u32, chroma: u32, size: [u32; 2], window: [u32; 4]) -> Vec<u8> {
    let mut bits = format!("0000{sub_layers:03b}1{:096b}", 0);
    // Of the sub-layers, the first has a profile and a level, the others a level.
    for layer in 0..sub_layers {
        bits += if layer == 0 { "11" } else { "01" };
    }
    bits += &"0".repeat(if sub_layers > 0 { 2 * (8 - sub_layers as usize) } else { 0 });
    bits += &"1".repeat(if sub_layers > 0 { 88 + 8 * sub_layers as usize } else { 0 });
    bits += &[ue(0), ue(chroma)].concat();
    bits += if chroma == 3 { "0" } else { "" };
    bits += &[ue(size[0]), ue(size[1]), "1".into()].concat();
    bits += &window.map(ue).concat();
    bits += "1";
    let mut nal = vec![0x42, 0x01];
    for byte in bits.as_bytes().chunks(8) {
        let byte = byte.iter().fold(String::new(), |text, &bit| text + if bit == b'1' { "1" } else { "0" });
        nal.push(u8::from_str_radix(&format!("{byte:0<8}"), 2).unwrap());
        // Emulation prevention.
        if let [.., 0, 0, last @ 0..=3] = nal[..] {
            *nal.last_mut().unwrap() = 3;
            nal.push(last);
        }
    }
    nal
}

fn ue(value: u32) -> String {
    let code = format!("{:b}", u64::from(value) + 1);
    "0".repeat(code.len() - 1) + &code
}

#[test]
fn the_conformance_window_counts_in_chroma_samples() {
    for (sub_layers, chroma, size, window, expected) in [
        (0, 1, [1_920, 1_088], [0, 0, 0, 4], Ok((1_920, 1_080))),
        (6, 1, [1_920, 1_088], [8, 8, 2, 2], Ok((1_888, 1_080))),
        (2, 2, [1_280, 736], [1, 1, 8, 8], Ok((1_276, 720))),
        (1, 3, [1_280, 736], [1, 1, 8, 8], Ok((1_278, 720))),
        (0, 0, [8_192, 8_192], [0, 0, 0, 0], Ok((8_192, 8_192))),
        (0, 1, [8_194, 90], [0, 0, 0, 0], Err(("width", 8_194))),
        (0, 1, [160, 90], [40, 40, 0, 0], Err(("width", 0))),
        (0, 1, [160, 90], [0, 0, u32::MAX - 1, u32::MAX - 1], Err(("height", 0))),
        (0, 4, [160, 90], [0, 0, 0, 0], Err(("chroma_format_idc", 4))),
    ] {
        let expected = expected.map_err(|(field, value)| Sps::unsupported(field, value));
        let read = Sps::parse(&sps(sub_layers, chroma, size, window));
        assert_eq!(read.map(|sps| (sps.width, sps.height)), expected);
    }
}

#[test]
fn a_sequence_parameter_set_that_ends_anywhere_is_an_error() {
    let whole = sps(6, 1, [1_920, 1_088], [0, 0, 0, 4]);
    for end in 2..whole.len() - 1 {
        assert!(matches!(Sps::parse(&whole[..end]), Err(Error::Unreadable { .. })), "{end}");
    }
}

#[test]
fn the_record_knows_its_parameter_sets() {
    let config = Config::parse(RECORD).unwrap();
    let sps = &RECORD[SPS_AT..SPS_AT + 42];
    let pps = &RECORD[RECORD.len() - 6..];
    assert!(config.holds(sps) && config.holds(pps));
    assert!(!config.holds(&sps[..41]) && !config.holds(&[]) && !config.holds(&[0x28, 1]));
}

#[test]
fn unit_types_tell_slices_and_where_a_decoder_can_start() {
    let types = [&[0x28, 1][..], &[0x2a, 1], &[0x02, 1], &[0x42, 1], &[0x28], &[]].map(unit_type);
    assert_eq!(types, [Some(20), Some(21), Some(1), Some(SPS), None, None]);
    assert_eq!([15, 16, 21, 23, 24].map(is_irap), [false, true, true, true, false]);
    assert_eq!([0, 31, VPS, 39].map(is_slice), [true, true, false, false]);
    assert_eq!([7, 8, 9, 10].map(is_rasl), [false, true, true, false]);
}

#[test]
fn parameter_sets_of_a_stream_make_the_record() {
    let (vps, sps, pps) = (&RECORD[23 + 5..23 + 29], &RECORD[SPS_AT..SPS_AT + 42], &RECORD[RECORD.len() - 6..]);
    let config = Config::from_parameter_sets(&[&[0x4e, 1, 5], pps, vps, &[sps, &[0]].concat()]).unwrap();
    assert_eq!(config, with_head(&[]));
    assert!(config.parameter_sets().eq([vps, sps, pps]));
    let message = |units: &[&[u8]]| Config::from_parameter_sets(units).unwrap_err().to_string();
    assert_eq!(
        message(&[vps, pps]),
        "HEVCDecoderConfigurationRecord has unsupported number of sequence parameter sets 0"
    );
    assert_eq!(message(&[sps, pps]), "HEVCDecoderConfigurationRecord has unsupported number of video parameter sets 0");
    assert_eq!(message(&[&sps[..12]]), "HEVC sequence parameter set is cut short: 12 bytes");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn mutated_parameter_sets_make_a_record_or_an_error(
        edits in prop::collection::vec((2..42_usize, any::<u8>()), 1..6),
    ) {
        let mut sps = RECORD[SPS_AT..SPS_AT + 42].to_vec();
        for (at, byte) in edits {
            sps[at] = byte;
        }
        let (vps, pps) = (&RECORD[23 + 5..23 + 29], &RECORD[RECORD.len() - 6..]);
        if let Ok(config) = Config::from_parameter_sets(&[vps, &sps, pps]) {
            prop_assert!(config.holds(nal::without_trailing_zeros(&sps)) && config.holds(pps));
        }
    }

    #[test]
    fn mutated_records_never_panic(
        edits in prop::collection::vec((0..RECORD.len(), any::<u8>()), 1..8),
        end in 0..=RECORD.len(),
    ) {
        let mut record = RECORD.to_vec();
        for (at, byte) in edits {
            record[at] = byte;
        }
        for record in [&record[..], &record[..end]] {
            if let Ok(config) = Config::parse(record) {
                prop_assert!(config.width <= picture::MAX_SIDE && config.height <= picture::MAX_SIDE);
                prop_assert!(!config.holds(&[0x28, 1, 2]));
                prop_assert!(config.codec().starts_with("hvc1.") && !config.profile_and_level().is_empty());
            }
        }
    }

    #[test]
    fn any_parameter_set_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Sps::parse(&[&[0x42, 1][..], &bytes].concat());
    }
}
