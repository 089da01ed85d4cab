//! The worker as the server sees it: a process that is sent access units and sends access units.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod client;
mod clip;
mod opus;
mod pictures;
mod sound;
mod ten_minutes;
