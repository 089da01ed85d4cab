use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use touchline_media::{Format, Kind, MediaTime, Sample, Track, TrackId};

use super::watch::Watch;
use crate::choice::{Choice, Settings};
use crate::message::{Fault, Input, InputKind, Output, Report};
use crate::overload::{Change, Overload};
use crate::rendition::{Fit, Rendition};
use crate::replay::Replay;
use crate::source::Source;

/// How many access units of a track may be on their way through a worker.
const MAX_ON_THE_WAY: usize = 1_024;

/// A rung that is no further behind the source has caught up with it.
const CLOSE: Duration = Duration::from_millis(300);

/// A stretch with a ladder.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) source: Source,
    /// Samples of the source that were lost before.
    pub(super) skipped: u64,
    /// Whether the pictures of the source are no rendition.
    replaces_source: bool,
    pub(super) has_worker: bool,
    /// What the worker makes something of.
    pub(super) needed: &'static [Kind],
    pub(super) watch: Watch,
    pub(super) overload: Overload,
    /// What the worker has said about its end.
    pub(super) fault: Option<Fault>,
    /// When the worker died whose place has not been taken with success.
    pub(super) died_at: Option<Instant>,
    /// When the newest access unit of a rung came.
    encoded_at: Instant,
    /// The PTS of the first picture that was encoded: IDRs that do not follow the source's are counted from there, so that
    /// the first is as far from the second as all others are.
    pub(super) grid: Option<i64>,
    /// The ladder has changed: another stretch begins with the next keyframe.
    pub(super) restart_at_key: bool,
    /// Rungs that are made no more, and whose last pictures are on their way.
    pub(super) leaving: Vec<(u8, TrackId)>,
    replay: Replay,
    /// The PTS of the newest keyframe, until that has been complained of.
    last_key: Option<MediaTime>,
    video: Seen,
    audio: Seen,
}

/// How far a track of the source has come.
#[derive(Debug, Default)]
struct Seen {
    /// The latest PTS that channels have got.
    to: Option<i64>,
    /// When the access units came whose renditions may be on their way, by PTS.
    received: BTreeMap<i64, Instant>,
}

impl Seen {
    fn take(&mut self, pts: i64, received: Instant) {
        self.to = self.to.max(Some(pts));
        self.received.insert(pts, received);
        if self.received.len() > MAX_ON_THE_WAY {
            self.received.pop_first();
        }
    }
}

impl Run {
    pub(super) fn new(source: Source, choice: &Choice, skipped: u64, now: Instant) -> Self {
        let streams = choice.at_work().filter(|rendition| rendition.is_video()).map(|rendition| rendition.stream);
        let replay = Replay::new(source.video.is_some());
        Self {
            source,
            skipped,
            replaces_source: choice.replaces_source,
            has_worker: false,
            needed: &[],
            watch: Watch::new(now),
            overload: Overload::new(streams.collect(), now),
            fault: None,
            died_at: None,
            encoded_at: now,
            grid: None,
            restart_at_key: false,
            leaving: Vec::new(),
            replay,
            last_key: None,
            video: Seen::default(),
            audio: Seen::default(),
        }
    }

    /// Goes on where a stretch of the same source has ended: what its renditions have to be decoded from is kept.
    pub(super) fn resume_from(&mut self, before: Self) {
        (self.replay, self.video, self.audio) = (before.replay, before.video, before.audio);
    }

    /// Takes over from a stretch whose worker has died: the first access unit ends the silence.
    pub(super) fn mourn(&mut self, before: &Self) {
        (self.died_at, self.encoded_at) = (before.died_at, before.encoded_at);
    }

    /// Up to which PTS the source of a rendition has come.
    pub(super) fn seen_to(&self, rendition: &Rendition) -> Option<i64> {
        self.seen(rendition).to
    }

    fn seen(&self, rendition: &Rendition) -> &Seen {
        if rendition.is_video() { &self.video } else { &self.audio }
    }

    /// The track that a rendition is made of.
    fn origin(&self, rendition: &Rendition) -> Option<&Track> {
        if rendition.is_video() { self.source.video.as_ref() } else { self.source.audio.as_ref() }
    }

    /// Whether a track of the source is a rendition itself.
    pub(super) fn is_shown(&self, track: TrackId) -> bool {
        !(self.replaces_source && self.is_video(track))
    }

    /// The tracks of the stretch: pictures first, highest first, then sound, that which every player knows first.
    pub(super) fn tracks(&self, renditions: &[Rendition]) -> Arc<[Track]> {
        let made = renditions.iter().filter_map(|rendition| rendition.track(self.origin(rendition)?));
        let own = self.source.tracks.iter().filter(|track| self.is_shown(track.id)).cloned();
        let mut tracks: Vec<Track> = own.chain(made).collect();
        tracks.sort_by_key(|track| (track.format.kind() == Kind::Audio, matches!(track.format, Format::Opus(_))));
        tracks.into()
    }

    /// Whether the decoder configurations of all renditions are known.
    pub(super) fn knows_all(&self, choice: &Choice) -> bool {
        choice.at_work().all(|rendition| rendition.fits(Fit::of(rendition, choice.encoder, &self.source)))
    }

    /// Whether all rungs are about as far as the source.
    pub(super) fn is_close(&self, choice: &Choice) -> bool {
        choice.at_work().all(|rendition| {
            let (Some(seen), Some(origin)) = (self.seen_to(rendition), self.origin(rendition)) else { return true };
            let close = MediaTime::from_duration(CLOSE, origin.timescale).ticks();
            rendition.newest.is_some_and(|newest| newest + close >= seen)
        })
    }

    /// Takes note of a sample of the source. Returns what the worker has to be told.
    pub(super) fn take(&mut self, sample: &Sample, now: Instant) -> Option<Input> {
        let kind = self.kind(sample.track)?;
        let seen = if kind == Kind::Video { &mut self.video } else { &mut self.audio };
        seen.take(sample.pts.ticks(), sample.received.min(now));
        self.replay.push(kind, sample);
        (self.has_worker && self.needed.contains(&kind)).then(|| input(kind, sample, false))
    }

    /// What a worker has to decode to go on from where the rungs are.
    pub(super) fn replayed(&self) -> impl Iterator<Item = Input> {
        let needed = self.replay.samples().filter(|(kind, _)| self.needed.contains(kind));
        needed.map(|(kind, sample)| input(*kind, sample, true))
    }

    /// All rungs have come as far as they have.
    pub(super) fn passed<'a>(&mut self, renditions: impl Iterator<Item = &'a Rendition>) {
        let newest = renditions.filter(|rendition| rendition.is_video()).map(|rendition| rendition.newest);
        if let Some(Some(pts)) = newest.min() {
            self.replay.passed(pts);
        }
    }

    /// Another access unit of a rung has come. If it is the first since a worker has died: how long there was none.
    pub(super) fn recovered(&mut self, now: Instant) -> Option<Duration> {
        let before = std::mem::replace(&mut self.encoded_at, now);
        self.died_at.take().map(|_| now.saturating_duration_since(before))
    }

    /// When something is to be looked after.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.has_worker.then(|| self.watch.deadline())
    }

    /// The access unit of a rung as a sample, and how long after the one that it is made of it comes.
    pub(super) fn sample(&self, rendition: &Rendition, output: Output, now: Instant) -> Option<(Sample, Duration)> {
        let origin = self.origin(rendition)?;
        // Of some sources an access unit of a rung is made of two: it begins in the first of them.
        let received = self.seen(rendition).received.range(..=output.pts).next_back();
        let received = received.map_or(now, |(_, received)| *received);
        let pts = MediaTime::new(output.pts, origin.timescale);
        let track = rendition.track_id();
        let sample = Sample { track, dts: pts, pts, sync: output.sync, data: output.data, received };
        Some((sample, now.saturating_duration_since(received)))
    }

    /// How long the source has gone without a keyframe, once that is too long for it to be a rendition, and when it is one.
    pub(super) fn keyframe_overdue(&mut self, sample: &Sample, settings: &Settings, live: bool) -> Option<Duration> {
        if !self.is_video(sample.track) || self.replaces_source || !self.needed.contains(&Kind::Video) {
            return None;
        }
        if sample.sync {
            self.last_key = Some(sample.pts);
            return None;
        }
        let since = (sample.pts - self.last_key?).to_duration();
        (live && since > settings.keyframe_limit).then(|| {
            self.last_key = None;
            since
        })
    }

    /// Judges a report of the worker.
    pub(super) fn observe(&mut self, report: &Report, now: Instant) -> Option<Change> {
        self.watch.report(report, now);
        self.overload.observe(report, now)
    }

    fn kind(&self, track: TrackId) -> Option<Kind> {
        let audio = self.source.audio.as_ref().is_some_and(|audio| audio.id == track);
        match track {
            _ if self.is_video(track) => Some(Kind::Video),
            _ if audio => Some(Kind::Audio),
            _ => None,
        }
    }

    fn is_video(&self, track: TrackId) -> bool {
        self.source.video.as_ref().is_some_and(|video| video.id == track)
    }
}

fn input(kind: Kind, sample: &Sample, replay: bool) -> Input {
    let kind = match kind {
        Kind::Video => InputKind::Video,
        Kind::Audio => InputKind::Audio,
    };
    let (pts, dts) = (sample.pts.ticks(), sample.dts.ticks());
    Input { kind, sync: sample.sync, replay, pts, dts, data: sample.data.clone() }
}
