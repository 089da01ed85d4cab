//! Media: init sections, fragments, time lines, and what the multivariant playlist says of them.

use crate::check::rule::{Rule, must, should};

/// The rules of this chapter.
pub(super) const RULES: &[&Rule] = &[
    &INIT_SECTION,
    &FRAGMENTS_ADDRESSED,
    &TIMELINE_CONTINUOUS,
    &CODECS_DECLARED,
    &BANDWIDTH_COVERS,
    &RESOLUTION_RIGHT,
    &GROUPS_CONSISTENT,
    &CHANNELS_DECLARED,
];

pub(in crate::check) const INIT_SECTION: Rule =
    must("init-section", "3.1.2", "init sections are those of fragmented MP4").unseen("no init section was fetched");
pub(in crate::check) const FRAGMENTS_ADDRESSED: Rule =
    must("fragments-addressed", "3.1.2", "fragments have decode times and address their samples from the fragment")
        .unseen("no fragmented MP4 was fetched");
pub(in crate::check) const TIMELINE_CONTINUOUS: Rule =
    must("timeline-continuous", "3", "decode times go on without a gap across parts and segments")
        .unseen("no two parts or segments in a row were fetched");
pub(in crate::check) const CODECS_DECLARED: Rule =
    must("codecs-declared", "6.2.4", "CODECS names every format, exactly")
        .unseen("there is no multivariant playlist with fragmented MP4");
pub(in crate::check) const BANDWIDTH_COVERS: Rule =
    must("bandwidth-covers", "4.4.6.2", "BANDWIDTH covers the measured peak of the variant with its largest audio")
        .unseen("there is no multivariant playlist, or too little was fetched to measure a peak");
pub(in crate::check) const RESOLUTION_RIGHT: Rule =
    should("resolution-right", "4.4.6.2", "RESOLUTION and FRAME-RATE are those of the media")
        .unseen("there is no multivariant playlist with video");
pub(in crate::check) const GROUPS_CONSISTENT: Rule = must(
    "groups-consistent",
    "4.4.6.1.1",
    "groups exist, their names are unique, one rendition at most is the default",
)
.unseen("there is no rendition group");
pub(in crate::check) const CHANNELS_DECLARED: Rule =
    should("channels-declared", "4.4.6.1", "audio renditions say how many channels they have")
        .unseen("there is no audio group");
