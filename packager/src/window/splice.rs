//! A presentation that goes on with the media of another one of the same programme: another origin of the same feed, or the
//! same origin after a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use touchline_media::{MediaTime, Timescale};

use super::Window;
use super::run::{Run, named};
use crate::segment::Segment;
use crate::{Event, Part, SegmentEnd, SegmentStart, Splice};

/// Renditions are apart by a segment at most; more than this is no splice.
const MAX_EVENED_OUT: u64 = 16;
/// The most parts of a gap that evens out: a segment of ten seconds of the shortest.
const MAX_GAP_PARTS: u32 = 100;
/// Units of 10 us, in which playlists count.
const TIMESCALE: u32 = 100_000;

/// How events of another presentation become those of the one that goes on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// To be added to Media Sequence Numbers, modulo 2^64.
    by: u64,
}

/// Why a presentation cannot go on with another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// What must not change is not the same.
    #[error("its renditions, TARGETDURATION or PART-TARGET are others")]
    Different,
    /// The one or the other has its EXT-X-ENDLIST.
    #[error("it has ended")]
    Ended,
    /// It has no segment yet that has begun in all renditions and was not listed before.
    #[error("it has nothing yet to go on with")]
    TooEarly,
}

impl Shift {
    /// The event as it is to be applied here; `None` where it says nothing here.
    pub fn apply(self, event: &Event) -> Option<Event> {
        let msn = |msn: u64| msn.wrapping_add(self.by);
        Some(match event {
            Event::Part(part) => Event::Part(Part { msn: msn(part.msn), ..part.clone() }),
            Event::SegmentEnd(end) => Event::SegmentEnd(SegmentEnd { msn: msn(end.msn), ..*end }),
            Event::Splice(splice) => Event::Splice(Splice { msn: msn(splice.msn), ..*splice }),
            Event::Init(_) | Event::Ended => event.clone(),
            Event::Opened(_) | Event::Notice(_) => return None,
        })
    }
}

/// Has the windows `here` go on with the media of those that are `there`, from its newest segment on that begins no later than
/// what is here ends: rather something twice than nothing for a while. The events that make it so, and how those are shifted
/// that come there from now on.
///
/// Both are all windows of a presentation, in the order of its renditions.
pub fn splice(here: &[&Window], there: &[&Window], at: Instant) -> Result<(Shift, Vec<Event>), Unfit> {
    let (Some(leader), Some(other)) = (here.first(), there.first()) else { return Err(Unfit::Different) };
    if !leader.presentation.fits(&other.presentation) || here.len() != there.len() {
        return Err(Unfit::Different);
    }
    if here.iter().chain(there).any(|window| window.ended) {
        return Err(Unfit::Ended);
    }
    let last = here.iter().filter_map(|window| window.newest()).max_by_key(|segment| segment.msn);
    let msn = last.map_or(leader.media_sequence, |last| last.msn + 1);
    let end = leader.newest().map(|newest| newest.start.program_date_time + newest.duration().to_duration());
    let run = other.runs.newest();
    let listed = here.iter().filter_map(|window| window.newest_of(run)).max();
    let first = first(there, end.unwrap_or(Duration::MAX), listed).ok_or(Unfit::TooEarly)?;
    let shift = Shift { by: msn.wrapping_sub(first) };
    let named = run.named + (first - run.first);
    let (last_begins, last_lasts) = last
        .map_or((Duration::ZERO, Duration::ZERO), |last| (last.start.program_date_time, last.duration().to_duration()));
    let mut events = vec![Event::Splice(Splice { msn, epoch: run.epoch, named, last_begins, last_lasts, at })];
    for window in there {
        window.tell_from(first, at, |event| events.extend(shift.apply(&event)));
    }
    Ok((shift, events))
}

/// The newest segment of the newest run that has begun in all renditions, is not `listed` already, and begins no later than
/// `end`; where all begin later, the oldest of those whose parts are still there.
fn first(there: &[&Window], end: Duration, listed: Option<u64>) -> Option<u64> {
    let leader = there.first()?;
    let run = leader.runs.newest();
    let has = |window: &&Window, msn| window.begun(msn).is_some_and(|segment| !segment.parts.is_empty());
    let usable = |segment: &&Segment| {
        let fresh = segment.msn >= run.first && listed.is_none_or(|listed| segment.named > listed);
        fresh && there.iter().all(|window| has(window, segment.msn))
    };
    let segments = leader.segments.iter().map(|retained| &*retained.segment).chain(leader.open.as_deref()).rev();
    // One rendition may have begun what another has not.
    let mut candidates = segments.skip_while(|segment| !usable(segment)).take_while(usable).peekable();
    let mut oldest = None;
    candidates.find(|segment| {
        oldest = Some(segment.msn);
        segment.start.program_date_time <= end
    });
    oldest
}

impl Window {
    /// The segment with this number, whole or growing.
    fn begun(&self, msn: u64) -> Option<&Segment> {
        let growing = self.open.as_deref().filter(|open| open.msn == msn);
        growing.or_else(|| Some(&*self.segments.get(self.index(msn)?)?.segment))
    }

    /// The growing segment, else the newest whole one.
    fn newest(&self) -> Option<&Segment> {
        self.open.as_deref().or_else(|| self.segments.back().map(|retained| &*retained.segment))
    }

    /// The newest number in a presentation that one of its segments has which is listed here.
    fn newest_of(&self, run: Run) -> Option<u64> {
        let segments = self.segments.iter().map(|retained| &*retained.segment).chain(self.open.as_deref());
        segments.rev().find(|segment| segment.epoch == run.epoch).map(|segment| segment.named)
    }

    /// The events that lead from a splice to what is here, from a segment on.
    fn tell_from(&self, first: u64, at: Instant, mut tell: impl FnMut(Event)) {
        let whole = self.segments.iter().map(|retained| &retained.segment);
        let segments: Vec<&Arc<Segment>> = whole.chain(&self.open).filter(|segment| segment.msn >= first).collect();
        let Some(needed) = segments.first().map(|segment| segment.init()) else { return };
        let inits = self.inits.iter().skip_while(|(epoch, init)| named(*epoch, init) != needed);
        inits.for_each(|(_, init)| tell(Event::Init(init.clone())));
        for segment in segments {
            for part in &segment.parts {
                let mut part = Part { received: at, ..part.clone() };
                if let Some(start) = part.segment_start.as_mut().filter(|_| part.msn == first) {
                    start.discontinuity = true;
                }
                tell(Event::Part(part));
            }
            if segment.whole.is_some() {
                let durations = segment.parts.iter().map(|part| part.duration);
                let duration = durations.reduce(|sum, duration| sum + duration);
                let duration = duration.unwrap_or(MediaTime::zero(Timescale::MILLIS));
                tell(Event::SegmentEnd(SegmentEnd { rendition: self.rendition, msn: segment.msn, duration }));
            }
        }
    }

    /// Closes what is open, evens out what is missing, and names what follows after another presentation.
    pub(super) fn splice(&mut self, splice: &Splice) -> bool {
        let next = self.newest().map_or(self.media_sequence, |newest| newest.msn + 1);
        if self.ended || !(next..=next + MAX_EVENED_OUT).contains(&splice.msn) {
            return false;
        }
        if let Some(mut open) = self.open.take() {
            let segment = Arc::make_mut(&mut open);
            segment.cut = u32::try_from(segment.parts.len()).ok();
            segment.complete(segment.duration());
            self.close(open);
        }
        for msn in next..splice.msn {
            self.even_out(msn, splice);
        }
        self.runs.push(Run { epoch: splice.epoch, first: splice.msn, named: splice.named });
        true
    }

    /// Lists a gap in place of a segment of which nothing has come.
    fn even_out(&mut self, msn: u64, splice: &Splice) {
        let start = SegmentStart {
            program_date_time: splice.last_begins,
            discontinuity: false,
            independent: true,
            init: self.segments.back().map_or(0, |retained| retained.segment.start.init),
        };
        let longest = self.presentation.part_target.max(Duration::from_millis(1));
        let mut left = splice.last_lasts;
        let mut index = 0;
        while (!left.is_zero() && index < MAX_GAP_PARTS) || index == 0 {
            let lasts = left.min(longest);
            let timescale = Timescale::new(TIMESCALE).unwrap_or(Timescale::MILLIS);
            self.append(&Part {
                rendition: self.rendition,
                msn,
                index,
                number: self.next_part,
                duration: MediaTime::from_duration(lasts, timescale),
                independent: false,
                gap: true,
                data: Bytes::new(),
                segment_start: (index == 0).then_some(start),
                received: splice.at,
            });
            left -= lasts;
            index += 1;
        }
        if let Some(mut gap) = self.open.take() {
            let segment = Arc::make_mut(&mut gap);
            segment.complete(segment.duration());
            self.close(gap);
        }
    }
}
