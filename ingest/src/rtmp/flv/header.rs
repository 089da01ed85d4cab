//! The headers of tags: the classic ones (FLV 10.1, E.4.2.1 and E.4.3.1), and what stands behind those of Enhanced RTMP
//! (v2, "Enhanced Audio" and "Enhanced Video").

use bytes::Bytes;

use super::enhanced::{self, FourCc, Track};
use super::{Damage, Unsupported};

/// What a tag holds behind its header for one track.
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
    /// Nothing that can be served.
    Refused(Unsupported),
}

/// Packets and the numbers of their tracks. The track that has none is number 0.
pub(super) type Packets<T> = Vec<(u8, Packet<T>)>;

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

/// An audio codec that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audio {
    Aac,
    Opus,
}

/// Reads a video tag.
pub(super) fn video(payload: &Bytes) -> Packets<Video> {
    match payload.split_first() {
        None => alone(Packet::Dropped(Damage::CutShort)),
        Some((&first, rest)) if first & EX_VIDEO_HEADER != 0 => enhanced_video(payload, first, rest),
        Some((&first, rest)) => alone(classic_video(payload, first, rest)),
    }
}

/// Reads an audio tag.
pub(super) fn audio(payload: &Bytes) -> Packets<Audio> {
    match payload.split_first() {
        None => alone(Packet::Dropped(Damage::CutShort)),
        Some((&first, rest)) if first >> 4 == EX_AUDIO_HEADER => enhanced_audio(payload, first, rest),
        Some((&first, rest)) => alone(classic_audio(payload, first, rest)),
    }
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

/// E.4.3.1: the header of AVC, which HEVC has taken over.
fn classic_video(payload: &Bytes, first: u8, rest: &[u8]) -> Packet<Video> {
    let codec = match first & 0x0f {
        AVC => Video::Avc,
        HEVC => Video::Hevc,
        other => return Packet::Refused(Unsupported::Video(video_codec(other))),
    };
    if first >> 4 == VIDEO_COMMAND {
        return Packet::Nothing;
    }
    let [packet_type, a, b, c, body @ ..] = rest else { return Packet::Dropped(Damage::CutShort) };
    let (offset, body) = (composition_time([*a, *b, *c]), tail(payload, body));
    match *packet_type {
        SEQUENCE_START => Packet::Configuration(codec, body),
        CODED_FRAMES => Packet::Frame(codec, Frame { key: first >> 4 == KEY_FRAME, offset, body }),
        SEQUENCE_END => Packet::Nothing,
        other => Packet::Dropped(Damage::PacketType(other)),
    }
}

/// E.4.2.1
fn classic_audio(payload: &Bytes, first: u8, rest: &[u8]) -> Packet<Audio> {
    match (first >> 4, rest) {
        (AAC, [packet_type, body @ ..]) => sound(Audio::Aac, *packet_type, tail(payload, body)),
        (AAC, []) => Packet::Dropped(Damage::CutShort),
        (other, _) => Packet::Refused(Unsupported::Audio(audio_codec(other))),
    }
}

/// "`ExVideoTagHeader`"
fn enhanced_video(payload: &Bytes, first: u8, rest: &[u8]) -> Packets<Video> {
    let frame_type = (first >> 4) & 0b111;
    let Some((packet_type, rest)) = enhanced::past_modifiers(first & 0x0f, rest) else {
        return alone(Packet::Dropped(Damage::CutShort));
    };
    if packet_type == VIDEO_METADATA || frame_type == VIDEO_COMMAND {
        return Vec::new();
    }
    packets(payload, rest, packet_type, VIDEO_MULTITRACK, |packet_type, track| {
        coded_video(packet_type, frame_type == KEY_FRAME, track)
    })
}

/// "`ExVideoTagBody`", of one track.
fn coded_video(packet_type: u8, key: bool, track: &Track) -> Packet<Video> {
    let codec = match &track.four_cc {
        b"avc1" => Video::Avc,
        b"hvc1" => Video::Hevc,
        b"av01" => Video::Av1,
        // Without the first track there is nothing to watch; without another, there is.
        other if track.id == 0 => return Packet::Refused(Unsupported::Video(enhanced_video_codec(*other))),
        other => return Packet::Dropped(Damage::VideoCodec(enhanced_video_codec(*other))),
    };
    let body = &track.body;
    match (packet_type, codec, &body[..]) {
        (SEQUENCE_START, ..) => Packet::Configuration(codec, body.clone()),
        // A temporal unit of AV1 is shown when it is decoded.
        (CODED_FRAMES_X, ..) | (CODED_FRAMES, Video::Av1, _) => {
            Packet::Frame(codec, Frame { key, offset: 0, body: body.clone() })
        }
        (CODED_FRAMES, _, [a, b, c, picture @ ..]) => {
            let offset = composition_time([*a, *b, *c]);
            Packet::Frame(codec, Frame { key, offset, body: tail(body, picture) })
        }
        (CODED_FRAMES, ..) => Packet::Dropped(Damage::CutShort),
        (SEQUENCE_END, ..) => Packet::Nothing,
        (other, ..) => Packet::Dropped(Damage::PacketType(other)),
    }
}

/// "`ExAudioTagHeader`"
fn enhanced_audio(payload: &Bytes, first: u8, rest: &[u8]) -> Packets<Audio> {
    let Some((packet_type, rest)) = enhanced::past_modifiers(first & 0x0f, rest) else {
        return alone(Packet::Dropped(Damage::CutShort));
    };
    packets(payload, rest, packet_type, AUDIO_MULTITRACK, |packet_type, track| match &track.four_cc {
        b"mp4a" => sound(Audio::Aac, packet_type, track.body.clone()),
        b"Opus" => sound(Audio::Opus, packet_type, track.body.clone()),
        other => Packet::Dropped(Damage::AudioCodec(enhanced_audio_codec(*other))),
    })
}

/// Packet types are the same in both headers, but for the layout of channels, which the codecs tell by themselves.
fn sound(codec: Audio, packet_type: u8, body: Bytes) -> Packet<Audio> {
    match packet_type {
        SEQUENCE_START => Packet::Configuration(codec, body),
        CODED_FRAMES => Packet::Frame(codec, Frame { key: true, offset: 0, body }),
        SEQUENCE_END | MULTICHANNEL_CONFIG => Packet::Nothing,
        other => Packet::Dropped(Damage::PacketType(other)),
    }
}

/// What an enhanced tag holds for each track, behind its packet type; `multitrack` is the one that says that there may be
/// several.
fn packets<T>(
    payload: &Bytes,
    rest: &[u8],
    packet_type: u8,
    multitrack: u8,
    packet: impl Fn(u8, &Track) -> Packet<T>,
) -> Packets<T> {
    let body = tail(payload, rest);
    let read = if packet_type == multitrack { enhanced::tracks(body) } else { enhanced::track(packet_type, body) };
    match read {
        Ok((packet_type, tracks)) => tracks
            .map(|track| match track {
                Ok(track) => (track.id, packet(packet_type, &track)),
                Err(damage) => (0, Packet::Dropped(damage)),
            })
            .collect(),
        Err(damage) => alone(Packet::Dropped(damage)),
    }
}

fn alone<T>(packet: Packet<T>) -> Packets<T> {
    vec![(0, packet)]
}

/// A signed number of 24 bits: presentation time minus decode time, in milliseconds.
fn composition_time([a, b, c]: [u8; 3]) -> i64 {
    i64::from(i32::from_be_bytes([a, b, c, 0]) >> 8)
}

/// The end of `payload` that is as long as `body`.
fn tail(payload: &Bytes, body: &[u8]) -> Bytes {
    payload.slice(payload.len() - body.len()..)
}

fn enhanced_video_codec(four_cc: FourCc) -> &'static str {
    match &four_cc {
        b"vp08" => "VP8",
        b"vp09" => "VP9",
        b"vvc1" => "VVC",
        _ => "this kind of",
    }
}

fn enhanced_audio_codec(four_cc: FourCc) -> &'static str {
    match &four_cc {
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
