//! A publisher of independent make, without sockets and clocks: the peer connection of `rtc`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use rtc::interceptor::{Attribute, Interceptor, Packet, Registry, Slot, StreamInfo, TaggedPacket};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::{
    configure_nack, configure_rtcp_reports, configure_twcc_sender_only,
};
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::RTCRtpSenderId;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpRtxParameters, RtpCodecKind,
};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};

/// The source of its pictures.
pub(super) const VIDEO: u32 = 1_000;
/// The source by which it sends pictures again.
pub(super) const VIDEO_AGAIN: u32 = 1_001;
/// The source of its sound.
pub(super) const AUDIO: u32 = 2_000;

pub(super) struct Client {
    connection: RTCPeerConnection,
    address: SocketAddr,
    senders: [RTCRtpSenderId; 2],
    pub(super) connected: bool,
    pub(super) closed: bool,
    /// RTCP that came.
    pub(super) feedback: Vec<String>,
}

impl Client {
    /// One at `address` that has pictures and sound to send.
    pub(super) fn new(address: SocketAddr, now: Instant) -> Self {
        let mut codecs = MediaEngine::default();
        codecs.register_default_codecs().unwrap();
        let registry = configure_nack(Registry::new(), &mut codecs);
        let registry = configure_twcc_sender_only(registry, &mut codecs).unwrap();
        let registry = configure_rtcp_reports(registry).with(Slot::from(LAST), Delivering::default());
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_media_engine(codecs)
            .with_interceptor_registry(registry)
            .build(now)
            .unwrap();
        let senders = [
            connection.add_track(track(RtpCodecKind::Video, "video/H264", 90_000, VIDEO)).unwrap(),
            connection.add_track(track(RtpCodecKind::Audio, "audio/opus", 48_000, AUDIO)).unwrap(),
        ];
        let candidate = CandidateHostConfig {
            base_config: CandidateConfig {
                network: "udp".to_owned(),
                address: address.ip().to_string(),
                port: address.port(),
                component: 1,
                ..CandidateConfig::default()
            },
            ..CandidateHostConfig::default()
        };
        let candidate = RTCIceCandidate::from(&candidate.new_candidate_host().unwrap());
        connection.add_local_candidate(candidate.to_json().unwrap()).unwrap();
        Self { connection, address, senders, connected: false, closed: false, feedback: Vec::new() }
    }

    pub(super) fn offer(&mut self, now: Instant) -> String {
        let offer = self.connection.create_offer(None).unwrap();
        self.connection.set_local_description(now, offer.clone()).unwrap();
        offer.sdp
    }

    pub(super) fn accept(&mut self, answer: &str, now: Instant) {
        let answer = RTCSessionDescription::answer(answer.to_owned()).unwrap();
        self.connection.set_remote_description(now, answer).unwrap();
    }

    /// The next offer is of a new ICE session.
    pub(super) fn restart_ice(&mut self) {
        self.connection.restart_ice();
    }

    pub(super) fn handle(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        let transport = TransportContext {
            local_addr: self.address,
            peer_addr: from,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        drop(self.connection.handle_read(TaggedBytesMut { now, transport, message: BytesMut::from(datagram) }));
        self.look();
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        drop(self.connection.handle_timeout(now));
        self.look();
    }

    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        self.connection.poll_timeout()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<(SocketAddr, Bytes)> {
        let transmit = self.connection.poll_write()?;
        Some((transmit.transport.peer_addr, transmit.message.freeze()))
    }

    /// Sends a packet of pictures (0) or sound (1).
    pub(super) fn send(&mut self, stream: usize, sequence: u16, timestamp: u32, payload: &[u8], now: Instant) {
        let mut sender = self.connection.rtp_sender(self.senders[stream]).unwrap();
        let parameters = sender.get_parameters();
        let wanted = if stream == 0 { "video/H264" } else { "audio/opus" };
        let codec = parameters.rtp_parameters.codecs.iter().find(|codec| codec.rtp_codec.mime_type == wanted);
        let payload_type = codec.unwrap().payload_type;
        let header = rtc::rtp::header::Header {
            version: 2,
            marker: true,
            payload_type,
            sequence_number: sequence,
            timestamp,
            ssrc: [VIDEO, AUDIO][stream],
            ..Default::default()
        };
        let packet = rtc::rtp::packet::Packet { header, payload: Bytes::copy_from_slice(payload) };
        sender.write_rtp(now, packet).unwrap();
    }

    pub(super) fn close(&mut self) {
        self.connection.close().unwrap();
    }

    fn look(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                self.connected |= state == RTCPeerConnectionState::Connected;
                self.closed |= state == RTCPeerConnectionState::Closed;
            }
        }
        while let Some(message) = self.connection.poll_read() {
            if let RTCMessage::RtcpPacket(_, packets) = message.message {
                self.feedback.extend(packets.iter().map(|packet| format!("{packet:?}")));
            }
        }
    }
}

/// Behind all other interceptors.
const LAST: usize = 14_000;

/// Has the client see all RTCP that comes.
#[derive(Default)]
struct Delivering {
    came: VecDeque<TaggedPacket>,
    goes: VecDeque<TaggedPacket>,
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Delivering {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        if matches!(packet.message.packet, Packet::Rtcp(_)) {
            packet.message.add(Attribute::DeliverToApplication);
        }
        self.came.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.came.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.goes.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.goes.pop_front()
    }
}

impl Interceptor for Delivering {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

fn track(kind: RtpCodecKind, mime_type: &str, clock_rate: u32, ssrc: u32) -> MediaStreamTrack {
    let video = kind == RtpCodecKind::Video;
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            rtx: video.then_some(RTCRtpRtxParameters { ssrc: VIDEO_AGAIN }),
            ..RTCRtpCodingParameters::default()
        },
        codec: RTCRtpCodec {
            mime_type: mime_type.to_owned(),
            clock_rate,
            channels: if video { 0 } else { 2 },
            sdp_fmtp_line: if video {
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f".to_owned()
            } else {
                "minptime=10;useinbandfec=1".to_owned()
            },
            rtcp_feedback: Vec::new(),
        },
        ..RTCRtpEncodingParameters::default()
    };
    MediaStreamTrack::new("stream".to_owned(), format!("{kind}"), format!("{kind}"), kind, vec![encoding])
}
