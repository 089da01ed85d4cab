//! Viewers who do not stay where they are.

use std::time::Duration;

use super::piece::live_position;
use super::playhead::{Playhead, Why};
use super::{Phase, Viewer};
use crate::watch::exchange::Action;
use crate::watch::moment::Moment;
use crate::watch::tally::{Count, Tally};

/// Who is restless leaves once in this time, and comes back after such a time.
const LEAVES_EVERY: Duration = Duration::from_secs(30);
const STAYS_AWAY: Duration = Duration::from_secs(5);
/// Who goes back in the programme does so once in this time, and returns to the live edge after such a time.
const SEEKS_EVERY: Duration = Duration::from_secs(30);
const STAYS_BACK: Duration = Duration::from_secs(10);
/// A shorter window is not worth going back in.
const WORTH_SEEKING: Duration = Duration::from_secs(8);

/// When somebody leaves, and when it goes back in the programme.
#[derive(Clone, Copy, Debug)]
pub(super) struct Urges {
    pub(super) leave: Moment,
    pub(super) seek: Moment,
}

impl Urges {
    pub(super) const NONE: Self = Self { leave: Moment::NEVER, seek: Moment::NEVER };
}

impl Viewer {
    /// Draws when it will have had enough of being here.
    pub(super) fn draw_urges(&mut self, now: Moment) {
        let mut draw = |has: bool, every| if has { now + self.random.wait(every) } else { Moment::NEVER };
        self.urges =
            Urges { leave: draw(self.habits.leaves, LEAVES_EVERY), seek: draw(self.habits.seeks, SEEKS_EVERY) };
    }

    /// Goes back to some point of the window, or from there to the live edge.
    pub(super) fn seek(&mut self, now: Moment, tally: &mut Tally) {
        let back = self.past.is_none();
        self.urges.seek = if back { Moment::NEVER } else { now + self.random.wait(SEEKS_EVERY) };
        let share = self.random.share();
        let Some((track, playlist)) = self.main() else { return };
        let live = live_position(playlist, now.since(track.loaded), self.aim(playlist));
        // The beginning of the window is about to leave it.
        let window = live.since(playlist.begin() + playlist.target * 2);
        let position = if back { live - window.mul_f64(share) } else { live };
        if self.playhead.is_none() || (back && window < WORTH_SEEKING) {
            self.urges.seek = now + SEEKS_EVERY;
            self.past = None;
            return;
        }
        self.past = back.then(|| now + self.random.wait(STAYS_BACK));
        tally.add(Count::Seeks, 1);
        self.end_picture(now, tally);
        self.playhead = Some(Playhead::Waiting { position, since: now, why: Why::Seek });
        self.seek_tracks(position, now);
    }

    pub(super) fn seek_tracks(&mut self, position: Moment, now: Moment) {
        for track in self.tracks.iter_mut().flatten() {
            self.abandoned.extend(track.seek(Some(position), now));
        }
    }

    pub(super) fn leave(&mut self, now: Moment, tally: &mut Tally) -> Action {
        self.close(now, tally);
        tally.add(Count::Leaves, 1);
        self.phase = Phase::Away { until: now + self.random.wait(STAYS_AWAY) };
        Action::Leave
    }

    pub(super) fn close(&mut self, now: Moment, tally: &mut Tally) {
        for track in self.tracks.iter().flatten() {
            track.finish(now, tally);
        }
        self.end_picture(now, tally);
        self.abandoned.clear();
        self.tracks = [None, None];
        self.past = None;
    }

    /// Tells of the picture what has not been told yet. Another one begins elsewhere, or none.
    fn end_picture(&mut self, now: Moment, tally: &mut Tally) {
        let Some(playhead) = self.playhead.take() else { return };
        if let Playhead::Stalled { since, .. } = playhead {
            self.story.stood += now.since(since);
        }
        playhead.finish(now, tally);
    }
}
