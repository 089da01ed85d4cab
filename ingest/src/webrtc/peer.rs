//! One publisher, without sockets and clocks: datagrams in, packets of media and reports out, and the datagrams that go back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::ice::{Agent, Credentials, Outcome, Path};
use super::media::Media;
use super::offer::Proposal;
use super::packet::{self, Packet};
use super::random;
use super::rtcp::{self, Compound, Reception};
use super::secure::{Broken, Channel, Identity, Progress};
use super::transport_feedback::Arrivals;
use crate::rtp;

/// How often it is told how sources are received (RFC 3550 6.2 for two members at these rates: as often as one likes).
const REPORT: Duration = Duration::from_secs(1);
/// How long a source has to be silent before another takes its place.
const SILENCE: Duration = Duration::from_millis(500);

/// A publisher.
#[derive(Debug)]
pub(super) struct Peer {
    agent: Agent,
    channel: Channel,
    streams: Vec<Stream>,
    /// Names us in RTCP.
    ssrc: u32,
    reduced_rtcp: bool,
    transport_sequence: Option<u8>,
    /// What is told of arrivals, if the publisher wants to know.
    arrivals: Option<Arrivals>,
    next_report: Option<Instant>,
    greeting: Greeting,
    round_trip: Option<Duration>,
    /// What last went wrong before there was a connection.
    trouble: Option<Broken>,
    transmits: VecDeque<(Path, Bytes)>,
    events: VecDeque<Event>,
}

/// What has come of a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The connection is secure.
    Connected,
    /// A packet of media, as it was sent at first.
    Packet { stream: usize, packet: rtp::Packet },
    /// What the publisher says of its clocks.
    Report { stream: usize, report: rtp::SenderReport },
    /// How long the way to the publisher and back takes, on average.
    RoundTrip(Duration),
    /// The publisher has closed the connection.
    Closed,
}

/// Our first datagram of the handshake: how long its answer takes is a first measure of the round trip, and the only one of a
/// publisher that answers no checks.
#[derive(Debug, Clone, Copy)]
enum Greeting {
    Awaited,
    Sent(Instant),
    /// It was answered, or sent again: then nobody knows which of them an answer is to (RFC 6298 3).
    Over,
}

/// What is taken of an `m=` section, and who sends it.
#[derive(Debug)]
struct Stream {
    media: Media,
    source: Option<Source>,
}

#[derive(Debug)]
struct Source {
    reception: Reception,
    newest: Instant,
}

impl Peer {
    /// The publisher that has made this proposal, and is told our credentials and who we are.
    pub(super) fn new(
        proposal: &Proposal,
        identity: &Identity,
        local: Credentials,
        now: Instant,
    ) -> Result<Self, Broken> {
        let streams: Vec<Stream> =
            proposal.media().map(|media| Stream { media: media.clone(), source: None }).collect();
        let transport_sequence = streams.iter().find_map(|stream| stream.media.transport_sequence);
        Ok(Self {
            agent: Agent::new(local, proposal.remote.clone()),
            channel: Channel::new(identity, proposal.role, proposal.fingerprint.clone())?,
            ssrc: u32::from_be_bytes(random::bytes()),
            reduced_rtcp: streams.iter().all(|stream| stream.media.reduced_rtcp),
            transport_sequence,
            arrivals: transport_sequence.map(|_| Arrivals::new(now)),
            streams,
            next_report: None,
            greeting: Greeting::Awaited,
            round_trip: None,
            trouble: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        })
    }

    /// Takes a datagram (RFC 7983 7).
    pub(super) fn handle(&mut self, path: Path, datagram: &[u8], now: Instant) {
        match datagram.first() {
            Some(0..=3) => self.handle_stun(path, datagram, now),
            Some(20..=63) => self.handle_dtls(datagram, now),
            Some(128..=191) if packet::is_rtcp(datagram) => self.handle_rtcp(datagram, now),
            Some(128..=191) => self.handle_rtp(datagram, now),
            _ => {}
        }
        self.gather(now);
    }

    /// Asks the publisher for something, if it has said that it can be asked.
    pub(super) fn ask(&mut self, feedback: &rtp::Feedback) {
        let (rtp::Feedback::Nack { stream, .. } | rtp::Feedback::Keyframe { stream }) = feedback;
        let Some(Stream { media, source: Some(source) }) = self.streams.get(*stream) else { return };
        let ssrc = source.reception.ssrc();
        // ffmpeg 9 agrees to reduced sizes for its pictures alone, and reads of what we send the first packet.
        let compound = Compound::new(self.ssrc, media.reduced_rtcp);
        match feedback {
            rtp::Feedback::Nack { sequences, .. } if media.nack => self.send_rtcp(compound.nack(ssrc, sequences)),
            rtp::Feedback::Keyframe { .. } if media.pli => self.send_rtcp(compound.picture_loss(ssrc)),
            _ => {}
        }
    }

    /// ICE starts anew; media goes on meanwhile.
    pub(super) fn restart_ice(&mut self, local: Credentials, remote: Credentials) {
        self.agent.restart(local, remote);
    }

    pub(super) fn agent(&self) -> &Agent {
        &self.agent
    }

    /// What has been in the way of a connection, if anything.
    pub(super) fn trouble(&self) -> Option<&Broken> {
        self.trouble.as_ref()
    }

    /// Tells the publisher that this is the end.
    pub(super) fn close(&mut self, now: Instant) {
        self.channel.close(now);
        self.gather(now);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
        if matches!(self.greeting, Greeting::Sent(_)) && self.channel.poll_timeout().is_some_and(|due| due <= now) {
            self.greeting = Greeting::Over;
        }
        if let Err(broken) = self.channel.handle_timeout(now) {
            self.trouble = Some(broken);
        }
        if self.next_report.is_some_and(|due| due <= now) {
            self.next_report = Some(now + REPORT);
            let sources = self.streams.iter_mut().filter_map(|stream| stream.source.as_mut());
            let blocks: Vec<[u8; 24]> = sources.map(|source| source.reception.block(now)).collect();
            self.send_rtcp(Compound::reports(self.ssrc, &blocks));
        }
        if let Some(body) = self.arrivals.as_mut().and_then(|arrivals| arrivals.take(now)) {
            let about = self.streams.iter().find_map(|stream| Some(stream.source.as_ref()?.reception.ssrc()));
            let compound = Compound::new(self.ssrc, self.reduced_rtcp);
            self.send_rtcp(compound.transport_feedback(about.unwrap_or_default(), &body));
        }
        self.gather(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let arrivals = self.arrivals.as_ref().and_then(Arrivals::poll_timeout);
        let all = [self.agent.poll_timeout(), self.channel.poll_timeout(), self.next_report, arrivals];
        all.into_iter().flatten().min()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<(Path, Bytes)> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn handle_stun(&mut self, path: Path, datagram: &[u8], now: Instant) {
        match self.agent.handle(path, datagram, now) {
            // Before it has chosen a path, a publisher may not be ready for the handshake.
            Outcome::Answered if self.agent.is_nominated() => {
                if let Err(broken) = self.channel.start(now) {
                    self.trouble = Some(broken);
                }
            }
            Outcome::Answered | Outcome::Junk => {}
            Outcome::RoundTrip(sample) => self.measured(sample),
        }
    }

    /// The round trip took so long this time.
    fn measured(&mut self, sample: Duration) {
        // RFC 6298 2.
        let smooth = self.round_trip.map_or(sample, |before| (before * 7 + sample) / 8);
        self.round_trip = Some(smooth);
        self.events.push_back(Event::RoundTrip(smooth));
    }

    fn handle_dtls(&mut self, datagram: &[u8], now: Instant) {
        if let Greeting::Sent(sent) = self.greeting {
            self.greeting = Greeting::Over;
            self.measured(now.saturating_duration_since(sent));
        }
        match self.channel.handle(datagram, now) {
            Ok(Progress::None) => {}
            Ok(Progress::Connected) => {
                self.next_report = Some(now + REPORT);
                self.events.push_back(Event::Connected);
            }
            Ok(Progress::Closed) => self.events.push_back(Event::Closed),
            // Anybody may have written it: it is told if no connection comes about.
            Err(broken) => self.trouble = Some(broken),
        }
    }

    fn handle_rtp(&mut self, datagram: &[u8], now: Instant) {
        let Some(opened) = self.channel.open_rtp(datagram) else { return };
        let Some(packet) = Packet::parse(&opened, self.transport_sequence) else { return };
        if let Some((arrivals, sequence)) = self.arrivals.as_mut().zip(packet.transport_sequence) {
            arrivals.record(sequence, now);
        }
        for (index, stream) in self.streams.iter_mut().enumerate() {
            let packet = if packet.payload_type == stream.media.payload_type {
                stream.receive(&packet, now).then(|| packet.clone())
            } else if stream.media.rtx == Some(packet.payload_type) {
                packet.clone().retransmitted()
            } else {
                None
            };
            if let Some(Packet { sequence, timestamp, marker, payload, .. }) = packet {
                let packet = rtp::Packet { sequence, timestamp, marker, payload };
                self.events.push_back(Event::Packet { stream: index, packet });
            }
        }
    }

    fn handle_rtcp(&mut self, datagram: &[u8], now: Instant) {
        let Some(opened) = self.channel.open_rtcp(datagram) else { return };
        for report in rtcp::sender_reports(&opened) {
            for (index, stream) in self.streams.iter_mut().enumerate() {
                let Some(source) = stream.source.as_mut().filter(|source| source.reception.ssrc() == report.ssrc)
                else {
                    continue;
                };
                source.reception.sender_report(&report, now);
                let report = rtp::SenderReport { ntp: report.ntp, timestamp: report.timestamp };
                self.events.push_back(Event::Report { stream: index, report });
            }
        }
    }

    fn send_rtcp(&mut self, compound: Compound) {
        let sealed = self.channel.seal_rtcp(&compound.into_bytes());
        self.transmits.extend(self.agent.selected().zip(sealed));
    }

    /// Takes what the layers have to send.
    fn gather(&mut self, now: Instant) {
        while let Some((path, datagram)) = self.agent.poll_transmit() {
            self.transmits.push_back((path, datagram.into()));
        }
        while let Some(datagram) = self.channel.poll_transmit() {
            if matches!(self.greeting, Greeting::Awaited) {
                self.greeting = Greeting::Sent(now);
            }
            self.transmits.extend(self.agent.selected().map(|path| (path, datagram)));
        }
    }
}

impl Stream {
    /// Whether a packet is of the source that the stream has. Where there is none, or it is silent, there is a new one.
    fn receive(&mut self, packet: &Packet, now: Instant) -> bool {
        let is_other = |source: &Source| source.reception.ssrc() != packet.ssrc;
        if self.source.as_ref().is_some_and(|source| is_other(source) && now < source.newest + SILENCE) {
            return false;
        }
        if self.source.as_ref().is_none_or(is_other) {
            let reception = Reception::new(packet.ssrc, self.media.clock_rate(), packet.sequence);
            self.source = Some(Source { reception, newest: now });
        }
        if let Some(source) = &mut self.source {
            source.newest = now;
            source.reception.packet(packet.sequence, packet.timestamp, now);
        }
        true
    }
}
