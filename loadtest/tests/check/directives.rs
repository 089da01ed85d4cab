//! Faults of delivery directives (6.2.5).

use crate::origin::{Fault, Shape};
use crate::proof::Proof;

/// What the judge has to say of them.
pub(crate) const PROOFS: &[Proof] = &[
    Proof::fails(Fault::MsnReleasedByPart, &["blocks-for-segment"]),
    Proof::fails(Fault::PartNotHeld, &["blocks-for-part"]),
    Proof::warns(Fault::ReleasedLate, &["blocks-for-part", "report-fresh"]),
    // The request that is made again by the next one in line waits with it.
    Proof::fails(Fault::ReleasedApart, &["idempotent", "delta-complete"]).and_warns(&["parts-in-time", "report-fresh"]),
    Proof::fails(Fault::RepliesDiffer, &["idempotent"]),
    Proof::fails(Fault::PartPastEndRefused, &["part-past-end"]),
    Proof::fails(Fault::PartPastEndHeld, &["part-past-end"]),
    Proof::fails(Fault::OldMsnRefused, &["old-msn-at-once"]),
    Proof::fails(Fault::FarMsnHeld, &["huge-numbers-refused"]).and_warns(&["future-msn-refused"]),
    Proof::fails(Fault::NextMsnRefused, &["near-msn-held"]),
    Proof::fails(Fault::FarPartHeld, &["huge-numbers-refused"]).and_warns(&["future-part-refused"]),
    Proof::fails(Fault::PartWithoutMsnServed, &["part-needs-msn"]).and_warns(&["cache-lifetimes"]),
    Proof::warns(Fault::JunkMsnServed, &["malformed-refused"]),
    Proof::fails(Fault::JunkMsnCrashes, &["malformed-refused"]),
    Proof::warns(Fault::HugeMsnWraps, &["huge-numbers-refused"]),
    Proof::fails(Fault::HeldForEver, &["parts-in-time", "segments-in-time", "near-msn-held"]).and_warns(&["hold-ends"]),
    Proof::fails(Fault::HeldAfterEnd, &["directives-after-end"]).in_shape(Shape::ENDED),
    Proof::fails(Fault::TokenRefused, &["other-parameters"]),
    Proof::fails(Fault::SkipIgnored, &["delta-update"]),
    Proof::fails(Fault::SkipTooMuch, &["delta-boundary"]),
    Proof::fails(Fault::SkipMiscounted, &["delta-complete"]),
    Proof::fails(Fault::DeltaLacksHeader, &["delta-complete"]),
    Proof::fails(Fault::DeltaLacksReports, &["delta-complete"]),
    Proof::fails(Fault::DeltaMediaSequence, &["delta-complete"]),
    Proof::fails(Fault::DeltaLacksMap, &["delta-complete"]),
    Proof::fails(Fault::UnknownSkipRefused, &["skip-ignored"]),
    Proof::fails(Fault::UnknownSkipHonoured, &["skip-ignored"]),
    Proof::fails(Fault::SkipNotAdvertised, &["skip-ignored"]),
    Proof::fails(Fault::NoRemovedDateranges, &["delta-date-ranges"]),
];

#[test]
fn every_fault_is_found() {
    Proof::hold(PROOFS);
}
