//! Parts: server control, durations, independence, and parts against segments.

use crate::check::evidence::{Evidence, Fetched, Recording, Version};
use crate::check::ledger::Ledger;
use crate::check::media::{Fragment, Sample};
use crate::check::playlist::Segment;
use crate::check::report::Place;
use crate::check::rule::{Rule, must, profile, should};
use crate::check::seconds::Seconds;

/// How far a duration in a playlist may be from that of its samples: text in milliseconds, rounded either way.
const MAX_DURATION_ERROR: Seconds = Seconds::millis(1);

/// The rules of this chapter.
pub(super) const RULES: &[&Rule] = &[
    &PART_INF_PRESENT,
    &PART_HOLD_BACK_LEAST,
    &PART_HOLD_BACK_ROOM,
    &HOLD_BACK_LEAST,
    &SKIP_BOUNDARY_LEAST,
    &PART_WITHIN_TARGET,
    &PART_LONG_ENOUGH,
    &SEGMENT_TAGS_FIRST,
    &PARTS_MAKE_SEGMENT,
    &PARTS_IDENTICAL_BYTES,
    &DURATIONS_OF_MEDIA,
    &INDEPENDENT_TRUE,
    &INDEPENDENT_MARKED,
    &SEGMENT_INDEPENDENT,
];

pub(in crate::check) const PART_INF_PRESENT: Rule =
    must("part-inf-present", "4.4.3.7", "a playlist with parts says PART-TARGET").unseen("no playlist lists parts");
pub(in crate::check) const PART_HOLD_BACK_LEAST: Rule =
    must("part-hold-back-least", "4.4.3.8", "PART-HOLD-BACK is there and at least twice PART-TARGET")
        .unseen("no playlist lists parts");
pub(in crate::check) const PART_HOLD_BACK_ROOM: Rule =
    should("part-hold-back-room", "4.4.3.8", "PART-HOLD-BACK is at least three times PART-TARGET")
        .unseen("no playlist lists parts");
pub(in crate::check) const HOLD_BACK_LEAST: Rule =
    must("hold-back-least", "4.4.3.8", "HOLD-BACK is at least three target durations")
        .unseen("HOLD-BACK is absent and so is three target durations");
pub(in crate::check) const SKIP_BOUNDARY_LEAST: Rule =
    must("skip-boundary-least", "4.4.3.8", "CAN-SKIP-UNTIL is at least six target durations")
        .unseen("the server does not advertise CAN-SKIP-UNTIL");
pub(in crate::check) const PART_WITHIN_TARGET: Rule =
    must("part-within-target", "4.4.4.9", "no part is longer than PART-TARGET").unseen("no playlist lists parts");
pub(in crate::check) const PART_LONG_ENOUGH: Rule =
    must("part-long-enough", "4.4.4.9", "parts last at least 85 % of PART-TARGET").unseen("no playlist lists parts");
pub(in crate::check) const SEGMENT_TAGS_FIRST: Rule =
    must("segment-tags-first", "4.4.4.9", "the tags of a segment stand before its first part")
        .unseen("no playlist lists parts");
pub(in crate::check) const PARTS_MAKE_SEGMENT: Rule =
    must("parts-make-segment", "3.2", "the parts of a segment hold exactly its samples")
        .unseen("no segment was fetched together with all of its parts");
pub(in crate::check) const PARTS_IDENTICAL_BYTES: Rule =
    should("parts-identical-bytes", "3.2", "the parts of a segment are its bytes")
        .unseen("no segment was fetched together with all of its parts");
pub(in crate::check) const DURATIONS_OF_MEDIA: Rule =
    must("durations-of-media", "4.4.4.9", "DURATION and EXTINF are the durations of the media")
        .unseen("no media was read");
pub(in crate::check) const INDEPENDENT_TRUE: Rule =
    must("independent-true", "4.4.4.9", "a part marked INDEPENDENT holds an independent frame")
        .unseen("no part with INDEPENDENT=YES was read");
pub(in crate::check) const INDEPENDENT_MARKED: Rule =
    should("independent-marked", "4.4.4.9", "every part with an independent frame is marked")
        .unseen("no part with an independent frame was read");
pub(in crate::check) const SEGMENT_INDEPENDENT: Rule =
    profile("segment-independent", "B.1", "every segment holds an independent frame, first where that is promised")
        .unseen("no segment was read");

/// Judges parts as they are listed, then as they are.
pub(super) fn judge(evidence: &Evidence, ledger: &mut Ledger) {
    let largest = evidence.renditions.iter().filter_map(Recording::part_target).max();
    for recording in &evidence.renditions {
        for version in &recording.versions {
            server_control(ledger, version, largest);
            listed(ledger, version);
        }
        durations(ledger, recording);
        independence(ledger, recording);
        segments(ledger, recording);
    }
}

fn server_control(ledger: &mut Ledger, version: &Version, largest: Option<Seconds>) {
    let media = &version.media;
    if media.has_parts() {
        match media.part_target {
            Some((target, _)) => ledger.kept(&PART_INF_PRESENT, format!("PART-TARGET is {target}")),
            None => ledger.broken(&PART_INF_PRESENT, "there are parts, and EXT-X-PART-INF is absent", version.place(1)),
        }
    }
    let line = media.control.as_ref().map_or(1, |control| control.line);
    let control = media.control.as_ref();
    if let Some((target, _)) = media.part_target {
        let largest = largest.unwrap_or(target);
        match control.and_then(|control| control.part_hold_back) {
            None => ledger.broken(
                &PART_HOLD_BACK_LEAST,
                "PART-HOLD-BACK is absent, and there is a PART-TARGET",
                version.place(line),
            ),
            Some(back) => {
                let told = format!("PART-HOLD-BACK is {back}, PART-TARGET is {target}");
                at_least(ledger, &PART_HOLD_BACK_LEAST, back >= target.times(2, 1), &told, version, line);
                let told = format!("PART-HOLD-BACK is {back}, the largest PART-TARGET is {largest}");
                at_least(ledger, &PART_HOLD_BACK_ROOM, back >= largest.times(3, 1), &told, version, line);
            }
        }
    }
    let Some((target, control)) = media.target().zip(control) else { return };
    if let Some(back) = control.hold_back {
        let told = format!("HOLD-BACK is {back}, the target duration is {target}");
        at_least(ledger, &HOLD_BACK_LEAST, back >= target.times(3, 1), &told, version, line);
    }
    match control.can_skip_until {
        Some(until) => {
            let told = format!("CAN-SKIP-UNTIL is {until}, the target duration is {target}");
            at_least(ledger, &SKIP_BOUNDARY_LEAST, until >= target.times(6, 1), &told, version, line);
        }
        None if control.can_skip_date_ranges => {
            let fault = "CAN-SKIP-DATERANGES is there without CAN-SKIP-UNTIL";
            ledger.broken(&SKIP_BOUNDARY_LEAST, fault, version.place(line));
        }
        None => {}
    }
}

fn at_least(ledger: &mut Ledger, rule: &Rule, kept: bool, told: &str, version: &Version, line: usize) {
    if kept { ledger.kept(rule, told) } else { ledger.broken(rule, told, version.place(line)) }
}

/// What a playlist says of its parts.
fn listed(ledger: &mut Ledger, version: &Version) {
    let media = &version.media;
    let Some((target, _)) = media.part_target else { return };
    if media.has_parts() {
        ledger.unseen(&PART_LONG_ENOUGH, "every part is the last of its segment, independent, a gap or before a gap");
    }
    for segment in &media.segments {
        for (tag, line) in segment.late_tags.iter().filter(|_| !segment.parts.is_empty()) {
            let fault = format!("{tag} of segment {} stands after its first part", segment.msn);
            ledger.broken(&SEGMENT_TAGS_FIRST, fault, version.place(*line));
        }
        if !segment.parts.is_empty() {
            ledger.kept(&SEGMENT_TAGS_FIRST, "no tag of a segment stands after its first part");
        }
        for (index, part) in segment.parts.iter().enumerate() {
            let told =
                || format!("part {index} of segment {} lasts {}, PART-TARGET is {target}", segment.msn, part.duration);
            if part.duration > target {
                ledger.broken(&PART_WITHIN_TARGET, told(), version.place(part.line));
            } else {
                ledger.kept(&PART_WITHIN_TARGET, format!("every part lasts at most {target}"));
            }
            if may_be_short(segment, index) {
                continue;
            }
            if part.duration < target.times(85, 100) {
                ledger.broken(&PART_LONG_ENOUGH, format!("{}: less than 85 % of it", told()), version.place(part.line));
            } else {
                ledger.kept(
                    &PART_LONG_ENOUGH,
                    format!("every part that has to lasts at least {}", target.times(85, 100)),
                );
            }
        }
    }
}

/// The exceptions of 4.4.4.9: the last part of its segment, one with an independent frame, a gap and what stands before a gap. The last part
/// of a segment that grows may turn out to be its last one.
fn may_be_short(segment: &Segment, index: usize) -> bool {
    let next = segment.parts.get(index + 1);
    let this = segment.parts.get(index);
    this.is_none_or(|part| part.independent || part.gap) || next.is_none_or(|next| next.gap)
}

/// DURATION and EXTINF against the samples.
fn durations(ledger: &mut Ledger, recording: &Recording) {
    let mut judge = |what: &str, said: Seconds, fetched: &Fetched, version: &Version, line: usize| {
        let Some((fragment, track)) = fetched.leading() else { return };
        let lasts = Seconds::of_ticks(fragment.duration(track.id), track.timescale);
        if said.abs_diff(lasts) > MAX_DURATION_ERROR {
            let fault = format!("{what} is said to last {said}, its media lasts {lasts}");
            ledger.broken(&DURATIONS_OF_MEDIA, fault, version.place(line));
        } else {
            ledger.kept(&DURATIONS_OF_MEDIA, format!("within {MAX_DURATION_ERROR} of the media"));
        }
    };
    let (parts, segments) = (recording.parts(), recording.segments());
    for ((msn, index), fetched) in recording.fetched_parts() {
        if let Some(seen) = parts.get(&(msn, index)) {
            judge(&format!("part {index} of segment {msn}"), seen.part.duration, fetched, seen.version, seen.part.line);
        }
    }
    for (msn, fetched) in recording.fetched_segments() {
        if let Some(seen) = segments.get(&msn)
            && let Some(said) = seen.segment.duration
        {
            judge(&format!("segment {msn}"), said, fetched, seen.version, seen.segment.line);
        }
    }
}

fn independence(ledger: &mut Ledger, recording: &Recording) {
    let parts = recording.parts();
    for (key, fetched) in recording.fetched_parts() {
        let (Some(seen), Some((fragment, track))) = (parts.get(&key), fetched.leading()) else { continue };
        let (part, place) = (seen.part, seen.version.place(seen.part.line));
        let sync = fragment.samples(track.id).any(|sample| sample.sync);
        let what = format!("part {} of segment {}", key.1, key.0);
        match (part.independent, sync) {
            (true, false) => ledger.broken(&INDEPENDENT_TRUE, format!("{what} has no independent frame"), place),
            (false, true) => {
                ledger.broken(
                    &INDEPENDENT_MARKED,
                    format!("{what} has an independent frame, and is not marked"),
                    place,
                );
            }
            (true, true) => {
                ledger.kept(&INDEPENDENT_TRUE, "every marked part has an independent frame");
                ledger.kept(&INDEPENDENT_MARKED, "every part with an independent frame is marked");
            }
            (false, false) => {}
        }
    }
}

/// Whole segments against their parts.
fn segments(ledger: &mut Ledger, recording: &Recording) {
    let (listed, parts) = (recording.segments(), recording.fetched_parts());
    for (msn, whole) in recording.fetched_segments() {
        let (Some(seen), Some((fragment, track))) = (listed.get(&msn), whole.leading()) else { continue };
        let place = seen.version.place(seen.segment.line);
        let first = fragment.samples(track.id).next().is_some_and(|sample| sample.sync);
        let any = fragment.samples(track.id).any(|sample| sample.sync);
        if !any {
            ledger.broken(&SEGMENT_INDEPENDENT, format!("segment {msn} has no independent frame"), place.clone());
        } else if !first && seen.version.media.independent_segments {
            let fault = format!(
                "segment {msn} does not begin with an independent frame, and EXT-X-INDEPENDENT-SEGMENTS is there"
            );
            ledger.broken(&SEGMENT_INDEPENDENT, fault, place.clone());
        } else {
            ledger
                .kept(&SEGMENT_INDEPENDENT, "every segment that was read has an independent frame where it has to be");
        }
        let count = seen.segment.parts.len() as u64;
        let own: Vec<&Fragment> = (0..count).filter_map(|index| parts.get(&(msn, index))?.fragment.as_ref()).collect();
        if count > 0 && own.len() as u64 == count {
            parts_make(ledger, msn, fragment, &own, whole, place);
        }
    }
}

fn parts_make(
    ledger: &mut Ledger,
    msn: u64,
    whole: &Fragment,
    parts: &[&Fragment],
    fetched: &Fetched,
    place: Option<Place>,
) {
    let tracks = fetched.init.iter().flat_map(|init| &init.tracks);
    for track in tracks {
        let ours: Vec<&Sample> = parts.iter().flat_map(|part| part.samples(track.id)).collect();
        let theirs: Vec<&Sample> = whole.samples(track.id).collect();
        let differ = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
        let start = parts.first().and_then(|part| part.start(track.id));
        if ours.len() != theirs.len() {
            let fault = format!(
                "segment {msn} has {} samples of track {}, its parts have {}",
                theirs.len(),
                track.id,
                ours.len()
            );
            ledger.broken(&PARTS_MAKE_SEGMENT, fault, place.clone());
        } else if let Some(at) = differ {
            let fault =
                format!("sample {at} of track {} of segment {msn} is not the one that its parts have", track.id);
            ledger.broken(&PARTS_MAKE_SEGMENT, fault, place.clone());
        } else if start != whole.start(track.id) {
            let fault = format!("segment {msn} begins at {:?}, its first part at {start:?}", whole.start(track.id));
            ledger.broken(&PARTS_MAKE_SEGMENT, fault, place.clone());
        } else {
            ledger
                .kept(&PARTS_MAKE_SEGMENT, "samples, durations and flags are the same in segments and in their parts");
        }
    }
    let boxes: Vec<_> = parts.iter().flat_map(|part| part.boxes.iter().copied()).collect();
    if boxes == whole.boxes {
        ledger.kept(&PARTS_IDENTICAL_BYTES, "segments are their parts, byte for byte");
    } else {
        let fault = format!("the {} bytes of segment {msn} are not those of its parts", whole.len);
        ledger.broken(&PARTS_IDENTICAL_BYTES, fault, place);
    }
}
