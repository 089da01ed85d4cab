mod found;
mod retention;
mod run;
mod splice;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use self::run::Runs;
use crate::bitrate::{Meter, Rates};
use crate::history::History;
use crate::seconds::Seconds;
use crate::segment::{Body, Segment};
use crate::snapshot::Snapshot;
use crate::{
    Coding, Epoch, Event, Init, Item, MediaPlaylist, Name, Part, Presentation, RenditionId, Report, SegmentEnd,
};

pub use self::found::{Found, Offload, Resource};
pub use self::run::Run;
pub use self::splice::{Shift, Unfit, splice};

/// One rendition as a viewer sees it: what is listed, and what can be fetched.
///
/// Rebuilt from events alone, so that every node that gets the same events serves the same bytes. What an event costs does
/// not depend on how long the window is.
#[derive(Debug, Clone)]
pub struct Window {
    presentation: Arc<Presentation>,
    rendition: RenditionId,
    /// Those that a retained segment needs, and the newest, each with the presentation that it is named after.
    inits: VecDeque<(Epoch, Init)>,
    /// After which presentations segments are named.
    runs: Runs,
    /// Whole segments, oldest first: `unlisted` that have left the playlist and can still be fetched, then those of
    /// `history`, then those that every playlist has in full.
    segments: VecDeque<Retained>,
    unlisted: usize,
    history: History,
    /// The segment that is growing.
    open: Option<Arc<Segment>>,
    listed: Seconds,
    /// The duration of the longest playlist so far.
    longest: Seconds,
    media_sequence: u64,
    discontinuity_sequence: u64,
    last_part: Option<(u64, u32)>,
    next_part: u64,
    /// How many retained segments begin with anything but a sync sample.
    dependent: usize,
    /// Segments before this Media Sequence Number have been handed out by [`Window::offload`].
    offloaded: u64,
    ended: bool,
    meter: Meter,
}

/// A whole segment in a [`Window`].
#[derive(Debug, Clone)]
pub struct Retained {
    /// The segment.
    pub segment: Arc<Segment>,
    /// When it entered the playlist, at the latest; `None` until a part has come after it.
    pub appeared: Option<Instant>,
    /// Once its parts have left the playlist: until when they can be fetched.
    pub parts_until: Option<Instant>,
    /// Once it has left the playlist: until when it can be fetched.
    pub until: Option<Instant>,
}

impl Window {
    /// A rendition of which nothing has come yet.
    pub fn new(presentation: Arc<Presentation>, rendition: RenditionId) -> Self {
        Self {
            media_sequence: presentation.first_msn,
            runs: Runs::new(&presentation),
            presentation,
            rendition,
            inits: VecDeque::new(),
            segments: VecDeque::new(),
            unlisted: 0,
            history: History::default(),
            open: None,
            listed: Seconds::default(),
            longest: Seconds::default(),
            discontinuity_sequence: 0,
            last_part: None,
            next_part: 0,
            dependent: 0,
            offloaded: 0,
            ended: false,
            meter: Meter::default(),
        }
    }

    /// All that [`Window::restore`] needs. Cheap: segments are shared.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            inits: self.inits.iter().cloned().collect(),
            runs: self.runs.iter().copied().collect(),
            segments: self.segments.iter().cloned().collect(),
            open: self.open.clone(),
            media_sequence: self.media_sequence,
            discontinuity_sequence: self.discontinuity_sequence,
            longest: self.longest,
            last_part: self.last_part,
            next_part: self.next_part,
            ended: self.ended,
            meter: self.meter.clone(),
        }
    }

    /// A window that goes on as the one that the snapshot was taken of: the same events give the same playlists.
    pub fn restore(presentation: Arc<Presentation>, rendition: RenditionId, snapshot: Snapshot) -> Self {
        let Snapshot { inits, segments, open, .. } = snapshot;
        let mut segments: VecDeque<Retained> = segments.into();
        let unlisted = segments.partition_point(|retained| retained.segment.msn < snapshot.media_sequence);
        for listed in segments.iter_mut().skip(unlisted) {
            listed.until = None;
        }
        let all = segments.iter().map(|retained| &retained.segment).chain(&open);
        let dependent = all.filter(|segment| !segment.start.independent).count();
        let listed = segments.iter().skip(unlisted).map(|retained| retained.segment.duration()).sum();
        let mut window = Self {
            runs: Runs::restore(&presentation, snapshot.runs),
            presentation,
            rendition,
            inits: inits.into(),
            segments,
            unlisted,
            history: History::default(),
            open,
            listed,
            longest: snapshot.longest,
            media_sequence: snapshot.media_sequence,
            discontinuity_sequence: snapshot.discontinuity_sequence,
            last_part: snapshot.last_part,
            next_part: snapshot.next_part,
            dependent,
            offloaded: 0,
            ended: snapshot.ended,
            meter: snapshot.meter,
        };
        window.age();
        window
    }

    /// Takes an event of the presentation; tells whether the playlist has changed. Events of other renditions are ignored.
    pub fn apply(&mut self, event: &Event) -> bool {
        match event {
            Event::Init(init) if init.rendition == self.rendition => {
                self.inits.push_back((self.runs.newest().epoch, init.clone()));
                false
            }
            Event::Part(part) if part.rendition == self.rendition => self.append(part),
            Event::SegmentEnd(end) if end.rendition == self.rendition => self.complete(*end),
            Event::Splice(splice) => self.splice(splice),
            Event::Ended => !std::mem::replace(&mut self.ended, true),
            _ => false,
        }
    }

    /// The playlist as it is now, with the `reports` of other renditions; one of its own is left out.
    pub fn playlist(&self, reports: &[Report]) -> MediaPlaylist {
        let recent = self.segments.iter().skip(self.unlisted + self.history.len()).map(|retained| &retained.segment);
        let first = self.segments.get(self.unlisted).map(|retained| &retained.segment).or(self.open.as_ref());
        MediaPlaylist {
            presentation: Arc::clone(&self.presentation),
            media_sequence: self.media_sequence,
            discontinuity_sequence: self.discontinuity_sequence,
            map: first.filter(|first| !first.maps).map(|first| first.init()),
            history: self.history.clone(),
            recent: recent.chain(&self.open).cloned().collect(),
            next_part: Name { epoch: self.runs.newest().epoch, item: Item::Part(self.next_part) },
            reports: reports.iter().filter(|report| report.rendition != self.rendition).copied().collect(),
            ended: self.ended,
        }
    }

    /// What the playlists of other renditions say of this one; `None` before its first part.
    pub fn report(&self) -> Option<Report> {
        self.last_part.map(|(msn, part)| Report { rendition: self.rendition, msn, part })
    }

    /// The Media Sequence Number and the index of the newest part.
    pub fn last_part(&self) -> Option<(u64, u32)> {
        self.last_part
    }

    /// The Media Sequence Number of the newest whole segment.
    pub fn last_segment(&self) -> Option<u64> {
        self.segments.back().map(|retained| retained.segment.msn)
    }

    /// The bytes of a whole segment, where they are here.
    pub fn whole(&self, msn: u64) -> Option<Arc<[Bytes]>> {
        match &self.segments.get(self.index(msn)?)?.segment.whole.as_ref()?.body {
            Body::Here(chunks) => Some(Arc::clone(chunks)),
            Body::Elsewhere { .. } => None,
        }
    }

    /// Whether the playlist has its EXT-X-ENDLIST.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// The Media Sequence Number of the oldest segment that can be fetched, or that will be.
    pub fn oldest(&self) -> u64 {
        self.segments.front().map_or(self.media_sequence, |retained| retained.segment.msn)
    }

    /// The presentation it belongs to.
    pub fn presentation(&self) -> &Arc<Presentation> {
        &self.presentation
    }

    /// The rendition it shows.
    pub fn rendition(&self) -> RenditionId {
        self.rendition
    }

    /// Whether its media is missing at the live edge: the newest segment is a gap, and neither the one that it opens with
    /// nor one that evens out its number with the others' where their publisher stopped.
    pub fn in_gap(&self) -> bool {
        let whole = self.segments.back().map(|retained| &retained.segment);
        let Some(newest) = self.open.as_ref().or(whole) else { return false };
        let evens_out = newest.whole.is_some() && newest.parts.len() == 1;
        newest.gap && !evens_out && newest.msn > self.presentation.first_msn
    }

    /// The bitrates measured so far; `None` before the first part that is not a gap.
    pub fn rates(&self) -> Option<Rates> {
        self.meter.rates()
    }

    /// What can be fetched carries, newest first.
    pub fn codings(&self) -> impl Iterator<Item = &Coding> {
        self.inits.iter().rev().map(|(_, init)| &init.coding)
    }

    /// Whether every segment that can be fetched begins with a sync sample (RFC 8216bis 4.4.2.1).
    pub fn independent_segments(&self) -> bool {
        self.dependent == 0
    }

    fn append(&mut self, part: &Part) -> bool {
        match (&mut self.open, part.segment_start) {
            (Some(open), None) => Arc::make_mut(open).parts.push(part.clone()),
            (None, Some(start)) => {
                self.dependent += usize::from(!start.independent);
                let before = self.segments.back().map(|retained| retained.segment.init());
                let mut segment = Segment::new(start, self.runs.name(part.msn), part.clone());
                segment.maps = before != Some(segment.init());
                self.open = Some(Arc::new(segment));
            }
            // A part of a segment whose beginning or end this window has not seen.
            (None, None) | (Some(_), Some(_)) => return false,
        }
        self.meter.part(part);
        self.last_part = Some((part.msn, part.index));
        self.next_part = part.number + 1;
        self.evict(part.received);
        true
    }

    fn complete(&mut self, end: SegmentEnd) -> bool {
        let Some(mut segment) = self.open.take_if(|open| open.msn == end.msn) else { return false };
        Arc::make_mut(&mut segment).complete(end.duration.into());
        self.close(segment);
        true
    }

    /// Lists a segment that has become whole.
    fn close(&mut self, segment: Arc<Segment>) {
        self.meter.segment(&segment, self.presentation.target_duration);
        self.listed += segment.duration();
        self.longest = self.longest.max(self.listed);
        self.segments.push_back(Retained { segment, appeared: None, parts_until: None, until: None });
        self.age();
        self.slide();
    }

    /// Where a whole segment is among those retained.
    fn index(&self, msn: u64) -> Option<usize> {
        self.segments.binary_search_by_key(&msn, |retained| retained.segment.msn).ok()
    }
}
