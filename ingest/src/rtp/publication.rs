use std::collections::VecDeque;
use std::time::{Duration, Instant};

use touchline_media::feed;

use super::reorder::{Next, Reorder};
use super::{Codec, Counters, Feedback, Packet, SenderReport, Settings};
use crate::{Intake, Metrics};

/// What a publisher sends by RTP, from being accepted to leaving: packets in, samples into a feed, feedback out.
#[derive(Debug)]
pub struct Publication {
    intake: Intake,
    streams: Vec<Reorder>,
    feedback: VecDeque<Feedback>,
    counters: Counters,
}

impl Publication {
    /// One that writes to `writer` what streams of these codecs bring: the first of pictures, and the first of sound.
    /// Dropping it ends the feed.
    pub fn new(writer: feed::Writer, streams: &[Codec], settings: Settings, _now: Instant) -> Self {
        let mut intake = Intake::new(writer);
        let sound = |codec: &Codec| matches!(codec, Codec::Opus { .. });
        intake.expect(!streams.iter().all(sound), streams.iter().any(sound));
        let streams = streams.iter().map(|_| Reorder::new(settings.patience)).collect();
        Self { intake, streams, feedback: VecDeque::new(), counters: Counters::default() }
    }

    /// Takes a packet of a stream, which arrived at `now`.
    pub fn packet(&mut self, stream: usize, packet: Packet, now: Instant, metrics: &Metrics) {
        if let Some(reorder) = self.streams.get_mut(stream) {
            reorder.push(packet, now, &mut self.counters);
        }
        self.handle_timeout(now, metrics);
    }

    /// Takes what the sender says of its clocks, which arrived at `now`.
    pub fn report(&mut self, _stream: usize, _report: SenderReport, _now: Instant) {
        self.counters.reports += 1;
    }

    /// The time from asking the sender for something to its coming.
    pub fn round_trip(&mut self, round_trip: Duration) {
        self.streams.iter_mut().for_each(|reorder| reorder.round_trip(round_trip));
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Instant, _metrics: &Metrics) {
        for (stream, reorder) in self.streams.iter_mut().enumerate() {
            while let Some(next) = reorder.poll(now, &mut self.counters) {
                self.counters.units += u64::from(matches!(next, Next::Packet(..)));
            }
            let sequences = reorder.asks(now, &mut self.counters);
            if !sequences.is_empty() {
                self.feedback.push_back(Feedback::Nack { stream, sequences });
            }
        }
    }

    /// When [`Publication::handle_timeout`] is to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.streams.iter().filter_map(Reorder::poll_timeout).min()
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
    pub fn finish(self, _metrics: &Metrics) {
        drop(self.intake.finish());
    }
}
