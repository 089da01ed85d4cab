//! Access units within PES packets.

use super::muxer::{AUDIO, MAP, Muxer, PPS, SPS, VIDEO, adts, annex_b, keyframe, picture, table};
use super::*;

/// What is said behind the list of tracks.
fn of(stream_type: u8, pid: u16, descriptors: &[u8], fill: impl FnOnce(&mut Muxer)) -> (String, Counters) {
    let mut muxer = Muxer::of(&[(stream_type, pid, descriptors), (0x0f, MAP + 9, &[])]);
    fill(&mut muxer);
    let mut demuxer = Demuxer::default();
    let text = muxer.demuxed_by(&mut demuxer);
    (text.split_once('\n').unwrap().1.to_owned(), demuxer.counters())
}

fn h264(fill: impl FnOnce(&mut Muxer)) -> (String, Counters) {
    of(0x1b, VIDEO, &[], fill)
}

fn aac(fill: impl FnOnce(&mut Muxer)) -> (String, Counters) {
    of(0x0f, AUDIO, &[], fill)
}

#[test]
fn several_pictures_in_one_pes_packet_are_split_at_their_delimiters() {
    let (text, counters) = h264(|muxer| {
        muxer.pes(VIDEO, &[3_600], false, &keyframe(&[1, 1]));
        muxer.pes(VIDEO, &[7_200], false, &[picture(&[2, 2]), picture(&[3, 3]), picture(&[4, 4])].concat());
    });
    assert_eq!(
        text,
        "0: avc1.64000d
0: 3600+0 key 00000003650101
0: 7200+0 00000003410202
0: 10800+0 00000003410303
0: 14400+0 00000003410404
"
    );
    assert_eq!(counters.units, 4);
}

#[test]
fn a_picture_without_a_time_is_due_a_step_later_or_dropped_with_all_up_to_the_next_keyframe() {
    let (text, counters) = h264(|muxer| {
        muxer.pes(VIDEO, &[], false, &keyframe(&[1, 1]));
        muxer.pes(VIDEO, &[3_600], false, &picture(&[2, 2]));
        muxer.pes(VIDEO, &[7_200, 3_600], false, &keyframe(&[3, 3]));
        muxer.pes(VIDEO, &[10_800, 7_200], false, &picture(&[4, 4]));
        muxer.pes(VIDEO, &[], false, &picture(&[5, 5]));
    });
    assert_eq!(
        text,
        "0: avc1.64000d
drops video: an access unit comes without a time
drops video: a picture before it was lost, and no keyframe has come since
0: 3600+3600 key 00000003650303
0: 7200+3600 00000003410404
0: 10800+3600 00000003410505
"
    );
    assert_eq!((counters.untimed_units, counters.skipped_pictures), (1, 1));
}

#[test]
fn samples_have_messages_and_new_parameter_sets_and_no_delimiters_or_filler() {
    let pps: &[u8] = &[0x68, 0xef, 0x8f, 0xca];
    let (text, _) = h264(|muxer| {
        muxer.pes(VIDEO, &[0], true, &keyframe(&[1, 1]));
        let units: [&[u8]; 6] = [&[9, 0xf0], &[6, 4, 1, 0x80], SPS, pps, &[0x41, 2, 2], &[12, 0xff, 0x80]];
        muxer.pes(VIDEO, &[1], true, &annex_b(&units));
    });
    assert!(text.ends_with("0: 1+0 00000004060401800000000468ef8fca.. of 23\n"), "{text}");
}

#[test]
fn another_parameter_set_at_a_keyframe_is_another_configuration() {
    let level: Vec<u8> = [&SPS[..3], &[0x0e], &SPS[4..]].concat();
    let pps: &[u8] = &[0x68, 0xef, 0x8f, 0xca];
    let (text, _) = h264(|muxer| {
        muxer.pes(VIDEO, &[0], true, &keyframe(&[1, 1]));
        muxer.pes(VIDEO, &[1], true, &keyframe(&[2, 2]));
        // Without parameter sets, which stay as they were.
        muxer.pes(VIDEO, &[2], true, &annex_b(&[&[9, 0xf0], &[0x65, 3, 3]]));
        // In a PES packet of their own, the picture one alone.
        muxer.pes(VIDEO, &[3], true, &annex_b(&[pps]));
        muxer.pes(VIDEO, &[3], true, &annex_b(&[&[0x65, 4, 4]]));
        // One that cannot be read.
        muxer.pes(VIDEO, &[4], true, &annex_b(&[&[0x67, 0x64, 0, 0x0d, 0x80], PPS, &[0x65, 5, 5]]));
        muxer.pes(VIDEO, &[5], true, &picture(&[6, 6]));
        muxer.pes(VIDEO, &[6], true, &keyframe(&[7, 7]));
        muxer.pes(VIDEO, &[7], true, &annex_b(&[&level, PPS, &[0x65, 8, 8]]));
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..6],
        [
            "0: avc1.64000d",
            "0: 0+0 key 00000003650101",
            "0: 1+0 key 00000003650202",
            "0: 2+0 key 00000003650303",
            "0: avc1.64000d",
            "0: 3+0 key 00000003650404",
        ]
    );
    assert!(lines[6].starts_with("drops video: H.264 sequence parameter set"), "{text}");
    assert_eq!(
        lines[7..],
        [
            "drops video: a picture before it was lost, and no keyframe has come since",
            "0: 6+0 key 00000003650707",
            "0: avc1.64000e",
            "0: 7+0 key 00000003650808",
        ]
    );
}

#[test]
fn pictures_before_the_first_keyframe_are_dropped() {
    let (text, counters) = h264(|muxer| {
        muxer.pes(VIDEO, &[0], true, &picture(&[1, 1]));
        muxer.pes(VIDEO, &[1], true, &annex_b(&[&[0x65, 2, 2]]));
        muxer.pes(VIDEO, &[2], true, &keyframe(&[3, 3]));
    });
    assert_eq!(
        text,
        "drops video: no keyframe with its parameter sets has come yet
drops video: no keyframe with its parameter sets has come yet
0: avc1.64000d
0: 2+0 key 00000003650303
"
    );
    assert_eq!(counters.skipped_pictures, 2);
}

#[test]
fn recovery_points_without_a_keyframe_are_told_of_once() {
    let (text, _) = h264(|muxer| {
        for n in 0..8 {
            muxer.pes(VIDEO, &[n], true, &annex_b(&[SPS, PPS, &[6, 6, 1, 0xc4, 0x80], &[0x41, 1, 1]]));
        }
    });
    let told: Vec<&str> = text.lines().filter(|line| !line.starts_with("drops")).collect();
    assert_eq!(
        told,
        [
            "the pictures have recovery points but no IDR picture, which is what players start at: set the encoder to closed \
          groups of pictures, without intra refresh"
        ]
    );
}

#[test]
fn frames_of_sound_follow_each_other_and_may_end_in_another_pes_packet() {
    let frames: Vec<Vec<u8>> = (1..=5_u8).map(|n| adts(&[n; 20])).collect();
    let all = frames.concat();
    let (text, counters) = aac(|muxer| {
        // Two and a half frames, then the rest, whose PTS is that of the fourth.
        muxer.pes(AUDIO, &[90_000], true, &all[..70]);
        muxer.pes(AUDIO, &[95_760], true, &all[70..]);
        muxer.pes(AUDIO, &[], true, &adts(&[6; 20]));
    });
    let times: Vec<&str> = text.lines().skip(1).map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(times, ["90000+0", "91920+0", "93840+0", "95760+0", "97680+0", "99600+0"]);
    assert_eq!((counters.units, counters.damaged_pes), (6, 0));
}

#[test]
fn sound_goes_on_behind_what_is_no_frame() {
    let (text, counters) = aac(|muxer| {
        muxer.pes(AUDIO, &[90_000], true, &[b"no frame \xff\xf1", &adts(&[1; 20])[..], &adts(&[2; 20])].concat());
        muxer.pes(AUDIO, &[], true, &adts(&[3; 20]));
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["drops audio: a frame is damaged", "1: mp4a.40.2"]);
    assert_eq!(lines.len(), 5, "{text}");
    assert_eq!(counters.units, 3);
}

#[test]
fn sound_in_another_form_is_dropped_in_words() {
    let mut several = adts(&[1; 20]);
    several[6] |= 1;
    let mut main = adts(&[1; 20]);
    main[2] &= 0x3f;
    let mut by_element = adts(&[1; 20]);
    by_element[2..4].copy_from_slice(&[0x4c, 0]);
    for (frame, told) in [
        (
            several,
            "AAC with several blocks in a frame is not taken: set the encoder to AAC-LC with a frame of its own for each access unit",
        ),
        (main, "AudioSpecificConfig has unsupported audio object type 1"),
        (by_element, "AudioSpecificConfig has unsupported channel configuration 0"),
    ] {
        let (text, counters) = aac(|muxer| muxer.pes(AUDIO, &[0], true, &frame));
        assert_eq!((text, counters.units), (format!("drops audio: {told}\n"), 0));
    }
}

#[test]
fn sound_without_any_time_is_counted() {
    let (text, counters) = aac(|muxer| muxer.pes(AUDIO, &[], true, &adts(&[1; 20])));
    assert_eq!(text, "1: mp4a.40.2\ndrops audio: an access unit comes without a time\n");
    assert_eq!(counters.untimed_units, 1);
}

#[test]
fn opus_may_be_trimmed_and_have_extensions() {
    let packet: &[u8] = &[0xfc, 1, 2, 3];
    let units = [
        &[&[0x7f, 0xe0, 4][..], packet].concat()[..],
        &[&[0x7f, 0xf8, 4, 0, 1, 0, 2][..], packet].concat(),
        &[&[0x7f, 0xe4, 4, 2, 9, 9][..], packet].concat(),
    ]
    .concat();
    let descriptors = b"\x05\x04Opus\x7f\x02\x80\x02";
    let (text, _) = of(0x06, AUDIO, descriptors, |muxer| muxer.pes(AUDIO, &[900], true, &units));
    assert_eq!(text, "1: opus\n1: 900+0 fc010203\n1: 2700+0 fc010203\n1: 4500+0 fc010203\n");
    for damaged in [&[0x7f][..], &[0x7f, 0], &[0x7f, 0xe0], &[0x7f, 0xe0, 255], &[0x7f, 0xe0, 4, 1], &[0x7f, 0xe0, 0]] {
        let (text, _) = of(0x06, AUDIO, descriptors, |muxer| muxer.pes(AUDIO, &[900], true, damaged));
        assert_eq!(text, "drops audio: a frame is damaged\n", "{damaged:?}");
    }
}

#[test]
fn cues_and_other_metadata_are_handed_on_as_they_came() {
    let cue = table(0xfc, &[0; 14]);
    let mut damaged = cue.clone();
    damaged[6] ^= 1;
    let (text, counters) = of(0x86, 0x300, &[], |muxer| {
        muxer.sections(0x300, &[&cue]);
        muxer.sections(0x300, &[&damaged]);
        muxer.sections(0x300, &[&table(0xfd, &[0; 14])]);
    });
    assert_eq!(
        text,
        "carries SCTE-35 cues on PID 768\nScte35 on 768 at None fcb01200000000000000000000000000.. of 21\n"
    );
    assert_eq!((counters.metadata, counters.bad_sections), (1, 1));
    for (stream_type, descriptors, kind) in [
        (0x15, &b""[..], "Klv"),
        (0x15, b"\x05\x04KLVA", "Klv"),
        (0x06, b"\x05\x04KLVA", "Klv"),
        (0x06, b"\x05\x04ID3 ", "Id3"),
        (0x15, b"\x26\x0d\xff\xffID3 \xffID3 \0\x0f", "Id3"),
    ] {
        let (text, counters) = of(stream_type, 0x300, descriptors, |muxer| muxer.pes(0x300, &[900], true, b"data"));
        assert!(text.ends_with(&format!("\n{kind} on 768 at Some(900) 64617461\n")), "{text}");
        assert_eq!(counters.metadata, 1);
    }
}

#[test]
fn a_map_that_repeats_itself_changes_nothing() {
    let (text, _) = h264(|muxer| {
        muxer.pes(VIDEO, &[0], false, &keyframe(&[1, 1]));
        muxer.map(1, MAP, 0, &[(0x1b, VIDEO, &[]), (0x0f, MAP + 9, &[])]);
        muxer.pes(VIDEO, &[1], false, &picture(&[2, 2]));
    });
    assert_eq!(text, "0: avc1.64000d\n0: 0+0 key 00000003650101\n0: 1+0 00000003410202\n");
}
