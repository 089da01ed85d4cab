use std::collections::VecDeque;
use std::time::{Duration, Instant};

use touchline_media::{MediaTime, Sample, Timescale, Track};

use super::{TrackVitals, as_f64, name_of};

/// Rates are taken over so many whole seconds.
const WINDOW: usize = 10;
/// A clock is compared with what it was over so many seconds at the beginning.
const BASELINE: usize = 3;
/// So many frames in a row that are missing are a gap...
const GAP_FRAMES: i64 = 3;
/// ...and so much time, where frames have no fixed distance.
const GAP: Duration = Duration::from_millis(250);

/// What is measured of one track.
#[derive(Debug)]
pub(super) struct Gauge {
    track: Track,
    samples: u64,
    gaps: u64,
    keyframe_interval: Option<MediaTime>,
    /// The newest arrival.
    newest: Option<Instant>,
    stretch: Stretch,
}

/// What begins anew with each stretch.
#[derive(Debug, Default)]
struct Stretch {
    began: Option<Instant>,
    last: Option<MediaTime>,
    last_key: Option<MediaTime>,
    seconds: VecDeque<Second>,
    baseline: Option<i64>,
}

/// What arrived within a second.
#[derive(Debug, Clone, Copy)]
struct Second {
    /// Counted from the beginning of the stretch.
    number: u64,
    bytes: u64,
    samples: u64,
    /// How far media time was ahead of the time of arrival, in microseconds, at the sample that was delayed least.
    ahead: i64,
}

impl Gauge {
    /// Goes on counting where the same track was there before.
    pub(super) fn new(track: &Track, before: Option<Self>) -> Self {
        let (samples, gaps) = before.map_or((0, 0), |before| (before.samples, before.gaps));
        let stretch = Stretch::default();
        Self { track: track.clone(), samples, gaps, keyframe_interval: None, newest: None, stretch }
    }

    /// The timeline begins anew.
    pub(super) fn restart(&mut self) {
        self.stretch = Stretch::default();
    }

    pub(super) fn count(&mut self, sample: &Sample) {
        self.samples += 1;
        self.newest = Some(sample.received);
        if let Some(last) = self.stretch.last.replace(sample.dts)
            && sample.dts - last > self.longest_step()
        {
            self.gaps += 1;
        }
        if sample.sync
            && let Some(before) = self.stretch.last_key.replace(sample.pts)
        {
            self.keyframe_interval = Some(sample.pts - before);
        }
        self.stretch.arrived(sample);
    }

    pub(super) fn read(&self, now: Instant) -> TrackVitals {
        let rates = self.stretch.rates(now);
        let size = self.track.format.picture_size();
        let kind = self.track.format.kind();
        TrackVitals {
            track: self.track.id.0,
            kind: name_of(kind),
            codec: self.track.format.codec().into_owned(),
            width: size.map(|(width, _)| width),
            height: size.map(|(_, height)| height),
            bits_per_second: rates.map(|(bytes, _, seconds)| bytes * 8 / seconds),
            frame_rate: self.track.frame_duration().map(|frame| round(frame.as_secs_f64().recip())),
            samples_per_second: rates.map(|(_, samples, seconds)| round(as_f64(samples) / as_f64(seconds))),
            keyframe_interval_seconds: self
                .keyframe_interval
                .filter(|_| kind == touchline_media::Kind::Video)
                .map(|interval| round(interval.as_secs_f64())),
            drift_milliseconds: self.stretch.drift(now),
            samples: self.samples,
            gaps: self.gaps,
            silent_milliseconds: self.newest.map(|newest| millis(now.saturating_duration_since(newest))),
        }
    }

    /// From one sample to the next without a gap.
    fn longest_step(&self) -> MediaTime {
        match self.track.frame_ticks {
            Some(ticks) => MediaTime::new(i64::from(ticks) * GAP_FRAMES, self.track.timescale),
            None => MediaTime::from_duration(GAP, self.track.timescale),
        }
    }
}

impl Stretch {
    fn arrived(&mut self, sample: &Sample) {
        let began = *self.began.get_or_insert(sample.received);
        let since = sample.received.saturating_duration_since(began);
        let number = since.as_secs();
        let media = sample.dts.rescale(MICROS).ticks();
        let ahead = media - i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        match self.seconds.back_mut() {
            Some(second) if second.number == number => {
                second.bytes += sample.data.len() as u64;
                second.samples += 1;
                second.ahead = second.ahead.max(ahead);
            }
            _ => self.seconds.push_back(Second { number, bytes: sample.data.len() as u64, samples: 1, ahead }),
        }
        if self.baseline.is_none() && self.seconds.len() > BASELINE {
            self.baseline = self.seconds.iter().take(BASELINE).map(|second| second.ahead).max();
        }
        while self.seconds.len() > WINDOW + 1 {
            self.seconds.pop_front();
        }
    }

    /// The whole seconds within the window.
    fn whole(&self, now: Instant) -> Option<(u64, impl Iterator<Item = &Second>)> {
        let current = now.saturating_duration_since(self.began?).as_secs();
        let from = current.saturating_sub(WINDOW as u64);
        let seconds = self.seconds.iter().filter(move |second| (from..current).contains(&second.number));
        (current > from).then_some((current - from, seconds))
    }

    /// Bytes and samples, and over how many seconds.
    fn rates(&self, now: Instant) -> Option<(u64, u64, u64)> {
        let (span, seconds) = self.whole(now)?;
        let (bytes, samples) = seconds.fold((0, 0), |sum, second| (sum.0 + second.bytes, sum.1 + second.samples));
        Some((bytes, samples, span))
    }

    fn drift(&self, now: Instant) -> Option<i64> {
        let (_, seconds) = self.whole(now)?;
        let ahead = seconds.map(|second| second.ahead).max()?;
        Some((ahead - self.baseline?) / 1_000)
    }
}

const MICROS: Timescale = match Timescale::new(1_000_000) {
    Some(micros) => micros,
    None => Timescale::MILLIS,
};

/// To three decimals: more is noise.
fn round(figure: f64) -> f64 {
    (figure * 1_000.0).round() / 1_000.0
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
