use std::time::Instant;

use proptest::prelude::*;

use super::*;

mod tracks;

/// 160x90, High 1.1, as x264 writes it.
const RECORD: [u8; 44] =
    *b"\x01\x64\x00\x0b\xff\xe1\x00\x19\x67\x64\x00\x0b\xac\xd9\x42\x8d\xf9\x30\x11\x00\x00\x03\x00\x01\x00\
    \x00\x03\x00\x3c\x0f\x14\x29\x96\x01\x00\x04\x68\xef\xbc\xb0\xfd\xf8\xf8\x00";

fn media(kind: Kind, payload: &[u8]) -> Media {
    Media { kind, timestamp: 40, payload: Bytes::copy_from_slice(payload), received: Instant::now() }
}

fn tags(demuxer: &mut Demuxer, kind: Kind, payload: &[u8]) -> Vec<Tag> {
    demuxer.read(&media(kind, payload)).unwrap()
}

/// The only thing that comes of a tag.
fn video(demuxer: &mut Demuxer, payload: &[u8]) -> Tag {
    let [tag] = tags(demuxer, Kind::Video, payload).try_into().unwrap();
    tag
}

fn audio(demuxer: &mut Demuxer, payload: &[u8]) -> Tag {
    let [tag] = tags(demuxer, Kind::Audio, payload).try_into().unwrap();
    tag
}

fn is_nothing(demuxer: &mut Demuxer, kind: Kind, payload: &[u8]) -> bool {
    tags(demuxer, kind, payload).is_empty()
}

fn sequence_header(length_size: u8) -> Vec<u8> {
    let mut record = RECORD;
    record[4] = 0xfc | (length_size - 1);
    [&[0x17, 0, 0, 0, 0][..], &record].concat()
}

fn configured(length_size: u8) -> Demuxer {
    let mut demuxer = Demuxer::default();
    assert!(matches!(video(&mut demuxer, &sequence_header(length_size)), Tag::Configuration(VIDEO, _)));
    assert!(matches!(audio(&mut demuxer, &[0xaf, 0, 0x11, 0x90]), Tag::Configuration(AUDIO, _)));
    demuxer
}

fn unit(tag: Tag) -> Unit {
    match tag {
        Tag::Unit(unit) => unit,
        other => panic!("{other:?}"),
    }
}

fn damage(tag: Tag) -> Damage {
    match tag {
        Tag::Dropped(damage) => damage,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_configuration_is_told_when_it_changes() {
    let mut demuxer = configured(4);
    assert!(is_nothing(&mut demuxer, Kind::Video, &sequence_header(4)));
    assert!(is_nothing(&mut demuxer, Kind::Audio, &[0xaf, 0, 0x11, 0x90]));
    assert!(matches!(audio(&mut demuxer, &[0xaf, 0, 0x12, 0x10]), Tag::Configuration(AUDIO, _)));
    let mut other = sequence_header(4);
    *other.last_mut().unwrap() = 1;
    assert!(matches!(video(&mut demuxer, &other), Tag::Configuration(VIDEO, _)));
}

#[test]
fn the_nal_units_tell_a_sync_sample_whatever_the_tag_says() {
    let mut demuxer = configured(4);
    let idr = unit(video(&mut demuxer, b"\x27\x01\0\0\0\0\0\0\x02\x09\x10\0\0\0\x02\x65\x88"));
    assert!(idr.sync);
    assert_eq!((idr.dts, &idr.data[..]), (40, &b"\0\0\0\x02\x09\x10\0\0\0\x02\x65\x88"[..]));
    assert!(!unit(video(&mut demuxer, b"\x17\x01\0\0\0\0\0\0\x02\x41\x88")).sync, "a recovery point is no IDR");
}

#[test]
fn composition_time_is_signed() {
    let mut demuxer = configured(4);
    for (bytes, offset) in [([0, 0, 67], 67), ([0xff, 0xff, 0xdf], -33), ([0, 0, 0], 0)] {
        let tag = [&[0x27, 1][..], &bytes, b"\0\0\0\x02\x41\x88"].concat();
        assert_eq!(unit(video(&mut demuxer, &tag)).offset, offset);
    }
}

#[test]
fn short_nal_lengths_become_four_bytes_and_empty_nal_units_go() {
    let expected = b"\0\0\0\x02\x65\x88\0\0\0\x01\x65";
    let short = unit(video(&mut configured(1), b"\x17\x01\0\0\0\x02\x65\x88\x01\x65"));
    let medium = unit(video(&mut configured(2), b"\x17\x01\0\0\0\0\x02\x65\x88\0\x01\x65"));
    let empty = unit(video(&mut configured(4), b"\x17\x01\0\0\0\0\0\0\x02\x65\x88\0\0\0\0\0\0\0\x01\x65"));
    for unit in [short, medium, empty] {
        assert_eq!((&unit.data[..], unit.sync), (&expected[..], true));
    }
}

#[test]
fn aac_frames_are_units() {
    let frame = unit(audio(&mut configured(4), &[0xaf, 1, 0x21, 0x10]));
    assert_eq!((frame.track, frame.dts, frame.offset, frame.sync), (AUDIO, 40, 0, true));
    assert_eq!(&frame.data[..], [0x21, 0x10]);
}

/// Stereo, 312 ticks of pre-skip, 48 kHz, as libopus has it.
const OPUS_HEAD: &[u8] = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";

#[test]
fn opus_packets_are_units() {
    let mut demuxer = Demuxer::default();
    match audio(&mut demuxer, &[&b"\x90Opus"[..], OPUS_HEAD].concat()) {
        Tag::Configuration(AUDIO, Format::Opus(config)) => assert_eq!((config.channels, config.pre_skip), (2, 312)),
        other => panic!("{other:?}"),
    }
    let packet = unit(audio(&mut demuxer, b"\x91Opus\xfc\x01\x02"));
    assert_eq!((packet.track, packet.dts, packet.sync, &packet.data[..]), (AUDIO, 40, true, &b"\xfc\x01\x02"[..]));
    assert_eq!(damage(audio(&mut demuxer, b"\x91Opus")), Damage::Empty);
    assert_eq!(damage(audio(&mut demuxer, b"\x91Opus\xff\x3f")), Damage::Damaged, "longer than 120 ms");
    assert_eq!(damage(audio(&mut demuxer, b"\x91mp4a\x21\x10")), Damage::Unconfigured);
    assert!(matches!(damage(audio(&mut demuxer, b"\x90OpusOpus")), Damage::Configuration(_)));
    assert!(is_nothing(&mut demuxer, Kind::Audio, b"\x94Opus\x01\x02"), "a layout of channels");
}

#[test]
fn what_is_damaged_is_dropped_and_named() {
    let mut demuxer = configured(4);
    assert_eq!(damage(video(&mut demuxer, &[0x17, 1, 0, 0])), Damage::CutShort);
    assert_eq!(damage(audio(&mut demuxer, &[0xaf])), Damage::CutShort);
    assert_eq!(damage(video(&mut demuxer, &[0x17, 1, 0, 0, 0])), Damage::Empty);
    assert_eq!(damage(video(&mut demuxer, b"\x17\x01\0\0\0\0\0\0\x02\x09\x10")), Damage::Empty, "no picture");
    assert_eq!(damage(audio(&mut demuxer, &[0xaf, 1])), Damage::Empty);
    assert_eq!(damage(video(&mut demuxer, b"\x17\x01\0\0\0\0\0\0\x09\x65")), Damage::Damaged);
    assert_eq!(damage(video(&mut demuxer, &[0x17, 9, 0, 0, 0])), Damage::PacketType(9));
    assert!(matches!(damage(video(&mut demuxer, &[0x17, 0, 0, 0, 0, 1, 2])), Damage::Configuration(_)));
    assert!(matches!(damage(audio(&mut demuxer, &[0xaf, 0])), Damage::Configuration(_)));
    assert!(unit(video(&mut demuxer, b"\x17\x01\0\0\0\0\0\0\x01\x65")).sync, "the configuration before stays");
}

#[test]
fn units_before_their_configuration_are_dropped() {
    let mut demuxer = Demuxer::default();
    assert_eq!(damage(video(&mut demuxer, b"\x17\x01\0\0\0\0\0\0\x01\x65")), Damage::Unconfigured);
    assert_eq!(damage(audio(&mut demuxer, &[0xaf, 1, 0x21])), Damage::Unconfigured);
}

#[test]
fn ends_of_sequence_and_commands_to_players_are_nothing() {
    let mut demuxer = configured(4);
    assert!(is_nothing(&mut demuxer, Kind::Video, &[0x17, 2, 0, 0, 0]));
    assert!(is_nothing(&mut demuxer, Kind::Video, &[0x57, 0]));
}

/// 160x90, Main 1.0, as x265 writes it, without the SEI that holds its settings.
const HVCC: &[u8] = b"\x01\x01\x60\0\0\0\x90\0\0\0\0\0\x1e\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f\x03\
    \xa0\0\x01\0\x18\x40\x01\x0c\x01\xff\xff\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\x95\x90\x09\
    \xa1\0\x01\0\x2a\x42\x01\x01\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\xa0\x14\x20\x61\xf2\x65\x95\x91\x29\x30\
    \xbc\x05\xa0\x20\0\0\x03\0\x20\0\0\x03\x03\xc1\
    \xa2\0\x01\0\x06\x44\x01\xc0\x73\xc1\x89";
/// 160x90, Main 2.0, as libaom writes it.
const AV1C: &[u8] = b"\x81\0\x0c\0\x0a\x0a\0\0\0\x03\xb4\xfd\x93\x6b\xe4\x01";

/// A demuxer that has read this sequence start.
fn started(header: &[u8], record: &[u8]) -> Demuxer {
    let mut demuxer = Demuxer::default();
    let tag = video(&mut demuxer, &[header, record].concat());
    assert!(matches!(tag, Tag::Configuration(VIDEO, _)), "{tag:?}");
    demuxer
}

fn hevc() -> Demuxer {
    started(b"\x90hvc1", HVCC)
}

fn av1() -> Demuxer {
    started(b"\x90av01", AV1C)
}

#[test]
fn enhanced_tags_configure_what_their_four_cc_names() {
    for (header, record, codec) in [
        (&b"\x90avc1"[..], &RECORD[..], "avc1.64000b"),
        (b"\x90hvc1", HVCC, "hvc1.1.6.L30.90"),
        (b"\x90av01", AV1C, "av01.0.00M.08"),
        (b"\x1c\0\0\0\0", HVCC, "hvc1.1.6.L30.90"),
    ] {
        let mut demuxer = Demuxer::default();
        let tag = [header, record].concat();
        match video(&mut demuxer, &tag) {
            Tag::Configuration(VIDEO, format) => assert_eq!(format.codec(), codec),
            other => panic!("{other:?}"),
        }
        assert!(is_nothing(&mut demuxer, Kind::Video, &tag), "the same again");
    }
    let mut demuxer = Demuxer::default();
    assert!(matches!(audio(&mut demuxer, b"\x90mp4a\x11\x90"), Tag::Configuration(AUDIO, _)));
    assert_eq!(&unit(audio(&mut demuxer, b"\x91mp4a\x21\x10")).data[..], [0x21, 0x10]);
}

#[test]
fn coded_frames_of_hevc_carry_a_composition_time_and_coded_frames_x_do_not() {
    let mut demuxer = hevc();
    let frame = unit(video(&mut demuxer, b"\xa1hvc1\xff\xff\xdf\0\0\0\x03\x02\x01\x88"));
    assert_eq!((frame.offset, frame.sync, &frame.data[..]), (-33, false, &b"\0\0\0\x03\x02\x01\x88"[..]));
    let frame = unit(video(&mut demuxer, b"\xa3hvc1\0\0\0\x03\x02\x01\x88"));
    assert_eq!((frame.offset, &frame.data[..]), (0, &b"\0\0\0\x03\x02\x01\x88"[..]));
}

#[test]
fn hevc_starts_where_the_tag_says_so_and_the_nal_units_bear_it_out() {
    let sync = |tag: &[u8]| unit(video(&mut hevc(), tag)).sync;
    assert!(sync(b"\x93hvc1\0\0\0\x03\x28\x01\x88"), "IDR");
    assert!(sync(b"\x93hvc1\0\0\0\x03\x4e\x01\x05\0\0\0\x03\x2a\x01\x88"), "SEI and CRA");
    assert!(!sync(b"\xa3hvc1\0\0\0\x03\x2a\x01\x88"), "an inter frame of CRA");
    assert!(!sync(b"\x93hvc1\0\0\0\x03\x02\x01\x88"), "a keyframe that refers to others");
    let mut classic = started(b"\x1c\0\0\0\0", HVCC);
    assert!(unit(video(&mut classic, b"\x1c\x01\0\0\0\0\0\0\x03\x28\x01\x88")).sync);
}

#[test]
fn short_nal_lengths_of_hevc_become_four_bytes_and_empty_nal_units_go() {
    let mut record = HVCC.to_vec();
    record[21] = 0x0d;
    let mut demuxer = started(b"\x90hvc1", &record);
    let frame = unit(video(&mut demuxer, b"\x93hvc1\0\x03\x28\x01\x88\0\0\0\x01\x28\0\x02\x4e\x01"));
    assert_eq!(&frame.data[..], b"\0\0\0\x03\x28\x01\x88\0\0\0\x02\x4e\x01");
}

#[test]
fn parameter_sets_that_the_configuration_has_are_not_for_samples() {
    let (pps, other) = (b"\0\0\0\x06\x44\x01\xc0\x73\xc1\x89", b"\0\0\0\x06\x44\x01\xc0\x73\xc1\x8a");
    let idr = b"\0\0\0\x03\x28\x01\x88";
    let frame = unit(video(&mut hevc(), &[&b"\x93hvc1"[..], pps, other, idr].concat()));
    assert_eq!(frame.data, [&other[..], idr].concat());
    assert_eq!(damage(video(&mut hevc(), &[&b"\x93hvc1"[..], pps].concat())), Damage::Empty);
}

#[test]
fn pictures_that_need_what_is_before_the_keyframe_show_open_groups() {
    let mut demuxer = hevc();
    // CRA, and then RADL and RASL pictures that are shown before it.
    for (tag, open) in [
        (b"\x93hvc1\0\0\0\x03\x2a\x01\x88", false),
        (b"\xa3hvc1\0\0\0\x03\x0c\x01\x88", false),
        (b"\xa3hvc1\0\0\0\x03\x10\x01\x88", true),
        (b"\xa3hvc1\0\0\0\x03\x02\x01\x88", true),
    ] {
        unit(video(&mut demuxer, tag));
        assert_eq!(demuxer.has_open_groups(), open, "{tag:?}");
    }
}

#[test]
fn temporal_units_lose_what_a_sample_does_not_have() {
    for (sent, kept) in [
        (&b"\x12\0\x32\x02\x10\x55"[..], &b"\x32\x02\x10\x55"[..]),
        (b"\x32\x02\x10\x55", b"\x32\x02\x10\x55"),
        (b"\x12\0\x0a\x01\x00\x7a\x01\x00\x32\x02\x10\x55", b"\x0a\x01\x00\x32\x02\x10\x55"),
        (b"\x1a\x01\x10\x3a\x01\x10\x22\x01\x77\x42\x01\0", b"\x1a\x01\x10\x22\x01\x77"),
        (b"\x12\0\x30\x10\x55", b"\x30\x10\x55"),
    ] {
        let frame = unit(video(&mut av1(), &[b"\x91av01", sent].concat()));
        assert_eq!((&frame.data[..], frame.offset, frame.sync), (kept, 0, true), "{sent:?}");
        let same = unit(video(&mut av1(), &[b"\x93av01", sent].concat()));
        assert_eq!(same.data, frame.data);
    }
}

#[test]
fn av1_starts_where_the_tag_says_so_and_the_frame_bears_it_out() {
    let sync = |tag: &[u8]| unit(video(&mut av1(), tag)).sync;
    assert!(sync(b"\x91av01\x32\x01\x10"));
    assert!(!sync(b"\xa1av01\x32\x01\x10"), "an inter frame");
    assert!(!sync(b"\x91av01\x32\x01\x30"), "a frame that refers to others");
    assert!(!sync(b"\x91av01\x32\x01\x00"), "a key frame that is shown later");
    assert!(!sync(b"\x91av01\x1a\x01\x90"), "a frame that was there before");
    assert!(!sync(b"\x91av01\x32\x01\x30\x32\x01\x10"), "a key frame behind another frame");
}

#[test]
fn enhanced_tags_without_media_are_nothing() {
    let mut demuxer = hevc();
    for tag in [&b"\x92hvc1"[..], b"\x94hvc1\x02\0\x09colorInfo", b"\xd4hvc1\x02", b"\xd1\0", b"\xd4"] {
        assert!(is_nothing(&mut demuxer, Kind::Video, tag), "{tag:?}");
    }
    assert!(is_nothing(&mut demuxer, Kind::Audio, b"\x94mp4a\x01\x02"));
}

#[test]
fn modifiers_are_skipped() {
    let mut demuxer = hevc();
    let idr = b"hvc1\0\0\0\x03\x28\x01\x88";
    let long = [&[0x97, 0xff, 0x01, 0x00][..], &[7; 257], &[0x03], idr].concat();
    let twice = [&[0x97, 0x02, 1, 2, 3, 0x07, 0x00, 9, 0x03][..], idr].concat();
    for tag in [&[&[0x97, 0x02, 1, 2, 3, 0x03][..], idr].concat(), &long, &twice] {
        assert!(unit(video(&mut demuxer, tag)).sync);
    }
    for end in 1..twice.len() - idr.len() + 4 {
        assert_eq!(damage(video(&mut demuxer, &twice[..end])), Damage::CutShort, "{end}");
    }
    assert!(matches!(audio(&mut demuxer, b"\x97\x02\x01\x02\x03\0mp4a\x11\x90"), Tag::Configuration(AUDIO, _)));
}

#[test]
fn damaged_enhanced_tags_are_dropped_and_named() {
    for (tag, expected) in [
        (&b"\x90"[..], Damage::CutShort),
        (b"\x91hvc", Damage::CutShort),
        (b"\x91hvc1\0\0", Damage::CutShort),
        (b"\x91hvc1\0\0\0", Damage::Empty),
        (b"\x93hvc1", Damage::Empty),
        (b"\x93hvc1\0\0\0\x03\x40\x01\x0c", Damage::Empty),
        (b"\x93hvc1\0\0\0\x01\x28", Damage::Empty),
        (b"\x93hvc1\0\0\0\x09\x28\x01", Damage::Damaged),
        (b"\x95hvc1\0", Damage::PacketType(5)),
        (b"\x9fhvc1\0", Damage::PacketType(15)),
        (b"\x97", Damage::CutShort),
        (b"\x97\xff\xff", Damage::CutShort),
        (b"\x91av01\x32\x01\x10", Damage::Unconfigured),
        (b"\x17\x01\0\0\0\0\0\0\x01\x65", Damage::Unconfigured),
    ] {
        assert_eq!(damage(video(&mut hevc(), tag)), expected, "{tag:?}");
    }
    for (tag, expected) in [
        (&b"\x91av01"[..], Damage::Empty),
        (b"\x91av01\x12\0", Damage::Empty),
        (b"\x91av01\x12\0\x0a\x01\0", Damage::Empty),
        (b"\x91av01\x32\x05\x10", Damage::Damaged),
        (b"\x91av01\x32\xff\xff\xff\xff\xff\x01\x10", Damage::Damaged),
        (b"\x91av01\x36", Damage::Damaged),
    ] {
        assert_eq!(damage(video(&mut av1(), tag)), expected, "{tag:?}");
    }
    for tag in [&b"\x90hvc1"[..], b"\x90hvc1\x01\x01", b"\x90av01", b"\x90av01\x81\0\x0c\0"] {
        let mut demuxer = hevc();
        assert!(matches!(damage(video(&mut demuxer, tag)), Damage::Configuration(_)), "{tag:?}");
        assert!(unit(video(&mut demuxer, b"\x93hvc1\0\0\0\x03\x28\x01\x88")).sync, "the one before stays");
    }
}

#[test]
fn sound_that_is_not_taken_is_left_out_in_words() {
    let words = |tag: &[u8]| damage(audio(&mut Demuxer::default(), tag)).to_string();
    for (four_cc, codec) in [("fLaC", "FLAC"), ("ac-3", "AC-3"), ("ec-3", "E-AC-3"), (".mp3", "MP3")] {
        let tag = [b"\x91", four_cc.as_bytes()].concat();
        let rest = "audio is not taken, and the channel goes on without it: set the encoder to AAC or Opus";
        assert_eq!(words(&tag), format!("{codec} {rest}"));
    }
    assert_eq!(words(b"\x90Opu"), "a tag is cut short");
    assert_eq!(words(b"\x97"), "a tag is cut short");
    assert_eq!(words(b"\x93mp4a"), "packet type 3 is unknown");
    assert_eq!(words(b"\x91mp4a\x21"), "an access unit comes before its decoder configuration");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_tags_are_read_dropped_or_refused(
        // A codec, or a Multitrack header of each type and the codec.
        four_cc in prop::sample::select(vec![
            &b"hvc1"[..], b"av01", b"avc1", b"mp4a", b"Opus", b"", b"\x00hvc1\x01", b"\x11mp4a\x01\0\0\x04", b"\x21av01\0\0\0",
        ]),
        first in any::<u8>(),
        body in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        for mut demuxer in [hevc(), av1(), configured(4)] {
            for kind in [Kind::Video, Kind::Audio] {
                let tags = demuxer.read(&media(kind, &[&[first], four_cc, &body].concat())).unwrap_or_default();
                for tag in tags {
                    if let Tag::Unit(unit) = tag {
                        prop_assert!(!unit.data.is_empty());
                    }
                }
            }
        }
    }
}

#[test]
fn other_codecs_are_refused_in_words_that_help() {
    let refused = |kind, payload: &[u8]| Demuxer::default().read(&media(kind, payload)).unwrap_err().to_string();
    let words = [
        refused(Kind::Video, b"\x90vp09"),
        refused(Kind::Video, b"\x91vvc1"),
        refused(Kind::Video, b"\x91xxxx"),
        refused(Kind::Video, &[0x14]),
        refused(Kind::Video, &[0x1d, 0]),
        refused(Kind::Audio, &[0x2f]),
        refused(Kind::Audio, &[0xb2]),
        refused(Kind::Audio, &[0xf0]),
    ];
    assert_eq!(
        words,
        [
            "VP9 video is not supported: set the encoder to H.264, HEVC or AV1",
            "VVC video is not supported: set the encoder to H.264, HEVC or AV1",
            "this kind of video is not supported: set the encoder to H.264, HEVC or AV1",
            "VP6 video is not supported: set the encoder to H.264, HEVC or AV1",
            "the older form of AV1 video is not supported: set the encoder to H.264, HEVC or AV1",
            "MP3 audio is not supported: set the encoder to AAC or Opus",
            "Speex audio is not supported: set the encoder to AAC or Opus",
            "this kind of audio is not supported: set the encoder to AAC or Opus",
        ]
    );
}
