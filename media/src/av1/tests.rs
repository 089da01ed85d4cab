use proptest::prelude::*;

use super::*;
use crate::picture;

/// libaom at 160x90, Main 2.0.
const RECORD: &[u8] = b"\x81\0\x0c\0\x0a\x0a\0\0\0\x03\xb4\xfd\x93\x6b\xe4\x01";

fn edited(bytes: &[(usize, u8)]) -> Result<Config, Error> {
    let mut record = RECORD.to_vec();
    for &(at, byte) in bytes {
        record[at] = byte;
    }
    Config::parse(&record)
}

#[test]
fn the_record_tells_size_and_codec() {
    let config = Config::parse(RECORD).unwrap();
    assert_eq!((config.width, config.height, config.declared_rate), (160, 90, None));
    assert_eq!(config.codec(), "av01.0.00M.08");
    assert_eq!(config.profile_and_level(), "Main 2.0");
    assert_eq!(config.record, RECORD);
}

#[test]
fn codec_strings_are_those_of_the_specification() {
    let codec = |first, second| edited(&[(1, first), (2, second)]).unwrap().codec();
    assert_eq!(codec(0x08, 0x0c), "av01.0.08M.08");
    assert_eq!(codec(0x04, 0x4c), "av01.0.04M.10");
    assert_eq!(codec(0x53, 0xe0), "av01.2.19H.12");
    let words = |first| edited(&[(1, first)]).unwrap().profile_and_level();
    assert_eq!(
        [0x08, 0x2d, 0x5f, 0x60].map(words),
        ["Main 4.0", "High 5.1", "Professional without a level", "profile 3 level 0"]
    );
}

#[test]
fn reserved_bits_are_cleared() {
    assert_eq!(edited(&[(3, 0xef)]).unwrap().record[3], 0);
    assert_eq!(edited(&[(3, 0xf5)]).unwrap().record[3], 0x15);
}

/// A record whose sequence header is written as text of bits.
fn with_header(bits: &str) -> Result<Config, Error> {
    Config::parse(&[&RECORD[..4], &obu_of(bits)].concat())
}

fn obu_of(bits: &str) -> Vec<u8> {
    let bits: String = bits.chars().filter(|bit| !bit.is_whitespace()).collect();
    let payload: Vec<u8> = bits
        .as_bytes()
        .chunks(8)
        .map(|byte| byte.iter().enumerate().fold(0, |value, (n, &bit)| value | (bit - b'0') << (7 - n)))
        .collect();
    [&[0x0a, u8::try_from(payload.len()).unwrap()][..], &payload].concat()
}

/// 11 and 10 bits of width and height: 1920x1080.
const FULL_HD: &str = "1010 1010 11101111111 10000110111";

#[test]
fn a_header_with_timing_and_a_decoder_model_is_read() {
    let thirty = format!("{:032b} {:032b} 1 1", 1_001, 30_000);
    // 17 bits of buffer delay; the operating point has parameters and a display delay.
    let model = format!("1 10000 {:032b} 00000 00000", 1);
    let point = format!("1 00000 {:012b} 01001 0 1 {:034b} 1 1 1111", 0, 0);
    let config = with_header(&format!("000 0 0 1 {thirty} {model} {point} {FULL_HD}")).unwrap();
    assert_eq!((config.width, config.height), (1_920, 1_080));
    assert_eq!(config.declared_rate, FrameRate::new(30_000, 1_001));
}

#[test]
fn a_rate_is_declared_only_where_pictures_last_equally_long() {
    let point = format!("0 00000 {:012b} 00000", 0);
    let header = |scale: u32, units: u32, equal: &str| {
        with_header(&format!("000 0 0 1 {units:032b} {scale:032b} {equal} 0 {point} {FULL_HD}")).unwrap().declared_rate
    };
    assert_eq!(header(50, 1, "1 1"), FrameRate::new(50, 1));
    assert_eq!(header(50, 1, "1 010"), FrameRate::new(25, 1), "two ticks a picture");
    assert_eq!(header(50, 1, "0"), None);
    assert_eq!(header(50, 0, "1 1"), None);
    assert_eq!(header(50, u32::MAX, "1 010"), None);
}

#[test]
fn a_reduced_header_and_several_operating_points_are_read() {
    assert_eq!(with_header(&format!("000 1 1 00000 {FULL_HD}")).unwrap().width, 1_920);
    let points = format!("0 00001 {:012b} 01000 1 {:012b} 00000", 0x103, 0x101);
    assert_eq!(with_header(&format!("000 0 0 0 {points} {FULL_HD}")).unwrap().height, 1_080);
}

#[test]
fn a_sequence_header_of_a_stream_makes_the_same_record() {
    let unit = &RECORD[4..];
    assert_eq!(Config::from_sequence_header(unit).unwrap(), Config::parse(RECORD).unwrap());
    // In RTP, it does without its size.
    let bare = [&[unit[0] & !2][..], &unit[2..]].concat();
    assert_eq!(Config::from_sequence_header(&bare).unwrap().record, RECORD);
    let message = |unit: &[u8]| Config::from_sequence_header(unit).unwrap_err().to_string();
    assert!(message(&bare[..8]).starts_with("AV1 sequence header does not parse: "));
    assert!(message(&[0x32, 0]).contains("number of sequence headers 0"));
    let long = [&bare, &vec![0; Config::MAX_LEN][..]].concat();
    assert!(message(&long).contains("length"), "no longer than a record may be");
}

#[test]
fn a_sequence_header_tells_depth_chroma_and_tier() {
    // Filters, tools that each frame chooses, no order hints; up to the film grain.
    let made = |profile: &str, level: &str, colour: &str| {
        let point = format!("0 00000 {:012b} {level}", 0);
        let header = format!("{profile} 0 0 0 {point} {FULL_HD} 0 000 0000 0 1 1 000 {colour} 0 0");
        Config::from_sequence_header(&obu_of(&header)).map(|config| config.record[1..3].to_vec())
    };
    assert_eq!(made("000", "01000 0", "0 0 0 0 10").unwrap(), [0x08, 0x0e], "8 bits, 4:2:0, colocated");
    assert_eq!(made("000", "01101 1", "1 0 0 0 00").unwrap(), [0x0d, 0xcc], "high tier, 10 bits");
    assert_eq!(made("000", "01000 0", "0 1 0 0").unwrap(), [0x08, 0x1c], "grey");
    assert_eq!(made("001", "01000 0", "0 0 0").unwrap(), [0x28, 0x00], "4:4:4");
    assert_eq!(made("010", "01000 0", "1 1 0 0 0 1 0").unwrap(), [0x48, 0x68], "12 bits, 4:2:2");
    assert_eq!(made("010", "01000 0", "1 0 0 0 0").unwrap(), [0x48, 0x48], "10 bits, 4:2:2");
    let rgb = format!("0 1 {:08b} {:08b} {:08b}", 1, 13, 0);
    assert_eq!(made("001", "01000 0", &rgb).unwrap(), [0x28, 0x00], "RGB");
}

#[test]
fn what_is_not_a_record_is_an_error_that_says_why() {
    let message = |record: &[u8]| Config::parse(record).unwrap_err().to_string();
    let too_wide = with_header("000 1 1 00000 1101 0000 10000000000000 0").unwrap_err().to_string();
    let messages = [
        message(&[]),
        message(&RECORD[..3]),
        message(&RECORD[..4]),
        message(&RECORD[..10]),
        message(&[0x01, 0, 0, 0]),
        message(&[0x81; Config::MAX_LEN + 1]),
        message(&[0x81, 0, 0, 0, 0x12, 0]),
        too_wide,
    ];
    let head = "AV1CodecConfigurationRecord";
    assert_eq!(
        messages,
        [
            format!("{head} is cut short: 0 bytes"),
            format!("{head} is cut short: 3 bytes"),
            format!("{head} has unsupported number of sequence headers 0"),
            "AV1 OBU is cut short: 6 bytes".to_owned(),
            format!("{head} has unsupported marker and version 1"),
            format!("{head} has unsupported length 8193"),
            format!("{head} has unsupported number of sequence headers 0"),
            "AV1 sequence header has unsupported width 8193".to_owned(),
        ]
    );
    assert!(with_header("000 0 0 0").unwrap_err().to_string().starts_with("AV1 sequence header does not parse: "));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn mutated_records_never_panic(
        edits in prop::collection::vec((0..RECORD.len(), any::<u8>()), 1..6),
        end in 0..=RECORD.len(),
    ) {
        let mut record = RECORD.to_vec();
        for (at, byte) in edits {
            record[at] = byte;
        }
        for record in [&record[..], &record[..end]] {
            if let Ok(config) = Config::parse(record) {
                prop_assert!(config.width <= picture::MAX_SIDE && config.height <= picture::MAX_SIDE);
                prop_assert!(config.codec().starts_with("av01.") && !config.profile_and_level().is_empty());
            }
        }
    }

    #[test]
    fn any_header_is_read_or_refused(payload in prop::collection::vec(any::<u8>(), 0..100)) {
        let unit = [&[0x0a, u8::try_from(payload.len()).unwrap()][..], &payload].concat();
        let _ = Config::parse(&[&RECORD[..4], &unit].concat());
        if let Ok(config) = Config::from_sequence_header(&unit) {
            prop_assert_eq!(Config::parse(&config.record).unwrap(), config);
        }
    }
}
