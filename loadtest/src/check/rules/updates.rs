//! Live updates: what may change from one version of a playlist to the next, and when.

use crate::check::rule::{Rule, must, profile, should};

/// The rules of this chapter.
pub(super) const RULES: &[&Rule] = &[
    &APPEND_ONLY,
    &MEDIA_SEQUENCE_STEPS,
    &DISCONTINUITY_SEQUENCE_STEPS,
    &DISCONTINUITIES_MATCH,
    &OLD_PARTS_REMOVED,
    &PARTS_RETAINED,
    &SEGMENTS_RETAINED,
    &PLAYLIST_LONG_ENOUGH,
    &SEGMENTS_IN_TIME,
    &PARTS_IN_TIME,
    &LISTED_IS_AVAILABLE,
    &RENDITIONS_IN_SYNC,
    &DATE_TIME_EVERYWHERE,
    &DATE_TIME_CONSISTENT,
    &DATE_TIME_AT_DISCONTINUITY,
    &DATE_TIME_CONSTANT,
    &ENDS_CLEANLY,
];

pub(in crate::check) const APPEND_ONLY: Rule =
    must("append-only", "6.2.1", "an update only appends, and removes from the front")
        .unseen("only one version of each playlist was seen");
pub(in crate::check) const MEDIA_SEQUENCE_STEPS: Rule =
    must("media-sequence-steps", "6.2.2", "the media sequence number counts the removed segments")
        .unseen("no segment was removed");
pub(in crate::check) const DISCONTINUITY_SEQUENCE_STEPS: Rule = must(
    "discontinuity-sequence-steps",
    "6.2.2",
    "the discontinuity sequence number counts the removed discontinuities",
)
.unseen("no discontinuity was removed");
pub(in crate::check) const DISCONTINUITIES_MATCH: Rule =
    must("discontinuities-match", "6.2.4", "matching content has matching discontinuity sequence numbers")
        .unseen("no discontinuity was seen in two renditions");
pub(in crate::check) const OLD_PARTS_REMOVED: Rule =
    should("old-parts-removed", "6.2.2", "parts leave the playlist after three target durations, and not before")
        .unseen("no playlist lists parts");
pub(in crate::check) const PARTS_RETAINED: Rule =
    must("parts-retained", "6.2.2", "parts can be had for three target durations after their tags are gone")
        .unseen("no part left a playlist in time to be asked for");
pub(in crate::check) const SEGMENTS_RETAINED: Rule =
    must("segments-retained", "6.2.2", "removed segments can be had until every playlist that listed them has run out")
        .unseen("no segment was removed in time to be asked for");
pub(in crate::check) const PLAYLIST_LONG_ENOUGH: Rule =
    must("playlist-long-enough", "6.2.2", "removing segments leaves three target durations of them")
        .unseen("no segment was removed");
pub(in crate::check) const SEGMENTS_IN_TIME: Rule =
    must("segments-in-time", "6.2.1", "a new segment comes within one and a half target durations")
        .unseen("no segment was added");
pub(in crate::check) const PARTS_IN_TIME: Rule =
    must("parts-in-time", "6.2.1", "a new part comes within one PART-TARGET").unseen("no playlist lists parts");
pub(in crate::check) const LISTED_IS_AVAILABLE: Rule =
    must("listed-is-available", "6.2.1", "what is listed can be had at once").unseen("nothing listed was fetched");
pub(in crate::check) const RENDITIONS_IN_SYNC: Rule =
    profile("renditions-in-sync", "B.1", "renditions are updated within one PART-TARGET of each other")
        .unseen("there is only one rendition");
pub(in crate::check) const DATE_TIME_EVERYWHERE: Rule =
    profile("date-time-everywhere", "B.1", "all media playlists have EXT-X-PROGRAM-DATE-TIME");
pub(in crate::check) const DATE_TIME_CONSISTENT: Rule =
    must("date-time-consistent", "6.2.4", "dates map to media time in the same way everywhere")
        .unseen("no two dates could be compared");
pub(in crate::check) const DATE_TIME_AT_DISCONTINUITY: Rule =
    should("date-time-at-discontinuity", "6.2.1", "a discontinuity comes with a new date")
        .unseen("no discontinuity was seen");
pub(in crate::check) const DATE_TIME_CONSTANT: Rule =
    must("date-time-constant", "6.2.1", "the date of a segment does not change").unseen("no date was seen twice");
pub(in crate::check) const ENDS_CLEANLY: Rule =
    must("ends-cleanly", "4.4.5.3", "an ended playlist hints nothing").unseen("the stream did not end");
