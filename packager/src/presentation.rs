use std::time::Duration;

use touchline_media::{FrameRate, Kind, Language};

use crate::Epoch;

/// What stays the same from a channel's opening to its end: the values that RFC 8216bis 6.2.1 forbids to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presentation {
    /// Tells its URIs from those of every other presentation of the channel.
    pub epoch: Epoch,
    /// The Media Sequence Number of the first segment of every rendition.
    pub first_msn: u64,
    /// EXT-X-TARGETDURATION of every rendition, in seconds.
    pub target_duration: u32,
    /// PART-TARGET of every rendition, in whole milliseconds.
    pub part_target: Duration,
    /// How much media a playlist lists in whole segments.
    pub window: Duration,
    /// The renditions, in the order of their [`RenditionId`]s.
    pub renditions: Vec<Rendition>,
}

impl Presentation {
    /// The rendition with this id.
    pub fn rendition(&self, id: RenditionId) -> Option<&Rendition> {
        self.renditions.get(usize::from(id.0))
    }

    /// The id of the rendition with this name.
    pub fn find(&self, name: &str) -> Option<RenditionId> {
        self.ids().zip(&self.renditions).find(|(_, rendition)| rendition.name == name).map(|(id, _)| id)
    }

    /// The ids of all renditions.
    pub fn ids(&self) -> impl Iterator<Item = RenditionId> + use<> {
        (0..=u8::MAX).map(RenditionId).take(self.renditions.len())
    }

    /// Whether its playlists can go on with the media of another presentation: what must not change is the same.
    pub fn fits(&self, other: &Self) -> bool {
        let fixed = |presentation: &Self| (presentation.target_duration, presentation.part_target);
        let alike = |(here, there): (&Rendition, &Rendition)| here.name == there.name && here.kind() == there.kind();
        fixed(self) == fixed(other)
            && self.renditions.len() == other.renditions.len()
            && self.renditions.iter().zip(&other.renditions).all(alike)
    }

    /// How far from the end of the newest whole segment a delta update skips: CAN-SKIP-UNTIL, at least six target durations
    /// (RFC 8216bis 4.4.3.8). `None` where the window is no longer than that.
    pub fn skip_boundary(&self) -> Option<Duration> {
        let boundary = Duration::from_secs(6 * u64::from(self.target_duration));
        (self.window > boundary).then_some(boundary)
    }

    /// Three target durations: how near to the live edge parts are listed, and the least that a playlist holds.
    pub fn three_targets(&self) -> Duration {
        Duration::from_secs(3 * u64::from(self.target_duration))
    }
}

/// Index of a rendition in [`Presentation::renditions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RenditionId(pub u8);

/// One media playlist of a presentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// Its name in URIs: `video` and `audio`; several of video are named by their heights: `720p`, `360p`; further ones of
    /// audio by their bitrates: `audio-64k`, or where these are unknown `audio-opus` or `audio-2`.
    pub name: String,
    /// What it carried when the presentation opened; [`crate::Init`] tells what it carries now.
    pub coding: Coding,
}

impl Rendition {
    /// Pictures or sound.
    pub fn kind(&self) -> Kind {
        self.coding.kind()
    }
}

/// What a multivariant playlist says about the media of a rendition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coding {
    /// The RFC 6381 string.
    pub codec: String,
    /// Picture or sound format.
    pub media: Media,
    /// The bits per second that the encoder keeps to over any second, where that is known.
    pub bitrate: Option<u32>,
    /// The language that is spoken, where that is known.
    pub language: Option<Language>,
}

/// Picture or sound format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// Pictures.
    Video {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Frames per second, where the source keeps a constant grid.
        frame_rate: Option<FrameRate>,
    },
    /// Sound.
    Audio {
        /// Sampling frequency in Hz.
        sample_rate: u32,
        /// Channels, 1 to 8.
        channels: u8,
    },
}

impl Coding {
    /// Pictures or sound.
    pub fn kind(&self) -> Kind {
        match self.media {
            Media::Video { .. } => Kind::Video,
            Media::Audio { .. } => Kind::Audio,
        }
    }
}
