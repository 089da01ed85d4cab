//! The border: what a demultiplexer finds becomes a feed.
//!
//! Protocols say what a publisher sends bit by bit, and their clocks round, wrap and jump. Past this point there are
//! only stretches: tracks that are known from the start, and samples on one regular timeline that never goes back.

mod measure;
mod notice;
mod probe;
mod silence;
mod tracker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use touchline_media::timeline::Clock;
use touchline_media::{Format, FrameRate, Kind, Language, MediaTime, Sample, Timescale, Track, TrackId, feed};

use crate::Health;

use self::measure::Measure;
pub use self::notice::Notice;
use self::probe::Probe;
use self::silence::Silence;
use self::tracker::Tracker;

/// A unit this many milliseconds ahead of the one before it, without as much time having passed, is a jump of the clock.
pub const MAX_FORWARD: i64 = 3_000;
/// A unit this many milliseconds behind the one before it is a jump of the clock.
pub const MAX_BACKWARD: i64 = 500;
/// A gap is a gap, not a jump, up to this many milliseconds, where as much time has passed.
pub const MAX_GAP: i64 = 10_000;
/// How far apart, in milliseconds, tracks of one timeline may be.
pub const MAX_SKEW: i64 = 1_500;
/// A track that stays elsewhere on the timeline for this many units gets an origin of its own.
pub const MAX_STRAYS: u32 = 50;

/// An access unit as a protocol delivers it.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The track it belongs to.
    pub track: TrackId,
    /// Decode time in ticks of the track's [`Clock`], wrapped or not.
    pub dts: i64,
    /// Presentation time minus decode time, in the same ticks.
    pub offset: i64,
    /// Whether a decoder can start here.
    pub sync: bool,
    /// As in [`Sample::data`].
    pub data: Bytes,
    /// When its last byte arrived.
    pub received: Instant,
}

/// Turns units into the stretches of a feed.
#[derive(Debug)]
pub struct Intake {
    writer: feed::Writer,
    sources: BTreeMap<TrackId, Source>,
    languages: BTreeMap<TrackId, Language>,
    phase: Phase,
    expected: Option<Expected>,
    listed: Option<BTreeSet<TrackId>>,
    /// Tracks of Opus whose packets do not last alike.
    uneven: BTreeSet<TrackId>,
    measure: Measure,
    health: Health,
    notices: Vec<Notice>,
    dropped: u64,
    /// What has been told of dropped units: once for each track and reason.
    told: BTreeSet<(TrackId, &'static str)>,
}

/// What is known of a track before its samples are.
#[derive(Debug, Clone, PartialEq)]
struct Source {
    clock: Clock,
    format: Format,
    declared_rate: Option<FrameRate>,
    language: Option<Language>,
}

#[derive(Debug, Clone, Copy)]
struct Expected {
    video: bool,
    audio: bool,
}

#[derive(Debug)]
enum Phase {
    /// Until the tracks and their frame rates are known, units wait.
    Probing(Probe),
    Live(Live),
}

/// A stretch that is being written.
#[derive(Debug)]
struct Live {
    tracks: Arc<[Track]>,
    trackers: BTreeMap<TrackId, Tracker>,
    silence: Silence,
    /// The latest time in the stretch, of any track.
    newest: MediaTime,
}

impl Intake {
    /// An intake that writes to `writer`. Dropping it ends the feed.
    pub fn new(writer: feed::Writer) -> Self {
        Self {
            writer,
            sources: BTreeMap::new(),
            languages: BTreeMap::new(),
            phase: Phase::Probing(Probe::default()),
            expected: None,
            listed: None,
            uneven: BTreeSet::new(),
            measure: Measure::default(),
            health: Health::default(),
            notices: Vec::new(),
            dropped: 0,
            told: BTreeSet::new(),
        }
    }

    /// Whether another publisher has taken this one's place.
    pub fn is_evicted(&self) -> bool {
        self.writer.is_evicted()
    }

    /// How the feed is doing.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// What the publisher has announced to send. Unannounced, a second track is waited for a shorter time.
    pub fn expect(&mut self, video: bool, audio: bool) {
        self.expected = (video || audio).then_some(Expected { video, audio });
    }

    /// All the tracks that the publisher has from now on, by a list that it sends, with the languages it gives them. They are
    /// waited for as announced ones are; one that is not among them is at its end.
    pub fn list(&mut self, tracks: BTreeMap<TrackId, Option<Language>>) {
        let gone: Vec<TrackId> = self.sources.keys().filter(|id| !tracks.contains_key(id)).copied().collect();
        for track in gone {
            self.sources.remove(&track);
            if let Phase::Live(live) = &self.phase
                && live.trackers.contains_key(&track)
            {
                self.probe_again(Notice::TrackEnded { track });
            }
        }
        self.listed = Some(tracks.keys().copied().collect());
        self.languages = tracks.into_iter().filter_map(|(track, language)| Some((track, language?))).collect();
        for (track, source) in self.sources.clone() {
            self.configure(track, source.clock, source.format, source.declared_rate);
        }
    }

    /// The decoder configuration of a track. The same one again changes nothing; another begins a new stretch.
    pub fn configure(&mut self, track: TrackId, clock: Clock, format: Format, declared_rate: Option<FrameRate>) {
        let language = self.languages.get(&track).copied();
        let source = Source { clock, format, declared_rate, language };
        if let (Phase::Probing(probe), Some(before)) = (&self.phase, self.sources.get(&track))
            && before.format != source.format
            && probe.has(track)
        {
            // What waits goes by the configuration that it came with.
            self.go_live();
        }
        let before = self.sources.insert(track, source.clone());
        if before.as_ref() == Some(&source) {
            return;
        }
        if let Phase::Live(live) = &self.phase {
            let changed = live.trackers.contains_key(&track);
            self.probe_again(Notice::TracksChanged { track, changed });
        }
    }

    /// Hands on an access unit of a configured track; of an unknown one it is dropped.
    pub fn push(&mut self, unit: Unit) {
        let Some(source) = self.sources.get(&unit.track) else {
            return self.drop_unit(unit.track, "the track has no decoder configuration");
        };
        self.measure.count(&unit, source);
        if let Phase::Live(live) = &self.phase {
            let track = unit.track;
            match live.trackers.get(&track) {
                None => self.probe_again(Notice::TracksChanged { track, changed: false }),
                Some(tracker) if !tracker.is_as_long(&unit, source) => {
                    self.uneven.insert(track);
                    self.probe_again(Notice::PacketsChanged { track });
                }
                Some(_) => {}
            }
        }
        match &mut self.phase {
            Phase::Probing(probe) => {
                probe.push(unit);
                if probe.is_ready(&self.sources, self.expected, self.listed.as_ref()) {
                    self.go_live();
                }
            }
            Phase::Live(_) => self.pass_on(&unit),
        }
        self.notices.extend(self.measure.due());
    }

    /// What an operator should read of, since the last call.
    pub fn notices(&mut self) -> impl Iterator<Item = Notice> + '_ {
        self.notices.drain(..)
    }

    /// Units that could not be used.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Ends the feed. What still waits for a second track or a frame rate is handed on.
    pub fn finish(mut self) -> Vec<Notice> {
        if matches!(self.phase, Phase::Probing(_)) {
            self.go_live();
        }
        self.notices
    }

    fn probe_again(&mut self, why: Notice) {
        self.notices.push(why);
        self.phase = Phase::Probing(Probe::default());
    }

    fn go_live(&mut self) {
        let Phase::Probing(probe) = &mut self.phase else { return };
        let probe = std::mem::take(probe);
        let mut spacings = probe.spacings(&self.sources);
        spacings.retain(|id, _| !self.uneven.contains(id));
        let units = probe.into_units(&self.sources);
        let Some(origin) = units.first().map(|unit| self.raw_time(unit)) else {
            return;
        };
        let seen = |id: &TrackId| units.iter().any(|unit| unit.track == *id);
        let trackers: BTreeMap<TrackId, Tracker> = self
            .sources
            .iter()
            .filter(|(id, _)| seen(id))
            .map(|(id, source)| (*id, Tracker::new(source, spacings.get(id).copied(), origin)))
            .collect();
        let tracks: Arc<[Track]> =
            trackers.iter().filter_map(|(id, tracker)| Some(tracker.track(*id, self.sources.get(id)?))).collect();
        self.notices.push(Notice::Started { tracks: Arc::clone(&tracks) });
        self.health.started(&tracks);
        self.writer.start(Arc::clone(&tracks));
        let silence = Silence::of(&tracks);
        self.phase = Phase::Live(Live { tracks, trackers, silence, newest: MediaTime::zero(Timescale::MILLIS) });
        for unit in &units {
            self.pass_on(unit);
        }
    }

    fn drop_unit(&mut self, track: TrackId, why: &'static str) {
        self.dropped += 1;
        self.health.discarded(1);
        if self.told.insert((track, why)) {
            self.notices.push(Notice::Dropped { track, why });
        }
    }

    /// The time of a unit on the publisher's own clock, before it has been unwrapped.
    fn raw_time(&self, unit: &Unit) -> MediaTime {
        let timescale = self.sources.get(&unit.track).map_or(Timescale::MILLIS, |source| source.clock.timescale);
        MediaTime::new(unit.dts, timescale)
    }

    fn pass_on(&mut self, unit: &Unit) {
        let Phase::Live(live) = &mut self.phase else { return };
        let Some(tracker) = live.trackers.get_mut(&unit.track) else { return };
        match tracker.check(unit, live.newest) {
            tracker::Verdict::Fits => {}
            tracker::Verdict::Stray => {
                return self.drop_unit(unit.track, "its timestamp is far from the other track's");
            }
            tracker::Verdict::Jump { by } => {
                self.notices.push(Notice::Jump { track: unit.track, by });
                self.health.jumped();
                live.restart_at(unit);
                self.writer.start(Arc::clone(&live.tracks));
            }
        }
        let Some(sample) = live.place(unit) else { return };
        self.health.sample(&sample);
        let Live { silence, trackers, .. } = live;
        let hand_on = |silent: Sample| {
            if let Some(tracker) = trackers.get_mut(&silent.track) {
                tracker.filled(&silent);
            }
            self.writer.push(silent);
        };
        if silence.before(&sample, hand_on) {
            self.writer.push(sample);
        } else {
            self.drop_unit(unit.track, "it comes too late: viewers have heard silence in its place");
        }
    }
}

impl Live {
    /// Begins the timeline anew with `unit` at its origin.
    fn restart_at(&mut self, unit: &Unit) {
        let Some(origin) = self.trackers.get(&unit.track).map(Tracker::latest) else {
            return;
        };
        for tracker in self.trackers.values_mut() {
            tracker.restart(origin);
        }
        self.silence = Silence::of(&self.tracks);
        self.newest = MediaTime::zero(Timescale::MILLIS);
    }

    fn place(&mut self, unit: &Unit) -> Option<Sample> {
        let sample = self.trackers.get_mut(&unit.track)?.place(unit);
        self.newest = self.newest.max(sample.dts);
        Some(sample)
    }
}

/// Pictures or sound, for messages.
fn kind_of(format: &Format) -> &'static str {
    match format.kind() {
        Kind::Video => "video",
        Kind::Audio => "audio",
    }
}

#[cfg(test)]
mod tests;
