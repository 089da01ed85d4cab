//! FLV audio and video tags (Adobe FLV 10.1, annex E; Enhanced RTMP v2) become access units.

mod header;
mod picture;

use bytes::Bytes;
use touchline_media::{Error, Format, Kind, TrackId, aac};

use self::header::{Aac, Frame, Packet, Video};
use self::picture::Pictures;
use super::Media;
use crate::intake::Unit;

/// The track of the pictures.
pub const VIDEO: TrackId = TrackId(0);
/// The track of the sound.
pub const AUDIO: TrackId = TrackId(1);

/// What a tag turned out to be.
#[derive(Debug, Clone)]
pub enum Tag {
    /// A decoder configuration, other than the one before.
    Configuration(TrackId, Format),
    /// An access unit.
    Unit(Unit),
    /// Nothing to hand on: a configuration seen before, an end of sequence, a command to a player.
    Nothing,
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
    /// Enhanced RTMP v2: several tracks of a kind.
    #[error("tracks that are sent as Multitrack are not taken yet")]
    Multitrack,
    /// Enhanced RTMP v2: sound in a codec that is not taken, while pictures may be.
    #[error("{0} audio is not taken, and the channel goes on without it: set the encoder to AAC")]
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
            Self::Multitrack => "multitrack",
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
    #[error("{0} audio is not supported: set the encoder to AAC")]
    Audio(&'static str),
}

/// Reads the tags of one stream.
#[derive(Debug, Default)]
pub struct Demuxer {
    video: Option<Pictures>,
    audio: Option<aac::Config>,
}

impl Demuxer {
    /// Reads one tag. An error means that this publisher cannot be served.
    pub fn read(&mut self, media: &Media) -> Result<Tag, Unsupported> {
        let tag = match media.kind {
            Kind::Video => self.video(header::video(&media.payload)?, media),
            Kind::Audio => self.audio(header::audio(&media.payload)?, media),
        };
        Ok(tag.unwrap_or_else(Tag::Dropped))
    }

    /// Whether pictures have come that a player which starts at the keyframe before them cannot show.
    pub fn has_open_groups(&self) -> bool {
        self.video.as_ref().is_some_and(|pictures| pictures.open_groups)
    }

    fn video(&mut self, packet: Packet<Video>, media: &Media) -> Result<Tag, Damage> {
        match packet {
            Packet::Configuration(codec, record) => Ok(self.configure_video(codec, &record)?),
            Packet::Frame(codec, frame) => {
                let offset = frame.offset;
                let (data, sync) = self.video.as_mut().ok_or(Damage::Unconfigured)?.read(codec, frame)?;
                Ok(Tag::Unit(unit(VIDEO, media, offset, sync, data)))
            }
            Packet::Nothing => Ok(Tag::Nothing),
            Packet::Dropped(damage) => Err(damage),
        }
    }

    fn configure_video(&mut self, codec: Video, record: &[u8]) -> Result<Tag, Error> {
        let pictures = Pictures::configure(codec, record)?;
        let format = pictures.format.clone();
        let changed = self.video.replace(pictures).is_none_or(|before| before.format != format);
        Ok(if changed { Tag::Configuration(VIDEO, format) } else { Tag::Nothing })
    }

    fn audio(&mut self, packet: Packet<Aac>, media: &Media) -> Result<Tag, Damage> {
        match packet {
            Packet::Configuration(Aac, record) => Ok(self.configure_audio(&record)?),
            Packet::Frame(Aac, _) if self.audio.is_none() => Err(Damage::Unconfigured),
            Packet::Frame(Aac, Frame { body, .. }) if body.is_empty() => Err(Damage::Empty),
            Packet::Frame(Aac, Frame { body, .. }) => Ok(Tag::Unit(unit(AUDIO, media, 0, true, body))),
            Packet::Nothing => Ok(Tag::Nothing),
            Packet::Dropped(damage) => Err(damage),
        }
    }

    fn configure_audio(&mut self, record: &[u8]) -> Result<Tag, Error> {
        // A copy, so that the configuration does not keep the message alive.
        let config = aac::Config::parse(Bytes::copy_from_slice(record))?;
        let changed = self.audio.replace(config.clone()).is_none_or(|before| before != config);
        Ok(if changed { Tag::Configuration(AUDIO, Format::Aac(config)) } else { Tag::Nothing })
    }
}

fn unit(track: TrackId, media: &Media, offset: i64, sync: bool, data: Bytes) -> Unit {
    Unit { track, dts: i64::from(media.timestamp), offset, sync, data, received: media.received }
}

#[cfg(test)]
mod tests;
