//! The server's side of an RTMP connection as a state machine: bytes and the time go in, [`Output`] comes out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use touchline_media::Kind;

use super::amf0::Value;
use super::handshake::{self, Handshake};
use super::message::{Command, Message, Metadata, StreamName};
use super::{Refusal, Violation, chunk, reply};
use crate::Error;

/// The most bytes to hand to [`Session::handle`] at a time.
pub const MAX_INPUT: usize = 16 * 1_024;
/// The most bytes that a client may send ahead of the answer to `publish`.
pub const MAX_HELD: usize = 64 * 1_024;
/// The most memory that a session takes for data of its peer while it is handed at most [`MAX_INPUT`] at a time and its
/// outputs are polled in between, in bytes: incomplete messages, what is held, and the outputs of what is held, where no
/// two bytes of input make more than one output.
pub const MAX_BUFFERED: usize = chunk::MAX_PARTIAL + MAX_HELD + MAX_HELD / 2 * size_of::<Output>();
/// The shortest distance of acknowledgements in bytes, whatever the client asks for.
pub const MIN_WINDOW: u32 = 16 * 1_024;

/// What a session wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Bytes for the peer.
    Send(Bytes),
    /// The peer wants to publish: answer with [`Session::accept`] or [`Session::reject`].
    Publish(Request),
    /// What the stream is said to be.
    Metadata(Metadata),
    /// A part of the stream.
    Media(Media),
    /// The peer has ended its stream.
    Unpublish,
}

/// What a peer wants to publish, unchecked; see [`super::Target::parse`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The application of `connect`.
    pub app: String,
    /// The stream name of `publish`.
    pub stream: StreamName,
    /// The `flashVer` of `connect`.
    pub encoder: Option<String>,
}

/// An audio or video message: an FLV tag's body (FLV 10.1, E.4.2 and E.4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Pictures or sound.
    pub kind: Kind,
    /// Milliseconds, wrapping at 31 or 32 bits.
    pub timestamp: u32,
    /// The tag's body.
    pub payload: Bytes,
    /// When its last byte arrived.
    pub received: Instant,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    peer: SocketAddr,
    handshake: Option<Handshake>,
    reader: chunk::Reader,
    phase: Phase,
    app: String,
    encoder: Option<String>,
    streams: u32,
    ack: Acknowledgements,
    held: Vec<u8>,
    outputs: VecDeque<Output>,
    messages: u64,
    dropped: Dropped,
}

/// Messages that were of no use.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// Audio and video without a byte.
    pub empty: u64,
    /// Audio, video and metadata outside of an accepted publish.
    pub unpublished: u64,
    /// Data messages that do not parse.
    pub bad_data: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before `connect`.
    Greeting,
    Connected,
    /// `publish` waits for its answer.
    Asking {
        stream: u32,
    },
    Publishing {
        stream: u32,
    },
    /// Refused or closed by us.
    Over,
}

#[derive(Debug)]
struct Acknowledgements {
    window: u32,
    /// The total of bytes that was last acknowledged.
    last: u64,
}

impl Session {
    /// A session with `peer`, which errors name. `random` is for the handshake and needs to be no secret.
    pub fn new(peer: SocketAddr, random: Box<handshake::Random>) -> Self {
        Self {
            peer,
            handshake: Some(Handshake::new(random)),
            reader: chunk::Reader::new(1 + 2 * handshake::PACKET_LEN as u64),
            phase: Phase::Greeting,
            app: String::new(),
            encoder: None,
            streams: 0,
            ack: Acknowledgements { window: reply::WINDOW, last: 0 },
            held: Vec::new(),
            outputs: VecDeque::new(),
            messages: 0,
            dropped: Dropped::default(),
        }
    }

    /// Takes bytes of the peer that arrived `now`. After an error the session is of no further use.
    pub fn handle(&mut self, bytes: &[u8], now: Instant) -> Result<(), Error> {
        self.process(bytes, now).map_err(|violation| Error::Rtmp {
            peer: self.peer,
            offset: if self.handshake.is_some() { 0 } else { self.reader.offset() },
            violation,
        })
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Lets the peer publish, which it has asked for, and takes what it has sent since.
    pub fn accept(&mut self, now: Instant) -> Result<(), Error> {
        let Phase::Asking { stream } = self.phase else { return Ok(()) };
        self.phase = Phase::Publishing { stream };
        self.reader.expect_media();
        self.send(|out| {
            reply::stream_begin(out, stream);
            reply::status(out, stream, "status", "NetStream.Publish.Start", "Publishing.");
        });
        let held = std::mem::take(&mut self.held);
        self.handle(&held, now)
    }

    /// Tells the peer that it may not publish, or not go on. The connection is to be closed once that has been sent.
    pub fn reject(&mut self, why: &Refusal) {
        let stream = self.stream();
        self.send(|out| reply::status(out, stream, "error", why.code(), &why.to_string()));
        self.end();
    }

    /// Tells the peer what was wrong with what it sent: an error of [`Session::handle`]. Before `connect` there is no way to. The
    /// connection is to be closed once that has been sent.
    pub fn complain(&mut self, violation: &Violation) {
        if !matches!(self.phase, Phase::Greeting | Phase::Over) {
            let stream = self.stream();
            self.send(|out| reply::status(out, stream, "error", "NetStream.Failed", &violation.to_string()));
        }
        self.end();
    }

    /// Tells the peer that the server goes away. The connection is to be closed once that has been sent.
    pub fn close(&mut self) {
        let why = "The server is shutting down.";
        if let Phase::Publishing { stream } = self.phase {
            self.send(|out| reply::status(out, stream, "status", "NetStream.Unpublish.Success", why));
        }
        if !matches!(self.phase, Phase::Greeting | Phase::Over) {
            self.send(|out| reply::status(out, 0, "status", "NetConnection.Connect.Closed", why));
        }
        self.end();
    }

    /// The handshake is over.
    pub fn is_greeted(&self) -> bool {
        self.handshake.is_none()
    }

    /// Whole messages received.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Messages dropped so far.
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// Memory that data of the peer takes, in bytes; at most [`MAX_BUFFERED`].
    pub fn buffered(&self) -> usize {
        let waiting = self.outputs.iter().map(|output| {
            size_of_val(output)
                + match output {
                    Output::Send(bytes) => bytes.len(),
                    Output::Media(media) => media.payload.len(),
                    _ => 0,
                }
        });
        self.reader.buffered() + self.held.capacity() + waiting.sum::<usize>()
    }

    fn process(&mut self, mut input: &[u8], now: Instant) -> Result<(), Violation> {
        if let Some(handshake) = &mut self.handshake {
            let mut out = Vec::new();
            if handshake.read(&mut input, &mut out)? {
                self.handshake = None;
            }
            self.send(|replies| replies.append(&mut out));
        }
        if self.handshake.is_some() {
            return Ok(());
        }
        loop {
            match self.phase {
                Phase::Over => return Ok(()),
                Phase::Asking { .. } => return self.hold(input),
                _ => {}
            }
            let Some(message) = self.reader.read(&mut input)? else { return Ok(()) };
            self.messages += 1;
            self.acknowledge();
            self.on_message(message, now)?;
        }
    }

    fn hold(&mut self, input: &[u8]) -> Result<(), Violation> {
        if self.held.len() + input.len() > MAX_HELD {
            return Err(Violation::Held { limit: MAX_HELD });
        }
        self.held.reserve_exact(input.len());
        self.held.extend_from_slice(input);
        Ok(())
    }

    /// 5.4.3: the total is told whenever a window's worth of bytes has come.
    fn acknowledge(&mut self) {
        let total = self.reader.offset();
        if total - self.ack.last >= u64::from(self.ack.window) {
            self.ack.last = total;
            self.send(|out| reply::acknowledgement(out, total));
        }
    }

    fn on_message(&mut self, message: chunk::Message, now: Instant) -> Result<(), Violation> {
        let stream = message.stream;
        match Message::parse(message)? {
            Message::Command(command) => return self.on_command(command, stream),
            Message::Media { payload, .. } if payload.is_empty() => self.dropped.empty += 1,
            Message::Media { kind, timestamp, payload } => {
                let media = Media { kind, timestamp, payload, received: now };
                self.push_published(Output::Media(media));
            }
            Message::Metadata(metadata) => self.push_published(Output::Metadata(metadata)),
            Message::BadData => self.dropped.bad_data += 1,
            Message::PingRequest(timestamp) => self.send(|out| reply::ping_response(out, timestamp)),
            Message::WindowAckSize(window) => self.ack.window = window.max(MIN_WINDOW),
            Message::Other => {}
        }
        Ok(())
    }

    fn push_published(&mut self, output: Output) {
        if matches!(self.phase, Phase::Publishing { .. }) {
            self.outputs.push_back(output);
        } else {
            self.dropped.unpublished += 1;
        }
    }

    fn on_command(&mut self, command: Command, on: u32) -> Result<(), Violation> {
        if let (Phase::Greeting, Some(command)) = (self.phase, command.needs_connection()) {
            return Err(Violation::BeforeConnect { command });
        }
        match command {
            Command::Connect { transaction, app, encoder } => self.connect(transaction, app, encoder),
            Command::CreateStream { transaction } => {
                self.streams = self.streams.wrapping_add(1);
                let stream = f64::from(self.streams);
                self.send(|out| reply::result(out, transaction, Value::Number(stream)));
            }
            Command::Publish { stream } => self.publish(stream, on),
            Command::DeleteStream { stream } if stream.is_some_and(|id| !self.is_stream(id)) => {}
            Command::DeleteStream { .. } => self.unpublish(),
            Command::FcPublish { transaction } => {
                self.send(|out| reply::on_fc(out, "onFCPublish", "NetStream.Publish.Start"));
                self.answer(transaction);
            }
            Command::FcUnpublish { transaction } => {
                self.send(|out| reply::on_fc(out, "onFCUnpublish", "NetStream.Unpublish.Success"));
                self.answer(transaction);
                self.unpublish();
            }
            Command::ReleaseStream { transaction } | Command::CheckBandwidth { transaction } => {
                self.answer(transaction);
            }
            Command::Play => self.refuse_to_play(),
            Command::Unknown { transaction } if wants_answer(transaction) => {
                self.send(|out| reply::unknown(out, transaction));
            }
            Command::Unknown { .. } | Command::Answer => {}
        }
        Ok(())
    }

    fn answer(&mut self, transaction: f64) {
        if wants_answer(transaction) {
            self.send(|out| reply::result(out, transaction, Value::Null));
        }
    }

    fn connect(&mut self, transaction: f64, app: String, encoder: Option<String>) {
        if self.phase == Phase::Greeting {
            self.phase = Phase::Connected;
            self.app = app;
            self.encoder = encoder;
        }
        self.send(|out| reply::connected(out, transaction));
    }

    /// `on` is the message stream of the command: the stream that is to be published.
    fn publish(&mut self, stream: StreamName, on: u32) {
        let id = if on == 0 { self.streams.max(1) } else { on };
        if self.phase != Phase::Connected {
            let why = Refusal::Second;
            return self.send(|out| reply::status(out, id, "error", why.code(), &why.to_string()));
        }
        self.phase = Phase::Asking { stream: id };
        let request = Request { app: self.app.clone(), stream, encoder: self.encoder.clone() };
        self.outputs.push_back(Output::Publish(request));
    }

    fn unpublish(&mut self) {
        if let Phase::Publishing { stream } = self.phase {
            self.phase = Phase::Connected;
            self.outputs.push_back(Output::Unpublish);
            self.send(|out| reply::status(out, stream, "status", "NetStream.Unpublish.Success", "Unpublished."));
        }
    }

    fn refuse_to_play(&mut self) {
        let words = "RTMP is for publishing here: watch over HTTP, at /watch/CHANNEL.";
        let stream = self.stream();
        self.send(|out| reply::status(out, stream, "error", "NetStream.Play.Failed", words));
    }

    fn stream(&self) -> u32 {
        match self.phase {
            Phase::Asking { stream } | Phase::Publishing { stream } => stream,
            _ => self.streams,
        }
    }

    fn is_stream(&self, id: f64) -> bool {
        id.total_cmp(&f64::from(self.stream())).is_eq()
    }

    fn end(&mut self) {
        self.phase = Phase::Over;
        self.held = Vec::new();
    }

    fn send(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut out);
        if !out.is_empty() {
            self.outputs.push_back(Output::Send(out.into()));
        }
    }
}

/// 7.2.1.2: a transaction id of 0 wants no answer.
fn wants_answer(transaction: f64) -> bool {
    transaction != 0.0
}
