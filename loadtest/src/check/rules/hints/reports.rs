//! Rendition reports against the playlists that they report on.

use std::time::Duration;

use url::Url;

use super::{REPORT_FRESH, REPORT_LAST_PART, REPORT_URI, REPORTS_COMPLETE};
use crate::check::evidence::{Evidence, Recording, Version};
use crate::check::ledger::Ledger;
use crate::check::playlist::Report;

/// Two updates that come this near to each other are one update for whoever looks from outside.
const SIMULTANEOUS: Duration = Duration::from_millis(60);

pub(super) fn judge(ledger: &mut Ledger, evidence: &Evidence) {
    // 7: who plays by one pathway has no use for what there is on another.
    let pathway = |recording: &Recording| evidence.multivariant.as_ref()?.2.pathway(&recording.name);
    for recording in &evidence.renditions {
        let others: Vec<&Recording> = evidence
            .renditions
            .iter()
            .filter(|other| other.url != recording.url && !other.versions.is_empty())
            .filter(|other| pathway(other) == pathway(recording))
            .collect();
        for version in recording.versions.iter().filter(|version| !version.media.ended) {
            complete(ledger, version, &others);
            for report in &version.media.reports {
                uri(ledger, version, report, &evidence.renditions);
            }
        }
        for other in others {
            fresh(ledger, recording, other);
        }
    }
}

fn complete(ledger: &mut Ledger, version: &Version, others: &[&Recording]) {
    for other in others {
        if version.media.reports.iter().any(|report| leads_to(version, report, other)) {
            ledger.kept(&REPORTS_COMPLETE, "every playlist reports on every other one");
        } else {
            let fault = format!("{} has no EXT-X-RENDITION-REPORT for {}", version.url.path(), other.name);
            ledger.broken(&REPORTS_COMPLETE, fault, None);
        }
    }
}

fn uri(ledger: &mut Ledger, version: &Version, report: &Report, all: &[Recording]) {
    let place = || version.place(report.line);
    let absolute = Url::parse(&report.uri).is_ok() || report.uri.starts_with("//");
    let found = all.iter().find(|recording| leads_to(version, report, recording));
    match found {
        _ if absolute => ledger.broken(&REPORT_URI, format!("{} is absolute", report.uri), place()),
        None => {
            ledger.broken(&REPORT_URI, format!("{} leads to no media playlist of this stream", report.uri), place());
        }
        Some(found) => {
            let query = version.url.join(&report.uri).ok().and_then(|url| url.query().map(str::to_owned));
            if found.url.as_ref().and_then(Url::query) == query.as_deref() {
                ledger.kept(&REPORT_URI, "every report has the relative URI of a media playlist");
            } else {
                let fault = format!("{} has another query than the playlist that it leads to", report.uri);
                ledger.suspect(&REPORT_URI, fault, place());
            }
        }
    }
}

/// Whether a report is about `recording`: the same path on the same host.
fn leads_to(version: &Version, report: &Report, recording: &Recording) -> bool {
    let (Ok(url), Some(other)) = (version.url.join(&report.uri), &recording.url) else { return false };
    (url.host_str(), url.port_or_known_default(), url.path())
        == (other.host_str(), other.port_or_known_default(), other.path())
}

/// What reports say of the last part, against when that part came. A report that is behind once may be one that this judge saw late;
/// one that is behind most of the time is behind.
fn fresh(ledger: &mut Ledger, recording: &Recording, other: &Recording) {
    let parts = other.parts();
    let (mut judged, mut stale, mut early) = (0, Vec::new(), Vec::new());
    let (mut first_parts, mut first_part_early) = (0, 0);
    for version in recording.versions.iter().filter(|version| version.awaited.is_some() && !version.media.ended) {
        let Some(report) = version.media.reports.iter().find(|report| leads_to(version, report, other)) else {
            continue;
        };
        // What is left out is as in the playlist that has the report (4.4.5.4).
        let own = version.media.last_part().unwrap_or((version.media.last_complete().unwrap_or(0), 0));
        let said = (report.last_msn.unwrap_or(own.0), report.last_part.unwrap_or(own.1));
        let (Some((earliest, _)), Some((last, _))) = (parts.first_key_value(), parts.last_key_value()) else {
            continue;
        };
        if said > *last || said < *earliest {
            // Nothing is known of parts outside of what was recorded, except that they are no next neighbours.
            if said.0 > last.0 + 1 {
                let fault =
                    format!("{} is said to be at part {} of segment {}, and never was", other.name, said.1, said.0);
                ledger.broken(&REPORT_LAST_PART, fault, version.place(report.line));
            }
            continue;
        }
        let Some(seen) = parts.get(&said) else {
            let fault = format!("part {} of segment {} of {} does not exist", said.1, said.0, other.name);
            ledger.broken(&REPORT_LAST_PART, fault, version.place(report.line));
            continue;
        };
        ledger.kept(&REPORT_LAST_PART, "every report names a part that exists");
        judged += 1;
        first_parts += u32::from(said.1 == 0);
        let newest = parts.iter().rev().find(|(_, part)| part.version.arrived + SIMULTANEOUS < version.arrived);
        if let Some((newest, _)) = newest.filter(|(newest, _)| **newest > said) {
            stale.push((version, report, said, *newest));
        } else if !seen.initial && seen.version.arrived > version.arrived + SIMULTANEOUS {
            if said.1 == 0 {
                first_part_early += 1;
            }
            early.push((version, report, said));
        }
    }
    if let Some((version, report, said, newest)) = stale.first() {
        let told = format!(
            "{} of {judged} reports on {} are stale: part {} of segment {} is named, part {} of segment {} had come",
            stale.len(),
            other.name,
            said.1,
            said.0,
            newest.1,
            newest.0
        );
        weigh(ledger, stale.len(), judged, told, version, report);
    }
    // After the last part of a segment its index is due, not the first of the next: such reports are a few, and name no other part early.
    if first_part_early > 1
        && first_part_early * 2 >= first_parts
        && let Some((version, report, said)) = early.iter().find(|(_, _, said)| said.1 == 0)
    {
        let told = format!(
            "{first_part_early} of {first_parts} reports that name the first part of a segment of {} name it before it can be had, \
             as part 0 of segment {}",
            other.name, said.0
        );
        ledger.broken(&REPORT_LAST_PART, told, version.place(report.line));
    }
    if let Some((version, report, said)) = early.first() {
        let told = format!(
            "{} of {judged} reports on {} are ahead: part {} of segment {} is named before it can be had",
            early.len(),
            other.name,
            said.1,
            said.0
        );
        weigh(ledger, early.len(), judged, told, version, report);
    }
    if judged > 0 {
        ledger.kept(&REPORT_FRESH, format!("{judged} reports on {} were compared with it", other.name));
    }
}

/// Most of them wrong is broken, a tenth is suspicious, less is the noise of two requests at once.
fn weigh(ledger: &mut Ledger, wrong: usize, judged: usize, told: String, version: &Version, report: &Report) {
    if wrong * 2 > judged {
        ledger.broken(&REPORT_FRESH, told, version.place(report.line));
    } else if wrong * 10 > judged {
        ledger.suspect(&REPORT_FRESH, told, version.place(report.line));
    }
}
