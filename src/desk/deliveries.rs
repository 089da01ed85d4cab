//! Messages that somebody is to get: tried again and again, for an hour, and then put aside for an operator to see.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rfc3339;

/// Messages that wait; where there are more, the oldest is put aside.
const MAX_WAITING: usize = 1_000;
/// Messages that were given up and are kept.
const MAX_DEAD: usize = 100;
/// After the first attempt fails, the next follows after so long; after each, twice as long, up to...
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// What has not been delivered by then is put aside.
const GIVEN_UP: Duration = Duration::from_hours(1);

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) id: u64,
    pub(super) body: String,
    begun: Duration,
    due: Duration,
    attempts: u32,
    last_error: Option<String>,
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct DeadLetter {
    pub(crate) id: u64,
    /// When it was written.
    pub(crate) at: String,
    pub(crate) attempts: u32,
    /// Why the last attempt failed.
    pub(crate) error: Option<String>,
    /// The message itself.
    #[schema(value_type = Object)]
    pub(crate) message: serde_json::Value,
}

/// What waits, and what was given up.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Deliveries {
    next: u64,
    waiting: VecDeque<Message>,
    dead: VecDeque<Message>,
    #[serde(skip)]
    changed: bool,
}

impl Deliveries {
    /// A message is to be delivered; `body` is told its number.
    pub(super) fn push(&mut self, now: Duration, body: impl FnOnce(u64) -> String) {
        self.next += 1;
        let id = self.next;
        if self.waiting.len() == MAX_WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.bury(oldest);
        }
        self.waiting.push_back(Message { id, body: body(id), begun: now, due: now, attempts: 0, last_error: None });
        self.changed = true;
    }

    /// What is to be sent now: one message, so that they arrive in their order.
    pub(super) fn due(&self, now: Duration) -> Option<Message> {
        self.waiting.front().filter(|message| message.due <= now).cloned()
    }

    /// A message has been delivered, or has not.
    pub(super) fn tried(&mut self, id: u64, now: Duration, outcome: Result<(), String>) {
        let Some(at) = self.waiting.iter().position(|message| message.id == id) else { return };
        self.changed = true;
        match outcome {
            Ok(()) => {
                self.waiting.remove(at);
            }
            Err(why) => {
                let Some(message) = self.waiting.get_mut(at) else { return };
                message.attempts += 1;
                message.last_error = Some(why);
                let pause = FIRST_PAUSE.saturating_mul(1 << (message.attempts - 1).min(16)).min(LONGEST_PAUSE);
                message.due = now + pause;
                if now.saturating_sub(message.begun) >= GIVEN_UP
                    && let Some(given_up) = self.waiting.remove(at)
                {
                    self.bury(given_up);
                }
            }
        }
    }

    /// What was given up, newest first.
    pub(crate) fn dead(&self) -> impl Iterator<Item = DeadLetter> {
        self.dead.iter().rev().map(|message| DeadLetter {
            id: message.id,
            at: rfc3339(message.begun),
            attempts: message.attempts,
            error: message.last_error.clone(),
            message: serde_json::from_str(&message.body).unwrap_or_default(),
        })
    }

    /// Tries one again, for another hour; whether it is there.
    pub(crate) fn retry(&mut self, id: u64, now: Duration) -> bool {
        let Some(mut message) = self.take(id) else { return false };
        (message.begun, message.due, message.attempts) = (now, now, 0);
        self.waiting.push_back(message);
        true
    }

    /// Lets go of one; whether it is there.
    pub(crate) fn discard(&mut self, id: u64) -> bool {
        self.take(id).is_some()
    }

    /// Whether anything has changed since this was asked last.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    fn take(&mut self, id: u64) -> Option<Message> {
        let at = self.dead.iter().position(|message| message.id == id)?;
        self.changed = true;
        self.dead.remove(at)
    }

    fn bury(&mut self, message: Message) {
        if self.dead.len() == MAX_DEAD {
            self.dead.pop_front();
        }
        self.dead.push_back(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn messages_arrive_in_their_order_and_are_tried_again() {
        let mut deliveries = Deliveries::default();
        for _ in 0..2 {
            deliveries.push(at(0), |id| format!("{{\"id\":{id}}}"));
        }
        let first = deliveries.due(at(0)).unwrap();
        deliveries.tried(first.id, at(0), Err("refused".into()));
        assert!(deliveries.due(at(0)).is_none(), "the second does not overtake the first");
        assert_eq!(deliveries.due(at(1)).unwrap().id, 1);
        deliveries.tried(1, at(1), Err("refused".into()));
        assert!(deliveries.due(at(2)).is_none() && deliveries.due(at(3)).is_some());
        deliveries.tried(1, at(3), Ok(()));
        assert_eq!(deliveries.due(at(3)).unwrap().id, 2);
        assert!(deliveries.take_changed() && !deliveries.take_changed());
    }

    #[test]
    fn after_an_hour_they_are_put_aside_until_somebody_sees_to_it() {
        let mut deliveries = Deliveries::default();
        deliveries.push(at(0), |id| format!("{{\"id\":{id}}}"));
        let mut attempts = 0;
        for second in 0..4_000 {
            if let Some(message) = deliveries.due(at(second)) {
                deliveries.tried(message.id, at(second), Err("it answers 500".into()));
                attempts += 1;
            }
        }
        let dead: Vec<DeadLetter> = deliveries.dead().collect();
        assert_eq!((dead.len(), dead[0].attempts, dead[0].error.as_deref()), (1, attempts, Some("it answers 500")));
        assert!((15..30).contains(&attempts), "{attempts}");
        assert!(deliveries.retry(1, at(5_000)) && !deliveries.retry(1, at(5_000)));
        assert_eq!(deliveries.due(at(5_000)).unwrap().id, 1);
        deliveries.tried(1, at(5_000), Ok(()));
        assert!(!deliveries.discard(1));
    }

    #[test]
    fn they_are_bounded() {
        let mut deliveries = Deliveries::default();
        for _ in 0..MAX_WAITING + MAX_DEAD + 10 {
            deliveries.push(at(0), |_| String::new());
        }
        assert_eq!((deliveries.waiting.len(), deliveries.dead.len()), (MAX_WAITING, MAX_DEAD));
    }
}
