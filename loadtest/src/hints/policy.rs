//! Who decides how many nodes there are.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use touchline_hints::{Calendar, Engine, History, Observation, Override, Series, Settings};

/// What is known when it is decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Since 1970.
    pub(super) now: Duration,
    /// How many watched when it was last measured, and when that was.
    pub(super) seen: Observation,
    /// Viewers that the nodes that serve have room for.
    pub(super) room: f64,
    /// Viewers that one node has room for.
    pub(super) node: f64,
    pub(super) calendar: &'a Calendar,
}

/// How many viewers there has to be room for.
pub(super) trait Policy {
    fn room(&mut self, known: &Known<'_>) -> f64;
}

/// Touchline's hints.
pub(super) struct Hints(pub(super) Engine);

impl Policy for Hints {
    fn room(&mut self, known: &Known<'_>) -> f64 {
        self.0.see(known.seen);
        self.0.hint(known.now, known.calendar, &Override::default()).viewers
    }
}

/// The same, which learns from each day when that is over.
pub(super) struct Learner<'a> {
    engine: Engine,
    history: History,
    /// Days that are to come.
    days: &'a [Series],
}

impl<'a> Learner<'a> {
    pub(super) fn new(settings: Settings, past: &[Series], days: &'a [Series]) -> Self {
        let history = History::of(&settings, past);
        Self { engine: Engine::new(settings, Arc::new(history.clone())), history, days }
    }
}

impl Policy for Learner<'_> {
    fn room(&mut self, known: &Known<'_>) -> f64 {
        while let Some((day, rest)) = self.days.split_first()
            && day.moment(day.viewers.len()) <= known.seen.at
        {
            self.history.learn(day);
            self.engine.relearn(Arc::new(self.history.clone()));
            self.days = rest;
        }
        self.engine.see(known.seen);
        self.engine.hint(known.now, known.calendar, &Override::default()).viewers
    }
}

/// The greatest wish of the last so long: what Kubernetes calls a stabilization window.
#[derive(Debug, Clone)]
struct Steady {
    window: Duration,
    wishes: VecDeque<(Duration, f64)>,
}

impl Steady {
    fn new(window: Duration) -> Self {
        Self { window, wishes: VecDeque::new() }
    }

    fn of(&mut self, now: Duration, wish: f64) -> f64 {
        self.wishes.push_back((now, wish));
        self.wishes.retain(|(at, _)| now.saturating_sub(*at) <= self.window);
        self.wishes.iter().map(|(_, wish)| *wish).fold(0.0, f64::max)
    }
}

/// Kubernetes' `HorizontalPodAutoscaler` on processor time, with its defaults: a node that has more viewers than it has room for is
/// busy, and no busier.
pub(super) struct Hpa {
    target: f64,
    steady: Steady,
}

/// The HPA leaves what is so near to its target alone.
const TOLERANCE: f64 = 0.1;
/// It never takes away sooner.
const STABILIZATION: Duration = Duration::from_mins(5);
/// In one step of 15 s it adds as many as there are, or four.
const STEP_UP: f64 = 2.0;
const STEP_UP_NODES: f64 = 4.0;

impl Hpa {
    pub(super) fn new(target: f64) -> Self {
        Self { target, steady: Steady::new(STABILIZATION) }
    }
}

impl Policy for Hpa {
    fn room(&mut self, known: &Known<'_>) -> f64 {
        let ratio = (known.seen.viewers / known.room.max(known.node)).min(1.0) / self.target;
        let wish = if (ratio - 1.0).abs() <= TOLERANCE { known.room } else { known.room * ratio };
        let most = (known.room * STEP_UP).max(known.room + STEP_UP_NODES * known.node);
        self.steady.of(known.now, wish.min(most))
    }
}

/// So many viewers for each node: what autoscalers do on a metric of one's own.
pub(super) struct Target {
    target: f64,
    steady: Steady,
}

impl Target {
    pub(super) fn new(target: f64) -> Self {
        Self { target, steady: Steady::new(STABILIZATION) }
    }
}

impl Policy for Target {
    fn room(&mut self, known: &Known<'_>) -> f64 {
        self.steady.of(known.now, known.seen.viewers / self.target)
    }
}

/// Steps that are agreed on beforehand, each half as much again, one step ahead of what is there.
pub(super) struct Ladder(Steady);

const RUNG: f64 = 1.5;

impl Ladder {
    pub(super) fn new() -> Self {
        Self(Steady::new(Duration::from_mins(15)))
    }
}

impl Policy for Ladder {
    fn room(&mut self, known: &Known<'_>) -> f64 {
        let rungs = (known.seen.viewers.max(known.node) / known.node).log(RUNG).ceil();
        self.0.of(known.now, known.node * RUNG.powf(rungs + 0.5))
    }
}

/// What is expected at the peak, and a third more, from an hour and a half before kick-off until the end.
pub(super) struct Static;

impl Policy for Static {
    fn room(&mut self, known: &Known<'_>) -> f64 {
        const EARLY: Duration = Duration::from_mins(90);
        let on =
            known.calendar.events.iter().filter(|event| {
                known.now + EARLY >= event.kick_off && event.ended.is_none_or(|ended| known.now < ended)
            });
        on.filter_map(|event| event.expected_peak).map(|peak| peak * 4.0 / 3.0).fold(known.seen.viewers, f64::max)
    }
}
