//! Publishing by RTMP: the client session of `rml_rtmp`, which is sans-IO, over a TCP or TLS connection.

mod ears;
mod tags;

use bytes::{Buf as _, BytesMut};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult, PublishRequestType, StreamMetadata,
};
use rml_rtmp::time::RtmpTimestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::call::{Call, Gone};
use super::clip::{Clip, rescale};
use super::dial;
use super::schedule::Due;
use crate::check::tls::MaybeTls;
use ears::Ears;
pub(super) use tags::Tags;

/// RTMP's timestamps are in milliseconds.
const MILLISECONDS: i128 = 1_000;
/// The most that is read at a time: servers say little.
const READ: usize = 4_096;

/// A connection that publishes.
pub(super) struct Connection {
    stream: MaybeTls<TcpStream>,
    session: ClientSession,
    ears: Ears,
    /// What is to be sent in answer to what came; all else is sent at once.
    outbox: BytesMut,
    inbox: Vec<u8>,
}

impl Connection {
    /// Connects, and is let in to publish.
    pub(super) async fn open(call: &Call, tags: &Tags, clip: &Clip) -> Result<Self, Gone> {
        let mut stream = dial::tcp(call).await?;
        let rest = shake_hands(&mut stream).await?;
        let target = &call.target;
        let app = target.path.trim_start_matches('/').to_owned();
        let config = ClientSessionConfig {
            flash_version: concat!("touchline-loadtest/", env!("CARGO_PKG_VERSION")).to_owned(),
            tc_url: Some(target.to_string()),
            ..ClientSessionConfig::new()
        };
        let (session, first) = ClientSession::new(config).map_err(client)?;
        let (ears, outbox, inbox) = (Ears::new(), BytesMut::new(), vec![0; READ]);
        let mut connection = Self { stream, session, ears, outbox, inbox };
        connection.send_results(first)?;
        connection.take(&rest)?;
        let connect = connection.session.request_connection(app).map_err(client)?;
        connection.send_results([connect])?;
        connection.wait_for(&ClientSessionEvent::ConnectionRequestAccepted).await?;
        let key = call.key.as_ref().map_or_else(|| call.channel.clone(), |key| format!("{}?key={key}", call.channel));
        let publish = connection.session.request_publishing(key, PublishRequestType::Live).map_err(client)?;
        connection.send_results([publish])?;
        connection.wait_for(&ClientSessionEvent::PublishRequestAccepted).await?;
        connection.introduce(tags, clip).await?;
        Ok(connection)
    }

    /// Sends a unit; how many bytes of it there are.
    pub(super) async fn send(&mut self, due: &Due, tags: &Tags, clip: &Clip) -> Result<usize, Gone> {
        let Some((tag, track)) = tags.unit(due).zip(clip.tracks.get(due.track)) else { return Ok(0) };
        let millis = rescale(due.dts, i128::from(track.timescale.get()), MILLISECONDS);
        // 5.3.1.1: timestamps go round after 49 days.
        let time = RtmpTimestamp::new(u32::try_from(millis & i64::from(u32::MAX)).unwrap_or(0));
        let length = tag.len();
        let message = if tags.is_video(due.track) {
            self.session.publish_video_data(tag, time, false)
        } else {
            self.session.publish_audio_data(tag, time, false)
        };
        if let ClientSessionResult::OutboundResponse(packet) = message.map_err(client)? {
            self.flush().await?;
            self.stream.write_all(&packet.bytes).await?;
            self.stream.flush().await?;
        }
        Ok(length)
    }

    /// Answers what the server says, until it is gone. Cancelling loses nothing.
    pub(super) async fn attend(&mut self) -> Gone {
        loop {
            if let Err(gone) = self.flush().await {
                return gone;
            }
            match self.stream.read(&mut self.inbox).await {
                Ok(0) => return Gone::Closed,
                Err(error) => return error.into(),
                Ok(length) => {
                    let read = self.inbox.get(..length).unwrap_or_default().to_vec();
                    if let Err(gone) = self.take(&read) {
                        return gone;
                    }
                }
            }
        }
    }

    /// Says goodbye.
    pub(super) async fn finish(mut self) -> Result<(), Gone> {
        let goodbye = self.session.stop_publishing().map_err(client)?;
        self.send_results(goodbye)?;
        self.flush().await?;
        Ok(self.stream.shutdown().await?)
    }

    /// What comes in front of media: metadata and decoder configurations.
    async fn introduce(&mut self, tags: &Tags, clip: &Clip) -> Result<(), Gone> {
        let mut metadata = StreamMetadata::new();
        metadata.encoder = Some("touchline-loadtest".to_owned());
        for track in 0..clip.tracks.len() {
            match tags.header(track) {
                // FLV's numbers for H.264 and AAC.
                Some(_) if tags.is_video(track) => metadata.video_codec_id = Some(7),
                Some(_) => metadata.audio_codec_id = Some(10),
                None => {}
            }
        }
        let mut messages = vec![self.session.publish_metadata(&metadata).map_err(client)?];
        for track in 0..clip.tracks.len() {
            let Some(header) = tags.header(track) else { continue };
            let message = if tags.is_video(track) {
                self.session.publish_video_data(header, RtmpTimestamp::new(0), false)
            } else {
                self.session.publish_audio_data(header, RtmpTimestamp::new(0), false)
            };
            messages.push(message.map_err(client)?);
        }
        self.send_results(messages)?;
        self.flush().await
    }

    /// Attends until an event has come that is waited for.
    async fn wait_for(&mut self, wanted: &ClientSessionEvent) -> Result<(), Gone> {
        loop {
            self.flush().await?;
            let length = self.stream.read(&mut self.inbox).await?;
            if length == 0 {
                return Err(Gone::Closed);
            }
            let read = self.inbox.get(..length).unwrap_or_default().to_vec();
            if self.take(&read)?.contains(wanted) {
                return Ok(());
            }
        }
    }

    /// Takes what came. Fails where it says that the server does not want this publisher.
    fn take(&mut self, bytes: &[u8]) -> Result<Vec<ClientSessionEvent>, Gone> {
        self.ears.hear(bytes);
        let results = self.session.handle_input(bytes);
        if let Some(words) = self.ears.refusal() {
            return Err(Gone::Refused(words));
        }
        self.send_results(results.map_err(client)?)
    }

    /// Puts what is to be sent into the outbox; the rest is events.
    fn send_results(
        &mut self,
        results: impl IntoIterator<Item = ClientSessionResult>,
    ) -> Result<Vec<ClientSessionEvent>, Gone> {
        let mut events = Vec::new();
        for result in results {
            match result {
                ClientSessionResult::OutboundResponse(packet) => self.outbox.extend_from_slice(&packet.bytes),
                ClientSessionResult::RaisedEvent(ClientSessionEvent::ConnectionRequestRejected { description }) => {
                    return Err(Gone::Refused(description));
                }
                ClientSessionResult::RaisedEvent(event) => events.push(event),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        Ok(events)
    }

    /// Sends the outbox. Cancelling loses nothing.
    async fn flush(&mut self) -> Result<(), Gone> {
        while self.outbox.has_remaining() {
            self.stream.write_buf(&mut self.outbox).await?;
        }
        Ok(self.stream.flush().await?)
    }
}

/// RTMP 1.0 5.2; what came behind it.
async fn shake_hands(stream: &mut MaybeTls<TcpStream>) -> Result<Vec<u8>, Gone> {
    let mut handshake = Handshake::new(PeerType::Client);
    stream.write_all(&handshake.generate_outbound_p0_and_p1().map_err(client)?).await?;
    stream.flush().await?;
    let mut read = vec![0; READ];
    loop {
        let length = stream.read(&mut read).await?;
        if length == 0 {
            return Err(Gone::Closed);
        }
        match handshake.process_bytes(read.get(..length).unwrap_or_default()).map_err(client)? {
            HandshakeProcessResult::InProgress { response_bytes } => stream.write_all(&response_bytes).await?,
            HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                stream.write_all(&response_bytes).await?;
                stream.flush().await?;
                return Ok(remaining_bytes);
            }
        }
    }
}

/// What the client makes of what it cannot understand.
fn client(error: impl std::fmt::Display) -> Gone {
    Gone::Broken(format!("the RTMP client gives up: {error}"))
}
