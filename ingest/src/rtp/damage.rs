use touchline_media::Error;

/// Why an access unit is of no use. Never a reason to end the session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    /// Packets of it were given up.
    #[error("packets of it are missing")]
    Missing,
    /// Access units before the first that a decoder can start at.
    #[error("no keyframe with its parameter sets has come yet")]
    AwaitsKeyframe,
    /// Access units after a damaged one, before the next that a decoder can start at.
    #[error("a picture before it was lost, and no keyframe has come since")]
    AwaitsRepair,
    /// Pictures that refer to others before the keyframe, which were lost or never came.
    #[error("a picture refers to what was before the keyframe")]
    Leading,
    /// More than anybody could mean.
    #[error("an access unit is longer than {limit} {unit}")]
    TooLong {
        /// The most that is taken.
        limit: usize,
        /// Of what.
        unit: &'static str,
    },
    /// A payload contradicts itself.
    #[error("a payload is damaged: {0}")]
    Payload(&'static str),
    /// A payload in a form that was not agreed on.
    #[error("payloads of type {0} were not agreed on")]
    Form(u8),
    /// A decoder configuration that cannot be played.
    #[error("{0}")]
    Configuration(#[from] Error),
    /// A packet of sound that no decoder takes.
    #[error("a packet of sound is damaged: {0}")]
    Sound(Error),
}

impl Damage {
    /// The value of the `reason` label.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::AwaitsKeyframe => "awaits_keyframe",
            Self::AwaitsRepair => "awaits_repair",
            Self::Leading => "leading",
            Self::TooLong { .. } => "too_long",
            Self::Payload(_) => "bad_payload",
            Self::Form(_) => "form",
            Self::Configuration(_) => "bad_configuration",
            Self::Sound(_) => "bad_frame",
        }
    }
}
