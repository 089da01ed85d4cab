//! EXT-X-PROGRAM-DATE-TIME: there, and the same time everywhere.

use std::collections::BTreeMap;

use super::{DATE_TIME_AT_DISCONTINUITY, DATE_TIME_CONSISTENT, DATE_TIME_EVERYWHERE};
use crate::check::evidence::{Evidence, Recording};
use crate::check::ledger::Ledger;

/// How far dates may be off, in nanoseconds, before it is told: they are written in milliseconds, as durations may be.
const TOLERANCE: i64 = 5_000_000;
/// From here on viewers see it: more than a frame.
const GROSS: i64 = 50_000_000;

pub(super) fn judge(ledger: &mut Ledger, evidence: &Evidence) {
    let mut offsets: BTreeMap<u64, (i64, String)> = BTreeMap::new();
    for recording in &evidence.renditions {
        there(ledger, recording);
        against_durations(ledger, recording);
        against_media(ledger, recording, &mut offsets);
    }
}

fn there(ledger: &mut Ledger, recording: &Recording) {
    for version in &recording.versions {
        if version.media.segments.iter().all(|segment| segment.date.is_none()) && !version.media.segments.is_empty() {
            let fault = format!("{} has no EXT-X-PROGRAM-DATE-TIME", recording.name);
            ledger.broken(&DATE_TIME_EVERYWHERE, fault, None);
        } else {
            ledger.kept(&DATE_TIME_EVERYWHERE, "in every version of every playlist");
        }
        for segment in version.media.segments.iter().filter(|segment| segment.discontinuity) {
            if segment.date.is_some() {
                ledger.kept(&DATE_TIME_AT_DISCONTINUITY, "every discontinuity has a date");
            } else {
                let fault = format!("segment {} follows a discontinuity and has no date", segment.msn);
                ledger.broken(&DATE_TIME_AT_DISCONTINUITY, fault, version.place(segment.line));
            }
        }
    }
}

/// A date is that of the segment before plus its duration.
fn against_durations(ledger: &mut Ledger, recording: &Recording) {
    let segments = recording.segments();
    for (seen, next) in segments.values().zip(segments.values().skip(1)) {
        let (this, after) = (seen.segment, next.segment);
        let (Some(date), Some(lasts), Some(next_date)) = (this.date, this.duration, after.date) else { continue };
        if after.msn != this.msn + 1 || after.discontinuity {
            continue;
        }
        let lasts = i64::try_from(lasts.to_duration().as_nanos()).unwrap_or(i64::MAX);
        let off = next_date.saturating_sub(date.saturating_add(lasts));
        let told =
            format!("the date of segment {} is {} ms from the end of the segment before", after.msn, off / 1_000_000);
        weigh(ledger, off, &told, next.version.place(after.line));
    }
}

/// Date minus media time is the same for all media of a discontinuity sequence number, in all renditions.
fn against_media(ledger: &mut Ledger, recording: &Recording, offsets: &mut BTreeMap<u64, (i64, String)>) {
    let segments = recording.segments();
    let parts = recording.fetched_parts();
    let whole = recording.fetched_segments();
    for (msn, seen) in &segments {
        let fetched = parts.get(&(*msn, 0)).or(whole.get(msn));
        let (Some(date), Some((fragment, track))) = (seen.segment.date, fetched.and_then(|fetched| fetched.leading()))
        else {
            continue;
        };
        let Some(start) = fragment.presentation_start(track.id) else { continue };
        let nanos = i128::from(start) * 1_000_000_000 / i128::from(track.timescale.max(1));
        let offset = date.saturating_sub(i64::try_from(nanos).unwrap_or(i64::MAX));
        let name = format!("segment {msn} of {}", recording.name);
        let (known, of) = offsets.entry(seen.segment.discontinuity_sequence).or_insert((offset, name.clone()));
        let off = offset.saturating_sub(*known);
        let told = format!("the date of {name} is {} ms from where that of {of} puts its media", off / 1_000_000);
        weigh(ledger, off, &told, seen.version.place(seen.segment.line));
    }
}

fn weigh(ledger: &mut Ledger, off: i64, told: &str, place: Option<crate::check::report::Place>) {
    match off.saturating_abs() {
        0..=TOLERANCE => ledger.kept(
            &DATE_TIME_CONSISTENT,
            format!("dates and media times differ by at most {} ms", TOLERANCE / 1_000_000),
        ),
        ..=GROSS => ledger.suspect(&DATE_TIME_CONSISTENT, told, place),
        _ => ledger.broken(&DATE_TIME_CONSISTENT, told, place),
    }
}
