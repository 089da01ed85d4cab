//! Which origin a channel is followed from. Pure: what happens and when comes in, what to do comes out.

use std::time::{Duration, Instant};

/// The least that parts have to stay away before another origin is turned to.
pub(super) const LEAST_PATIENCE: Duration = Duration::from_millis(400);
/// An origin that has failed is left alone for so long; each time in a row twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// An origin that has been heard for so long has made good for its failures.
const STEADY: Duration = Duration::from_secs(30);

/// The origins of one channel, best first, each known by its index.
#[derive(Debug)]
pub(super) struct Failover {
    links: Vec<Link>,
    /// Whose channel viewers get.
    active: Option<usize>,
    /// How long an origin may say nothing, or nothing new while another has something.
    patience: Duration,
    /// Whether a second origin is followed while the first one works.
    warm: bool,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    state: State,
    /// After the next failure.
    pause: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not followed, and not to be tried before then.
    Down { until: Instant },
    /// Asked; it has not said anything.
    Asked { since: Instant },
    /// It tells of the channel.
    Up(Up),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Up {
    since: Instant,
    /// When anything was heard of it.
    heard: Instant,
    /// When it last had something new; at first, when it said what it has.
    news: Instant,
    /// Whether it has had something new since.
    lives: bool,
    /// Since when it has had something new that the one viewers have has not.
    ahead: Option<Instant>,
    /// The channel has come to its end there.
    ended: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Begin to follow this origin.
    Follow(usize),
    /// Viewers get the channel of this origin from now on. The one before is no longer followed.
    TurnTo(usize),
    /// No longer follow this one.
    Leave(usize),
}

impl Failover {
    /// Of so many origins, none of which has been asked.
    pub(super) fn new(origins: usize, warm: bool, now: Instant) -> Self {
        let link = Link { state: State::Down { until: now }, pause: FIRST_PAUSE };
        Self { links: vec![link; origins], active: None, patience: LEAST_PATIENCE, warm }
    }

    /// There are so many origins now: those that are new come last. They never become fewer.
    pub(super) fn grow(&mut self, origins: usize, now: Instant) {
        let link = Link { state: State::Down { until: now }, pause: FIRST_PAUSE };
        self.links.resize(origins.max(self.links.len()), link);
    }

    /// Parts of this length may stay away for half as long again, and never less than [`LEAST_PATIENCE`].
    pub(super) fn parts_last(&mut self, part_target: Duration) {
        self.patience = (part_target * 3 / 2).max(LEAST_PATIENCE);
    }

    /// Whose channel viewers get.
    pub(super) fn active(&self) -> Option<usize> {
        self.active
    }

    /// An origin has said something; `news`: more than that it is there.
    pub(super) fn heard(&mut self, origin: usize, news: bool, now: Instant) {
        let (active, half) = (self.active, self.patience / 2);
        let here = active.filter(|active| *active != origin).and_then(|active| self.up(active));
        let Some(link) = self.links.get_mut(origin) else { return };
        match &mut link.state {
            State::Up(up) => {
                up.heard = now;
                if news {
                    (up.news, up.lives) = (now, true);
                    if here.is_some_and(|here| now > here.news + half) {
                        up.ahead.get_or_insert(now);
                    }
                }
                if now.saturating_duration_since(up.since) > STEADY {
                    link.pause = FIRST_PAUSE;
                }
            }
            State::Asked { .. } => {
                let up = Up { since: now, heard: now, news: now, lives: false, ahead: None, ended: false };
                link.state = State::Up(up);
            }
            // It has been left, and this was on its way.
            State::Down { .. } => {}
        }
        if news && active == Some(origin) {
            for link in &mut self.links {
                if let State::Up(up) = &mut link.state {
                    up.ahead = None;
                }
            }
        }
    }

    /// The channel has come to its end on an origin. Whether another one goes on with it, so that viewers need not know.
    pub(super) fn ended(&mut self, origin: usize, now: Instant) -> bool {
        if let Some(Link { state: State::Up(up), .. }) = self.links.get_mut(origin) {
            up.ended = true;
        }
        self.best(now).is_some()
    }

    /// An origin says nothing more: its connection broke, or it does not have the channel.
    pub(super) fn lost(&mut self, origin: usize, now: Instant) {
        if let Some(link) = self.links.get_mut(origin) {
            link.state = State::Down { until: now + link.pause };
            link.pause = (link.pause * 2).min(LONGEST_PAUSE);
        }
        self.active = self.active.filter(|active| *active != origin);
    }

    /// What is to be done now: to be asked until there is nothing.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Act> {
        match self.active {
            None => match self.best(now).or_else(|| self.any_up()) {
                Some(best) => {
                    self.active = Some(best);
                    Some(Act::TurnTo(best))
                }
                None => self.follow_another(now),
            },
            Some(active) if self.is_well(active, now) => {
                let standbys = usize::from(self.warm);
                let mut others = (0..self.links.len()).filter(|index| *index != active && self.is_followed(*index));
                // Those that come first are the better ones.
                match (others.clone().nth(standbys), others.next()) {
                    (Some(left), _) => {
                        self.set_down(left, now);
                        Some(Act::Leave(left))
                    }
                    (None, None) if self.warm => self.follow_another(now),
                    (None, _) => None,
                }
            }
            Some(active) => match self.best(now) {
                Some(better) => {
                    self.lost(active, now);
                    self.active = Some(better);
                    Some(Act::TurnTo(better))
                }
                None => self.follow_another(now),
            },
        }
    }

    /// When something may have to be done though nothing is heard.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let due = self.links.iter().flat_map(|link| match link.state {
            State::Down { until } => [Some(until), None, None],
            State::Asked { since } => [Some(since + self.patience), None, None],
            State::Up(up) => {
                let ahead = up.ahead.map(|since| since + self.patience / 2);
                [Some(up.heard + self.patience), Some(up.news + self.patience), ahead]
            }
        });
        due.flatten().filter(|due| *due > now).min()
    }

    /// The origin to turn to, if it is better than the one that viewers have.
    fn best(&self, now: Instant) -> Option<usize> {
        let here = self.active.and_then(|active| self.up(active));
        let better = |index: &usize| {
            let Some(up) = self.up(*index).filter(|up| !up.ended && up.heard + self.patience > now) else {
                return false;
            };
            Some(*index) != self.active
                && match here {
                    // Whoever is about to end too goes on with nothing.
                    Some(here) if here.ended => up.lives && up.news + 2 * self.patience > now,
                    // Both have the same feed: what one has and the other has not after so long will not come.
                    Some(here) if here.heard + self.patience > now => {
                        up.ahead.is_some_and(|since| since + self.patience / 2 <= now)
                    }
                    Some(_) | None => true,
                }
        };
        (0..self.links.len()).filter(better).max_by_key(|index| self.up(*index).map(|up| (up.news, usize::MAX - index)))
    }

    /// Any origin that says anything, with the newest.
    fn any_up(&self) -> Option<usize> {
        let up = (0..self.links.len()).filter(|index| self.up(*index).is_some());
        up.max_by_key(|index| self.up(*index).map(|up| (!up.ended, up.news)))
    }

    /// Whether an origin does what it should: it says something. Nothing new may be because its publisher pauses.
    fn is_well(&self, origin: usize, now: Instant) -> bool {
        let well = |up: Up| !up.ended && up.heard + self.patience > now && up.news + self.patience > now;
        self.up(origin).is_some_and(well)
    }

    fn up(&self, origin: usize) -> Option<Up> {
        match self.links.get(origin)?.state {
            State::Up(up) => Some(up),
            State::Down { .. } | State::Asked { .. } => None,
        }
    }

    fn is_followed(&self, origin: usize) -> bool {
        self.links.get(origin).is_some_and(|link| !matches!(link.state, State::Down { .. }))
    }

    /// The best of those that are not followed and may be tried, unless one has just been asked.
    fn follow_another(&mut self, now: Instant) -> Option<Act> {
        let asked = |link: &Link| matches!(link.state, State::Asked { since } if since + self.patience > now);
        if self.links.iter().any(asked) {
            return None;
        }
        let may = |link: &Link| matches!(link.state, State::Down { until } if until <= now);
        let next = self.links.iter().position(may)?;
        self.links.get_mut(next)?.state = State::Asked { since: now };
        Some(Act::Follow(next))
    }

    fn set_down(&mut self, origin: usize, now: Instant) {
        if let Some(link) = self.links.get_mut(origin) {
            link.state = State::Down { until: now };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Act::{Follow, Leave, TurnTo};
    use super::*;

    const PART: u64 = 200;

    /// What happens to two origins, at what time in milliseconds.
    #[derive(Debug, Clone, Copy)]
    enum Happens {
        /// Something new.
        News(usize),
        /// It is there.
        Alive(usize),
        Lost(usize),
        Ended(usize),
        Nothing,
    }
    use Happens::{Alive, Ended, Lost, News, Nothing};

    struct Story {
        failover: Failover,
        zero: Instant,
        now: Instant,
        acts: Vec<(u64, Act)>,
    }

    impl Story {
        fn begin(origins: usize, warm: bool) -> Self {
            let zero = Instant::now();
            let mut failover = Failover::new(origins, warm, zero);
            failover.parts_last(Duration::from_millis(PART));
            let mut story = Self { failover, zero, now: zero, acts: Vec::new() };
            story.act();
            story
        }

        fn act(&mut self) {
            while let Some(act) = self.failover.poll(self.now) {
                self.acts.push((u64::try_from((self.now - self.zero).as_millis()).unwrap(), act));
            }
        }

        /// Lets time pass up to then, minding deadlines.
        fn until(&mut self, millis: u64) {
            let then = self.zero + Duration::from_millis(millis);
            while let Some(due) = self.failover.deadline(self.now).filter(|due| *due < then) {
                self.now = due;
                self.act();
            }
            self.now = then;
            self.act();
        }

        fn tell(&mut self, millis: u64, happens: Happens) {
            self.until(millis);
            match happens {
                News(origin) => self.failover.heard(origin, true, self.now),
                Alive(origin) => self.failover.heard(origin, false, self.now),
                Lost(origin) => self.failover.lost(origin, self.now),
                Ended(origin) => {
                    self.failover.ended(origin, self.now);
                }
                Nothing => {}
            }
            self.act();
        }

        /// Both have the same part every 200 ms, the second a little later.
        fn both_live(&mut self, from: u64, to: u64) {
            for at in (from..to).step_by(200) {
                self.tell(at, News(0));
                self.tell(at + 5, News(1));
            }
        }

        /// What was done since the last time it was asked.
        fn done(&mut self) -> Vec<(u64, Act)> {
            std::mem::take(&mut self.acts)
        }
    }

    /// Both origins work, the first one is the one that viewers have.
    fn warm() -> Story {
        let mut story = Story::begin(2, true);
        story.tell(10, News(0));
        story.tell(20, News(1));
        assert_eq!(story.done(), [(0, Follow(0)), (10, TurnTo(0)), (10, Follow(1))]);
        story.both_live(200, 2_000);
        assert_eq!(story.done(), []);
        story
    }

    #[test]
    fn a_connection_that_breaks_is_left_at_once() {
        let mut story = warm();
        story.tell(1_900, Lost(0));
        assert_eq!(story.done(), [(1_900, TurnTo(1))]);
    }

    #[test]
    fn an_origin_that_hangs_is_left_when_parts_have_stayed_away_for_400_ms() {
        let mut story = warm();
        for at in [2_000, 2_200, 2_400] {
            story.tell(at + 5, News(1));
        }
        assert_eq!(story.done(), [(2_200, TurnTo(1))]);
    }

    #[test]
    fn an_origin_whose_publisher_cannot_reach_it_is_left_though_it_is_there() {
        let mut story = warm();
        for at in (2_000..2_600).step_by(100) {
            story.tell(at, Alive(0));
            if at % 200 == 0 {
                story.tell(at + 5, News(1));
            }
        }
        // It is kept ready again after a while.
        assert_eq!(story.done(), [(2_205, TurnTo(1)), (2_455, Follow(0))]);
    }

    #[test]
    fn a_publisher_that_pauses_is_no_reason_to_turn() {
        let mut story = warm();
        for at in (2_000..20_000).step_by(100) {
            story.tell(at, Alive(0));
            story.tell(at + 1, Alive(1));
        }
        // Whoever of them goes on first.
        story.tell(20_000, News(1));
        story.both_live(20_005, 21_000);
        assert_eq!(story.done(), []);
    }

    #[test]
    fn the_origin_before_is_not_turned_back_to_while_the_present_one_works() {
        let mut story = warm();
        story.tell(1_900, Lost(0));
        for at in (2_000..6_000).step_by(200) {
            story.tell(at, News(1));
            if at >= 2_400 {
                story.tell(at + 5, News(0));
            }
        }
        // It is followed again, as the one to turn to.
        assert_eq!(story.done(), [(1_900, TurnTo(1)), (2_150, Follow(0))]);
        story.tell(6_010, Lost(1));
        assert_eq!(story.done(), [(6_010, TurnTo(0))]);
    }

    #[test]
    fn an_origin_that_fails_again_and_again_is_asked_ever_more_rarely() {
        let mut story = warm();
        story.tell(1_900, Lost(1));
        for at in (1_901..40_000).step_by(10) {
            if at % 200 == 1 {
                story.tell(at, News(0));
            }
            story.until(at);
            if story.failover.is_followed(1) {
                story.tell(at, Lost(1));
            }
        }
        let pauses: Vec<u64> = story.done().windows(2).map(|acts| (acts[1].0 - acts[0].0) / 250).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 32, 32]);
    }

    #[test]
    fn without_a_standby_another_origin_is_asked_when_the_first_fails() {
        let mut story = Story::begin(2, false);
        story.tell(10, News(0));
        story.tell(200, News(0));
        assert_eq!(story.done(), [(0, Follow(0)), (10, TurnTo(0))]);
        story.tell(300, Lost(0));
        story.tell(320, News(1));
        assert_eq!(story.done(), [(300, Follow(1)), (320, TurnTo(1))]);
        // The first one is not needed.
        for at in (400..4_000).step_by(200) {
            story.tell(at, News(1));
        }
        assert_eq!(story.done(), []);
    }

    #[test]
    fn without_a_standby_a_pause_asks_another_origin_that_is_left_when_it_is_over() {
        let mut story = Story::begin(2, false);
        story.tell(10, News(0));
        for at in (100..1_000).step_by(100) {
            story.tell(at, Alive(0));
            if at > 450 {
                story.tell(at + 1, Alive(1));
            }
        }
        story.tell(1_000, News(0));
        assert_eq!(story.done(), [(0, Follow(0)), (10, TurnTo(0)), (410, Follow(1)), (1_000, Leave(1))]);
    }

    #[test]
    fn an_origin_that_does_not_answer_is_not_waited_for() {
        let mut story = Story::begin(2, true);
        story.tell(500, News(1));
        assert_eq!(story.done(), [(0, Follow(0)), (400, Follow(1)), (500, TurnTo(1))]);
    }

    #[test]
    fn the_only_origin_is_asked_again_when_it_breaks() {
        let mut story = Story::begin(1, true);
        story.tell(10, News(0));
        story.tell(1_000, Lost(0));
        story.tell(1_260, News(0));
        assert_eq!(story.done(), [(0, Follow(0)), (10, TurnTo(0)), (1_250, Follow(0)), (1_260, TurnTo(0))]);
        story.until(60_000);
        assert_eq!(story.done(), []);
    }

    #[test]
    fn an_origin_that_ends_while_another_goes_on_is_left() {
        let mut story = warm();
        story.tell(1_900, Ended(0));
        assert_eq!(story.done(), [(1_900, TurnTo(1))]);
    }

    #[test]
    fn an_end_after_a_pause_is_the_end() {
        let mut story = warm();
        for at in (2_000..8_000).step_by(100) {
            story.tell(at, Alive(0));
            story.tell(at + 1, Alive(1));
        }
        story.tell(8_000, Ended(0));
        story.tell(8_100, Alive(1));
        story.tell(8_200, Nothing);
        assert_eq!(story.done(), []);
    }
}
