//! Faults of preload hints and rendition reports (6.2.6, 4.4.5.3, 4.4.5.4).

use crate::origin::{Fault, Shape};
use crate::proof::Proof;

/// What the judge has to say of them.
pub(crate) const PROOFS: &[Proof] = &[
    Proof::fails(Fault::NoHint, &["next-part-hinted"]),
    Proof::fails(Fault::NoHintAtBoundary, &["next-part-hinted"]),
    Proof::fails(Fault::WrongHint, &["hint-comes-true"]),
    Proof::warns(Fault::TwoHints, &["one-hint-per-type"]),
    Proof::fails(Fault::HintNotFound, &["hint-is-held"]),
    Proof::fails(Fault::HintTrickles, &["part-at-once"]),
    Proof::warns(Fault::UnhintedHeld, &["unknown-refused-at-once"]),
    Proof::warns(Fault::OpenRangeAsWhole, &["byte-range-parts"]).in_shape(Shape::RANGES),
    Proof::fails(Fault::NoReports, &["reports-complete"]),
    Proof::fails(Fault::NoSoundReport, &["reports-complete"]),
    Proof::fails(Fault::ReportAbsolute, &["report-uri"]),
    Proof::fails(Fault::ReportPredicts, &["report-last-part", "report-fresh"]),
    Proof::fails(Fault::ReportNextSegment, &["report-last-part"]),
    Proof::fails(Fault::ReportCountsParts, &["report-last-part", "report-fresh"]),
    Proof::warns(Fault::ReportLacksPart, &["report-fresh"]),
    Proof::fails(Fault::ReportStale, &["report-fresh"]),
];

#[test]
fn every_fault_is_found() {
    Proof::hold(PROOFS);
}
