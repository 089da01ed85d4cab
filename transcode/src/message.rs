//! What the server and a worker process say to each other over a stream socket.
//!
//! A message is a head of [`HEAD_LEN`] bytes, little-endian, and a payload: access units as they are, all else as JSON.
//!
//! ```text
//! 0 kind u8 | 1 stream u8 | 2 flags u16 | 4 length u32 | 8 PTS i64 | 16 DTS i64
//! ```

use bytes::{Buf as _, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// Length of a message's head in bytes.
pub const HEAD_LEN: usize = 24;
/// The longest payload taken, in bytes: the largest access unit that ingest takes.
pub const MAX_PAYLOAD: usize = 8 * 1_024 * 1_024;

/// What the server tells a worker.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// What to do; the first message, and the only one of its kind.
    Plan(Plan),
    /// The next access unit to decode.
    Input(Input),
    /// Make no more of a rung, or make it again, from the next picture on that is due to be an IDR.
    Switch {
        /// The rung.
        stream: u8,
        /// Whether it is made.
        on: bool,
    },
    /// Nothing follows: encode what there is, and exit.
    End,
}

impl From<Plan> for Request {
    fn from(plan: Plan) -> Self {
        Self::Plan(plan)
    }
}

/// What a worker tells the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It has started, and waits for a plan.
    Ready,
    /// The decoder configuration of a rung, ahead of its first access unit: avcC, hvcC or `AudioSpecificConfig`.
    Config {
        /// The rung.
        stream: u8,
        /// The record.
        record: Bytes,
    },
    /// The next access unit of a rung.
    Output(Output),
    /// A [`Request::Switch`] has taken effect: the first picture that is missing, or is there again, has this PTS.
    Switched {
        /// The rung.
        stream: u8,
        /// Whether it is made.
        on: bool,
        /// Where.
        pts: i64,
    },
    /// A JPEG of the newest IDR.
    Thumbnail(Bytes),
    /// How it goes; also a sign of life.
    Report(Report),
    /// It cannot go on, and will exit.
    Fault(Fault),
}

/// An access unit to decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Pictures or sound.
    pub kind: InputKind,
    /// Whether a decoder can start here.
    pub sync: bool,
    /// Whether there is no hurry, and nothing is to be shed: it was sent to another worker before, or was held back.
    pub replay: bool,
    /// Presentation time in ticks of the source.
    pub pts: i64,
    /// Decode time in ticks of the source.
    pub dts: i64,
    /// As in `touchline_media::Sample::data`.
    pub data: Bytes,
}

/// What an [`Input`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// For [`Plan::video`].
    Video,
    /// For [`Plan::audio`].
    Audio,
}

/// An access unit of a rung. Nothing is reordered: its DTS is its PTS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The rung.
    pub stream: u8,
    /// Whether a decoder can start here.
    pub sync: bool,
    /// Presentation time in ticks of the source.
    pub pts: i64,
    /// As in `touchline_media::Sample::data`.
    pub data: Bytes,
}

/// Counts since the worker started, and what waits now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Access units of pictures that have gone to the decoder.
    pub video_in: u64,
    /// Pictures that have left it. Damaged access units leave none.
    pub decoded: u64,
    /// Access units that wait for the decoder.
    pub undecoded: u32,
    /// Access units left out because the decoder was too far behind.
    pub skipped: u64,
    /// Access units of sound that have gone to the decoder.
    pub audio_in: u64,
    /// The rungs of pictures.
    pub rungs: Vec<RungReport>,
}

/// How it goes with a rung of pictures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RungReport {
    /// The rung.
    pub stream: u8,
    /// Pictures that have gone to be scaled and encoded.
    pub frames_in: u64,
    /// Access units that have come of them.
    pub frames_out: u64,
    /// Pictures left out because too many waited.
    pub shed: u64,
    /// Pictures that wait for the scaler or the encoder.
    pub queued: u32,
}

/// Why a worker cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What failed: an element, the plan, the socket.
    pub place: String,
    /// Its words.
    pub reason: String,
    /// Whether an encoder failed, so that another one may do better.
    pub encoder: bool,
}

/// A message that makes no sense: the peer is no worker of this version, or is broken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A kind that is not known.
    #[error("message of unknown kind {0}")]
    Kind(u8),
    /// A payload longer than [`MAX_PAYLOAD`].
    #[error("message of {0} bytes; at most {MAX_PAYLOAD} are taken")]
    TooLong(usize),
    /// A payload that is not what its kind says.
    #[error("message of kind {kind} does not parse: {source}")]
    Json {
        /// The kind.
        kind: u8,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// A message as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// What to send first.
    pub head: [u8; HEAD_LEN],
    /// What to send next.
    pub payload: Bytes,
}

impl Packet {
    /// Takes the next whole packet off `buffer`; `None` until there is one.
    pub fn take(buffer: &mut BytesMut) -> Result<Option<Self>, Error> {
        let Some(head) = buffer.first_chunk::<HEAD_LEN>().copied() else { return Ok(None) };
        let len = Head::parse(&head).len;
        if len > MAX_PAYLOAD {
            return Err(Error::TooLong(len));
        }
        if buffer.len() < HEAD_LEN + len {
            buffer.reserve(HEAD_LEN + len - buffer.len());
            return Ok(None);
        }
        buffer.advance(HEAD_LEN);
        Ok(Some(Self { head, payload: buffer.split_to(len).freeze() }))
    }

    fn new(kind: u8, head: Head, payload: Bytes) -> Self {
        let mut bytes = [0; HEAD_LEN];
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let fields = [kind, head.stream].into_iter().chain(head.flags.to_le_bytes()).chain(len.to_le_bytes());
        let times = head.pts.to_le_bytes().into_iter().chain(head.dts.to_le_bytes());
        for (to, from) in bytes.iter_mut().zip(fields.chain(times)) {
            *to = from;
        }
        Self { head: bytes, payload }
    }

    fn json<T: Serialize>(kind: u8, value: &T) -> Self {
        // Plans and reports are maps with string keys: these can be written.
        Self::new(kind, Head::default(), serde_json::to_vec(value).unwrap_or_default().into())
    }

    fn parse<T: DeserializeOwned>(&self, kind: u8) -> Result<T, Error> {
        serde_json::from_slice(&self.payload).map_err(|source| Error::Json { kind, source })
    }
}

impl From<&Request> for Packet {
    fn from(request: &Request) -> Self {
        match request {
            Request::Plan(plan) => Self::json(kind::PLAN, plan),
            Request::Input(input) => {
                let stream = u8::from(input.kind == InputKind::Audio);
                let flags = flag(input.sync, SYNC) | flag(input.replay, REPLAY);
                let head = Head { stream, flags, len: 0, pts: input.pts, dts: input.dts };
                Self::new(kind::INPUT, head, input.data.clone())
            }
            Request::Switch { stream, on } => {
                Self::new(kind::SWITCH, Head { stream: *stream, flags: flag(*on, ON), ..Head::default() }, Bytes::new())
            }
            Request::End => Self::new(kind::END, Head::default(), Bytes::new()),
        }
    }
}

impl TryFrom<Packet> for Request {
    type Error = Error;

    fn try_from(packet: Packet) -> Result<Self, Error> {
        let (kind, head) = (packet.head.first().copied().unwrap_or_default(), Head::parse(&packet.head));
        Ok(match kind {
            kind::PLAN => Self::Plan(packet.parse(kind)?),
            kind::INPUT => Self::Input(Input {
                kind: if head.stream == 0 { InputKind::Video } else { InputKind::Audio },
                sync: head.flags & SYNC != 0,
                replay: head.flags & REPLAY != 0,
                pts: head.pts,
                dts: head.dts,
                data: packet.payload,
            }),
            kind::SWITCH => Self::Switch { stream: head.stream, on: head.flags & ON != 0 },
            kind::END => Self::End,
            other => return Err(Error::Kind(other)),
        })
    }
}

impl From<&Answer> for Packet {
    fn from(answer: &Answer) -> Self {
        match answer {
            Answer::Ready => Self::new(kind::READY, Head::default(), Bytes::new()),
            Answer::Config { stream, record } => {
                Self::new(kind::CONFIG, Head { stream: *stream, ..Head::default() }, record.clone())
            }
            Answer::Output(output) => {
                let head = Head {
                    stream: output.stream,
                    flags: flag(output.sync, SYNC),
                    len: 0,
                    pts: output.pts,
                    dts: output.pts,
                };
                Self::new(kind::OUTPUT, head, output.data.clone())
            }
            Answer::Switched { stream, on, pts } => {
                let head = Head { stream: *stream, flags: flag(*on, ON), len: 0, pts: *pts, dts: *pts };
                Self::new(kind::SWITCHED, head, Bytes::new())
            }
            Answer::Thumbnail(jpeg) => Self::new(kind::THUMBNAIL, Head::default(), jpeg.clone()),
            Answer::Report(report) => Self::json(kind::REPORT, report),
            Answer::Fault(fault) => Self::json(kind::FAULT, fault),
        }
    }
}

impl TryFrom<Packet> for Answer {
    type Error = Error;

    fn try_from(packet: Packet) -> Result<Self, Error> {
        let (kind, head) = (packet.head.first().copied().unwrap_or_default(), Head::parse(&packet.head));
        Ok(match kind {
            kind::READY => Self::Ready,
            kind::CONFIG => Self::Config { stream: head.stream, record: packet.payload },
            kind::OUTPUT => Self::Output(Output {
                stream: head.stream,
                sync: head.flags & SYNC != 0,
                pts: head.pts,
                data: packet.payload,
            }),
            kind::SWITCHED => Self::Switched { stream: head.stream, on: head.flags & ON != 0, pts: head.pts },
            kind::THUMBNAIL => Self::Thumbnail(packet.payload),
            kind::REPORT => Self::Report(packet.parse(kind)?),
            kind::FAULT => Self::Fault(packet.parse(kind)?),
            other => return Err(Error::Kind(other)),
        })
    }
}

/// The kinds of messages, first byte of the head.
mod kind {
    pub(super) const PLAN: u8 = 1;
    pub(super) const INPUT: u8 = 2;
    pub(super) const SWITCH: u8 = 3;
    pub(super) const END: u8 = 4;
    pub(super) const READY: u8 = 129;
    pub(super) const CONFIG: u8 = 130;
    pub(super) const OUTPUT: u8 = 131;
    pub(super) const SWITCHED: u8 = 132;
    pub(super) const THUMBNAIL: u8 = 133;
    pub(super) const REPORT: u8 = 134;
    pub(super) const FAULT: u8 = 135;
}

const SYNC: u16 = 1;
const REPLAY: u16 = 2;
const ON: u16 = 4;

fn flag(set: bool, flag: u16) -> u16 {
    if set { flag } else { 0 }
}

/// The fields of a head after its kind.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    stream: u8,
    flags: u16,
    len: usize,
    pts: i64,
    dts: i64,
}

impl Head {
    fn parse(bytes: &[u8; HEAD_LEN]) -> Self {
        let mut bytes = &bytes[..];
        bytes.advance(1);
        Self {
            stream: bytes.get_u8(),
            flags: bytes.get_u16_le(),
            len: usize::try_from(bytes.get_u32_le()).unwrap_or(usize::MAX),
            pts: bytes.get_i64_le(),
            dts: bytes.get_i64_le(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Codec, Encoder, Keys, Source, Video, VideoRung};

    fn plan() -> Plan {
        let source = Source { codec: Codec::H264, timescale: 30_000, record: vec![1, 100] };
        let rung = VideoRung {
            stream: 1,
            encoder: Encoder::X264,
            width: 854,
            height: 480,
            bitrate: 1_300_000,
            after: Some(-5),
        };
        let video = Video {
            source,
            width: 1_280,
            height: 720,
            frame_ticks: Some(1_001),
            keys: Keys::Every { ticks: 60_000, from: Some(3_000) },
            rungs: vec![rung],
            thumbnail: Some(180),
        };
        Plan { video: Some(video), audio: None }
    }

    fn requests() -> Vec<Request> {
        let data = Bytes::from_static(b"access unit");
        let input = Input { kind: InputKind::Audio, sync: true, replay: true, pts: -1, dts: i64::MIN, data };
        let switch = Request::Switch { stream: 7, on: true };
        vec![Request::Plan(plan()), Request::Input(input), switch, Request::End]
    }

    fn answers() -> Vec<Answer> {
        let data = Bytes::from_static(b"access unit");
        let rungs = vec![RungReport { stream: 1, frames_in: 5, frames_out: 3, shed: 1, queued: 2 }];
        vec![
            Answer::Ready,
            Answer::Config { stream: 1, record: data.clone() },
            Answer::Output(Output { stream: 2, sync: true, pts: 1 << 40, data: data.clone() }),
            Answer::Switched { stream: 2, on: false, pts: -4 },
            Answer::Thumbnail(data),
            Answer::Report(Report { decoded: 9, rungs, ..Report::default() }),
            Answer::Fault(Fault { place: "x264enc".into(), reason: "no".into(), encoder: true }),
        ]
    }

    fn wire<'a, M: 'a>(messages: &'a [M]) -> Vec<u8>
    where
        Packet: From<&'a M>,
    {
        let packets = messages.iter().map(Packet::from);
        packets.flat_map(|packet| [packet.head.to_vec(), packet.payload.to_vec()].concat()).collect()
    }

    #[test]
    fn messages_arrive_as_they_were_sent_however_they_are_split() {
        let sent = wire(&requests());
        for split in 1..sent.len() {
            let (mut buffer, mut seen) = (BytesMut::new(), Vec::new());
            for piece in sent.chunks(split) {
                buffer.extend_from_slice(piece);
                while let Some(packet) = Packet::take(&mut buffer).unwrap() {
                    seen.push(Request::try_from(packet).unwrap());
                }
            }
            assert_eq!(seen, requests());
        }
        let mut buffer = BytesMut::from(&wire(&answers())[..]);
        let packets = std::iter::from_fn(|| Packet::take(&mut buffer).unwrap());
        assert_eq!(packets.map(|packet| Answer::try_from(packet).unwrap()).collect::<Vec<_>>(), answers());
    }

    #[test]
    fn nonsense_is_refused_with_words() {
        let packet = |kind: u8, payload: &'static [u8]| Packet::new(kind, Head::default(), payload.into());
        assert_eq!(Answer::try_from(packet(9, b"")).unwrap_err().to_string(), "message of unknown kind 9");
        let error = Request::try_from(packet(kind::PLAN, b"{")).unwrap_err().to_string();
        assert!(error.starts_with("message of kind 1 does not parse: EOF"), "{error}");
        let mut long = BytesMut::from(&[0xff; HEAD_LEN][..]);
        assert!(matches!(Packet::take(&mut long), Err(Error::TooLong(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(packet)) = Packet::take(&mut buffer) {
                let _ = Answer::try_from(packet.clone());
                let _ = Request::try_from(packet);
            }
        }
    }
}
