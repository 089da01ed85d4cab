//! Samples become a ladder of renditions, in worker processes that decode, scale and encode.
//!
//! The server links no codec and needs none: a [`plan::Plan`] and access units go to a worker over a socket, access units
//! come back as [`message::Answer`]s. `touchline-transcode` (in `worker/`) is that worker.

pub mod message;
pub mod plan;
