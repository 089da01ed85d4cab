//! Who watches, and how well: counted without cookies, and merged across edges.
//!
//! ```text
//! request -> Visitor (a hash) -> Census (a table of who was seen when) --look, once a second--> Tally for each channel
//! player's report -> Cmcd ----> Census -> quantiles of what players say            (edge) Tally -> merge (desk)
//! ```
//!
//! A viewer is known by its session id where its player sends one (CTA-5004), else by facts of its connection, and by how many
//! with the same facts ask for the same thing: see [`Census`]. What is kept is a hash by a [`Key`] that is changed every day.
//!
//! No clock and no I/O: `now` is an argument.

mod census;
mod cmcd;
mod crowd;
mod identity;
mod merge;
mod quality;
mod sketch;

pub use census::{Census, Limits, Place, Protocol, Sighting, Tally};
pub use cmcd::{Cmcd, Event, State};
pub use identity::{Key, Visitor};
pub use merge::{Merged, merge};
pub use quality::{Quality, Reading};
pub use sketch::{Quantiles, Sketch};
