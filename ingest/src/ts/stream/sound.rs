use std::time::Instant;

use bytes::Bytes;
use touchline_media::{Format, TrackId, aac};

use super::{AUDIO, Output};
use crate::intake::Unit;
use crate::ts::{Damage, Event};

/// Frames of sound as they come out of whatever they are wrapped in.
#[derive(Debug)]
pub(super) struct Sound {
    track: TrackId,
    /// The last decoder configuration, and whether it can be played.
    configuration: Option<(Vec<u8>, bool)>,
    /// When the next frame is due: at the PTS of its PES packet, in 90 kHz, and so many samples later.
    due: Option<(i64, i64)>,
    rate: i64,
}

impl Sound {
    pub(super) fn new(track: TrackId) -> Self {
        Self { track, configuration: None, due: None, rate: CLOCK }
    }

    /// The next frame is due at a time of its own. (ISO/IEC 13818-1 2.4.3.7: the PTS is that of the first access unit that
    /// begins in the PES packet; those behind it follow.)
    pub(super) fn due_at(&mut self, pts: i64) {
        self.due = Some((pts, 0));
    }

    /// What comes next does not follow what was before.
    pub(super) fn lose(&mut self) {
        self.due = None;
    }

    /// A frame of AAC with its `AudioSpecificConfig`.
    pub(super) fn aac(&mut self, record: &[u8], frame: Bytes, received: Instant, out: &mut Output<'_>) {
        if self.configuration.as_ref().is_none_or(|(known, _)| known != record) {
            let config = aac::Config::parse(Bytes::copy_from_slice(record));
            self.rate = config.as_ref().map_or(CLOCK, |config| i64::from(config.sample_rate));
            self.configure(record, config.map(Format::Aac).map_err(Damage::from), out);
        }
        self.frame(frame, i64::from(aac::FRAME_LEN), received, out);
    }

    /// A frame whose decoder configuration does not come with it.
    pub(super) fn with(&mut self, format: &Format, frame: Bytes, ticks: u32, received: Instant, out: &mut Output<'_>) {
        if self.configuration.is_none() {
            self.rate = 48_000;
            self.configure(&[], Ok(format.clone()), out);
        }
        self.frame(frame, i64::from(ticks), received, out);
    }

    fn configure(&mut self, record: &[u8], format: Result<Format, Damage>, out: &mut Output<'_>) {
        self.configuration = Some((record.to_vec(), format.is_ok()));
        match format {
            Ok(format) => out.events.push_back(Event::Configuration(self.track, format)),
            Err(damage) => out.dropped(AUDIO, damage),
        }
    }

    fn frame(&mut self, data: Bytes, samples: i64, received: Instant, out: &mut Output<'_>) {
        let Some((pts, since)) = self.due.as_mut() else {
            out.counters.untimed_units += 1;
            return out.dropped(AUDIO, Damage::Untimed);
        };
        let dts = *pts + (*since * CLOCK + self.rate / 2) / self.rate;
        *since += samples;
        if self.configuration.as_ref().is_some_and(|(_, playable)| *playable) && !data.is_empty() {
            out.unit(Unit { track: self.track, dts, offset: 0, sync: true, data, received });
        }
    }
}

/// Ticks per second of a PTS.
const CLOCK: i64 = 90_000;
