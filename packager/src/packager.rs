use std::sync::Arc;
use std::time::{Duration, Instant};

use touchline_media::{Kind, MediaTime, Sample, Timescale, Track, TrackId};

use crate::input::{self, Input};
use crate::lane::Timeline;
use crate::lanes::Lanes;
use crate::waiting::Waiting;
use crate::{Epoch, Error, Event, Presentation, Rendition, Settings, target};

/// What the first Media Sequence Number counts since 1970. No source makes segments as fast, so a channel that opens anew
/// begins with a number beyond all that it had: playlists are cached by it.
const MSN_CLOCK: Duration = Duration::from_millis(500);

/// Turns the samples of a channel into parts, segments and init sections of its renditions: one for each track.
///
/// The first video track, or without any the first of all, decides where segments begin, and the others follow it, so that
/// a Media Sequence Number means the same time in all renditions. Where the media of one stops while another goes on, it
/// has a gap.
///
/// Samples come in stretches, each begun by [`Packager::start`]. Within a stretch time goes on; the next one goes on with
/// a discontinuity, where the wall clock says.
#[derive(Debug)]
pub struct Packager {
    settings: Settings,
    clock: WallClock,
    opened: Option<Opened>,
    /// The tracks of the stretch, in the order of their renditions: the first one leads. None between stretches.
    inputs: Vec<Input>,
    /// A stretch that has not begun for want of a sync sample.
    waiting: Option<Waiting>,
}

/// Ties [`Sample::received`] to Unix time.
#[derive(Debug, Clone, Copy)]
pub struct WallClock {
    /// An instant...
    pub instant: Instant,
    /// ...and the Unix time at it.
    pub unix: Duration,
}

impl WallClock {
    fn unix_at(&self, instant: Instant) -> Duration {
        match instant.checked_duration_since(self.instant) {
            Some(since) => self.unix + since,
            None => self.unix.saturating_sub(self.instant - instant),
        }
    }
}

impl Packager {
    /// A channel to be opened by its first sample.
    pub fn new(settings: Settings, clock: WallClock) -> Self {
        Self { settings, clock, opened: None, inputs: Vec::new(), waiting: None }
    }

    /// A stretch begins: the samples that follow are of `tracks`, on a timeline of their own. What is open is closed.
    ///
    /// After an error samples are ignored until the next `start`, and what is open stays so until then or the end.
    pub fn start(&mut self, tracks: &[Track]) -> Result<Vec<Event>, Error> {
        self.inputs.clear();
        let mut inputs = input::inputs(tracks)?;
        if let Some(opened) = &self.opened {
            opened.check(&inputs)?;
            for (input, clock) in inputs.iter_mut().zip(opened.lanes.clocks()) {
                clock.map_or(Ok(()), |clock| input.keep_clock(clock))?;
            }
        }
        let out = self.pause();
        self.inputs = inputs;
        self.waiting = Some(Waiting::default());
        Ok(out)
    }

    /// The next sample. A part comes out with its last sample wherever the track's frame grid tells when that ends, else
    /// with the sample after it.
    pub fn push(&mut self, sample: Sample) -> Vec<Event> {
        let mut out = Vec::new();
        let Some(index) = self.index(sample.track) else { return out };
        if let Some(input) = self.inputs.get_mut(index) {
            input.left = false;
        }
        let leads = self.leads(index, &sample);
        if self.is_elsewhere(index, leads, &sample) {
            self.break_off(&mut out);
        }
        match self.waiting.take() {
            None => self.package(index, sample, &mut out),
            Some(waiting) if leads => {
                self.begin(&sample, &mut out);
                self.package(index, sample, &mut out);
                for (other, sample) in waiting.held {
                    // What leads now may not have led when that came, or may have left since.
                    if other != index && !self.has_left(other) {
                        self.package(other, sample, &mut out);
                    }
                }
            }
            Some(mut waiting) => {
                if Some(index) != self.leader() {
                    waiting.hold(index, sample, &mut out);
                }
                self.waiting = Some(waiting);
            }
        }
        out
    }

    /// The source of a track pauses after the samples that it has sent, as a rung does that a ladder drops: its rendition
    /// has a gap at once, which grows as the others go on. If it leads, other pictures take over.
    ///
    /// Its next sample ends the gap as it does any other: pictures go on at a sync sample where the leading ones are cut.
    /// That should come within a part of the leader's, before that part of the gap is written, else one segment later.
    pub fn leave(&mut self, track: TrackId) -> Vec<Event> {
        let mut out = Vec::new();
        let Some(index) = self.index(track) else { return out };
        if let Some(input) = self.inputs.get_mut(index) {
            input.left = true;
        }
        if let Some(opened) = self.opened.as_mut().filter(|_| self.waiting.is_none()) {
            opened.lanes.leave(index, &mut out);
        }
        out
    }

    /// Nothing has come for too long, though the publisher is still there: closes what is open. The next sync sample
    /// begins a new stretch.
    ///
    /// RFC 8216bis 6.2.1 wants a new segment within 1.5 target durations of the one before: to be called when the whole
    /// feed has been silent for as long.
    pub fn stall(&mut self) -> Vec<Event> {
        let mut out = Vec::new();
        if self.waiting.is_none() && !self.inputs.is_empty() {
            self.break_off(&mut out);
        }
        out
    }

    /// The publisher is gone: closes what is open. The playlists stay open.
    pub fn pause(&mut self) -> Vec<Event> {
        let mut out = Vec::new();
        self.inputs.clear();
        self.waiting = None;
        self.close(&mut out);
        out
    }

    /// Closes what is open and the presentation with it; a stretch after that opens another.
    pub fn end(&mut self) -> Vec<Event> {
        let mut out = self.pause();
        if self.opened.take().is_some() {
            out.push(Event::Ended);
        }
        out
    }

    /// Begins the stretch on the presentation's timeline, where `first` is its first sample.
    fn begin(&mut self, first: &Sample, out: &mut Vec<Event>) {
        let unix = self.clock.unix_at(first.received);
        let discontinuity = self.opened.is_some();
        let opened = self.opened.get_or_insert_with(|| {
            let opened = Opened::new(&self.settings, &self.inputs, first.received, unix);
            out.push(Event::Opened(Arc::clone(&opened.presentation)));
            opened
        });
        // Sound may begin up to half a frame before the first picture, and nothing comes before the base.
        let beside = self.inputs.iter().skip(1).filter_map(|input| input.track.frame_duration());
        let lead_in = beside.max().unwrap_or(MediaTime::zero(first.pts.timescale()));
        let timeline = Timeline {
            origin: first.dts.min(first.pts - lead_in),
            base: opened.base(first.received),
            first_pts: first.pts,
            unix_millis: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
            discontinuity,
        };
        opened.lanes.begin(&self.inputs, &timeline, first.received, out);
    }

    fn package(&mut self, index: usize, sample: Sample, out: &mut Vec<Event>) {
        let Some(opened) = &mut self.opened else { return };
        if self.waiting.is_some() {
            return;
        }
        opened.lanes.push(index, sample, out);
        if opened.lanes.apart() {
            self.break_off(out);
        } else {
            opened.lanes.fill(out);
        }
    }

    fn index(&self, track: TrackId) -> Option<usize> {
        self.inputs.iter().position(|input| input.track.id == track)
    }

    /// The input that begins a stretch.
    fn leader(&self) -> Option<usize> {
        self.inputs.iter().position(|input| !input.left)
    }

    fn has_left(&self, index: usize) -> bool {
        self.inputs.get(index).is_some_and(|input| input.left)
    }

    /// Whether a stretch may begin with this sample.
    fn leads(&self, index: usize, sample: &Sample) -> bool {
        let sound = self.inputs.get(index).is_some_and(|input| input.kind() == Kind::Audio);
        self.leader() == Some(index) && (sample.sync || sound)
    }

    /// Whether the timeline of the source does not go on from where it was.
    fn is_elsewhere(&self, index: usize, leads: bool, sample: &Sample) -> bool {
        let Some(Opened { lanes, .. }) = &self.opened else { return false };
        lanes.far_ahead(index, sample) || (leads && lanes.far_off(index, sample))
    }

    /// Ends the stretch; the next sync sample begins another.
    fn break_off(&mut self, out: &mut Vec<Event>) {
        self.close(out);
        self.waiting = Some(Waiting::default());
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if let Some(opened) = &mut self.opened {
            opened.lanes.finish(out);
        }
    }
}

/// What lasts from the first sample to the end.
#[derive(Debug)]
struct Opened {
    presentation: Arc<Presentation>,
    at: Instant,
    lanes: Lanes,
}

impl Opened {
    /// RFC 8216bis 6.2.1: what is fixed here never changes.
    fn new(settings: &Settings, inputs: &[Input], at: Instant, unix: Duration) -> Self {
        let part_target = inputs.first().map_or(settings.part, |lead| target::part_target(&lead.track, settings.part));
        let presentation = Presentation {
            epoch: Epoch::new(settings.node, unix),
            first_msn: u64::try_from(unix.as_millis() / MSN_CLOCK.as_millis()).unwrap_or(0),
            target_duration: settings.target_duration(),
            part_target,
            window: settings.window,
            renditions: input::renditions(inputs),
        };
        let lanes = Lanes::new(&presentation, settings, at);
        Self { lanes, presentation: Arc::new(presentation), at }
    }

    /// The renditions are fixed.
    fn check(&self, inputs: &[Input]) -> Result<(), Error> {
        let opened: Vec<Kind> = self.presentation.renditions.iter().map(Rendition::kind).collect();
        let now: Vec<Kind> = inputs.iter().map(Input::kind).collect();
        if opened == now { Ok(()) } else { Err(Error::Incompatible { opened, now }) }
    }

    /// Where a stretch goes on whose first sample was received at `now`: by the wall clock, but not before the end of
    /// what there is.
    fn base(&self, now: Instant) -> MediaTime {
        // The opening gap lies before the first sample, and no decode time is negative.
        let since = self.presentation.part_target + now.saturating_duration_since(self.at);
        let since = MediaTime::from_duration(since, Timescale::NINETY_KHZ);
        self.lanes.end().max(since)
    }
}
