//! An independent client (`rml_rtmp`) publishes.

use std::time::Instant;

use bytes::Bytes;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult, PublishRequestType, StreamMetadata,
};
use rml_rtmp::time::RtmpTimestamp;
use touchline_media::Kind;

use super::super::session::Request;
use super::super::{Output, Refusal, Session};
use super::session;
use crate::Rejection;

/// A client and a server, joined without a network.
struct Pair {
    client: ClientSession,
    server: Session,
    outputs: Vec<Output>,
    events: Vec<ClientSessionEvent>,
}

impl Pair {
    fn greeted() -> Self {
        let (client, first) = ClientSession::new(ClientSessionConfig::new()).unwrap();
        let mut pair = Self { client, server: session(), outputs: Vec::new(), events: Vec::new() };
        let mut handshake = Handshake::new(PeerType::Client);
        let c0_and_c1 = handshake.generate_outbound_p0_and_p1().unwrap();
        let answer = pair.deliver(&c0_and_c1);
        match handshake.process_bytes(&answer).unwrap() {
            HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                assert!(remaining_bytes.is_empty());
                pair.deliver(&response_bytes);
            }
            HandshakeProcessResult::InProgress { .. } => panic!("the handshake is not complete"),
        }
        pair.exchange(first);
        pair
    }

    fn publishing(name: &str) -> Self {
        let mut pair = Self::greeted();
        let connect = pair.client.request_connection("live".into()).unwrap();
        pair.exchange(vec![connect]);
        assert_eq!(pair.events, [ClientSessionEvent::ConnectionRequestAccepted]);
        let publish = pair.client.request_publishing(name.into(), PublishRequestType::Live).unwrap();
        pair.exchange(vec![publish]);
        pair
    }

    /// What the server sends back.
    fn deliver(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.server.handle(bytes, Instant::now()).unwrap();
        self.collect()
    }

    fn collect(&mut self) -> Vec<u8> {
        let mut sent = Vec::new();
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Send(bytes) => sent.extend_from_slice(&bytes),
                other => self.outputs.push(other),
            }
        }
        sent
    }

    /// Carries what the client wants to send, and all that follows from it.
    fn exchange(&mut self, mut results: Vec<ClientSessionResult>) {
        while !results.is_empty() {
            let mut sent = Vec::new();
            for result in results.drain(..) {
                match result {
                    ClientSessionResult::OutboundResponse(packet) => sent.extend(self.deliver(&packet.bytes)),
                    ClientSessionResult::RaisedEvent(event) => self.events.push(event),
                    ClientSessionResult::UnhandleableMessageReceived(_) => {}
                }
            }
            results = self.client.handle_input(&sent).unwrap();
        }
    }

    /// Carries what the server has decided to send by itself.
    fn settle(&mut self) {
        let sent = self.collect();
        let results = self.client.handle_input(&sent).unwrap();
        self.exchange(results);
    }
}

#[test]
fn what_a_client_publishes_is_what_comes_out() {
    let mut pair = Pair::publishing("main?key=secret");
    let request = Request {
        app: "live".into(),
        stream: super::super::message::StreamName("main?key=secret".into()),
        encoder: Some("WIN 23,0,0,207".into()),
    };
    assert_eq!(pair.outputs, [Output::Publish(request)]);
    pair.server.accept(Instant::now()).unwrap();
    pair.settle();
    assert_eq!(pair.events.last(), Some(&ClientSessionEvent::PublishRequestAccepted));

    pair.outputs.clear();
    let mut metadata = StreamMetadata::new();
    metadata.video_codec_id = Some(7);
    metadata.video_frame_rate = Some(25.0);
    metadata.encoder = Some("independent".into());
    let message = pair.client.publish_metadata(&metadata).unwrap();
    pair.exchange(vec![message]);
    let mut sent = Vec::new();
    for n in 0..200_u32 {
        let video = Bytes::from(vec![0x17; 1 + n as usize * 97]);
        let audio = Bytes::from(vec![0xaf; 1 + n as usize % 5]);
        let time = RtmpTimestamp::new(n * 40);
        let video_message = pair.client.publish_video_data(video.clone(), time, false).unwrap();
        let audio_message = pair.client.publish_audio_data(audio.clone(), time, false).unwrap();
        pair.exchange(vec![video_message, audio_message]);
        sent.extend([(Kind::Video, n * 40, video), (Kind::Audio, n * 40, audio)]);
    }
    let messages = pair.client.stop_publishing().unwrap();
    pair.exchange(messages);

    let mut outputs = pair.outputs.into_iter();
    match outputs.next() {
        Some(Output::Metadata(metadata)) => {
            assert!(metadata.video && !metadata.audio);
            assert_eq!(metadata.frame_rate.map(|rate| rate.to_string()), Some("25.000".into()));
            assert_eq!(metadata.encoder.as_deref(), Some("independent"));
        }
        other => panic!("{other:?}"),
    }
    for expected in sent {
        match outputs.next() {
            Some(Output::Media(media)) => assert_eq!((media.kind, media.timestamp, media.payload), expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(outputs.collect::<Vec<_>>(), [Output::Unpublish]);
}

#[test]
fn a_rejected_client_is_told_why() {
    let mut pair = Pair::publishing("main");
    pair.server.reject(&Refusal::Rejected(Rejection::Busy));
    let sent = pair.collect();
    assert!(String::from_utf8_lossy(&sent).contains("somebody publishes into this channel already"));
    let results = pair.client.handle_input(&sent).unwrap();
    pair.exchange(results);
    let code = "NetStream.Publish.BadName".to_owned();
    assert_eq!(pair.events.last(), Some(&ClientSessionEvent::UnhandleableOnStatusCode { code }));
}

#[test]
fn a_long_stream_is_acknowledged_by_its_total() {
    let mut pair = Pair::publishing("main");
    pair.server.accept(Instant::now()).unwrap();
    pair.settle();
    for n in 0..8_u32 {
        let message = pair.client.publish_video_data(vec![0x17; 1 << 20].into(), RtmpTimestamp::new(n), false).unwrap();
        pair.exchange(vec![message]);
    }
    let totals: Vec<u32> = pair
        .events
        .iter()
        .filter_map(|event| match event {
            ClientSessionEvent::AcknowledgementReceived { bytes_received } => Some(*bytes_received),
            _ => None,
        })
        .collect();
    assert_eq!(totals.len(), 2);
    assert!((3 << 20..4 << 20).contains(&totals[0]) && (6 << 20..7 << 20).contains(&totals[1]), "{totals:?}");
}
