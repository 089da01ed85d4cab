//! The peer connection of `rtc`, without sockets: what is sent, and what the server reports of it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use rtc::interceptor::{Attribute, Interceptor, Packet, Registry, Slot, StreamInfo, TaggedPacket};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::{configure_nack, configure_rtcp_reports};
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::rtp_transceiver::RTCRtpSenderId;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};

use super::super::call::Gone;
use super::super::clip::{Clip, rescale};
use super::super::schedule::Due;
use super::Figures;
use super::packets::{Media, Packets};
use crate::random::Random;

/// Behind all other interceptors.
const LAST: usize = 14_000;
/// Seconds from NTP's epoch to that of Unix (RFC 5905 6).
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// A peer that sends.
pub(super) struct Peer {
    connection: RTCPeerConnection,
    streams: Vec<Stream>,
    state: RTCPeerConnectionState,
    /// An instant, and the NTP time that it was.
    clock: (Instant, u64),
    figures: Figures,
}

/// What is sent of a track.
struct Stream {
    track: usize,
    sender: RTCRtpSenderId,
    ssrc: u32,
    /// Hertz.
    clock: u32,
    /// As it was agreed on.
    payload_type: u8,
    sequence: u16,
    /// That of the first unit.
    timestamp: u32,
    /// By the newest report.
    lost: u32,
}

impl Peer {
    /// A peer at `local` that has these tracks to send.
    pub(super) fn new(local: SocketAddr, offered: Vec<(usize, Media)>, seed: u64, now: Instant) -> Result<Self, Gone> {
        let mut codecs = MediaEngine::default();
        for (_, media) in &offered {
            codecs.register_codec(media.codec(), media.kind()).map_err(client)?;
        }
        let registry = configure_nack(Registry::new(), &mut codecs);
        let registry = configure_rtcp_reports(registry).with(Slot::from(LAST), Delivering::default());
        let builder = RTCPeerConnectionBuilder::new().with_media_engine(codecs).with_interceptor_registry(registry);
        let mut connection = builder.build(now).map_err(client)?;
        let mut random = Random::new(seed);
        let mut streams = Vec::new();
        for (track, media) in offered {
            let [ssrc, timestamp] = [(); 2].map(|()| u32::try_from(random.below(1 << 32)).unwrap_or(0));
            let sender = connection.add_track(media.track(ssrc)).map_err(client)?;
            let sequence = u16::try_from(random.below(1 << 16)).unwrap_or(0);
            let (clock, payload_type) = (media.codec().rtp_codec.clock_rate, media.codec().payload_type);
            streams.push(Stream { track, sender, ssrc, clock, payload_type, sequence, timestamp, lost: 0 });
        }
        connection.add_local_candidate(candidate(local)?.to_json().map_err(client)?).map_err(client)?;
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
        let ntp = ((unix.as_secs() + NTP_TO_UNIX) << 32) | fraction;
        let state = RTCPeerConnectionState::New;
        Ok(Self { connection, streams, state, clock: (now, ntp), figures: Figures::default() })
    }

    pub(super) fn offer(&mut self, now: Instant) -> Result<String, Gone> {
        let offer = self.connection.create_offer(None).map_err(client)?;
        self.connection.set_local_description(now, offer.clone()).map_err(client)?;
        Ok(offer.sdp)
    }

    /// Takes the answer, which may have other payload types.
    pub(super) fn accept(&mut self, answer: String, now: Instant) -> Result<(), Gone> {
        let answer = RTCSessionDescription::answer(answer).map_err(client)?;
        self.connection.set_remote_description(now, answer).map_err(client)?;
        for stream in &mut self.streams {
            let Some(mut sender) = self.connection.rtp_sender(stream.sender) else { continue };
            if let Some(codec) = sender.get_parameters().rtp_parameters.codecs.first() {
                stream.payload_type = codec.payload_type;
            }
        }
        Ok(())
    }

    pub(super) fn handle(&mut self, from: SocketAddr, local: SocketAddr, datagram: &[u8], now: Instant) {
        let transport = TransportContext {
            local_addr: local,
            peer_addr: from,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        // What cannot be read is as if it had got lost.
        drop(self.connection.handle_read(TaggedBytesMut { now, transport, message: BytesMut::from(datagram) }));
        self.look(now);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        drop(self.connection.handle_timeout(now));
        self.look(now);
    }

    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        self.connection.poll_timeout()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<(SocketAddr, Bytes)> {
        let transmit = self.connection.poll_write()?;
        Some((transmit.transport.peer_addr, transmit.message.freeze()))
    }

    /// Sends a unit; how many bytes there are of it.
    pub(super) fn send(&mut self, due: &Due, packets: &Packets, clip: &Clip, now: Instant) -> Result<usize, Gone> {
        let stream = self.streams.iter_mut().find(|stream| stream.track == due.track);
        let (Some(stream), Some(track), Some(payloads)) = (stream, clip.tracks.get(due.track), packets.unit(due))
        else {
            return Ok(0);
        };
        let elapsed = rescale(due.dts + due.offset, i128::from(track.timescale.get()), i128::from(stream.clock));
        let elapsed = u32::try_from(elapsed & i64::from(u32::MAX)).unwrap_or(0);
        let mut length = 0;
        for (number, payload) in (1..).zip(payloads) {
            let header = rtc::rtp::header::Header {
                version: 2,
                marker: number == payloads.len(),
                payload_type: stream.payload_type,
                sequence_number: stream.sequence,
                timestamp: stream.timestamp.wrapping_add(elapsed),
                ssrc: stream.ssrc,
                ..Default::default()
            };
            stream.sequence = stream.sequence.wrapping_add(1);
            length += payload.len();
            let packet = rtc::rtp::packet::Packet { header, payload: payload.clone() };
            if let Some(mut sender) = self.connection.rtp_sender(stream.sender) {
                sender.write_rtp(now, packet).map_err(client)?;
                self.figures.packets += 1;
            }
        }
        Ok(length)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.state == RTCPeerConnectionState::Connected
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, RTCPeerConnectionState::Closed | RTCPeerConnectionState::Failed)
    }

    pub(super) fn close(&mut self) {
        drop(self.connection.close());
    }

    pub(super) fn figures(&self) -> Figures {
        self.figures
    }

    /// Takes what the connection has to say.
    fn look(&mut self, now: Instant) {
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                self.state = state;
            }
        }
        while let Some(message) = self.connection.poll_read() {
            if let RTCMessage::RtcpPacket(_, packets) = message.message {
                for packet in &packets {
                    self.hear(packet.as_any(), now);
                }
            }
        }
    }

    /// Takes a report or a request of the server.
    fn hear(&mut self, packet: &dyn std::any::Any, now: Instant) {
        if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
            let asked: usize = nack.nacks.iter().map(|pair| pair.packet_list().len()).sum();
            self.figures.nacks += asked as u64;
        } else if packet.is::<PictureLossIndication>() || packet.is::<FullIntraRequest>() {
            self.figures.keyframe_requests += 1;
        } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
            for block in &report.reports {
                let Some(stream) = self.streams.iter_mut().find(|stream| stream.ssrc == block.ssrc) else { continue };
                // A signed number of 24 bits: what comes twice counts against it.
                stream.lost = if block.total_lost < 1 << 23 { block.total_lost } else { 0 };
                self.figures.round_trip_ms =
                    round_trip(self.clock, now, block.last_sender_report, block.delay).or(self.figures.round_trip_ms);
            }
            self.figures.reported_lost = self.streams.iter().map(|stream| u64::from(stream.lost)).sum();
        }
    }
}

/// RFC 3550 6.4.1: from the report that was sent, with what the server had it for taken off. Times are in 65536ths of a second.
fn round_trip(clock: (Instant, u64), now: Instant, reported: u32, held: u32) -> Option<f64> {
    if reported == 0 {
        return None;
    }
    let elapsed = now.saturating_duration_since(clock.0).as_nanos() * (1 << 32) / 1_000_000_000;
    let ntp = clock.1.wrapping_add(u64::try_from(elapsed).unwrap_or(0));
    let middle = u32::try_from(ntp >> 16 & u64::from(u32::MAX)).unwrap_or(0);
    let ticks = middle.wrapping_sub(reported).wrapping_sub(held);
    // The server's clock may run a bit faster than this one.
    let ticks = if ticks > u32::MAX / 2 { 0 } else { ticks };
    Some(f64::from(ticks) * 1_000.0 / 65_536.0)
}

impl Media {
    fn kind(&self) -> RtpCodecKind {
        match self {
            Self::Pictures(_) => RtpCodecKind::Video,
            Self::Sound => RtpCodecKind::Audio,
        }
    }

    fn codec(&self) -> RTCRtpCodecParameters {
        let (mime_type, clock_rate, channels, sdp_fmtp_line, payload_type) = match self {
            Self::Pictures(level) => {
                let parameters = format!("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={level}");
                ("video/H264", 90_000, 0, parameters, 102)
            }
            Self::Sound => ("audio/opus", 48_000, 2, "minptime=10;useinbandfec=1".to_owned(), 111),
        };
        let rtp_codec = RTCRtpCodec {
            mime_type: mime_type.to_owned(),
            clock_rate,
            channels,
            sdp_fmtp_line,
            rtcp_feedback: Vec::new(),
        };
        RTCRtpCodecParameters { rtp_codec, payload_type }
    }

    fn track(&self, ssrc: u32) -> MediaStreamTrack {
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..RTCRtpCodingParameters::default() },
            codec: self.codec().rtp_codec,
            ..RTCRtpEncodingParameters::default()
        };
        let kind = self.kind();
        MediaStreamTrack::new("stream".to_owned(), format!("{kind}"), format!("{kind}"), kind, vec![encoding])
    }
}

fn candidate(local: SocketAddr) -> Result<RTCIceCandidate, Gone> {
    let base_config = CandidateConfig {
        network: "udp".to_owned(),
        address: local.ip().to_string(),
        port: local.port(),
        component: 1,
        ..CandidateConfig::default()
    };
    let host = CandidateHostConfig { base_config, ..CandidateHostConfig::default() };
    Ok(RTCIceCandidate::from(&host.new_candidate_host().map_err(client)?))
}

/// What the client makes of what it cannot do.
fn client(error: impl std::fmt::Display) -> Gone {
    Gone::Broken(format!("the WebRTC client gives up: {error}"))
}

/// Has the peer see all RTCP that comes.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_round_trip_is_what_is_left_of_the_time_since_the_report() {
        let start = Instant::now();
        let clock = (start, 7 << 32);
        let now = start + Duration::from_secs(3);
        // The report was sent a second after the start, and kept for 1.75 s.
        let trip = |reported, held| round_trip(clock, now, reported, held);
        assert_eq!(trip(8 << 16, 114_688), Some(250.0));
        assert_eq!(trip(8 << 16, 3 << 16), Some(0.0));
        assert_eq!(trip(0, 0), None);
    }
}
