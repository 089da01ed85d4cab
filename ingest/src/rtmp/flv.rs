//! FLV audio and video tags (Adobe FLV 10.1, annex E) become access units.

use bytes::{BufMut, Bytes, BytesMut};
use touchline_media::{Format, Kind, TrackId, aac, avc, nal};

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
    Configuration(#[from] touchline_media::Error),
    /// No decoder configuration has come yet.
    #[error("an access unit comes before its decoder configuration")]
    Unconfigured,
    /// No picture, no sound.
    #[error("an access unit is empty")]
    Empty,
    /// The lengths of the NAL units do not add up.
    #[error("an access unit is damaged")]
    Damaged,
    /// A packet type that the specification does not have.
    #[error("packet type {0} is unknown")]
    PacketType(u8),
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
        }
    }
}

/// A codec or a way of packing it that is not taken, in words for the person at the encoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Enhanced RTMP, video.
    #[error("{0} over enhanced RTMP is not supported yet: set the encoder to H.264")]
    EnhancedVideo(&'static str),
    /// Enhanced RTMP, audio.
    #[error("{0} over enhanced RTMP is not supported yet: set the encoder to AAC")]
    EnhancedAudio(&'static str),
    /// Another video codec.
    #[error("{0} video is not supported: set the encoder to H.264")]
    Video(&'static str),
    /// Another audio codec.
    #[error("{0} audio is not supported: set the encoder to AAC")]
    Audio(&'static str),
}

/// Reads the tags of one stream.
#[derive(Debug, Default)]
pub struct Demuxer {
    video: Option<Video>,
    audio: Option<aac::Config>,
}

#[derive(Debug)]
struct Video {
    config: avc::Config,
    /// Bytes of the length in front of each NAL unit.
    length_size: usize,
}

impl Demuxer {
    /// Reads one tag. An error means that this publisher cannot be served.
    pub fn read(&mut self, media: &Media) -> Result<Tag, Unsupported> {
        match media.kind {
            Kind::Video => self.video(media),
            Kind::Audio => self.audio(media),
        }
    }

    /// E.4.3.1
    fn video(&mut self, media: &Media) -> Result<Tag, Unsupported> {
        let Some(&first) = media.payload.first() else { return Ok(Tag::Dropped(Damage::CutShort)) };
        if first & EX_VIDEO_HEADER != 0 {
            return Err(Unsupported::EnhancedVideo(enhanced_video(&media.payload)));
        }
        match first & 0x0f {
            AVC => {}
            other => return Err(Unsupported::Video(video_codec(other))),
        }
        if first >> 4 == VIDEO_COMMAND {
            return Ok(Tag::Nothing);
        }
        let [_, packet_type, a, b, c, ..] = *media.payload else { return Ok(Tag::Dropped(Damage::CutShort)) };
        let body = media.payload.slice(5..);
        Ok(match packet_type {
            SEQUENCE_HEADER => self.configure_video(&body).unwrap_or_else(|e| Tag::Dropped(e.into())),
            NAL_UNITS => self.pictures(media, composition_time([a, b, c]), body).map_or_else(Tag::Dropped, Tag::Unit),
            END_OF_SEQUENCE => Tag::Nothing,
            other => Tag::Dropped(Damage::PacketType(other)),
        })
    }

    fn configure_video(&mut self, record: &[u8]) -> Result<Tag, touchline_media::Error> {
        let video = Video { length_size: avc::length_size(record)?, config: avc::Config::parse(record)? };
        let changed = self.video.as_ref().is_none_or(|before| before.config != video.config);
        let config = video.config.clone();
        self.video = Some(video);
        Ok(if changed { Tag::Configuration(VIDEO, Format::Avc(config)) } else { Tag::Nothing })
    }

    fn pictures(&self, media: &Media, offset: i64, body: Bytes) -> Result<Unit, Damage> {
        let video = self.video.as_ref().ok_or(Damage::Unconfigured)?;
        let (data, sync) = access_unit(body, video.length_size)?;
        Ok(Unit { track: VIDEO, dts: i64::from(media.timestamp), offset, sync, data, received: media.received })
    }

    /// E.4.2.1
    fn audio(&mut self, media: &Media) -> Result<Tag, Unsupported> {
        let Some(&first) = media.payload.first() else { return Ok(Tag::Dropped(Damage::CutShort)) };
        match first >> 4 {
            AAC => {}
            EX_AUDIO_HEADER => return Err(Unsupported::EnhancedAudio(enhanced_audio(&media.payload))),
            other => return Err(Unsupported::Audio(audio_codec(other))),
        }
        let [_, packet_type, ..] = *media.payload else { return Ok(Tag::Dropped(Damage::CutShort)) };
        let body = media.payload.slice(2..);
        Ok(match packet_type {
            SEQUENCE_HEADER => self.configure_audio(&body).unwrap_or_else(|e| Tag::Dropped(e.into())),
            RAW_AAC if self.audio.is_none() => Tag::Dropped(Damage::Unconfigured),
            RAW_AAC if body.is_empty() => Tag::Dropped(Damage::Empty),
            RAW_AAC => Tag::Unit(Unit {
                track: AUDIO,
                dts: i64::from(media.timestamp),
                offset: 0,
                sync: true,
                data: body,
                received: media.received,
            }),
            other => Tag::Dropped(Damage::PacketType(other)),
        })
    }

    fn configure_audio(&mut self, record: &[u8]) -> Result<Tag, touchline_media::Error> {
        // A copy, so that the configuration does not keep the message alive.
        let config = aac::Config::parse(Bytes::copy_from_slice(record))?;
        let changed = self.audio.replace(config.clone()).is_none_or(|before| before != config);
        Ok(if changed { Tag::Configuration(AUDIO, Format::Aac(config)) } else { Tag::Nothing })
    }
}

/// Enhanced RTMP v1: the bit of the frame type that says that a codec's `FourCC` follows.
const EX_VIDEO_HEADER: u8 = 0x80;
/// Enhanced RTMP v2: the sound format that says that a codec's `FourCC` follows.
const EX_AUDIO_HEADER: u8 = 9;
const AVC: u8 = 7;
const AAC: u8 = 10;
/// The frame type of a tag that tells a player to seek.
const VIDEO_COMMAND: u8 = 5;
const SEQUENCE_HEADER: u8 = 0;
const NAL_UNITS: u8 = 1;
const RAW_AAC: u8 = 1;
const END_OF_SEQUENCE: u8 = 2;

/// A signed number of 24 bits: presentation time minus decode time, in milliseconds.
fn composition_time([a, b, c]: [u8; 3]) -> i64 {
    i64::from(i32::from_be_bytes([a, b, c, 0]) >> 8)
}

/// The NAL units of an access unit, each behind a length of four bytes, none of them empty; and whether there is an IDR
/// picture. Tags call pictures keyframes that a decoder cannot start at, so that only the NAL units count.
fn access_unit(body: Bytes, length_size: usize) -> Result<(Bytes, bool), Damage> {
    let (mut pictures, mut sync, mut empty, mut len) = (0, false, false, 0);
    for unit in nal::units(&body, length_size) {
        let unit = unit.map_err(|_| Damage::Damaged)?;
        match nal::unit_type(unit) {
            None => empty = true,
            Some(kind) => {
                pictures += u32::from(matches!(kind, FIRST_SLICE..=nal::IDR_SLICE));
                sync |= kind == nal::IDR_SLICE;
                len += 4 + unit.len();
            }
        }
    }
    if pictures == 0 {
        return Err(Damage::Empty);
    }
    Ok((if length_size == 4 && !empty { body } else { with_long_lengths(&body, length_size, len) }, sync))
}

/// `nal_unit_type` of a slice of a picture that is no IDR picture; 2 to 4 are its data partitions.
const FIRST_SLICE: u8 = 1;

fn with_long_lengths(body: &[u8], length_size: usize, len: usize) -> Bytes {
    let mut data = BytesMut::with_capacity(len);
    for unit in nal::units(body, length_size).flatten().filter(|unit| !unit.is_empty()) {
        data.put_u32(u32::try_from(unit.len()).unwrap_or(u32::MAX));
        data.put_slice(unit);
    }
    data.freeze()
}

fn four_cc(payload: &[u8]) -> Option<[u8; 4]> {
    payload.get(1..)?.first_chunk().copied()
}

fn enhanced_video(payload: &[u8]) -> &'static str {
    const MULTITRACK: u8 = 6;
    if payload.first().is_some_and(|first| first & 0x0f == MULTITRACK) {
        return "a second track of video";
    }
    match four_cc(payload).as_ref() {
        Some(b"hvc1") => "HEVC",
        Some(b"vvc1") => "VVC",
        Some(b"av01") => "AV1",
        Some(b"vp09") => "VP9",
        Some(b"vp08") => "VP8",
        Some(b"avc1") => "H.264",
        _ => "video",
    }
}

fn enhanced_audio(payload: &[u8]) -> &'static str {
    const MULTITRACK: u8 = 5;
    if payload.first().is_some_and(|first| first & 0x0f == MULTITRACK) {
        return "a second track of audio";
    }
    match four_cc(payload).as_ref() {
        Some(b"Opus") => "Opus",
        Some(b"fLaC") => "FLAC",
        Some(b"ac-3") => "AC-3",
        Some(b"ec-3") => "E-AC-3",
        Some(b".mp3") => "MP3",
        Some(b"mp4a") => "AAC",
        _ => "audio",
    }
}

/// E.4.3.1, and the 12 and 13 that some encoders use.
fn video_codec(id: u8) -> &'static str {
    match id {
        2 => "Sorenson H.263",
        3 | 6 => "Screen",
        4 | 5 => "VP6",
        12 => "HEVC",
        13 => "AV1",
        _ => "this kind of",
    }
}

/// E.4.2.1
fn audio_codec(format: u8) -> &'static str {
    match format {
        0 | 3 => "PCM",
        1 => "ADPCM",
        2 | 14 => "MP3",
        4..=6 => "Nellymoser",
        7 | 8 => "G.711",
        11 => "Speex",
        13 => "Opus",
        _ => "this kind of",
    }
}

#[cfg(test)]
mod tests;
