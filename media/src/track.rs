use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};

use crate::{FrameRate, Language, MediaTime, Timescale, aac, av1, avc, hevc, opus};

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

/// Ticks per second of a clock that is good enough for samples without a grid.
const FINE: u32 = 10_000;

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
    /// The language that is spoken, where that is known.
    pub language: Option<Language>,
}

impl Track {
    /// How long one sample lasts, on a constant grid.
    pub fn frame_duration(&self) -> Option<MediaTime> {
        self.frame_ticks.map(|ticks| MediaTime::new(i64::from(ticks), self.timescale))
    }

    /// The same track by another clock, where that tells its samples apart as well: a constant grid of frames exactly,
    /// others to a tenth of a millisecond.
    pub fn on_clock(&self, clock: Timescale) -> Option<Self> {
        let frame_ticks = match self.frame_ticks {
            Some(ticks) => {
                let scaled = u64::from(ticks) * u64::from(clock.get());
                let own = u64::from(self.timescale.get());
                Some(u32::try_from(scaled / own).ok().filter(|_| scaled.is_multiple_of(own))?)
            }
            None if clock.get() >= self.timescale.get() || clock.get() >= FINE => None,
            None => return None,
        };
        Some(Self { timescale: clock, frame_ticks, ..self.clone() })
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
    /// HEVC with its parameter sets out of band.
    Hevc(hevc::Config),
    /// AV1.
    Av1(av1::Config),
    /// MPEG-4 AAC.
    Aac(aac::Config),
    /// Opus.
    Opus(opus::Config),
}

impl Format {
    /// Pictures or sound.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Avc(_) | Self::Hevc(_) | Self::Av1(_) => Kind::Video,
            Self::Aac(_) | Self::Opus(_) => Kind::Audio,
        }
    }

    /// The RFC 6381 string for `CODECS`, for example `avc1.64001f` or `mp4a.40.2`.
    pub fn codec(&self) -> Cow<'static, str> {
        match self {
            Self::Avc(config) => config.codec().into(),
            Self::Hevc(config) => config.codec().into(),
            Self::Av1(config) => config.codec().into(),
            Self::Aac(config) => config.codec().into(),
            Self::Opus(config) => config.codec().into(),
        }
    }

    /// How long an access unit lasts, where it says so itself: Opus alone does.
    pub fn duration_of(&self, data: &[u8]) -> Option<MediaTime> {
        match self {
            Self::Opus(_) => Some(MediaTime::new(opus::packet_duration(data).ok()?.into(), opus::TIMESCALE)),
            Self::Avc(_) | Self::Hevc(_) | Self::Av1(_) | Self::Aac(_) => None,
        }
    }

    /// The parameter sets as a sample has them, each behind a length of four bytes: what a decoder that knows of no other
    /// needs ahead of a sync sample. Empty for codecs that have none; AV1 has its sequence header in sync samples.
    pub fn parameter_sets(&self) -> Bytes {
        match self {
            Self::Avc(config) => in_sample(config.parameter_sets()),
            Self::Hevc(config) => in_sample(config.parameter_sets()),
            Self::Av1(_) | Self::Aac(_) | Self::Opus(_) => Bytes::new(),
        }
    }

    /// Width and height of the pictures in pixels; `None` for sound.
    pub fn picture_size(&self) -> Option<(u32, u32)> {
        match self {
            Self::Avc(config) => Some((config.width, config.height)),
            Self::Hevc(config) => Some((config.width, config.height)),
            Self::Av1(config) => Some((config.width, config.height)),
            Self::Aac(_) | Self::Opus(_) => None,
        }
    }

    /// The frame rate that the bitstream declares, if it does. A hint: encoders get it wrong.
    pub fn declared_rate(&self) -> Option<FrameRate> {
        match self {
            Self::Avc(config) => config.declared_rate,
            Self::Hevc(config) => config.declared_rate,
            Self::Av1(config) => config.declared_rate,
            Self::Aac(_) | Self::Opus(_) => None,
        }
    }
}

/// NAL units behind their lengths (ISO/IEC 14496-15 5.3.3.2).
fn in_sample<'a>(units: impl Iterator<Item = &'a [u8]>) -> Bytes {
    let mut data = BytesMut::new();
    for unit in units {
        data.put_u32(u32::try_from(unit.len()).unwrap_or(u32::MAX));
        data.put_slice(unit);
    }
    data.freeze()
}
