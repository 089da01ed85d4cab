//! Sound in Opus: AAC on an even timeline, every sample at its time.

use std::process::Command;

use bytes::Bytes;
use touchline_transcode::message::Input;
use touchline_transcode::plan::Codec;

use crate::client::{Worker, work};
use crate::clip::{Clip, run_ffmpeg};
use crate::sound::{BLOCK, CHIRP, lag, plan, timeline};

/// What the timelines of [`timeline`] begin with.
const ORIGIN: i64 = -2_000;
/// 1 ms.
const CLOSE: i64 = 48;

fn chirp(options: &str) -> Clip {
    Clip::make(Codec::Opus, &format!("{CHIRP} {options} -c:a libopus -b:a 128k"))
}

/// The chirp as it was before it was encoded, in mono, from [`ORIGIN`] on: so much later as what its packets decode to
/// (RFC 7845 4.2). ffmpeg gives the first packet a time of 0 where it writes no edit list.
fn original(pre_skip: i64) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chirp.wav");
    run_ffmpeg(&format!("{CHIRP} -c:a pcm_f32le"), &file);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-loglevel", "error", "-i"]).arg(&file).args(["-f", "f32le", "-"]);
    let output = ffmpeg.output().unwrap();
    let samples = output.stdout.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
    let before = usize::try_from(pre_skip - ORIGIN).unwrap();
    std::iter::repeat_n(0.0, before).chain(samples).collect()
}

fn assert_close(lag: i64, of: &str) {
    assert!(lag.abs() <= CLOSE, "{of}: {lag} samples");
}

/// Whole multiples of a block, without a gap.
fn assert_even(pts: &[i64]) {
    let block = i64::try_from(BLOCK).unwrap();
    assert!(pts.len() > 100 && pts[0] % block == 0, "{pts:?}");
    assert!(pts.windows(2).all(|pair| pair[1] - pair[0] == block), "{pts:?}");
}

#[test]
fn packets_of_any_duration_are_made_into_even_access_units_at_their_times() {
    for (options, channels) in [
        ("-ac 2", 2),
        ("-ac 1", 1),
        ("-ac 6", 6),
        ("-ac 2 -frame_duration 60", 2),
        ("-ac 2 -frame_duration 10", 2),
        // The encoder leaves out what makes the others later.
        ("-ac 2 -frame_duration 2.5", 2),
    ] {
        let before = original(if options.ends_with("2.5") { 120 } else { 312 });
        let clip = chirp(options);
        let said = work(plan(&clip, channels, None), &clip.inputs);
        for rung in [16, 17] {
            assert_even(&said.pts(rung));
            let record = &said.records()[&rung][0];
            // ISO/IEC 14496-3 1.6.2.1: AAC-LC at 48 kHz.
            assert_eq!(
                (record[0] >> 3, record[0] & 7, record[1] >> 7, record[1] >> 3 & 15),
                (2, 1, 1, channels.min(2))
            );
            let after = timeline(record, &said.outputs(rung));
            assert_close(lag(&before, &after, 20 * BLOCK), options);
            assert_close(lag(&before, &after, 100 * BLOCK), options);
        }
    }
}

#[test]
fn lost_and_damaged_packets_move_nothing_and_leave_silence() {
    let clip = chirp("-ac 2");
    let mut lossy = clip.clone();
    // One in ten, three in a row, and one that is no packet.
    lossy.inputs.retain(|input| input.pts / 960 % 10 != 7 && !(60..63).contains(&(input.pts / 960)));
    lossy.inputs[80].data = Bytes::from_static(&[0xff]);
    let said = work(plan(&clip, 2, None), &lossy.inputs);
    assert_even(&said.pts(16));
    let (before, after) = (original(312), timeline(&said.records()[&16][0], &said.outputs(16)));
    for block in [20, 45, 70, 90, 120] {
        assert_close(lag(&before, &after, block * BLOCK), "with losses");
    }
}

#[test]
fn a_source_that_pauses_is_silent_for_as_long() {
    let clip = chirp("-ac 2");
    let pause = 5 * 48_000;
    let late = |input: &Input| Input { pts: input.pts + pause, dts: input.dts + pause, ..input.clone() };
    let (first, rest) = clip.inputs.split_at(75);
    let inputs: Vec<Input> = first.iter().cloned().chain(rest.iter().map(late)).collect();
    let said = work(plan(&clip, 2, None), &inputs);
    assert_even(&said.pts(16));
    let after = timeline(&said.records()[&16][0], &said.outputs(16));
    assert!(after[2 * 48_000..6 * 48_000].iter().all(|sample| sample.abs() < 1e-3));
    let before = original(312);
    assert_close(lag(&before, &after, 20 * BLOCK), "before");
    let late: Vec<f32> = after[usize::try_from(pause).unwrap()..].to_vec();
    assert_close(lag(&before, &late, 100 * BLOCK), "after");
}

#[test]
fn dtx_packets_of_a_byte_are_silence_and_no_fault() {
    let clip = chirp("-ac 2");
    let mut quiet = clip.clone();
    for input in &mut quiet.inputs[50..90] {
        // RFC 6716 3.2.1: a frame of no bytes, which was not sent.
        input.data = input.data.slice(..1);
        input.data = Bytes::from(vec![input.data[0] & 0xfc]);
    }
    let said = work(plan(&clip, 2, None), &quiet.inputs);
    assert_even(&said.pts(16));
    let (before, after) = (original(312), timeline(&said.records()[&16][0], &said.outputs(16)));
    assert_close(lag(&before, &after, 110 * BLOCK), "after");
}

#[test]
fn another_worker_cuts_where_the_first_did() {
    let clip = chirp("-ac 2");
    let all = work(plan(&clip, 2, None), &clip.inputs);
    let after = all.pts(16)[70];
    let said = work(plan(&clip, 2, Some(after)), &clip.inputs[40..]);
    assert_eq!(said.pts(16), all.pts(16)[71..]);
    let (before, after) = (original(312), timeline(&said.records()[&16][0], &said.outputs(16)));
    assert_close(lag(&before, &after, 100 * BLOCK), "another");
}

#[test]
fn it_comes_out_while_it_goes_in() {
    let clip = chirp("-ac 2");
    let mut worker = Worker::start(plan(&clip, 2, None));
    worker.decode(&clip.inputs[..50]);
    // A second in: what is less than a block waits, and the encoder keeps one.
    worker.wait_for_output(16, 42 * 1_024);
    worker.decode(&clip.inputs[50..]);
    assert_eq!(worker.end().fault(), None);
}

#[test]
fn a_flash_and_a_beep_stay_together() {
    let beep = "-f lavfi -i aevalsrc=0.8*sin(2*PI*1000*t)*lt(mod(t\\,1)\\,0.05):s=48000:d=4 -ac 2";
    let clip = Clip::make(Codec::Opus, &format!("{beep} -c:a libopus -b:a 128k"));
    let said = work(plan(&clip, 2, None), &clip.inputs);
    let after = timeline(&said.records()[&16][0], &said.outputs(16));
    for second in 1..4_i64 {
        let due = second * 48_000 + 312 - ORIGIN;
        let around = usize::try_from(due - 4_800).unwrap();
        let heard = after[around..].iter().position(|sample| sample.abs() > 0.4).unwrap();
        let off = i64::try_from(around + heard).unwrap() - due;
        // The tone needs an eighth of a millisecond to get so loud.
        assert!((0..=CLOSE).contains(&(off + CLOSE / 2)), "the beep of second {second} is {off} samples off");
    }
}
