//! What past events teach: who watched is recorded while an event is on, and read by the hints of the next.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use touchline_hints::{Calendar, Event, History, Phase, Series, Settings};

/// From one record to the next.
const STEP: Duration = Duration::from_secs(15);
/// Records of an event, at most: those of three days.
const MAX_RECORDS: usize = 3 * 24 * 3_600 / 15;
/// Events that are learnt from: the newest.
const MAX_PAST: usize = 200;

/// How many watched an event, or several at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Past {
    start: Duration,
    step: Duration,
    viewers: Vec<f64>,
    events: Vec<Event>,
}

impl Past {
    /// As a file is called.
    pub(super) fn name(&self) -> String {
        let id = self.events.first().map_or("event", |event| event.id.as_str());
        format!("{id}-{}", self.start.as_secs())
    }

    fn series(&self) -> Series {
        let calendar = Calendar { events: self.events.clone() };
        Series { start: self.start, step: self.step, viewers: self.viewers.clone(), calendar }
    }
}

/// What was learnt, and what is being recorded.
#[derive(Debug)]
pub(super) struct Learning {
    settings: Settings,
    past: Vec<Past>,
    pub(super) recording: Option<Past>,
}

impl Learning {
    pub(super) fn new(settings: Settings, mut past: Vec<Past>, recording: Option<Past>) -> Self {
        past.sort_by_key(|past| past.start);
        Self { settings, past, recording }
    }

    /// What all of them come to.
    pub(super) fn history(&self) -> Arc<History> {
        let series: Vec<Series> = self.past.iter().map(Past::series).collect();
        Arc::new(History::of(&self.settings, &series))
    }

    /// So many watch. What is over is given back, to be kept.
    pub(super) fn see(&mut self, now: Duration, viewers: f64, calendar: &Calendar) -> Option<Past> {
        let on = calendar.phase(now) != Phase::Off;
        let Some(recording) = &mut self.recording else {
            if on {
                let events = on_now(calendar, now);
                self.recording = Some(Past { start: now, step: STEP, viewers: vec![viewers], events });
            }
            return None;
        };
        // Seconds of which nobody knows are as the last before them.
        let steps = now.saturating_sub(recording.start).as_secs() / STEP.as_secs();
        let due = usize::try_from(steps + 1).unwrap_or(usize::MAX).min(MAX_RECORDS);
        while recording.viewers.len() < due {
            let missed = recording.viewers.len() + 1 < due;
            let last = recording.viewers.last().copied().unwrap_or(viewers);
            recording.viewers.push(if missed { last } else { viewers });
        }
        for event in on_now(calendar, now) {
            // As it is known now: it may have been extended, or have ended.
            recording.events.retain(|known| known.id != event.id);
            recording.events.push(event);
        }
        if on && recording.viewers.len() < MAX_RECORDS {
            return None;
        }
        let over = self.recording.take()?;
        if self.past.len() == MAX_PAST {
            self.past.remove(0);
        }
        self.past.push(over.clone());
        Some(over)
    }
}

fn on_now(calendar: &Calendar, now: Duration) -> Vec<Event> {
    calendar.events.iter().filter(|event| event.phase(now) != Phase::Off).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_recorded_and_learnt_from() {
        let hour = Duration::from_hours(1);
        let at = |minutes: u64| 1_000 * hour + Duration::from_mins(minutes);
        let event = Event {
            id: "final".into(),
            kick_off: at(60),
            end: at(165),
            expected_peak: Some(2_000.0),
            breaks: Vec::new(),
            announcements: Vec::new(),
            ended: Some(at(170)),
        };
        let calendar = Calendar { events: vec![event] };
        let mut learning = Learning::new(Settings::default(), Vec::new(), None);
        let mut kept = Vec::new();
        for second in 0..4 * 3_600_u64 {
            let now = at(0) + Duration::from_secs(second);
            // A minute of which nobody knows.
            if !(600..660).contains(&second) {
                kept.extend(learning.see(now, 1_000.0, &calendar));
            }
        }
        assert_eq!(kept.len(), 1);
        let minutes = kept[0].viewers.len() as u64 * 15 / 60;
        // From the beginning until twenty minutes after the end.
        assert_eq!(minutes, 60 + 110 + 20);
        assert_eq!((kept[0].events[0].id.as_str(), learning.recording.is_none()), ("final", true));
        assert!(kept[0].name().starts_with("final-"));
    }
}
