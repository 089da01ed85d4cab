//! A sender, a network that loses and delays, and the publication behind it, by one clock that nobody waits for.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use touchline_media::feed;

use super::packetizer::payloads;
use crate::Metrics;
use crate::rtp::depacketize::Form;
use crate::rtp::{Codec, Counters, Description, Feedback, Packet, Publication, SenderReport, Settings};

pub(crate) const SPS: &[u8] =
    b"\x67\x64\0\x0d\xac\xd9\x41\x41\x9f\x9f\x01\x10\0\0\x03\0\x10\0\0\x03\x03\xc0\xf1\x42\x99\x60";
pub(crate) const PPS: &[u8] = b"\x68\xef\x8f\xcb";
pub(super) const PICTURES: usize = 0;
pub(super) const SOUND: usize = 1;
const MTU: usize = 1_200;

/// What the network does to packets, and sender and network to time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    /// Of a hundred packets.
    pub(super) lost: u64,
    /// The same.
    pub(super) doubled: u64,
    /// One way, in microseconds.
    pub(super) delay: u64,
    /// The most on top.
    pub(super) jitter: u64,
    /// By how much the clock of the sender's sound is fast against its wall clock, in millionths; and this against ours.
    pub(super) sound_drift: i64,
    pub(super) wall_drift: i64,
}

impl Default for Link {
    fn default() -> Self {
        Self { lost: 0, doubled: 0, delay: 20_000, jitter: 0, sound_drift: 0, wall_drift: 0 }
    }
}

/// What a sender sends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    /// Bytes of a picture that is no keyframe; one that is has ten times as many.
    pub(super) picture: usize,
    /// Whether requests for keyframes are heeded; else there is one with so many pictures.
    pub(super) heeds: Option<u32>,
    /// How much later than sound pictures are sent, in microseconds: encoders take time.
    pub(super) encoding: u64,
    pub(super) reports: bool,
    pub(super) first_sequence: u16,
    pub(super) first_timestamp: u32,
}

impl Default for Sender {
    fn default() -> Self {
        let (first_sequence, first_timestamp) = (65_000, u32::MAX - 500_000);
        Self { picture: 3_000, heeds: None, encoding: 30_000, reports: true, first_sequence, first_timestamp }
    }
}

#[derive(Debug, Clone)]
enum Event {
    Picture(u32),
    Sound(u32),
    Report,
    Arrives(usize, Packet),
    Told(usize, SenderReport),
    Asked(Feedback),
}

/// A session of pictures, 30 a second, and sound.
pub(super) struct Session {
    publication: Publication,
    metrics: Metrics,
    pub(super) link: Link,
    sender: Sender,
    reader: feed::Reader,
    begun: Instant,
    /// In microseconds.
    now: u64,
    events: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
    random: u64,
    next_sequence: [u16; 2],
    sent: HashMap<(usize, u16), Packet>,
    wants_keyframe: bool,
    /// Whether sound is sent, and pictures.
    pub(super) muted: bool,
    paused: bool,
    /// The level in the parameter sets.
    level: u8,
    /// What the feed brought.
    seen: Vec<feed::Event>,
    /// When keyframes were asked for, and how many packets were.
    pub(super) keyframe_requests: Vec<u64>,
    pub(super) asked: u64,
    pub(super) packets_sent: u64,
}

impl Session {
    pub(super) fn new(seed: u64, link: Link, sender: Sender) -> Self {
        let (writer, reader) = feed::channel();
        let begun = Instant::now();
        let streams = [Codec::H264, Codec::Opus { channels: 2 }].map(Description::from);
        let mut publication = Publication::new(writer, &streams, Settings::default(), begun);
        publication.round_trip(Duration::from_micros(2 * link.delay + link.jitter));
        let mut session = Self {
            publication,
            metrics: Metrics::default(),
            link,
            sender,
            reader,
            begun,
            now: 0,
            events: BTreeMap::new(),
            scheduled: 0,
            random: seed,
            next_sequence: [sender.first_sequence; 2],
            sent: HashMap::new(),
            wants_keyframe: true,
            muted: false,
            paused: false,
            level: 0x0d,
            seen: Vec::new(),
            keyframe_requests: Vec::new(),
            asked: 0,
            packets_sent: 0,
        };
        session.schedule(0, Event::Picture(0));
        session.schedule(0, Event::Sound(0));
        session.schedule(1_000_000, Event::Report);
        session
    }

    /// Lets so much time pass, in milliseconds since the beginning.
    pub(super) fn run_until(&mut self, millis: u64) {
        loop {
            let timeout = self.publication.poll_timeout().map(|due| self.micros(due));
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let next = event.into_iter().chain(timeout).min().unwrap_or(u64::MAX).max(self.now);
            if next > millis * 1_000 {
                self.now = millis * 1_000;
                break;
            }
            self.now = next;
            if event == Some(next) {
                let (_, event) = self.events.pop_first().unwrap();
                self.handle(event);
            } else {
                self.publication.handle_timeout(self.instant(), &self.metrics);
            }
            self.take_feedback();
            while let Some(event) = self.reader.try_next() {
                self.seen.push(event);
            }
        }
    }

    /// Ends the feed. What it brought, and what was counted until then.
    pub(super) fn end(mut self) -> (Vec<feed::Event>, Counters) {
        let counters = self.publication.counters();
        self.publication.finish(&self.metrics);
        while let Some(event) = self.reader.try_next() {
            self.seen.push(event);
        }
        (self.seen, counters)
    }

    /// Nothing more is sent.
    pub(super) fn pause(&mut self) {
        (self.muted, self.paused) = (true, true);
    }

    /// The sender's pictures are others from now on.
    pub(super) fn change_to_level(&mut self, level: u8) {
        (self.level, self.wants_keyframe) = (level, true);
    }

    fn instant(&self) -> Instant {
        self.begun + Duration::from_micros(self.now)
    }

    fn micros(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.begun).as_nanos().div_ceil(1_000)).unwrap()
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.scheduled += 1;
        self.events.insert((at, self.scheduled), event);
    }

    fn handle(&mut self, event: Event) {
        let now = self.instant();
        match event {
            Event::Picture(n) => {
                if !self.paused {
                    self.send_picture(n);
                }
                let at = self.here(u64::from(n + 1) * 1_000_000 / 30);
                self.schedule(at + self.sender.encoding, Event::Picture(n + 1));
            }
            Event::Sound(n) => {
                if !self.muted {
                    let timestamp = self.sender.first_timestamp.wrapping_add(n * 960);
                    self.send(SOUND, timestamp, true, sound(n));
                }
                let at = self.here(sound_captured(n + 1, self.link.sound_drift));
                self.schedule(at, Event::Sound(n + 1));
            }
            Event::Report => {
                if self.sender.reports {
                    self.send_reports();
                }
                self.schedule(self.now + 1_000_000, Event::Report);
            }
            Event::Arrives(stream, packet) => self.publication.packet(stream, packet, now, &self.metrics),
            Event::Told(stream, report) => self.publication.report(stream, report, now),
            Event::Asked(Feedback::Keyframe { .. }) => {
                self.wants_keyframe |= self.sender.heeds.is_none();
            }
            Event::Asked(Feedback::Nack { stream, sequences }) => {
                for sequence in sequences {
                    let Some(packet) = self.sent.get(&(stream, sequence)).cloned() else { continue };
                    self.transmit(stream, &packet);
                }
            }
        }
    }

    fn send_picture(&mut self, n: u32) {
        let keyframe = match self.sender.heeds {
            None => std::mem::take(&mut self.wants_keyframe),
            Some(interval) => n.is_multiple_of(interval),
        };
        let units = picture(n, keyframe, self.sender.picture, self.level);
        let timestamp = self.sender.first_timestamp.wrapping_add(n * 3_000);
        let payloads = payloads(Form::H264, &units, MTU);
        let count = payloads.len();
        for (at, payload) in payloads.into_iter().enumerate() {
            self.send(PICTURES, timestamp, at + 1 == count, payload);
        }
    }

    fn send(&mut self, stream: usize, timestamp: u32, marker: bool, payload: Vec<u8>) {
        let sequence = self.next_sequence[stream];
        self.next_sequence[stream] = sequence.wrapping_add(1);
        let packet = Packet { sequence, timestamp, marker, payload: Bytes::from(payload) };
        self.sent.insert((stream, sequence), packet.clone());
        self.packets_sent += 1;
        self.transmit(stream, &packet);
    }

    fn transmit(&mut self, stream: usize, packet: &Packet) {
        for _ in 0..=u64::from(self.chance() < self.link.doubled) {
            if self.chance() >= self.link.lost {
                let jitter = self.random() % (self.link.jitter + 1);
                let at = self.now + self.link.delay + jitter;
                self.schedule(at, Event::Arrives(stream, packet.clone()));
            }
        }
    }

    /// What the clocks of the sender are when it is so late here.
    fn send_reports(&mut self) {
        let wall = self.now.checked_add_signed(self.now.cast_signed() * self.link.wall_drift / 1_000_000).unwrap();
        let ntp = 0xe800_0000_0000_0000 + u64::try_from((u128::from(wall) << 32) / 1_000_000).unwrap();
        let sound_clock = wall.checked_add_signed(wall.cast_signed() * self.link.sound_drift / 1_000_000).unwrap();
        for (stream, micros, rate) in [(PICTURES, wall, 90_000), (SOUND, sound_clock, 48_000)] {
            let ticks = u32::try_from((micros * rate / 1_000_000) & 0xffff_ffff).unwrap();
            let timestamp = self.sender.first_timestamp.wrapping_add(ticks);
            let at = self.now + self.link.delay + self.random() % (self.link.jitter + 1);
            self.schedule(at, Event::Told(stream, SenderReport { ntp, timestamp }));
        }
    }

    fn take_feedback(&mut self) {
        while let Some(feedback) = self.publication.poll_feedback() {
            match &feedback {
                Feedback::Nack { sequences, .. } => self.asked += sequences.len() as u64,
                Feedback::Keyframe { .. } => self.keyframe_requests.push(self.now / 1_000),
            }
            if self.chance() >= self.link.lost {
                self.schedule(self.now + self.link.delay, Event::Asked(feedback));
            }
        }
    }

    /// When it is so late by the sender's wall clock.
    fn here(&self, wall: u64) -> u64 {
        wall.checked_add_signed(-wall.cast_signed() * self.link.wall_drift / 1_000_000).unwrap()
    }

    fn chance(&mut self) -> u64 {
        self.random() % 100
    }

    /// `SplitMix64`.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

/// When the sender hears what is in a packet of sound, in microseconds of its wall clock.
pub(super) fn sound_captured(n: u32, drift: i64) -> u64 {
    let nominal = u64::from(n) * 20_000;
    nominal.checked_add_signed(-nominal.cast_signed() * drift / 1_000_000).unwrap()
}

/// 20 ms of Opus that tells its number.
pub(super) fn sound(n: u32) -> Vec<u8> {
    [&[31 << 3][..], &n.to_be_bytes(), &[7; 60]].concat()
}

/// A picture in two slices that tell its number.
pub(super) fn picture(n: u32, keyframe: bool, len: usize, level: u8) -> Vec<Vec<u8>> {
    let header = if keyframe { 0x65 } else { 0x41 };
    let len = if keyframe { len * 10 } else { len };
    let slice = |number: u8| {
        let mut slice = [&[header, number][..], &n.to_be_bytes()].concat();
        slice.extend((0..len / 2).map(|at| u8::try_from((at + usize::from(number) + n as usize) % 255).unwrap()));
        slice
    };
    let mut units = vec![slice(0), slice(1)];
    if keyframe {
        let mut sps = SPS.to_vec();
        sps[3] = level;
        units.splice(0..0, [sps, PPS.to_vec()]);
    }
    units
}
