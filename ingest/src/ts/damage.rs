use touchline_media::{Error, Kind};

/// Why something in a stream is of no use. Never a reason to end the stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Packets are missing.
    #[error("packets are missing within a PES packet, which is dropped whole")]
    Missing,
    /// The next PES packet begins before this one has the length that it states.
    #[error("a PES packet is shorter than it states")]
    CutShort,
    /// A PES packet that nobody could mean.
    #[error("a PES packet is longer than {limit} bytes")]
    TooLong {
        /// The most that is taken.
        limit: usize,
    },
    /// A PES packet goes on behind what was taken for its end.
    #[error("a PES packet goes on behind what looked like its end")]
    GoesOn,
    /// A PES header does not parse.
    #[error("the header of a PES packet is damaged")]
    Header,
    /// The payload is encrypted.
    #[error("it is scrambled: switch conditional access off")]
    Scrambled,
    /// Pictures before the first that a decoder can start at.
    #[error("no keyframe with its parameter sets has come yet")]
    AwaitsKeyframe,
    /// Pictures after a damaged one, before the next that a decoder can start at.
    #[error("a picture before it was lost, and no keyframe has come since")]
    AwaitsRepair,
    /// Pictures that refer to others before the keyframe, which were lost or never came.
    #[error("a picture refers to what was before the keyframe")]
    Leading,
    /// Nothing says when an access unit is due.
    #[error("an access unit comes without a time")]
    Untimed,
    /// A decoder configuration that cannot be played.
    #[error("{0}")]
    Configuration(#[from] Error),
    /// A frame of sound does not begin where the one before ended, or contradicts itself.
    #[error("a frame is damaged")]
    Frame,
    /// A frame of sound in a form that is not taken.
    #[error("{0} is not taken: set the encoder to AAC-LC with a frame of its own for each access unit")]
    Form(&'static str),
}

impl Damage {
    /// The value of the `reason` label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::CutShort => "cut_short",
            Self::TooLong { .. } => "too_long",
            Self::GoesOn => "goes_on",
            Self::Header => "header",
            Self::Scrambled => "scrambled",
            Self::AwaitsKeyframe => "awaits_keyframe",
            Self::AwaitsRepair => "awaits_repair",
            Self::Leading => "leading",
            Self::Untimed => "untimed",
            Self::Configuration(_) => "bad_configuration",
            Self::Frame => "bad_frame",
            Self::Form(_) => "form",
        }
    }
}

/// What a programme has that is not taken, where without it there is nothing to serve. In words for the person at the
/// encoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// A video codec.
    #[error("{0} video is not supported: set the encoder to H.264 or HEVC")]
    Video(&'static str),
    /// An audio codec.
    #[error("{0} audio is not supported: set the encoder to AAC")]
    Audio(&'static str),
}

/// Something that an operator should read of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Remark {
    /// There are several programmes, of which one is taken.
    #[error("there are {of} programmes: takes number {taken}, the first that has video")]
    Programme {
        /// The number of the programme.
        taken: u16,
        /// How many there are.
        of: usize,
    },
    /// A stream beside others that is not taken.
    #[error("{name} {} on PID {pid} is not taken, and the channel goes on without it: set the encoder to {}", noun(*.kind), instead(*.kind))]
    Left {
        /// Pictures or sound.
        kind: Kind,
        /// What it is.
        name: &'static str,
        /// Where it is.
        pid: u16,
    },
    /// More streams than a channel takes.
    #[error("{} on PID {pid} is left out: a channel takes {limit} from MPEG-TS", noun(*.kind))]
    TooMany {
        /// Pictures or sound.
        kind: Kind,
        /// Where it is.
        pid: u16,
        /// How many are taken.
        limit: u32,
    },
    /// Timed metadata are there.
    #[error("carries {name} on PID {pid}")]
    Metadata {
        /// What it is.
        name: &'static str,
        /// Where it is.
        pid: u16,
    },
    /// Pictures have recovery points, and none is an IDR picture.
    #[error(
        "the pictures have recovery points but no IDR picture, which is what players start at: set the encoder to closed \
         groups of pictures, without intra refresh"
    )]
    RecoveryPoints,
    /// Pictures that a player which starts at the keyframe before them cannot show.
    #[error(
        "groups of pictures are open: who starts at a keyframe or changes renditions there misses the pictures that are \
         shown before it; set the encoder to closed ones (x265: open-gop=0)"
    )]
    OpenGroups,
}

impl Remark {
    /// Whether somebody should do something about it.
    pub fn is_warning(&self) -> bool {
        !matches!(self, Self::Programme { .. } | Self::Metadata { .. })
    }
}

fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Video => "video",
        Kind::Audio => "audio",
    }
}

fn instead(kind: Kind) -> &'static str {
    match kind {
        Kind::Video => "H.264 or HEVC",
        Kind::Audio => "AAC",
    }
}
