//! What the next minutes of an event will need, before they need it: hints for an autoscaler.
//!
//! ```text
//! need(now) = max( most so far x (1 + growth),    by past events, in this phase, after growth like this
//!                  viewers x (1 + head-room),
//!                  expected peak x share by then,  until half an hour after kick-off, by the calendar
//!                  most so far x (1 + head-room),  while an event is on air: nothing is taken away
//!                  the last hint )                 when nobody knows how many watch
//! ```
//!
//! Growth is looked for as far ahead as a node takes to serve from when it is asked for: the time it takes to boot, the time between two looks of the
//! autoscaler, and the age of what is measured. Of all growth that there was, a quantile is taken, which follows from what a viewer who is not
//! served costs, for each minute of a place that nobody takes (the newsvendor problem).
//!
//! There is no clock and no chance here: `now` is an argument, and the same history gives the same hints.

mod calendar;
mod engine;
mod history;
mod settings;

pub use calendar::{Calendar, Event, Phase, Span};
pub use engine::{Engine, Hint, Observation, Override, Reason, Why};
pub use history::{History, Series};
pub use settings::Settings;
