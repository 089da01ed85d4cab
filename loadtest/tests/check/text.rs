//! Faults of text, versions and what a header says (RFC 8216bis 4.1 to 4.4.3, 8).

use crate::origin::{Fault, Shape};
use crate::proof::Proof;

/// What the judge has to say of them.
pub(crate) const PROOFS: &[Proof] = &[
    Proof::fails(Fault::ByteOrderMark, &["text-clean", "second-reader"]),
    Proof::fails(Fault::ControlCharacter, &["text-clean"]),
    Proof::fails(Fault::StrayWhitespace, &["text-clean"]),
    Proof::fails(Fault::NoExtM3u, &["text-clean"]),
    Proof::fails(Fault::UnquotedUri, &["attribute-lists"]),
    Proof::fails(Fault::UnquotedByteRange, &["attribute-lists"]).in_shape(Shape::RANGES),
    Proof::fails(Fault::QuotedYes, &["attribute-lists"]),
    Proof::fails(Fault::ExponentDuration, &["attribute-lists", "blocks-for-part"]),
    Proof::fails(Fault::AttributeTwice, &["attribute-lists"]),
    Proof::fails(Fault::SpaceInAttributes, &["attribute-lists"]),
    Proof::fails(Fault::VersionTwice, &["tags-once"]),
    Proof::fails(Fault::PlaylistAsText, &["content-type"]),
    Proof::fails(Fault::VersionTooLow, &["version-enough"]),
    Proof::warns(Fault::VersionTooHigh, &["version-least"]),
    Proof::fails(Fault::DeltaVersionTooLow, &["version-enough"]),
    Proof::fails(Fault::TargetDurationFraction, &["text-clean", "second-reader"]),
    Proof::fails(Fault::SegmentTooLong, &["target-duration-holds"]),
    Proof::fails(
        Fault::TargetDurationChanges,
        &["parameters-constant", "hold-back-least", "skip-boundary-least", "parts-retained"],
    )
    .and_warns(&["old-parts-removed"]),
    Proof::fails(Fault::PartTargetChanges, &["parameters-constant"]),
    Proof::fails(Fault::ServerControlChanges, &["parameters-constant"]),
    Proof::fails(
        Fault::TargetDurationDiffers,
        &["target-duration-shared", "hold-back-least", "skip-boundary-least", "parts-retained"],
    )
    .and_warns(&["old-parts-removed"]),
    Proof::fails(Fault::HoldBackDiffers, &["server-control-shared"]).and_warns(&["part-hold-back-room"]),
    Proof::fails(Fault::PlaylistTypeEvent, &["live-not-typed"]),
    Proof::fails(
        Fault::NoMediaSequence,
        &[
            "live-not-typed",
            "append-only",
            "media-sequence-steps",
            "discontinuity-sequence-steps",
            "date-time-consistent",
            "date-time-constant",
            "blocks-for-segment",
            "blocks-for-part",
            "part-past-end",
            "hint-comes-true",
            "report-last-part",
        ],
    )
    .and_warns(&["parts-in-time", "future-msn-refused", "future-part-refused", "huge-numbers-refused"]),
    Proof::fails(Fault::NoMap, &["map-applied"]),
];

#[test]
fn every_fault_is_found() {
    Proof::hold(PROOFS);
}
