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
    Proof::fails(Fault::RangeIgnored, &["ranges", "parts-make-segment", "durations-of-media", "timeline-continuous"])
        .and_warns(&["parts-identical-bytes", "independent-marked"])
        .in_shape(Shape::RANGES),
    Proof::fails(Fault::RangeOffByOne, &["ranges"]),
    Proof::warns(Fault::RangePastEndServed, &["ranges"]),
    Proof::warns(Fault::NoStore, &["cache-lifetimes"]),
    Proof::warns(Fault::BlockingPlaylistShort, &["cache-lifetimes"]),
    Proof::warns(Fault::PlaylistLivesLong, &["cache-lifetimes"]),
    Proof::warns(Fault::ErrorsLiveLong, &["cache-lifetimes"]),
    Proof::warns(Fault::NoCors, &["cors"]),
    Proof::warns(Fault::CorsOnSuccess, &["cors"]),
    Proof::warns(Fault::NoPreflight, &["cors"]),
    Proof::warns(Fault::HeadWithBody, &["head"]).in_shape(Shape::SECURE),
    Proof::warns(Fault::HeadRefused, &["head"]),
    Proof::warns(Fault::MediaAsBytes, &["media-types"]),
    Proof::fails(Fault::PathTraversal, &["path-tricks"]),
    Proof::fails(Fault::PathCrashes, &["path-tricks"]),
];

#[test]
fn every_fault_is_found() {
    Proof::hold(PROOFS);
}
