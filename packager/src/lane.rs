mod gap;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use touchline_media::{Kind, MediaTime, Sample, Timescale, Track};

use crate::cut::{Boundary, Rule, Span};
use crate::input::Input;
use crate::segmenter::{Anchor, Counters, Segmenter, Stretch, Timed};
use crate::target::Filling;
use crate::{Event, Init, Notice, Presentation, RenditionId, Settings};

use gap::Gap;
pub(crate) use gap::{DISTANCE, PATIENCE};

/// How many samples of a rendition wait at most for the leading rendition to come as far. Beyond, they go on alone.
const MAX_EARLY: usize = 256;

/// One rendition's way from samples to parts, over all stretches.
#[derive(Debug)]
pub(crate) struct Lane {
    role: Role,
    name: String,
    settings: Settings,
    part_target: Duration,
    counters: Counters,
    /// What the newest init section is for, and the number of that.
    init: Option<(Input, u32)>,
    /// Samples that wait for the leading rendition.
    early: VecDeque<Sample>,
    /// Whether its source has said that it pauses, and has sent nothing since.
    left: bool,
    run: Option<Run>,
}

/// What a rendition's segments are cut by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its own sync samples.
    LeadingVideo,
    /// The leading video's cuts, where its own sync samples are.
    VideoBeside,
    /// Time alone: there is no video.
    LeadingAudio,
    /// The cuts of what leads.
    AudioBeside,
}

impl Role {
    fn kind(self) -> Kind {
        match self {
            Self::LeadingVideo | Self::VideoBeside => Kind::Video,
            Self::LeadingAudio | Self::AudioBeside => Kind::Audio,
        }
    }
}

/// What the renditions of a stretch have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeline {
    /// An instant of the feed...
    pub(crate) origin: MediaTime,
    /// ...and the instant of the presentation that it is.
    pub(crate) base: MediaTime,
    /// The PTS, in the feed, that the stretch begins with...
    pub(crate) first_pts: MediaTime,
    /// ...and the wall clock at it, as Unix time in whole milliseconds.
    pub(crate) unix_millis: u64,
    pub(crate) discontinuity: bool,
}

impl Timeline {
    fn anchor(&self) -> Anchor {
        Anchor { pts: self.first_pts - self.origin + self.base, millis: self.unix_millis }
    }
}

/// A stretch in progress.
#[derive(Debug)]
struct Run {
    stretch: Stretch,
    span: Span,
    rule: Rule,
    /// What each sync sample begins with: parameter sets, where the init section is not the first of the rendition.
    repeated: Bytes,
    /// From the timeline of the feed to that of the presentation, in ticks.
    shift: i64,
    /// Where the stretch begins, as a PTS.
    first_pts: i64,
    /// Where the newest sample that was not left out ends.
    newest: i64,
    /// From the first sample on, or the first part without one.
    segmenter: Option<Segmenter>,
    /// While media is missing.
    gap: Option<Gap>,
    /// The newest sample, where the next one has to tell its duration.
    held: Option<Timed>,
    /// The duration of the sample before that.
    last_duration: i64,
}

impl Lane {
    pub(crate) fn new(rendition: RenditionId, role: Role, settings: &Settings, presentation: &Presentation) -> Self {
        let end = MediaTime::zero(Timescale::MILLIS);
        Self {
            role,
            name: presentation.rendition(rendition).map(|rendition| rendition.name.clone()).unwrap_or_default(),
            settings: settings.clone(),
            part_target: presentation.part_target,
            counters: Counters { rendition, kind: role.kind(), msn: presentation.first_msn, part: 0, end },
            init: None,
            early: VecDeque::new(),
            left: false,
            run: None,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.role.kind()
    }

    /// The end of what there is, between stretches.
    pub(crate) fn end(&self) -> MediaTime {
        self.counters.end
    }

    /// The clock of the newest init section. `None` before the first.
    pub(crate) fn clock(&self) -> Option<Timescale> {
        self.init.as_ref().map(|(input, _)| input.track.timescale)
    }

    /// Begins a stretch.
    pub(crate) fn begin(&mut self, input: &Input, timeline: &Timeline, out: &mut Vec<Event>) {
        self.left = input.left;
        let timescale = input.track.timescale;
        let filling = Filling::new(&input.track, self.part_target);
        self.tell_filling(filling, timescale, out);
        let shift = timeline.base.rescale(timescale).ticks() - timeline.origin.rescale(timescale).ticks();
        let first_pts = timeline.first_pts.rescale(timescale).ticks() + shift;
        let init = self.init_number(input, out);
        let stretch =
            Stretch { timescale, filling, init, discontinuity: timeline.discontinuity, anchor: timeline.anchor() };
        self.run = Some(Run {
            stretch,
            span: Span::new(&self.settings, filling, timescale),
            rule: Rule::new(self.role),
            // Some players read no init section but the first that they meet, which may be any of those before this one.
            repeated: if init > 0 { input.track.format.parameter_sets() } else { Bytes::new() },
            shift,
            first_pts,
            newest: first_pts,
            segmenter: None,
            gap: None,
            held: None,
            last_duration: filling.frame,
        });
    }

    /// Takes a sample that may have to wait: see [`Lane::next`].
    pub(crate) fn queue(&mut self, sample: Sample) {
        self.left = false;
        self.early.push_back(sample);
    }

    /// The next sample to push: one from before `shown`. Up to there it is known where the leading rendition begins segments,
    /// whichever of them arrives first; but pictures can be cut at sync samples alone.
    pub(crate) fn next(&mut self, shown: Option<MediaTime>) -> Option<Sample> {
        let sound = self.kind() == Kind::Audio;
        let full = self.early.len() > MAX_EARLY;
        let waits = |next: &Sample| (next.sync || sound) && shown.is_some_and(|shown| next.pts >= shown);
        self.early.pop_front_if(|next| full || !waits(next))
    }

    /// Up to when nothing new can begin after this sample, the latest of the leading rendition: almost a frame later. Clocks
    /// differ by roundings.
    pub(crate) fn shown_with(&self, latest: &Sample) -> MediaTime {
        let frame = self.run.as_ref().map_or(0, |run| run.stretch.filling.frame);
        latest.pts + MediaTime::new(frame * 7 / 8, latest.pts.timescale())
    }

    /// The next sample. Returns where segments begin with it.
    pub(crate) fn push(&mut self, sample: Sample, out: &mut Vec<Event>) -> Vec<Boundary> {
        let (Some(run), Some((input, _))) = (&self.run, &self.init) else { return Vec::new() };
        let Some(next) = run.timed(sample, &input.track) else { return Vec::new() };
        let Some(mut begun) = self.resume(&next, out) else { return Vec::new() };
        let Some(run) = self.run.as_mut() else { return begun };
        begun.extend(run.place(next, self.counters, out));
        out.extend(run.rule.notice(&run.span, self.settings.segment).map(Event::Notice));
        begun
    }

    /// The leading rendition has begun a segment, or tells where it will.
    pub(crate) fn follow(&mut self, boundary: Boundary) {
        if let Some(run) = &mut self.run {
            run.rule.follow(boundary);
        }
    }

    /// From now on this is the leading video, or not.
    pub(crate) fn lead(&mut self, leads: bool) {
        match &mut self.run {
            Some(run) if leads => run.rule.lead(),
            Some(run) => run.rule.fall_behind(),
            None => {}
        }
    }

    /// How far the decode times written would be from the source's with this sample.
    pub(crate) fn lag(&self, sample: &Sample) -> Option<MediaTime> {
        let dts = self.decode_time(sample)?.ticks();
        self.run.as_ref()?.segmenter.as_ref().map(|segmenter| segmenter.lag(dts))
    }

    /// The decode time of a sample on the timeline of the presentation. `None` between stretches.
    pub(crate) fn decode_time(&self, sample: &Sample) -> Option<MediaTime> {
        self.run.as_ref().map(|run| run.decode_time(sample))
    }

    /// How far the rendition is: its newest sample, or the end of its gap. `None` between stretches.
    pub(crate) fn reach(&self) -> Option<MediaTime> {
        let run = self.run.as_ref()?;
        let ticks = match (&run.gap, &run.segmenter) {
            (Some(_), Some(segmenter)) => segmenter.end(),
            _ => run.newest,
        };
        let reach = MediaTime::new(ticks, run.stretch.timescale);
        let early = self.early.back().and_then(|early| self.decode_time(early));
        Some(early.map_or(reach, |early| early.max(reach)))
    }

    /// By how much presentation times are ahead of decode times at the beginning of the stretch. `None` before.
    pub(crate) fn delay(&self) -> Option<MediaTime> {
        self.run.as_ref()?.segmenter.as_ref().map(Segmenter::delay)
    }

    /// The Media Sequence Number of the open segment, or of the next.
    pub(crate) fn msn(&self) -> Option<u64> {
        self.run.as_ref()?.segmenter.as_ref().map(Segmenter::msn)
    }

    /// Closes what is open, at the end of a stretch. Returns the Media Sequence Number of what comes next.
    pub(crate) fn close(&mut self, now: Instant, out: &mut Vec<Event>) -> Option<u64> {
        self.run.as_mut()?.close(self.counters, now, out);
        self.msn()
    }

    /// Ends the stretch, with gap segments up to this Media Sequence Number: the next one begins with the same in all
    /// renditions.
    pub(crate) fn finish(&mut self, msn: u64, now: Instant, out: &mut Vec<Event>) {
        self.tell_gap(out);
        let Some(run) = self.run.take() else { return };
        let Some(mut segmenter) = run.segmenter else { return };
        while segmenter.msn() < msn {
            segmenter.place_gap(run.stretch.filling.target, now, out);
            segmenter.close_segment(out);
        }
        self.counters = segmenter.finish(out);
    }

    /// The number of the init section for a track: a new one when anything that it says has changed.
    fn init_number(&mut self, input: &Input, out: &mut Vec<Event>) -> u32 {
        let number = match &self.init {
            Some((same, number)) if same.coding == input.coding && same.init == input.init => return *number,
            Some((_, number)) => number + 1,
            None => 0,
        };
        self.init = Some((input.clone(), number));
        let (rendition, coding, data) = (self.counters.rendition, input.coding.clone(), input.init.clone());
        out.push(Event::Init(Init { rendition, number, coding, data }));
        number
    }

    fn tell_filling(&self, filling: Filling, timescale: Timescale, out: &mut Vec<Event>) {
        if !filling.on_grid && self.kind() == Kind::Video {
            out.push(Event::Notice(Notice::VariableFrameRate));
        }
        if !filling.suffices(self.part_target, timescale) {
            let part = MediaTime::new(filling.len, timescale).to_duration();
            let (kind, part_target) = (self.counters.kind, self.part_target);
            out.push(Event::Notice(Notice::ShortParts { kind, part, part_target }));
        }
    }
}

impl Run {
    /// The decode time of a sample on the timeline of the presentation.
    fn decode_time(&self, sample: &Sample) -> MediaTime {
        let ticks = sample.dts.rescale(self.stretch.timescale).ticks() + self.shift;
        MediaTime::new(ticks, self.stretch.timescale)
    }

    /// Puts a sample on the timeline of the presentation; `None` for one that is left out: sound that is mostly over by
    /// the first picture, and pictures before a sync sample.
    fn timed(&self, sample: Sample, track: &Track) -> Option<Timed> {
        let ticks = |time: MediaTime| time.rescale(self.stretch.timescale).ticks() + self.shift;
        let frame = self.stretch.filling.on_grid.then_some(self.stretch.filling.frame);
        let lasts = track.format.duration_of(&sample.data).map(|time| time.rescale(self.stretch.timescale).ticks());
        let dts = ticks(sample.dts);
        let timed = Timed {
            dts,
            pts: ticks(sample.pts),
            end: lasts.or(frame).map(|duration| dts + duration),
            // Every access unit of sound decodes alone.
            sync: sample.sync || track.format.kind() == Kind::Audio,
            data: if sample.sync { self.with_parameter_sets(sample.data) } else { sample.data },
            received: sample.received,
        };
        let begins = timed.sync && timed.pts >= self.first_pts - self.stretch.filling.frame / 2;
        (self.segmenter.is_some() || begins).then_some(timed)
    }

    fn with_parameter_sets(&self, data: Bytes) -> Bytes {
        if self.repeated.is_empty() || data.starts_with(&self.repeated) {
            return data;
        }
        let mut whole = BytesMut::with_capacity(self.repeated.len() + data.len());
        whole.extend_from_slice(&self.repeated);
        whole.extend_from_slice(&data);
        whole.freeze()
    }

    /// Puts a sample into a part. Returns where it begins a segment, if it does.
    fn place(&mut self, next: Timed, counters: Counters, out: &mut Vec<Event>) -> Option<Boundary> {
        let stretch = self.stretch;
        let begin = || open(counters, stretch, next.dts, next.pts - next.dts, next.received, out);
        let mut segmenter = self.segmenter.take().unwrap_or_else(begin);
        if let Some(held) = self.held.take() {
            self.last_duration = next.dts - held.dts;
            segmenter.place(held, next.dts, out);
        }
        if self.rule.cuts(&self.span, &segmenter, &next) {
            segmenter.close_segment(out);
        }
        let boundary = Boundary { msn: segmenter.msn(), pts: segmenter.boundary(&next), sync: next.sync };
        let begins = segmenter.elapsed() == 0;
        self.newest = next.end.unwrap_or(next.dts + stretch.filling.frame);
        match next.end {
            Some(end) => segmenter.place(next, end, out),
            None => self.held = Some(next),
        }
        self.segmenter = Some(segmenter);
        begins.then_some(boundary)
    }

    /// Closes what is open; begins the stretch where no sample has.
    fn close(&mut self, counters: Counters, now: Instant, out: &mut Vec<Event>) {
        let stretch = self.stretch;
        let begin = || open(counters, stretch, self.first_pts, 0, now, out);
        let mut segmenter = self.segmenter.take().unwrap_or_else(begin);
        if let Some(held) = self.held.take() {
            let true_end = held.dts + self.last_duration;
            segmenter.place(held, true_end, out);
        }
        segmenter.close_segment(out);
        self.segmenter = Some(segmenter);
    }
}

/// The segmenter of a stretch that begins at `start`.
///
/// Ahead of the first sample of all lies a gap segment of one part: hls.js takes a playlist without a whole segment for
/// an empty one, and so would play only from the second segment on.
fn open(
    counters: Counters,
    stretch: Stretch,
    start: i64,
    delay: i64,
    received: Instant,
    out: &mut Vec<Event>,
) -> Segmenter {
    if counters.part > 0 {
        return Segmenter::new(counters, stretch, start, delay);
    }
    let opening_gap = stretch.filling.target;
    let mut segmenter = Segmenter::new(counters, stretch, start - opening_gap, delay);
    segmenter.place_gap(opening_gap, received, out);
    segmenter.close_segment(out);
    segmenter
}
