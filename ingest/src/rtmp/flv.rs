//! FLV audio and video tags (Adobe FLV 10.1, annex E; Enhanced RTMP v2) become access units.

mod enhanced;
mod header;
mod picture;
mod sound;

use std::collections::BTreeMap;

use bytes::Bytes;
use touchline_media::{Error, Format, Kind, TrackId};

use self::header::{Audio, Packet, Video};
use self::picture::Pictures;
use self::sound::Sound;
use super::Media;
use crate::intake::Unit;

/// The first track of pictures.
pub const VIDEO: TrackId = TrackId(0);
/// The first track of sound.
pub const AUDIO: TrackId = TrackId(1);
/// The most tracks of pictures, and of sound, that a publisher may send.
pub const MAX_TRACKS: usize = 8;

/// What a tag turned out to be for one of its tracks.
#[derive(Debug, Clone)]
pub enum Tag {
    /// A decoder configuration, other than the one before.
    Configuration(TrackId, Format),
    /// An access unit.
    Unit(Unit),
    /// Of no use.
    Dropped(Damage),
}

/// Why a tag is of no use. Never a reason to end the stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The tag ends within its header.
    #[error("a tag is cut short")]
    CutShort,
    /// A decoder configuration that does not parse or cannot be played.
    #[error("{0}")]
    Configuration(#[from] Error),
    /// No decoder configuration has come yet.
    #[error("an access unit comes before its decoder configuration")]
    Unconfigured,
    /// No picture, no sound.
    #[error("an access unit is empty")]
    Empty,
    /// The lengths of the NAL units or OBUs do not add up.
    #[error("an access unit is damaged")]
    Damaged,
    /// A packet type that is not known here.
    #[error("packet type {0} is unknown")]
    PacketType(u8),
    /// Enhanced RTMP v2: an `AvMultitrackType` that is not known here.
    #[error("multitrack type {0} is unknown")]
    MultitrackType(u8),
    /// More tracks of a kind than are taken.
    #[error("more than {MAX_TRACKS} tracks of a kind are sent, and the channel goes on with {MAX_TRACKS}")]
    Tracks,
    /// Enhanced RTMP v2: a further track of pictures, in a codec that is not taken.
    #[error("{0} video is not taken, and the channel goes on without this track: set it to H.264, HEVC or AV1")]
    VideoCodec(&'static str),
    /// Enhanced RTMP v2: sound in a codec that is not taken, while pictures may be.
    #[error("{0} audio is not taken, and the channel goes on without it: set the encoder to AAC or Opus")]
    AudioCodec(&'static str),
}

impl Damage {
    /// The value of the `reason` label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::CutShort => "cut_short",
            Self::Configuration(_) => "bad_configuration",
            Self::Unconfigured => "unconfigured",
            Self::Empty => "empty",
            Self::Damaged => "damaged",
            Self::PacketType(_) => "packet_type",
            Self::MultitrackType(_) => "multitrack_type",
            Self::Tracks => "tracks",
            Self::VideoCodec(_) => "video_codec",
            Self::AudioCodec(_) => "audio_codec",
        }
    }
}

/// A codec that is not taken, in words for the person at the encoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// A video codec.
    #[error("{0} video is not supported: set the encoder to H.264, HEVC or AV1")]
    Video(&'static str),
    /// An audio codec.
    #[error("{0} audio is not supported: set the encoder to AAC or Opus")]
    Audio(&'static str),
}

/// Reads the tags of one stream.
#[derive(Debug, Default)]
pub struct Demuxer {
    video: BTreeMap<TrackId, Pictures>,
    audio: BTreeMap<TrackId, Sound>,
}

impl Demuxer {
    /// Reads one tag. Nothing comes of a configuration seen before, an end of sequence or a command to a player, and
    /// something for each track of an enhanced tag for several. An error means that this publisher cannot be served.
    pub fn read(&mut self, media: &Media) -> Result<Vec<Tag>, Unsupported> {
        let mut tags = Vec::new();
        match media.kind {
            Kind::Video => {
                for (number, packet) in header::video(&media.payload) {
                    tags.extend(self.video(track(VIDEO, number), packet, media)?);
                }
            }
            Kind::Audio => {
                for (number, packet) in header::audio(&media.payload) {
                    tags.extend(self.audio(track(AUDIO, number), packet, media)?);
                }
            }
        }
        Ok(tags)
    }

    /// Whether pictures have come that a player which starts at the keyframe before them cannot show.
    pub fn has_open_groups(&self) -> bool {
        self.video.values().any(|pictures| pictures.open_groups)
    }

    /// Whether a track of sound has been configured.
    pub fn has_sound(&self) -> bool {
        !self.audio.is_empty()
    }

    fn video(&mut self, id: TrackId, packet: Packet<Video>, media: &Media) -> Result<Option<Tag>, Unsupported> {
        let tag = match packet {
            Packet::Configuration(codec, record) => self.configure_video(id, codec, &record),
            Packet::Frame(codec, frame) => {
                let offset = frame.offset;
                let pictures = self.video.get_mut(&id).ok_or(Damage::Unconfigured);
                let read = pictures.and_then(|pictures| pictures.read(codec, frame));
                read.map(|(data, sync)| Some(Tag::Unit(unit(id, media, offset, sync, data))))
            }
            Packet::Nothing => Ok(None),
            Packet::Dropped(damage) => Err(damage),
            Packet::Refused(unsupported) => return Err(unsupported),
        };
        Ok(tag.unwrap_or_else(|damage| Some(Tag::Dropped(damage))))
    }

    fn configure_video(&mut self, id: TrackId, codec: Video, record: &[u8]) -> Result<Option<Tag>, Damage> {
        let pictures = Pictures::configure(codec, record)?;
        let format = pictures.format.clone();
        let before = replace(&mut self.video, id, pictures)?;
        let changed = before.is_none_or(|before| before.format != format);
        Ok(changed.then_some(Tag::Configuration(id, format)))
    }

    fn audio(&mut self, id: TrackId, packet: Packet<Audio>, media: &Media) -> Result<Option<Tag>, Unsupported> {
        let tag = match packet {
            Packet::Configuration(codec, record) => self.configure_audio(id, codec, &record),
            Packet::Frame(codec, frame) => {
                let sound = self.audio.get(&id).ok_or(Damage::Unconfigured);
                let read = sound.and_then(|sound| sound.read(codec, frame));
                read.map(|data| Some(Tag::Unit(unit(id, media, 0, true, data))))
            }
            Packet::Nothing => Ok(None),
            Packet::Dropped(damage) => Err(damage),
            Packet::Refused(unsupported) => return Err(unsupported),
        };
        Ok(tag.unwrap_or_else(|damage| Some(Tag::Dropped(damage))))
    }

    fn configure_audio(&mut self, id: TrackId, codec: Audio, record: &[u8]) -> Result<Option<Tag>, Damage> {
        let sound = Sound::configure(codec, record)?;
        let format = sound.format.clone();
        let before = replace(&mut self.audio, id, sound)?;
        let changed = before.is_none_or(|before| before.format != format);
        Ok(changed.then_some(Tag::Configuration(id, format)))
    }
}

/// Tracks of pictures have even ids, those of sound odd ones.
fn track(first: TrackId, number: u8) -> TrackId {
    TrackId(first.0 + 2 * u32::from(number))
}

/// Puts the configuration of a track in the place of the one before, which it returns.
fn replace<T>(tracks: &mut BTreeMap<TrackId, T>, id: TrackId, track: T) -> Result<Option<T>, Damage> {
    if tracks.len() >= MAX_TRACKS && !tracks.contains_key(&id) {
        return Err(Damage::Tracks);
    }
    Ok(tracks.insert(id, track))
}

fn unit(track: TrackId, media: &Media, offset: i64, sync: bool, data: Bytes) -> Unit {
    Unit { track, dts: i64::from(media.timestamp), offset, sync, data, received: media.received }
}

#[cfg(test)]
mod tests;
