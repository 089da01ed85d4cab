//! Samples become a ladder of renditions, in worker processes that decode, scale and encode.
//!
//! The server links no codec and needs none: a [`plan::Plan`] and access units go to a worker over a socket, access units
//! come back as [`message::Answer`]s. `touchline-transcode` (in `worker/`) is that worker.

mod board;
mod choice;
mod conductor;
mod cost;
mod faults;
mod ladder;
pub mod message;
mod metrics;
mod notice;
mod overload;
pub mod plan;
pub mod probe;
mod process;
mod rendition;
mod replay;
pub mod rung;
mod source;
pub mod workshop;

pub use board::{Board, LadderStatus, RungStatus};
pub use choice::{Abilities, Passthrough, Settings};
pub use conductor::Output;
pub use cost::{Budget, Costs, Millicores};
pub use ladder::Ladder;
pub use metrics::Metrics;
pub use notice::Notice;
pub use rendition::is_of_ladder;
pub use workshop::Workshop;
