use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use touchline_media::timeline::Clock as Ticks;
use touchline_media::{Timescale, TrackId, feed};
use tracing::{info, warn};

use super::clock::{Clock, Which};
use super::pictures::{AccessUnit, Event};
use super::stream::Stream;
use super::{Counters, Description, Feedback, Packet, SenderReport, Settings};
use crate::intake::Unit;
use crate::{Intake, Metrics};

/// What is told of one publication, at most: what a peer sends must not fill a disk.
const MAX_TOLD: usize = 64;
/// The most feedback that waits to be polled: it is soon of no use.
const MAX_FEEDBACK: usize = 64;
/// The tracks of pictures and sound.
const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);
/// How sound is counted, and pictures: unwrapped.
const SOUND: Ticks = Ticks { timescale: Timescale::FORTY_EIGHT_KHZ, bits: 62 };
const PICTURES: Ticks = Ticks { timescale: Timescale::NINETY_KHZ, bits: 62 };
/// A picture that is due so many ticks before the one that came before it has been changed places with it.
const MAX_REORDERED: i64 = 45_000;

/// What a publisher sends by RTP, from being accepted to leaving: packets in, samples into a feed, feedback out.
#[derive(Debug)]
pub struct Publication {
    /// `None` for those that are not taken.
    streams: Vec<Option<Stream>>,
    clock: Clock,
    intake: Intake,
    /// When pictures were due last.
    decoded: Option<i64>,
    feedback: VecDeque<Feedback>,
    counters: Counters,
    /// The latest time it was told.
    now: Instant,
    /// What has been logged, once each.
    told: BTreeSet<String>,
}

impl Publication {
    /// One that writes to `writer` what these streams bring: the first of pictures, and the first of sound. Dropping it ends
    /// the feed.
    pub fn new(writer: feed::Writer, streams: &[Description], settings: Settings, now: Instant) -> Self {
        let mut intake = Intake::new(writer);
        let mut free = [Some(VIDEO), Some(AUDIO)];
        let streams = streams.iter().map(|description| {
            let [video, audio] = &mut free;
            let track = if description.codec.is_sound() { audio.take() } else { video.take() };
            Stream::new(description, track?, &settings)
        });
        let streams: Vec<Option<Stream>> = streams.collect();
        let has = |track| streams.iter().flatten().any(|stream| stream.track == track);
        intake.expect(has(VIDEO), has(AUDIO));
        Self {
            clock: Clock::new(now),
            streams,
            intake,
            decoded: None,
            feedback: VecDeque::new(),
            counters: Counters::default(),
            now,
            told: BTreeSet::new(),
        }
    }

    /// Takes a packet of a stream, which arrived at `now`.
    pub fn packet(&mut self, stream: usize, packet: Packet, now: Instant, metrics: &Metrics) {
        if let Some(Some(found)) = self.streams.get_mut(stream) {
            found.reorder.push(packet, now, &mut self.counters);
            self.advance(stream, now, metrics);
        }
    }

    /// Takes what the sender says of its clocks, which arrived at `now`.
    pub fn report(&mut self, stream: usize, report: SenderReport, now: Instant) {
        let Some(Some(stream)) = self.streams.get(stream) else { return };
        let which = if stream.track == VIDEO { Which::Pictures } else { Which::Sound };
        if self.clock.report(which, report, now) {
            self.counters.reports += 1;
        } else {
            self.counters.ignored_reports += 1;
        }
    }

    /// The time from asking the sender for something to its coming.
    pub fn round_trip(&mut self, round_trip: Duration) {
        self.streams.iter_mut().flatten().for_each(|stream| stream.round_trip(round_trip));
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Instant, metrics: &Metrics) {
        for stream in 0..self.streams.len() {
            self.advance(stream, now, metrics);
        }
    }

    /// When [`Publication::handle_timeout`] is to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.streams.iter().flatten().filter_map(Stream::poll_timeout).min()
    }

    /// What is to be asked of the sender. To be polled after each call that may bring some.
    pub fn poll_feedback(&mut self) -> Option<Feedback> {
        self.feedback.pop_front()
    }

    /// What it has met with so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Where the samples go through.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Ends the feed, with what still waits.
    pub fn finish(mut self, metrics: &Metrics) {
        for index in 0..self.streams.len() {
            let Some(Some(stream)) = self.streams.get_mut(index) else { continue };
            let (track, pre_skip) = (stream.track, stream.pre_skip());
            for event in stream.finish(self.now, &mut self.counters) {
                self.take(track, pre_skip, event, metrics);
            }
        }
        for notice in self.intake.finish() {
            info!("{notice}");
        }
    }

    /// Hands on what is in order of a stream, and asks for what is due.
    fn advance(&mut self, index: usize, now: Instant, metrics: &Metrics) {
        self.now = self.now.max(now);
        let Some(Some(stream)) = self.streams.get_mut(index) else { return };
        let (track, pre_skip) = (stream.track, stream.pre_skip());
        let events = stream.advance(now, &mut self.counters);
        let sequences = stream.reorder.asks(now, &mut self.counters);
        if stream.asks_for_keyframe(now) {
            self.counters.keyframe_requests += 1;
            self.ask(Feedback::Keyframe { stream: index });
        }
        if !sequences.is_empty() {
            self.ask(Feedback::Nack { stream: index, sequences });
        }
        for event in events {
            self.take(track, pre_skip, event, metrics);
        }
        for notice in self.intake.notices() {
            info!("{notice}");
        }
    }

    fn ask(&mut self, feedback: Feedback) {
        if self.feedback.len() >= MAX_FEEDBACK {
            self.feedback.pop_front();
        }
        self.feedback.push_back(feedback);
    }

    fn take(&mut self, track: TrackId, pre_skip: i64, event: Event, metrics: &Metrics) {
        let (kind, ticks) = if track == VIDEO { ("video", PICTURES) } else { ("audio", SOUND) };
        match event {
            Event::Configuration(format) => self.intake.configure(track, ticks, format, None),
            Event::Unit(unit) => {
                metrics.received(kind);
                self.counters.units += 1;
                self.counters.keyframes += u64::from(unit.sync && track == VIDEO);
                let unit = if track == VIDEO { self.picture(unit) } else { self.sound(unit, pre_skip) };
                self.intake.push(unit);
            }
            Event::Dropped(damage) => {
                metrics.dropped(damage.label(), 1);
                self.counters.dropped_units += 1;
                self.intake.health().discarded(1);
                self.tell(format!("drops {kind}: {damage}"));
            }
        }
    }

    fn picture(&mut self, unit: AccessUnit) -> Unit {
        let pts = self.clock.picture(unit.timestamp, unit.began);
        // Timestamps are those of presentation. Without pictures that are shown before others that came first, as browsers
        // send none, those of decoding are the same.
        let reordered = self.decoded.filter(|last| (0..MAX_REORDERED).contains(&(last - pts)));
        if reordered.is_some() {
            self.tell("pictures are not in the order in which they are shown: set the encoder to no B-frames".into());
        }
        let dts = reordered.map_or(pts, |last| last + 1);
        self.decoded = Some(dts);
        let AccessUnit { sync, data, received, .. } = unit;
        Unit { track: VIDEO, dts, offset: pts - dts, sync, data, received }
    }

    fn sound(&mut self, unit: AccessUnit, pre_skip: i64) -> Unit {
        let dts = self.clock.sound(unit.timestamp, unit.began) - pre_skip;
        let AccessUnit { sync, data, received, .. } = unit;
        Unit { track: AUDIO, dts, offset: 0, sync, data, received }
    }

    fn tell(&mut self, text: String) {
        if self.told.len() < MAX_TOLD && !self.told.contains(&text) {
            warn!("{text}");
            self.told.insert(text);
        }
    }
}
