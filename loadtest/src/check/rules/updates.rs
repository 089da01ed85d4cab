//! Live updates: what may change from one version of a playlist to the next, and when.

mod dates;
mod timing;

use crate::check::evidence::{Evidence, Recording, Version, What, Why};
use crate::check::ledger::Ledger;
use crate::check::playlist::{Media, Part, Segment};
use crate::check::rule::{Rule, must, profile, should};
use crate::check::seconds::Seconds;

/// Dates that are as near as this, in nanoseconds, are those of matching content.
const SAME_TIME: u64 = 100_000_000;

/// The rules of this chapter.
pub(super) const RULES: &[&Rule] = &[
    &APPEND_ONLY,
    &MEDIA_SEQUENCE_STEPS,
    &DISCONTINUITY_SEQUENCE_STEPS,
    &DISCONTINUITIES_MATCH,
    &OLD_PARTS_REMOVED,
    &PARTS_RETAINED,
    &SEGMENTS_RETAINED,
    &PLAYLIST_LONG_ENOUGH,
    &SEGMENTS_IN_TIME,
    &PARTS_IN_TIME,
    &LISTED_IS_AVAILABLE,
    &RENDITIONS_IN_SYNC,
    &DATE_TIME_EVERYWHERE,
    &DATE_TIME_CONSISTENT,
    &DATE_TIME_AT_DISCONTINUITY,
    &DATE_TIME_CONSTANT,
    &ENDS_CLEANLY,
];

pub(in crate::check) const APPEND_ONLY: Rule =
    must("append-only", "6.2.1", "an update only appends, and removes from the front")
        .unseen("only one version of each playlist was seen");
pub(in crate::check) const MEDIA_SEQUENCE_STEPS: Rule =
    must("media-sequence-steps", "6.2.2", "the media sequence number counts the removed segments")
        .unseen("no segment was removed");
pub(in crate::check) const DISCONTINUITY_SEQUENCE_STEPS: Rule = must(
    "discontinuity-sequence-steps",
    "6.2.2",
    "the discontinuity sequence number counts the removed discontinuities",
)
.unseen("no discontinuity was removed");
pub(in crate::check) const DISCONTINUITIES_MATCH: Rule =
    must("discontinuities-match", "6.2.4", "matching content has matching discontinuity sequence numbers")
        .unseen("no discontinuity was seen in two renditions");
pub(in crate::check) const OLD_PARTS_REMOVED: Rule =
    should("old-parts-removed", "6.2.2", "parts leave the playlist after three target durations, and not before")
        .unseen("no playlist lists parts");
pub(in crate::check) const PARTS_RETAINED: Rule =
    must("parts-retained", "6.2.2", "parts can be had for three target durations after their tags are gone")
        .unseen("no part left a playlist in time to be asked for");
pub(in crate::check) const SEGMENTS_RETAINED: Rule =
    must("segments-retained", "6.2.2", "removed segments can be had until every playlist that listed them has run out")
        .unseen("no segment was removed in time to be asked for");
pub(in crate::check) const PLAYLIST_LONG_ENOUGH: Rule =
    must("playlist-long-enough", "6.2.2", "removing segments leaves three target durations of them")
        .unseen("no segment was removed");
pub(in crate::check) const SEGMENTS_IN_TIME: Rule =
    must("segments-in-time", "6.2.1", "a new segment comes within one and a half target durations")
        .unseen("no segment was added");
pub(in crate::check) const PARTS_IN_TIME: Rule =
    must("parts-in-time", "6.2.1", "a new part comes within one PART-TARGET").unseen("no playlist lists parts");
pub(in crate::check) const LISTED_IS_AVAILABLE: Rule =
    must("listed-is-available", "6.2.1", "what is listed can be had at once").unseen("nothing listed was fetched");
pub(in crate::check) const RENDITIONS_IN_SYNC: Rule =
    profile("renditions-in-sync", "B.1", "renditions are updated within one PART-TARGET of each other")
        .unseen("there is only one rendition");
pub(in crate::check) const DATE_TIME_EVERYWHERE: Rule =
    profile("date-time-everywhere", "B.1", "all media playlists have EXT-X-PROGRAM-DATE-TIME");
pub(in crate::check) const DATE_TIME_CONSISTENT: Rule =
    must("date-time-consistent", "6.2.4", "dates map to media time in the same way everywhere")
        .unseen("no two dates could be compared");
pub(in crate::check) const DATE_TIME_AT_DISCONTINUITY: Rule =
    should("date-time-at-discontinuity", "6.2.1", "a discontinuity comes with a new date")
        .unseen("no discontinuity was seen");
pub(in crate::check) const DATE_TIME_CONSTANT: Rule =
    must("date-time-constant", "6.2.1", "the date of a segment does not change").unseen("no date was seen twice");
pub(in crate::check) const ENDS_CLEANLY: Rule =
    must("ends-cleanly", "4.4.5.3", "an ended playlist hints nothing").unseen("the stream did not end");

/// Judges each version against the one before, and when it came.
pub(super) fn judge(evidence: &Evidence, ledger: &mut Ledger) {
    for recording in &evidence.renditions {
        for (before, after) in recording.versions.iter().zip(recording.versions.iter().skip(1)) {
            step(ledger, before, after);
            removal(ledger, before, after);
        }
        part_removal(ledger, recording);
        ends(ledger, recording);
        timing::judge(ledger, recording);
        retained(ledger, recording);
    }
    dates::judge(ledger, evidence);
    timing::in_sync(ledger, evidence);
    discontinuities_match(ledger, evidence);
}

/// What may change from one version to the next (6.2.1).
fn step(ledger: &mut Ledger, before: &Version, after: &Version) {
    let (old, new) = (&before.media, &after.media);
    if new.first_msn() < old.first_msn() {
        let fault = format!("the media sequence number goes back from {} to {}", old.first_msn(), new.first_msn());
        ledger.broken(&MEDIA_SEQUENCE_STEPS, fault, after.place(1));
        return;
    }
    for segment in &old.segments {
        match new.segments.iter().find(|other| other.msn == segment.msn) {
            Some(same) => same_segment(ledger, segment, same, after),
            None if segment.msn >= new.first_msn() => {
                let fault = format!("segment {} is gone, and was not the first", segment.msn);
                ledger.broken(&APPEND_ONLY, fault, after.place(1));
            }
            None => {}
        }
    }
    if let Some(uri) = old.complete().next_back().and_then(|segment| segment.uri.as_ref())
        && let (Some(was), Some(is)) = (msn_of(old, uri), msn_of(new, uri))
        && was != is
    {
        ledger.broken(&MEDIA_SEQUENCE_STEPS, format!("{uri} was segment {was} and is segment {is}"), after.place(1));
    }
    if old.ended && !new.ended {
        ledger.broken(&APPEND_ONLY, "EXT-X-ENDLIST is gone", after.place(1));
    }
    ledger.kept(&APPEND_ONLY, "every update appended, and removed from the front");
}

fn msn_of(media: &Media, uri: &str) -> Option<u64> {
    media.complete().find(|segment| segment.uri.as_deref() == Some(uri)).map(|segment| segment.msn)
}

fn same_segment(ledger: &mut Ledger, old: &Segment, new: &Segment, after: &Version) {
    let msn = old.msn;
    let mut changed = |what: String| ledger.broken(&APPEND_ONLY, what, after.place(new.line));
    if old.uri.is_some() && (old.uri != new.uri || old.duration != new.duration || old.byte_range != new.byte_range) {
        let show = |segment: &Segment| {
            format!("{} of {}", segment.uri.as_deref().unwrap_or("none"), segment.duration.unwrap_or_default())
        };
        changed(format!("segment {msn} was {} and is {}", show(old), show(new)));
    }
    if old.uri.is_some() && old.gap != new.gap {
        changed(format!("EXT-X-GAP of segment {msn} changes"));
    }
    if old.discontinuity != new.discontinuity {
        changed(format!("EXT-X-DISCONTINUITY before segment {msn} changes"));
    }
    let same = |(old, new): (&Part, &Part)| {
        (&old.uri, old.duration, old.independent, old.byte_range, old.gap)
            == (&new.uri, new.duration, new.independent, new.byte_range, new.gap)
    };
    if let Some(index) = old.parts.iter().zip(&new.parts).position(|parts| !same(parts)) {
        changed(format!("part {index} of segment {msn} changes"));
    } else if new.parts.len() < old.parts.len() && !new.parts.is_empty() {
        changed(format!("segment {msn} had {} parts and has {}", old.parts.len(), new.parts.len()));
    }
    if old.date != new.date && old.date.is_some() {
        let fault = format!("the date of segment {msn} changes");
        ledger.broken(&DATE_TIME_CONSTANT, fault, after.place(new.line));
    } else if old.date.is_some() {
        ledger.kept(&DATE_TIME_CONSTANT, "every date stayed as it was");
    }
    if old.discontinuity_sequence != new.discontinuity_sequence {
        let fault = format!(
            "segment {msn} had the discontinuity sequence number {} and has {}",
            old.discontinuity_sequence, new.discontinuity_sequence
        );
        ledger.broken(&DISCONTINUITY_SEQUENCE_STEPS, fault, after.place(new.line));
    }
}

/// What the removal of segments asks for (6.2.2).
fn removal(ledger: &mut Ledger, before: &Version, after: &Version) {
    let (old, new) = (&before.media, &after.media);
    let gone = || old.complete().filter(|segment| segment.msn < new.first_msn());
    if gone().next().is_none() {
        return;
    }
    let steps = new.first_msn() - old.first_msn();
    ledger.kept(&MEDIA_SEQUENCE_STEPS, format!("it rose by {steps} when {steps} left, and never fell"));
    if gone().any(|segment| segment.discontinuity) {
        let (from, to) = (old.discontinuity_sequence.unwrap_or(0), new.discontinuity_sequence);
        let due = from + gone().filter(|segment| segment.discontinuity).count() as u64;
        if to == Some(due) {
            ledger
                .kept(&DISCONTINUITY_SEQUENCE_STEPS, format!("it rose from {from} to {due} when a discontinuity left"));
        } else {
            let shown = to.map_or("absent".to_owned(), |to| to.to_string());
            let fault = format!("discontinuities left, and the number that was {from} is {shown}, not {due}");
            ledger.broken(&DISCONTINUITY_SEQUENCE_STEPS, fault, after.place(1));
        }
    }
    let Some(target) = new.target() else { return };
    let told = format!(
        "{} of segments are left after a removal, three target durations are {}",
        new.duration(),
        target.times(3, 1)
    );
    if new.duration() < target.times(3, 1) && !new.ended {
        ledger.broken(&PLAYLIST_LONG_ENOUGH, told, after.place(1));
    } else {
        ledger.kept(&PLAYLIST_LONG_ENOUGH, told);
    }
}

/// Parts leave once they are more than three target durations from the end, and not before (6.2.2).
fn part_removal(ledger: &mut Ledger, recording: &Recording) {
    for version in &recording.versions {
        let media = &version.media;
        let Some(target) = media.target().filter(|_| media.has_parts() && !media.ended) else { continue };
        let keep = target.times(3, 1);
        let mut after = Seconds::default();
        for segment in media.segments.iter().rev() {
            let parts: Seconds = segment.parts.iter().map(|part| part.duration).sum();
            let lasts = segment.duration.unwrap_or(parts);
            if segment.parts.is_empty() && segment.uri.is_some() && !segment.gap && after + lasts < keep {
                let fault =
                    format!("segment {} ends {after} before the end, and its parts are gone already", segment.msn);
                ledger.suspect(&OLD_PARTS_REMOVED, fault, version.place(segment.line));
            }
            // A segment leaves as a whole, so that its parts may stay for one target duration more.
            if !segment.parts.is_empty() && after > keep + target {
                let fault =
                    format!("segment {} ends {after} before the end, and its parts are still there", segment.msn);
                ledger.broken(&OLD_PARTS_REMOVED, fault, version.place(segment.line));
            }
            after = after + lasts;
        }
        ledger.kept(&OLD_PARTS_REMOVED, format!("parts stay for about {keep}"));
    }
}

fn ends(ledger: &mut Ledger, recording: &Recording) {
    for version in recording.versions.iter().filter(|version| version.media.ended) {
        match version.media.hints.first() {
            Some(hint) => {
                let fault = format!("EXT-X-ENDLIST is there, and {} is hinted", hint.uri);
                ledger.broken(&ENDS_CLEANLY, fault, version.place(hint.line));
            }
            None if version.media.segments.last().is_some_and(|segment| segment.uri.is_none()) => {
                let fault = "EXT-X-ENDLIST is there, and the last segment is not complete";
                ledger.broken(&ENDS_CLEANLY, fault, version.place(1));
            }
            None => ledger.kept(&ENDS_CLEANLY, "EXT-X-ENDLIST, all segments complete, no hint"),
        }
    }
}

/// What was asked for after it had left the playlist (6.2.2).
fn retained(ledger: &mut Ledger, recording: &Recording) {
    for fetched in recording.fetched.iter().filter(|fetched| fetched.why == Why::Removed) {
        let rule = if matches!(fetched.what, What::Segment(_)) { &SEGMENTS_RETAINED } else { &PARTS_RETAINED };
        let after = fetched.asked.saturating_sub(fetched.known).as_secs_f64();
        match &fetched.status {
            Ok(200 | 206) => ledger.kept(rule, format!("{} came {after:.1} s after it had left", fetched.what)),
            Ok(status) => {
                ledger.broken(
                    rule,
                    format!("{} has status {status} {after:.1} s after it had left", fetched.what),
                    None,
                );
            }
            Err(failure) => ledger.suspect(rule, format!("{}: {failure}", fetched.what), None),
        }
    }
}

/// Content at the same time has the same discontinuity sequence number in all renditions (6.2.4).
fn discontinuities_match(ledger: &mut Ledger, evidence: &Evidence) {
    let Some((first, others)) = evidence.renditions.split_first() else { return };
    let ours = first.segments();
    let any = |recording: &Recording| {
        recording.segments().values().any(|seen| seen.segment.discontinuity_sequence > 0 || seen.segment.discontinuity)
    };
    for other in others {
        if !any(first) && !any(other) {
            continue;
        }
        for seen in other.segments().values() {
            let Some(date) = seen.segment.date else { continue };
            let same = ours.values().find(|mine| mine.segment.date.is_some_and(|mine| mine.abs_diff(date) < SAME_TIME));
            let Some(mine) = same else { continue };
            let (msn, number, due) =
                (seen.segment.msn, seen.segment.discontinuity_sequence, mine.segment.discontinuity_sequence);
            if number == due {
                ledger.kept(&DISCONTINUITIES_MATCH, "the same number at the same date in all renditions");
            } else {
                let fault = format!(
                    "segment {msn} of {} has the number {number}, and {} has {due} at that date",
                    other.name, first.name
                );
                ledger.broken(&DISCONTINUITIES_MATCH, fault, seen.version.place(seen.segment.line));
            }
        }
    }
}
