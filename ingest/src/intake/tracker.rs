use std::time::Instant;

use touchline_media::timeline::{Grid, Monotone, Unwrap};
use touchline_media::{Format, MediaTime, Sample, Timescale, Track, TrackId, opus};

use super::{MAX_BACKWARD, MAX_FORWARD, MAX_GAP, MAX_SKEW, MAX_STRAYS, Source, Unit};

/// How far the samples of a track are apart, where that is constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spacing {
    pub(super) timescale: Timescale,
    pub(super) ticks: u32,
    /// What the publisher's times were rounded to.
    pub(super) rounding: Timescale,
}

/// The timeline of one track within a stretch.
#[derive(Debug)]
pub(super) struct Tracker {
    unwrap: Unwrap,
    placement: Placement,
    timescale: Timescale,
    /// What the publisher's clock says at the origin of the stretch.
    origin: MediaTime,
    /// The reading of the last unit checked, unwrapped.
    latest: MediaTime,
    /// The last unit placed in this stretch: its reading, and when it arrived.
    last: Option<(MediaTime, Instant)>,
    strays: u32,
}

#[derive(Debug)]
enum Placement {
    Grid(Grid, u32),
    Monotone(Monotone),
}

/// Where a unit lies with respect to those before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// On the timeline of the stretch.
    Fits,
    /// Not on this timeline; another track has moved on, or has yet to follow.
    Stray,
    /// The track's clock has jumped.
    Jump {
        /// From the unit before it, in milliseconds.
        by: i64,
    },
}

impl Tracker {
    pub(super) fn new(source: &Source, spacing: Option<Spacing>, origin: MediaTime) -> Self {
        let placement = Placement::new(source, spacing);
        Self {
            unwrap: Unwrap::new(source.clock, origin),
            timescale: placement.timescale(),
            placement,
            origin,
            latest: origin,
            last: None,
            strays: 0,
        }
    }

    pub(super) fn track(&self, id: TrackId, source: &Source) -> Track {
        let frame_ticks = match self.placement {
            Placement::Grid(_, frame_ticks) => Some(frame_ticks),
            Placement::Monotone(_) => None,
        };
        Track {
            id,
            timescale: self.timescale,
            format: source.format.clone(),
            frame_ticks,
            bitrate: None,
            language: source.language,
        }
    }

    /// Whether a unit lasts as long as its track says that all do. Only packets of Opus may differ.
    pub(super) fn is_as_long(&self, unit: &Unit, source: &Source) -> bool {
        match (&source.format, &self.placement) {
            (Format::Opus(_), Placement::Grid(_, ticks)) => {
                opus::packet_duration(&unit.data).is_ok_and(|duration| duration == *ticks)
            }
            _ => true,
        }
    }

    /// Reads the unit's clock. `newest` is the latest time in the stretch.
    pub(super) fn check(&mut self, unit: &Unit, newest: MediaTime) -> Verdict {
        self.latest = self.unwrap.read(unit.dts);
        let verdict = match self.last {
            Some((last, received)) => judge_step(millis(self.latest - last), unit.received, received),
            None => self.judge_first(newest),
        };
        if verdict == Verdict::Fits {
            self.last = Some((self.latest, unit.received));
        }
        verdict
    }

    /// Silence has been handed on in the place of units that did not come: the next is measured from there.
    pub(super) fn filled(&mut self, silent: &Sample) {
        let reading = self.origin + silent.dts;
        if self.last.is_some_and(|(last, _)| last < reading) {
            self.last = Some((reading, silent.received));
        }
    }

    /// The reading of the last unit checked.
    pub(super) fn latest(&self) -> MediaTime {
        self.latest
    }

    /// Begins a new stretch whose origin is at `origin`.
    pub(super) fn restart(&mut self, origin: MediaTime) {
        self.origin = origin;
        self.last = None;
        self.strays = 0;
        self.placement.restart();
    }

    /// The sample of the unit that was checked last.
    pub(super) fn place(&mut self, unit: &Unit) -> Sample {
        self.last = Some((self.latest, unit.received));
        let time = self.latest - self.origin;
        let offset = MediaTime::new(unit.offset, self.latest.timescale());
        let (dts, pts) = match &mut self.placement {
            Placement::Grid(grid, _) => grid.place(time, offset),
            Placement::Monotone(monotone) => {
                let dts = monotone.place(time);
                (dts, dts + offset)
            }
        };
        Sample { track: unit.track, dts, pts, sync: unit.sync, data: unit.data.clone(), received: unit.received }
    }

    /// The first unit of this track in a stretch belongs near what the other track has reached.
    fn judge_first(&mut self, newest: MediaTime) -> Verdict {
        if millis(self.latest - self.origin - newest).abs() <= MAX_SKEW {
            return Verdict::Fits;
        }
        self.strays += 1;
        if self.strays < MAX_STRAYS {
            return Verdict::Stray;
        }
        // It counts on a clock of its own, so all that is known is that it arrives now.
        self.origin = self.latest - newest;
        Verdict::Fits
    }
}

fn judge_step(step: i64, received: Instant, before: Instant) -> Verdict {
    let elapsed = i64::try_from(received.saturating_duration_since(before).as_millis()).unwrap_or(i64::MAX);
    let gap = step <= MAX_GAP && step <= elapsed.saturating_add(MAX_FORWARD);
    if step >= -MAX_BACKWARD && gap { Verdict::Fits } else { Verdict::Jump { by: step } }
}

fn millis(time: MediaTime) -> i64 {
    time.rescale(Timescale::MILLIS).ticks()
}

impl Placement {
    fn new(source: &Source, spacing: Option<Spacing>) -> Self {
        match (spacing, &source.format) {
            (Some(Spacing { timescale, ticks, rounding }), _) => {
                Self::Grid(Grid::new(timescale, ticks, rounding), ticks)
            }
            (None, Format::Opus(config)) => Self::Monotone(Monotone::new(config.timescale())),
            (None, _) => Self::Monotone(Monotone::new(Timescale::NINETY_KHZ)),
        }
    }

    fn timescale(&self) -> Timescale {
        match self {
            Self::Grid(grid, _) => grid.timescale(),
            Self::Monotone(monotone) => monotone.timescale(),
        }
    }

    fn restart(&mut self) {
        match self {
            Self::Grid(grid, _) => grid.restart(),
            Self::Monotone(monotone) => monotone.restart(),
        }
    }
}
