use std::collections::BTreeSet;
use std::time::Instant;

use touchline_media::timeline::Clock;
use touchline_media::{TrackId, feed};
use tracing::{debug, info, warn};

use super::{Counters, Demuxer, Event, Unsupported};
use crate::{Intake, Metrics};

/// What is told of one publication, at most: what a peer sends must not fill a disk.
const MAX_TOLD: usize = 64;

/// What a publisher sends as a transport stream, from being accepted to leaving: bytes in, samples into a feed, notices into
/// the log.
#[derive(Debug)]
pub struct Publication {
    demuxer: Demuxer,
    intake: Intake,
    /// What has been logged, once each.
    told: BTreeSet<String>,
    /// What metrics have been told of.
    counted: Counters,
}

impl Publication {
    /// One that writes to `writer`. Dropping it ends the feed.
    pub fn new(writer: feed::Writer) -> Self {
        Self {
            demuxer: Demuxer::default(),
            intake: Intake::new(writer),
            told: BTreeSet::new(),
            counted: Counters::default(),
        }
    }

    /// Takes the next bytes, which arrived at `received`. An error means that this publisher cannot be served.
    pub fn push(&mut self, data: &[u8], received: Instant, metrics: &Metrics) -> Result<(), Unsupported> {
        self.demuxer.push(data, received);
        self.pass_on(metrics)
    }

    /// Bytes are missing before the next push.
    pub fn gap(&mut self) {
        self.demuxer.gap();
    }

    /// What the transport stream has been like so far.
    pub fn counters(&self) -> Counters {
        self.demuxer.counters()
    }

    /// Where the samples go through.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Ends the feed, with what still waits.
    pub fn finish(mut self, metrics: &Metrics) {
        self.demuxer.finish();
        // What cannot be served is no matter any more.
        let _ = self.pass_on(metrics);
        for notice in self.intake.finish() {
            info!("{notice}");
        }
    }

    fn pass_on(&mut self, metrics: &Metrics) -> Result<(), Unsupported> {
        while let Some(event) = self.demuxer.poll() {
            match &event {
                Event::Unit(unit) => metrics.received(if unit.track == TrackId(0) { "video" } else { "audio" }),
                Event::Dropped { damage, .. } => {
                    metrics.dropped(damage.label(), 1);
                    self.intake.health().discarded(1);
                }
                _ => {}
            }
            self.take(event)?;
        }
        for notice in self.intake.notices() {
            info!("{notice}");
        }
        let counters = self.demuxer.counters();
        metrics.transport_stream(&self.counted, &counters);
        if self.counted.troubles() != counters.troubles() {
            let met_with = counters.troubles().into_iter().filter(|(_, count)| *count > 0);
            self.intake.health().link(met_with.map(|(what, count)| (what, as_figure(count))));
        }
        self.counted = counters;
        Ok(())
    }

    fn take(&mut self, event: Event) -> Result<(), Unsupported> {
        match event {
            Event::Tracks(tracks) => self.intake.list(tracks),
            Event::Configuration(track, format) => self.intake.configure(track, Clock::MPEG, format, None),
            Event::Unit(unit) => self.intake.push(unit),
            Event::Metadata(metadata) => {
                let (name, len) = (metadata.kind.name(), metadata.data.len());
                debug!("{name} of {len} bytes at {:?} on PID {}", metadata.pts, metadata.pid);
            }
            Event::Dropped { what, damage } => self.tell(true, || format!("drops {what}: {damage}")),
            Event::Remark(remark) => self.tell(remark.is_warning(), || remark.to_string()),
            Event::Refused(unsupported) => return Err(unsupported),
        }
        Ok(())
    }

    fn tell(&mut self, warning: bool, text: impl FnOnce() -> String) {
        if self.told.len() >= MAX_TOLD {
            return;
        }
        let text = text();
        if !self.told.contains(&text) {
            if warning {
                warn!("{text}");
            } else {
                info!("{text}");
            }
            self.told.insert(text);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn as_figure(count: u64) -> f64 {
    count as f64
}
