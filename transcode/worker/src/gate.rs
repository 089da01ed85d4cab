//! In front of each rung: which pictures it encodes when it cannot encode them all.

use std::time::Duration;

/// How much may wait for a rung, as time of the source. A scheduler's hiccup fits; a viewer's patience is not used up.
const MAX_BACKLOG: Duration = Duration::from_millis(250);
/// How many pictures may wait at least, and how many do where the source's frame rate is not known.
const MIN_BACKLOG: usize = 4;
const UNKNOWN_BACKLOG: usize = 8;
/// A rung with no more waiting than this is on time.
const ON_TIME: usize = 1;
/// How long a start, or what comes after a replay, may be behind before it counts as overload.
const CATCH_UP: Duration = Duration::from_secs(3);

/// A picture that the decoder shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Picture {
    /// Presentation time in ticks of the source.
    pub(crate) pts: i64,
    /// Whether it is to be an IDR.
    pub(crate) due: bool,
    /// Whether there is no hurry: another worker has been sent it before, or it was held back.
    pub(crate) replay: bool,
    /// Whether more wait behind it for the decoder.
    pub(crate) followed: bool,
}

/// What becomes of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is encoded.
    Pass,
    /// Ask again when the rung has put out an access unit, or a little later.
    Wait,
    /// It is left out because too many wait.
    Shed,
    /// Nobody wants it.
    Unwanted,
}

/// The gate of one rung.
#[derive(Debug)]
pub(crate) struct Gate {
    after: Option<i64>,
    on: bool,
    max_backlog: usize,
    /// Until when it may be behind without shedding; `None` once it has been on time.
    catching_up: Option<Duration>,
}

impl Gate {
    /// Lets nothing pass up to the PTS `after`. `frame` is the time from one picture to the next, where it is known.
    pub(crate) fn new(after: Option<i64>, frame: Option<Duration>, now: Duration) -> Self {
        let pictures = frame.map(|frame| MAX_BACKLOG.as_nanos().div_ceil(frame.as_nanos().max(1)));
        let max_backlog = pictures.map_or(UNKNOWN_BACKLOG, |pictures| usize::try_from(pictures).unwrap_or(usize::MAX));
        Self { after, on: true, max_backlog: max_backlog.max(MIN_BACKLOG), catching_up: Some(now + CATCH_UP) }
    }

    /// Opens or shuts at a picture that is due to be an IDR; whether it has.
    pub(crate) fn switch(&mut self, on: bool, picture: Picture) -> bool {
        let switched = self.on != on && picture.due && self.after.is_none_or(|after| picture.pts > after);
        self.on ^= switched;
        switched
    }

    /// `backlog` is how many pictures have passed and have not become access units.
    pub(crate) fn decide(&mut self, picture: Picture, backlog: usize, now: Duration) -> Verdict {
        if picture.replay {
            self.catching_up = Some(now + CATCH_UP);
        }
        if !self.on || self.after.is_some_and(|after| picture.pts <= after) {
            return Verdict::Unwanted;
        }
        let room = backlog < self.max_backlog;
        if backlog <= ON_TIME && !picture.replay && !picture.followed {
            self.catching_up = None;
        }
        if room {
            Verdict::Pass
        } else if self.catching_up.is_some_and(|until| now < until) {
            Verdict::Wait
        } else if picture.due {
            Verdict::Pass
        } else {
            Verdict::Shed
        }
    }

    /// Whether it may be behind without shedding.
    pub(crate) fn catching_up(&self, now: Duration) -> bool {
        self.on && self.catching_up.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(40);
    const START: Duration = Duration::from_secs(100);

    fn picture(pts: i64) -> Picture {
        Picture { pts, due: false, replay: false, followed: false }
    }

    fn on_time() -> Gate {
        let mut gate = Gate::new(None, Some(FRAME), START);
        assert_eq!(gate.decide(picture(0), 0, START), Verdict::Pass);
        gate
    }

    #[test]
    fn as_much_time_may_wait_at_any_frame_rate() {
        let most = |frame| Gate::new(None, frame, START).max_backlog;
        let frames = [1_000, 100, 40, 33, 16, 8].map(Duration::from_millis);
        assert_eq!(frames.map(|frame| most(Some(frame))), [4, 4, 7, 8, 16, 32]);
        assert_eq!(most(None), UNKNOWN_BACKLOG);
        assert_eq!(most(Some(Duration::ZERO)), 250_000_000);
    }

    #[test]
    fn too_many_waiting_sheds_all_but_those_due() {
        let mut gate = on_time();
        assert_eq!(gate.decide(picture(1), 6, START), Verdict::Pass);
        assert_eq!(gate.decide(picture(2), 7, START), Verdict::Shed);
        assert_eq!(gate.decide(Picture { due: true, ..picture(3) }, 7, START), Verdict::Pass);
        assert_eq!(gate.decide(picture(4), 6, START), Verdict::Pass);
    }

    #[test]
    fn a_start_waits_and_does_not_shed_for_some_seconds() {
        let mut gate = Gate::new(None, Some(FRAME), START);
        assert_eq!(gate.decide(picture(0), 7, START), Verdict::Wait);
        assert_eq!(gate.decide(Picture { due: true, ..picture(0) }, 7, START), Verdict::Wait);
        assert!(gate.catching_up(START + CATCH_UP / 2));
        assert_eq!(gate.decide(picture(0), 7, START + CATCH_UP), Verdict::Shed);
        assert!(!gate.catching_up(START + CATCH_UP));
    }

    #[test]
    fn the_first_of_a_burst_does_not_end_the_catching_up() {
        let mut gate = Gate::new(None, Some(FRAME), START);
        let burst = |pts| Picture { followed: true, ..picture(pts) };
        assert_eq!(gate.decide(burst(0), 0, START), Verdict::Pass);
        assert_eq!(gate.decide(burst(1), 7, START), Verdict::Wait);
        assert_eq!(gate.decide(picture(2), 6, START), Verdict::Pass);
        assert_eq!(gate.decide(burst(3), 7, START), Verdict::Wait);
        assert_eq!(gate.decide(picture(4), 1, START), Verdict::Pass);
        assert_eq!(gate.decide(burst(5), 7, START), Verdict::Shed);
    }

    #[test]
    fn what_is_replayed_is_never_shed_however_long_it_takes() {
        let mut gate = on_time();
        let late = START + 10 * CATCH_UP;
        assert_eq!(gate.decide(Picture { replay: true, ..picture(1) }, 7, late), Verdict::Wait);
        assert_eq!(gate.decide(Picture { replay: true, ..picture(1) }, 0, late), Verdict::Pass);
        assert_eq!(gate.decide(picture(2), 7, late), Verdict::Wait);
        assert_eq!(gate.decide(picture(2), 0, late), Verdict::Pass);
        assert_eq!(gate.decide(picture(3), 7, late), Verdict::Shed);
    }

    #[test]
    fn nothing_passes_up_to_where_another_worker_has_come() {
        let mut gate = Gate::new(Some(5), Some(FRAME), START);
        let replayed = |pts| Picture { replay: true, due: true, ..picture(pts) };
        assert_eq!(gate.decide(replayed(5), 0, START), Verdict::Unwanted);
        assert!(!gate.switch(false, replayed(5)));
        assert_eq!(gate.decide(replayed(6), 0, START), Verdict::Pass);
    }

    #[test]
    fn it_opens_and_shuts_at_pictures_that_are_due() {
        let mut gate = on_time();
        let due = |pts| Picture { due: true, ..picture(pts) };
        assert!(!gate.switch(false, picture(1)));
        assert!(gate.switch(false, due(2)));
        assert!(!gate.switch(false, due(3)));
        assert_eq!(gate.decide(due(3), 0, START), Verdict::Unwanted);
        assert!(!gate.switch(true, picture(4)));
        assert!(gate.switch(true, due(5)));
        assert_eq!(gate.decide(due(5), 0, START), Verdict::Pass);
    }
}
