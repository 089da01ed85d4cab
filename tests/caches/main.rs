//! Caches and doors in front of a server, set up as `deploy/` says.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod crowd;
mod front;
mod http;
mod nginx;
mod none;
#[path = "../support/mod.rs"]
mod support;
mod traffic_server;
mod varnish;
