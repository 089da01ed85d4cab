use std::borrow::Cow;

use crate::{FrameRate, MediaTime, Timescale, aac, avc};

/// Names a track within its feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub u32);

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// One elementary stream of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// Names it within the feed.
    pub id: TrackId,
    /// The clock of its samples.
    pub timescale: Timescale,
    /// Codec and decoder configuration.
    pub format: Format,
    /// Ticks from one sample to the next where the source keeps a constant grid (always for audio): what tells the
    /// duration of the newest sample. `None`: only the next sample tells.
    pub frame_ticks: Option<u32>,
    /// The bits per second that its encoder keeps to over any second, where that is known.
    pub bitrate: Option<u32>,
}

impl Track {
    /// How long one sample lasts, on a constant grid.
    pub fn frame_duration(&self) -> Option<MediaTime> {
        self.frame_ticks.map(|ticks| MediaTime::new(i64::from(ticks), self.timescale))
    }

    /// The frame rate of a video track on a constant grid.
    pub fn frame_rate(&self) -> Option<FrameRate> {
        match self.format.kind() {
            Kind::Video => FrameRate::new(self.timescale.get(), self.frame_ticks?),
            Kind::Audio => None,
        }
    }
}

/// Codec and decoder configuration of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// H.264 with its parameter sets out of band.
    Avc(avc::Config),
    /// MPEG-4 AAC.
    Aac(aac::Config),
}

impl Format {
    /// Pictures or sound.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Avc(_) => Kind::Video,
            Self::Aac(_) => Kind::Audio,
        }
    }

    /// The RFC 6381 string for `CODECS`, for example `avc1.64001f` or `mp4a.40.2`.
    pub fn codec(&self) -> Cow<'static, str> {
        match self {
            Self::Avc(config) => config.codec().into(),
            Self::Aac(config) => config.codec().into(),
        }
    }
}
