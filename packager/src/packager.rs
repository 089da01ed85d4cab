use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use touchline_media::{Kind, MediaTime, Sample, Timescale, Track};

use crate::lane::{Lane, Role, Timeline};
use crate::{Coding, Epoch, Error, Event, Notice, Presentation, Rendition, Settings, init, target};

/// The most samples of sound that wait for the first keyframe of the video that was announced...
const MAX_HELD: usize = 512;
/// ...and the most bytes of them. Beyond, the oldest is let go.
const MAX_HELD_BYTES: usize = 4 * 1_024 * 1_024;

/// How far the decode times written may be from the source's: at a sync sample beyond, a new stretch begins. Reached by a
/// source with less than a frame per part.
const MAX_LAG: Duration = Duration::from_secs(10);

/// What the first Media Sequence Number counts since 1970. No source makes segments as fast, so a channel that opens anew
/// begins with a number beyond all that it had: playlists are cached by it.
const MSN_CLOCK: Duration = Duration::from_millis(500);

/// Turns the samples of a channel into parts, segments and init sections of its renditions: the first video track as
/// `video`, the first audio track as `audio`.
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
        let (inputs, ignored) = choose(tracks)?;
        if let Some(opened) = &self.opened {
            opened.check(&inputs)?;
        }
        let mut out = self.pause();
        out.extend(ignored.into_iter().map(Event::Notice));
        self.inputs = inputs;
        self.waiting = Some(Waiting::default());
        Ok(out)
    }

    /// The next sample. A part comes out with its last sample wherever the track's frame grid tells when that ends, else
    /// with the sample after it.
    pub fn push(&mut self, sample: Sample) -> Vec<Event> {
        let mut out = Vec::new();
        let Some(index) = self.inputs.iter().position(|input| input.track.id == sample.track) else { return out };
        let leads = index == 0 && (sample.sync || self.inputs.iter().all(|input| input.kind() == Kind::Audio));
        if leads && self.is_far_off(&sample) {
            self.close(&mut out);
            self.waiting = Some(Waiting::default());
        }
        match self.waiting.take() {
            None => self.package(index, sample, &mut out),
            Some(waiting) if leads => {
                self.begin(&sample, &mut out);
                self.package(index, sample, &mut out);
                for (index, sample) in waiting.held {
                    self.package(index, sample, &mut out);
                }
            }
            Some(mut waiting) => {
                if index > 0 {
                    waiting.hold(index, sample, &mut out);
                }
                self.waiting = Some(waiting);
            }
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
        for (lane, input) in opened.lanes.iter_mut().zip(&self.inputs) {
            lane.begin(input, &timeline, out);
        }
    }

    /// Hands a sample to its rendition, and on to the others where the leading one begins a segment.
    fn package(&mut self, index: usize, sample: Sample, out: &mut Vec<Event>) {
        let lanes = self.opened.as_mut().and_then(|opened| opened.lanes.get_mut(index..)).unwrap_or_default();
        let Some((lane, others)) = lanes.split_first_mut() else { return };
        let boundary = lane.push(sample, out).filter(|_| index == 0);
        if let Some(boundary) = boundary {
            for lane in others {
                lane.follow(boundary);
            }
        }
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        for lane in self.opened.iter_mut().flat_map(|opened| &mut opened.lanes) {
            lane.finish(out);
        }
    }

    fn is_far_off(&self, sample: &Sample) -> bool {
        let lead = self.opened.as_ref().and_then(|opened| opened.lanes.first());
        lead.and_then(|lane| lane.lag(sample)).is_some_and(|lag| lag.to_duration() > MAX_LAG)
    }
}

/// A track and what its rendition says of it.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) track: Track,
    pub(crate) coding: Coding,
    /// Its init section.
    pub(crate) init: Bytes,
}

impl Input {
    fn new(track: &Track) -> Result<Self, Error> {
        Ok(Self { track: track.clone(), coding: init::coding(track)?, init: init::section(track)? })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.coding.kind()
    }
}

/// The first track of each kind, video first, and a word on the others.
fn choose(tracks: &[Track]) -> Result<(Vec<Input>, Vec<Notice>), Error> {
    let mut inputs = Vec::new();
    let mut ignored = Vec::new();
    for kind in [Kind::Video, Kind::Audio] {
        let mut of_kind = tracks.iter().filter(|track| track.format.kind() == kind);
        inputs.extend(of_kind.next().map(Input::new).transpose()?);
        ignored.extend(of_kind.map(|track| Notice::TrackIgnored { track: track.id, kind }));
    }
    if inputs.is_empty() { Err(Error::NoTracks) } else { Ok((inputs, ignored)) }
}

/// What lasts from the first sample to the end.
#[derive(Debug)]
struct Opened {
    presentation: Arc<Presentation>,
    at: Instant,
    /// In the order of the presentation's renditions.
    lanes: Vec<Lane>,
}

impl Opened {
    /// RFC 8216bis 6.2.1: what is fixed here never changes.
    fn new(settings: &Settings, inputs: &[Input], at: Instant, unix: Duration) -> Self {
        let part_target = inputs.first().map_or(settings.part, |lead| target::part_target(&lead.track, settings.part));
        let renditions: Vec<Rendition> = inputs.iter().map(rendition).collect();
        let presentation = Presentation {
            epoch: Epoch(u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)),
            first_msn: u64::try_from(unix.as_millis() / MSN_CLOCK.as_millis()).unwrap_or(0),
            target_duration: settings.target_duration(),
            part_target,
            window: settings.window,
            renditions,
        };
        let lanes = presentation.ids().zip(inputs).enumerate().map(|(index, (id, input))| {
            let role = match input.kind() {
                Kind::Video => Role::Video,
                Kind::Audio if index > 0 => Role::AudioBesideVideo,
                Kind::Audio => Role::AudioAlone,
            };
            Lane::new(id, role, settings, &presentation)
        });
        Self { lanes: lanes.collect(), presentation: Arc::new(presentation), at }
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
        self.lanes.iter().map(Lane::end).fold(since, MediaTime::max)
    }
}

fn rendition(input: &Input) -> Rendition {
    let name = match input.kind() {
        Kind::Video => "video",
        Kind::Audio => "audio",
    };
    Rendition { name: name.into(), coding: input.coding.clone() }
}

/// Sound that waits for the sync sample that the stretch begins with.
#[derive(Debug, Default)]
struct Waiting {
    /// With the indices of their inputs.
    held: VecDeque<(usize, Sample)>,
    bytes: usize,
    told: bool,
}

impl Waiting {
    fn hold(&mut self, index: usize, sample: Sample, out: &mut Vec<Event>) {
        self.bytes += sample.data.len();
        self.held.push_back((index, sample));
        while self.held.len() > MAX_HELD || self.bytes > MAX_HELD_BYTES {
            if !std::mem::replace(&mut self.told, true) {
                out.push(Event::Notice(Notice::NoKeyframe { held: self.held.len() }));
            }
            let Some((_, oldest)) = self.held.pop_front() else { break };
            self.bytes -= oldest.data.len();
        }
    }
}
