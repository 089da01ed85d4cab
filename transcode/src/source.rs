use std::sync::Arc;

use touchline_media::{Format, Kind, Track};

use crate::plan::{self, Codec};
use crate::rung;

/// What a ladder is made of: the first tracks of a feed that can be decoded.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// All that come.
    pub(crate) tracks: Arc<[Track]>,
    pub(crate) video: Track,
    pub(crate) audio: Option<Track>,
}

impl Source {
    /// `None` where there is nothing to make a ladder of: no pictures, or a ladder already.
    pub(crate) fn of(tracks: &Arc<[Track]>) -> Option<Self> {
        let of_kind = |kind| tracks.iter().filter(move |track| track.format.kind() == kind);
        let mut videos = of_kind(Kind::Video);
        let (video, None) = (videos.next()?.clone(), videos.next()) else { return None };
        codec(&video.format)?;
        let audio = of_kind(Kind::Audio).find(|track| codec(&track.format).is_some()).cloned();
        Some(Self { tracks: Arc::clone(tracks), video, audio })
    }

    pub(crate) fn pictures(&self) -> rung::Source {
        let (width, height) = size(&self.video.format);
        rung::Source { width, height, frame_rate: self.video.frame_rate() }
    }

    /// What a worker has to know of a track.
    pub(crate) fn planned(track: &Track) -> Option<plan::Source> {
        let record = match &track.format {
            Format::Avc(config) => config.record.to_vec(),
            Format::Hevc(config) => config.record.to_vec(),
            Format::Av1(config) => config.record.to_vec(),
            Format::Aac(config) => config.record.to_vec(),
            _ => return None,
        };
        Some(plan::Source { codec: codec(&track.format)?, timescale: track.timescale.get(), record })
    }

    /// Channels of a track of sound.
    pub(crate) fn channels(track: &Track) -> u8 {
        match &track.format {
            Format::Aac(config) => config.channels,
            _ => 2,
        }
    }

    /// Whether the ladder of another source does for this one, and for the renditions that players know. From another
    /// publisher, a smaller picture is a reason to begin anew; from the same, the ladder is made of what there is.
    pub(crate) fn does_for(&self, known: &Self, newcomer: bool) -> bool {
        let smaller = self.pictures().height < known.pictures().height;
        self.audio.is_some() == known.audio.is_some() && !(newcomer && smaller)
    }
}

fn codec(format: &Format) -> Option<Codec> {
    match format {
        Format::Avc(_) => Some(Codec::H264),
        Format::Hevc(_) => Some(Codec::H265),
        Format::Av1(_) => Some(Codec::Av1),
        Format::Aac(_) => Some(Codec::Aac),
        _ => None,
    }
}

fn size(format: &Format) -> (u32, u32) {
    match format {
        Format::Avc(config) => (config.width, config.height),
        Format::Hevc(config) => (config.width, config.height),
        Format::Av1(config) => (config.width, config.height),
        _ => (0, 0),
    }
}
