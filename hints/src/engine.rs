use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::calendar::{Calendar, Phase};
use crate::history::{History, Like, RECENT};
use crate::settings::Settings;

/// Of the growth that followed on moments like this, the part that counts: the worst of them were worse than most.
const OF_GROWTH: f64 = 0.75;
/// Beside that, room for what nobody has seen yet: a share of those who watch, for each minute that is looked ahead. The largest events
/// are known to have grown by 4.4 % of their peak in a minute.
const UNSEEN_PER_MINUTE: f64 = 0.05;
/// After kick-off, for how long what is expected counts: later, who is there tells more.
const ARRIVED_BY: Duration = Duration::from_mins(30);
/// Measurements that are kept: an hour of one a second.
const MAX_SEEN: usize = 3_600;

/// What is there at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// When it was measured, since 1970.
    pub at: Duration,
    /// How many watch.
    pub viewers: f64,
}

/// What an operator says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Override {
    /// So many times what is needed, until that moment.
    pub surge: Option<(f64, Duration)>,
    /// The hint stays as it is, until that moment.
    pub freeze: Option<Duration>,
}

/// Why so much is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// How viewers grew at past events.
    Growth,
    /// What is there beside what is used, at least.
    HeadRoom,
    /// What is expected by the calendar.
    Calendar,
    /// Nothing is taken away while an event is on air.
    OnAir,
    /// Nothing is taken away so soon.
    CoolDown,
    /// Nobody knows how many watch.
    Stale,
    /// An operator has said so.
    Surge,
    /// An operator has said so.
    Frozen,
}

/// One reason, and what is needed for it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Why {
    /// The reason.
    pub reason: Reason,
    /// Viewers that there has to be room for.
    pub viewers: f64,
}

/// What will be needed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hint {
    /// When it was given, in seconds since 1970.
    pub at: f64,
    /// Viewers that there has to be room for.
    pub viewers: f64,
    /// Where the event stands.
    pub phase: Phase,
    /// What is needed for each reason, most first: the first decides.
    pub reasons: Vec<Why>,
    /// Of how many moments of past events growth was read.
    pub learnt_from: usize,
}

/// Gives hints.
#[derive(Debug, Clone)]
pub struct Engine {
    settings: Settings,
    history: Arc<History>,
    /// What was seen, oldest first.
    seen: VecDeque<Observation>,
    /// The most that watched since the first event of now went on air; those who watch, while none is.
    held: f64,
    /// What was needed, and when.
    needed: VecDeque<(Duration, f64)>,
    last: Option<f64>,
    /// Growth that has been looked for.
    found: BTreeMap<Like, (f64, usize)>,
}

impl Engine {
    /// Nothing has been seen yet.
    pub fn new(settings: Settings, history: Arc<History>) -> Self {
        Self {
            settings,
            history,
            seen: VecDeque::new(),
            held: 0.0,
            needed: VecDeque::new(),
            last: None,
            found: BTreeMap::new(),
        }
    }

    /// Reads the future from another past, from now on.
    pub fn relearn(&mut self, history: Arc<History>) {
        self.history = history;
        self.found.clear();
    }

    /// Takes a measurement; one that is older than the last is ignored.
    pub fn see(&mut self, observation: Observation) {
        let newer = self.seen.back().is_none_or(|last| last.at < observation.at);
        if !newer || !observation.viewers.is_finite() {
            return;
        }
        if self.seen.len() == MAX_SEEN {
            self.seen.pop_front();
        }
        self.seen.push_back(observation);
    }

    /// What will be needed.
    pub fn hint(&mut self, now: Duration, calendar: &Calendar, order: &Override) -> Hint {
        let phase = calendar.phase(now);
        let seen = self.seen.back().copied();
        let fresh = seen.is_some_and(|seen| now.saturating_sub(seen.at) <= self.settings.stale);
        let (mut reasons, mut learnt_from) = (Vec::new(), 0);
        let mut say = |reason, viewers: f64| reasons.push(Why { reason, viewers: viewers.max(0.0) });
        if let Some(Observation { viewers, at }) = seen {
            let before = self.at(at.saturating_sub(RECENT)).unwrap_or(viewers);
            let (growth, moments) = self.growth(Like::of(phase, before, viewers));
            learnt_from = moments;
            let unseen = UNSEEN_PER_MINUTE * self.settings.horizon().as_secs_f64() / 60.0;
            let on_air = calendar.on_air(now).next().is_some();
            self.held = if on_air { self.held.max(viewers) } else { viewers };
            say(Reason::Growth, self.held * (1.0 + OF_GROWTH * growth.max(0.0) + unseen));
            say(Reason::HeadRoom, viewers * (1.0 + self.settings.least_head_room));
            if on_air {
                say(Reason::OnAir, self.held * (1.0 + self.settings.least_head_room));
            }
        }
        for event in &calendar.events {
            let Some(expected) = event.expected_peak.filter(|_| now < event.kick_off + ARRIVED_BY) else {
                continue;
            };
            if let Some(share) = self.history.share(event, now) {
                say(Reason::Calendar, expected * share);
            }
        }
        self.needed.retain(|(at, _)| now.saturating_sub(*at) <= self.settings.cool_down);
        let cooled = self.needed.iter().map(|(_, viewers)| *viewers).fold(0.0, f64::max);
        if cooled > 0.0 {
            say(Reason::CoolDown, cooled);
        }
        let before = self.last.unwrap_or_default();
        if !fresh {
            say(Reason::Stale, before);
        }
        let most = reasons.iter().map(|why| why.viewers).fold(0.0, f64::max);
        if fresh && let Some(Observation { viewers, .. }) = seen {
            self.needed.push_back((now, viewers * (1.0 + self.settings.least_head_room)));
        }
        if let Some((factor, _)) = order.surge.filter(|(_, until)| now < *until) {
            reasons.push(Why { reason: Reason::Surge, viewers: most * factor });
        }
        if order.freeze.is_some_and(|until| now < until) && self.last.is_some() {
            reasons = vec![Why { reason: Reason::Frozen, viewers: before }];
        }
        reasons.sort_by(|a, b| b.viewers.total_cmp(&a.viewers));
        let viewers = reasons.first().map_or(0.0, |why| why.viewers);
        self.last = Some(viewers);
        Hint { at: now.as_secs_f64(), viewers, phase, reasons, learnt_from }
    }

    /// The same growth is asked for again and again, and takes a while to find.
    fn growth(&mut self, like: Like) -> (f64, usize) {
        *self.found.entry(like).or_insert_with(|| self.history.growth(like))
    }

    /// How many watched at a moment, or just before.
    fn at(&self, moment: Duration) -> Option<f64> {
        let after = self.seen.partition_point(|seen| seen.at <= moment);
        self.seen.get(after.saturating_sub(1)).map(|seen| seen.viewers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Event;

    fn engine() -> Engine {
        let settings = Settings { least_head_room: 0.5, ..Settings::default() };
        Engine::new(settings, Arc::new(History::new(&settings)))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(100_000 + seconds)
    }

    /// What is hinted at when so many watch.
    fn hint(engine: &mut Engine, at: u64, viewers: f64, calendar: &Calendar) -> Hint {
        engine.see(Observation { at: seconds(at), viewers });
        engine.hint(seconds(at), calendar, &Override::default())
    }

    fn first(hint: &Hint) -> (Reason, f64) {
        hint.reasons.first().map(|why| (why.reason, why.viewers)).unwrap()
    }

    /// On air from the beginning until it has ended.
    fn on_air(ended: Option<u64>) -> Calendar {
        let event = Event {
            id: "final".into(),
            kick_off: seconds(0),
            end: seconds(6_000),
            expected_peak: None,
            breaks: Vec::new(),
            announcements: Vec::new(),
            ended: ended.map(seconds),
        };
        Calendar { events: vec![event] }
    }

    #[test]
    fn without_a_past_there_is_head_room() {
        let hint = hint(&mut engine(), 0, 100.0, &Calendar::default());
        assert_eq!((first(&hint), hint.learnt_from), ((Reason::HeadRoom, 150.0), 0));
        assert!(hint.reasons.iter().any(|why| why.reason == Reason::Growth && why.viewers > 100.0));
    }

    #[test]
    fn nothing_is_taken_away_while_an_event_is_on_air() {
        let (mut engine, calendar) = (engine(), on_air(Some(7_200)));
        hint(&mut engine, 0, 1_000.0, &calendar);
        let low = hint(&mut engine, 3_000, 200.0, &calendar);
        assert_eq!(first(&low), (Reason::OnAir, 1_500.0));
        let over = hint(&mut engine, 7_200, 200.0, &calendar);
        assert_eq!(first(&over), (Reason::HeadRoom, 300.0));
    }

    #[test]
    fn what_was_needed_is_kept_for_a_while() {
        let (mut engine, nothing) = (engine(), Calendar::default());
        hint(&mut engine, 0, 1_000.0, &nothing);
        assert_eq!(first(&hint(&mut engine, 600, 100.0, &nothing)), (Reason::CoolDown, 1_500.0));
        assert_eq!(first(&hint(&mut engine, 601, 100.0, &nothing)), (Reason::HeadRoom, 150.0));
    }

    #[test]
    fn stale_data_never_lowers_a_hint() {
        let (mut engine, nothing) = (engine(), Calendar::default());
        hint(&mut engine, 0, 1_000.0, &nothing);
        for at in [60, 600, 6_000, 60_000] {
            let hint = engine.hint(seconds(at), &nothing, &Override::default());
            assert!(hint.viewers >= 1_500.0, "{at}: {hint:?}");
        }
        assert!(hint(&mut engine, 70_000, 100.0, &nothing).viewers < 1_000.0, "and a new measurement does");
        // What is known no more of an event that was on air is not let go either.
        let calendar = on_air(None);
        let before = hint(&mut engine, 80_000, 1_000.0, &calendar).viewers;
        let after = engine.hint(seconds(90_000), &nothing, &Override::default());
        assert!(after.viewers >= before && after.reasons.iter().any(|why| why.reason == Reason::Stale), "{after:?}");
    }

    #[test]
    fn an_older_measurement_or_none_is_ignored() {
        let (mut engine, nothing) = (engine(), Calendar::default());
        hint(&mut engine, 10, 100.0, &nothing);
        engine.see(Observation { at: seconds(9), viewers: 1e9 });
        engine.see(Observation { at: seconds(11), viewers: f64::NAN });
        assert_eq!(first(&engine.hint(seconds(12), &nothing, &Override::default())), (Reason::HeadRoom, 150.0));
    }

    #[test]
    fn an_operator_may_ask_for_more_or_for_no_change() {
        let (mut engine, nothing) = (engine(), Calendar::default());
        hint(&mut engine, 0, 100.0, &nothing);
        let surge = Override { surge: Some((2.0, seconds(100))), freeze: None };
        assert_eq!(first(&engine.hint(seconds(1), &nothing, &surge)), (Reason::Surge, 300.0));
        let freeze = Override { surge: None, freeze: Some(seconds(100)) };
        engine.see(Observation { at: seconds(2), viewers: 900.0 });
        assert_eq!(first(&engine.hint(seconds(2), &nothing, &freeze)), (Reason::Frozen, 300.0));
        assert_eq!(first(&engine.hint(seconds(100), &nothing, &freeze)), (Reason::HeadRoom, 1_350.0));
    }
}
