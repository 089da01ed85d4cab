//! Pictures: the same instants and the same IDRs on every rung, whatever the source does.

use bytes::Bytes;
use touchline_transcode::message::{Answer, Request};
use touchline_transcode::plan::{Codec, Encoder, Keys, Plan, Video, VideoRung};

use crate::client::{Said, Worker, work};
use crate::clip::{Clip, decode_luma};

const PICTURES: &str = "-f lavfi -i testsrc2=size=320x180:rate=30:duration=3 -pix_fmt yuv420p";
pub(crate) const RUNGS: [u8; 3] = [1, 2, 3];

fn x264(options: &str) -> Clip {
    Clip::make(Codec::H264, &format!("{PICTURES} -c:v libx264 -preset ultrafast -tune zerolatency {options}"))
}

fn rung(stream: u8, encoder: Encoder, width: u32, height: u32) -> VideoRung {
    VideoRung { stream, encoder, width, height, bitrate: 300_000, after: None }
}

pub(crate) fn plan(clip: &Clip) -> Plan {
    let rungs =
        vec![rung(1, Encoder::X264, 320, 180), rung(2, Encoder::X264, 256, 144), rung(3, Encoder::OpenH264, 160, 90)];
    let video = Video {
        source: clip.source.clone(),
        width: 320,
        height: 180,
        frame_ticks: Some(1_000),
        keys: Keys::Source,
        rungs,
        thumbnail: None,
    };
    Plan { video: Some(video), audio: None }
}

/// Each rung has these pictures, and these as IDRs.
fn assert_aligned(said: &Said, pts: &[i64], keys: &[i64]) {
    for rung in RUNGS {
        assert_eq!(said.pts(rung), pts, "rung {rung}");
        assert_eq!(said.sync_pts(rung), keys, "rung {rung}");
        assert_eq!(said.records()[&rung].len(), 1, "rung {rung}");
    }
}

#[test]
fn a_fixed_gop_is_kept_on_every_rung() {
    let clip = x264("-g 30 -keyint_min 30");
    assert_eq!(clip.sync_pts(), [0, 30_000, 60_000]);
    assert_aligned(&work(plan(&clip), &clip.inputs), &clip.pts(), &clip.sync_pts());
}

#[test]
fn idrs_at_odd_places_are_kept_one_right_after_another() {
    let clip = x264("-g 300 -force_key_frames 0,0.034,0.4,0.434,1.7");
    assert_eq!(clip.sync_pts(), [0, 1_000, 12_000, 13_000, 51_000]);
    assert_aligned(&work(plan(&clip), &clip.inputs), &clip.pts(), &clip.sync_pts());
}

#[test]
fn b_frames_come_out_in_the_order_of_presentation() {
    let clip = x264("-tune film -bf 3 -g 25 -keyint_min 25");
    assert!(clip.inputs.iter().any(|input| input.pts != input.dts));
    assert_aligned(&work(plan(&clip), &clip.inputs), &clip.pts(), &clip.sync_pts());
}

#[test]
fn rungs_stay_alike_when_access_units_are_lost() {
    let mut clip = x264("-tune film -bf 2 -g 15 -keyint_min 15");
    // One in twenty, among them one of the sync samples, by a sequence that is the same every time.
    let mut seed = 7_u32;
    clip.inputs.retain(|input| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 16 > 65_536 / 20 && input.dts != clip_gop(3)
    });
    let said = work(plan(&clip), &clip.inputs);
    let (pts, keys) = (said.pts(1), said.sync_pts(1));
    assert_aligned(&said, &pts, &keys);
    assert!(pts.len() > 60 && pts.iter().all(|pts| clip.pts().contains(pts)), "{pts:?}");
    assert_eq!(keys, clip.sync_pts());
}

fn clip_gop(nth: i64) -> i64 {
    nth * 15_000
}

#[test]
fn a_grid_makes_idrs_where_the_source_has_none() {
    let clip = x264("-g 300").later(700);
    let mut plan = plan(&clip);
    plan.video.as_mut().unwrap().keys = Keys::Every { ticks: 20_000, from: None };
    assert_aligned(&work(plan.clone(), &clip.inputs), &clip.pts(), &[700, 20_700, 40_700, 60_700, 80_700]);
    // The first at or after each line.
    plan.video.as_mut().unwrap().keys = Keys::Every { ticks: 20_000, from: Some(10_000) };
    assert_aligned(&work(plan, &clip.inputs), &clip.pts(), &[700, 10_700, 30_700, 50_700, 70_700]);
}

#[test]
fn a_source_of_another_size_fits_into_the_same_rungs() {
    let (clip, small) = (x264("-g 30"), x264("-s 160x120 -r 25 -g 30"));
    let mut rest = small.clone().later(90_000);
    // Parameter sets may come in band.
    rest.inputs[0].data = with_parameter_sets(&small, 0);
    let whole = Clip { inputs: [clip.inputs.clone(), rest.inputs].concat(), ..clip };
    assert_aligned(&work(plan(&whole), &whole.inputs), &whole.pts(), &whole.sync_pts());
}

/// An access unit of a clip behind its parameter sets.
pub(crate) fn with_parameter_sets(clip: &Clip, nth: usize) -> Bytes {
    [parameter_sets(&clip.source.record), clip.inputs[nth].data.to_vec()].concat().into()
}

/// The NAL units of an avcC behind lengths of four bytes (ISO/IEC 14496-15 5.3.3.1).
fn parameter_sets(avcc: &[u8]) -> Vec<u8> {
    let length = |at: usize| usize::from(u16::from_be_bytes([avcc[at], avcc[at + 1]]));
    let sps = &avcc[8..8 + length(6)];
    let at = 8 + sps.len() + 3;
    let pps = &avcc[at..at + length(at - 2)];
    let nal = |nal: &[u8]| [&u32::try_from(nal.len()).unwrap().to_be_bytes(), nal].concat();
    [nal(sps), nal(pps)].concat()
}

#[test]
fn colours_that_the_source_does_not_state_stay_as_they_are() {
    // Large enough that those who guess take other colours for its rungs than for itself.
    let red = "-f lavfi -i color=red:size=1280x720:rate=30:duration=0.2,format=yuv420p";
    let clip = Clip::make(Codec::H264, &format!("{red} -c:v libx264 -preset ultrafast"));
    let said = work(plan(&clip), &clip.inputs);
    let source = luma(&clip.source.record, &clip.inputs[0].data);
    for rung in RUNGS {
        let made = luma(&said.records()[&rung][0], &said.outputs(rung)[0].data);
        assert!(made.abs_diff(source) <= 1, "rung {rung}: {made}, not {source}");
    }
}

/// How bright the first pixel of an access unit is.
fn luma(avcc: &[u8], data: &[u8]) -> u8 {
    let (mut stream, mut rest) = (Vec::new(), [&parameter_sets(avcc), data].concat());
    while !rest.is_empty() {
        let length = usize::try_from(u32::from_be_bytes(rest[..4].try_into().unwrap())).unwrap();
        stream.extend([&[0, 0, 0, 1], &rest[4..4 + length]].concat());
        rest.drain(..4 + length);
    }
    decode_luma(&stream)[0]
}

#[test]
fn another_worker_goes_on_where_one_has_come_to() {
    let clip = x264("-g 30");
    let first = work(plan(&clip), &clip.inputs[..50]);
    let mut plan = plan(&clip);
    // A crash leaves rungs at different places.
    let after = [49_000, 47_000, 46_000];
    for (rung, after) in plan.video.as_mut().unwrap().rungs.iter_mut().zip(after) {
        rung.after = Some(after);
    }
    let second = work(plan, &clip.inputs[30..]);
    for (rung, after) in RUNGS.into_iter().zip(after) {
        let pts: Vec<i64> = first.pts(rung).into_iter().filter(|pts| *pts <= after).chain(second.pts(rung)).collect();
        assert_eq!(pts, clip.pts(), "rung {rung}");
        assert_eq!(second.sync_pts(rung), [after + 1_000, 60_000], "rung {rung}");
    }
}

#[test]
fn a_rung_goes_and_comes_back_at_idrs() {
    let clip = x264("-g 10 -keyint_min 10");
    let mut worker = Worker::start(plan(&clip));
    let replayed = work_slowly(&clip);
    worker.decode(&replayed[..25]);
    worker.wait_for_output(2, 24_000);
    worker.send(&Request::Switch { stream: 2, on: false });
    worker.decode(&replayed[25..55]);
    worker.wait_for_output(1, 54_000);
    worker.send(&Request::Switch { stream: 2, on: true });
    worker.decode(&replayed[55..]);
    let said = worker.end();
    let switched = said.answers.iter().filter(|answer| matches!(answer, Answer::Switched { .. }));
    let off = Answer::Switched { stream: 2, on: false, pts: 30_000 };
    let on = Answer::Switched { stream: 2, on: true, pts: 60_000 };
    assert_eq!(switched.collect::<Vec<_>>(), [&off, &on]);
    let there = |pts: &i64| !(30_000..60_000).contains(pts);
    assert_eq!(said.pts(2), clip.pts().into_iter().filter(there).collect::<Vec<_>>());
    assert_eq!(said.sync_pts(2), clip.sync_pts().into_iter().filter(there).collect::<Vec<_>>());
    assert_eq!(said.pts(1), clip.pts());
    let place = |wanted: &dyn Fn(&Answer) -> bool| said.answers.iter().position(wanted);
    let back = place(&|answer| matches!(answer, Answer::Output(output) if output.stream == 2 && output.pts == 60_000));
    assert!(place(&|answer| *answer == on) < back);
}

#[test]
fn hevc_is_decoded() {
    let clip = Clip::make(
        Codec::H265,
        &format!("{PICTURES} -c:v libx265 -preset ultrafast -g 30 -x265-params open-gop=0:log-level=none"),
    );
    assert_aligned(&work(plan(&clip), &clip.inputs), &clip.pts(), &clip.sync_pts());
}

#[test]
fn av1_is_decoded() {
    let clip = Clip::make(Codec::Av1, &format!("{PICTURES} -c:v libaom-av1 -usage realtime -cpu-used 8 -g 30"));
    assert_aligned(&work(plan(&clip), &clip.inputs), &clip.pts(), &clip.sync_pts());
}

#[test]
fn ten_bits_and_fields_are_made_into_plain_pictures() {
    for options in ["-pix_fmt yuv420p10le", "-pix_fmt yuv422p", "-flags +ildct+ilme -x264-params tff=1"] {
        let clip = x264(&format!("-g 30 -frames:v 40 {options}"));
        assert_aligned(&work(plan(&clip), &clip.inputs), &clip.pts(), &clip.sync_pts());
    }
}

#[test]
fn hevc_rungs_keep_the_same_idrs() {
    let clip = x264("-g 300 -force_key_frames 0,0.5,0.534,1.5 -frames:v 60");
    let mut plan = plan(&clip);
    plan.video.as_mut().unwrap().rungs[2].encoder = Encoder::X265;
    assert_aligned(&work(plan, &clip.inputs), &clip.pts(), &clip.sync_pts());
}

#[test]
fn what_is_too_much_to_encode_is_shed_but_never_an_idr() {
    // As much as may wait for the decoder, which is quick.
    let noise = "-f lavfi -i color=gray:size=320x180:rate=30:duration=2,noise=alls=80:allf=t -pix_fmt yuv420p";
    let clip = Clip::make(Codec::H264, &format!("{noise} -c:v libx264 -preset ultrafast -tune zerolatency -g 15"));
    let mut plan = plan(&clip);
    plan.video.as_mut().unwrap().rungs =
        RUNGS.map(|stream| VideoRung { bitrate: 8_000_000, ..rung(stream, Encoder::X264, 1_920, 1_080) }).to_vec();
    // Not a replay, all at once: more than there is time for.
    let mut worker = Worker::start(plan);
    worker.decode(&clip.inputs);
    worker.wait_for_output(3, *clip.sync_pts().last().unwrap());
    let said = worker.end();
    for rung in RUNGS {
        assert_eq!(said.sync_pts(rung), clip.sync_pts(), "rung {rung}");
        assert!(said.pts(rung).iter().all(|pts| clip.pts().contains(pts)), "rung {rung}");
        assert!(said.pts(rung).is_sorted_by(|a, b| a < b), "rung {rung}");
    }
    let most = said.reports().iter().flat_map(|report| &report.rungs).map(|rung| rung.queued).max();
    assert!(most.unwrap() <= 8 + 8, "{most:?}");
}

#[test]
fn nonsense_is_survived_or_named() {
    let mut clip = x264("-g 30");
    let mut seed = 1_u32;
    for input in clip.inputs.iter_mut().skip(10) {
        input.data = (input.data.iter().copied())
            .map(|byte| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                byte ^ (seed >> 24) as u8
            })
            .collect();
    }
    let mut worker = Worker::start(plan(&clip));
    worker.decode(&work_slowly(&clip));
    let said = worker.end();
    assert!(said.fault().is_some_and(|fault| !fault.reason.is_empty()) || said.status.success());
    assert_eq!(said.pts(1)[..10], clip.pts()[..10]);
}

#[test]
fn times_that_go_back_are_left_out() {
    let clip = x264("-g 30");
    let again: Vec<_> = clip.inputs[..40].iter().chain(&clip.inputs[20..]).cloned().collect();
    let said = work(plan(&clip), &again);
    assert_aligned(&said, &clip.pts(), &clip.sync_pts());
}

#[test]
fn idrs_become_thumbnails() {
    let clip = x264("-g 15");
    let mut plan = plan(&clip);
    plan.video.as_mut().unwrap().thumbnail = Some(90);
    let mut worker = Worker::start(plan);
    worker.decode(&work_slowly(&clip));
    worker.wait_for(|answer| matches!(answer, Answer::Thumbnail(_)));
    let said = worker.end();
    let jpeg = said.answers.iter().find_map(|answer| match answer {
        Answer::Thumbnail(jpeg) => Some(jpeg.clone()),
        _ => None,
    });
    let jpeg = jpeg.unwrap();
    // ITU-T T.81 B.2.2: a baseline frame header, eight bits, 90 lines of 160.
    assert_eq!(jpeg[..2], [0xff, 0xd8]);
    assert!(jpeg.windows(9).any(|header| header == [0xff, 0xc0, 0, 17, 8, 0, 90, 0, 160]));
}

#[test]
fn a_plan_that_cannot_be_done_is_refused_with_words() {
    let clip = x264("-g 30 -frames:v 5");
    let mut plan = plan(&clip);
    plan.video.as_mut().unwrap().source.timescale = 0;
    let said = Worker::start(plan).end();
    let fault = said.fault().unwrap();
    assert_eq!((fault.place.as_str(), fault.encoder), ("the plan", false));
    assert_eq!(fault.reason, "a timescale of 0; from 1 to 100000000 can be kept exactly");
    assert_eq!(said.status.code(), Some(1));
}

/// As [`work`] sends them.
fn work_slowly(clip: &Clip) -> Vec<touchline_transcode::message::Input> {
    clip.inputs.iter().map(|input| touchline_transcode::message::Input { replay: true, ..input.clone() }).collect()
}
