use std::time::Duration;

/// How a channel trades latency against the number of requests that its viewers make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Parts of 200 ms: what the audience of a match notices first is the neighbour's cheer.
    Ultra,
    /// Parts of 333 ms.
    Balanced,
    /// Parts of 500 ms: two requests a second for each rendition, what most caches are sized for.
    Scale,
}

impl Profile {
    /// `ultra`, `balanced` or `scale`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "ultra" => Ok(Self::Ultra),
            "balanced" => Ok(Self::Balanced),
            "scale" => Ok(Self::Scale),
            _ => Err(format!("\"{text}\" is not a profile; there are ultra, balanced and scale")),
        }
    }

    /// The nominal duration of its parts.
    pub(crate) fn part(self) -> Duration {
        Duration::from_millis(match self {
            Self::Ultra => 200,
            Self::Balanced => 333,
            Self::Scale => 500,
        })
    }
}
