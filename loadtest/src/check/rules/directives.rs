//! Delivery directives: blocking reload and delta updates.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::check::evidence::{Evidence, Recording, Refused, Version, What, Why};
use crate::check::ledger::Ledger;
use crate::check::rule::{Rule, must, profile, should};
use crate::check::seconds::Seconds;

/// What the end of a hold may be early or late.
const HOLD_TOLERANCE: Duration = Duration::from_secs(1);
/// How much later than its newest part a held playlist may come.
const RELEASE_TOLERANCE: Duration = Duration::from_millis(150);

/// The rules of this chapter.
pub(super) const RULES: &[&Rule] = &[
    &BLOCKING_OFFERED,
    &BLOCKS_FOR_SEGMENT,
    &BLOCKS_FOR_PART,
    &PART_PAST_END,
    &OLD_MSN_AT_ONCE,
    &NEAR_MSN_HELD,
    &FUTURE_MSN_REFUSED,
    &FUTURE_PART_REFUSED,
    &PART_NEEDS_MSN,
    &MALFORMED_REFUSED,
    &HUGE_NUMBERS_REFUSED,
    &HOLD_ENDS,
    &DIRECTIVES_AFTER_END,
    &OTHER_PARAMETERS,
    &IDEMPOTENT,
    &DELTA_UPDATE,
    &DELTA_BOUNDARY,
    &DELTA_COMPLETE,
    &DELTA_DATE_RANGES,
    &SKIP_IGNORED,
];

pub(in crate::check) const BLOCKING_OFFERED: Rule =
    profile("blocking-offered", "B.1", "a playlist with parts can be waited for").unseen("no playlist lists parts");
pub(in crate::check) const BLOCKS_FOR_SEGMENT: Rule =
    must("blocks-for-segment", "6.2.5.2", "_HLS_msn alone is held until the whole segment is listed")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const BLOCKS_FOR_PART: Rule =
    must("blocks-for-part", "6.2.5.2", "_HLS_msn with _HLS_part is held until that part is listed")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const PART_PAST_END: Rule =
    must("part-past-end", "6.2.5.2", "a part index past the end of a segment means the next segment")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const OLD_MSN_AT_ONCE: Rule =
    must("old-msn-at-once", "6.2.5.2", "an old _HLS_msn has the playlist at once")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const NEAR_MSN_HELD: Rule =
    must("near-msn-held", "6.2.5.2", "_HLS_msn one and two after the last is not refused")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const FUTURE_MSN_REFUSED: Rule =
    should("future-msn-refused", "6.2.5.2", "a far _HLS_msn is refused at once with 400")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const FUTURE_PART_REFUSED: Rule =
    should("future-part-refused", "6.2.5.2", "a far _HLS_part is refused at once with 400")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const PART_NEEDS_MSN: Rule =
    must("part-needs-msn", "6.2.5.2", "_HLS_part without _HLS_msn is refused with 400")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const MALFORMED_REFUSED: Rule =
    should("malformed-refused", "4.2", "directives that are not decimal integers are refused with 400")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const HUGE_NUMBERS_REFUSED: Rule =
    should("huge-numbers-refused", "4.2", "directives with huge numbers are refused with 4xx")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const HOLD_ENDS: Rule =
    should("hold-ends", "6.2.5.2", "a request held for three target durations ends with 503")
        .unseen("no request was held that long");
pub(in crate::check) const DIRECTIVES_AFTER_END: Rule =
    must("directives-after-end", "6.2.5.2", "directives are ignored once the stream has ended")
        .unseen("the stream did not end");
pub(in crate::check) const OTHER_PARAMETERS: Rule =
    must("other-parameters", "6.2.5", "query parameters of others are no error");
pub(in crate::check) const IDEMPOTENT: Rule =
    profile("idempotent", "B.1", "equal blocking requests have the same answer at the same time")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const DELTA_UPDATE: Rule = must("delta-update", "6.2.5.1", "_HLS_skip gives a delta update")
    .unseen("the server does not advertise CAN-SKIP-UNTIL");
pub(in crate::check) const DELTA_BOUNDARY: Rule =
    must("delta-boundary", "6.2.5.1", "a delta update skips what is older than CAN-SKIP-UNTIL, and no more")
        .unseen("the server does not advertise CAN-SKIP-UNTIL");
pub(in crate::check) const DELTA_COMPLETE: Rule =
    must("delta-complete", "6.2.5.1", "a delta update has all that is not skipped as the full playlist has it")
        .unseen("the server does not advertise CAN-SKIP-UNTIL");
pub(in crate::check) const DELTA_DATE_RANGES: Rule =
    must("delta-date-ranges", "6.2.5.1", "_HLS_skip=v2 skips old date ranges too")
        .unseen("the server does not advertise CAN-SKIP-DATERANGES");
pub(in crate::check) const SKIP_IGNORED: Rule =
    must("skip-ignored", "6.2.5.1", "_HLS_skip is ignored where it is not offered and when its value is unknown");

/// Judges the blocking reloads that were recorded; the rest is probed.
pub(super) fn judge(evidence: &Evidence, ledger: &mut Ledger) {
    for recording in &evidence.renditions {
        offered(ledger, recording);
        for version in &recording.versions {
            let Some((msn, part)) = version.awaited else { continue };
            awaited(ledger, version, msn, part);
        }
        released(ledger, recording);
        let Some(target) = recording.first().and_then(|version| version.media.target()) else { continue };
        for refused in &recording.refused {
            hold_ends(ledger, refused, target);
        }
        let limit = target.times(3, 1).to_duration();
        for version in &recording.versions {
            let waited = version.arrived.saturating_sub(version.asked);
            if version.awaited.is_some() && waited > limit + HOLD_TOLERANCE {
                let told = format!("held for {:.1} s, {:.0} s is the limit", waited.as_secs_f64(), limit.as_secs_f64());
                ledger.broken(&HOLD_ENDS, told, version.place(1));
            }
        }
    }
}

/// Who lists parts lets players wait for them (B.1).
fn offered(ledger: &mut Ledger, recording: &Recording) {
    for version in recording.versions.iter().filter(|version| version.media.has_parts() && !version.media.ended) {
        if version.media.control.as_ref().is_some_and(|control| control.can_block_reload) {
            ledger.kept(&BLOCKING_OFFERED, "CAN-BLOCK-RELOAD=YES");
        } else {
            ledger.broken(&BLOCKING_OFFERED, "there are parts, and CAN-BLOCK-RELOAD=YES is absent", version.place(1));
        }
    }
}

/// A playlist that was waited for comes when its newest part does, which was waited for as well. One that is late says nothing, most of
/// them do.
fn released(ledger: &mut Ledger, recording: &Recording) {
    let hinted = recording.fetched.iter().filter(|fetched| fetched.why == Why::Hinted && fetched.is_good());
    let ended: BTreeMap<What, Duration> = hinted.map(|fetched| (fetched.what, fetched.ended)).collect();
    let mut late: Vec<Duration> = Vec::new();
    for version in &recording.versions {
        let Some((msn, Some(part))) = version.awaited else { continue };
        if let Some(ended) = ended.get(&What::Part(msn, part)) {
            late.push(version.arrived.saturating_sub(*ended));
        }
    }
    late.sort();
    if let Some(median) = late.get(late.len() / 2).filter(|median| **median > RELEASE_TOLERANCE) {
        let told = format!("held playlists come {} ms after their newest part (median)", median.as_millis());
        ledger.suspect(&BLOCKS_FOR_PART, told, None);
    }
}

fn awaited(ledger: &mut Ledger, version: &Version, msn: u64, part: Option<u64>) {
    let media = &version.media;
    if media.ended {
        return;
    }
    match part {
        Some(part) if media.has_part(msn, part) => {
            ledger.kept(&BLOCKS_FOR_PART, "every answer had the part that was waited for");
        }
        Some(part) => {
            let fault = format!("_HLS_msn={msn}&_HLS_part={part} was answered without that part");
            ledger.broken(&BLOCKS_FOR_PART, fault, version.place(1));
        }
        None if media.last_complete().is_some_and(|last| last >= msn) => {
            ledger.kept(&BLOCKS_FOR_SEGMENT, "every answer had the segment that was waited for");
        }
        None => {
            let fault = format!("_HLS_msn={msn} was answered without that segment");
            ledger.broken(&BLOCKS_FOR_SEGMENT, fault, version.place(1));
        }
    }
}

fn hold_ends(ledger: &mut Ledger, refused: &Refused, target: Seconds) {
    let limit = target.times(3, 1).to_duration();
    // An answer that came soon was no end of a hold.
    if refused.waited + HOLD_TOLERANCE < limit {
        return;
    }
    let waited = refused.waited.as_secs_f64();
    match refused.status {
        Some(503) if refused.waited <= limit + HOLD_TOLERANCE => {
            ledger.kept(&HOLD_ENDS, format!("503 after {waited:.1} s"));
        }
        _ => {
            let limit = limit.as_secs_f64();
            ledger.broken(
                &HOLD_ENDS,
                format!("held for {waited:.1} s, {limit:.0} s is the limit, then: {}", refused.what),
                None,
            );
        }
    }
}
