//! Streams with holes: what is handed on is whole, and the holes are counted.

use std::collections::BTreeMap;
use std::time::Instant;

use touchline_ingest::ts::{Damage, Demuxer};

use crate::clip::{decode, ffmpeg};
use crate::demuxed::{AUDIO, Demuxed, VIDEO, demux};

const H264: &str = "-c:v libx264 -preset ultrafast -bf 2 -g 12 -c:a aac -b:a 96k";
const HEVC: &str =
    "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=24:bframes=2:b-adapt=0:open-gop=1 -c:a aac";

fn pid(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[1] & 0x1f, packet[2]])
}

/// Packets of a clip without those that are lost.
fn without(clip: &[u8], lost: impl Fn(usize) -> bool) -> Vec<u8> {
    clip.chunks(188).enumerate().filter(|(n, _)| !lost(*n)).flat_map(|(_, packet)| packet.to_vec()).collect()
}

/// How many holes there are in the counters of PIDs.
fn holes(clip: &[u8]) -> u64 {
    let (mut counters, mut holes) = (BTreeMap::new(), 0);
    for packet in clip.chunks(188).filter(|packet| pid(packet) != 0x1fff && packet[3] & 0x10 != 0) {
        let counter = packet[3] & 0x0f;
        let before = counters.insert(pid(packet), counter);
        holes += u64::from(before.is_some_and(|before| counter != (before + 1) & 0x0f));
    }
    holes
}

/// Checks that what was handed on was in the whole clip too, and decodes without an error to pictures that it had.
fn assert_only_whole(damaged: &Demuxed, whole: &Demuxed, codec: &str) {
    for track in [VIDEO, AUDIO] {
        let mut known = whole.of(track).into_iter();
        for unit in damaged.of(track) {
            let same = known.find(|known| known.dts == unit.dts);
            assert!(
                same.is_some_and(|same| same.data == unit.data && same.offset == unit.offset),
                "{track:?} {}",
                unit.dts
            );
        }
    }
    let pictures = |demuxed: &Demuxed| decode(&["-f", codec], "0:v", &demuxed.pictures());
    let all = pictures(whole);
    let shown = pictures(damaged);
    assert_eq!(shown.len(), damaged.of(VIDEO).len());
    let mut all = all.into_iter();
    assert!(shown.iter().all(|shown| all.any(|known| known == *shown)), "a picture that the encoder never made");
}

#[test]
fn after_a_loss_pictures_go_on_at_a_keyframe_and_all_of_them_are_whole() {
    for (encoding, codec) in [(H264, "h264"), (HEVC, "hevc")] {
        let clip = ffmpeg(encoding);
        let whole = demux(&clip);
        let packets = clip.len() / 188;
        for nth in [50, 97, 300] {
            let clip = without(&clip, |n| n % nth == nth - 1);
            let damaged = demux(&clip);
            let counters = damaged.counters;
            assert_eq!(counters.gaps, holes(&clip), "every {nth}th of {packets} packets");
            assert!(counters.damaged_pes > 0 && counters.skipped_pictures > 0, "{counters:?}");
            assert_only_whole(&damaged, &whole, codec);
        }
    }
}

#[test]
fn one_lost_packet_of_a_picture_costs_the_pictures_up_to_the_next_keyframe_and_no_sound() {
    let clip = ffmpeg(H264);
    let whole = demux(&clip);
    let pictures: Vec<usize> = clip
        .chunks(188)
        .enumerate()
        .filter(|(_, packet)| pid(packet) == 256 && packet[1] & 0x40 != 0)
        .map(|(n, _)| n)
        .collect();
    // The fourth picture of the third group of twelve.
    let damaged = demux(&without(&clip, |n| n == pictures[27] + 1));
    assert_eq!(damaged.of(AUDIO).len(), whole.of(AUDIO).len());
    let times: Vec<i64> = damaged.of(VIDEO).iter().map(|unit| unit.dts).collect();
    let expected = whole.of(VIDEO).into_iter().enumerate().filter(|(n, _)| !(27..36).contains(n));
    assert_eq!(times, expected.map(|(_, unit)| unit.dts).collect::<Vec<_>>());
    let counters = damaged.counters;
    assert_eq!((counters.gaps, counters.damaged_pes, counters.skipped_pictures), (1, 1, 8));
    assert_eq!(damaged.dropped[0], ("video", Damage::Missing));
    assert!(damaged.dropped[1..].iter().all(|dropped| *dropped == ("video", Damage::AwaitsRepair)));
}

#[test]
fn a_gap_that_the_sender_tells_of_damages_what_is_open() {
    let clip = ffmpeg(H264);
    let (whole, now) = (demux(&clip), Instant::now());
    let (mut demuxer, mut damaged) = (Demuxer::default(), Demuxed::default());
    // Sixteen packets of a PID leave its counter as if nothing were missing; here nothing is.
    for (n, piece) in clip.chunks(7 * 188).enumerate() {
        if n == 45 {
            demuxer.gap();
        }
        demuxer.push(piece, now);
        damaged.take(&mut demuxer);
    }
    demuxer.finish();
    damaged.take(&mut demuxer);
    assert_eq!((damaged.counters.told_gaps, damaged.counters.gaps), (1, 0));
    assert!(damaged.counters.skipped_pictures > 0);
    assert_only_whole(&damaged, &whole, "h264");
}

#[test]
fn bytes_between_packets_are_skipped_and_what_they_cut_is_dropped() {
    let clip = ffmpeg(H264);
    let whole = demux(&clip);
    let (before, after) = clip.split_at(188 * 100 + 60);
    let damaged = demux(&[before, b"\x47 bytes that nobody sent", after].concat());
    assert_eq!(damaged.counters.resyncs, 1);
    assert!(damaged.counters.skipped_bytes > 0);
    assert_only_whole(&damaged, &whole, "h264");
    // One that joins in the middle of a packet.
    let late = demux(&clip[1_000..]);
    assert_eq!((late.counters.resyncs, late.counters.skipped_bytes), (1, 188 * 6 - 1_000));
    assert_only_whole(&late, &whole, "h264");
}

#[test]
fn packets_that_come_twice_are_counted_and_change_nothing() {
    let clip = ffmpeg(H264);
    let twice: Vec<u8> = clip.chunks(188).flat_map(|packet| [packet, packet].concat()).collect();
    let (whole, doubled) = (demux(&clip), demux(&twice));
    let carrying = clip.chunks(188).filter(|packet| packet[3] & 0x10 != 0 && pid(packet) != 17).count();
    assert_eq!(doubled.counters.duplicates, carrying as u64);
    assert_eq!(doubled.counters.gaps, 0);
    assert!(doubled.units.len() == whole.units.len() && doubled.dropped.is_empty());
    assert_only_whole(&doubled, &whole, "h264");
}
