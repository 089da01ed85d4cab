use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::bitrate::{Meter, Rates};
use crate::history::History;
use crate::playlist::{Listed, near};
use crate::seconds::Seconds;
use crate::segment::{Body, Segment};
use crate::snapshot::Snapshot;
use crate::{Coding, Event, Init, Item, MediaPlaylist, Name, Part, Presentation, RenditionId, Report, SegmentEnd};

/// One rendition as a viewer sees it: what is listed, and what can be fetched.
///
/// Rebuilt from events alone, so that every node that gets the same events serves the same bytes. What an event costs does
/// not depend on how long the window is.
#[derive(Debug, Clone)]
pub struct Window {
    presentation: Arc<Presentation>,
    rendition: RenditionId,
    /// Those that a retained segment needs, and the newest.
    inits: VecDeque<Init>,
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

/// What [`Window::find`] has found.
#[derive(Debug, Clone)]
pub enum Found {
    /// Here it is.
    Ready(Resource),
    /// A segment of so many bytes that has been handed out by [`Window::offload`].
    Offloaded {
        /// Its Media Sequence Number.
        msn: u64,
        /// Its size in bytes.
        len: u64,
    },
    /// The part that comes next: to be held until it exists (RFC 8216bis 6.2.6).
    Next,
    /// Neither there nor announced.
    Missing,
}

/// The bytes of an init section, a part or a segment.
#[derive(Debug, Clone)]
pub enum Resource {
    /// In one piece.
    Whole(Bytes),
    /// A segment, as its parts in order.
    Chunks(Arc<[Bytes]>),
}

/// A segment to be kept elsewhere.
#[derive(Debug, Clone)]
pub struct Offload {
    /// Its Media Sequence Number.
    pub msn: u64,
    /// Its parts in order.
    pub chunks: Arc<[Bytes]>,
}

impl Resource {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Whole(data) => data.len(),
            Self::Chunks(chunks) => chunks.iter().map(Bytes::len).sum(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Window {
    /// A rendition of which nothing has come yet.
    pub fn new(presentation: Arc<Presentation>, rendition: RenditionId) -> Self {
        Self {
            media_sequence: presentation.first_msn,
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
                self.inits.push_back(init.clone());
                false
            }
            Event::Part(part) if part.rendition == self.rendition => self.append(part),
            Event::SegmentEnd(end) if end.rendition == self.rendition => self.complete(*end),
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
            map: first.filter(|first| !first.maps).map(|first| first.start.init),
            history: self.history.clone(),
            recent: recent.chain(&self.open).cloned().collect(),
            next_part: self.next_part,
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

    /// What a viewer who asks for this file gets.
    pub fn find(&self, name: Name) -> Found {
        if name.epoch != self.presentation.epoch {
            return Found::Missing;
        }
        let found = match name.item {
            Item::Init(number) => self.init(number).map(|init| Found::Ready(Resource::Whole(init.data.clone()))),
            Item::Segment(msn) => self.segment(msn),
            Item::Part(number) if number == self.next_part && !self.ended => Some(Found::Next),
            Item::Part(number) => self.part(number).map(|part| Found::Ready(Resource::Whole(part.data.clone()))),
        };
        found.unwrap_or(Found::Missing)
    }

    /// Whole segments that are to be kept elsewhere, because they end further than `distance` from the end of the newest:
    /// each is handed out once. [`Window::offloaded`] says that it is there.
    pub fn offload(&mut self, distance: Duration) -> Vec<Offload> {
        let near = near(self.segments.iter().map(|retained| &retained.segment), distance);
        let far = self.segments.len() - near;
        let fresh = self.segments.partition_point(|retained| retained.segment.msn < self.offloaded);
        let chosen = self.segments.range(fresh.min(far)..far).map(|retained| &retained.segment);
        let offloads: Vec<Offload> = chosen.filter_map(|segment| offload(segment)).collect();
        self.offloaded = self.segments.get(far).map_or(self.offloaded, |first| first.segment.msn.max(self.offloaded));
        offloads
    }

    /// The segment is kept elsewhere from now on.
    pub fn offloaded(&mut self, msn: u64) {
        let Some(index) = self.index(msn) else { return };
        let retained = self.segments.get_mut(index);
        let whole = retained.and_then(|retained| Arc::make_mut(&mut retained.segment).whole.as_mut());
        if let Some(whole) = whole
            && let Body::Here(chunks) = &whole.body
        {
            whole.body = Body::Elsewhere { len: chunks.iter().map(|chunk| chunk.len() as u64).sum() };
        }
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
        self.inits.iter().rev().map(|init| &init.coding)
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
                let before = self.segments.back().map(|retained| retained.segment.start.init);
                self.open = Some(Arc::new(Segment::new(start, before != Some(start.init), part.clone())));
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
        Arc::make_mut(&mut segment).complete(end.duration);
        self.meter.segment(&segment, self.presentation.target_duration);
        self.listed += segment.duration();
        self.longest = self.longest.max(self.listed);
        self.segments.push_back(Retained { segment, appeared: None, parts_until: None, until: None });
        self.age();
        self.slide();
        true
    }

    /// Turns segments into text once they are beyond the Skip Boundary.
    ///
    /// RFC 8216bis 6.2.5.1: that is counted from the end of the newest whole segment, and what begins beyond it but ends
    /// within it is not skipped.
    fn age(&mut self) {
        let Some(boundary) = self.presentation.skip_boundary().map(Seconds::from) else { return };
        let recent = self.segments.range(self.unlisted + self.history.len()..);
        let mut beyond = recent.map(|retained| retained.segment.duration()).sum::<Seconds>();
        while let Some(retained) = self.segments.get(self.unlisted + self.history.len()) {
            beyond -= retained.segment.duration();
            if beyond < boundary {
                break;
            }
            let (segment, epoch) = (&*retained.segment, self.presentation.epoch);
            self.history.push(Listed { segment, epoch, parts: false });
        }
    }

    /// Takes segments off the front of the playlist, as long as what remains covers the window.
    fn slide(&mut self) {
        // RFC 8216bis 6.2.2: at least three target durations of whole segments stay.
        let keep = Seconds::from(self.presentation.window.max(self.presentation.three_targets()));
        while let Some(front) = self.segments.get(self.unlisted) {
            let duration = front.segment.duration();
            if self.listed < keep + duration {
                break;
            }
            self.listed -= duration;
            self.media_sequence = front.segment.msn + 1;
            // 6.2.2: counted when the tag leaves, so that the number of every segment stays.
            self.discontinuity_sequence += u64::from(front.segment.start.discontinuity);
            self.unlisted += 1;
            self.history.pop();
        }
    }

    /// Forgets what need not be fetched any more. The ends of segments carry no time of their own: `now`, that of the
    /// part after them, is no earlier.
    fn evict(&mut self, now: Instant) {
        for whole in self.segments.iter_mut().rev().take_while(|whole| whole.appeared.is_none()) {
            whole.appeared = Some(now);
        }
        self.let_parts_go(now);
        for left in self.segments.range_mut(..self.unlisted).rev().take_while(|left| left.until.is_none()) {
            // 6.2.2: a segment can be fetched for its own duration and that of the longest playlist from when it appeared.
            let retained = left.segment.duration() + self.longest;
            left.until = Some(left.appeared.unwrap_or(now) + retained.to_duration());
        }
        let over = |front: &Retained| {
            let parts_over = front.parts_until.is_some_and(|until| until <= now);
            parts_over && front.until.is_some_and(|until| until <= now)
        };
        while let Some(front) = self.segments.pop_front_if(|front| over(front)) {
            self.unlisted -= 1;
            self.dependent -= usize::from(!front.segment.start.independent);
        }
        let oldest = self.segments.front().map(|retained| &retained.segment).or(self.open.as_ref());
        let needed = oldest.map_or(0, |segment| segment.start.init);
        while self.inits.pop_front_if(|init| init.number < needed).is_some() {}
    }

    /// RFC 8216bis 6.2.2: a part can be fetched for three target durations from when its tag left the playlist.
    fn let_parts_go(&mut self, now: Instant) {
        let three_targets = self.presentation.three_targets();
        let listed = self.segments.iter().map(|retained| &retained.segment).chain(&self.open);
        let far = (self.segments.len() + usize::from(self.open.is_some())) - near(listed, three_targets);
        let far = self.segments.range_mut(..far.min(self.segments.len()));
        for retained in far.rev().take_while(|retained| !retained.segment.parts.is_empty()) {
            if *retained.parts_until.get_or_insert(now + three_targets) <= now {
                Arc::make_mut(&mut retained.segment).parts = Vec::new();
            }
        }
    }

    fn init(&self, number: u32) -> Option<&Init> {
        self.inits.iter().find(|init| init.number == number)
    }

    /// Where a whole segment is among those retained.
    fn index(&self, msn: u64) -> Option<usize> {
        self.segments.binary_search_by_key(&msn, |retained| retained.segment.msn).ok()
    }

    fn segment(&self, msn: u64) -> Option<Found> {
        let segment = &self.segments.get(self.index(msn)?)?.segment;
        match &segment.whole.as_ref()?.body {
            Body::Here(chunks) => Some(Found::Ready(Resource::Chunks(Arc::clone(chunks)))),
            Body::Elsewhere { len } => Some(Found::Offloaded { msn, len: *len }),
        }
    }

    fn part(&self, number: u64) -> Option<&Part> {
        let growing = self.open.as_ref().and_then(|open| open.part(number));
        growing.or_else(|| {
            let after = self.segments.partition_point(|retained| retained.segment.first_part <= number);
            self.segments.get(after.checked_sub(1)?)?.segment.part(number)
        })
    }
}

fn offload(segment: &Segment) -> Option<Offload> {
    match &segment.whole.as_ref()?.body {
        Body::Here(chunks) => Some(Offload { msn: segment.msn, chunks: Arc::clone(chunks) }),
        Body::Elsewhere { .. } => None,
    }
}
