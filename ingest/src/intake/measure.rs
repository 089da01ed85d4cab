use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use touchline_media::{Kind, MediaTime, TrackId};

use super::{Notice, Source, Unit, kind_of};

/// A keyframe interval is reported when it is seen, or when none is seen for this long.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// A bit rate over less media than this says nothing.
const MIN_SPAN_MILLIS: i64 = 2_000;

/// Counts what a publisher sends, to say once what it is.
#[derive(Debug, Default)]
pub(super) struct Measure {
    since: Option<Instant>,
    now: Option<Instant>,
    tracks: BTreeMap<TrackId, Counts>,
    told: bool,
}

#[derive(Debug)]
struct Counts {
    kind: &'static str,
    video: bool,
    first: MediaTime,
    last: MediaTime,
    bytes: u64,
    first_sync: Option<MediaTime>,
    keyframe_interval: Option<MediaTime>,
}

impl Measure {
    pub(super) fn count(&mut self, unit: &Unit, source: &Source) {
        if self.told {
            return;
        }
        self.since.get_or_insert(unit.received);
        self.now = Some(unit.received);
        let time = MediaTime::new(unit.dts, source.clock.timescale);
        // Pictures that are shown before a keyframe may be sent after it.
        let shown = MediaTime::new(unit.dts.saturating_add(unit.offset), source.clock.timescale);
        let counts = self.tracks.entry(unit.track).or_insert_with(|| Counts {
            kind: kind_of(&source.format),
            video: source.format.kind() == Kind::Video,
            first: time,
            last: time,
            bytes: 0,
            first_sync: None,
            keyframe_interval: None,
        });
        counts.count(unit, time, shown);
    }

    /// The figures, once.
    pub(super) fn due(&mut self) -> Option<Notice> {
        let waited = self.now?.saturating_duration_since(self.since?);
        let known = |counts: &Counts| {
            let span = (counts.last - counts.first).rescale(touchline_media::Timescale::MILLIS).ticks();
            span >= MIN_SPAN_MILLIS && (!counts.video || counts.keyframe_interval.is_some())
        };
        if self.told || !(self.tracks.values().all(known) || waited >= MAX_WAIT) {
            return None;
        }
        self.told = true;
        Some(Notice::Measured {
            bits_per_second: self.tracks.values().map(|counts| (counts.kind, counts.bits_per_second())).collect(),
            keyframe_interval: self.tracks.values().find_map(|counts| counts.keyframe_interval),
        })
    }
}

impl Counts {
    fn count(&mut self, unit: &Unit, time: MediaTime, shown: MediaTime) {
        self.last = self.last.max(time);
        self.bytes += unit.data.len() as u64;
        match (self.video && unit.sync, self.first_sync) {
            (true, None) => self.first_sync = Some(shown),
            (true, Some(first)) => {
                self.keyframe_interval.get_or_insert(shown - first);
            }
            (false, _) => {}
        }
    }

    fn bits_per_second(&self) -> u64 {
        let millis = (self.last - self.first).to_duration().as_millis();
        u64::try_from(u128::from(self.bytes) * 8_000 / millis.max(1)).unwrap_or(u64::MAX)
    }
}
