use std::collections::{BTreeMap, BTreeSet};

use touchline_media::{Format, FrameRate, Kind, MediaTime, Timescale, TrackId, aac, opus};

use super::tracker::Spacing;
use super::{Expected, Source, Unit};

/// A track that was announced, or may yet come, is waited for while the others fill this many milliseconds.
pub(super) const MAX_WAIT_ANNOUNCED: i64 = 2_000;
/// The same for a track that nobody announced.
pub(super) const MAX_WAIT_UNANNOUNCED: i64 = 500;
/// The most units that wait.
pub(super) const MAX_UNITS: usize = 512;
/// The most bytes that wait.
pub(super) const MAX_BYTES: usize = 16 * 1_024 * 1_024;

/// Intervals that confirm a declared frame rate.
const CONFIRMING: usize = 4;
/// Intervals from which a frame rate is measured.
const MEASURING: usize = 16;

/// Units that wait until the tracks and the frame rates of a stretch are known.
#[derive(Debug, Default)]
pub(super) struct Probe {
    units: Vec<Unit>,
    bytes: usize,
}

impl Probe {
    pub(super) fn push(&mut self, unit: Unit) {
        self.bytes += unit.data.len();
        self.units.push(unit);
    }

    pub(super) fn is_ready(
        &self,
        sources: &BTreeMap<TrackId, Source>,
        expected: Option<Expected>,
        listed: Option<&BTreeSet<TrackId>>,
    ) -> bool {
        if self.units.len() >= MAX_UNITS || self.bytes >= MAX_BYTES {
            return true;
        }
        if let Some(listed) = listed {
            let (complete, waited) = (listed.iter().all(|id| self.has(*id)), self.span(sources));
            return (complete && self.rates_are_known(sources)) || waited >= MAX_WAIT_ANNOUNCED;
        }
        // A decoder configuration announces its track as well as metadata do.
        let configured = |kind| sources.values().any(|source| source.format.kind() == kind);
        let announced = expected.is_some() || (configured(Kind::Video) && configured(Kind::Audio));
        let wait = if announced { MAX_WAIT_ANNOUNCED } else { MAX_WAIT_UNANNOUNCED };
        let expected = expected.unwrap_or(Expected { video: true, audio: true });
        let here = |kind| {
            let here = |(id, source): (&TrackId, &Source)| source.format.kind() == kind && self.has(*id);
            sources.iter().any(here)
        };
        let complete = sources.keys().all(|id| self.has(*id))
            && (!expected.video || here(Kind::Video))
            && (!expected.audio || here(Kind::Audio));
        let waited = self.span(sources);
        (complete || waited >= wait) && (self.rates_are_known(sources) || waited >= MAX_WAIT_ANNOUNCED)
    }

    /// The spacing of each track that has one, as far as units of it are here.
    pub(super) fn spacings(&self, sources: &BTreeMap<TrackId, Source>) -> BTreeMap<TrackId, Spacing> {
        let spacing = |id: TrackId, source: &Source| match &source.format {
            Format::Aac(config) => {
                let rounding = source.clock.timescale;
                Some(Spacing { timescale: config.timescale(), ticks: aac::FRAME_LEN, rounding })
            }
            Format::Opus(config) => {
                let rounding = source.clock.timescale;
                Some(Spacing { timescale: config.timescale(), ticks: self.packet_duration(id)?, rounding })
            }
            _ => {
                let intervals = self.intervals(id, source);
                let rate = intervals.rate(source)?;
                Some(Spacing { timescale: rate.timescale(), ticks: rate.frame_ticks(), rounding: intervals.clock })
            }
        };
        sources.iter().filter_map(|(id, source)| Some((*id, spacing(*id, source)?))).collect()
    }

    /// What all packets of an Opus track last, in its ticks.
    fn packet_duration(&self, track: TrackId) -> Option<u32> {
        let packets = self.units.iter().filter(|unit| unit.track == track);
        let mut durations = packets.map(|unit| opus::packet_duration(&unit.data).ok());
        let first = durations.next()??;
        durations.all(|duration| duration == Some(first)).then_some(first)
    }

    /// The frame rate of each video track that has one.
    fn rates(&self, sources: &BTreeMap<TrackId, Source>) -> BTreeMap<TrackId, FrameRate> {
        self.videos(sources).filter_map(|(id, source)| Some((id, self.intervals(id, source).rate(source)?))).collect()
    }

    /// The units, in the order they came.
    pub(super) fn into_units(mut self, sources: &BTreeMap<TrackId, Source>) -> Vec<Unit> {
        for (id, rate) in self.rates(sources) {
            let Some(source) = sources.get(&id) else { continue };
            spread_clamped(&mut self.units, id, rate, source.clock.timescale);
        }
        self.units
    }

    pub(super) fn has(&self, track: TrackId) -> bool {
        self.units.iter().any(|unit| unit.track == track)
    }

    fn rates_are_known(&self, sources: &BTreeMap<TrackId, Source>) -> bool {
        self.videos(sources).all(|(id, source)| {
            let intervals = self.intervals(id, source);
            intervals.ticks.len() >= MEASURING || intervals.confirmed(source).is_some()
        })
    }

    fn videos<'a>(&'a self, sources: &'a BTreeMap<TrackId, Source>) -> impl Iterator<Item = (TrackId, &'a Source)> {
        let is_video = |(id, source): &(&TrackId, &Source)| source.format.kind() == Kind::Video && self.has(**id);
        sources.iter().filter(is_video).map(|(id, source)| (*id, source))
    }

    /// The longest span that a track fills, in milliseconds.
    fn span(&self, sources: &BTreeMap<TrackId, Source>) -> i64 {
        let spans = sources.iter().map(|(id, source)| {
            let mut times = self.units.iter().filter(|unit| unit.track == *id).map(|unit| unit.dts);
            let first = times.next().unwrap_or(0);
            let span = times.max().unwrap_or(first).saturating_sub(first);
            MediaTime::new(span, source.clock.timescale).rescale(Timescale::MILLIS).ticks()
        });
        spans.max().unwrap_or(0)
    }

    fn intervals(&self, track: TrackId, source: &Source) -> Intervals {
        let times: Vec<i64> = self.units.iter().filter(|unit| unit.track == track).map(|unit| unit.dts).collect();
        let steps = times.iter().zip(times.iter().skip(1));
        Intervals::new(steps.map(|(a, b)| b.saturating_sub(*a)).collect(), source.clock.timescale)
    }
}

/// A muxer that cannot send decode times below zero sends the first of a stream with B-frames as zeros: they are a frame
/// apart and come before the last of them.
fn spread_clamped(units: &mut [Unit], track: TrackId, rate: FrameRate, timescale: Timescale) {
    let mut leading: Vec<&mut Unit> = units.iter_mut().filter(|unit| unit.track == track).collect();
    let Some(first) = leading.first().map(|unit| unit.dts) else { return };
    let count = leading.iter().take_while(|unit| unit.dts == first).count();
    for (frames, unit) in (0_i64..).zip(leading.iter_mut().take(count).rev()) {
        let frames = MediaTime::new(frames * i64::from(rate.frame_ticks()), rate.timescale());
        let early = frames.rescale(timescale).ticks();
        unit.dts -= early;
        unit.offset += early;
    }
}

/// Ticks between the units of a track, of the clock that they were rounded to.
struct Intervals {
    ticks: Vec<i64>,
    clock: Timescale,
}

impl Intervals {
    /// What an encoder sent by RTMP is in milliseconds, and stays so when somebody relays it by a finer clock.
    fn new(ticks: Vec<i64>, clock: Timescale) -> Self {
        let per_milli = i64::from(clock.get() / Timescale::MILLIS.get());
        let in_millis = clock.get().is_multiple_of(Timescale::MILLIS.get());
        if in_millis && ticks.iter().all(|interval| interval % per_milli == 0) {
            Self { ticks: ticks.into_iter().map(|interval| interval / per_milli).collect(), clock: Timescale::MILLIS }
        } else {
            Self { ticks, clock }
        }
    }

    fn rate(&self, source: &Source) -> Option<FrameRate> {
        self.confirmed(source).or_else(|| self.measured())
    }

    /// A rate that the publisher declares and that its timestamps bear out.
    fn confirmed(&self, source: &Source) -> Option<FrameRate> {
        if self.ticks.len() < CONFIRMING {
            return None;
        }
        let median = self.median()?;
        [source.declared_rate, source.format.declared_rate()].into_iter().flatten().find(|rate| {
            // Timestamps are rounded: an interval is right to a tick.
            (median - ticks_per_frame(*rate, self.clock)).abs() <= 1.01
        })
    }

    /// The standard rate nearest to what the timestamps show, if they show one.
    fn measured(&self) -> Option<FrameRate> {
        let median = self.median()?;
        let regular = self.ticks.iter().filter(|&&interval| (as_f64(interval) - median).abs() <= median * 0.35 + 1.0);
        let regular: Vec<f64> = regular.map(|&interval| as_f64(interval)).collect();
        if regular.len() * 5 < self.ticks.len() * 4 {
            return None;
        }
        let regular_count = i64::try_from(regular.len()).ok()?;
        let mean = regular.iter().sum::<f64>() / as_f64(regular_count);
        let off = |rate: &FrameRate| (ticks_per_frame(*rate, self.clock) - mean).abs();
        // Too few frames to tell 30 from 29.97: whole rates are the likelier ones.
        let whole = FrameRate::STANDARD.into_iter().filter(|rate| rate.is_whole());
        let nearest = |rates: &mut dyn Iterator<Item = FrameRate>| rates.min_by(|a, b| off(a).total_cmp(&off(b)));
        let rate = nearest(&mut whole.filter(|rate| off(rate) * as_f64(regular_count) <= 2.0))
            .or_else(|| nearest(&mut FrameRate::STANDARD.into_iter()))?;
        (off(&rate) <= mean * 0.02).then_some(rate)
    }

    fn median(&self) -> Option<f64> {
        let mut sorted = self.ticks.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).map(|&median| as_f64(median))
    }
}

fn ticks_per_frame(rate: FrameRate, clock: Timescale) -> f64 {
    f64::from(clock.get()) / rate.as_f64()
}

#[expect(clippy::cast_precision_loss, reason = "intervals between frames are far below 2^52 ticks, or nonsense")]
fn as_f64(ticks: i64) -> f64 {
    ticks as f64
}
