use std::time::{Duration, Instant};

use touchline_media::{Kind, MediaTime, Sample, Timescale, Track};

use crate::cut::{Boundary, Rule, Span};
use crate::packager::Input;
use crate::segmenter::{Anchor, Counters, Segmenter, Stretch, Timed};
use crate::target::Filling;
use crate::{Event, Init, Notice, Presentation, RenditionId, Settings};

/// One rendition's way from samples to parts, over all stretches.
#[derive(Debug)]
pub(crate) struct Lane {
    role: Role,
    settings: Settings,
    part_target: Duration,
    counters: Counters,
    /// The track that the newest init section is for, and the number of that.
    init: Option<(Track, u32)>,
    run: Option<Run>,
}

/// What a rendition's segments are cut by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its own sync samples.
    Video,
    /// The video's cuts.
    AudioBesideVideo,
    /// Time alone.
    AudioAlone,
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
    /// From the timeline of the feed to that of the presentation, in ticks.
    shift: i64,
    /// Sound that is mostly over by the first picture is left out: the PTS from which on it is not.
    from: i64,
    /// From the first sample on.
    segmenter: Option<Segmenter>,
    /// Without a frame grid: the newest sample, whose duration the next one tells.
    held: Option<Timed>,
    /// The duration of the sample before that.
    last_duration: i64,
}

impl Lane {
    pub(crate) fn new(rendition: RenditionId, role: Role, settings: &Settings, presentation: &Presentation) -> Self {
        let kind = if role == Role::Video { Kind::Video } else { Kind::Audio };
        let end = MediaTime::zero(Timescale::MILLIS);
        Self {
            role,
            settings: settings.clone(),
            part_target: presentation.part_target,
            counters: Counters { rendition, kind, msn: presentation.first_msn, part: 0, end },
            init: None,
            run: None,
        }
    }

    /// The end of what there is.
    pub(crate) fn end(&self) -> MediaTime {
        self.counters.end
    }

    /// Begins a stretch.
    pub(crate) fn begin(&mut self, input: &Input, timeline: &Timeline, out: &mut Vec<Event>) {
        let timescale = input.track.timescale;
        let filling = Filling::new(&input.track, self.part_target);
        self.tell_filling(filling, timescale, out);
        let shift = timeline.base.rescale(timescale).ticks() - timeline.origin.rescale(timescale).ticks();
        let first_pts = timeline.first_pts.rescale(timescale).ticks() + shift;
        let stretch = Stretch {
            timescale,
            filling,
            init: self.init_number(input, out),
            discontinuity: timeline.discontinuity,
            anchor: timeline.anchor(),
        };
        self.run = Some(Run {
            stretch,
            span: Span::new(&self.settings, filling, timescale),
            rule: Rule::new(self.role),
            shift,
            from: if self.role == Role::Video { i64::MIN } else { first_pts - filling.frame / 2 },
            segmenter: None,
            held: None,
            last_duration: filling.frame,
        });
    }

    /// The next sample. Returns where it begins a segment, if it does.
    pub(crate) fn push(&mut self, sample: Sample, out: &mut Vec<Event>) -> Option<Boundary> {
        let run = self.run.as_mut()?;
        let next = run.timed(sample, self.counters.kind)?;
        let segmenter = run
            .segmenter
            .get_or_insert_with(|| open(self.counters, run.stretch, next.dts, next.pts - next.dts, next.received, out));
        if let Some(held) = run.held.take() {
            run.last_duration = next.dts - held.dts;
            segmenter.place(held, next.dts, out);
        }
        if run.rule.cuts(&run.span, segmenter, &next) {
            segmenter.close_segment(out);
        }
        let boundary = Boundary { msn: segmenter.msn(), pts: segmenter.boundary(&next) };
        let begins = segmenter.elapsed() == 0;
        out.extend(run.rule.notice(&run.span, self.settings.segment).map(Event::Notice));
        if run.stretch.filling.on_grid {
            let true_end = next.dts + run.stretch.filling.frame;
            segmenter.place(next, true_end, out);
        } else {
            run.held = Some(next);
        }
        begins.then_some(boundary)
    }

    /// The video has begun a segment.
    pub(crate) fn follow(&mut self, boundary: Boundary) {
        if let Some(run) = &mut self.run {
            run.rule.follow(boundary);
        }
    }

    /// How far the decode times written would be from the source's with this sample.
    pub(crate) fn lag(&self, sample: &Sample) -> Option<MediaTime> {
        let run = self.run.as_ref()?;
        let dts = sample.dts.rescale(run.stretch.timescale).ticks() + run.shift;
        run.segmenter.as_ref().map(|segmenter| segmenter.lag(dts))
    }

    /// Ends the stretch: closes what is open.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        let Some(run) = self.run.take() else { return };
        let Some(mut segmenter) = run.segmenter else { return };
        if let Some(held) = run.held {
            let true_end = held.dts + run.last_duration;
            segmenter.place(held, true_end, out);
        }
        self.counters = segmenter.finish(out);
    }

    /// The number of the init section for a track: a new one when anything that it says has changed.
    fn init_number(&mut self, input: &Input, out: &mut Vec<Event>) -> u32 {
        let Input { track, coding, init } = input;
        let number = match &self.init {
            Some((same, number)) if same.format == track.format && same.timescale == track.timescale => return *number,
            Some((_, number)) => number + 1,
            None => 0,
        };
        self.init = Some((track.clone(), number));
        let rendition = self.counters.rendition;
        out.push(Event::Init(Init { rendition, number, coding: coding.clone(), data: init.clone() }));
        number
    }

    fn tell_filling(&self, filling: Filling, timescale: Timescale, out: &mut Vec<Event>) {
        if !filling.on_grid {
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
    /// Puts a sample on the timeline of the presentation; `None` for sound that is left out.
    fn timed(&self, sample: Sample, kind: Kind) -> Option<Timed> {
        let ticks = |time: MediaTime| time.rescale(self.stretch.timescale).ticks() + self.shift;
        let pts = ticks(sample.pts);
        (pts >= self.from).then(|| Timed {
            dts: ticks(sample.dts),
            pts,
            // Every access unit of AAC decodes alone.
            sync: sample.sync || kind == Kind::Audio,
            data: sample.data,
            received: sample.received,
        })
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
