//! Faults of HTTP (Appendix B.1).

use crate::origin::{Fault, Shape};
use crate::proof::Proof;

/// What the judge has to say of them.
pub(crate) const PROOFS: &[Proof] = &[
    Proof::fails(Fault::NoGzip, &["gzip"]),
    Proof::fails(Fault::GzipForAll, &["gzip"]),
    Proof::fails(Fault::NoVary, &["gzip"]),
    Proof::fails(Fault::NoHttp2, &["http2"]).in_shape(Shape::SECURE),
    Proof::fails(Fault::ConnectionCloses, &["persistent"]),
    Proof::fails(Fault::RangeIgnored, &["ranges"]),
    Proof::fails(Fault::RangeOffByOne, &["ranges"]),
    Proof::fails(Fault::RangePastEndServed, &["ranges"]),
    Proof::warns(Fault::NoStore, &["cache-lifetimes"]),
    Proof::warns(Fault::BlockingPlaylistShort, &["cache-lifetimes"]),
    Proof::warns(Fault::PlaylistLivesLong, &["cache-lifetimes"]),
    Proof::warns(Fault::ErrorsLiveLong, &["cache-lifetimes"]),
    Proof::warns(Fault::NoCors, &["cors"]),
    Proof::warns(Fault::CorsOnSuccess, &["cors"]),
    Proof::warns(Fault::NoPreflight, &["cors"]),
    Proof::warns(Fault::HeadRefused, &["head"]),
    Proof::warns(Fault::MediaAsBytes, &["media-types"]),
    Proof::warns(Fault::PathTraversal, &["path-tricks"]),
    Proof::warns(Fault::PathCrashes, &["path-tricks"]),
];

#[test]
fn every_fault_is_found() {
    Proof::hold(PROOFS);
}
