//! How the picture moves, and how near to the live edge.

use std::time::Duration;

use super::Viewer;
use super::playhead::{Media, Playhead, Why};
use super::track::Track;
use crate::watch::moment::Moment;
use crate::watch::playlist::Playlist;
use crate::watch::tally::{Count, Tally};

/// How much further from the edge to stay for each stall (`liveSyncOnStallIncrease`), up to a target duration.
const STALL_LESSON: Duration = Duration::from_secs(1);
/// The fastest that is played to catch up (`maxLiveSyncPlaybackRate`).
const FASTEST: f64 = 1.1;
/// Nearer than this to the aim is on the aim, and with less than this buffered nothing is caught up with, in seconds.
const ON_THE_AIM: f64 = 0.05;
const TOO_LITTLE: f64 = 1.0;

impl Viewer {
    /// Lets the picture move until `now`.
    pub(super) fn advance(&mut self, now: Moment, tally: &mut Tally) {
        let Some(playhead) = &mut self.playhead else { return };
        let before = playhead.clone();
        let complete = self.tracks.iter().flatten().all(Track::is_over) && self.tracks.iter().any(Option::is_some);
        let buffers = self.tracks.each_ref().map(|track| track.as_ref().map(|track| &track.buffer));
        playhead.advance(now, Media { buffers, complete }, tally);
        match (before, &*playhead) {
            (Playhead::Waiting { since, why: Why::Join, .. }, Playhead::Playing { .. }) => {
                self.story.startup.get_or_insert(now.since(since));
            }
            (Playhead::Stalled { since, .. }, Playhead::Playing { .. }) => self.story.stood += now.since(since),
            (Playhead::Playing { .. }, Playhead::Stalled { .. }) => self.story.stalls += 1,
            _ => {}
        }
    }

    pub(super) fn take_carried(&mut self, now: Moment, tally: &mut Tally) {
        let mut taken = false;
        for (at, track) in self.tracks.iter_mut().enumerate() {
            let Some(track) = track else { continue };
            let Some(came) = track.take_carried(now, tally) else { continue };
            // Sound is too small to tell anything.
            if at == 0 {
                self.estimate.add(came.bytes, came.carried.since(came.began));
            }
            if let Some(playhead) = &self.playhead {
                track.buffer.forget_before(playhead.position(now));
            }
            taken = true;
        }
        if taken {
            self.advance(now, tally);
        }
    }

    /// Plays faster when it is behind its aim and has enough to do so, as hls.js does.
    pub(super) fn keep_pace(&mut self, now: Moment) {
        let Some((track, playlist)) = self.main() else { return };
        let aim = self.aim(playlist).as_secs_f64();
        let Some(playhead) = &self.playhead else { return };
        let position = playhead.position(now);
        let edge = playlist.edge() + now.since(track.loaded);
        let behind = edge.seconds_from(position) - aim;
        let buffered = track.buffer.end().map_or(0.0, |end| end.seconds_from(position));
        let live = behind < aim + playlist.target.as_secs_f64() && self.past.is_none();
        let rate = if live && behind > ON_THE_AIM && buffered > TOO_LITTLE {
            let steep = (2.0 / (1.0 + (-0.75 * behind).exp()) * 20.0).round() / 20.0;
            steep.clamp(1.0, FASTEST)
        } else {
            1.0
        };
        if let Some(playhead) = &mut self.playhead {
            playhead.set_rate(now, rate);
        }
    }

    /// How far from the edge to play.
    pub(super) fn aim(&self, playlist: &Playlist) -> Duration {
        playlist.hold_back + (STALL_LESSON * self.story.stalls).min(playlist.target)
    }

    /// The picture stands still until there is something at `to`.
    pub(super) fn stop_at(&mut self, to: Moment, now: Moment, tally: &mut Tally) {
        match &mut self.playhead {
            Some(Playhead::Waiting { position, .. } | Playhead::Stalled { position, .. }) => *position = to,
            Some(playing @ Playhead::Playing { .. }) => {
                *playing = Playhead::Stalled { position: to, since: now };
                tally.add(Count::Stalls, 1);
                self.story.stalls += 1;
            }
            None | Some(Playhead::Over { .. }) => {}
        }
    }
}
