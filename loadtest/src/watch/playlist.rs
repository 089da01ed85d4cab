//! What viewers need of a media playlist, shared by all who get the same bytes.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::grid::Grid;
use super::link::{Link, Sites};
use super::moment::Moment;
use crate::check::playlist as text;
use crate::check::seconds::Seconds;

/// Dates that jump back by less are a matter of rounding; by more, the segment follows the one before it.
const ROUNDING: Duration = Duration::from_millis(100);
/// Target duration of a playlist that says none.
const DEFAULT_TARGET: Duration = Duration::from_secs(6);

/// A media playlist, whole: what a delta update leaves out has been put back.
#[derive(Debug, Default)]
pub(crate) struct Playlist {
    pub(crate) target: Duration,
    /// PART-TARGET; zero in a playlist without parts.
    pub(crate) part_target: Duration,
    /// How far from the edge to play (PART-HOLD-BACK, else HOLD-BACK).
    pub(crate) hold_back: Duration,
    /// CAN-BLOCK-RELOAD.
    pub(crate) blocks: bool,
    pub(crate) skip: Option<Skip>,
    /// EXT-X-ENDLIST.
    pub(crate) ended: bool,
    /// Whether the server says when its media was made (EXT-X-PROGRAM-DATE-TIME).
    pub(crate) dated: bool,
    /// In order, without a hole; the last one may still grow.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// EXT-X-PRELOAD-HINT of a part.
    pub(crate) hint: Option<Link>,
    /// EXT-X-RENDITION-REPORT.
    pub(crate) reports: Vec<Report>,
    /// The first segment that was really listed, where this was a delta update.
    pub(crate) delta: Option<u64>,
}

/// What a server offers by CAN-SKIP-UNTIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    /// How old a playlist may get to be brought up to date by a delta update.
    pub(crate) until: Duration,
    /// CAN-SKIP-DATERANGES.
    pub(crate) dates: bool,
}

/// A segment: complete, or growing with only parts so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Segment {
    pub(crate) msn: u64,
    /// When its first frame is shown, by the programme's clock.
    pub(crate) start: Moment,
    pub(crate) duration: Duration,
    /// The whole segment, once it is complete.
    pub(crate) whole: Option<Resource>,
    pub(crate) parts: Vec<Part>,
    /// Discontinuity Sequence Number.
    pub(crate) stretch: u64,
    pub(crate) map: Option<Arc<Resource>>,
    pub(crate) gap: bool,
}

/// A part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) start: Moment,
    pub(crate) duration: Duration,
    pub(crate) resource: Resource,
    pub(crate) independent: bool,
    pub(crate) gap: bool,
    /// When it should have been there.
    pub(crate) due: Option<Moment>,
    /// When the first viewer saw it listed.
    pub(crate) seen: Moment,
}

/// A resource, or a range of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) link: Link,
    pub(crate) range: Option<text::ByteRange>,
}

/// EXT-X-RENDITION-REPORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) link: Link,
    pub(crate) msn: u64,
    pub(crate) part: Option<u64>,
}

impl Resource {
    /// Whether it is certainly what `uri`, which is mostly relative, leads to.
    fn is(&self, uri: &str) -> bool {
        self.link.path.strip_suffix(uri).is_some_and(|folder| folder.ends_with('/'))
    }
}

impl Segment {
    pub(crate) fn end(&self) -> Moment {
        self.start + self.duration
    }
}

impl Playlist {
    /// The end of the last part or segment.
    pub(crate) fn edge(&self) -> Moment {
        self.segments.last().map(|segment| segment.end()).unwrap_or_default()
    }

    /// Where the first segment begins.
    pub(crate) fn begin(&self) -> Moment {
        self.segments.first().map(|segment| segment.start).unwrap_or_default()
    }

    pub(crate) fn segment(&self, msn: u64) -> Option<&Arc<Segment>> {
        let first = self.segments.first()?.msn;
        self.segments.get(usize::try_from(msn.checked_sub(first)?).ok()?)
    }

    /// The last segment that is listed.
    pub(crate) fn last_msn(&self) -> Option<u64> {
        self.segments.last().map(|segment| segment.msn)
    }

    /// MSN and index of the part that comes next (RFC 8216bis 6.2.5.2).
    pub(crate) fn next_part(&self) -> (u64, u64) {
        match self.segments.last() {
            Some(last) if last.whole.is_none() => (last.msn, last.parts.len() as u64),
            Some(last) => (last.msn + 1, 0),
            None => (0, 0),
        }
    }
}

/// What a text is read with.
pub(crate) struct Reading<'a> {
    /// What links are relative to.
    pub(crate) url: &'a Url,
    pub(crate) sites: &'a mut Sites,
    /// The newest playlist of the rendition, which anybody has got.
    pub(crate) before: Option<&'a Playlist>,
    pub(crate) grid: &'a mut Grid,
    pub(crate) now: Moment,
}

/// A delta update leaves out segments that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hole;

impl Reading<'_> {
    /// Makes a playlist of what was read.
    pub(crate) fn read(mut self, media: &text::Media) -> Result<Playlist, Hole> {
        let (target, part_target) = (
            media.target().map_or(DEFAULT_TARGET, Seconds::to_duration),
            media.part_target.map_or(Duration::ZERO, |(target, _)| target.to_duration()),
        );
        let control = media.control.as_ref();
        let hold_back = control
            .and_then(|control| control.part_hold_back.filter(|_| !part_target.is_zero()).or(control.hold_back))
            .map_or(target * 3, Seconds::to_duration);
        let skip = control.and_then(|control| {
            Some(Skip { until: control.can_skip_until?.to_duration(), dates: control.can_skip_date_ranges })
        });
        let segments = self.segments(media)?;
        let hint = media.hints.iter().find(|hint| hint.kind == "PART" && hint.start.is_none());
        let hint = hint.and_then(|hint| self.link(&hint.uri));
        Ok(Playlist {
            target,
            part_target,
            hold_back,
            blocks: control.is_some_and(|control| control.can_block_reload),
            skip,
            ended: media.ended,
            dated: media.segments.iter().any(|segment| segment.date.is_some()),
            segments,
            hint,
            reports: self.reports(media),
            delta: media.skip.as_ref().map(|skip| media.first_msn().saturating_add(skip.segments)),
        })
    }

    fn segments(&mut self, media: &text::Media) -> Result<Vec<Arc<Segment>>, Hole> {
        let before = self.before;
        let listed: Duration = media.segments.iter().map(lasts).sum();
        let mut segments = Vec::with_capacity(media.segments.len());
        if let Some(skip) = media.skip.as_ref().filter(|skip| skip.segments > 0) {
            let first = media.first_msn();
            for msn in first..first.saturating_add(skip.segments) {
                segments.push(Arc::clone(before.and_then(|before| before.segment(msn)).ok_or(Hole)?));
            }
        }
        for segment in &media.segments {
            let known = before.and_then(|before| before.segment(segment.msn)).filter(|known| same(known, segment));
            let segment = if let Some(known) = known {
                Arc::clone(known)
            } else {
                let undated = before.map_or(self.now - listed, Playlist::edge);
                Arc::new(self.segment(segment, segments.last().map(Arc::as_ref), undated))
            };
            segments.push(segment);
        }
        self.schedule(&mut segments);
        Ok(segments)
    }

    fn segment(&mut self, segment: &text::Segment, previous: Option<&Segment>, undated: Moment) -> Segment {
        let known = self.before.and_then(|before| before.segment(segment.msn));
        let start = known.map_or_else(|| start(segment, previous, undated), |known| known.start);
        let mut at = start;
        let mut parts = Vec::with_capacity(segment.parts.len());
        for (index, part) in segment.parts.iter().enumerate() {
            let known = known.and_then(|known| known.parts.get(index)).filter(|known| known.resource.is(&part.uri));
            let Some(part) = known.cloned().or_else(|| self.part(part, at)) else { break };
            at = at + part.duration;
            parts.push(part);
        }
        let whole = segment.uri.as_ref().and_then(|uri| self.link(uri));
        let map = segment.map.as_ref().and_then(|map| Some((self.link(&map.uri)?, map.byte_range)));
        let map = map.map(|(link, range)| Arc::new(Resource { link, range }));
        Segment {
            msn: segment.msn,
            start,
            duration: segment.duration.map_or_else(|| at.since(start), Seconds::to_duration),
            whole: whole.map(|link| Resource { link, range: segment.byte_range }),
            parts,
            stretch: segment.discontinuity_sequence,
            map: same_map(previous, map),
            gap: segment.gap,
        }
    }

    fn part(&mut self, part: &text::Part, start: Moment) -> Option<Part> {
        Some(Part {
            start,
            duration: part.duration.to_duration(),
            resource: Resource { link: self.link(&part.uri)?, range: part.byte_range },
            independent: part.independent,
            gap: part.gap,
            due: None,
            seen: self.now,
        })
    }

    /// Says of new parts when they are due. The newest one tells the schedule, as the others may have been there for long.
    fn schedule(&mut self, segments: &mut [Arc<Segment>]) {
        let new = |segment: &Segment| segment.parts.iter().any(|part| part.due.is_none());
        let Some(last) = segments.iter().rev().find(|segment| !segment.parts.is_empty()) else { return };
        if let Some(part) = last.parts.last().filter(|part| part.due.is_none() && !part.gap) {
            self.grid.sight(last.stretch, part.start + part.duration, self.now);
        }
        for segment in segments.iter_mut().filter(|segment| new(segment)) {
            for part in &mut Arc::make_mut(segment).parts {
                part.due = part.due.or_else(|| self.grid.due(part.start + part.duration, self.now));
            }
        }
    }

    fn reports(&mut self, media: &text::Media) -> Vec<Report> {
        let (next, _) = media.next_part();
        let reports = media.reports.iter();
        reports
            .filter_map(|report| {
                let link = self.link(&report.uri)?;
                Some(Report { link, msn: report.last_msn.unwrap_or(next), part: report.last_part })
            })
            .collect()
    }

    fn link(&mut self, uri: &str) -> Option<Link> {
        self.sites.link(&self.url.join(uri).ok()?)
    }
}

/// When a segment begins. Where a server gives no dates, the first playlist is taken to end now.
fn start(segment: &text::Segment, previous: Option<&Segment>, undated: Moment) -> Moment {
    let date = segment.date.map(|nanos| Moment::from_micros(nanos / 1_000));
    match (date, previous) {
        (Some(date), Some(previous)) => date.max(previous.end() - ROUNDING),
        (Some(date), None) => date,
        (None, Some(previous)) => previous.end(),
        (None, None) => undated,
    }
}

fn lasts(segment: &text::Segment) -> Duration {
    let parts = || segment.parts.iter().map(|part| part.duration.to_duration()).sum();
    segment.duration.map_or_else(parts, Seconds::to_duration)
}

/// Whether nothing has come to a segment since it was read last. An edge that turns to another origin may list other parts under the same
/// number.
fn same(known: &Segment, read: &text::Segment) -> bool {
    let whole = match (&known.whole, &read.uri) {
        (Some(known), Some(uri)) => known.is(uri),
        (None, None) => true,
        _ => false,
    };
    let parts = || known.parts.iter().zip(&read.parts).all(|(known, part)| known.resource.is(&part.uri));
    whole && known.gap == read.gap && known.parts.len() == read.parts.len() && parts()
}

/// One and the same for all segments that share an init section.
fn same_map(previous: Option<&Segment>, map: Option<Arc<Resource>>) -> Option<Arc<Resource>> {
    let before = previous.and_then(|previous| previous.map.as_ref());
    match (before, map) {
        (Some(before), Some(map)) if **before == *map => Some(Arc::clone(before)),
        (_, map) => map,
    }
}
