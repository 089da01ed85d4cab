//! What a worker that takes over has to be given again.

use std::time::Duration;

use touchline_media::{Kind, Sample};

/// The most samples that are kept; a source without sync samples cannot be taken over.
const MAX_SAMPLES: usize = 2_048;
/// The most bytes of samples that are kept.
const MAX_BYTES: usize = 24 * 1_024 * 1_024;

/// How long a group of sound alone is.
const SOUND_GROUP: Duration = Duration::from_secs(2);

/// The samples of the source that a decoder needs to go on from where the rungs are, in the order they came.
#[derive(Debug)]
pub(crate) struct Replay {
    /// Whether groups are of pictures; else sound alone is kept, every sample of which is a sync sample.
    pictures: bool,
    /// The group of pictures before the current one, until every rung is past it.
    before: Group,
    current: Group,
}

#[derive(Debug, Default)]
struct Group {
    samples: Vec<(Kind, Sample)>,
    bytes: usize,
    /// The PTS of the sync sample that it begins with.
    sync: Option<i64>,
}

impl Replay {
    pub(crate) fn new(pictures: bool) -> Self {
        Self { pictures, before: Group::default(), current: Group::default() }
    }

    pub(crate) fn push(&mut self, kind: Kind, sample: &Sample) {
        let begins = match kind {
            Kind::Video => sample.sync,
            Kind::Audio => !self.pictures && self.current.lasts_to(sample) >= SOUND_GROUP,
        };
        if begins {
            self.before = std::mem::take(&mut self.current);
            self.current.sync = Some(sample.pts.ticks());
        }
        self.current.bytes += sample.data.len();
        self.current.samples.push((kind, sample.clone()));
        let all = self.before.samples.len() + self.current.samples.len();
        if all > MAX_SAMPLES || self.before.bytes + self.current.bytes > MAX_BYTES {
            *self = Self::new(self.pictures);
        }
    }

    /// All rungs of pictures have come as far as this PTS.
    pub(crate) fn passed(&mut self, pts: i64) {
        if self.current.sync.is_some_and(|sync| pts >= sync) && !self.before.samples.is_empty() {
            self.before = Group::default();
        }
    }

    /// What a decoder starts with; nothing where no sync sample is kept.
    pub(crate) fn samples(&self) -> impl Iterator<Item = &(Kind, Sample)> {
        let usable = |group: &&Group| group.sync.is_some();
        // Without the sync sample of the group before, the current one is all that can be decoded.
        [&self.before, &self.current].into_iter().filter(usable).flat_map(|group| &group.samples)
    }
}

impl Group {
    /// How long it is, with this sample; for ever without any.
    fn lasts_to(&self, sample: &Sample) -> Duration {
        let first = self.samples.first();
        first.map_or(Duration::MAX, |(_, first)| (sample.pts - first.pts).to_duration())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use touchline_media::{MediaTime, Timescale, TrackId};

    use super::*;

    fn push(replay: &mut Replay, pts: i64, sync: bool, len: usize) {
        let dts = MediaTime::new(pts, Timescale::MILLIS);
        let data = vec![0; len].into();
        let sample = Sample { track: TrackId(1), dts, pts: dts, sync, data, received: Instant::now() };
        replay.push(Kind::Video, &sample);
    }

    fn kept(replay: &Replay) -> Vec<i64> {
        replay.samples().map(|(_, sample)| sample.pts.ticks()).collect()
    }

    #[test]
    fn a_group_is_kept_until_every_rung_is_past_it() {
        let mut replay = Replay::new(true);
        for pts in 1..6 {
            push(&mut replay, pts, pts == 2 || pts == 4, 1);
        }
        assert_eq!(kept(&replay), [2, 3, 4, 5]);
        replay.passed(3);
        assert_eq!(kept(&replay), [2, 3, 4, 5]);
        replay.passed(4);
        assert_eq!(kept(&replay), [4, 5]);
    }

    #[test]
    fn what_cannot_be_kept_whole_is_not_kept() {
        let mut replay = Replay::new(true);
        push(&mut replay, 0, true, MAX_BYTES);
        push(&mut replay, 1, false, 1);
        push(&mut replay, 2, false, 1);
        assert!(kept(&replay).is_empty());
        push(&mut replay, 3, true, 1);
        assert_eq!(kept(&replay), [3]);
    }
}
