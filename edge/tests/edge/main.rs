//! What viewers see: requests go in, whole responses are compared.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails should say where")]

mod audience;
mod blocking;
mod channels;
mod crowd;
mod forms;
mod hints;
mod hostile;
mod http1;
mod https;
mod replication;
mod responses;
mod sockets;
mod spool;
mod stage;
mod thumbnails;
