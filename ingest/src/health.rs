//! How a publisher's feed is doing: one model, whatever protocol it comes by.

mod gauge;
mod roster;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use touchline_media::{Kind, Sample, Track, TrackId};

use self::gauge::Gauge;
pub use self::roster::{Publisher, Report, Roster, Seat};

/// What is counted and measured of one publisher's feed; its clones are one.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    tracks: BTreeMap<TrackId, Gauge>,
    stretches: u64,
    jumps: u64,
    discarded: u64,
    link: BTreeMap<&'static str, f64>,
}

impl Health {
    /// A stretch of these tracks begins.
    pub(crate) fn started(&self, tracks: &[Track]) {
        let mut state = self.lock();
        state.stretches += 1;
        let mut before = std::mem::take(&mut state.tracks);
        let gauges = tracks.iter().map(|track| (track.id, Gauge::new(track, before.remove(&track.id))));
        state.tracks = gauges.collect();
    }

    /// A sample of the stretch has arrived.
    pub(crate) fn sample(&self, sample: &Sample) {
        if let Some(gauge) = self.lock().tracks.get_mut(&sample.track) {
            gauge.count(sample);
        }
    }

    /// The publisher's clock has jumped.
    pub(crate) fn jumped(&self) {
        let mut state = self.lock();
        state.jumps += 1;
        state.stretches += 1;
        state.tracks.values_mut().for_each(Gauge::restart);
    }

    /// Samples could not be used.
    pub(crate) fn discarded(&self, count: u64) {
        self.lock().discarded += count;
    }

    /// What the protocol knows of the connection, by name with unit; a figure of the same name is replaced.
    pub(crate) fn link(&self, figures: impl IntoIterator<Item = (&'static str, f64)>) {
        self.lock().link.extend(figures);
    }

    /// How the feed has done until `now`.
    pub fn read(&self, now: Instant) -> Vitals {
        let state = self.lock();
        let tracks: Vec<TrackVitals> = state.tracks.values().map(|gauge| gauge.read(now)).collect();
        let drift = |kind| tracks.iter().find(|track| track.kind == kind).and_then(|track| track.drift_milliseconds);
        Vitals {
            audio_video_drift_milliseconds: drift("audio").zip(drift("video")).map(|(audio, video)| audio - video),
            bits_per_second: tracks.iter().filter_map(|track| track.bits_per_second).sum(),
            gaps: tracks.iter().map(|track| track.gaps).sum(),
            stretches: state.stretches,
            timestamp_jumps: state.jumps,
            discarded_samples: state.discarded,
            link: state.link.clone(),
            tracks,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a feed does. Rates are over the last ten whole seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Vitals {
    /// Of all tracks.
    pub bits_per_second: u64,
    /// How much further the clock of the sound has moved against ours, since the stretch began, than that of the pictures.
    /// What does not stay near nought is heard as loss of lip sync.
    pub audio_video_drift_milliseconds: Option<i64>,
    /// How often a track left out three frames or more.
    pub gaps: u64,
    /// How often the timeline has begun: at the start, at jumps, and where the tracks changed.
    pub stretches: u64,
    /// How often the publisher's clock has jumped.
    pub timestamp_jumps: u64,
    /// Samples that arrived and could not be used.
    pub discarded_samples: u64,
    /// Each track.
    pub tracks: Vec<TrackVitals>,
    /// What the protocol knows of the connection, by name with unit.
    pub link: BTreeMap<&'static str, f64>,
}

/// How a track does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackVitals {
    /// Its number within the feed.
    pub track: u32,
    /// `video` or `audio`.
    pub kind: &'static str,
    /// As in RFC 6381.
    pub codec: String,
    /// In pixels.
    pub width: Option<u32>,
    /// In pixels.
    pub height: Option<u32>,
    /// `None` until there has been a whole second.
    pub bits_per_second: Option<u64>,
    /// As the source says or was found to keep to; `None` where it keeps to none.
    pub frame_rate: Option<f64>,
    /// As they arrived.
    pub samples_per_second: Option<f64>,
    /// Between the last two keyframes.
    pub keyframe_interval_seconds: Option<f64>,
    /// How much further its clock has moved than ours since the stretch began: above nought, it is fast.
    pub drift_milliseconds: Option<i64>,
    /// Since the publisher came.
    pub samples: u64,
    /// How often three frames or more were left out.
    pub gaps: u64,
    /// Since the newest sample arrived.
    pub silent_milliseconds: Option<u64>,
}

/// `video` or `audio`.
fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Video => "video",
        Kind::Audio => "audio",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
