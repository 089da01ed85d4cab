//! Delivery directives: blocking reload and delta updates.

use crate::check::rule::{Rule, must, profile, should};

/// The rules of this chapter.
pub(super) const RULES: &[&Rule] = &[
    &BLOCKS_FOR_SEGMENT,
    &BLOCKS_FOR_PART,
    &PART_PAST_END,
    &OLD_MSN_AT_ONCE,
    &NEAR_MSN_HELD,
    &FUTURE_MSN_REFUSED,
    &FUTURE_PART_REFUSED,
    &PART_NEEDS_MSN,
    &MALFORMED_REFUSED,
    &HUGE_NUMBERS_REFUSED,
    &HOLD_ENDS,
    &DIRECTIVES_AFTER_END,
    &OTHER_PARAMETERS,
    &IDEMPOTENT,
    &DELTA_UPDATE,
    &DELTA_BOUNDARY,
    &DELTA_COMPLETE,
    &DELTA_DATE_RANGES,
    &SKIP_IGNORED,
];

pub(in crate::check) const BLOCKS_FOR_SEGMENT: Rule =
    must("blocks-for-segment", "6.2.5.2", "_HLS_msn alone is held until the whole segment is listed")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const BLOCKS_FOR_PART: Rule =
    must("blocks-for-part", "6.2.5.2", "_HLS_msn with _HLS_part is held until that part is listed")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const PART_PAST_END: Rule =
    must("part-past-end", "6.2.5.2", "a part index past the end of a segment means the next segment")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const OLD_MSN_AT_ONCE: Rule =
    must("old-msn-at-once", "6.2.5.2", "an old _HLS_msn has the playlist at once")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const NEAR_MSN_HELD: Rule =
    must("near-msn-held", "6.2.5.2", "_HLS_msn one and two after the last is not refused")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const FUTURE_MSN_REFUSED: Rule =
    should("future-msn-refused", "6.2.5.2", "a far _HLS_msn is refused at once with 400")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const FUTURE_PART_REFUSED: Rule =
    should("future-part-refused", "6.2.5.2", "a far _HLS_part is refused at once with 400")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const PART_NEEDS_MSN: Rule =
    must("part-needs-msn", "6.2.5.2", "_HLS_part without _HLS_msn is refused with 400")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const MALFORMED_REFUSED: Rule =
    should("malformed-refused", "4.2", "directives that are not decimal integers are refused with 400")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const HUGE_NUMBERS_REFUSED: Rule =
    should("huge-numbers-refused", "4.2", "directives with huge numbers are refused with 4xx")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const HOLD_ENDS: Rule =
    should("hold-ends", "6.2.5.2", "a request held for three target durations ends with 503")
        .unseen("no request was held that long");
pub(in crate::check) const DIRECTIVES_AFTER_END: Rule =
    must("directives-after-end", "6.2.5.2", "directives are ignored once the stream has ended")
        .unseen("the stream did not end");
pub(in crate::check) const OTHER_PARAMETERS: Rule =
    must("other-parameters", "6.2.5", "query parameters of others are no error");
pub(in crate::check) const IDEMPOTENT: Rule =
    profile("idempotent", "B.1", "equal blocking requests have the same answer at the same time")
        .unseen("the server does not advertise CAN-BLOCK-RELOAD");
pub(in crate::check) const DELTA_UPDATE: Rule = must("delta-update", "6.2.5.1", "_HLS_skip gives a delta update")
    .unseen("the server does not advertise CAN-SKIP-UNTIL");
pub(in crate::check) const DELTA_BOUNDARY: Rule =
    must("delta-boundary", "6.2.5.1", "a delta update skips what is older than CAN-SKIP-UNTIL, and no more")
        .unseen("the server does not advertise CAN-SKIP-UNTIL");
pub(in crate::check) const DELTA_COMPLETE: Rule =
    must("delta-complete", "6.2.5.1", "a delta update has all that is not skipped as the full playlist has it")
        .unseen("the server does not advertise CAN-SKIP-UNTIL");
pub(in crate::check) const DELTA_DATE_RANGES: Rule =
    must("delta-date-ranges", "6.2.5.1", "_HLS_skip=v2 skips old date ranges too")
        .unseen("the server does not advertise CAN-SKIP-DATERANGES");
pub(in crate::check) const SKIP_IGNORED: Rule =
    must("skip-ignored", "6.2.5.1", "_HLS_skip is ignored where it is not offered and when its value is unknown");
