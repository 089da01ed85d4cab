//! One rendition of the pictures: gate, scaler, encoder.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Sender;
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSinkCallbacks, AppSrc};
use gstreamer_video as gst_video;
use touchline_transcode::message::{Answer, Fault, Output};
use touchline_transcode::plan::VideoRung;

use crate::chain::{self, Chain};
use crate::clock::Clock;
use crate::encoder;
use crate::gate::{Gate, Picture, Verdict};
use crate::link::Answers;
use crate::meter::Meter;
use crate::turns::Turns;

/// The end of a rung where pictures go in.
pub(crate) struct Rung {
    chain: Chain,
    gate: Gate,
    meter: Arc<Meter>,
    answers: Answers,
    /// What lets through only what the scaler, and the converter after it, are to make.
    filters: [gst::Element; 2],
    scale: gst::Element,
    /// Whether the encoder has had a picture.
    begun: bool,
}

impl Rung {
    /// Starts the encoder, which works when it has one of the `turns`. `ended` gets a message after the last access unit.
    pub(crate) fn start(
        plan: &VideoRung,
        gate: Gate,
        meter: Arc<Meter>,
        turns: &Turns,
        outlet: Outlet,
        ended: Sender<()>,
    ) -> Result<Self, Fault> {
        let convert = chain::make("videoconvert")?;
        chain::set(&convert, "n-threads", "1");
        let form = gst::Caps::builder("video/x-raw").field("format", encoder::format(plan.encoder)).build();
        let filters = [chain::caps_filter(&size(plan))?, chain::caps_filter(&form)?];
        let [scaled, converted] = filters.clone();
        let scale = scaler()?;
        let mut elements = vec![scale.clone(), scaled, convert, converted];
        elements.extend(encoder::elements(plan.encoder, plan.bitrate)?);
        let answers = outlet.answers.clone();
        let chain = Chain::start(None, &elements, outlet.callbacks(ended), &answers)?;
        turns.rule(&chain.source);
        Ok(Self { chain, gate, meter, answers, filters, scale, begun: false })
    }

    /// Says what the pictures are that follow. What the first are decides what the encoder gets for good: were it told
    /// of a change, it would start anew, with an IDR that other rungs don't have.
    pub(crate) fn follow(&self, caps: &gst::Caps) {
        if self.chain.source.caps().is_none() {
            for filter in &self.filters {
                filter.set_property("caps", colored_like(filter.property("caps"), caps));
            }
        }
        let [scaled, _] = &self.filters;
        if let Some((shown, made)) = shape(caps).zip(shape(&scaled.property::<gst::Caps>("caps"))) {
            self.scale.set_property("add-borders", (shown / made - 1.0).abs() > SAME_SHAPE);
        }
        self.chain.source.set_caps(Some(caps));
    }

    /// Takes a picture or leaves it. `now` tells the time, after a wait for progress if it is asked for one.
    pub(crate) fn show(&mut self, picture: Picture, buffer: &gst::Buffer, now: impl Fn(bool) -> Duration) {
        if self.gate.switch(self.meter.wanted.load(Relaxed), picture) {
            let (stream, on, pts) = (self.meter.stream, self.meter.wanted.load(Relaxed), picture.pts);
            self.answers.send(&Answer::Switched { stream, on, pts });
        }
        let mut waiting = false;
        loop {
            let now = now(waiting);
            match self.gate.decide(picture, self.meter.backlog(), now) {
                Verdict::Pass => return self.encode(picture, buffer),
                Verdict::Shed => return self.meter.shed.add_one(),
                Verdict::Unwanted => return,
                Verdict::Wait => waiting = true,
            }
        }
    }

    /// Whether it may be behind without shedding.
    pub(crate) fn catching_up(&self, now: Duration) -> bool {
        self.gate.catching_up(now)
    }

    /// No picture follows.
    pub(crate) fn end(&self) {
        let _ = self.chain.source.end_of_stream();
    }

    fn encode(&mut self, picture: Picture, buffer: &gst::Buffer) {
        // The first is an IDR by itself, and asking for one there disables x264enc's ear for all that follow.
        if picture.due && self.begun {
            ask_for_key(&self.chain.source, buffer);
        }
        self.begun = true;
        self.meter.goes_in(picture.pts);
        // An encoder that has failed takes nothing; that is told where it failed.
        let _ = self.chain.source.push_buffer(buffer.clone());
    }
}

/// Pictures whose shapes differ by no more than this are stretched into each other rather than get borders: sides are even,
/// and a black row for that would show.
const SAME_SHAPE: f64 = 0.01;

/// Width by height, as shown.
fn shape(caps: &gst::CapsRef) -> Option<f64> {
    let picture = caps.structure(0)?;
    let (width, height) = (picture.get::<i32>("width").ok()?, picture.get::<i32>("height").ok()?);
    let pixel = picture.get::<gst::Fraction>("pixel-aspect-ratio").unwrap_or(gst::Fraction::new(1, 1));
    Some(f64::from(width) * f64::from(pixel.numer()) / (f64::from(height) * f64::from(pixel.denom())))
}

/// The end of a rung where access units come out.
pub(crate) struct Outlet {
    /// Where they go.
    pub(crate) answers: Answers,
    /// What they are counted by.
    pub(crate) meter: Arc<Meter>,
    /// The source's time.
    pub(crate) clock: Clock,
    /// Called after each.
    pub(crate) shown: Box<dyn Fn() + Send>,
}

impl Outlet {
    fn callbacks(self, ended: Sender<()>) -> AppSinkCallbacks {
        let mut record = None;
        AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                self.access_unit(&sample, &mut record);
                (self.shown)();
                Ok(gst::FlowSuccess::Ok)
            })
            .eos(move |_| {
                // Nobody may listen any more: then the process is about to exit.
                let _ = ended.send(());
            })
            .build()
    }

    fn access_unit(&self, sample: &gst::Sample, record: &mut Option<Bytes>) {
        let Some(buffer) = sample.buffer() else { return };
        // x264enc adds a thousand hours to its times; its segment takes them off again.
        let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
        let time = segment.and_then(|segment| segment.to_running_time(buffer.pts()?));
        let (Some(time), Ok(data)) = (time, buffer.map_readable()) else { return };
        let stream = self.meter.stream;
        let newest = codec_data(sample);
        if newest.is_some() && newest != *record {
            *record = newest;
            self.answers.send(&Answer::Config { stream, record: record.clone().unwrap_or_default() });
        }
        let sync = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let output = Output { stream, sync, pts: self.clock.ticks(time), data: Bytes::copy_from_slice(&data) };
        self.meter.comes_out(output.pts);
        self.answers.send(&Answer::Output(output));
    }
}

/// The decoder configuration in the caps of a sample.
pub(crate) fn codec_data(sample: &gst::Sample) -> Option<Bytes> {
    let data = sample.caps()?.structure(0)?.get::<gst::Buffer>("codec_data").ok()?;
    data.map_readable().ok().map(|data| Bytes::copy_from_slice(&data))
}

/// The scaler of every rung: a source of another shape gets borders.
pub(crate) fn scaler() -> Result<gst::Element, Fault> {
    let scale = chain::make("videoscale")?;
    for (property, value) in [("method", "lanczos"), ("n-threads", "1"), ("add-borders", "true")] {
        chain::set(&scale, property, value);
    }
    Ok(scale)
}

/// The size of a rung, in square pixels.
pub(crate) fn size(plan: &VideoRung) -> gst::Caps {
    let pixels = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
    gst::Caps::builder("video/x-raw")
        .field("width", pixels(plan.width))
        .field("height", pixels(plan.height))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build()
}

/// With the colours of `first`. A scaler that is free to choose takes those that are usual for the smaller size, and
/// converts every pixel: three times the work.
pub(crate) fn colored_like(mut caps: gst::Caps, first: &gst::CapsRef) -> gst::Caps {
    for field in ["colorimetry", "chroma-site"] {
        let value = first.structure(0).and_then(|first| first.get::<String>(field).ok());
        if let (Some(value), Some(caps)) = (value, caps.make_mut().structure_mut(0)) {
            caps.set(field, value);
        }
    }
    caps
}

fn ask_for_key(source: &AppSrc, buffer: &gst::Buffer) {
    let event = gst_video::DownstreamForceKeyUnitEvent::builder()
        .timestamp(buffer.pts())
        .stream_time(buffer.pts())
        .running_time(buffer.pts())
        .all_headers(true)
        .build();
    // The source keeps it in its queue, in front of the picture.
    source.send_event(event);
}
