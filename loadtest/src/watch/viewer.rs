//! A viewer as hls.js 1.7 is one in low-latency mode: what it asks for and when, what it has buffered, and where its picture is.
//!
//! It knows no sockets and no clock. It is told what came and what time it is (`handle`), and says what it wants (`poll`). `docs/watch.md`
//! tells what is modelled, and what is not.

mod bandwidth;
mod buffer;
mod failure;
mod picture;
mod piece;
mod playhead;
mod reload;
mod track;
mod whims;

use std::sync::Arc;
use std::time::Duration;

use super::exchange::{Action, Answer, Directives, Outcome, Request, Ticket, What};
use super::ladder::{Ladder, Rendition};
use super::link::Link;
use super::moment::Moment;
use super::playlist::Playlist;
use super::tally::{Count, Tally, Trouble};
use crate::random::Random;
use bandwidth::{Estimate, Line};
use piece::live_position;
use playhead::{Playhead, Why};
use reload::PATIENCE;
use track::{Came, Tickets, Track, View, Wish};
use whims::Urges;

/// What kind of viewer somebody is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// Asks for what is hinted at, as `AVPlayer` does, and does not wait for it to be listed.
    pub(crate) hints: bool,
    /// Bits per second of the viewer's own line; `None` is as fast as it comes.
    pub(crate) bandwidth: Option<u64>,
    /// Leaves and comes back.
    pub(crate) leaves: bool,
    /// Goes back in the programme.
    pub(crate) seeks: bool,
}

/// What became of one viewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Story {
    /// From the first request to the first frame; `None` when there never was one.
    pub(crate) startup: Option<Duration>,
    pub(crate) stalls: u32,
    pub(crate) stood: Duration,
    pub(crate) bytes: u64,
    pub(crate) troubles: u32,
    pub(crate) switches: u32,
}

/// What a viewer does at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Is not there.
    Away,
    /// Waits for the first frame.
    Waiting,
    /// Sees the picture move; so far behind the programme's clock, where that is known and the viewer is at the live edge.
    Playing(Option<Duration>),
    /// Sees it stand still.
    Stalled,
    /// The programme is over.
    Over,
}

/// A viewer.
#[derive(Debug)]
pub(crate) struct Viewer {
    entrance: Link,
    habits: Habits,
    random: Random,
    tickets: Tickets,
    phase: Phase,
    /// When it joined.
    joined: Moment,
    ladder: Option<Arc<Ladder>>,
    variant: usize,
    /// Pictures, or all in one; and sound where it is apart.
    tracks: [Option<Track>; 2],
    playhead: Option<Playhead>,
    estimate: Estimate,
    line: Line,
    /// Until when it stays in the past.
    past: Option<Moment>,
    urges: Urges,
    /// Requests that nobody waits for any longer.
    abandoned: Vec<Ticket>,
    story: Story,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Away { until: Moment },
    Knocking { at: Moment },
    Asked { ticket: Ticket, until: Moment },
    Watching,
}

impl Viewer {
    /// Somebody who will join at `joins` what is at `entrance`.
    pub(crate) fn new(entrance: Link, habits: Habits, seed: u64, joins: Moment) -> Self {
        Self {
            entrance,
            habits,
            random: Random::new(seed),
            tickets: Tickets::default(),
            phase: Phase::Away { until: joins },
            joined: joins,
            ladder: None,
            variant: 0,
            tracks: [None, None],
            playhead: None,
            estimate: Estimate::default(),
            line: Line::new(habits.bandwidth),
            past: None,
            urges: Urges::NONE,
            abandoned: Vec::new(),
            story: Story::default(),
        }
    }

    /// What it does now.
    pub(crate) fn poll(&mut self, now: Moment, tally: &mut Tally) -> Action {
        if let Some(ticket) = self.abandoned.pop() {
            return Action::Abandon(ticket);
        }
        match self.phase {
            Phase::Away { until } | Phase::Knocking { at: until } if until > now => Action::Wait(until),
            Phase::Away { .. } => {
                self.joined = now;
                tally.add(Count::Joins, 1);
                self.knock(now)
            }
            Phase::Knocking { .. } => self.knock(now),
            Phase::Asked { ticket, until } if until <= now => {
                self.fail(ticket, Trouble::Late, now, tally);
                Action::Abandon(ticket)
            }
            Phase::Asked { until, .. } => Action::Wait(until),
            Phase::Watching => self.watch(now, tally),
        }
    }

    /// What came of a request.
    pub(crate) fn handle(&mut self, ticket: Ticket, outcome: Outcome, now: Moment, tally: &mut Tally) {
        self.advance(now, tally);
        match outcome {
            Ok(Answer::Ladder(ladder)) => {
                if matches!(self.phase, Phase::Asked { ticket: asked, .. } if asked == ticket) {
                    self.open(ladder, now);
                }
            }
            Ok(Answer::Playlist(playlist)) => {
                if let Some(track) = self.track_of(ticket) {
                    track.load(playlist, now, tally);
                }
                self.start(now);
                self.keep_pace(now);
            }
            Ok(Answer::Media { bytes, began }) => {
                self.story.bytes += bytes;
                let carried = self.line.carry(bytes, began, now);
                if let Some(track) = self.track_of(ticket) {
                    track.receive(Came { bytes, began, ended: now, carried }, tally);
                }
                self.take_carried(now, tally);
            }
            Err(trouble) => self.fail(ticket, trouble, now, tally),
        }
    }

    /// What it does, with everything up to `now` told to the tally.
    pub(crate) fn look(&mut self, now: Moment, tally: &mut Tally) -> Look {
        self.advance(now, tally);
        match (&self.phase, &self.playhead) {
            (Phase::Away { .. }, _) => Look::Away,
            (_, None | Some(Playhead::Waiting { .. })) => Look::Waiting,
            (_, Some(Playhead::Stalled { .. })) => Look::Stalled,
            (_, Some(Playhead::Over { .. })) => Look::Over,
            (_, Some(playhead @ Playhead::Playing { .. })) => {
                let dated = self.main().is_some_and(|(_, playlist)| playlist.dated);
                let live = dated && self.past.is_none();
                Look::Playing(live.then(|| now.since(playhead.position(now))))
            }
        }
    }

    /// Tells what has not ended yet, and what became of the viewer.
    pub(crate) fn finish(&mut self, now: Moment, tally: &mut Tally) -> Story {
        self.advance(now, tally);
        self.close(now, tally);
        self.story
    }

    fn knock(&mut self, now: Moment) -> Action {
        let ticket = self.tickets.draw();
        self.phase = Phase::Asked { ticket, until: now + PATIENCE };
        Action::Ask(Request { ticket, what: What::Ladder, link: self.entrance.clone(), range: None })
    }

    /// Begins to follow the variant that it begins with.
    fn open(&mut self, ladder: Arc<Ladder>, now: Moment) {
        self.variant = self.estimate.choose(&ladder, None);
        let Some(variant) = ladder.variants.get(self.variant) else { return };
        let track = |rendition: &Rendition| Track::new(rendition.clone(), now, Directives::default());
        self.tracks = [Some(track(&variant.video)), variant.audio.as_ref().map(track)];
        self.ladder = Some(ladder);
        self.phase = Phase::Watching;
        self.draw_urges(now);
    }

    /// Settles on where to begin, once the first playlist is there.
    fn start(&mut self, now: Moment) {
        let Some((track, playlist)) = self.main() else { return };
        let position = live_position(playlist, now.since(track.loaded), self.aim(playlist));
        self.playhead = match self.playhead {
            None => Some(Playhead::Waiting { position, since: self.joined, why: Why::Join }),
            // It comes back to a stream that had failed.
            Some(Playhead::Stalled { since, position: at }) if at == Moment::NEVER => {
                Some(Playhead::Stalled { position, since })
            }
            _ => return,
        };
    }

    /// One step of somebody who watches.
    fn watch(&mut self, now: Moment, tally: &mut Tally) -> Action {
        self.take_carried(now, tally);
        let Urges { leave, seek } = self.urges;
        if leave <= now {
            return self.leave(now, tally);
        }
        if seek <= now || self.past.is_some_and(|until| until <= now) {
            self.seek(now, tally);
        }
        let expired = self.tracks().find_map(|track| track.expired(now));
        if let Some(ticket) = expired {
            self.fail(ticket, Trouble::Late, now, tally);
            return Action::Abandon(ticket);
        }
        self.choose_variant(now, tally);
        if let Some(ticket) = self.abandoned.pop() {
            return Action::Abandon(ticket);
        }
        if let Some(request) = self.ask(now, tally) {
            return Action::Ask(request);
        }
        let deadlines = self.tracks().flat_map(Track::deadlines).chain([leave, seek]).chain(self.past);
        Action::Wait(deadlines.filter(|at| *at > now).min().unwrap_or(Moment::NEVER))
    }

    fn ask(&mut self, now: Moment, tally: &mut Tally) -> Option<Request> {
        let position = self.playhead.as_ref().map(|playhead| playhead.position(now));
        let view = View { now, position, hints: self.habits.hints };
        let mut lost = false;
        for track in self.tracks.iter_mut().flatten() {
            if let Some(request) = track.ask_playlist(now, &mut self.tickets) {
                return Some(request);
            }
            match track.ask_media(view, &mut self.tickets, tally) {
                Wish::Ask(request) => return Some(request),
                Wish::Lost => lost = true,
                Wish::Nothing => {}
            }
        }
        if lost {
            self.resync(now, tally);
        }
        None
    }

    /// Goes to another variant when the way to this viewer has become better or worse.
    fn choose_variant(&mut self, now: Moment, tally: &mut Tally) {
        let Some(ladder) = self.ladder.clone().filter(|ladder| ladder.variants.len() > 1) else { return };
        let Some(main) = self.tracks.first().and_then(Option::as_ref).filter(|main| main.is_idle()) else { return };
        let chosen = self.estimate.choose(&ladder, Some(self.variant));
        let Some(variant) = ladder.variants.get(chosen).filter(|_| chosen != self.variant) else { return };
        let reports = main.playlist.clone();
        for (track, rendition) in self.tracks.iter_mut().zip([Some(&variant.video), variant.audio.as_ref()]) {
            let (Some(before), Some(rendition)) = (track.as_ref(), rendition) else { continue };
            if before.rendition.id != rendition.id {
                self.abandoned.extend(before.pending());
                let told = reports.as_ref().map_or_else(Directives::default, |reports| told_of(reports, rendition));
                *track = Some(before.switched(rendition.clone(), now, told));
            }
        }
        self.variant = chosen;
        self.story.switches += 1;
        tally.add(Count::Switches, 1);
    }

    fn tracks(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().flatten()
    }

    fn track_of(&mut self, ticket: Ticket) -> Option<&mut Track> {
        self.tracks.iter_mut().flatten().find(|track| track.is_playlist(ticket).is_some())
    }

    /// The track that tells where the live edge is, with its playlist.
    fn main(&self) -> Option<(&Track, &Playlist)> {
        let track = self.tracks().next()?;
        Some((track, track.playlist.as_deref()?))
    }
}

/// Directives for another rendition's newest playlist, where its report tells of it.
fn told_of(playlist: &Playlist, rendition: &Rendition) -> Directives {
    let report = playlist.reports.iter().find(|report| report.link == rendition.link);
    Directives { awaited: report.map(|report| (report.msn, report.part)), skip: None }
}

#[cfg(test)]
mod tests;
