//! The chunk stream (RTMP 1.0, 5.3): messages cut into chunks, several messages interleaved.

use bytes::Bytes;

use super::Violation;
use super::handshake::take;

/// The most chunk stream ids that a peer may use; clients use four or five.
pub const MAX_STREAMS: usize = 32;
/// The longest audio or video message, in bytes.
pub const MAX_MEDIA: usize = 8 * 1_024 * 1_024;
/// The longest message of any other type, in bytes; and of audio and video until a publish is accepted.
pub const MAX_COMMAND: usize = 64 * 1_024;
/// The most memory that incomplete messages of one connection may take, in bytes.
pub const MAX_PARTIAL: usize = 12 * 1_024 * 1_024;
/// The chunk size until it is set (5.4.1), in bytes.
pub const DEFAULT_SIZE: usize = 128;

/// Message type ids (5.4, 7.1).
pub mod kind {
    /// 5.4.1
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// 5.4.2
    pub const ABORT: u8 = 2;
    /// 5.4.3
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// 6.2
    pub const USER_CONTROL: u8 = 4;
    /// 5.4.4
    pub const WINDOW_ACK_SIZE: u8 = 5;
    /// 5.4.5
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    /// 7.1.4
    pub const AUDIO: u8 = 8;
    /// 7.1.5
    pub const VIDEO: u8 = 9;
    /// 7.1.2
    pub const DATA_AMF3: u8 = 15;
    /// 7.1.1
    pub const COMMAND_AMF3: u8 = 17;
    /// 7.1.2
    pub const DATA_AMF0: u8 = 18;
    /// 7.1.1
    pub const COMMAND_AMF0: u8 = 20;
    /// 7.1.6
    pub const AGGREGATE: u8 = 22;
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Milliseconds, wrapping at 32 bits.
    pub timestamp: u32,
    /// Message type id; see [`kind`].
    pub kind: u8,
    /// Message stream id.
    pub stream: u32,
    /// The message itself.
    pub payload: Bytes,
}

/// Puts messages together from chunks.
///
/// Memory is taken as bytes come, never because a header announces them.
#[derive(Debug)]
pub struct Reader {
    chunk_size: usize,
    max_media: usize,
    streams: Vec<Stream>,
    header: Vec<u8>,
    /// The chunk whose payload is being read: its place in `streams` and the bytes that are still to come.
    chunk: Option<(usize, usize)>,
    buffered: usize,
    offset: u64,
}

impl Reader {
    /// A reader whose input begins at byte `offset` of the connection.
    pub fn new(offset: u64) -> Self {
        Self {
            chunk_size: DEFAULT_SIZE,
            max_media: MAX_COMMAND,
            streams: Vec::new(),
            header: Vec::with_capacity(MAX_HEADER),
            chunk: None,
            buffered: 0,
            offset,
        }
    }

    /// Takes bytes off `input` up to the end of the next message; `None` when the input ends before.
    ///
    /// Chunk sizes and aborts are obeyed here and not handed on.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Violation> {
        let before = input.len();
        let result = self.read_message(input);
        self.offset += (before - input.len()) as u64;
        result
    }

    /// Audio and video messages may be up to [`MAX_MEDIA`] long from now on.
    pub fn expect_media(&mut self) {
        self.max_media = MAX_MEDIA;
    }

    /// Memory taken by incomplete messages, in bytes; at most [`MAX_PARTIAL`].
    pub fn buffered(&self) -> usize {
        self.buffered
    }

    /// How many bytes of the connection have been read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn read_message(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Violation> {
        loop {
            let (index, missing) = match self.chunk {
                Some(chunk) => chunk,
                None => match self.read_header(input)? {
                    Some(header) => self.begin_chunk(&header)?,
                    None => return Ok(None),
                },
            };
            let piece = take(input, missing);
            self.append(index, piece)?;
            if piece.len() < missing {
                self.chunk = Some((index, missing - piece.len()));
                return Ok(None);
            }
            self.chunk = None;
            let Some(message) = self.take_complete(index) else { continue };
            match message.kind {
                kind::SET_CHUNK_SIZE => self.set_chunk_size(&message)?,
                kind::ABORT => self.abort(&message)?,
                _ => return Ok(Some(message)),
            }
        }
    }

    fn read_header(&mut self, input: &mut &[u8]) -> Result<Option<Header>, Violation> {
        loop {
            if let Some(header) = Header::parse(&self.header, &self.streams)? {
                self.header.clear();
                return Ok(Some(header));
            }
            match input.split_off_first() {
                Some(byte) => self.header.push(*byte),
                None => return Ok(None),
            }
        }
    }

    /// The place of the chunk's stream and the length of the chunk's payload.
    fn begin_chunk(&mut self, header: &Header) -> Result<(usize, usize), Violation> {
        let index = self.stream_index(header.id)?;
        let (chunk_size, max_media) = (self.chunk_size, self.max_media);
        let Some(stream) = self.streams.get_mut(index) else { return Ok((index, 0)) };
        if stream.in_message {
            // 5.3.1.2.4: later chunks of a message SHOULD be of format 3; another one has to agree with the first.
            if header.shape.is_some_and(|shape| shape != stream.shape) {
                return Err(Violation::Overlap { id: header.id });
            }
        } else {
            stream.begin_message(header);
            stream.shape.check(max_media)?;
        }
        if header.format < 3 {
            stream.extended = header.extended;
        }
        Ok((index, chunk_size.min(stream.shape.length - stream.payload.len())))
    }

    fn stream_index(&mut self, id: u32) -> Result<usize, Violation> {
        if let Some(index) = self.streams.iter().position(|s| s.id == id) {
            return Ok(index);
        }
        if self.streams.len() == MAX_STREAMS {
            return Err(Violation::ChunkStreams { limit: MAX_STREAMS });
        }
        self.streams.push(Stream { id, ..Stream::default() });
        Ok(self.streams.len() - 1)
    }

    fn append(&mut self, index: usize, piece: &[u8]) -> Result<(), Violation> {
        let Some(stream) = self.streams.get_mut(index) else { return Ok(()) };
        let payload = &mut stream.payload;
        let before = payload.capacity();
        let needed = payload.len() + piece.len();
        if needed > before {
            let capacity = needed.max(2 * before).max(FIRST_ALLOCATION).min(stream.shape.length);
            if self.buffered - before + capacity > MAX_PARTIAL {
                return Err(Violation::Partial { limit: MAX_PARTIAL });
            }
            payload.reserve_exact(capacity - payload.len());
            self.buffered += payload.capacity() - before;
        }
        payload.extend_from_slice(piece);
        Ok(())
    }

    fn take_complete(&mut self, index: usize) -> Option<Message> {
        let stream = self.streams.get_mut(index).filter(|s| s.payload.len() == s.shape.length)?;
        self.buffered -= stream.payload.capacity();
        stream.in_message = false;
        Some(Message {
            timestamp: stream.timestamp,
            kind: stream.shape.kind,
            stream: stream.message_stream_id,
            payload: std::mem::take(&mut stream.payload).into(),
        })
    }

    /// 5.4.1: 1 to 0x7fffffff.
    fn set_chunk_size(&mut self, message: &Message) -> Result<(), Violation> {
        let size = message.first_u32()?;
        if !(1..=0x7fff_ffff).contains(&size) {
            return Err(Violation::ChunkSize(size));
        }
        self.chunk_size = usize::try_from(size).unwrap_or(usize::MAX);
        Ok(())
    }

    /// 5.4.2: the partly received message of a chunk stream is to be discarded.
    fn abort(&mut self, message: &Message) -> Result<(), Violation> {
        let id = message.first_u32()?;
        if let Some(stream) = self.streams.iter_mut().find(|s| s.id == id) {
            self.buffered -= stream.payload.capacity();
            stream.payload = Vec::new();
            stream.in_message = false;
        }
        Ok(())
    }
}

impl Message {
    /// The number that protocol control messages begin with.
    pub fn first_u32(&self) -> Result<u32, Violation> {
        let number = self.payload.first_chunk().copied().map(u32::from_be_bytes);
        number.ok_or(Violation::CutShort { kind: self.kind, length: self.payload.len() })
    }
}

/// The chunk size that is announced, in bytes. Replies go out in a single chunk each, and ffmpeg takes it over for what it sends:
/// it makes two writes of each chunk, and whoever receives them wakes for most.
pub const REPLY_SIZE: u32 = 64 * 1_024;

/// Appends a message to `out`, as one chunk with a full header and timestamp 0.
///
/// The payload must be within the chunk size that the peer knows of: [`DEFAULT_SIZE`] until [`REPLY_SIZE`] has been set.
pub fn write(out: &mut Vec<u8>, id: u8, kind: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    out.push(id & 0x3f);
    out.extend_from_slice(&[0, 0, 0]);
    out.extend(length.iter().skip(1));
    out.push(kind);
    // 5.3.1.2.1: the one little-endian number of the protocol.
    out.extend_from_slice(&stream.to_le_bytes());
    out.extend_from_slice(payload);
}

/// Basic header of three bytes, message header of eleven, extended timestamp of four.
const MAX_HEADER: usize = 3 + 11 + 4;
/// What is reserved for a message when its first bytes come, if it is as long as that.
const FIRST_ALLOCATION: usize = 4 * 1_024;
/// The value of a timestamp field that says that an extended timestamp follows (5.3.1.3).
const EXTENDED: u32 = 0x00ff_ffff;

/// What later chunks of a chunk stream take over from earlier ones (5.3.1.2).
#[derive(Debug, Default)]
struct Stream {
    id: u32,
    timestamp: u32,
    delta: u32,
    extended: bool,
    shape: Shape,
    message_stream_id: u32,
    in_message: bool,
    payload: Vec<u8>,
}

impl Stream {
    fn begin_message(&mut self, header: &Header) {
        if let Some(time) = header.time {
            self.delta = time;
        }
        // 5.3.1.2.4: format 3 repeats the delta before it, which after format 0 is the timestamp itself.
        self.timestamp = match header.format {
            0 => self.delta,
            _ => self.timestamp.wrapping_add(self.delta),
        };
        self.shape = header.shape.unwrap_or(self.shape);
        self.message_stream_id = header.stream.unwrap_or(self.message_stream_id);
        self.in_message = true;
    }
}

/// Length and type of a message.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Shape {
    length: usize,
    kind: u8,
}

impl Shape {
    fn check(self, max_media: usize) -> Result<(), Violation> {
        let limit = match self.kind {
            kind::AUDIO | kind::VIDEO => max_media,
            _ => MAX_COMMAND,
        };
        if self.length > limit {
            return Err(Violation::MessageLength { kind: self.kind, length: self.length, limit });
        }
        Ok(())
    }
}

/// A chunk's header (5.3.1).
#[derive(Debug)]
struct Header {
    format: u8,
    id: u32,
    /// Format 0: the timestamp; 1 and 2: the delta.
    time: Option<u32>,
    extended: bool,
    shape: Option<Shape>,
    stream: Option<u32>,
}

impl Header {
    /// `None` while more bytes are needed.
    fn parse(bytes: &[u8], streams: &[Stream]) -> Result<Option<Self>, Violation> {
        let Some((format, id, rest)) = basic(bytes) else { return Ok(None) };
        let known = streams.iter().find(|s| s.id == id);
        // librtmp opens a chunk stream with format 1; there is nothing that 2 or 3 could take over.
        if format >= 2 && known.is_none() {
            return Err(Violation::NoHeader { id, format });
        }
        let mut fields = Fields(rest);
        let mut header = Self { format, id, time: None, extended: false, shape: None, stream: None };
        Ok(fields.fill(&mut header, known.is_some_and(|s| s.extended)).map(|()| header))
    }
}

/// 5.3.1.1: format, chunk stream id, and what follows the basic header.
fn basic(bytes: &[u8]) -> Option<(u8, u32, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (id, rest) = match (first & 0x3f, rest) {
        (0, [low, rest @ ..]) => (64 + u32::from(*low), rest),
        (1, [low, high, rest @ ..]) => (64 + u32::from(*low) + 256 * u32::from(*high), rest),
        (0 | 1, _) => return None,
        (id, rest) => (u32::from(id), rest),
    };
    Some((first >> 6, id, rest))
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// `None` while more bytes are needed. `extended`: what the chunk stream had last, for format 3 (5.3.1.3).
    fn fill(&mut self, header: &mut Header, extended: bool) -> Option<()> {
        header.extended = extended;
        if header.format <= 2 {
            let time = self.u24()?;
            header.time = Some(time);
            header.extended = time == EXTENDED;
        }
        if header.format <= 1 {
            let length = usize::try_from(self.u24()?).unwrap_or(usize::MAX);
            let [kind] = self.fixed()?;
            header.shape = Some(Shape { length, kind });
        }
        if header.format == 0 {
            header.stream = Some(u32::from_le_bytes(self.fixed()?));
        }
        if header.extended {
            let time = u32::from_be_bytes(self.fixed()?);
            header.time = header.time.map(|_| time);
        }
        Some(())
    }

    fn u24(&mut self) -> Option<u32> {
        let [a, b, c] = self.fixed()?;
        Some(u32::from_be_bytes([0, a, b, c]))
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }
}

#[cfg(test)]
mod tests;
