//! What a server can get wrong.

macro_rules! faults {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// One thing that an [`Origin`](super::Origin) does wrong; everything else it does right.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fault { $($(#[$doc])+ $name,)+ }

        impl Fault {
            /// Every fault there is.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

faults! {
    // Playlist text (RFC 8216bis 4.1, 4.2).
    /// Playlists begin with a byte order mark.
    ByteOrderMark,
    /// The title of segments is a DEL character.
    ControlCharacter,
    /// A space follows the duration of EXTINF lines.
    StrayWhitespace,
    /// The first line is not EXTM3U.
    NoExtM3u,
    /// The URI of parts is written without quotes.
    UnquotedUri,
    /// BYTERANGE of a part is written without quotes.
    UnquotedByteRange,
    /// INDEPENDENT is the string "YES" instead of the word YES.
    QuotedYes,
    /// Durations of parts are written as `2e-1`.
    ExponentDuration,
    /// DURATION stands twice in EXT-X-PART.
    AttributeTwice,
    /// A space follows the commas of attribute lists.
    SpaceInAttributes,
    /// EXT-X-VERSION stands twice.
    VersionTwice,
    /// Media playlists have no suffix and are text/plain.
    PlaylistAsText,

    // Versions (8) and what the header says (4.4.2, 4.4.3).
    /// EXT-X-VERSION says 3 although EXT-X-MAP is used.
    VersionTooLow,
    /// EXT-X-VERSION says 12 where 6 is enough.
    VersionTooHigh,
    /// Delta updates say version 6.
    DeltaVersionTooLow,
    /// TARGETDURATION is written as 2.0.
    TargetDurationFraction,
    /// One segment lasts 2.88 s under a target duration of 2.
    SegmentTooLong,
    /// TARGETDURATION grows from 2 to 3 in mid-stream.
    TargetDurationChanges,
    /// PART-TARGET grows by a millisecond in mid-stream.
    PartTargetChanges,
    /// HOLD-BACK changes in mid-stream.
    ServerControlChanges,
    /// TARGETDURATION of the sound is 3, that of the pictures 2.
    TargetDurationDiffers,
    /// PART-HOLD-BACK is computed from each rendition's own longest part.
    HoldBackDiffers,
    /// EXT-X-PLAYLIST-TYPE:EVENT in a playlist that slides.
    PlaylistTypeEvent,
    /// No EXT-X-MEDIA-SEQUENCE although segments were removed.
    NoMediaSequence,
    /// No EXT-X-MAP.
    NoMap,
    /// Every other segment has no IDR.
    SegmentWithoutIdr,

    // SERVER-CONTROL, PART-INF, PART (4.4.3.7, 4.4.3.8, 4.4.4.9).
    /// No EXT-X-SERVER-CONTROL.
    NoServerControl,
    /// No CAN-BLOCK-RELOAD.
    NoBlockingReload,
    /// No EXT-X-PART-INF.
    NoPartInf,
    /// No PART-HOLD-BACK.
    NoPartHoldBack,
    /// PART-HOLD-BACK is 1.5 part targets.
    PartHoldBackBelowTwo,
    /// PART-HOLD-BACK is 2.5 part targets.
    PartHoldBackBelowThree,
    /// HOLD-BACK is two target durations.
    HoldBackTooShort,
    /// CAN-SKIP-UNTIL is five target durations.
    SkipUntilTooShort,
    /// CAN-SKIP-DATERANGES stands without CAN-SKIP-UNTIL.
    SkipDaterangesAlone,
    /// PART-TARGET is a hundredth of a second shorter than the parts.
    PartTooLong,
    /// PART-TARGET is a safe maximum of 1 s.
    PartTooShort,
    /// PROGRAM-DATE-TIME is written when the segment is finished, before its EXTINF.
    DateTimeAfterParts,
    /// EXT-X-DISCONTINUITY is written before EXTINF, after the parts.
    DiscontinuityAfterParts,
    /// EXT-X-MAP is written before EXTINF, after the parts.
    MapAfterParts,
    /// Whole segments lack the last frame of their last part.
    SegmentLacksSamples,
    /// Whole segments have decode times a tick later than their parts.
    SegmentTimesDiffer,
    /// Whole segments are one fragment, not the parts in a row: legal, unlike the parts' bytes.
    SegmentRemuxed,
    /// EXTINF is the nominal 2 s, not the real 1.92 s.
    NominalExtinf,
    /// Durations of parts are the nominal 0.2 s, for sound too, whose parts last 0.192 s.
    NominalPartDuration,
    /// EXTINF is a quarter of a second longer than the parts together.
    ExtinfTooLong,
    /// No part is marked INDEPENDENT.
    NoIndependentParts,
    /// Every part is marked INDEPENDENT.
    AllPartsIndependent,
    /// Parts of sound are not marked INDEPENDENT beyond the first of a segment.
    SoundNotIndependent,

    // Updates (6.2.1, 6.2.2, 6.2.4).
    /// The EXTINF of a segment changes once it is older than four seconds.
    ExtinfRewritten,
    /// The URI of a segment changes once it is older than four seconds.
    UriRewritten,
    /// The media sequence restarts from a lower number.
    MediaSequenceRestarts,
    /// The media sequence stays although segments leave.
    MediaSequenceStuck,
    /// The discontinuity sequence rises when the discontinuity becomes the first segment, one too early.
    DiscontinuitySequenceEarly,
    /// No EXT-X-DISCONTINUITY-SEQUENCE.
    NoDiscontinuitySequence,
    /// The discontinuity sequence is always 0.
    DiscontinuitySequenceStuck,
    /// The sound has its discontinuity one segment later than the pictures.
    DiscontinuityUnmatched,
    /// EXT-X-PART tags stay as long as their segment.
    PartTagsStay,
    /// EXT-X-PART tags go with the completion of their segment.
    PartTagsGoEarly,
    /// Parts are not served once their tags are gone.
    PartsUnlinked,
    /// Segments are not served once they are removed.
    SegmentsUnlinked,
    /// Three segments are listed: less than three target durations.
    WindowTooShort,
    /// The encoder stalls for ten seconds; the server waits.
    Stall,
    /// Parts of video come in bunches of three.
    PartsInBunches,
    /// A part is listed 100 ms before it can be had: 404 until then.
    ListedBeforeThere,
    /// A whole segment is listed 100 ms before it can be had: 404 until then.
    SegmentListedBeforeThere,
    /// Sound is listed a second late.
    SoundLags,
    /// The low rung is listed a second late.
    RungLags,
    /// No EXT-X-PROGRAM-DATE-TIME.
    NoDateTime,
    /// The sound has no EXT-X-PROGRAM-DATE-TIME.
    DateTimeOnOneRendition,
    /// The PROGRAM-DATE-TIME of a segment moves by 100 ms with every reload.
    DateTimeMoves,
    /// PROGRAM-DATE-TIME runs 2 % too fast against the media.
    DateTimeDrifts,
    /// The PROGRAM-DATE-TIME of the sound is a second off.
    DateTimeDiffers,
    /// PROGRAM-DATE-TIME is on the first segment of the playlist alone, not on discontinuities.
    NoDateTimeOnDiscontinuity,
    /// EXT-X-PRELOAD-HINT beside EXT-X-ENDLIST.
    HintAfterEnd,

    // Delivery directives (6.2.5).
    /// `_HLS_msn` alone is released by the first part of that segment.
    MsnReleasedByPart,
    /// `_HLS_msn` with `_HLS_part` is not held at all.
    PartNotHeld,
    /// Held requests are released 300 ms late, by a poll loop.
    ReleasedLate,
    /// Equal held requests are released one after the other, 100 ms apart.
    ReleasedApart,
    /// Equal requests give different playlists: each has a comment with its number.
    RepliesDiffer,
    /// A part past the end of a segment is refused.
    PartPastEndRefused,
    /// A part past the end of a segment is held for as long as it takes.
    PartPastEndHeld,
    /// An MSN that left the playlist is 404.
    OldMsnRefused,
    /// An MSN far ahead is held instead of refused.
    FarMsnHeld,
    /// The MSN after the growing segment is refused.
    NextMsnRefused,
    /// A part far ahead is held instead of refused.
    FarPartHeld,
    /// `_HLS_part` without `_HLS_msn` gives a playlist.
    PartWithoutMsnServed,
    /// Directives that are no numbers are ignored.
    JunkMsnServed,
    /// Directives that are no numbers give a 500.
    JunkMsnCrashes,
    /// Huge numbers wrap around and count as old.
    HugeMsnWraps,
    /// Held requests are held for ever while the encoder stalls.
    HeldForEver,
    /// After the end, requests with directives are still held.
    HeldAfterEnd,
    /// Unknown query parameters are refused.
    TokenRefused,

    // Delta updates (6.2.5.1).
    /// `_HLS_skip` is ignored although CAN-SKIP-UNTIL is there.
    SkipIgnored,
    /// One segment too many is skipped.
    SkipTooMuch,
    /// SKIPPED-SEGMENTS is one more than the number of segments left out.
    SkipMiscounted,
    /// A delta update lacks EXT-X-SERVER-CONTROL.
    DeltaLacksHeader,
    /// A delta update lacks the rendition reports.
    DeltaLacksReports,
    /// A delta update counts the skipped segments in its media sequence.
    DeltaMediaSequence,
    /// A delta update leaves out a map that changed among the skipped segments.
    DeltaLacksMap,
    /// `_HLS_skip=junk` is refused.
    UnknownSkipRefused,
    /// `_HLS_skip=junk` gives a delta update.
    UnknownSkipHonoured,
    /// Delta updates are given without CAN-SKIP-UNTIL.
    SkipNotAdvertised,
    /// Delta updates of v2 lack RECENTLY-REMOVED-DATERANGES.
    NoRemovedDateranges,

    // Preload hints and rendition reports (6.2.6, 4.4.5.3, 4.4.5.4).
    /// No EXT-X-PRELOAD-HINT.
    NoHint,
    /// No hint between the last part of a segment and the first of the next.
    NoHintAtBoundary,
    /// The hinted URI is not the one that is listed next.
    WrongHint,
    /// Two hints of TYPE=PART.
    TwoHints,
    /// A hinted part is 404 until it is there.
    HintNotFound,
    /// A hinted part trickles out as its frames are made.
    HintTrickles,
    /// The part after the hinted one is held too.
    UnhintedHeld,
    /// An open range of a growing segment is answered with 200 and no Content-Range.
    OpenRangeAsWhole,
    /// No EXT-X-RENDITION-REPORT.
    NoReports,
    /// Reports for the pictures alone.
    NoSoundReport,
    /// The URI of reports has scheme and host.
    ReportAbsolute,
    /// Reports name the part that comes next.
    ReportPredicts,
    /// Reports after a finished segment name part 0 of the next.
    ReportNextSegment,
    /// LAST-PART of reports is the number of parts, not the last one's index.
    ReportCountsParts,
    /// Reports have no LAST-PART.
    ReportLacksPart,
    /// Reports are a second old.
    ReportStale,

    // Media (3.1.2, 4.4.6).
    /// The brands are isom and mp42 alone.
    OldBrands,
    /// The durations of the movie header is that of a file.
    InitDuration,
    /// No mvex.
    NoMovieExtends,
    /// Sample tables list a sample.
    InitHasSamples,
    /// The track of fragments is not the one of the init section.
    WrongTrackId,
    /// Fragments have no tfdt.
    NoTfdt,
    /// Fragments have a base-data-offset.
    BaseDataOffset,
    /// Decode times are rounded to 100 ms.
    TimestampsRounded,
    /// Decode times jump by half a second in mid-stream.
    TimestampsJump,
    /// Decode times of the sound are of another clock.
    TimestampsUnmatched,
    /// CODECS does not name the sound.
    CodecsLackSound,
    /// CODECS says High level 3.0 for pictures of level 3.1.
    CodecsWrongLevel,
    /// No CODECS.
    NoCodecs,
    /// No BANDWIDTH.
    NoBandwidth,
    /// BANDWIDTH counts the pictures alone.
    BandwidthTooLow,
    /// RESOLUTION of the high rung is 1920x1080.
    WrongResolution,
    /// FRAME-RATE is 50.
    WrongFrameRate,
    /// AUDIO names a group that does not exist.
    NoSuchGroup,
    /// Two renditions of the group have one NAME.
    NameTwice,
    /// Two renditions of the group are DEFAULT.
    DefaultTwice,
    /// No CHANNELS.
    NoChannels,

    // HTTP (Appendix B.1).
    /// Playlists are never compressed.
    NoGzip,
    /// Playlists are compressed for those too who don't accept it.
    GzipForAll,
    /// No Vary.
    NoVary,
    /// Only HTTP/1.1 is offered over TLS.
    NoHttp2,
    /// Every reply closes its connection.
    ConnectionCloses,
    /// Range is ignored for media.
    RangeIgnored,
    /// Content-Range is off by one.
    RangeOffByOne,
    /// A range past the end gives the whole, not 416.
    RangePastEndServed,
    /// All is no-store.
    NoStore,
    /// Blocking playlists live no longer than others.
    BlockingPlaylistShort,
    /// Playlists without directives live as long as media.
    PlaylistLivesLong,
    /// Errors live for a day.
    ErrorsLiveLong,
    /// No CORS headers.
    NoCors,
    /// CORS headers on successes alone.
    CorsOnSuccess,
    /// OPTIONS is refused.
    NoPreflight,
    /// HEAD over HTTP/2 has the body of GET.
    HeadWithBody,
    /// HEAD is refused.
    HeadRefused,
    /// Media are application/octet-stream.
    MediaAsBytes,
    /// A path with `..` gives what lies there.
    PathTraversal,
    /// A path that is not UTF-8 gives a 500.
    PathCrashes,
}
