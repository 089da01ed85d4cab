//! The headers of tags: the classic ones (FLV 10.1, E.4.2.1 and E.4.3.1) and those of Enhanced RTMP (v2, "Enhanced
//! Audio" and "Enhanced Video").

use bytes::Bytes;

use super::{Damage, Unsupported};

/// What a tag holds behind its header.
#[derive(Debug)]
pub(super) enum Packet<T> {
    /// A decoder configuration.
    Configuration(T, Bytes),
    /// An access unit.
    Frame(T, Frame),
    /// Nothing to hand on: an end of sequence, a command to a player, metadata.
    Nothing,
    /// Nothing of use.
    Dropped(Damage),
}

/// An access unit as it came.
#[derive(Debug)]
pub(super) struct Frame {
    /// The encoder calls it a keyframe.
    pub(super) key: bool,
    /// Presentation time minus decode time, in milliseconds.
    pub(super) offset: i64,
    pub(super) body: Bytes,
}

/// A video codec that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Video {
    Avc,
    Hevc,
    Av1,
}

/// The audio codec that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Aac;

/// Reads the header of a video tag.
pub(super) fn video(payload: &Bytes) -> Result<Packet<Video>, Unsupported> {
    let Some((&first, rest)) = payload.split_first() else { return Ok(Packet::Dropped(Damage::CutShort)) };
    if first & EX_VIDEO_HEADER != 0 {
        enhanced_video(payload, first, rest)
    } else {
        classic_video(payload, first, rest)
    }
}

/// Reads the header of an audio tag.
pub(super) fn audio(payload: &Bytes) -> Result<Packet<Aac>, Unsupported> {
    let Some((&first, rest)) = payload.split_first() else { return Ok(Packet::Dropped(Damage::CutShort)) };
    match first >> 4 {
        AAC => {}
        EX_AUDIO_HEADER => return Ok(enhanced_audio(payload, first, rest)),
        other => return Err(Unsupported::Audio(audio_codec(other))),
    }
    let Some((&packet_type, body)) = rest.split_first() else { return Ok(Packet::Dropped(Damage::CutShort)) };
    Ok(sound(packet_type, tail(payload, body)))
}

/// Enhanced RTMP v1: the bit of the frame type that says that a codec's `FourCC` follows.
const EX_VIDEO_HEADER: u8 = 0x80;
/// Enhanced RTMP v2: the sound format that says that a codec's `FourCC` follows.
const EX_AUDIO_HEADER: u8 = 9;
const AVC: u8 = 7;
/// Not in the specification; encoders and platforms of the years before Enhanced RTMP agree on it.
const HEVC: u8 = 12;
const AAC: u8 = 10;

const KEY_FRAME: u8 = 1;
/// The frame type of a tag that tells a player to seek.
const VIDEO_COMMAND: u8 = 5;

// Packet types, classic and enhanced.
const SEQUENCE_START: u8 = 0;
const CODED_FRAMES: u8 = 1;
const SEQUENCE_END: u8 = 2;
/// Without a composition time.
const CODED_FRAMES_X: u8 = 3;
const VIDEO_METADATA: u8 = 4;
const MULTICHANNEL_CONFIG: u8 = 4;
const AUDIO_MULTITRACK: u8 = 5;
const VIDEO_MULTITRACK: u8 = 6;
const MOD_EX: u8 = 7;

/// E.4.3.1: the header of AVC, which HEVC has taken over.
fn classic_video(payload: &Bytes, first: u8, rest: &[u8]) -> Result<Packet<Video>, Unsupported> {
    let codec = match first & 0x0f {
        AVC => Video::Avc,
        HEVC => Video::Hevc,
        other => return Err(Unsupported::Video(video_codec(other))),
    };
    if first >> 4 == VIDEO_COMMAND {
        return Ok(Packet::Nothing);
    }
    let [packet_type, a, b, c, body @ ..] = rest else { return Ok(Packet::Dropped(Damage::CutShort)) };
    let (offset, body) = (composition_time([*a, *b, *c]), tail(payload, body));
    Ok(match *packet_type {
        SEQUENCE_START => Packet::Configuration(codec, body),
        CODED_FRAMES => Packet::Frame(codec, Frame { key: first >> 4 == KEY_FRAME, offset, body }),
        SEQUENCE_END => Packet::Nothing,
        other => Packet::Dropped(Damage::PacketType(other)),
    })
}

/// "`ExVideoTagHeader`"
fn enhanced_video(payload: &Bytes, first: u8, rest: &[u8]) -> Result<Packet<Video>, Unsupported> {
    let frame_type = (first >> 4) & 0b111;
    let Some((packet_type, rest)) = past_modifiers(first & 0x0f, rest) else {
        return Ok(Packet::Dropped(Damage::CutShort));
    };
    match packet_type {
        VIDEO_METADATA => return Ok(Packet::Nothing),
        _ if frame_type == VIDEO_COMMAND => return Ok(Packet::Nothing),
        VIDEO_MULTITRACK => return Ok(Packet::Dropped(Damage::Multitrack)),
        _ => {}
    }
    let Some((four_cc, body)) = rest.split_first_chunk() else { return Ok(Packet::Dropped(Damage::CutShort)) };
    let codec = match four_cc {
        b"avc1" => Video::Avc,
        b"hvc1" => Video::Hevc,
        b"av01" => Video::Av1,
        other => return Err(Unsupported::Video(enhanced_video_codec(*other))),
    };
    let key = frame_type == KEY_FRAME;
    Ok(match (packet_type, codec, body) {
        (SEQUENCE_START, ..) => Packet::Configuration(codec, tail(payload, body)),
        // A temporal unit of AV1 is shown when it is decoded.
        (CODED_FRAMES_X, ..) | (CODED_FRAMES, Video::Av1, _) => {
            Packet::Frame(codec, Frame { key, offset: 0, body: tail(payload, body) })
        }
        (CODED_FRAMES, _, [a, b, c, body @ ..]) => {
            let offset = composition_time([*a, *b, *c]);
            Packet::Frame(codec, Frame { key, offset, body: tail(payload, body) })
        }
        (CODED_FRAMES, ..) => Packet::Dropped(Damage::CutShort),
        (SEQUENCE_END, ..) => Packet::Nothing,
        (other, ..) => Packet::Dropped(Damage::PacketType(other)),
    })
}

/// "`ExAudioTagHeader`"
fn enhanced_audio(payload: &Bytes, first: u8, rest: &[u8]) -> Packet<Aac> {
    let Some((packet_type, rest)) = past_modifiers(first & 0x0f, rest) else {
        return Packet::Dropped(Damage::CutShort);
    };
    if packet_type == AUDIO_MULTITRACK {
        return Packet::Dropped(Damage::Multitrack);
    }
    match rest.split_first_chunk() {
        Some((b"mp4a", body)) => sound(packet_type, tail(payload, body)),
        Some((other, _)) => Packet::Dropped(Damage::AudioCodec(enhanced_audio_codec(*other))),
        None => Packet::Dropped(Damage::CutShort),
    }
}

/// Packet types are the same in both headers, but for the layout of channels, which AAC tells by itself.
fn sound(packet_type: u8, body: Bytes) -> Packet<Aac> {
    match packet_type {
        SEQUENCE_START => Packet::Configuration(Aac, body),
        CODED_FRAMES => Packet::Frame(Aac, Frame { key: true, offset: 0, body }),
        SEQUENCE_END | MULTICHANNEL_CONFIG => Packet::Nothing,
        other => Packet::Dropped(Damage::PacketType(other)),
    }
}

/// `ModEx`: what modifies a packet stands before its real type. The only modifier there is tells nanoseconds, which are of
/// no use beside a clock of milliseconds.
fn past_modifiers(mut packet_type: u8, mut rest: &[u8]) -> Option<(u8, &[u8])> {
    while packet_type == MOD_EX {
        let (&size, mut data) = rest.split_first()?;
        let mut size = usize::from(size) + 1;
        if size == 256 {
            let (long, after) = data.split_first_chunk()?;
            (size, data) = (usize::from(u16::from_be_bytes(*long)) + 1, after);
        }
        let (_, after) = data.split_at_checked(size)?;
        let (types, after) = after.split_first()?;
        (packet_type, rest) = (types & 0x0f, after);
    }
    Some((packet_type, rest))
}

/// A signed number of 24 bits: presentation time minus decode time, in milliseconds.
fn composition_time([a, b, c]: [u8; 3]) -> i64 {
    i64::from(i32::from_be_bytes([a, b, c, 0]) >> 8)
}

/// The end of `payload` that is as long as `body`.
fn tail(payload: &Bytes, body: &[u8]) -> Bytes {
    payload.slice(payload.len() - body.len()..)
}

fn enhanced_video_codec(four_cc: [u8; 4]) -> &'static str {
    match &four_cc {
        b"vp08" => "VP8",
        b"vp09" => "VP9",
        b"vvc1" => "VVC",
        _ => "this kind of",
    }
}

fn enhanced_audio_codec(four_cc: [u8; 4]) -> &'static str {
    match &four_cc {
        b"Opus" => "Opus",
        b"fLaC" => "FLAC",
        b"ac-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b".mp3" => "MP3",
        _ => "this kind of",
    }
}

/// E.4.3.1, and the 13 that some encoders use.
fn video_codec(id: u8) -> &'static str {
    match id {
        2 => "Sorenson H.263",
        3 | 6 => "Screen",
        4 | 5 => "VP6",
        13 => "the older form of AV1",
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
