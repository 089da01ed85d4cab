//! Preload hints and rendition reports.

use crate::check::rule::{Rule, must, profile, should};

/// The rules of this chapter.
pub(super) const RULES: &[&Rule] = &[
    &NEXT_PART_HINTED,
    &HINT_COMES_TRUE,
    &ONE_HINT_PER_TYPE,
    &HINT_IS_HELD,
    &PART_AT_ONCE,
    &UNKNOWN_REFUSED_AT_ONCE,
    &BYTE_RANGE_PARTS,
    &REPORTS_COMPLETE,
    &REPORT_URI,
    &REPORT_LAST_PART,
    &REPORT_FRESH,
];

pub(in crate::check) const NEXT_PART_HINTED: Rule =
    profile("next-part-hinted", "B.1", "a live playlist with parts hints the next one")
        .unseen("no playlist lists parts");
pub(in crate::check) const HINT_COMES_TRUE: Rule =
    must("hint-comes-true", "4.4.5.3", "what is hinted is what is listed next").unseen("no part was hinted");
pub(in crate::check) const ONE_HINT_PER_TYPE: Rule =
    should("one-hint-per-type", "6.2.6", "there is one hint of a type at most").unseen("nothing was hinted");
pub(in crate::check) const HINT_IS_HELD: Rule =
    must("hint-is-held", "6.2.6", "a hinted part can be asked for from the moment of the hint")
        .unseen("no hinted part was asked for");
pub(in crate::check) const PART_AT_ONCE: Rule =
    must("part-at-once", "6.2.6", "a part is sent when it is whole, at the speed of the link")
        .unseen("no hinted part was asked for");
pub(in crate::check) const UNKNOWN_REFUSED_AT_ONCE: Rule =
    should("unknown-refused-at-once", "6.2.6", "what is neither listed nor hinted is refused at once with 404");
pub(in crate::check) const BYTE_RANGE_PARTS: Rule =
    should("byte-range-parts", "6.2.6", "a hinted range without an end is answered part by part")
        .unseen("parts are not byte ranges");
pub(in crate::check) const REPORTS_COMPLETE: Rule =
    profile("reports-complete", "B.1", "each media playlist reports on every other one")
        .unseen("there is only one rendition");
pub(in crate::check) const REPORT_URI: Rule =
    must("report-uri", "4.4.5.4", "reports have relative URIs that lead to the playlists")
        .unseen("there is no rendition report");
pub(in crate::check) const REPORT_LAST_PART: Rule =
    must("report-last-part", "4.4.5.4", "reports name a last part that exists").unseen("there is no rendition report");
pub(in crate::check) const REPORT_FRESH: Rule =
    must("report-fresh", "4.4.5.4", "reports are as fresh as the playlist that has them")
        .unseen("there is no rendition report");
