//! Tags for several tracks (Enhanced RTMP v2, `Multitrack`).

use super::*;

/// `size` and what it is of.
fn sized(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[1..], body].concat()
}

fn ids(tags: &[Tag]) -> Vec<u32> {
    let id = |tag: &Tag| match tag {
        Tag::Configuration(id, _) => id.0,
        Tag::Unit(unit) => unit.track.0,
        Tag::Dropped(damage) => panic!("{damage}"),
    };
    tags.iter().map(id).collect()
}

const IDR: &[u8] = b"\0\0\0\x03\x28\x01\x88";

#[test]
fn a_further_track_comes_in_tags_of_its_own() {
    let mut demuxer = configured(4);
    let start = [&b"\x96\x00hvc1\x01"[..], HVCC].concat();
    assert_eq!(ids(&tags(&mut demuxer, Kind::Video, &start)), [2]);
    assert!(is_nothing(&mut demuxer, Kind::Video, &start), "the same again");
    let frame = unit(video(&mut demuxer, &[&b"\x96\x01hvc1\x01\0\0\x21"[..], IDR].concat()));
    assert_eq!((frame.track, frame.offset, frame.sync, &frame.data[..]), (TrackId(2), 33, true, IDR));
    assert!(matches!(audio(&mut demuxer, b"\x95\x00mp4a\x02\x11\x90"), Tag::Configuration(TrackId(5), _)));
    assert_eq!(unit(audio(&mut demuxer, b"\x95\x01mp4a\x02\x21\x10")).track, TrackId(5));
    // The first tracks are as they were.
    assert_eq!(unit(video(&mut demuxer, b"\x17\x01\0\0\0\0\0\0\x01\x65")).track, VIDEO);
    assert_eq!(unit(audio(&mut demuxer, &[0xaf, 1, 0x21, 0x10])).track, AUDIO);
}

#[test]
fn a_tag_may_carry_many_tracks_of_one_codec() {
    let mut demuxer = Demuxer::default();
    let start = [&b"\x96\x10hvc1\0"[..], &sized(HVCC), b"\x03", &sized(HVCC)].concat();
    assert_eq!(ids(&tags(&mut demuxer, Kind::Video, &start)), [0, 6]);
    let frames = [&b"\x96\x13hvc1\0"[..], &sized(IDR), b"\x03", &sized(IDR)].concat();
    let units: Vec<Unit> = tags(&mut demuxer, Kind::Video, &frames).into_iter().map(unit).collect();
    assert_eq!(units.iter().map(|unit| (unit.track.0, &unit.data[..])).collect::<Vec<_>>(), [(0, IDR), (6, IDR)]);
}

#[test]
fn a_tag_may_carry_many_tracks_of_many_codecs() {
    let mut demuxer = Demuxer::default();
    let start = [&b"\x96\x20av01\0"[..], &sized(AV1C), b"hvc1\x01", &sized(HVCC)].concat();
    let codecs: Vec<String> = tags(&mut demuxer, Kind::Video, &start)
        .into_iter()
        .map(|tag| match tag {
            Tag::Configuration(id, format) => format!("{} {}", id.0, format.codec()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(codecs, ["0 av01.0.00M.08", "2 hvc1.1.6.L30.90"]);
    // HEVC has a composition time where AV1 has none.
    let frames = [&b"\x96\x21av01\0"[..], &sized(b"\x32\x01\x10"), b"hvc1\x01", &sized(&[b"\0\0\x07", IDR].concat())];
    let units = tags(&mut demuxer, Kind::Video, &frames.concat()).into_iter().map(unit);
    assert_eq!(units.map(|unit| (unit.track.0, unit.offset)).collect::<Vec<_>>(), [(0, 0), (2, 7)]);
}

#[test]
fn modifiers_come_before_the_tracks() {
    let tag = [&b"\x97\x02\x01\x02\x03\x06\x00hvc1\x01"[..], HVCC].concat();
    assert_eq!(ids(&tags(&mut Demuxer::default(), Kind::Video, &tag)), [2]);
}

#[test]
fn a_further_track_in_a_codec_that_is_not_taken_is_left_out_and_the_first_one_refused() {
    let dropped = damage(video(&mut configured(4), b"\x96\x00vp09\x01\x01"));
    assert_eq!(
        dropped.to_string(),
        "VP9 video is not taken, and the channel goes on without this track: set it to H.264, HEVC or AV1"
    );
    assert!(Demuxer::default().read(&media(Kind::Video, b"\x96\x00vp09\x00\x01")).is_err());
    let mixed = [&b"\x95\x20mp4a\0"[..], &sized(b"\x11\x90"), b"ac-3\x01", &sized(b"\x0b")].concat();
    let read = tags(&mut Demuxer::default(), Kind::Audio, &mixed);
    assert!(matches!(read[..], [Tag::Configuration(AUDIO, _), Tag::Dropped(Damage::AudioCodec("AC-3"))]), "{read:?}");
}

#[test]
fn there_are_so_many_tracks_and_no_more() {
    let mut demuxer = Demuxer::default();
    for track in 0..MAX_TRACKS {
        let start = [b"\x95\x00mp4a", &[u8::try_from(track).unwrap() * 31][..], b"\x11\x90"].concat();
        assert!(matches!(audio(&mut demuxer, &start), Tag::Configuration(..)));
    }
    assert_eq!(damage(audio(&mut demuxer, b"\x95\x00mp4a\x01\x11\x90")), Damage::Tracks);
    let many = [&b"\x95\x11mp4a"[..], &b"\x00\0\0\x01\x21".repeat(MAX_TRACKS + 1)].concat();
    let read = tags(&mut demuxer, Kind::Audio, &many);
    assert!(matches!(read[..], [.., Tag::Unit(_), Tag::Dropped(Damage::Tracks)]), "{read:?}");
    assert_eq!(read.len(), MAX_TRACKS + 1);
}

#[test]
fn what_is_whole_of_a_damaged_tag_is_read() {
    let whole = [&b"\x96\x13hvc1\0"[..], &sized(IDR), b"\x01", &sized(IDR)].concat();
    let mut demuxer = hevc();
    for end in 0..whole.len() {
        let read = tags(&mut demuxer, Kind::Video, &whole[..end]);
        let first = b"\x96\x13hvc1\0".len() + 3 + IDR.len();
        match &read[..] {
            [Tag::Dropped(Damage::CutShort)] => assert!(end < first),
            [Tag::Unit(_)] => assert_eq!(end, first),
            [Tag::Unit(_), Tag::Dropped(Damage::CutShort)] => assert!(end > first),
            other => panic!("{end}: {other:?}"),
        }
    }
    assert_eq!(damage(video(&mut demuxer, b"\x96\x31hvc1\x01")), Damage::MultitrackType(3));
    assert_eq!(damage(video(&mut demuxer, b"\x96\x01hvc1\x01\0\0\0\0\0\0\x01\x28")), Damage::Unconfigured);
}
