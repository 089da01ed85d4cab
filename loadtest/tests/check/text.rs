//! Faults of text, versions and what a header says (RFC 8216bis 4.1 to 4.4.3, 8).

use crate::origin::{Fault, Shape};
use crate::proof::Proof;

/// What the judge has to say of them.
pub(crate) const PROOFS: &[Proof] = &[
    Proof::fails(Fault::ByteOrderMark, &["text-clean"]),
    Proof::fails(Fault::ControlCharacter, &["text-clean"]),
    Proof::fails(Fault::StrayWhitespace, &["text-clean"]),
    Proof::fails(Fault::NoExtM3u, &["text-clean"]),
    Proof::fails(Fault::UnquotedUri, &["attribute-lists"]),
    Proof::fails(Fault::UnquotedByteRange, &["attribute-lists"]).in_shape(Shape::RANGES),
    Proof::fails(Fault::QuotedYes, &["attribute-lists"]),
    Proof::fails(Fault::ExponentDuration, &["attribute-lists"]),
    Proof::fails(Fault::AttributeTwice, &["attribute-lists"]),
    Proof::fails(Fault::SpaceInAttributes, &["attribute-lists"]),
    Proof::fails(Fault::VersionTwice, &["tags-once"]),
    Proof::fails(Fault::PlaylistAsText, &["content-type"]),
    Proof::fails(Fault::VersionTooLow, &["version-enough"]),
    Proof::warns(Fault::VersionTooHigh, &["version-least"]),
    Proof::fails(Fault::DeltaVersionTooLow, &["version-enough"]),
    Proof::fails(Fault::TargetDurationFraction, &["attribute-lists"]),
    Proof::fails(Fault::SegmentTooLong, &["target-duration-holds"]),
    Proof::fails(Fault::TargetDurationChanges, &["parameters-constant"]),
    Proof::fails(Fault::PartTargetChanges, &["parameters-constant"]),
    Proof::fails(Fault::ServerControlChanges, &["parameters-constant"]),
    Proof::fails(Fault::TargetDurationDiffers, &["target-duration-shared"]),
    Proof::fails(Fault::HoldBackDiffers, &["server-control-shared"]),
    Proof::fails(Fault::PlaylistTypeEvent, &["live-not-typed"]),
    Proof::fails(Fault::NoMediaSequence, &["live-not-typed"]),
    Proof::fails(Fault::NoMap, &["map-applied"]),
];

#[test]
fn every_fault_is_found() {
    Proof::hold(PROOFS);
}
