//! Faults of server control, parts and their segments (4.4.3.7 to 4.4.4.9).

use crate::origin::Fault;
use crate::proof::Proof;

/// What the judge has to say of them.
pub(crate) const PROOFS: &[Proof] = &[
    Proof::fails(Fault::NoServerControl, &["part-hold-back-least", "blocking-offered"]),
    Proof::fails(Fault::NoBlockingReload, &["blocking-offered"]),
    Proof::fails(Fault::NoPartInf, &["part-inf-present"]),
    Proof::fails(Fault::NoPartHoldBack, &["part-hold-back-least"]),
    Proof::fails(Fault::PartHoldBackBelowTwo, &["part-hold-back-least"]).and_warns(&["part-hold-back-room"]),
    Proof::warns(Fault::PartHoldBackBelowThree, &["part-hold-back-room"]),
    Proof::fails(Fault::HoldBackTooShort, &["hold-back-least"]),
    Proof::fails(Fault::SkipUntilTooShort, &["skip-boundary-least"]),
    Proof::fails(Fault::SkipDaterangesAlone, &["skip-boundary-least"]),
    Proof::fails(Fault::PartTooLong, &["part-within-target"]),
    Proof::fails(Fault::PartTooShort, &["part-long-enough"]),
    Proof::fails(Fault::DateTimeAfterParts, &["segment-tags-first"]).and_warns(&["date-time-at-discontinuity"]),
    Proof::fails(
        Fault::DiscontinuityAfterParts,
        &["segment-tags-first", "append-only", "discontinuity-sequence-steps"],
    ),
    Proof::fails(Fault::MapAfterParts, &["segment-tags-first"]),
    Proof::fails(Fault::SegmentLacksSamples, &["parts-make-segment", "durations-of-media", "timeline-continuous"])
        .and_warns(&["parts-identical-bytes"]),
    Proof::fails(Fault::SegmentTimesDiffer, &["parts-make-segment"]).and_warns(&["parts-identical-bytes"]),
    Proof::warns(Fault::SegmentRemuxed, &["parts-identical-bytes"]),
    Proof::fails(Fault::NominalExtinf, &["durations-of-media", "date-time-consistent"]),
    Proof::fails(Fault::NominalPartDuration, &["durations-of-media"]),
    Proof::fails(Fault::ExtinfTooLong, &["durations-of-media", "date-time-consistent", "delta-boundary"]),
    Proof::warns(Fault::NoIndependentParts, &["independent-marked"]),
    Proof::fails(Fault::AllPartsIndependent, &["independent-true"]),
    Proof::warns(Fault::SoundNotIndependent, &["independent-marked"]),
    Proof::fails(Fault::SegmentWithoutIdr, &["segment-independent", "independent-true"]),
];

#[test]
fn every_fault_is_found() {
    Proof::hold(PROOFS);
}
