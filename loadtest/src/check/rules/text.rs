//! Playlist text (LL-HLS as it is written: sections 4, 6.2.1 and 8).

use std::fmt::Display;

use crate::check::evidence::{Evidence, Recording, Version, place};
use crate::check::ledger::Ledger;
use crate::check::playlist::{Control, Fault, FaultKind, disagreements};
use crate::check::report::Place;
use crate::check::rule::{Rule, must, should};

/// A server that has delta updates may say in all playlists the version that those need (8).
const LEAST_WITH_SKIP: u64 = 9;

/// The rules of this chapter.
pub(super) const RULES: &[&Rule] = &[
    &TEXT_CLEAN,
    &ATTRIBUTE_LISTS,
    &TAGS_ONCE,
    &CONTENT_TYPE,
    &SECOND_READER,
    &VERSION_ENOUGH,
    &VERSION_LEAST,
    &TARGET_DURATION_HOLDS,
    &PARAMETERS_CONSTANT,
    &TARGET_DURATION_SHARED,
    &SERVER_CONTROL_SHARED,
    &LIVE_NOT_TYPED,
    &MAP_APPLIED,
];

pub(in crate::check) const TEXT_CLEAN: Rule =
    must("text-clean", "4.1", "playlists are clean UTF-8 lines and begin with #EXTM3U");
pub(in crate::check) const ATTRIBUTE_LISTS: Rule =
    must("attribute-lists", "4.2", "attribute lists have the right types, no spaces, no attribute twice");
pub(in crate::check) const TAGS_ONCE: Rule =
    must("tags-once", "4.4.2", "tags that describe a whole playlist stand in it at most once");
pub(in crate::check) const CONTENT_TYPE: Rule =
    must("content-type", "4", "playlists can be told by their path or content type");
pub(in crate::check) const SECOND_READER: Rule =
    must("second-reader", "4", "an independent parser reads the same as this one");
pub(in crate::check) const VERSION_ENOUGH: Rule =
    must("version-enough", "8", "EXT-X-VERSION is high enough for what is used");
pub(in crate::check) const VERSION_LEAST: Rule =
    should("version-least", "6.2.1", "EXT-X-VERSION is not higher than needed");
pub(in crate::check) const TARGET_DURATION_HOLDS: Rule =
    must("target-duration-holds", "4.4.3.1", "no segment, rounded, is longer than the target duration")
        .unseen("no segment was complete");
pub(in crate::check) const PARAMETERS_CONSTANT: Rule =
    must("parameters-constant", "6.2.1", "target duration, PART-TARGET and server control never change")
        .unseen("only one version of each playlist was seen");
pub(in crate::check) const TARGET_DURATION_SHARED: Rule =
    must("target-duration-shared", "6.2.4", "all renditions have the same target duration")
        .unseen("there is only one rendition");
pub(in crate::check) const SERVER_CONTROL_SHARED: Rule =
    must("server-control-shared", "6.2.4", "all renditions have the same server control")
        .unseen("there is only one rendition");
pub(in crate::check) const LIVE_NOT_TYPED: Rule =
    must("live-not-typed", "6.2.2", "a sliding playlist has no playlist type and numbers its segments")
        .unseen("no segment was removed");
pub(in crate::check) const MAP_APPLIED: Rule =
    must("map-applied", "3.1.2", "every fragmented MP4 segment has an EXT-X-MAP")
        .unseen("no fragmented MP4 was listed");

/// Judges the text of every version of every playlist.
pub(super) fn judge(evidence: &Evidence, ledger: &mut Ledger) {
    if let Some((url, text, multivariant, content_type)) = &evidence.multivariant {
        syntax(ledger, &multivariant.faults, |line| Some(place(url.as_str(), text, line)));
        content_type_of(ledger, url.path(), content_type.as_deref());
    }
    for recording in &evidence.renditions {
        for version in &recording.versions {
            let media = &version.media;
            syntax(ledger, &media.faults, |line| version.place(line));
            content_type_of(ledger, version.url.path(), version.content_type.as_deref());
            protocol_version(ledger, version);
            target_duration(ledger, version);
            map_applied(ledger, version);
        }
        for refused in recording.refused.iter().filter(|refused| refused.status == Some(200)) {
            ledger.broken(&TEXT_CLEAN, format!("a version of {}: {}", recording.name, refused.what), None);
        }
        second_reader(ledger, recording);
        constant(ledger, recording);
        not_typed(ledger, recording);
    }
    shared(ledger, evidence);
}

fn syntax(ledger: &mut Ledger, faults: &[Fault], place: impl Fn(usize) -> Option<Place>) {
    for fault in faults {
        let rule = match fault.kind {
            FaultKind::Text => &TEXT_CLEAN,
            FaultKind::Attributes => &ATTRIBUTE_LISTS,
            FaultKind::Repeated => &TAGS_ONCE,
        };
        ledger.broken(rule, fault.what.clone(), place(fault.line));
    }
    for rule in [&TEXT_CLEAN, &ATTRIBUTE_LISTS, &TAGS_ONCE] {
        ledger.kept(rule, "every version of every playlist was read without a fault");
    }
}

fn content_type_of(ledger: &mut Ledger, path: &str, content_type: Option<&str>) {
    let mime = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let by_path = matches!(path.rsplit_once('.'), Some((_, "m3u8" | "m3u")));
    let by_type = matches!(mime.as_str(), "application/vnd.apple.mpegurl" | "audio/mpegurl");
    let shown = content_type.unwrap_or("absent");
    if by_path || by_type {
        ledger.kept(&CONTENT_TYPE, format!("{path} with Content-Type {shown}"));
    } else {
        ledger.broken(&CONTENT_TYPE, format!("{path} does not end in .m3u8 and its Content-Type is {shown}"), None);
    }
}

fn protocol_version(ledger: &mut Ledger, version: &Version) {
    let (said, line) = version.media.version.unwrap_or((1, 1));
    let (needed, what) = version.media.needed_version;
    if said < needed {
        ledger.broken(
            &VERSION_ENOUGH,
            format!("EXT-X-VERSION is {said}, and {what} needs {needed}"),
            version.place(line),
        );
    } else {
        ledger.kept(&VERSION_ENOUGH, format!("EXT-X-VERSION is {said}, and {what} needs {needed}"));
    }
    // Version 6 is what any playlist with an init section says; delta updates and their full playlists may say the same version.
    let skips = version.media.control.as_ref().is_some_and(|control| control.can_skip_until.is_some());
    let least = if skips { needed.max(LEAST_WITH_SKIP) } else { needed };
    if said > least {
        ledger.broken(&VERSION_LEAST, format!("EXT-X-VERSION is {said}, and {least} is enough"), version.place(line));
    } else {
        ledger.kept(&VERSION_LEAST, format!("EXT-X-VERSION is {said}"));
    }
}

fn target_duration(ledger: &mut Ledger, version: &Version) {
    let Some((target, _)) = version.media.target_duration else { return };
    for segment in version.media.complete() {
        let Some(duration) = segment.duration else { continue };
        if duration.rounded() > u128::from(target) {
            let fault = format!("segment {} lasts {duration}, the target duration is {target} s", segment.msn);
            ledger.broken(&TARGET_DURATION_HOLDS, fault, version.place(segment.line));
        } else {
            ledger.kept(&TARGET_DURATION_HOLDS, format!("every segment is at most {target} s when rounded"));
        }
    }
}

fn map_applied(ledger: &mut Ledger, version: &Version) {
    let skipped = version.media.skip.is_some();
    for segment in &version.media.segments {
        let uri = segment.uri.as_deref().or(segment.parts.first().map(|part| part.uri.as_str())).unwrap_or_default();
        let name = uri.split('?').next().unwrap_or_default();
        // A playlist of transport streams or packed audio needs none; a gap has no media.
        let gap = segment.gap || segment.parts.iter().any(|part| part.gap);
        if [".ts", ".aac", ".mp3", ".ac3", ".vtt", ".webvtt"].iter().any(|end| name.ends_with(end)) || gap {
            continue;
        }
        if segment.map.is_none() && !skipped {
            let fault = format!("no EXT-X-MAP applies to segment {}", segment.msn);
            ledger.broken(&MAP_APPLIED, fault, version.place(segment.line));
        } else {
            ledger.kept(&MAP_APPLIED, "an EXT-X-MAP applies to every segment");
        }
    }
}

fn second_reader(ledger: &mut Ledger, recording: &Recording) {
    for version in &recording.versions {
        for told in disagreements(&version.text, &version.media) {
            ledger.broken(&SECOND_READER, told, version.place(1));
        }
        ledger.kept(&SECOND_READER, "m3u8-rs reads every version as this judge does");
    }
}

fn constant(ledger: &mut Ledger, recording: &Recording) {
    for (before, version) in recording.versions.iter().zip(recording.versions.iter().skip(1)) {
        let (old, new) = (&before.media, &version.media);
        let mut broken = |what: &str, line: usize, from: &dyn Display, to: &dyn Display| {
            ledger.broken(&PARAMETERS_CONSTANT, format!("{what} changes from {from} to {to}"), version.place(line));
        };
        if let (Some((from, _)), Some((to, line))) = (old.target_duration, new.target_duration)
            && from != to
        {
            broken("the target duration", line, &from, &to);
        }
        if let (Some((from, _)), Some((to, line))) = (old.part_target, new.part_target)
            && from != to
        {
            broken("PART-TARGET", line, &from, &to);
        }
        if let (Some(from), Some(to)) = (&old.control, &new.control)
            && from.attributes != to.attributes
        {
            broken("EXT-X-SERVER-CONTROL", to.line, &show(from), &show(to));
        }
        if old.part_target.is_some() && new.part_target.is_none() {
            broken("EXT-X-PART-INF", 1, &"being there", &"being absent");
        }
        ledger.kept(&PARAMETERS_CONSTANT, format!("the same in {} versions", recording.versions.len()));
    }
}

fn not_typed(ledger: &mut Ledger, recording: &Recording) {
    for version in &recording.versions {
        if let Some((kind, line)) = &version.media.kind
            && version.media.first_msn() > 0
        {
            let fault = format!("EXT-X-PLAYLIST-TYPE is {kind} in a playlist that segments were removed from");
            ledger.broken(&LIVE_NOT_TYPED, fault, version.place(*line));
        }
    }
    let removed = |(before, after): (&Version, &Version)| {
        let kept = before.media.complete().next().and_then(|segment| segment.uri.as_ref());
        kept.is_some()
            && after.media.skip.is_none()
            && after.media.segments.iter().all(|segment| segment.uri.as_ref() != kept)
    };
    for pair in recording.versions.iter().zip(recording.versions.iter().skip(1)).filter(|pair| removed(*pair)) {
        if pair.1.media.media_sequence.is_none() {
            let fault = "segments were removed, and EXT-X-MEDIA-SEQUENCE is absent";
            ledger.broken(&LIVE_NOT_TYPED, fault, pair.1.place(1));
        } else {
            ledger.kept(&LIVE_NOT_TYPED, "no EXT-X-PLAYLIST-TYPE, and EXT-X-MEDIA-SEQUENCE is there");
        }
    }
}

fn shared(ledger: &mut Ledger, evidence: &Evidence) {
    let mut firsts = evidence.renditions.iter().filter_map(|recording| Some((&recording.name, recording.first()?)));
    let Some((name, first)) = firsts.next() else { return };
    for (other_name, other) in firsts {
        let seconds = |version: &Version| version.media.target_duration.map_or(0, |(seconds, _)| seconds);
        let (ours, theirs) = (seconds(first), seconds(other));
        if ours == theirs {
            ledger.kept(&TARGET_DURATION_SHARED, format!("{ours} s everywhere"));
        } else {
            let line = other.media.target_duration.map_or(1, |(_, line)| line);
            let fault = format!("the target duration is {ours} s in {name} and {theirs} s in {other_name}");
            ledger.broken(&TARGET_DURATION_SHARED, fault, other.place(line));
        }
        let attributes = |version: &Version| version.media.control.as_ref().map(|control| control.attributes.clone());
        if attributes(first) == attributes(other) {
            ledger.kept(
                &SERVER_CONTROL_SHARED,
                first.media.control.as_ref().map_or("absent everywhere".to_owned(), show),
            );
        } else {
            let shown = |version: &Version| version.media.control.as_ref().map_or("absent".to_owned(), show);
            let fault = format!("{name} has {}, {other_name} has {}", shown(first), shown(other));
            let line = other.media.control.as_ref().map_or(1, |control| control.line);
            ledger.broken(&SERVER_CONTROL_SHARED, fault, other.place(line));
        }
    }
}

fn show(control: &Control) -> String {
    control.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}
