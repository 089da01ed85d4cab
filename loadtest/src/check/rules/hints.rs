//! Preload hints and rendition reports.

mod reports;

use std::time::Duration;

use crate::check::evidence::{Evidence, Fetched, Recording, Version, What, Why};
use crate::check::ledger::Ledger;
use crate::check::rule::{Rule, must, profile, should};

/// The rules of this chapter.
pub(super) const RULES: &[&Rule] = &[
    &NEXT_PART_HINTED,
    &HINT_COMES_TRUE,
    &ONE_HINT_PER_TYPE,
    &HINT_IS_HELD,
    &PART_AT_ONCE,
    &UNKNOWN_REFUSED_AT_ONCE,
    &BYTE_RANGE_PARTS,
    &REPORTS_COMPLETE,
    &REPORT_URI,
    &REPORT_LAST_PART,
    &REPORT_FRESH,
];

pub(in crate::check) const NEXT_PART_HINTED: Rule =
    profile("next-part-hinted", "B.1", "a live playlist with parts hints the next one")
        .unseen("no playlist lists parts");
pub(in crate::check) const HINT_COMES_TRUE: Rule =
    must("hint-comes-true", "4.4.5.3", "what is hinted is what is listed next").unseen("no part was hinted");
pub(in crate::check) const ONE_HINT_PER_TYPE: Rule =
    should("one-hint-per-type", "6.2.6", "there is one hint of a type at most").unseen("nothing was hinted");
pub(in crate::check) const HINT_IS_HELD: Rule =
    must("hint-is-held", "6.2.6", "a hinted part can be asked for from the moment of the hint")
        .unseen("no hinted part was asked for");
pub(in crate::check) const PART_AT_ONCE: Rule =
    must("part-at-once", "6.2.6", "a part is sent when it is whole, at the speed of the link")
        .unseen("no hinted part was asked for");
pub(in crate::check) const UNKNOWN_REFUSED_AT_ONCE: Rule =
    should("unknown-refused-at-once", "6.2.6", "what is neither listed nor hinted is refused at once with 404");
pub(in crate::check) const BYTE_RANGE_PARTS: Rule =
    should("byte-range-parts", "6.2.6", "a hinted range without an end is answered part by part")
        .unseen("parts are not byte ranges");
pub(in crate::check) const REPORTS_COMPLETE: Rule =
    profile("reports-complete", "B.1", "each media playlist reports on every other one")
        .unseen("there is only one rendition");
pub(in crate::check) const REPORT_URI: Rule =
    must("report-uri", "4.4.5.4", "reports have relative URIs that lead to the playlists")
        .unseen("there is no rendition report");
pub(in crate::check) const REPORT_LAST_PART: Rule =
    must("report-last-part", "4.4.5.4", "reports name a last part that exists").unseen("there is no rendition report");
pub(in crate::check) const REPORT_FRESH: Rule =
    must("report-fresh", "4.4.5.4", "reports are as fresh as the playlist that has them")
        .unseen("there is no rendition report");

/// Judges hints and reports as they were recorded.
pub(super) fn judge(evidence: &Evidence, ledger: &mut Ledger) {
    for recording in &evidence.renditions {
        for version in &recording.versions {
            hinted(ledger, version);
        }
        come_true(ledger, recording);
        held(ledger, recording);
        at_link_speed(ledger, recording);
        byte_ranges(ledger, recording);
    }
    reports::judge(ledger, evidence);
}

fn hinted(ledger: &mut Ledger, version: &Version) {
    let media = &version.media;
    if media.has_parts() && !media.ended {
        if media.hints.iter().any(|hint| hint.kind == "PART") {
            ledger.kept(&NEXT_PART_HINTED, "every live playlist with parts has a hint of TYPE=PART");
        } else {
            let at =
                media.last_part().map_or(String::new(), |(msn, index)| format!(" after part {index} of segment {msn}"));
            ledger.broken(&NEXT_PART_HINTED, format!("no part is hinted{at}"), version.place(1));
        }
    }
    for (number, hint) in media.hints.iter().enumerate() {
        if media.hints.iter().take(number).any(|other| other.kind == hint.kind) {
            ledger.broken(
                &ONE_HINT_PER_TYPE,
                format!("there are several hints of TYPE={}", hint.kind),
                version.place(hint.line),
            );
        } else {
            ledger.kept(&ONE_HINT_PER_TYPE, "never more than one");
        }
    }
}

/// The part that is listed next has the hinted URI (4.4.5.3). A part that turns out to be a gap has nothing to be fetched.
fn come_true(ledger: &mut Ledger, recording: &Recording) {
    let parts = recording.parts();
    for version in &recording.versions {
        let Some(hint) = version.media.hints.iter().find(|hint| hint.kind == "PART") else { continue };
        let (msn, index) = version.media.next_part();
        let came = parts
            .get(&(msn, index))
            .or_else(|| parts.get(&(msn + 1, 0)).filter(|_| index > 0 && is_complete(recording, msn)));
        let Some(came) = came.filter(|came| !came.part.gap) else { continue };
        if came.part.uri == hint.uri {
            ledger.kept(&HINT_COMES_TRUE, "every hinted part was the next one");
        } else {
            let fault = format!("{} was hinted, {} came", hint.uri, came.part.uri);
            ledger.broken(&HINT_COMES_TRUE, fault, version.place(hint.line));
        }
    }
}

fn is_complete(recording: &Recording, msn: u64) -> bool {
    recording.last().is_some_and(|version| version.media.last_complete().is_some_and(|last| last >= msn))
}

/// Hinted parts were asked for as soon as the hint was read (6.2.6).
fn held(ledger: &mut Ledger, recording: &Recording) {
    let parts = recording.parts();
    for fetched in recording.fetched.iter().filter(|fetched| fetched.why == Why::Hinted) {
        let What::Part(msn, index) = fetched.what else {
            open_range_held(ledger, fetched);
            continue;
        };
        let listed = parts.get(&(msn, index)).filter(|seen| seen.part.uri == relative(seen.part.uri.as_str(), fetched));
        match &fetched.status {
            Ok(200 | 206) => ledger.kept(&HINT_IS_HELD, "every hinted part came to who asked for it at once"),
            // A hint that did not come true is another rule's; a stream that stands still cannot send the part.
            Ok(status) if listed.is_some_and(|seen| !seen.part.gap) => {
                ledger.broken(&HINT_IS_HELD, format!("{} was hinted, and has status {status}", fetched.what), None);
            }
            Err(failure) if listed.is_some() => {
                ledger.broken(&HINT_IS_HELD, format!("{} was hinted, and did not come: {failure}", fetched.what), None);
            }
            _ => {}
        }
    }
}

fn open_range_held(ledger: &mut Ledger, fetched: &Fetched) {
    match &fetched.status {
        Ok(200 | 206) => ledger.kept(&HINT_IS_HELD, "every hinted range came to who asked for it at once"),
        Ok(status) => {
            ledger.broken(&HINT_IS_HELD, format!("{} was hinted, and has status {status}", fetched.what), None);
        }
        // A segment that had not ended when the watch did.
        Err(_) => {}
    }
}

/// The listed URI when it leads to what was fetched.
fn relative<'a>(uri: &'a str, fetched: &Fetched) -> &'a str {
    if fetched.url.join(uri).is_ok_and(|url| url == fetched.url) { uri } else { "" }
}

/// A part is sent when it is whole: its bytes do not come over the time that it lasts (6.2.6). One slow answer says nothing, half of them do.
fn at_link_speed(ledger: &mut Ledger, recording: &Recording) {
    let Some(target) = recording.part_target() else { return };
    let mut times: Vec<Duration> = recording
        .fetched
        .iter()
        .filter(|fetched| fetched.why == Why::Hinted && fetched.is_good() && matches!(fetched.what, What::Part(..)))
        .map(|fetched| fetched.ended.saturating_sub(fetched.began))
        .collect();
    times.sort();
    let Some(median) = times.get(times.len() / 2) else { return };
    let told = format!(
        "the bodies of {} hinted parts took {:.3} s (median) from the first byte to the last, PART-TARGET is {target}",
        times.len(),
        median.as_secs_f64()
    );
    if *median > target.times(2, 5).to_duration() {
        ledger.broken(&PART_AT_ONCE, told, None);
    } else {
        ledger.kept(&PART_AT_ONCE, told);
    }
}

/// A hinted range without an end is answered with 206 and the same open range (RFC 8673).
fn byte_ranges(ledger: &mut Ledger, recording: &Recording) {
    let starts = recording.versions.iter().flat_map(|version| &version.media.hints).filter(|hint| hint.start.is_some());
    if starts.count() == 0 {
        return;
    }
    for fetched in recording.fetched.iter().filter(|fetched| fetched.why == Why::Hinted && fetched.is_good()) {
        let range = fetched.content_range.as_deref().unwrap_or("absent");
        if fetched.status == Ok(206) && range.starts_with("bytes ") {
            ledger.kept(&BYTE_RANGE_PARTS, format!("206 with Content-Range {range}"));
        } else {
            let status = fetched.status.clone().unwrap_or(0);
            ledger.broken(
                &BYTE_RANGE_PARTS,
                format!("{} has status {status}, Content-Range is {range}", fetched.what),
                None,
            );
        }
    }
}
