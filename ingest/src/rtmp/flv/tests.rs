use std::time::Instant;

use super::*;

/// 160x90, High 1.1, as x264 writes it.
const RECORD: [u8; 44] =
    *b"\x01\x64\x00\x0b\xff\xe1\x00\x19\x67\x64\x00\x0b\xac\xd9\x42\x8d\xf9\x30\x11\x00\x00\x03\x00\x01\x00\
    \x00\x03\x00\x3c\x0f\x14\x29\x96\x01\x00\x04\x68\xef\xbc\xb0\xfd\xf8\xf8\x00";

fn media(kind: Kind, payload: &[u8]) -> Media {
    Media { kind, timestamp: 40, payload: Bytes::copy_from_slice(payload), received: Instant::now() }
}

fn video(demuxer: &mut Demuxer, payload: &[u8]) -> Tag {
    demuxer.read(&media(Kind::Video, payload)).unwrap()
}

fn audio(demuxer: &mut Demuxer, payload: &[u8]) -> Tag {
    demuxer.read(&media(Kind::Audio, payload)).unwrap()
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
    assert!(matches!(video(&mut demuxer, &sequence_header(4)), Tag::Nothing));
    assert!(matches!(audio(&mut demuxer, &[0xaf, 0, 0x11, 0x90]), Tag::Nothing));
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
    assert!(matches!(video(&mut demuxer, &[0x17, 2, 0, 0, 0]), Tag::Nothing));
    assert!(matches!(video(&mut demuxer, &[0x57, 0]), Tag::Nothing));
}

#[test]
fn other_codecs_are_refused_in_words_that_help() {
    let refused = |kind, payload: &[u8]| Demuxer::default().read(&media(kind, payload)).unwrap_err().to_string();
    let words = [
        refused(Kind::Video, b"\x90hvc1"),
        refused(Kind::Video, b"\x91av01"),
        refused(Kind::Video, b"\x96"),
        refused(Kind::Video, &[0x14]),
        refused(Kind::Video, &[0x1c, 0]),
        refused(Kind::Audio, b"\x90Opus"),
        refused(Kind::Audio, &[0x2f]),
        refused(Kind::Audio, &[0xb2]),
        refused(Kind::Audio, &[0xf0]),
    ];
    assert_eq!(
        words,
        [
            "HEVC over enhanced RTMP is not supported yet: set the encoder to H.264",
            "AV1 over enhanced RTMP is not supported yet: set the encoder to H.264",
            "a second track of video over enhanced RTMP is not supported yet: set the encoder to H.264",
            "VP6 video is not supported: set the encoder to H.264",
            "HEVC video is not supported: set the encoder to H.264",
            "Opus over enhanced RTMP is not supported yet: set the encoder to AAC",
            "MP3 audio is not supported: set the encoder to AAC",
            "Speex audio is not supported: set the encoder to AAC",
            "this kind of audio is not supported: set the encoder to AAC",
        ]
    );
}
