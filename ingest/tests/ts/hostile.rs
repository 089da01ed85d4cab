//! Bytes that no encoder would send.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use touchline_ingest::ts::{Demuxer, MAX_VIDEO_PES};

use crate::clip::ffmpeg;
use crate::demuxed::{Demuxed, VIDEO, demux};

/// Numbers that are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }
}

/// A short clip of every kind of stream that is read.
fn clips() -> [Vec<u8>; 3] {
    let video = "-t 0.6 -c:v libx264 -preset ultrafast -bf 2 -g 5";
    [
        ffmpeg(&format!("{video} -c:a aac")),
        ffmpeg(&format!("{video} -c:a libopus")),
        ffmpeg(
            "-t 0.6 -c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=5 -c:a aac -mpegts_flags +latm",
        ),
    ]
}

#[test]
fn mutilated_streams_are_read_as_far_as_they_go() {
    let mut numbers = Numbers(0x5eed);
    let begun = Instant::now();
    let mut units = 0;
    for clip in clips() {
        for _ in 0..1_000 {
            let mut clip = clip.clone();
            for _ in 0..=numbers.next(20) {
                let at = numbers.next(clip.len());
                match numbers.next(5) {
                    0 => clip[at] = u8::try_from(numbers.next(256)).unwrap(),
                    1 => clip[at] ^= 1 << numbers.next(8),
                    2 => drop(clip.drain(at..(at + numbers.next(400)).min(clip.len()))),
                    3 => {
                        let from = numbers.next(clip.len());
                        let piece = clip[from..(from + 188).min(clip.len())].to_vec();
                        clip.splice(at..at, piece);
                    }
                    // The heads of packets and of what is in them are where it hurts.
                    _ => {
                        let at = at / 188 * 188 + numbers.next(24);
                        if let Some(byte) = clip.get_mut(at) {
                            *byte = u8::try_from(numbers.next(256)).unwrap();
                        }
                    }
                }
            }
            units += demux(&clip).units.len();
        }
    }
    assert!(units > 30_000, "{units} units survived");
    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
}

#[test]
fn a_stream_that_ends_anywhere_ends_with_whole_units() {
    let [clip, ..] = clips();
    let whole = demux(&clip);
    for end in (0..clip.len()).step_by(97) {
        let short = demux(&clip[..end]);
        assert!(short.units.len() <= whole.units.len());
        assert!(short.of(VIDEO).iter().all(|unit| !unit.data.is_empty()));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(data in prop::collection::vec(any::<u8>(), 0..2_000), sync in any::<bool>()) {
        let mut data = data;
        if sync {
            data.iter_mut().step_by(188).for_each(|byte| *byte = 0x47);
        }
        let counters = demux(&data).counters;
        prop_assert!(counters.packets * 188 <= data.len() as u64);
    }
}

#[test]
fn a_picture_without_an_end_is_dropped_at_the_limit() {
    let [clip, ..] = clips();
    let (mut demuxer, mut demuxed) = (Demuxer::default(), Demuxed::default());
    let now = Instant::now();
    demuxer.push(&clip, now);
    demuxed.take(&mut demuxer);
    let before = demuxed.dropped.len();
    let last = clip.chunks(188).rfind(|packet| packet[1] & 0x1f == 1 && packet[2] == 0).unwrap();
    let mut counter = last[3] & 0x0f;
    for _ in 0..=MAX_VIDEO_PES / 184 {
        counter = (counter + 1) & 0x0f;
        let mut packet = [0xff; 188];
        packet[..4].copy_from_slice(&[0x47, 0x01, 0x00, 0x10 | counter]);
        demuxer.push(&packet, now);
        demuxed.take(&mut demuxer);
    }
    let told: Vec<String> =
        demuxed.dropped[before..].iter().map(|(what, damage)| format!("{what}: {damage}")).collect();
    assert_eq!(told, ["video: a PES packet is longer than 8388608 bytes"]);
}
