use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Before kick-off, from when on people come in numbers.
const ARRIVAL: Duration = Duration::from_mins(15);
/// After kick-off, until when.
const ARRIVED: Duration = Duration::from_mins(15);
/// Before the end of a break, from when on they come back, and after it, until when.
const RETURN: Duration = Duration::from_mins(5);
/// Before the planned end, from when on a close finish draws more.
const FINISH: Duration = Duration::from_mins(20);
/// After an announcement, for how long it draws people.
const ANNOUNCED: Duration = Duration::from_mins(10);
/// After an event has ended, for how long its viewers take to leave.
const EXODUS: Duration = Duration::from_mins(20);
/// Before kick-off, from when on an event counts, unless it says otherwise.
const OPENS: Duration = Duration::from_hours(2);

/// A span of time. Moments are counted since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// When it begins.
    pub from: Duration,
    /// When it is over.
    pub to: Duration,
}

impl Span {
    /// Whether a moment lies in it.
    pub fn has(&self, at: Duration) -> bool {
        (self.from..self.to).contains(&at)
    }
}

/// Something that people come for. Moments are counted since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What it is called.
    pub id: String,
    /// When what people come for begins.
    pub kick_off: Duration,
    /// When it is planned to end. It is on air until it is said to have ended.
    pub end: Duration,
    /// Viewers that are expected at its peak.
    pub expected_peak: Option<f64>,
    /// Breaks.
    pub breaks: Vec<Span>,
    /// When people are told to come: by a push message, or on another channel.
    pub announcements: Vec<Duration>,
    /// When it has ended.
    pub ended: Option<Duration>,
}

/// Where an event stands: what growth depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing is on.
    Off,
    /// More than a quarter of an hour before kick-off.
    Gathering,
    /// Around kick-off.
    Arrival,
    /// It is on.
    Play,
    /// A break.
    Break,
    /// The end of a break.
    Return,
    /// Towards the end, and past it.
    Finish,
    /// People have been told to come.
    Announced,
    /// It has ended, and they leave.
    Exodus,
}

impl Event {
    /// Where it stands; [`Phase::Off`] when it is too early or too late for it to count.
    pub fn phase(&self, now: Duration) -> Phase {
        if let Some(ended) = self.ended.filter(|ended| *ended <= now) {
            return if now < ended + EXODUS { Phase::Exodus } else { Phase::Off };
        }
        if now + OPENS < self.kick_off {
            return Phase::Off;
        }
        let announced = self.announcements.iter().any(|at| Span { from: *at, to: *at + ANNOUNCED }.has(now));
        if announced {
            return Phase::Announced;
        }
        if now + ARRIVAL < self.kick_off {
            return Phase::Gathering;
        }
        if now < self.kick_off + ARRIVED {
            return Phase::Arrival;
        }
        for span in &self.breaks {
            if (Span { from: span.to.saturating_sub(RETURN), to: span.to + RETURN }).has(now) {
                return Phase::Return;
            }
            if span.has(now) {
                return Phase::Break;
            }
        }
        if now + FINISH >= self.end { Phase::Finish } else { Phase::Play }
    }

    /// Whether nothing may be taken away: from a quarter of an hour before kick-off until it has ended.
    pub fn is_on_air(&self, now: Duration) -> bool {
        now + ARRIVAL >= self.kick_off && self.ended.is_none_or(|ended| now < ended)
    }
}

/// What is on, and when.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Calendar {
    /// In any order.
    pub events: Vec<Event>,
}

impl Calendar {
    /// Where the event stands that matters most: one that is on air before one that is to come, that before one that is over.
    pub fn phase(&self, now: Duration) -> Phase {
        let rank = |phase: &Phase| match phase {
            Phase::Off => 0,
            Phase::Exodus => 1,
            Phase::Gathering => 2,
            Phase::Break => 3,
            Phase::Play => 4,
            Phase::Finish => 5,
            Phase::Return => 6,
            Phase::Arrival => 7,
            Phase::Announced => 8,
        };
        self.events.iter().map(|event| event.phase(now)).max_by_key(rank).unwrap_or(Phase::Off)
    }

    /// The events for which nothing may be taken away now.
    pub fn on_air(&self, now: Duration) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| event.is_on_air(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(minutes: u64) -> Duration {
        Duration::from_mins(minutes)
    }

    /// Kick-off after 1,000 minutes, a break after 45 for 15, the end planned after 105.
    fn event() -> Event {
        Event {
            id: "final".into(),
            kick_off: minutes(1_000),
            end: minutes(1_105),
            expected_peak: None,
            breaks: vec![Span { from: minutes(1_045), to: minutes(1_060) }],
            announcements: vec![minutes(1_070)],
            ended: Some(minutes(1_140)),
        }
    }

    #[test]
    fn an_event_goes_through_its_phases() {
        let cases = [
            (0, Phase::Off),
            (879, Phase::Off),
            (880, Phase::Gathering),
            (984, Phase::Gathering),
            (985, Phase::Arrival),
            (1_014, Phase::Arrival),
            (1_015, Phase::Play),
            (1_045, Phase::Break),
            (1_055, Phase::Return),
            (1_064, Phase::Return),
            (1_065, Phase::Play),
            (1_070, Phase::Announced),
            (1_080, Phase::Play),
            (1_085, Phase::Finish),
            (1_139, Phase::Finish),
            (1_140, Phase::Exodus),
            (1_160, Phase::Off),
        ];
        for (at, phase) in cases {
            assert_eq!(event().phase(minutes(at)), phase, "{at}");
        }
    }

    #[test]
    fn it_is_on_air_until_it_is_said_to_have_ended() {
        let on_air = |event: &Event, at| event.is_on_air(minutes(at));
        let event = event();
        assert_eq!([984, 985, 1_139, 1_140].map(|at| on_air(&event, at)), [false, true, true, false]);
        assert!(on_air(&Event { ended: None, ..event }, 5_000));
    }

    #[test]
    fn of_several_events_the_one_that_draws_most_decides() {
        let other = Event { kick_off: minutes(1_100), ended: None, ..event() };
        let calendar = Calendar { events: vec![event(), other] };
        assert_eq!(calendar.phase(minutes(1_030)), Phase::Play);
        assert_eq!(calendar.phase(minutes(1_090)), Phase::Arrival);
        assert_eq!(calendar.on_air(minutes(1_090)).count(), 2);
        assert_eq!(Calendar::default().phase(minutes(1_000)), Phase::Off);
    }
}
