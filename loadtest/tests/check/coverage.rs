//! That nothing is left out: no fault without a proof, no rule without a fault.

use touchline_loadtest::check::rules;

use crate::origin::Fault;
use crate::proof::Proof;
use crate::{directives, hints, http, media, parts, text, updates};

/// Rules that no fault of an origin in memory can break.
const UNPROVEN: &[&str] = &[];

fn proofs() -> impl Iterator<Item = &'static Proof> {
    [text::PROOFS, parts::PROOFS, updates::PROOFS, directives::PROOFS, hints::PROOFS, media::PROOFS, http::PROOFS]
        .into_iter()
        .flatten()
}

#[test]
fn every_fault_has_one_proof() {
    for fault in Fault::ALL {
        let count = proofs().filter(|proof| proof.fault == *fault).count();
        assert_eq!(count, 1, "{fault:?}");
    }
}

#[test]
fn every_rule_finds_a_fault() {
    let proven = |id: &str| proofs().any(|proof| proof.fails.iter().chain(proof.warns).any(|rule| *rule == id));
    let unproven: Vec<_> = rules::all().map(|rule| rule.id).filter(|id| !proven(id)).collect();
    assert_eq!(unproven, UNPROVEN);
}
