use std::sync::Arc;

use touchline_media::{Format, Kind, Track, TrackId, opus};

use crate::plan::{self, Codec};
use crate::rung;

/// What a ladder is made of: the first tracks of a feed that can be decoded.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// All that come.
    pub(crate) tracks: Arc<[Track]>,
    /// The pictures; `None` where there are none, or a ladder of them already.
    pub(crate) video: Option<Track>,
    pub(crate) audio: Option<Track>,
}

impl Source {
    /// `None` where there is nothing to make renditions of.
    pub(crate) fn of(tracks: &Arc<[Track]>) -> Option<Self> {
        let of_kind = |kind| tracks.iter().filter(move |track| track.format.kind() == kind);
        let decodable = |track: &&Track| codec(&track.format).is_some();
        let video = of_kind(Kind::Video).next().filter(|_| of_kind(Kind::Video).count() == 1).filter(decodable);
        let audio = of_kind(Kind::Audio).find(decodable);
        let source = Self { tracks: Arc::clone(tracks), video: video.cloned(), audio: audio.cloned() };
        (source.video.is_some() || source.needs_sound()).then_some(source)
    }

    pub(crate) fn pictures(&self) -> Option<rung::Source> {
        let video = self.video.as_ref()?;
        let (width, height) = video.format.picture_size()?;
        Some(rung::Source { width, height, frame_rate: video.frame_rate() })
    }

    /// Whether not every player knows the codec of the sound, so that it is made in another, whatever becomes of the pictures.
    pub(crate) fn needs_sound(&self) -> bool {
        self.audio.as_ref().is_some_and(|audio| matches!(audio.format, Format::Opus(_)))
    }

    /// The track whose sync samples a new worker can begin with.
    pub(crate) fn leader(&self) -> Option<TrackId> {
        self.video.as_ref().or(self.audio.as_ref()).map(|track| track.id)
    }

    /// What a worker has to know of a track.
    pub(crate) fn planned(track: &Track) -> Option<plan::Source> {
        let record = match &track.format {
            Format::Avc(config) => config.record.to_vec(),
            Format::Hevc(config) => config.record.to_vec(),
            Format::Av1(config) => config.record.to_vec(),
            Format::Aac(config) => config.record.to_vec(),
            // A worker begins in the middle, where nothing is to be skipped.
            Format::Opus(config) => opus::Config { pre_skip: 0, ..config.clone() }.head(),
            _ => return None,
        };
        Some(plan::Source { codec: codec(&track.format)?, timescale: track.timescale.get(), record })
    }

    /// Channels of a track of sound.
    pub(crate) fn channels(track: &Track) -> u8 {
        match &track.format {
            Format::Aac(config) => config.channels,
            Format::Opus(config) => config.channels,
            _ => 2,
        }
    }

    /// Whether the ladder of another source does for this one, and for the renditions that players know. From another
    /// publisher, a smaller picture is a reason to begin anew; from the same, the ladder is made of what there is.
    pub(crate) fn does_for(&self, known: &Self, newcomer: bool) -> bool {
        let height = |source: &Self| source.pictures().map(|pictures| pictures.height);
        let smaller = height(self) < height(known);
        let like = |source: &Self| (source.video.is_some(), source.audio.is_some(), source.needs_sound());
        like(self) == like(known) && !(newcomer && smaller)
    }
}

fn codec(format: &Format) -> Option<Codec> {
    match format {
        Format::Avc(_) => Some(Codec::H264),
        Format::Hevc(_) => Some(Codec::H265),
        Format::Av1(_) => Some(Codec::Av1),
        Format::Aac(_) => Some(Codec::Aac),
        Format::Opus(_) => Some(Codec::Opus),
        _ => None,
    }
}
