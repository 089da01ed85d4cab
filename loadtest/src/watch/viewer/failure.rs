//! What a viewer does about what goes wrong.

use std::time::Duration;

use super::piece::live_position;
use super::playhead::Playhead;
use super::track::Track;
use super::{Phase, Viewer};
use crate::watch::exchange::Ticket;
use crate::watch::moment::Moment;
use crate::watch::tally::{Count, Tally, Trouble};

/// Before a stream that is not there is asked for again.
const ASKS_AGAIN: Duration = Duration::from_secs(1);

impl Viewer {
    /// Something did not come.
    pub(super) fn fail(&mut self, ticket: Ticket, trouble: Trouble, now: Moment, tally: &mut Tally) {
        tally.trouble(trouble);
        self.story.troubles += 1;
        if matches!(self.phase, Phase::Asked { ticket: asked, .. } if asked == ticket) {
            self.phase = Phase::Knocking { at: now + ASKS_AGAIN };
            return;
        }
        let Some(track) = self.track_of(ticket) else { return };
        match track.is_playlist(ticket) {
            // hls.js gives up, and the page begins anew.
            Some(true) if matches!(trouble, Trouble::Status(400..=499)) => self.begin_anew(now, tally),
            Some(true) => track.fail_playlist(trouble, now),
            _ => track.fail_media(trouble, now, tally),
        }
    }

    pub(super) fn begin_anew(&mut self, now: Moment, tally: &mut Tally) {
        self.abandon_all();
        self.tracks = [None, None];
        self.past = None;
        self.phase = Phase::Knocking { at: now + ASKS_AGAIN };
        if matches!(self.playhead, Some(Playhead::Waiting { .. })) {
            self.playhead = None;
        }
        self.stop_at(Moment::NEVER, now, tally);
    }

    /// What comes next has left the playlist: on to the live edge.
    pub(super) fn resync(&mut self, now: Moment, tally: &mut Tally) {
        let Some((track, playlist)) = self.main() else { return };
        let position = live_position(playlist, now.since(track.loaded), self.aim(playlist));
        tally.add(Count::Resyncs, 1);
        self.past = None;
        self.stop_at(position, now, tally);
        self.seek_tracks(position, now);
    }

    fn abandon_all(&mut self) {
        let pending: Vec<_> = self.tracks().flat_map(Track::pending).collect();
        self.abandoned.extend(pending);
    }
}
