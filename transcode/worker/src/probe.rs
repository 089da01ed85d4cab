//! What an encoder does on this machine, and what it takes: asked in a process of its own, because encoders crash.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer_app::AppSinkCallbacks;
use touchline_transcode::Costs;
use touchline_transcode::message::{Answer, Fault, Output};
use touchline_transcode::plan::{Codec, Encoder, Source, VideoRung};
use touchline_transcode::probe::{Probe, Verdict};

use crate::chain::{self, Chain};
use crate::clock::Clock;
use crate::gate::{Gate, Picture};
use crate::link::{Answers, Overheard};
use crate::meter::Meter;
use crate::rung::{Outlet, Rung, codec_data, colored_like, size};
use crate::scene::{HEIGHT, Scene, WIDTH};
use crate::turns::Turns;
use crate::video::decoder;

/// Width, height and bits per second of the encoders that are tried at once, over and over.
const SIZES: [(u32, u32, u32); 3] = [(1_280, 720, 3_000_000), (854, 480, 1_300_000), (640, 360, 800_000)];
/// Pictures that each gets, and the one of them that is to be an IDR besides the first.
const PICTURES: i64 = 10;
const KEY: i64 = 4;
/// Pictures whose cost is measured: about half a second on a core of 2020.
const MEASURED: i64 = 60;
/// How long a whole step may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Processor time is counted in hundredths of a second: `USER_HZ` of every Linux there is (proc(5), times(2)).
const NANOS_PER_TICK: f64 = 1e9 / 100.0;
const TIMESCALE: u32 = 30;

/// Tries `encoder` as often at once as a ladder has rungs.
pub(crate) fn probe(name: &str, rungs: usize) -> Probe {
    let package = chain::package(name).to_owned();
    let found =
        |verdict, reason: String, cost| Probe { encoder: name.into(), verdict, reason, package: package.clone(), cost };
    let Some(encoder) = Encoder::find(name) else {
        return found(Verdict::Missing, format!("no encoder is known by the name of {name}"), None);
    };
    if let Err(error) = gst::init() {
        return found(Verdict::Missing, error.to_string(), None);
    }
    if let Err(fault) = crate::encoder::elements(encoder, 1_000_000) {
        return found(Verdict::Missing, fault.reason, None);
    }
    let mut scene = Scene::new();
    match try_out(encoder, rungs, &mut scene).and_then(|()| costs(encoder, &mut scene)) {
        Ok(costs) => {
            let reason = format!("made {PICTURES} pictures on each of {rungs} rungs, IDRs where they were due");
            found(Verdict::Works, reason, Some(costs))
        }
        Err(fault) => found(Verdict::Broken, format!("{}: {}", fault.place, fault.reason), None),
    }
}

/// All pictures, at their times, IDRs where they are due and nowhere else.
fn try_out(encoder: Encoder, rungs: usize, scene: &mut Scene) -> Result<(), Fault> {
    let plans = (0_u8..).zip(SIZES.into_iter().cycle()).take(rungs);
    let plans: Vec<VideoRung> = plans.map(|(stream, size)| plan(encoder, stream, size)).collect();
    let made = encode(&plans, PICTURES, scene)?;
    for stream in plans.iter().map(|plan| plan.stream) {
        let made: Vec<&Output> = made.outputs.iter().filter(|output| output.stream == stream).collect();
        let pts: Vec<i64> = made.iter().map(|output| output.pts).collect();
        let keys: Vec<i64> = made.iter().filter(|output| output.sync).map(|output| output.pts).collect();
        if !pts.iter().copied().eq(0..PICTURES) {
            return Err(broken(encoder, format!("of pictures 0 to {} came {pts:?}", PICTURES - 1)));
        }
        if keys != [0, KEY] {
            return Err(broken(encoder, format!("pictures 0 and {KEY} were to be IDRs, but {keys:?} are")));
        }
    }
    Ok(())
}

fn costs(encoder: Encoder, scene: &mut Scene) -> Result<Costs, Fault> {
    let [top, middle, _] = SIZES;
    let made = encode(&[plan(encoder, 0, top)], MEASURED, scene)?;
    let per_pixel = |nanos: f64, (width, height, _): (u32, u32, u32)| {
        nanos / (f64::from(width) * f64::from(height) * f64::from(i32::try_from(MEASURED).unwrap_or(i32::MAX)))
    };
    let nothing = VideoRung { width: middle.0, height: middle.1, ..plan(Encoder::X264, 0, middle) };
    Ok(Costs {
        encode_ns_per_pixel: per_pixel(made.nanos, top),
        scale_ns_per_pixel: per_pixel(scale(&nothing, scene)?, middle),
        decode_ns_per_pixel: per_pixel(decode(encoder, &made)?, top),
    })
}

/// What came out of encoders, and the processor time it took in nanoseconds.
struct Made {
    outputs: Vec<Output>,
    record: Vec<u8>,
    nanos: f64,
}

fn encode(plans: &[VideoRung], pictures: i64, scene: &mut Scene) -> Result<Made, Fault> {
    let drawn = draw(pictures, scene);
    let (answers, overheard) = Answers::apart();
    let clock = Clock::of(&source(Codec::H264, Vec::new()))?;
    let (ended, end) = channel();
    let start = |plan: &VideoRung| {
        let meter = Arc::new(Meter::new(plan.stream));
        let outlet = Outlet { answers: answers.clone(), meter: meter.clone(), clock, shown: Box::new(|| {}) };
        let gate = Gate::new(None, None, Duration::ZERO);
        let rung = Rung::start(plan, gate, meter, &Turns::new(), outlet, ended.clone())?;
        rung.follow(&drawn_caps());
        Ok(rung)
    };
    let mut rungs = plans.iter().map(start).collect::<Result<Vec<Rung>, Fault>>()?;
    let before = processor_nanos();
    let deadline = Instant::now() + PATIENCE;
    for (pts, mut buffer) in (0..pictures).zip(drawn) {
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(clock.nanos(pts));
        }
        // A replay: nothing is shed.
        let picture =
            Picture { pts, due: pts % PICTURES == 0 || pts == KEY, replay: Instant::now() < deadline, followed: false };
        for rung in &mut rungs {
            rung.show(picture, &buffer, |waiting| {
                if waiting {
                    thread::sleep(Duration::from_millis(1));
                }
                if Instant::now() < deadline { Duration::ZERO } else { Duration::MAX }
            });
        }
    }
    rungs.iter().for_each(Rung::end);
    let all = wait(&end, rungs.len(), deadline);
    let nanos = processor_nanos() - before;
    collect(plans, &overheard, nanos, all)
}

fn wait(end: &Receiver<()>, count: usize, deadline: Instant) -> bool {
    (0..count).all(|_| end.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok())
}

fn collect(plans: &[VideoRung], overheard: &Overheard, nanos: f64, all: bool) -> Result<Made, Fault> {
    let mut made = Made { outputs: Vec::new(), record: Vec::new(), nanos };
    while let Some(answer) = overheard.next() {
        match answer {
            Answer::Output(output) => made.outputs.push(output),
            Answer::Config { record, .. } => made.record = record.to_vec(),
            Answer::Fault(fault) => return Err(fault),
            _ => {}
        }
    }
    match plans.first() {
        Some(plan) if !all => Err(broken(plan.encoder, format!("it was not done after {} s", PATIENCE.as_secs()))),
        _ => Ok(made),
    }
}

/// The processor time of scaling, in nanoseconds.
fn scale(to: &VideoRung, scene: &mut Scene) -> Result<f64, Fault> {
    let drawn = draw(MEASURED, scene);
    let elements = [crate::rung::scaler()?, chain::caps_filter(&colored_like(size(to), &drawn_caps()))?];
    through(&elements, &drawn_caps(), drawn).map(|(nanos, _)| nanos)
}

/// The processor time of decoding what has been made, in nanoseconds.
fn decode(encoder: Encoder, made: &Made) -> Result<f64, Fault> {
    let (decoder, caps) = decoder(&source(encoder.codec(), made.record.clone()))?;
    let buffers = made.outputs.iter().map(|output| gst::Buffer::from_slice(output.data.to_vec())).collect();
    match through(&[decoder], &caps, buffers)? {
        (nanos, 1..) => Ok(nanos),
        (_, 0) => Err(broken(encoder, "what it makes cannot be decoded".into())),
    }
}

/// What comes out of some elements, and the processor time it takes in nanoseconds.
fn through(elements: &[gst::Element], caps: &gst::Caps, buffers: Vec<gst::Buffer>) -> Result<(f64, usize), Fault> {
    let (answers, overheard) = Answers::apart();
    let (shown, count) = channel();
    let (ended, end) = channel();
    let callbacks = AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let _ = shown.send(codec_data(&sample).is_some());
            Ok(gst::FlowSuccess::Ok)
        })
        .eos(move |_| {
            let _ = ended.send(());
        })
        .build();
    let before = processor_nanos();
    let chain = Chain::start(Some(caps), elements, callbacks, &answers)?;
    for (nth, mut buffer) in (0_u64..).zip(buffers) {
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_mseconds(33 * nth));
            buffer.set_dts(gst::ClockTime::from_mseconds(33 * nth));
        }
        let _ = chain.source.push_buffer(buffer);
    }
    let _ = chain.source.end_of_stream();
    let all = wait(&end, 1, Instant::now() + PATIENCE);
    let nanos = processor_nanos() - before;
    match overheard.next() {
        Some(Answer::Fault(fault)) => Err(fault),
        _ if !all => Err(chain::bad_plan("decoding or scaling did not come to an end")),
        _ => Ok((nanos, count.try_iter().count())),
    }
}

fn plan(encoder: Encoder, stream: u8, (width, height, bitrate): (u32, u32, u32)) -> VideoRung {
    VideoRung { stream, encoder, width, height, bitrate, after: None }
}

fn source(codec: Codec, record: Vec<u8>) -> Source {
    Source { codec, timescale: TIMESCALE, record }
}

fn draw(pictures: i64, scene: &mut Scene) -> Vec<gst::Buffer> {
    (0..pictures).map(|_| gst::Buffer::from_slice(scene.next())).collect()
}

fn drawn_caps() -> gst::Caps {
    gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", i32::try_from(WIDTH).unwrap_or(i32::MAX))
        .field("height", i32::try_from(HEIGHT).unwrap_or(i32::MAX))
        .field("framerate", gst::Fraction::new(30, 1))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .field("interlace-mode", "progressive")
        .field("colorimetry", "bt709")
        .build()
}

fn broken(encoder: Encoder, reason: String) -> Fault {
    Fault { place: encoder.to_string(), reason, encoder: true }
}

/// Processor time of all threads of this process, those that have ended too.
fn processor_nanos() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // proc(5): utime and stime are fields 14 and 15; the second, the name, is in brackets and may have spaces.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>();
    ticks * NANOS_PER_TICK
}
