use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::bitrate::{Meter, Rates};
use crate::segment::Segment;
use crate::{Coding, Event, Init, Item, MediaPlaylist, Name, Part, Presentation, RenditionId, SegmentEnd};

/// One rendition as a viewer sees it: what is listed, and what can be fetched.
///
/// Rebuilt from events alone, so that every node that gets the same events serves the same bytes.
#[derive(Debug, Clone)]
pub struct Window {
    presentation: Arc<Presentation>,
    rendition: RenditionId,
    /// Those that a retained segment needs, and the newest.
    inits: VecDeque<Init>,
    /// Whole segments, oldest first; the first [`Window::unlisted`] have left the playlist and can still be fetched.
    segments: VecDeque<Retained>,
    unlisted: usize,
    /// The segment that is growing.
    open: Option<Arc<Segment>>,
    listed: Duration,
    /// The duration of the longest playlist so far.
    longest: Duration,
    media_sequence: u64,
    discontinuity_sequence: u64,
    last_part: Option<(u64, u32)>,
    next_part: u64,
    independent: bool,
    ended: bool,
    meter: Meter,
}

#[derive(Debug, Clone)]
struct Retained {
    segment: Arc<Segment>,
    /// Once it is whole: when it entered the playlist, at the latest.
    appeared: Option<Instant>,
    /// Once it has left the playlist: until when it can be fetched.
    until: Option<Instant>,
}

/// What [`Window::find`] has found.
#[derive(Debug, Clone)]
pub enum Found {
    /// Here it is.
    Ready(Resource),
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
            open: None,
            listed: Duration::ZERO,
            longest: Duration::ZERO,
            discontinuity_sequence: 0,
            last_part: None,
            next_part: 0,
            independent: true,
            ended: false,
            meter: Meter::default(),
        }
    }

    /// Takes an event of the presentation; tells whether the playlist has changed. Events of other renditions are ignored.
    pub fn apply(&mut self, event: &Event) -> bool {
        match event {
            Event::Init(init) if init.rendition == self.rendition => {
                self.inits.push_back(init.clone());
                false
            }
            Event::Part(part) if part.rendition == self.rendition => {
                self.append(part);
                true
            }
            Event::SegmentEnd(end) if end.rendition == self.rendition => self.complete(*end),
            Event::Ended => !std::mem::replace(&mut self.ended, true),
            _ => false,
        }
    }

    /// The playlist as it is now.
    pub fn playlist(&self) -> MediaPlaylist {
        let whole = self.segments.iter().skip(self.unlisted).map(|retained| &retained.segment);
        MediaPlaylist {
            presentation: Arc::clone(&self.presentation),
            media_sequence: self.media_sequence,
            discontinuity_sequence: self.discontinuity_sequence,
            segments: whole.chain(&self.open).cloned().collect(),
            next_part: self.next_part,
            ended: self.ended,
        }
    }

    /// The Media Sequence Number and the index of the newest part.
    pub fn last_part(&self) -> Option<(u64, u32)> {
        self.last_part
    }

    /// The Media Sequence Number of the newest whole segment.
    pub fn last_segment(&self) -> Option<u64> {
        self.segments.back().map(|retained| retained.segment.msn)
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
        if name.item == Item::Part(self.next_part) && !self.ended {
            return Found::Next;
        }
        match name.item {
            Item::Init(number) => self.init(number).map(|init| Resource::Whole(init.data.clone())),
            Item::Segment(msn) => self.segment(msn),
            Item::Part(number) => self.part(number).map(|part| Resource::Whole(part.data.clone())),
        }
        .map_or(Found::Missing, Found::Ready)
    }

    /// The presentation it belongs to.
    pub fn presentation(&self) -> &Arc<Presentation> {
        &self.presentation
    }

    /// The rendition it shows.
    pub fn rendition(&self) -> RenditionId {
        self.rendition
    }

    /// The bitrates measured so far; `None` before the first part.
    pub fn rates(&self) -> Option<Rates> {
        self.meter.rates()
    }

    /// What can be fetched carries, newest first.
    pub fn codings(&self) -> impl Iterator<Item = &Coding> {
        self.inits.iter().rev().map(|init| &init.coding)
    }

    /// Whether every segment so far begins with a sync sample (RFC 8216bis 4.4.2.1).
    pub fn independent_segments(&self) -> bool {
        self.independent
    }

    fn append(&mut self, part: &Part) {
        match (&mut self.open, part.segment_start) {
            (Some(open), None) => Arc::make_mut(open).parts.push(part.clone()),
            (open, Some(start)) => {
                self.independent &= start.independent;
                *open = Some(Arc::new(Segment::new(start, part.clone())));
            }
            // A part of a segment whose beginning this window has not seen.
            (None, None) => return,
        }
        self.meter.part(part);
        self.last_part = Some((part.msn, part.index));
        self.next_part = part.number + 1;
        self.evict(part.received);
    }

    fn complete(&mut self, end: SegmentEnd) -> bool {
        let Some(mut segment) = self.open.take_if(|open| open.msn == end.msn) else { return false };
        Arc::make_mut(&mut segment).complete(end.duration);
        self.meter.segment(&segment, self.presentation.target_duration);
        self.listed += segment.duration();
        self.longest = self.longest.max(self.listed);
        self.segments.push_back(Retained { segment, appeared: None, until: None });
        self.slide();
        true
    }

    /// Takes segments off the front of the playlist, as long as what remains covers the window.
    fn slide(&mut self) {
        // RFC 8216bis 6.2.2: at least three target durations of whole segments stay.
        let keep = self.presentation.window.max(self.presentation.three_targets());
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
        }
    }

    /// Forgets what need not be fetched any more. The ends of segments carry no time of their own: `now`, that of the
    /// part after them, is no earlier.
    fn evict(&mut self, now: Instant) {
        for whole in self.segments.iter_mut().rev().take_while(|whole| whole.appeared.is_none()) {
            whole.appeared = Some(now);
        }
        for left in self.segments.range_mut(..self.unlisted).rev().take_while(|left| left.until.is_none()) {
            // 6.2.2: a segment can be fetched for its own duration and that of the longest playlist from when it
            // appeared; a part for three target durations from when it left.
            let segment_until = left.appeared.unwrap_or(now) + left.segment.duration() + self.longest;
            left.until = Some(segment_until.max(now + self.presentation.three_targets()));
        }
        let over = |front: &Retained| front.until.is_some_and(|until| until <= now);
        while self.segments.pop_front_if(|front| over(front)).is_some() {
            self.unlisted -= 1;
        }
        let oldest = self.segments.front().map(|retained| &retained.segment).or(self.open.as_ref());
        let needed = oldest.map_or(0, |segment| segment.start.init);
        while self.inits.pop_front_if(|init| init.number < needed).is_some() {}
    }

    fn init(&self, number: u32) -> Option<&Init> {
        self.inits.iter().find(|init| init.number == number)
    }

    fn segment(&self, msn: u64) -> Option<Resource> {
        let first = self.segments.front()?.segment.msn;
        let index = usize::try_from(msn.checked_sub(first)?).ok()?;
        let whole = self.segments.get(index)?.segment.whole.as_ref()?;
        Some(Resource::Chunks(Arc::clone(&whole.chunks)))
    }

    fn part(&self, number: u64) -> Option<&Part> {
        if let Some(part) = self.open.as_ref().and_then(|open| open.part(number)) {
            return Some(part);
        }
        let after = self.segments.partition_point(|retained| retained.segment.first_part() <= number);
        self.segments.get(after.checked_sub(1)?)?.segment.part(number)
    }
}
