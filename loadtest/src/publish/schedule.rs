//! When which access unit is due: by its time in the media and nothing else, whether or not the ones before it have been sent.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::clip::{Clip, nanoseconds, ticks};
use super::pace::Pace;

/// The units of a clip, one after the other, over and over.
#[derive(Debug)]
pub(super) struct Schedule {
    clip: Arc<Clip>,
    cursors: Vec<Cursor>,
    /// How often the clip is played; for ever without.
    turns: Option<u64>,
    /// When the first unit is due.
    start: Instant,
    /// Where in the media the first unit is, in nanoseconds.
    from: i64,
    pace: Pace,
    next: Option<Due>,
}

/// Where in a track the schedule has come to.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    track: usize,
    turn: u64,
    index: usize,
    /// The time that counts as zero, in ticks.
    base: i64,
}

/// A unit, and when it is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Which of the clip's tracks it is of.
    pub(super) track: usize,
    /// Which of the track's units it is.
    pub(super) index: usize,
    /// Its decoding time since the connection began, in ticks of its track; never negative.
    pub(super) dts: i64,
    /// How much later it is shown, in ticks.
    pub(super) offset: i64,
    pub(super) at: Instant,
}

impl Schedule {
    /// A schedule of some tracks of a clip, the leading one first. It begins at `start` with the leading track's `first`th sync unit, or
    /// the last one where there are fewer, and ends with the last of so many `turns`.
    pub(super) fn new(
        clip: Arc<Clip>,
        tracks: &[usize],
        turns: Option<u64>,
        first: usize,
        start: Instant,
        pace: Pace,
    ) -> Self {
        let cursors = tracks.iter().map(|track| Cursor { track: *track, turn: 0, index: 0, base: 0 }).collect();
        let mut schedule = Self { clip, cursors, turns, start, from: 0, pace, next: None };
        let leading = tracks.first().and_then(|track| schedule.clip.tracks.get(*track));
        if let Some(leading) = leading {
            let syncs = leading.units.iter().filter(|unit| unit.sync).take(first + 1);
            schedule.from = syncs.last().map_or(0, |unit| nanoseconds(unit.dts, leading.timescale));
        }
        schedule.rejoin(start);
        schedule
    }

    /// When the first unit was due.
    pub(super) fn start(&self) -> Instant {
        self.start
    }

    /// When the next unit is to be sent; `None` after the last one.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next.map(|next| next.at)
    }

    /// The next unit, if it is to be sent by `now`.
    pub(super) fn take(&mut self, now: Instant) -> Option<Due> {
        let due = self.next.filter(|next| next.at <= now)?;
        if let Some(at) = self.earliest() {
            self.advance(at);
        }
        self.fill();
        Some(due)
    }

    /// Goes on, over a new connection, with the first unit from `now` on that a decoder can start at; how many units are left out. Times
    /// begin at zero, and the clock goes on as if nothing had been.
    pub(super) fn rejoin(&mut self, now: Instant) -> u64 {
        let mut left_out = 0;
        while let Some((media, sync)) = self.at(0)
            && !(sync && media >= self.from && self.instant(media) >= now)
        {
            self.advance(0);
            left_out += 1;
        }
        let Some((base, _)) = self.at(0) else {
            self.next = None;
            return left_out;
        };
        for number in 1..self.cursors.len() {
            left_out += self.follow(number, base);
        }
        let begins = (0..self.cursors.len()).filter_map(|number| Some(self.at(number)?.0)).min().unwrap_or(base);
        for cursor in &mut self.cursors {
            let track = self.clip.tracks.get(cursor.track);
            cursor.base = track.map_or(0, |track| ticks(begins, track.timescale));
        }
        self.fill();
        left_out
    }

    /// Moves a cursor to what is heard at a place in the media, which may have begun before; how many units it passes.
    fn follow(&mut self, number: usize, place: i64) -> u64 {
        let mut passed = 0;
        while let Some(before) = self.cursors.get(number).copied() {
            self.advance(number);
            if self.at(number).is_none_or(|(media, _)| media > place) {
                if let Some(cursor) = self.cursors.get_mut(number) {
                    *cursor = before;
                }
                break;
            }
            passed += 1;
        }
        passed
    }

    fn fill(&mut self) {
        self.next = self.earliest().and_then(|number| {
            let (media, _) = self.at(number)?;
            let cursor = *self.cursors.get(number)?;
            let track = self.clip.tracks.get(cursor.track)?;
            let offset = track.units.get(cursor.index)?.offset;
            let since = self.instant(media) - self.start;
            let skipped = i64::try_from(self.pace.skipped(since).as_nanos()).unwrap_or(i64::MAX);
            let dts = self.dts(number)? - cursor.base + ticks(skipped, track.timescale);
            let at = self.start + self.pace.sent(since);
            Some(Due { track: cursor.track, index: cursor.index, dts, offset, at })
        });
    }

    /// The cursor whose unit comes first.
    fn earliest(&self) -> Option<usize> {
        let all = (0..self.cursors.len()).filter_map(|number| Some((self.at(number)?.0, number)));
        all.min().map(|(_, number)| number)
    }

    /// Where in the media a cursor's unit is, in nanoseconds, and whether a decoder can start there.
    fn at(&self, number: usize) -> Option<(i64, bool)> {
        let cursor = self.cursors.get(number)?;
        let track = self.clip.tracks.get(cursor.track)?;
        let unit = track.units.get(cursor.index)?;
        Some((nanoseconds(self.dts(number)?, track.timescale), unit.sync))
    }

    /// The decoding time of a cursor's unit, in ticks.
    fn dts(&self, number: usize) -> Option<i64> {
        let cursor = self.cursors.get(number).filter(|cursor| self.turns.is_none_or(|turns| cursor.turn < turns))?;
        let track = self.clip.tracks.get(cursor.track)?;
        Some(self.clip.dts(track, cursor.turn, track.units.get(cursor.index)?))
    }

    fn instant(&self, media: i64) -> Instant {
        self.start + Duration::from_nanos(u64::try_from(media - self.from).unwrap_or(0))
    }

    fn advance(&mut self, number: usize) {
        let Some(cursor) = self.cursors.get_mut(number) else { return };
        let Some(track) = self.clip.tracks.get(cursor.track) else { return };
        let Some(first) = track.units.first() else { return };
        // What would come after the next repetition has begun is left out.
        let ends = self.clip.dts(track, cursor.turn + 1, first);
        match track.units.get(cursor.index + 1) {
            Some(next) if self.clip.dts(track, cursor.turn, next) < ends => cursor.index += 1,
            _ => (cursor.turn, cursor.index) = (cursor.turn + 1, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::clip::tests::{clip, sound, video};
    use super::super::pace::Pace;
    use super::*;

    /// The units of so many seconds: track, milliseconds since the start, and its decoding time in ticks.
    fn taken(schedule: &mut Schedule, start: Instant, seconds: u64) -> Vec<(usize, u128, i64)> {
        let end = start + Duration::from_secs(seconds);
        std::iter::from_fn(|| schedule.take(end - Duration::from_nanos(1)))
            .map(|due| (due.track, (due.at - start).as_millis(), due.dts))
            .collect()
    }

    fn looped(clip: Clip, tracks: &[usize], start: Instant) -> Schedule {
        Schedule::new(Arc::new(clip), tracks, None, 0, start, Pace::even())
    }

    #[test]
    fn pictures_and_sound_are_due_when_they_are_decoded() {
        let start = Instant::now();
        let mut schedule = looped(clip(video(3, 2), sound(141)), &[0, 1], start);
        assert_eq!(schedule.due(), Some(start));
        assert_eq!(schedule.take(start).map(|due| (due.track, due.index, due.dts)), Some((0, 0, 0)));
        assert_eq!(schedule.take(start).map(|due| (due.track, due.index, due.dts)), Some((1, 0, 0)));
        assert_eq!(schedule.take(start), None);
        let due = taken(&mut schedule, start, 1);
        assert_eq!(due[..4], [(1, 21, 1_024), (0, 33, 1_000), (1, 42, 2_048), (1, 64, 3_072)]);
        assert_eq!(
            (due.iter().filter(|due| due.0 == 0).count(), due.iter().filter(|due| due.0 == 1).count()),
            (29, 46)
        );
    }

    #[test]
    fn times_go_on_evenly_where_the_clip_begins_anew() {
        let start = Instant::now();
        // Three seconds of pictures; 140.625 frames of sound would be as long.
        let mut schedule = looped(clip(video(3, 2), sound(141)), &[0, 1], start);
        let due = taken(&mut schedule, start, 3_600);
        for (track, step, count) in [(0, 1_000, 30 * 3_600), (1, 1_024, 168_750)] {
            let times: Vec<i64> = due.iter().filter(|due| due.0 == track).map(|due| due.2).collect();
            assert_eq!(times.len(), count, "track {track}");
            assert!(times.windows(2).all(|pair| pair[1] - pair[0] == step), "track {track}");
        }
    }

    #[test]
    fn sound_that_ends_early_leaves_a_gap_and_comes_back_with_the_pictures() {
        let start = Instant::now();
        let mut schedule = looped(clip(video(3, 2), sound(94)), &[0, 1], start);
        let due = taken(&mut schedule, start, 6);
        let times: Vec<i64> = due.iter().filter(|due| due.0 == 1).map(|due| due.2).collect();
        assert_eq!(times.len(), 188);
        assert_eq!(times[93..95], [93 * 1_024, 141 * 1_024]);
    }

    #[test]
    fn a_clip_that_is_played_once_ends() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Arc::new(clip(video(2, 2), sound(94))), &[0], Some(1), 0, start, Pace::even());
        assert_eq!(taken(&mut schedule, start, 10).len(), 60);
        assert_eq!(schedule.due(), None);
    }

    #[test]
    fn whoever_is_late_gets_all_that_is_due_and_the_clock_does_not_wait() {
        let start = Instant::now();
        let mut schedule = looped(clip(video(3, 2), sound(141)), &[0], start);
        let late = start + Duration::from_secs(2);
        let due: Vec<Due> = std::iter::from_fn(|| schedule.take(late)).collect();
        assert_eq!(due.len(), 61);
        assert!(
            due.iter().all(|due| (due.at - start).as_nanos() == u128::from(due.dts.unsigned_abs()) * 1_000_000 / 30)
        );
    }

    #[test]
    fn a_new_connection_begins_with_the_next_keyframe_at_time_zero() {
        let start = Instant::now();
        let mut schedule = looped(clip(video(4, 2), sound(188)), &[0, 1], start);
        taken(&mut schedule, start, 1);
        let left_out = schedule.rejoin(start + Duration::from_millis(2_500));
        let due: Vec<Due> = std::iter::from_fn(|| schedule.take(start + Duration::from_secs(4))).collect();
        // The frame of sound that is heard at the keyframe begins 10.7 ms before it.
        assert_eq!(
            due.iter().map(|due| (due.track, due.index, due.dts)).collect::<Vec<_>>(),
            [(1, 187, 0), (0, 0, 320)]
        );
        assert_eq!(due[1].at - start, Duration::from_secs(4));
        // Three seconds of pictures and of sound.
        assert_eq!(left_out, 90 + 140);
    }

    #[test]
    fn it_can_begin_at_any_keyframe() {
        let start = Instant::now();
        let clip = Arc::new(clip(video(6, 2), sound(282)));
        for (first, index) in [(0, 0), (1, 60), (2, 120), (9, 120)] {
            let mut schedule = Schedule::new(Arc::clone(&clip), &[0, 1], None, first, start, Pace::even());
            let due = std::iter::from_fn(|| schedule.take(start)).find(|due| due.track == 0).unwrap();
            assert_eq!((due.index, due.at), (index, start));
        }
    }
}
