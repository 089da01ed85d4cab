use touchline_media::Kind;

/// Why a stretch cannot be packaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The publisher sends no track.
    #[error("the publisher sends neither video nor audio that can be packaged")]
    NoTracks,
    /// More tracks than there may be renditions.
    #[error("the publisher sends {tracks} tracks, and a channel has {limit} at most: send fewer")]
    TooManyTracks {
        /// How many it sends.
        tracks: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The renditions of a presentation are fixed when it opens: end this one and open a new one.
    #[error(
        "the presentation was opened with {opened:?}, the publisher now sends {now:?}: a new presentation is needed"
    )]
    Incompatible {
        /// The kinds of its renditions.
        opened: Vec<Kind>,
        /// The kinds of the tracks that the stretch has.
        now: Vec<Kind>,
    },
    /// The decoder configuration cannot be written into an init section.
    #[error("the decoder configuration of the {codec} track does not fit an init section: {reason}")]
    Configuration {
        /// The RFC 6381 string of the track.
        codec: String,
        /// What is wrong with it.
        reason: String,
    },
}
