//! What of a playlist a player loads next.

use std::sync::Arc;
use std::time::Duration;

use crate::watch::moment::Moment;
use crate::watch::playlist::{Part, Playlist, Resource, Segment};

/// A part by its numbers. Part 0 also stands for the whole segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) msn: u64,
    pub(super) part: usize,
}

impl Place {
    fn segment_after(self) -> Self {
        Self { msn: self.msn + 1, part: 0 }
    }
}

/// A part, or a segment whose parts are no longer listed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) resource: Resource,
    pub(super) map: Option<Arc<Resource>>,
    pub(super) start: Moment,
    pub(super) end: Moment,
    /// What follows it.
    pub(super) next: Place,
    /// Discontinuity Sequence Number.
    pub(super) stretch: u64,
    /// Of a part: when it should have been there, and when it was first seen.
    pub(super) times: Option<(Option<Moment>, Moment)>,
}

/// What there is at a place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    Piece(Piece),
    /// Nothing, and there never will be.
    Gap(Place),
    /// Nothing yet.
    Later(Place),
    /// It has left the playlist.
    Gone,
}

/// Looks for what is at `place`. With `whole`, complete segments are taken whole.
pub(super) fn find(playlist: &Playlist, place: Place, whole: bool) -> Found {
    let Some(segment) = playlist.segment(place.msn) else {
        // What is further away than the next segment belongs to a stream that has begun anew since.
        let later = playlist.last_msn().is_some_and(|last| place.msn == last + 1);
        return if later { Found::Later(place) } else { Found::Gone };
    };
    let complete = segment.whole.as_ref();
    if segment.gap {
        return Found::Gap(place.segment_after());
    }
    let as_a_whole = whole && place.part == 0 && complete.is_some();
    let by_parts = !as_a_whole && !segment.parts.is_empty();
    match (segment.parts.get(place.part), complete) {
        (Some(part), _) if by_parts => part_of(segment, part, Place { part: place.part + 1, ..place }),
        (_, None) => Found::Later(place),
        (_, Some(_)) if by_parts => find_in_next(playlist, place.segment_after(), whole),
        (_, Some(resource)) => Found::Piece(Piece {
            resource: resource.clone(),
            map: segment.map.clone(),
            start: segment.start,
            end: segment.end(),
            next: place.segment_after(),
            stretch: segment.stretch,
            times: None,
        }),
    }
}

/// Looks past the last part of a complete segment. There is only one such step: part 0 is before any end.
fn find_in_next(playlist: &Playlist, place: Place, whole: bool) -> Found {
    if playlist.segment(place.msn).is_none() { Found::Later(place) } else { find(playlist, place, whole) }
}

fn part_of(segment: &Segment, part: &Part, next: Place) -> Found {
    if part.gap {
        return Found::Gap(next);
    }
    Found::Piece(Piece {
        resource: part.resource.clone(),
        map: segment.map.clone(),
        start: part.start,
        end: part.start + part.duration,
        next,
        stretch: segment.stretch,
        times: Some((part.due, part.seen)),
    })
}

/// Where to begin to load, to play from `target` on: as hls.js does, at the last part at or before it in its segment that can be decoded
/// alone, else at the first one after it.
pub(super) fn begin_at(playlist: &Playlist, target: Moment, whole: bool) -> Option<Place> {
    let at = playlist.segments.partition_point(|segment| segment.start <= target).saturating_sub(1);
    let segment = playlist.segments.get(at)?;
    let none_told = segment.parts.iter().all(|part| !part.independent);
    let entries = || segment.parts.iter().enumerate().filter(|(_, part)| part.independent || none_told);
    let before = entries().rfind(|(_, part)| part.start <= target);
    let part = before.or_else(|| entries().next()).map_or(0, |(index, _)| index);
    Some(Place { msn: segment.msn, part: if whole && segment.whole.is_some() { 0 } else { part } })
}

/// Where a viewer should be who plays `latency` behind the edge of a playlist that is `age` old.
pub(super) fn live_position(playlist: &Playlist, age: Duration, latency: Duration) -> Moment {
    let (begin, edge) = (playlist.begin(), playlist.edge());
    let step = if playlist.part_target.is_zero() { playlist.target } else { playlist.part_target };
    // A playlist that nothing came to for so long does not tell where the edge is (`edgeStalled`).
    let age = age.min(step * 3);
    (edge + age - latency).max(begin).min(edge - step)
}
