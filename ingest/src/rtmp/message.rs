//! What a client says: chunk-level messages become types.

use bytes::Bytes;
use touchline_media::{FrameRate, Kind};

use super::Violation;
use super::amf0::{self, Value};
use super::chunk::{self, kind};

/// A message of a client, as far as a server that takes publishers cares.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// A command of the connection or of a stream (7.2).
    Command(Command),
    /// An FLV audio or video tag without its header (7.1.4, 7.1.5).
    Media {
        /// Pictures or sound.
        kind: Kind,
        /// Milliseconds, wrapping at 31 or 32 bits.
        timestamp: u32,
        /// The tag's body.
        payload: Bytes,
    },
    /// `onMetaData`, by itself or in `@setDataFrame`.
    Metadata(Metadata),
    /// A data message that does not parse.
    BadData,
    /// The client wants an answer with the same timestamp (7.1.7).
    PingRequest(u32),
    /// The client wants to be acknowledged at least every so many bytes (5.4.4).
    WindowAckSize(u32),
    /// Nothing that needs an answer.
    Other,
}

impl Message {
    /// Reads a message by its type.
    pub fn parse(message: chunk::Message) -> Result<Self, Violation> {
        Ok(match message.kind {
            kind::AUDIO => Self::media(Kind::Audio, message),
            kind::VIDEO => Self::media(Kind::Video, message),
            kind::COMMAND_AMF0 => Self::Command(Command::parse(amf0::decode(&message.payload)?)?),
            // 7.1.1: a client that asked for AMF3 may still write AMF0, behind a zero.
            kind::COMMAND_AMF3 => match message.payload.split_first() {
                Some((0, amf0)) => Self::Command(Command::parse(amf0::decode(amf0)?)?),
                _ => return Err(Violation::Amf3),
            },
            kind::DATA_AMF0 => Self::data(&message.payload),
            kind::DATA_AMF3 => match message.payload.split_first() {
                Some((0, amf0)) => Self::data(amf0),
                _ => Self::BadData,
            },
            kind::USER_CONTROL => Self::user_control(&message)?,
            kind::WINDOW_ACK_SIZE => Self::WindowAckSize(message.first_u32()?),
            kind::AGGREGATE => return Err(Violation::Aggregate),
            _ => Self::Other,
        })
    }

    fn media(kind: Kind, message: chunk::Message) -> Self {
        Self::Media { kind, timestamp: message.timestamp, payload: message.payload }
    }

    fn data(payload: &[u8]) -> Self {
        let Ok(values) = amf0::decode(payload) else { return Self::BadData };
        let texts = values.iter().take(2).filter_map(Value::as_str);
        if !texts.into_iter().any(|name| name == "onMetaData") {
            return Self::Other;
        }
        let object = values.iter().find(|value| matches!(value, Value::Object(_)));
        object.map_or(Self::Other, |object| Self::Metadata(Metadata::parse(object)))
    }

    fn user_control(message: &chunk::Message) -> Result<Self, Violation> {
        const PING_REQUEST: [u8; 2] = [0, 6];
        let cut_short = Violation::CutShort { kind: message.kind, length: message.payload.len() };
        let (event, data) = message.payload.split_first_chunk().ok_or(cut_short.clone())?;
        if *event != PING_REQUEST {
            return Ok(Self::Other);
        }
        let timestamp = data.first_chunk().ok_or(cut_short)?;
        Ok(Self::PingRequest(u32::from_be_bytes(*timestamp)))
    }
}

/// A command (7.2). `transaction` is what the answer has to repeat.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are the arguments that the protocol names")]
pub enum Command {
    /// 7.2.1.1
    Connect { transaction: f64, app: String, encoder: Option<String> },
    /// 7.2.1.3
    CreateStream { transaction: f64 },
    /// 7.2.2.6; the stream name may carry a secret.
    Publish { stream: StreamName },
    /// 7.2.2.3, and the `closeStream` of some clients, which name no stream.
    DeleteStream { stream: Option<f64> },
    /// Of Flash Media Live Encoder, and everybody since: before `publish`.
    FcPublish { transaction: f64 },
    /// After it.
    FcUnpublish { transaction: f64 },
    /// Before `publish`: a stream left from an earlier connection may go.
    ReleaseStream { transaction: f64 },
    /// A client measures the line before it publishes.
    CheckBandwidth { transaction: f64 },
    /// 7.2.2.1 and 7.2.2.2: the client wants to watch.
    Play,
    /// An answer or a notification.
    Answer,
    /// A command that nobody here knows.
    Unknown { transaction: f64 },
}

impl Command {
    fn parse(values: Vec<Value>) -> Result<Self, Violation> {
        let mut values = values.into_iter();
        let Some(Value::String(name)) = values.next() else { return Err(Violation::Arguments("a command")) };
        let transaction = values.next().and_then(|value| value.as_f64()).unwrap_or(0.0);
        let object = values.next().unwrap_or(Value::Null);
        Ok(match name.as_str() {
            "connect" => Self::connect(transaction, &object)?,
            "createStream" => Self::CreateStream { transaction },
            "publish" => match values.next() {
                Some(Value::String(name)) => Self::Publish { stream: StreamName(name) },
                _ => return Err(Violation::Arguments("publish")),
            },
            "deleteStream" | "closeStream" => Self::DeleteStream { stream: values.next().and_then(|v| v.as_f64()) },
            "FCPublish" => Self::FcPublish { transaction },
            "FCUnpublish" => Self::FcUnpublish { transaction },
            "releaseStream" => Self::ReleaseStream { transaction },
            "_checkbw" => Self::CheckBandwidth { transaction },
            "play" | "play2" => Self::Play,
            "_result" | "_error" | "onStatus" | "onBWDone" => Self::Answer,
            _ => Self::Unknown { transaction },
        })
    }

    fn connect(transaction: f64, object: &Value) -> Result<Self, Violation> {
        let text = |name| object.property(name).and_then(Value::as_str);
        let app = text("app").ok_or(Violation::Arguments("connect"))?.to_owned();
        let encoder = text("flashVer").and_then(printable);
        Ok(Self::Connect { transaction, app, encoder })
    }

    /// The name of a command that has to wait for `connect`.
    pub fn needs_connection(&self) -> Option<&'static str> {
        match self {
            Self::CreateStream { .. } => Some("createStream"),
            Self::Publish { .. } => Some("publish"),
            Self::Play => Some("play"),
            _ => None,
        }
    }
}

/// The stream name of `publish`, which may carry a secret: it shows in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamName(pub String);

impl std::fmt::Debug for StreamName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What `onMetaData` announces. Clients get it wrong, so nothing depends on it being there or being right.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Metadata {
    /// A video codec is named.
    pub video: bool,
    /// An audio codec is named.
    pub audio: bool,
    /// Frames per second.
    pub frame_rate: Option<FrameRate>,
    /// The encoder's name and version.
    pub encoder: Option<String>,
}

impl Metadata {
    fn parse(object: &Value) -> Self {
        let number = |name| object.property(name).and_then(Value::as_f64);
        // A codec is named by its FLV number or by its FourCC; 0 stands for none.
        let names_codec = |name| object.property(name).is_some_and(|v| *v != Value::Number(0.0) && *v != Value::Null);
        Self {
            video: names_codec("videocodecid"),
            audio: names_codec("audiocodecid"),
            frame_rate: number("framerate").or_else(|| number("fps")).and_then(FrameRate::from_f64),
            encoder: object.property("encoder").and_then(Value::as_str).and_then(printable),
        }
    }
}

/// The longest encoder name that is kept, in characters.
const MAX_ENCODER: usize = 128;

/// Text that a log line can hold.
fn printable(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_ENCODER).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, payload: Vec<u8>) -> Result<Message, Violation> {
        Message::parse(chunk::Message { timestamp: 0, kind, stream: 0, payload: payload.into() })
    }

    fn metadata(values: &[Value]) -> Message {
        message(kind::DATA_AMF0, amf0::encode(values)).unwrap()
    }

    #[test]
    fn metadata_comes_with_and_without_set_data_frame() {
        let object = Value::Object(vec![
            ("videocodecid".into(), Value::Number(7.0)),
            ("audiocodecid".into(), "mp4a".into()),
            ("framerate".into(), Value::Number(29.97)),
            ("encoder".into(), "a\nb".into()),
        ]);
        let expected = Message::Metadata(Metadata {
            video: true,
            audio: true,
            frame_rate: FrameRate::new(30_000, 1_001),
            encoder: Some("ab".into()),
        });
        assert_eq!(metadata(&["@setDataFrame".into(), "onMetaData".into(), object.clone()]), expected);
        assert_eq!(metadata(&["onMetaData".into(), object]), expected);
    }

    #[test]
    fn bad_metadata_is_no_error() {
        assert_eq!(metadata(&["@setDataFrame".into()]), Message::Other);
        assert_eq!(metadata(&["onMetaData".into(), Value::Null]), Message::Other);
        assert_eq!(metadata(&["onMetaData".into(), Value::Array(vec![])]), Message::Other);
        assert_eq!(metadata(&["onCuePoint".into(), Value::Object(vec![])]), Message::Other);
        assert_eq!(metadata(&["onMetaData".into(), Value::Object(vec![])]), Message::Metadata(Metadata::default()));
        let nonsense = Value::Object(vec![("framerate".into(), Value::Number(-1.0)), ("encoder".into(), Value::Null)]);
        assert_eq!(metadata(&["onMetaData".into(), nonsense]), Message::Metadata(Metadata::default()));
        assert_eq!(message(kind::DATA_AMF0, vec![2, 0]).unwrap(), Message::BadData);
        assert_eq!(message(kind::DATA_AMF3, vec![6]).unwrap(), Message::BadData);
    }

    #[test]
    fn amf3_commands_are_read_where_they_hold_amf0() {
        let create = amf0::encode(&["createStream".into(), Value::Number(4.0), Value::Null]);
        let expected = Message::Command(Command::CreateStream { transaction: 4.0 });
        assert_eq!(message(kind::COMMAND_AMF3, [&[0], &create[..]].concat()).unwrap(), expected);
        assert_eq!(message(kind::COMMAND_AMF3, vec![6, 0]), Err(Violation::Amf3));
    }

    #[test]
    fn what_is_not_taken_says_so() {
        assert_eq!(message(kind::AGGREGATE, vec![]), Err(Violation::Aggregate));
        assert_eq!(message(kind::USER_CONTROL, vec![0, 6, 1]), Err(Violation::CutShort { kind: 4, length: 3 }));
        assert_eq!(message(kind::COMMAND_AMF0, vec![]), Err(Violation::Arguments("a command")));
        let publish = amf0::encode(&["publish".into(), Value::Number(5.0), Value::Null]);
        assert_eq!(message(kind::COMMAND_AMF0, publish), Err(Violation::Arguments("publish")));
    }
}
