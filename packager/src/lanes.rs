use std::time::{Duration, Instant};

use touchline_media::{Kind, MediaTime, Sample, Timescale};

use crate::cut::Boundary;
use crate::input::Input;
use crate::lane::{DISTANCE, Lane, PATIENCE, Role, Timeline};
use crate::{Event, Presentation, Settings};

/// How far the decode times written may be from the source's, and how far renditions may be apart: beyond, a new stretch
/// begins. So no sample is answered with more than so much of a gap.
const MAX_LAG: Duration = Duration::from_secs(10);

/// How many segments the numbers of renditions may be apart: beyond, a new stretch begins, with the same in all.
const MAX_MSN_SPREAD: u64 = 8;

/// The renditions of a presentation side by side.
#[derive(Debug)]
pub(crate) struct Lanes {
    /// In the order of the presentation's renditions.
    all: Vec<Lane>,
    /// The one whose segments the others follow: the first, and when that is in a gap the pictures that are not.
    lead: usize,
    /// Until when it is known where the leading rendition begins segments, in the time of the feed.
    shown: Option<MediaTime>,
    /// When the newest sample was received.
    now: Instant,
}

impl Lanes {
    pub(crate) fn new(presentation: &Presentation, settings: &Settings, now: Instant) -> Self {
        let kinds = presentation.renditions.iter().map(crate::Rendition::kind);
        let lanes = presentation.ids().zip(kinds).enumerate().map(|(index, (id, kind))| {
            let role = match (kind, index) {
                (Kind::Video, 0) => Role::LeadingVideo,
                (Kind::Video, _) => Role::VideoBeside,
                (Kind::Audio, 0) => Role::LeadingAudio,
                (Kind::Audio, _) => Role::AudioBeside,
            };
            Lane::new(id, role, settings, presentation)
        });
        Self { all: lanes.collect(), lead: 0, shown: None, now }
    }

    /// The end of what there is, between stretches.
    pub(crate) fn end(&self) -> MediaTime {
        self.all.iter().map(Lane::end).fold(MediaTime::zero(Timescale::NINETY_KHZ), MediaTime::max)
    }

    /// What each rendition's times have been told by.
    pub(crate) fn clocks(&self) -> impl Iterator<Item = Option<Timescale>> {
        self.all.iter().map(Lane::clock)
    }

    /// Begins a stretch.
    pub(crate) fn begin(&mut self, inputs: &[Input], timeline: &Timeline, now: Instant, out: &mut Vec<Event>) {
        (self.lead, self.shown, self.now) = (0, None, now);
        for (lane, input) in self.all.iter_mut().zip(inputs) {
            lane.begin(input, timeline, out);
        }
        self.fill(out);
    }

    /// The source of a rendition pauses.
    pub(crate) fn leave(&mut self, index: usize, out: &mut Vec<Event>) {
        let Some(lane) = self.all.get_mut(index) else { return };
        lane.leave();
        self.fill(out);
    }

    /// Hands a sample to its rendition.
    pub(crate) fn push(&mut self, index: usize, sample: Sample, out: &mut Vec<Event>) {
        self.now = sample.received;
        let Some(lane) = self.all.get_mut(index) else { return };
        if index == self.lead {
            self.shown = self.shown.max(Some(lane.shown_with(&sample)));
        }
        lane.queue(sample);
        self.package(out);
    }

    /// Writes gaps where renditions have stalled or left. To be called after each sample, unless [`Lanes::apart`].
    pub(crate) fn fill(&mut self, out: &mut Vec<Event>) {
        let Some(furthest) = self.furthest() else { return };
        let behind = |duration| furthest - MediaTime::from_duration(duration, furthest.timescale());
        let (overdue, until) = (behind(PATIENCE), behind(DISTANCE));
        for lane in &mut self.all {
            lane.stall(overdue, self.now, out);
        }
        if let Some(index) = self.all.iter().position(|lane| lane.kind() == Kind::Video && !lane.in_gap()) {
            self.take_over(index);
        }
        for index in self.leader_first() {
            let until = self.media_beside(index, furthest).unwrap_or(until);
            let begun = self.all.get_mut(index).map(|lane| lane.fill(until, self.now, out));
            self.announce(index, &begun.unwrap_or_default());
        }
    }

    /// Up to where a rendition has a gap whose source has left: as far as the leading one is, and its cuts are known.
    fn media_beside(&self, index: usize, furthest: MediaTime) -> Option<MediaTime> {
        let lane = self.all.get(index).filter(|lane| lane.has_left())?;
        if index == self.lead {
            return Some(furthest);
        }
        let leader = self.all.get(self.lead)?;
        // Cuts are known by presentation times, and gaps are written by decode times.
        let earlier = (lane.delay()? - leader.delay()?).max(MediaTime::zero(Timescale::MILLIS));
        Some(leader.reach()? - earlier)
    }

    /// Whether the decode times written of a rendition would be too far from the source's with this sample.
    pub(crate) fn far_off(&self, index: usize, sample: &Sample) -> bool {
        let lag = self.all.get(index).and_then(|lane| lane.lag(sample));
        lag.is_some_and(|lag| lag.to_duration() > MAX_LAG)
    }

    /// Whether a sample is too far ahead of all that there is.
    pub(crate) fn far_ahead(&self, index: usize, sample: &Sample) -> bool {
        let decode_time = self.all.get(index).and_then(|lane| lane.decode_time(sample));
        let ahead = decode_time.zip(self.furthest()).map(|(time, furthest)| (time - furthest).to_duration());
        ahead.is_some_and(|ahead| ahead > MAX_LAG)
    }

    /// Whether renditions are too far apart to go on together.
    pub(crate) fn apart(&self) -> bool {
        let nearest = self.all.iter().filter_map(Lane::reach).min();
        let spread = self.furthest().zip(nearest).map(|(furthest, nearest)| (furthest - nearest).to_duration());
        let msns = || self.all.iter().filter_map(Lane::msn);
        let ahead = msns().max().zip(msns().min()).map(|(most, least)| most - least);
        spread.is_some_and(|spread| spread > MAX_LAG) || ahead.is_some_and(|ahead| ahead > MAX_MSN_SPREAD)
    }

    /// Ends the stretch: closes what is open.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        self.shown = None;
        self.package(out);
        let next = self.all.iter_mut().filter_map(|lane| lane.close(self.now, out)).max();
        for lane in &mut self.all {
            lane.finish(next.unwrap_or(0), self.now, out);
        }
    }

    /// Packages what does not have to wait for the leading rendition.
    fn package(&mut self, out: &mut Vec<Event>) {
        for index in self.leader_first() {
            while let Some(sample) = self.next(index) {
                if sample.sync {
                    self.take_over(index);
                }
                let begun = self.all.get_mut(index).map(|lane| lane.push(sample, out));
                self.announce(index, &begun.unwrap_or_default());
            }
        }
    }

    /// All renditions: the others wait for the boundaries of the leading one.
    fn leader_first(&self) -> impl Iterator<Item = usize> + use<> {
        std::iter::once(self.lead).chain(0..self.all.len())
    }

    fn next(&mut self, index: usize) -> Option<Sample> {
        let leads = index == self.lead || self.all.get(self.lead).is_some_and(Lane::in_gap);
        let shown = if leads { None } else { self.shown };
        self.all.get_mut(index)?.next(shown)
    }

    /// Pictures that go on, or come back, lead when the leading ones are in a gap.
    fn take_over(&mut self, index: usize) {
        let stalled = self.all.get(self.lead).is_some_and(|lead| lead.in_gap() && lead.kind() == Kind::Video);
        let pictures = self.all.get(index).is_some_and(|lane| lane.kind() == Kind::Video);
        if !stalled || !pictures || index == self.lead {
            return;
        }
        if let Some(old) = self.all.get_mut(self.lead) {
            old.lead(false);
        }
        if let Some(new) = self.all.get_mut(index) {
            new.lead(true);
        }
        (self.lead, self.shown) = (index, None);
    }

    /// Tells the others where the leading rendition begins segments.
    fn announce(&mut self, from: usize, boundaries: &[Boundary]) {
        if from != self.lead {
            return;
        }
        // The leading rendition itself follows none.
        for lane in &mut self.all {
            for boundary in boundaries {
                lane.follow(*boundary);
            }
        }
    }

    fn furthest(&self) -> Option<MediaTime> {
        self.all.iter().filter_map(Lane::reach).max()
    }
}
