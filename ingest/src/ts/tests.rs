mod media;
mod muxer;
mod tables;

use std::time::{Duration, Instant};

use self::muxer::{AUDIO, Muxer, VIDEO, events, keyframe, picture};
use super::*;

/// H.264 and AAC.
const BOTH: &[(u8, u16, &[u8])] = &[(0x1b, VIDEO, &[]), (0x0f, AUDIO, &[])];

/// A keyframe and two pictures, 40 ms apart.
fn pictures() -> Muxer {
    let mut muxer = Muxer::of(BOTH);
    muxer.pes(VIDEO, &[3_600], false, &keyframe(&[1, 1]));
    muxer.pes(VIDEO, &[7_200], false, &picture(&[2, 2]));
    muxer.pes(VIDEO, &[10_800], false, &picture(&[3, 3]));
    muxer
}

const ALL_PICTURES: &str = "tracks 0 1
0: avc1.64000d
0: 3600+0 key 00000003650101
0: 7200+0 00000003410202
0: 10800+0 00000003410303
";

#[test]
fn pictures_without_a_stated_length_wait_for_the_next_and_others_do_not() {
    let epoch = Instant::now();
    for (stated, expected) in [(false, [0, 1, 2]), (true, [1, 2, 3])] {
        let mut muxer = Muxer::of(BOTH);
        let mut demuxer = Demuxer::default();
        demuxer.push(&muxer.packets.concat(), epoch);
        let mut received = Vec::new();
        for (n, count) in (0_u32..).zip(expected) {
            muxer.packets.clear();
            muxer.pes(VIDEO, &[i64::from(n) * 3_600], stated, &keyframe(&[1; 400]));
            let now = epoch + Duration::from_millis(40) * n;
            demuxer.push(&muxer.packets.concat(), now);
            while let Some(event) = demuxer.poll() {
                let Event::Unit(unit) = event else { continue };
                received.push(unit.received.duration_since(epoch).as_millis());
            }
            assert_eq!(received.len(), count, "stated {stated}, picture {n}");
        }
        // When its last byte came, not when the next picture showed that it was the last.
        assert_eq!(received, [0, 40, 80][..received.len()]);
    }
}

#[test]
fn a_packet_may_come_twice_and_no_more() {
    let muxer = pictures();
    assert_eq!(muxer.demuxed(), ALL_PICTURES);
    let with_copies = |count: usize| {
        let mut muxer = pictures();
        let packet = *muxer.packets.iter().rfind(|packet| packet[2] == 1).unwrap();
        muxer.packets.extend(vec![packet; count]);
        let mut demuxer = Demuxer::default();
        let text = muxer.demuxed_by(&mut demuxer);
        (text, demuxer.counters().duplicates, demuxer.counters().gaps)
    };
    assert_eq!(with_copies(1), (ALL_PICTURES.to_owned(), 1, 0));
    let (text, duplicates, gaps) = with_copies(2);
    assert_eq!((duplicates, gaps), (1, 1));
    assert!(
        text.ends_with(
            "drops video: packets are missing within a PES packet, which is dropped whole\n\
                            drops video: a picture before it was lost, and no keyframe has come since\n"
        ),
        "{text}"
    );
}

#[test]
fn a_counter_may_jump_where_the_packet_says_so() {
    const DISCONTINUITY: u8 = 0x80;
    // Between pictures, and in an adaptation field of its own before one.
    for alone in [false, true] {
        let mut muxer = pictures();
        muxer.packets.truncate(muxer.packets.len() - 1);
        muxer.packet(VIDEO, false, 0, &[0; 184]);
        muxer.packets.pop();
        if alone {
            muxer.packet(VIDEO, false, DISCONTINUITY, &[]);
            muxer.packet(VIDEO, true, 0, &muxer::pes(&[10_800], false, &picture(&[3, 3])));
        } else {
            muxer.packet(VIDEO, true, DISCONTINUITY, &muxer::pes(&[10_800], false, &picture(&[3, 3])));
        }
        let mut demuxer = Demuxer::default();
        assert_eq!(muxer.demuxed_by(&mut demuxer), ALL_PICTURES, "alone {alone}");
        assert_eq!(demuxer.counters().gaps, 0);
    }
}

#[test]
fn what_comes_behind_a_jump_within_a_picture_is_none_of_it() {
    let mut muxer = pictures();
    muxer.packet(VIDEO, false, 0, &[0; 184]);
    muxer.packets.pop();
    muxer.packet(VIDEO, false, 0x80, &[1; 100]);
    muxer.pes(VIDEO, &[14_400], false, &keyframe(&[4, 4]));
    let mut demuxer = Demuxer::default();
    let text = muxer.demuxed_by(&mut demuxer);
    assert!(
        text.ends_with(
            "0: 7200+0 00000003410202\n\
        drops video: packets are missing within a PES packet, which is dropped whole\n\
        0: 14400+0 key 00000003650404\n"
        ),
        "{text}"
    );
    assert_eq!((demuxer.counters().gaps, demuxer.counters().damaged_pes), (0, 1));
}

#[test]
fn packets_that_carry_nothing_are_counted_and_left() {
    let mut muxer = pictures();
    let mut demuxer = Demuxer::default();
    let at = muxer.packets.len() - 1;
    let mut insert = |packet: [u8; packet::LEN]| muxer.packets.insert(at, packet);
    let head = |bytes: [u8; 5]| {
        let mut packet = [0xff; packet::LEN];
        packet[..5].copy_from_slice(&bytes);
        packet
    };
    insert(head([0x47, 0x1f, 0xff, 0x10, 0]));
    // Somebody else's, with an error, with reserved control bits, with an adaptation field that is too long.
    insert(head([0x47, 0x02, 0x00, 0x10, 0]));
    insert(head([0x47, 0x81, 0x01, 0x1a, 0]));
    insert(head([0x47, 0x01, 0x01, 0x0a, 0]));
    insert(head([0x47, 0x01, 0x01, 0x3a, 184]));
    assert_eq!(muxer.demuxed_by(&mut demuxer), ALL_PICTURES);
    let counters = demuxer.counters();
    assert_eq!(
        (counters.packets, counters.null_packets, counters.unclaimed_packets, counters.bad_packets),
        (10, 1, 1, 3)
    );
}

#[test]
fn scrambled_packets_damage_what_they_belong_to() {
    let mut muxer = pictures();
    let last = muxer.packets.len() - 2;
    muxer.packets[last][3] |= 0x80;
    let mut demuxer = Demuxer::default();
    let text = muxer.demuxed_by(&mut demuxer);
    assert_eq!(
        text.lines().skip(2).collect::<Vec<_>>(),
        [
            "0: 3600+0 key 00000003650101",
            "drops video: it is scrambled: switch conditional access off",
            "drops video: a picture before it was lost, and no keyframe has come since",
        ]
    );
    assert_eq!(demuxer.counters().scrambled_packets, 1);
}

#[test]
fn a_pes_packet_that_is_cut_short_or_has_no_header_is_dropped_whole() {
    let short = [&muxer::pes(&[7_200], true, &picture(&[2; 100]))[..60], &[]].concat();
    let mut scrambled = muxer::pes(&[7_200], true, &picture(&[2, 2]));
    scrambled[6] |= 0x10;
    let mut long_header = muxer::pes(&[7_200], true, &picture(&[2, 2]));
    long_header[8] = 200;
    for (damaged, told) in [
        (&short[..], "a PES packet is shorter than it states"),
        (&[0, 0, 1, 0xe0, 0][..], "a PES packet is shorter than it states"),
        (b"\0\0\x02\xe0\0\0\x80\0\0\0\0\0\x01\x41", "the header of a PES packet is damaged"),
        (b"\0\0\x01\xbe\0\0\x80\0\0\0\0\0\x01\x41", "the header of a PES packet is damaged"),
        (&long_header, "the header of a PES packet is damaged"),
        (&scrambled, "it is scrambled: switch conditional access off"),
    ] {
        let mut muxer = Muxer::of(BOTH);
        muxer.pes(VIDEO, &[3_600], true, &keyframe(&[1, 1]));
        muxer.payload(VIDEO, damaged);
        muxer.pes(VIDEO, &[10_800], true, &picture(&[3, 3]));
        let mut demuxer = Demuxer::default();
        let text = muxer.demuxed_by(&mut demuxer);
        let expected = [
            &format!("drops video: {told}"),
            "drops video: a picture before it was lost, and no keyframe has come since",
        ];
        assert_eq!(text.lines().skip(3).collect::<Vec<_>>(), expected);
        assert_eq!((demuxer.counters().damaged_pes, demuxer.counters().skipped_pictures), (1, 1));
    }
}

#[test]
fn a_told_gap_leaves_no_doubt_by_counters() {
    let mut muxer = pictures();
    let packets = muxer.packets.split_off(3);
    let mut demuxer = Demuxer::default();
    let now = Instant::now();
    demuxer.push(&muxer.packets.concat(), now);
    demuxer.gap();
    // A packet is lost that the counter would have shown as well.
    demuxer.push(&packets[1..].concat(), now);
    demuxer.finish();
    let text = events(&mut demuxer);
    assert_eq!(
        text.lines().skip(1).collect::<Vec<_>>(),
        [
            "drops video: packets are missing within a PES packet, which is dropped whole",
            "drops video: no keyframe with its parameter sets has come yet"
        ]
    );
    assert_eq!((demuxer.counters().gaps, demuxer.counters().told_gaps), (0, 1));
}

/// Pictures so long that the last packet of each is filled up; `whole` of them before the one that is looked at.
fn after_filled(whole: i64, fill_within: bool, look: impl FnOnce(&mut Muxer)) -> (Vec<String>, Counters) {
    let mut muxer = Muxer::of(BOTH);
    for n in 0..whole {
        muxer.pes(VIDEO, &[n], false, &keyframe(&[1; 300]));
    }
    if fill_within {
        let pes = muxer::pes(&[whole], false, &keyframe(&[1; 300]));
        muxer.packet(VIDEO, true, 0, &pes[..100]);
        muxer.packet(VIDEO, false, 0, &pes[100..200]);
        muxer.payload(VIDEO, &muxer::pes(&[whole + 1], false, &keyframe(&[1; 300])));
    }
    let (mut demuxer, now) = (Demuxer::default(), Instant::now());
    demuxer.push(&muxer.packets.concat(), now);
    drop(events(&mut demuxer));
    muxer.packets.clear();
    look(&mut muxer);
    demuxer.push(&muxer.packets.concat(), now);
    (events(&mut demuxer).lines().map(str::to_owned).collect(), demuxer.counters())
}

#[test]
fn a_muxer_that_fills_up_the_last_packet_of_each_picture_is_believed_to_go_on_so() {
    let next = |muxer: &mut Muxer| muxer.pes(VIDEO, &[90_000], false, &picture(&[7; 300]));
    for (whole, fill_within, handed_on) in [
        (99, false, &["0: 98+0"][..]),
        (100, false, &["0: 99+0", "0: 90000+0"]),
        (200, false, &["0: 90000+0"]),
        (300, true, &["0: 301+0"]),
    ] {
        let (told, _) = after_filled(whole, fill_within, next);
        let starts: Vec<&str> = told.iter().filter_map(|line| line.split_inclusive("+0").next()).collect();
        assert_eq!(starts, handed_on, "{whole}");
    }
    // One that fits its packets waits.
    let fits = picture(&[7; 184 * 2 - 14 - 11]);
    let (told, _) = after_filled(200, false, |muxer| muxer.pes(VIDEO, &[90_000], false, &fits));
    assert_eq!(told, [""; 0]);
}

#[test]
fn a_muxer_that_breaks_with_its_habit_is_not_believed_again() {
    let (told, counters) = after_filled(200, false, |muxer| {
        let pes = muxer::pes(&[90_000], false, &keyframe(&[7; 300]));
        muxer.packet(VIDEO, true, 0, &pes[..100]);
        muxer.packet(VIDEO, false, 0, &pes[100..200]);
        muxer.pes(VIDEO, &[90_001], false, &keyframe(&[8; 300]));
    });
    assert!(told[0].starts_with("0: 90000+0 key"), "{told:?}");
    assert_eq!(told[1..], ["drops video: a PES packet goes on behind what looked like its end"]);
    assert_eq!(counters.damaged_pes, 1);
}
