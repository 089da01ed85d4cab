//! Sound: decoded once, then encoded for each rung, each access unit at the time of the samples that it holds.
//!
//! No time goes through GStreamer here. An encoder is fed blocks of 1024 samples, each of which has a PTS, and puts out one
//! access unit for each, one block later than it was fed: counting is exact where times would be rounded.

mod decoder;

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSinkCallbacks;
use touchline_media::opus;
use touchline_transcode::message::{Answer, Fault, Input, Output, Report};
use touchline_transcode::plan;

use crate::blocks::SAMPLES;
use crate::chain::{self, Chain};
use crate::clock::Clock;
use crate::intake::Intake;
use crate::link::Answers;
use crate::meter::{Count, Meter};
use crate::rung::codec_data;

use decoder::{Cut, Decoder};

/// Bytes of a sample as it goes from the decoder to the encoders: a 32-bit float.
const SAMPLE_SIZE: usize = 4;
/// From one look at whether the decoder has room to the next.
const LOOK: Duration = Duration::from_millis(5);
/// Channels that are kept; more are mixed down.
const MAX_CHANNELS: u8 = 2;

/// The way in for access units of sound.
pub(crate) struct Audio {
    intake: Intake,
    /// What packets of Opus have to be like.
    opus: Option<opus::Config>,
    taken: Arc<Count>,
    meters: Vec<Arc<Meter>>,
    /// Keeps the decoder at work.
    _chain: Chain,
}

impl Audio {
    /// Starts the decoder and all rungs. `ended` gets one message from each rung after its last access unit.
    pub(crate) fn start(plan: &plan::Audio, answers: &Answers, ended: &Sender<()>) -> Result<Self, Fault> {
        let clock = Clock::of(&plan.source)?;
        let channels = plan.channels.clamp(1, MAX_CHANNELS);
        let Decoder { element, units, samples, opus } = Decoder::of(&plan.source, channels)?;
        let rungs: Vec<Rung> =
            plan.rungs.iter().map(|rung| Rung::start(rung, answers, ended.clone())).collect::<Result<_, _>>()?;
        let meters = rungs.iter().map(|rung| rung.meter.clone()).collect();
        let rest = Decoded { clock, source: plan.source.clone(), channels: channels.into(), cut: None, rungs };
        let elements = [element, chain::make("audioconvert")?, chain::caps_filter(&samples)?];
        let chain = Chain::start(Some(&units), &elements, rest.callbacks(answers.clone()), answers)?;
        let intake = Intake::new(chain.source.clone(), clock);
        Ok(Self { intake, opus, taken: Arc::default(), meters, _chain: chain })
    }

    /// Takes an access unit to be decoded. Waits for the decoder in a replay, which comes faster than it was made.
    pub(crate) fn decode(&mut self, input: &Input) {
        if self.opus.as_ref().is_some_and(|opus| opus.check(&input.data).is_err()) {
            return;
        }
        while input.replay && self.intake.full() {
            thread::sleep(LOOK);
        }
        if let Some(buffer) = self.intake.admit(input) {
            self.taken.add_one();
            self.intake.push(buffer);
        }
    }

    /// Makes a rung, or makes it no more, from the next access unit on.
    pub(crate) fn switch(&self, stream: u8, on: bool) {
        for meter in self.meters.iter().filter(|meter| meter.stream == stream) {
            meter.wanted.store(on, Relaxed);
        }
    }

    /// Nothing follows.
    pub(crate) fn end(&self) {
        self.intake.end();
    }

    /// Fills in how it goes, whenever it is called.
    pub(crate) fn reporter(&self) -> impl Fn(&mut Report) + Send + 'static {
        let taken = self.taken.clone();
        move |report| report.audio_in = taken.total()
    }
}

/// The end of the decoder.
struct Decoded {
    clock: Clock,
    source: plan::Source,
    channels: usize,
    /// Samples per second, and what cuts them; known from the first on, and the same ever after.
    cut: Option<(i32, Cut)>,
    rungs: Vec<Rung>,
}

impl Decoded {
    fn callbacks(self, answers: Answers) -> AppSinkCallbacks {
        let decoded = Arc::new(Mutex::new(self));
        let end = decoded.clone();
        AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                decoded.lock().unwrap_or_else(PoisonError::into_inner).sound(&sample).map_err(|fault| {
                    answers.fault(&fault);
                    gst::FlowError::Error
                })
            })
            .eos(move |_| end.lock().unwrap_or_else(PoisonError::into_inner).rungs.iter().for_each(Rung::end))
            .build()
    }

    fn sound(&mut self, sample: &gst::Sample) -> Result<gst::FlowSuccess, Fault> {
        let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps()) else { return Ok(gst::FlowSuccess::Ok) };
        let pts = buffer.pts().map(|time| self.clock.ticks(time));
        let rungs = &mut self.rungs;
        let rate = caps.structure(0).and_then(|first| first.get::<i32>("rate").ok()).unwrap_or_default();
        let (known, cut) = self.cut.get_or_insert_with(|| {
            for rung in &*rungs {
                rung.follow(caps);
            }
            let hertz = u32::try_from(rate).unwrap_or(self.source.timescale);
            (rate, Cut::new(&self.source, self.channels * SAMPLE_SIZE, hertz))
        });
        if *known != rate {
            let reason =
                format!("the sound changes from {known} to {rate} samples per second: a new worker can follow it");
            return Err(Fault { place: "the decoder of the sound".into(), reason, encoder: false });
        }
        if let (Some(pts), Ok(sound)) = (pts, buffer.map_readable()) {
            for (pts, block) in cut.cut(pts, &sound) {
                let block = gst::Buffer::from_slice(block);
                for rung in &mut *rungs {
                    rung.encode(&block, pts, rate);
                }
            }
        }
        Ok(gst::FlowSuccess::Ok)
    }
}

/// One rendition of the sound.
struct Rung {
    chain: Chain,
    meter: Arc<Meter>,
    /// The PTS of blocks that the encoder has and that have not become access units.
    waiting: Arc<Mutex<VecDeque<i64>>>,
    /// Samples that the encoder has had.
    fed: u64,
}

impl Rung {
    fn start(plan: &plan::AudioRung, answers: &Answers, ended: Sender<()>) -> Result<Self, Fault> {
        let encoder = chain::make("avenc_aac")?;
        chain::set(&encoder, "bitrate", &plan.bitrate.to_string());
        let meter = Arc::new(Meter::new(plan.stream));
        let waiting = Arc::default();
        let outlet = Outlet {
            answers: answers.clone(),
            meter: meter.clone(),
            waiting: Arc::clone(&waiting),
            after: plan.after,
            primed: false,
            on: true,
            record: None,
        };
        let chain = Chain::start(None, &[encoder], outlet.callbacks(ended), answers)?;
        Ok(Self { chain, meter, waiting, fed: 0 })
    }

    fn follow(&self, caps: &gst::CapsRef) {
        self.chain.source.set_caps(Some(&caps.to_owned()));
    }

    fn encode(&mut self, block: &gst::BufferRef, pts: i64, rate: i32) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(pts);
        // Bytes are shared, times are not: the encoder's have no gap, whatever the source's do. It would start anew.
        let mut block = block.to_owned();
        if let Some(block) = block.get_mut() {
            let rate = u64::try_from(rate).unwrap_or_default().max(1);
            block.set_pts(gst::ClockTime::SECOND.mul_div_round(self.fed, rate));
        }
        self.fed += SAMPLES as u64;
        // An encoder that has failed takes nothing; that is told where it failed.
        let _ = self.chain.source.push_buffer(block);
    }

    fn end(&self) {
        let _ = self.chain.source.end_of_stream();
    }
}

/// The end of a rung where access units come out.
struct Outlet {
    answers: Answers,
    meter: Arc<Meter>,
    waiting: Arc<Mutex<VecDeque<i64>>>,
    after: Option<i64>,
    /// Whether the encoder has put out what it puts in front: an access unit of silence.
    primed: bool,
    on: bool,
    record: Option<Bytes>,
}

impl Outlet {
    fn callbacks(mut self, ended: Sender<()>) -> AppSinkCallbacks {
        AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                self.access_unit(&sample);
                Ok(gst::FlowSuccess::Ok)
            })
            .eos(move |_| {
                // Nobody may listen any more: then the process is about to exit.
                let _ = ended.send(());
            })
            .build()
    }

    fn access_unit(&mut self, sample: &gst::Sample) {
        if !std::mem::replace(&mut self.primed, true) {
            return;
        }
        let Some(pts) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else { return };
        if self.after.is_some_and(|after| pts <= after) {
            return;
        }
        let (stream, wanted) = (self.meter.stream, self.meter.wanted.load(Relaxed));
        if self.on != wanted {
            self.on = wanted;
            self.answers.send(&Answer::Switched { stream, on: wanted, pts });
        }
        let Some(Ok(data)) = sample.buffer().map(gst::BufferRef::map_readable) else { return };
        if !self.on {
            return;
        }
        let newest = codec_data(sample);
        if newest.is_some() && newest != self.record {
            self.record = newest;
            self.answers.send(&Answer::Config { stream, record: self.record.clone().unwrap_or_default() });
        }
        self.answers.send(&Answer::Output(Output { stream, sync: true, pts, data: Bytes::copy_from_slice(&data) }));
    }
}
