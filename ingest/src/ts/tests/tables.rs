//! Programmes, their maps and how these change.

use super::muxer::{AUDIO, MAP, Muxer, VIDEO, adts, association, keyframe, map, picture, table};
use super::*;

const LANGUAGE: &[u8] = &[0x0a, 4, b'e', b'n', b'g', 0];

#[test]
fn a_map_may_take_many_packets_and_be_filled_up() {
    // 40 descriptors of 16 bytes that say nothing here.
    let private: Vec<u8> = [&[0x80, 14][..], &[0; 14]].concat().repeat(40);
    let streams: &[(u8, u16, &[u8])] = &[(0x06, 0x200, &private), (0x1b, VIDEO, &[]), (0x0f, AUDIO, LANGUAGE)];
    let muxer = Muxer::of(streams);
    assert!(muxer.packets.len() > 4);
    assert_eq!(muxer.demuxed(), "tracks 0 1:eng\n");
}

#[test]
fn sections_may_begin_anywhere_in_a_packet_and_follow_each_other() {
    let mut muxer = Muxer::default();
    muxer.association(0, &[(1, MAP)]);
    let other = table(0x42, &[0; 200]);
    let ours = map(1, 0, &[(0x1b, VIDEO, &[])]);
    // Another table, whose end a pointer skips, with ours behind it.
    let (start, end) = other.split_at(183);
    muxer.packet(MAP, true, 0, &[&[0][..], start].concat());
    muxer.packet(MAP, true, 0, &[&[u8::try_from(end.len()).unwrap()][..], end, &ours].concat());
    let mut demuxer = Demuxer::default();
    assert_eq!(muxer.demuxed_by(&mut demuxer), "tracks 0\n");
    assert_eq!(demuxer.counters().bad_sections, 0);
}

#[test]
fn sections_with_a_wrong_checksum_or_a_hole_are_counted_and_not_believed() {
    let mut damaged = map(1, 1, &[(0x24, 0x300, &[])]);
    damaged[12] ^= 1;
    let long = map(1, 1, &[(0x24, 0x300, &[0; 400])]);
    let mut muxer = Muxer::of(BOTH);
    muxer.sections(MAP, &[&damaged]);
    muxer.sections(MAP, &[&long]);
    let last = muxer.packets.len() - 2;
    muxer.packets.remove(last);
    // A pointer past the end of its packet.
    muxer.packet(MAP, true, 0, &[200; 184]);
    muxer.map(1, MAP, 0, BOTH);
    let mut demuxer = Demuxer::default();
    assert_eq!(muxer.demuxed_by(&mut demuxer), "tracks 0 1\n");
    assert_eq!((demuxer.counters().bad_sections, demuxer.counters().gaps), (3, 1));
}

#[test]
fn a_table_that_is_not_valid_yet_waits() {
    let mut next = map(1, 1, &[(0x0f, AUDIO, &[])]);
    next[5] &= !1;
    let next = section::with_checksum(next[..next.len() - 4].to_vec());
    let mut muxer = Muxer::of(BOTH);
    muxer.sections(MAP, &[&next]);
    assert_eq!(muxer.demuxed(), "tracks 0 1\n");
}

#[test]
fn streams_come_and_go_and_move_while_the_others_go_on() {
    let mut muxer = Muxer::of(BOTH);
    muxer.pes(VIDEO, &[3_600], false, &keyframe(&[1, 1]));
    muxer.pes(AUDIO, &[3_600], true, &adts(&[1, 1]));
    muxer.map(1, MAP, 1, &[(0x1b, VIDEO, &[]), (0x0f, AUDIO, &[]), (0x0f, 0x200, LANGUAGE)]);
    muxer.pes(VIDEO, &[7_200], false, &picture(&[2, 2]));
    muxer.pes(0x200, &[7_200], true, &adts(&[2, 2]));
    // The sounds change places, and the first one's PID.
    muxer.map(1, MAP, 2, &[(0x1b, VIDEO, &[]), (0x0f, 0x200, LANGUAGE), (0x0f, 0x201, &[])]);
    muxer.pes(0x200, &[10_800], true, &adts(&[3, 3]));
    muxer.pes(0x201, &[10_800], true, &adts(&[3, 3]));
    muxer.pes(VIDEO, &[10_800], false, &picture(&[3, 3]));
    // Video goes, and its last picture is whole.
    muxer.map(1, MAP, 3, &[(0x0f, 0x200, LANGUAGE)]);
    muxer.pes(0x201, &[14_400], true, &adts(&[4, 4]));
    muxer.pes(0x200, &[14_400], true, &adts(&[4, 4]));
    assert_eq!(
        muxer.demuxed(),
        "tracks 0 1
1: mp4a.40.2
1: 3600+0 0101
tracks 0 1 2:eng
0: avc1.64000d
0: 3600+0 key 00000003650101
2: mp4a.40.2
2: 7200+0 0202
tracks 0 1:eng 2
1: mp4a.40.2
1: 10800+0 0303
2: mp4a.40.2
2: 10800+0 0303
0: 7200+0 00000003410202
0: 10800+0 00000003410303
tracks 1:eng
1: 14400+0 0404
"
    );
}

#[test]
fn the_first_programme_with_video_is_taken_until_it_goes() {
    let mut muxer = Muxer::default();
    muxer.association(0, &[(0, 0x10), (7, 0x110), (8, 0x120), (9, 0x130)]);
    muxer.map(7, 0x110, 0, &[(0x0f, 0x111, &[])]);
    muxer.map(8, 0x120, 0, &[(0x1b, 0x121, &[])]);
    muxer.map(9, 0x130, 0, &[(0x1b, 0x131, &[])]);
    muxer.map(7, 0x110, 1, &[(0x1b, 0x111, &[])]);
    muxer.pes(0x131, &[1], true, &keyframe(&[1, 1]));
    muxer.pes(0x121, &[2], true, &keyframe(&[2, 2]));
    muxer.association(1, &[(9, 0x130)]);
    muxer.pes(0x131, &[3], true, &keyframe(&[3, 3]));
    assert_eq!(
        muxer.demuxed(),
        "tracks 0
there are 3 programmes: takes number 8, the first that has video
0: avc1.64000d
0: 2+0 key 00000003650202
tracks 0
0: avc1.64000d
0: 3+0 key 00000003650303
"
    );
}

#[test]
fn a_programme_of_sound_is_taken_where_no_other_has_video() {
    let mut muxer = Muxer::default();
    muxer.association(0, &[(1, 0x110), (2, 0x120)]);
    muxer.map(1, 0x110, 0, &[(0x0f, 0x111, &[])]);
    assert_eq!(muxer.demuxed(), "");
    muxer.map(2, 0x120, 0, &[(0x0f, 0x121, &[])]);
    assert_eq!(muxer.demuxed(), "tracks 1\nthere are 2 programmes: takes number 1, the first that has video\n");
}

/// A section of an association table that has two.
fn half(section: u8, programmes: &[(u16, u16)]) -> Vec<u8> {
    let mut half = association(0, programmes);
    (half[6], half[7]) = (section, 1);
    section::with_checksum(half[..half.len() - 4].to_vec())
}

#[test]
fn an_association_may_have_several_sections_which_repeat_themselves() {
    let (first, second) = (half(0, &[(1, 0x110)]), half(1, &[(2, 0x120)]));
    let mut muxer = Muxer::default();
    muxer.sections(0, &[&first, &second]);
    muxer.map(2, 0x120, 0, &[(0x1b, VIDEO, &[])]);
    muxer.pes(VIDEO, &[0], true, &keyframe(&[1, 1]));
    muxer.sections(0, &[&first, &second]);
    muxer.pes(VIDEO, &[1], true, &picture(&[2, 2]));
    // In one section, and then without the one that is taken.
    muxer.association(1, &[(1, 0x110), (2, 0x120)]);
    muxer.pes(VIDEO, &[2], true, &picture(&[3, 3]));
    muxer.association(2, &[(1, 0x110)]);
    muxer.pes(VIDEO, &[3], true, &picture(&[4, 4]));
    assert_eq!(
        muxer.demuxed(),
        "tracks 0
there are 2 programmes: takes number 2, the first that has video
0: avc1.64000d
0: 0+0 key 00000003650101
0: 1+0 00000003410202
0: 2+0 00000003410303
tracks 
"
    );
}

#[test]
fn pids_of_tables_cannot_be_taken_by_streams() {
    let muxer = Muxer::of(&[(0x1b, 0, &[]), (0x0f, MAP, &[]), (0x0f, 0x1fff, &[])]);
    let mut demuxer = Demuxer::default();
    muxer.demuxed_by(&mut demuxer);
    assert_eq!(demuxer.pids.keys().copied().collect::<Vec<_>>(), [0, MAP]);
}

#[test]
fn no_more_streams_are_taken_than_the_limits_say() {
    let sounds: Vec<(u8, u16, &[u8])> = (0..12).map(|n| (0x0f, 0x200 + n, &[][..])).collect();
    let cues: Vec<(u8, u16, &[u8])> = (0..12).map(|n| (0x86, 0x300 + n, &[][..])).collect();
    let videos: [(u8, u16, &[u8]); 2] = [(0x1b, VIDEO, &[]), (0x24, 0x400, &[])];
    let muxer = Muxer::of(&[&videos[..], &sounds, &cues].concat());
    let mut demuxer = Demuxer::default();
    let text = muxer.demuxed_by(&mut demuxer);
    assert!(
        text.starts_with("tracks 0 1 2 3 4 5 6 7 8\nvideo on PID 1024 is left out: a channel takes 1 from MPEG-TS\n"),
        "{text}"
    );
    assert_eq!(demuxer.pids.len(), 2 + 1 + 8 + 8);
    let many: Vec<(u16, u16)> = (1..40).map(|n| (n, 0x400 + n)).collect();
    let mut muxer = Muxer::default();
    muxer.association(0, &many);
    let mut demuxer = Demuxer::default();
    muxer.demuxed_by(&mut demuxer);
    assert_eq!(demuxer.pids.len(), 1 + MAX_PROGRAMMES);
}

#[test]
fn what_a_stream_is_shows_in_its_type_or_its_descriptors() {
    let told = |stream_type: u8, descriptors: &[u8]| Muxer::of(&[(stream_type, VIDEO, descriptors)]).demuxed();
    let audio = |name| {
        format!(
            "{name} audio on PID 257 is not taken, and the channel goes on without it: set the encoder to AAC\n\
                                refused: {name} audio is not supported: set the encoder to AAC\n"
        )
    };
    for (stream_type, descriptors, name) in [
        (0x03, &b""[..], "MPEG-1 (MP2 or MP3)"),
        (0x04, b"", "MPEG-1 (MP2 or MP3)"),
        (0x81, b"", "AC-3"),
        (0x87, b"", "E-AC-3"),
        (0x06, b"\x6a\x01\0", "AC-3"),
        (0x06, b"\x05\x04AC-3", "AC-3"),
        (0x06, b"\x52\x01\x01\x7a\x01\0", "E-AC-3"),
        (0x06, b"\x7b\0", "DTS"),
        (0x06, b"\x05\x04BSSD", "SMPTE 302M"),
        (0x06, b"\x05\x04Opus", "Opus in a layout of channels that is not known"),
    ] {
        assert_eq!(
            told(stream_type, descriptors),
            format!("tracks \n{}", audio(name)).replace("tracks \n", "tracks \n")
        );
    }
    for (stream_type, descriptors, name) in [
        (0x02, &b""[..], "MPEG-2"),
        (0x01, b"", "MPEG-1"),
        (0x33, b"", "VVC"),
        (0x06, b"\x05\x04AV01", "AV1 in MPEG-TS"),
    ] {
        let text = told(stream_type, descriptors);
        assert!(
            text.ends_with(&format!("refused: {name} video is not supported: set the encoder to H.264 or HEVC\n")),
            "{text}"
        );
    }
    for (stream_type, descriptors) in [(0x1b, &b""[..]), (0x24, b""), (0x06, b"\x05\x04HEVC")] {
        assert_eq!(told(stream_type, descriptors), "tracks 0\n");
    }
    for (stream_type, descriptors) in [(0x0f, &b""[..]), (0x11, b""), (0x06, b"\x05\x04Opus\x7f\x02\x80\x02")] {
        assert_eq!(told(stream_type, descriptors), "tracks 1\n");
    }
    // Teletext, subtitles, descriptors that do not fit.
    for descriptors in [&b"\x56\0"[..], b"\x59\0", b"\x05\xff", b"\x05"] {
        assert_eq!(told(0x06, descriptors), "");
    }
}
