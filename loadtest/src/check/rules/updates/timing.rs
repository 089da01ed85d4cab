//! When updates come, and how fast what they list. A judge on a busy machine sees late what came in time, so that nothing here fails
//! unless it is gross.

use std::time::Duration;

use super::{LISTED_IS_AVAILABLE, PARTS_IN_TIME, RENDITIONS_IN_SYNC, SEGMENTS_IN_TIME};
use crate::check::evidence::{Evidence, Fetched, Recording, Why};
use crate::check::ledger::Ledger;
use crate::check::rule::Rule;
use crate::check::seconds::Seconds;

/// What a measured time may be over its limit before it is told at all.
const TOLERANCE: Duration = Duration::from_millis(300);
/// What it may be over its limit before it is a failure: a machine is not that busy.
const GROSS: Duration = Duration::from_secs(3);
/// How long a listed resource may take to begin.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Judges the times of one rendition.
pub(super) fn judge(ledger: &mut Ledger, recording: &Recording) {
    let Some(target) = recording.first().and_then(|version| version.media.target()) else { return };
    let parts = recording.parts();
    if let Some((part_target, _)) = recording.first().and_then(|version| version.media.part_target) {
        let arrivals = parts.iter().filter(|(_, seen)| !seen.initial).map(|((msn, index), seen)| Arrival {
            at: seen.version.arrived,
            what: format!("part {index} of segment {msn}"),
            restart: *index == 0 && begins_anew(recording, *msn),
        });
        gaps(ledger, &PARTS_IN_TIME, arrivals, part_target.to_duration(), recording);
    }
    let segments = recording.segments();
    let arrivals = segments.iter().filter(|(_, seen)| !seen.initial).map(|(msn, seen)| Arrival {
        at: seen.version.arrived,
        what: format!("segment {msn}"),
        restart: begins_anew(recording, *msn),
    });
    gaps(ledger, &SEGMENTS_IN_TIME, arrivals, target.times(3, 2).to_duration(), recording);
    for fetched in recording.fetched.iter().filter(|fetched| fetched.why == Why::Listed) {
        available(ledger, fetched);
    }
}

struct Arrival {
    at: Duration,
    what: String,
    /// It stands after a discontinuity, so that its publisher may have been away.
    restart: bool,
}

fn begins_anew(recording: &Recording, msn: u64) -> bool {
    let segments = recording.versions.iter().rev().flat_map(|version| &version.media.segments);
    segments.into_iter().find(|segment| segment.msn == msn).is_some_and(|segment| segment.discontinuity)
}

fn gaps(
    ledger: &mut Ledger,
    rule: &Rule,
    arrivals: impl Iterator<Item = Arrival>,
    limit: Duration,
    recording: &Recording,
) {
    let mut before: Option<Duration> = None;
    let mut longest = Duration::ZERO;
    for arrival in arrivals {
        let gap = before.map_or(Duration::ZERO, |before| arrival.at.saturating_sub(before));
        let told = || {
            format!(
                "{} of {} came {:.2} s after the one before, {:.2} s is the limit",
                arrival.what,
                recording.name,
                gap.as_secs_f64(),
                limit.as_secs_f64()
            )
        };
        if gap > limit + GROSS && !arrival.restart {
            ledger.broken(rule, told(), None);
        } else if gap > limit + TOLERANCE.max(limit / 2) {
            let why = if arrival.restart { ": it follows a discontinuity" } else { "" };
            ledger.suspect(rule, format!("{}{why}", told()), None);
        }
        longest = longest.max(gap);
        if before.is_some() {
            ledger.kept(
                rule,
                format!(
                    "the longest time between two was {:.2} s, {:.2} s is the limit",
                    longest.as_secs_f64(),
                    limit.as_secs_f64()
                ),
            );
        }
        before = Some(arrival.at);
    }
}

fn available(ledger: &mut Ledger, fetched: &Fetched) {
    let (what, waited) = (fetched.what, fetched.began.saturating_sub(fetched.asked));
    match &fetched.status {
        Ok(200 | 206) if waited > AT_ONCE => {
            let told = format!("{what} was listed, and began {:.2} s after it was asked for", waited.as_secs_f64());
            ledger.suspect(&LISTED_IS_AVAILABLE, told, None);
        }
        Ok(200 | 206) => ledger.kept(&LISTED_IS_AVAILABLE, "everything that was listed came at once"),
        Ok(status) => {
            ledger.broken(
                &LISTED_IS_AVAILABLE,
                format!("{what} was listed, and has status {status}: {}", fetched.url.path()),
                None,
            );
        }
        Err(failure) => {
            ledger.broken(&LISTED_IS_AVAILABLE, format!("{what} was listed, and did not come: {failure}"), None);
        }
    }
}

/// All renditions are updated within one PART-TARGET (B.1): compared where the same part of the same segment came in two of them.
pub(super) fn in_sync(ledger: &mut Ledger, evidence: &Evidence) {
    let Some((first, others)) = evidence.renditions.split_first() else { return };
    let Some(limit) = first.part_target().map(Seconds::to_duration) else { return };
    let segments = first.segments();
    for other in others {
        let mut spread: Vec<Duration> = Vec::new();
        for (msn, seen) in other.segments().iter().filter(|(_, seen)| !seen.initial) {
            let Some(mine) = segments.get(msn).filter(|mine| !mine.initial) else { continue };
            spread.push(mine.version.arrived.abs_diff(seen.version.arrived));
        }
        spread.sort();
        let Some(median) = spread.get(spread.len() / 2).copied() else { continue };
        let told = format!(
            "segments of {} come {:.2} s apart from those of {} (median), PART-TARGET is {:.2} s",
            other.name,
            median.as_secs_f64(),
            first.name,
            limit.as_secs_f64()
        );
        if median > limit + GROSS.min(limit * 2) {
            ledger.broken(&RENDITIONS_IN_SYNC, told, None);
        } else if median > limit + limit / 2 {
            ledger.suspect(&RENDITIONS_IN_SYNC, told, None);
        } else {
            ledger.kept(&RENDITIONS_IN_SYNC, told);
        }
    }
}
