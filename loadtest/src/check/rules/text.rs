//! Playlist text (LL-HLS as it is written: sections 4, 6.2.1 and 8).

use crate::check::rule::{Rule, must, should};

/// The rules of this chapter.
pub(super) const RULES: &[&Rule] = &[
    &TEXT_CLEAN,
    &ATTRIBUTE_LISTS,
    &TAGS_ONCE,
    &CONTENT_TYPE,
    &SECOND_READER,
    &VERSION_ENOUGH,
    &VERSION_LEAST,
    &TARGET_DURATION_HOLDS,
    &PARAMETERS_CONSTANT,
    &TARGET_DURATION_SHARED,
    &SERVER_CONTROL_SHARED,
    &LIVE_NOT_TYPED,
    &MAP_APPLIED,
];

pub(in crate::check) const TEXT_CLEAN: Rule =
    must("text-clean", "4.1", "playlists are clean UTF-8 lines and begin with #EXTM3U");
pub(in crate::check) const ATTRIBUTE_LISTS: Rule =
    must("attribute-lists", "4.2", "attribute lists have the right types, no spaces, no attribute twice");
pub(in crate::check) const TAGS_ONCE: Rule =
    must("tags-once", "4.4.2", "tags that describe a whole playlist stand in it at most once");
pub(in crate::check) const CONTENT_TYPE: Rule =
    must("content-type", "4", "playlists can be told by their path or content type");
pub(in crate::check) const SECOND_READER: Rule =
    must("second-reader", "4", "an independent parser reads the same as this one");
pub(in crate::check) const VERSION_ENOUGH: Rule =
    must("version-enough", "8", "EXT-X-VERSION is high enough for what is used");
pub(in crate::check) const VERSION_LEAST: Rule =
    should("version-least", "6.2.1", "EXT-X-VERSION is not higher than needed");
pub(in crate::check) const TARGET_DURATION_HOLDS: Rule =
    must("target-duration-holds", "4.4.3.1", "no segment, rounded, is longer than the target duration")
        .unseen("no segment was complete");
pub(in crate::check) const PARAMETERS_CONSTANT: Rule =
    must("parameters-constant", "6.2.1", "target duration, PART-TARGET and server control never change")
        .unseen("only one version of each playlist was seen");
pub(in crate::check) const TARGET_DURATION_SHARED: Rule =
    must("target-duration-shared", "6.2.4", "all renditions have the same target duration")
        .unseen("there is only one rendition");
pub(in crate::check) const SERVER_CONTROL_SHARED: Rule =
    must("server-control-shared", "6.2.4", "all renditions have the same server control")
        .unseen("there is only one rendition");
pub(in crate::check) const LIVE_NOT_TYPED: Rule =
    must("live-not-typed", "6.2.2", "a sliding playlist has no playlist type and numbers its segments")
        .unseen("no segment was removed");
pub(in crate::check) const MAP_APPLIED: Rule =
    must("map-applied", "3.1.2", "every fragmented MP4 segment has an EXT-X-MAP")
        .unseen("no fragmented MP4 was listed");
