//! Parts: server control, durations, independence, and parts against segments.

use crate::check::rule::{Rule, must, profile, should};

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
