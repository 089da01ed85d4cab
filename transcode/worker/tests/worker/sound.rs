//! Sound: every access unit at the time of the source's whose samples it holds.

use std::process::Command;

use touchline_transcode::message::{Input, InputKind, Output};
use touchline_transcode::plan::{Audio, AudioRung, Codec, Plan};

use crate::client::work;
use crate::clip::Clip;

/// A tone that rises: it is like itself at no other time.
pub(crate) const CHIRP: &str = "-f lavfi -i aevalsrc=0.5*sin(2*PI*(400*t+900*t*t)):s=48000:d=3";
pub(crate) const BLOCK: usize = 1_024;
/// How far off is looked for, in samples: further than any codec's delay.
const FAR: usize = 3_000;

fn chirp(options: &str) -> Clip {
    Clip::make(Codec::Aac, &format!("{CHIRP} {options} -c:a aac -b:a 128k"))
}

pub(crate) fn plan(clip: &Clip, channels: u8, after: Option<i64>) -> Plan {
    let rung = |stream, bitrate| AudioRung { stream, bitrate, after };
    let rungs = vec![rung(16, 96_000), rung(17, 48_000)];
    Plan { video: None, audio: Some(Audio { source: clip.source.clone(), channels, rungs }) }
}

#[test]
fn access_units_keep_their_times_and_hold_the_samples_of_those_times() {
    for (options, channels) in [("-ac 2", 2), ("-ac 1", 1), ("-ac 2 -ar 44100", 2), ("-ac 6", 6)] {
        let clip = chirp(options).later(-2_000);
        let said = work(plan(&clip, channels, None), &clip.inputs);
        for rung in [16, 17] {
            assert_eq!(said.pts(rung), clip.pts(), "{options}");
            assert_eq!(said.records()[&rung].len(), 1);
            let record = &said.records()[&rung][0];
            // ISO/IEC 14496-3 1.6.2.1: AAC-LC; as many channels as the source, but two at most.
            assert_eq!((record[0] >> 3, record[1] >> 3 & 15), (2, channels.min(2)));
            let (before, after) = (timeline(&clip.source.record, &clip.inputs), timeline(record, &said.outputs(rung)));
            assert_eq!(lag(&before, &after, 20 * BLOCK), 0, "{options}");
            assert_eq!(lag(&before, &after, 100 * BLOCK), 0, "{options}");
        }
    }
}

#[test]
fn a_hole_moves_nothing() {
    let clip = chirp("-ac 2");
    let mut holed = clip.clone();
    holed.inputs.drain(60..63);
    // A damaged one is a hole, too.
    holed.inputs[80].data = vec![0xff; 40].into();
    let said = work(plan(&clip, 2, None), &holed.inputs);
    let record = &said.records()[&16][0];
    assert!(said.pts(16).iter().all(|pts| holed.pts().contains(pts)));
    let (before, after) = (timeline(&clip.source.record, &clip.inputs), timeline(record, &said.outputs(16)));
    for block in [20, 45, 68, 90, 110] {
        assert_eq!(lag(&before, &after, block * BLOCK), 0, "at {block}");
    }
}

#[test]
fn another_worker_goes_on_where_one_has_come_to() {
    let clip = chirp("-ac 2");
    let after = clip.inputs[70].pts;
    let said = work(plan(&clip, 2, Some(after)), &clip.inputs[40..]);
    assert_eq!(said.pts(16), clip.pts()[71..]);
    let record = &said.records()[&16][0];
    let (before, after) = (timeline(&clip.source.record, &clip.inputs), timeline(record, &said.outputs(16)));
    assert_eq!(lag(&before, &after, 100 * BLOCK), 0);
}

pub(crate) trait Unit {
    fn pts(&self) -> i64;
    fn data(&self) -> &[u8];
}

impl Unit for Input {
    fn pts(&self) -> i64 {
        assert_eq!(self.kind, InputKind::Audio);
        self.pts
    }

    fn data(&self) -> &[u8] {
        &self.data
    }
}

impl Unit for &Output {
    fn pts(&self) -> i64 {
        self.pts
    }

    fn data(&self) -> &[u8] {
        &self.data
    }
}

/// The samples as a player plays them, in mono, each at its time, from the PTS -2000 on.
pub(crate) fn timeline<U: Unit>(record: &[u8], units: &[U]) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sound.aac");
    std::fs::write(&file, units.iter().flat_map(|unit| adts(record, unit.data())).collect::<Vec<u8>>()).unwrap();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-loglevel", "fatal", "-i"]).arg(&file);
    let output = ffmpeg.args(["-ac", "1", "-f", "f32le", "-"]).output().unwrap();
    assert!(output.status.success());
    let samples: Vec<f32> =
        output.stdout.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    let mut timeline = Vec::new();
    for (unit, samples) in units.iter().zip(samples.chunks(BLOCK)) {
        let at = usize::try_from(unit.pts() + 2_000).unwrap();
        timeline.resize(at.max(timeline.len()), 0.0);
        timeline.truncate(at);
        timeline.extend(samples);
    }
    timeline
}

/// ISO/IEC 14496-3 1.A.2.2: an access unit behind an ADTS header.
fn adts(record: &[u8], data: &[u8]) -> Vec<u8> {
    let frequency = (record[0] & 7) << 1 | record[1] >> 7;
    let channels = record[1] >> 3 & 15;
    let length = u16::try_from(data.len() + 7).unwrap();
    let [high, low] = (length << 5 | 0x1f).to_be_bytes();
    let head =
        [0xff, 0xf1, 1 << 6 | frequency << 2 | channels >> 2, channels << 6 | (length >> 11) as u8, high, low, 0xfc];
    [&head, data].concat()
}

/// By how many samples `other` is later than `one` around `at`, as their correlation says.
pub(crate) fn lag(one: &[f32], other: &[f32], at: usize) -> i64 {
    let piece = &one[at..at + 4 * BLOCK];
    let alike = |start: usize| -> f64 {
        piece.iter().zip(&other[start..]).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
    };
    let best = (at - FAR..at + FAR).max_by(|a, b| alike(*a).total_cmp(&alike(*b))).unwrap();
    i64::try_from(best).unwrap() - i64::try_from(at).unwrap()
}
