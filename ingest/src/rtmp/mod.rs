//! RTMP: publishers push H.264, HEVC or AV1, and AAC or Opus, over TCP, or TLS on it (Adobe's Real Time Messaging Protocol 1.0;
//! Enhanced RTMP v2).
//!
//! ```text
//! socket -> server -> connection -> Session: handshake, chunk, message, amf0 -> flv::Demuxer -> Intake
//! ```
//!
//! Everything from [`Session`] to [`flv`] is free of I/O and of clocks. Whatever a peer sends, it gets an answer or an
//! error that names the byte and the limit; none of it panics, and none of it takes more than
//! [`session::MAX_BUFFERED`] bytes.

pub mod amf0;
pub mod chunk;
mod connection;
mod departure;
pub mod flv;
pub mod handshake;
pub mod message;
mod publication;
mod refusal;
mod reply;
mod server;
pub mod session;
mod target;
mod violation;

pub use refusal::Refusal;
pub use server::{Settings, serve};
pub use session::{Media, Output, Session};
pub use target::Target;
pub use violation::Violation;

#[cfg(test)]
mod tests;
