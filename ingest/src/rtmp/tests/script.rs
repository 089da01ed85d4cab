//! Writes what a client sends, byte by byte as a test wants it.

use super::super::amf0::{self, Value};
use super::super::chunk::kind;
use super::super::handshake::PACKET_LEN;

/// The bytes of a client.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) bytes: Vec<u8>,
    chunk_size: usize,
}

impl Script {
    /// Before the handshake.
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), chunk_size: 128 }
    }

    /// After C0, C1 and C2.
    pub(super) fn greeted() -> Self {
        Self::new().raw(&[3]).raw(&[0; 2 * PACKET_LEN])
    }

    /// After `connect` and `createStream`.
    pub(super) fn connected() -> Self {
        let connect = Value::Object(vec![("app".into(), "live".into()), ("flashVer".into(), "test/1".into())]);
        Self::greeted().command(&["connect".into(), Value::Number(1.0), connect]).command(&[
            "createStream".into(),
            Value::Number(2.0),
            Value::Null,
        ])
    }

    /// After `publish`.
    pub(super) fn publishing() -> Self {
        Self::connected().publish("main")
    }

    pub(super) fn publish(self, name: &str) -> Self {
        self.command(&["publish".into(), Value::Number(3.0), Value::Null, name.into(), "live".into()])
    }

    pub(super) fn command(self, values: &[Value]) -> Self {
        self.message(3, 0, kind::COMMAND_AMF0, &amf0::encode(values))
    }

    pub(super) fn chunk_size(mut self, size: u32) -> Self {
        self = self.message(2, 0, kind::SET_CHUNK_SIZE, &size.to_be_bytes());
        self.chunk_size = usize::try_from(size).unwrap();
        self
    }

    pub(super) fn video(self, timestamp: u32, payload: &[u8]) -> Self {
        self.message(6, timestamp, kind::VIDEO, payload)
    }

    /// A whole message, its first chunk of format 0, the others of format 3.
    pub(super) fn message(mut self, id: u8, timestamp: u32, kind: u8, payload: &[u8]) -> Self {
        for chunk in chunks(id, timestamp, kind, payload, self.chunk_size) {
            self.bytes.extend_from_slice(&chunk);
        }
        self
    }

    /// A header of format 0 for a message of `length` bytes, without any of them.
    pub(super) fn header(self, id: u8, kind: u8, length: u32) -> Self {
        let [_, a, b, c] = length.to_be_bytes();
        self.raw(&[id, 0, 0, 0, a, b, c, kind, 1, 0, 0, 0])
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }
}

/// The chunks of a message.
pub(super) fn chunks(id: u8, timestamp: u32, kind: u8, payload: &[u8], size: usize) -> Vec<Vec<u8>> {
    let extended = timestamp >= 0x00ff_ffff;
    let field = timestamp.min(0x00ff_ffff).to_be_bytes();
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut chunks = Vec::new();
    for (n, piece) in payload.chunks(size).enumerate() {
        let mut chunk =
            if n == 0 { [&[id], &field[1..], &length[1..], &[kind, 1, 0, 0, 0]].concat() } else { vec![0xc0 | id] };
        if extended {
            chunk.extend_from_slice(&timestamp.to_be_bytes());
        }
        chunk.extend_from_slice(piece);
        chunks.push(chunk);
    }
    chunks
}
