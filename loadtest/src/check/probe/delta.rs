//! Delta updates against full playlists of the same version (6.2.5.1).

use std::sync::Arc;

use super::{Subject, with_directives};
use crate::check::dial::Dial;
use crate::check::evidence::Version;
use crate::check::ledger::Ledger;
use crate::check::playlist::{Map, Media, Segment};
use crate::check::rules::directives::{DELTA_BOUNDARY, DELTA_COMPLETE, DELTA_DATE_RANGES, DELTA_UPDATE};
use crate::check::rules::text;
use crate::check::seconds::Seconds;
use crate::check::watch::hold_limit;

/// Delta updates that are compared with full playlists.
const COMPARED: usize = 4;
/// Attempts to have both forms of one version.
const ATTEMPTS: usize = 12;

pub(super) async fn run<D: Dial>(subject: &Subject<D>, media: &Media, ledger: &mut Ledger) {
    let Some(control) = media.control.as_ref().filter(|control| control.can_skip_until.is_some()) else { return };
    for form in if control.can_skip_date_ranges { ["YES", "v2"].as_slice() } else { ["YES"].as_slice() } {
        let (mut compared, mut last) = (0, None);
        for _ in 0..ATTEMPTS {
            let Some((full, delta)) = both(subject, form, ledger).await else { return };
            // Only two forms of one version can be compared.
            if full.media.next_part() == delta.media.next_part()
                && full.media.last_complete() == delta.media.last_complete()
            {
                compare(ledger, &full, &delta, form);
                compared += 1;
            }
            if compared == COMPARED || full.media.ended {
                break;
            }
            last = Some(delta);
        }
        if let (0, Some(delta)) = (compared, &last) {
            let (msn, index) = delta.media.next_part();
            let fault = format!(
                "no full playlist of {ATTEMPTS} ended where the delta update did that was asked for with it: the last one at part \
                 {index} of segment {msn}"
            );
            ledger.broken(&DELTA_COMPLETE, fault, delta.place(1));
        }
    }
}

/// The next version, in full and as a delta update. Both are asked for at once, held, and released together.
async fn both<D: Dial>(subject: &Subject<D>, form: &str, ledger: &mut Ledger) -> Option<(Version, Version)> {
    let now = subject.current().await.ok()?;
    let (msn, index) = now.media.next_part();
    let directives = match (super::blocks(&now.media), now.media.part_target) {
        (true, Some(_)) => format!("_HLS_msn={msn}&_HLS_part={index}"),
        (true, None) => format!("_HLS_msn={msn}"),
        (false, _) => String::new(),
    };
    let skipping = format!("{directives}{}_HLS_skip={form}", if directives.is_empty() { "" } else { "&" });
    let full_url = if directives.is_empty() { subject.url.clone() } else { with_directives(&subject.url, &directives) };
    let (delta_url, limit) = (with_directives(&subject.url, &skipping), hold_limit(&now.media));
    let (full, delta) = tokio::join!(subject.playlist(&full_url, limit), subject.playlist(&delta_url, limit));
    if let (Ok(_), Err(what)) = (&full, &delta) {
        ledger.broken(&DELTA_UPDATE, format!("{skipping}: {what}"), None);
    }
    full.ok().zip(delta.ok())
}

/// Judges a delta update against the full playlist of its version.
fn compare(ledger: &mut Ledger, full: &Version, delta: &Version, form: &str) {
    let Some(boundary) = full.media.control.as_ref().and_then(|control| control.can_skip_until) else { return };
    let (least, most) = skippable(&full.media, boundary);
    let Some(skip) = &delta.media.skip else {
        if least > 0 {
            let fault =
                format!("_HLS_skip={form} gave a full playlist, and {least} segments are older than {boundary}");
            ledger.broken(&DELTA_UPDATE, fault, delta.place(1));
        } else {
            ledger.unseen(&DELTA_UPDATE, format!("no segment was older than CAN-SKIP-UNTIL ({boundary})"));
            ledger.unseen(&DELTA_BOUNDARY, format!("no segment was older than CAN-SKIP-UNTIL ({boundary})"));
            same(ledger, full, delta, 0);
        }
        return;
    };
    ledger.kept(
        &DELTA_UPDATE,
        format!("{} of {} bytes, {} segments skipped", delta.text.len(), full.text.len(), skip.segments),
    );
    let (said, needed) = (delta.media.version.map_or(1, |(version, _)| version), delta.media.needed_version);
    if said < needed.0 {
        let fault = format!("EXT-X-VERSION of a delta update is {said}, and {} needs {}", needed.1, needed.0);
        ledger.broken(&text::VERSION_ENOUGH, fault, delta.place(1));
    }
    let told = format!("{} segments are skipped, {least} to {most} are older than {boundary}", skip.segments);
    if (least..=most).contains(&skip.segments) {
        ledger.kept(&DELTA_BOUNDARY, told);
    } else {
        ledger.broken(&DELTA_BOUNDARY, told, delta.place(skip.line));
    }
    if form == "v2" {
        if skip.removed_date_ranges.is_some() {
            ledger.kept(&DELTA_DATE_RANGES, "RECENTLY-REMOVED-DATERANGES is there");
        } else {
            let fault = "RECENTLY-REMOVED-DATERANGES is absent in an answer to _HLS_skip=v2";
            ledger.broken(&DELTA_DATE_RANGES, fault, delta.place(skip.line));
        }
    }
    same(ledger, full, delta, skip.segments);
}

/// How many segments have to be skipped, and how many may be: those that are wholly, or partly, further than `boundary` from the end of the
/// last complete segment.
fn skippable(full: &Media, boundary: Seconds) -> (u64, u64) {
    let (mut after, mut least, mut most) = (Seconds::default(), 0, 0);
    for segment in full.complete().rev() {
        least += u64::from(after > boundary);
        after = after + segment.duration.unwrap_or_default();
        most += u64::from(after > boundary);
    }
    (least, most)
}

/// Everything that is not skipped is as in the full playlist.
fn same(ledger: &mut Ledger, full: &Version, delta: &Version, skipped: u64) {
    let (ours, theirs) = (&full.media, &delta.media);
    let mut broken = |what: String, line: usize| ledger.broken(&DELTA_COMPLETE, what, delta.place(line));
    for (name, equal) in [
        ("EXT-X-TARGETDURATION", ours.target_duration.map(|(n, _)| n) == theirs.target_duration.map(|(n, _)| n)),
        ("EXT-X-PART-INF", ours.part_target.map(|(n, _)| n) == theirs.part_target.map(|(n, _)| n)),
        (
            "EXT-X-SERVER-CONTROL",
            ours.control.as_ref().map(|c| &c.attributes) == theirs.control.as_ref().map(|c| &c.attributes),
        ),
        ("EXT-X-MEDIA-SEQUENCE", ours.media_sequence == theirs.media_sequence),
        ("EXT-X-DISCONTINUITY-SEQUENCE", ours.discontinuity_sequence == theirs.discontinuity_sequence),
        ("EXT-X-INDEPENDENT-SEGMENTS", ours.independent_segments == theirs.independent_segments),
        ("EXT-X-ENDLIST", ours.ended == theirs.ended),
    ] {
        if !equal {
            broken(format!("{name} of the delta update is not that of the full playlist"), 1);
        }
    }
    let hints =
        |media: &Media| media.hints.iter().map(|hint| (hint.kind.clone(), hint.uri.clone())).collect::<Vec<_>>();
    if hints(ours) != hints(theirs) {
        broken("the hints of the delta update are not those of the full playlist".to_owned(), 1);
    }
    let reports = |media: &Media| {
        media.reports.iter().map(|report| (report.uri.clone(), report.last_msn, report.last_part)).collect::<Vec<_>>()
    };
    if reports(ours) != reports(theirs) {
        broken("the rendition reports of the delta update are not those of the full playlist".to_owned(), 1);
    }
    let rest: Vec<&Segment> = ours.segments.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX)).collect();
    if rest.len() != theirs.segments.len() {
        broken(
            format!("{} segments stand in the delta update, {} are not skipped", theirs.segments.len(), rest.len()),
            1,
        );
    }
    let before = usize::try_from(skipped).ok().and_then(|skipped| skipped.checked_sub(1));
    let known = before.and_then(|before| ours.segments.get(before)?.map.as_ref());
    for (ours, theirs) in rest.iter().zip(&theirs.segments) {
        if let Some(what) = difference(ours, theirs, known) {
            broken(format!("{what} of segment {} are not those of the full playlist", ours.msn), theirs.line);
        }
    }
    ledger.kept(&DELTA_COMPLETE, "tags, segments, parts, hints and reports are those of the full playlist");
}

/// What differs between a segment in a full playlist and in its delta update. The map that is `known` from the last skipped segment may be
/// left out.
fn difference(ours: &Segment, theirs: &Segment, known: Option<&Arc<Map>>) -> Option<&'static str> {
    let parts = |segment: &Segment| {
        segment
            .parts
            .iter()
            .map(|part| (part.uri.clone(), part.duration, part.independent, part.gap, part.byte_range))
            .collect::<Vec<_>>()
    };
    if (&ours.uri, ours.duration, ours.gap, ours.byte_range)
        != (&theirs.uri, theirs.duration, theirs.gap, theirs.byte_range)
    {
        return Some("URI, duration or range");
    }
    if parts(ours) != parts(theirs) {
        return Some("the parts");
    }
    if ours.date != theirs.date || ours.discontinuity != theirs.discontinuity {
        return Some("date or discontinuity");
    }
    (ours.map.as_ref() != theirs.map.as_ref().or(known)).then_some("the init section")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_straddles_the_boundary_may_be_skipped_or_not() {
        let segments = "#EXTINF:2,\ns\n".repeat(10);
        let media = Media::read(&format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{segments}"));
        for (boundary, expected) in [("12", (3, 4)), ("13", (3, 4)), ("11.5", (4, 5)), ("20", (0, 0)), ("100", (0, 0))]
        {
            let (least, most) = skippable(&media, Seconds::parse(boundary).unwrap());
            assert!((least, most) == expected, "{boundary}: {least} to {most}");
        }
    }
}
