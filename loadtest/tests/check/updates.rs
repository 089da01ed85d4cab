//! Faults of live updates (6.2.1, 6.2.2, 6.2.4).

use crate::origin::{Fault, Shape};
use crate::proof::Proof;

/// What the judge has to say of them.
pub(crate) const PROOFS: &[Proof] = &[
    Proof::fails(Fault::ExtinfRewritten, &["append-only"]).and_warns(&["date-time-consistent"]),
    Proof::fails(Fault::UriRewritten, &["append-only"]),
    Proof::fails(
        Fault::MediaSequenceRestarts,
        &["media-sequence-steps", "blocks-for-segment", "blocks-for-part", "report-last-part"],
    ),
    Proof::fails(
        Fault::MediaSequenceStuck,
        &[
            "media-sequence-steps",
            "append-only",
            "discontinuity-sequence-steps",
            "date-time-constant",
            "blocks-for-segment",
            "blocks-for-part",
            "hint-comes-true",
            "report-last-part",
            "timeline-continuous",
        ],
    ),
    Proof::fails(Fault::DiscontinuitySequenceEarly, &["discontinuity-sequence-steps"]),
    Proof::fails(Fault::NoDiscontinuitySequence, &["discontinuity-sequence-steps", "date-time-consistent"]),
    Proof::fails(Fault::DiscontinuitySequenceStuck, &["discontinuity-sequence-steps", "date-time-consistent"]),
    Proof::fails(Fault::DiscontinuityUnmatched, &["discontinuities-match", "date-time-consistent"]),
    Proof::warns(Fault::PartTagsStay, &["old-parts-removed"]),
    Proof::fails(Fault::PartTagsGoEarly, &["hint-comes-true", "report-last-part"]).and_warns(&["old-parts-removed"]),
    Proof::fails(Fault::PartsUnlinked, &["parts-retained"]),
    Proof::fails(Fault::SegmentsUnlinked, &["segments-retained"]),
    Proof::fails(Fault::WindowTooShort, &["playlist-long-enough"]),
    Proof::fails(Fault::Stall, &["parts-in-time", "segments-in-time"]),
    Proof::warns(Fault::PartsInBunches, &["parts-in-time"]),
    Proof::fails(Fault::ListedBeforeThere, &["listed-is-available"]),
    Proof::fails(Fault::SegmentListedBeforeThere, &["listed-is-available"]),
    Proof::fails(Fault::SoundLags, &["renditions-in-sync"]),
    Proof::fails(Fault::RungLags, &["renditions-in-sync"]),
    Proof::fails(Fault::NoDateTime, &["date-time-everywhere"]).and_warns(&["date-time-at-discontinuity"]),
    Proof::fails(Fault::DateTimeOnOneRendition, &["date-time-everywhere"]).and_warns(&["date-time-at-discontinuity"]),
    Proof::fails(Fault::DateTimeMoves, &["date-time-constant", "date-time-consistent"]),
    Proof::fails(Fault::DateTimeDrifts, &["date-time-consistent"]),
    Proof::fails(Fault::DateTimeDiffers, &["date-time-consistent"]),
    Proof::warns(Fault::NoDateTimeOnDiscontinuity, &["date-time-at-discontinuity"]),
    Proof::fails(Fault::HintAfterEnd, &["ends-cleanly"]).in_shape(Shape::ENDED),
];

#[test]
fn every_fault_is_found() {
    Proof::hold(PROOFS);
}
