//! Pictures: decoded once, then shown to every rung.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer_app::{AppSinkCallbacks, AppSrc};
use gstreamer_video as gst_video;
use touchline_transcode::message::{Fault, Input, Report};
use touchline_transcode::plan::{self, Codec};

use crate::chain::{self, Chain};
use crate::clock::Clock;
use crate::gate::{Gate, Picture};
use crate::intake::Intake;
use crate::keys::Keys;
use crate::link::Answers;
use crate::meter::{Count, Meter};
use crate::rung::{Outlet, Rung};
use crate::thumbnail::Thumbnails;
use crate::turns::Turns;

/// How long a wait for room lasts before the clock is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// The way in for access units of pictures.
pub(crate) struct Video {
    intake: Intake,
    shared: Arc<Shared>,
    /// The decoder.
    chain: Chain,
}

/// What the reader of the socket, the decoder and the encoders know of each other.
struct Shared {
    keys: Mutex<Keys>,
    /// The PTS of the last that another worker has been sent before.
    replayed: AtomicI64,
    /// What waits for the decoder.
    source: OnceLock<AppSrc>,
    /// Whether a rung may be behind without shedding: then the socket waits, and nothing is left out.
    catching_up: AtomicBool,
    /// Told when a picture has left the decoder, or an access unit an encoder.
    progress: Condvar,
    quiet: Mutex<()>,
    video_in: Count,
    decoded: Count,
    skipped: Count,
    meters: Vec<Arc<Meter>>,
}

impl Video {
    /// Starts the decoder and all rungs. `ended` gets one message from each rung after its last access unit.
    pub(crate) fn start(plan: &plan::Video, answers: &Answers, ended: &Sender<()>) -> Result<Self, Fault> {
        let clock = Clock::of(&plan.source)?;
        let shared = Arc::new(Shared {
            keys: Mutex::new(Keys::new(
                plan.keys,
                plan.frame_ticks,
                plan.rungs.iter().map(|rung| rung.after).min().flatten(),
            )),
            replayed: AtomicI64::new(i64::MIN),
            source: OnceLock::new(),
            catching_up: AtomicBool::new(true),
            progress: Condvar::new(),
            quiet: Mutex::new(()),
            video_in: Count::default(),
            decoded: Count::default(),
            skipped: Count::default(),
            meters: plan.rungs.iter().map(|rung| Arc::new(Meter::new(rung.stream))).collect(),
        });
        let show = Show::start(plan, clock, &shared, answers, ended)?;
        let (decoder, caps) = decoder(&plan.source)?;
        let chain = Chain::start(Some(&caps), &[decoder], show.callbacks(), answers)?;
        // Nothing else sets it.
        let _ = shared.source.set(chain.source.clone());
        Ok(Self { intake: Intake::new(chain.source.clone(), clock), shared, chain })
    }

    /// Takes an access unit to be decoded. Waits while the rungs catch up with a replay.
    pub(crate) fn decode(&mut self, input: &Input) {
        while self.intake.full() && self.shared.catching_up.load(Relaxed) {
            self.shared.wait();
        }
        let Some(buffer) = self.intake.admit(input) else { return self.shared.skipped.add_one() };
        if input.replay {
            self.shared.replayed.fetch_max(input.pts, Relaxed);
        }
        self.shared.keys().decoding(input.pts, input.sync);
        self.shared.video_in.add_one();
        self.intake.push(buffer);
    }

    /// Nothing follows.
    pub(crate) fn end(&self) {
        self.intake.end();
    }

    /// Makes a rung, or makes it no more, from the next picture on that is due to be an IDR.
    pub(crate) fn switch(&self, stream: u8, on: bool) {
        for meter in self.shared.meters.iter().filter(|meter| meter.stream == stream) {
            meter.wanted.store(on, Relaxed);
        }
    }

    /// Fills in how it goes, whenever it is called.
    pub(crate) fn reporter(&self) -> impl Fn(&mut Report) + Send + 'static {
        let (shared, source) = (self.shared.clone(), self.chain.source.clone());
        move |report| {
            report.video_in = shared.video_in.total();
            report.decoded = shared.decoded.total();
            report.undecoded = u32::try_from(source.current_level_buffers()).unwrap_or(u32::MAX);
            report.skipped = shared.skipped.total();
            report.rungs = shared.meters.iter().map(|meter| meter.report()).collect();
        }
    }
}

impl Shared {
    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until there is progress, or a little while has gone.
    fn wait(&self) {
        let quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.progress.wait_timeout(quiet, LOOK));
    }
}

/// The end of the decoder where pictures come out.
struct Show {
    clock: Clock,
    shared: Arc<Shared>,
    started: Instant,
    rungs: Vec<Rung>,
    thumbnails: Option<Thumbnails>,
    /// What the newest pictures are, to the decoder and to the rungs.
    caps: Option<(gst::Caps, gst::Caps)>,
    rate: gst::Fraction,
    last: Option<i64>,
}

impl Show {
    fn start(
        plan: &plan::Video,
        clock: Clock,
        shared: &Arc<Shared>,
        answers: &Answers,
        ended: &Sender<()>,
    ) -> Result<Self, Fault> {
        let frame = plan.frame_ticks.map(|ticks| Duration::from_secs(1) * ticks / plan.source.timescale);
        let turns = Turns::new();
        let rung = |(plan, meter): (&plan::VideoRung, &Arc<Meter>)| {
            let gate = Gate::new(plan.after, frame, Duration::ZERO);
            let awake = shared.clone();
            let shown = Box::new(move || awake.progress.notify_all());
            let outlet = Outlet { answers: answers.clone(), meter: meter.clone(), clock, shown };
            let ended = ended.clone();
            Rung::start(plan, gate, meter.clone(), &turns, outlet, ended)
        };
        Ok(Self {
            clock,
            shared: shared.clone(),
            started: Instant::now(),
            rungs: plan.rungs.iter().zip(&shared.meters).map(rung).collect::<Result<_, _>>()?,
            thumbnails: plan.thumbnail.and_then(|height| Thumbnails::start(plan, height, answers)),
            caps: None,
            rate: frame_rate(plan),
            last: None,
        })
    }

    fn callbacks(self) -> AppSinkCallbacks {
        let show = Arc::new(Mutex::new(self));
        let end = show.clone();
        let own = |show: &Arc<Mutex<Self>>, then: &dyn Fn(&mut Self)| {
            then(&mut show.lock().unwrap_or_else(PoisonError::into_inner));
        };
        AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                own(&show, &|show| show.picture(&sample));
                Ok(gst::FlowSuccess::Ok)
            })
            .eos(move |_| own(&end, &|show| show.rungs.iter().for_each(Rung::end)))
            .build()
    }

    fn picture(&mut self, sample: &gst::Sample) {
        let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps()) else { return };
        self.follow(caps);
        let Some(pts) = buffer.pts().map(|time| self.clock.ticks(time)) else { return };
        // A decoder that finds out late that pictures are reordered shows some out of order.
        if self.last.is_some_and(|last| pts <= last) {
            return;
        }
        self.last = Some(pts);
        self.shared.decoded.add_one();
        let replay = pts <= self.shared.replayed.load(Relaxed);
        let followed = self.shared.source.get().is_some_and(|source| source.current_level_buffers() > 0);
        let picture = Picture { pts, due: self.shared.keys().due(pts), replay, followed };
        for rung in &mut self.rungs {
            let (shared, started) = (&self.shared, self.started);
            rung.show(picture, &buffer, |waiting| {
                if waiting {
                    shared.wait();
                }
                started.elapsed()
            });
        }
        if let Some(thumbnails) = &mut self.thumbnails
            && picture.due
        {
            thumbnails.show(&buffer, self.started.elapsed());
        }
        let now = self.started.elapsed();
        self.shared.catching_up.store(self.rungs.iter().any(|rung| rung.catching_up(now)), Relaxed);
        self.shared.progress.notify_all();
    }

    /// Tells the rungs when pictures of another kind follow. Their rate and their fields stay what the plan says: an
    /// encoder that is told of another would start anew.
    fn follow(&mut self, decoded: &gst::CapsRef) {
        if self.caps.as_ref().is_some_and(|(known, _)| **known == *decoded) {
            return;
        }
        let mut caps = decoded.to_owned();
        // Where the source does not say what its colours are, each element would take its picture's size for a hint.
        let colors = gst_video::VideoInfo::from_caps(&caps).map(|info| info.colorimetry().to_string());
        if let Some(first) = caps.make_mut().structure_mut(0) {
            if let (Ok(colors), false) = (colors, first.has_field("colorimetry")) {
                first.set("colorimetry", colors);
            }
            first.set("framerate", self.rate);
            first.set("interlace-mode", "progressive");
            first.remove_field("field-order");
        }
        self.rungs.iter().for_each(|rung| rung.follow(&caps));
        if let Some(thumbnails) = &self.thumbnails {
            thumbnails.follow(&caps);
        }
        self.caps = Some((decoded.to_owned(), caps));
    }
}

/// The decoder of a codec, and what it is told of the access units.
pub(crate) fn decoder(source: &plan::Source) -> Result<(gst::Element, gst::Caps), Fault> {
    let (names, caps): (&[&str], _) = match source.codec {
        Codec::H264 => (&["avdec_h264"], ["video/x-h264", "avc", "au"]),
        Codec::H265 => (&["avdec_h265"], ["video/x-h265", "hvc1", "au"]),
        Codec::Av1 => (&["dav1ddec", "avdec_av1", "av1dec"], ["video/x-av1", "obu-stream", "tu"]),
        Codec::Aac | Codec::Opus => return Err(chain::bad_plan("AAC and Opus are no codecs of pictures")),
    };
    let [media, form, alignment] = caps;
    let caps = gst::Caps::builder(media).field("stream-format", form).field("alignment", alignment);
    let caps = caps.field("codec_data", gst::Buffer::from_slice(source.record.clone())).build();
    let found = names.iter().map(|name| chain::make(name)).reduce(Result::or);
    let decoder = found.unwrap_or_else(|| chain::make(""))?;
    // One thread adds no delay; a damaged access unit is no reason to give up.
    for (property, value) in [("max-threads", "1"), ("n-threads", "1"), ("max-errors", "-1")] {
        chain::set(&decoder, property, value);
    }
    Ok((decoder, caps))
}

fn frame_rate(plan: &plan::Video) -> gst::Fraction {
    let timescale = i32::try_from(plan.source.timescale).ok();
    let ticks = plan.frame_ticks.and_then(|ticks| i32::try_from(ticks).ok()).filter(|ticks| *ticks > 0);
    match (timescale, ticks) {
        (Some(timescale), Some(ticks)) => gst::Fraction::new(timescale, ticks),
        _ => gst::Fraction::new(0, 1),
    }
}
