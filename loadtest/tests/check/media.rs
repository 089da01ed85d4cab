//! Faults of the media and of what the multivariant playlist says of it (3.1.2, 4.4.6).

use crate::origin::Fault;
use crate::proof::Proof;

/// What the judge has to say of them.
pub(crate) const PROOFS: &[Proof] = &[
    Proof::fails(Fault::OldBrands, &["init-section"]),
    Proof::fails(Fault::InitDuration, &["init-section"]),
    Proof::fails(Fault::NoMovieExtends, &["init-section", "durations-of-media", "timeline-continuous"]),
    Proof::fails(Fault::InitHasSamples, &["init-section"]),
    Proof::fails(Fault::WrongTrackId, &["fragments-addressed"]),
    Proof::fails(Fault::NoTfdt, &["fragments-addressed"]),
    Proof::fails(Fault::BaseDataOffset, &["fragments-addressed", "parts-make-segment"]),
    Proof::fails(Fault::TimestampsRounded, &["timeline-continuous", "date-time-consistent"]),
    Proof::fails(Fault::TimestampsJump, &["timeline-continuous", "date-time-consistent"]),
    Proof::fails(Fault::TimestampsUnmatched, &["date-time-consistent"]),
    Proof::fails(Fault::CodecsLackSound, &["codecs-declared"]),
    Proof::fails(Fault::CodecsWrongLevel, &["codecs-declared"]),
    Proof::fails(Fault::NoCodecs, &["codecs-declared"]),
    Proof::fails(Fault::NoBandwidth, &["bandwidth-covers"]),
    Proof::fails(Fault::BandwidthTooLow, &["bandwidth-covers"]),
    Proof::warns(Fault::WrongResolution, &["resolution-right"]),
    Proof::warns(Fault::WrongFrameRate, &["resolution-right"]),
    Proof::fails(Fault::NoSuchGroup, &["groups-consistent"]),
    Proof::fails(Fault::NameTwice, &["groups-consistent"]),
    Proof::fails(Fault::DefaultTwice, &["groups-consistent"]),
    Proof::warns(Fault::NoChannels, &["channels-declared"]),
];

#[test]
fn every_fault_is_found() {
    Proof::hold(PROOFS);
}
