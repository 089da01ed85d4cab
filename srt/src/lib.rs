//! SRT sockets for Tokio, over the system's libsrt.
//!
//! SRT carries a live stream over UDP: what is lost is asked for again until it would be too late, a *latency* after it
//! was sent. This crate lends out libsrt's sockets as futures and nothing more: what is sent in the datagrams, and who
//! may send it, is for others to know.
//!
//! ```text
//! Listener::bind(.., gate) -- gate: who may come, with which passphrase --> accept() -> Socket
//! caller::connect(..)                                                                -> Socket: recv, send, stats
//! ```
//!
//! One thread waits for events of all sockets and wakes the futures that wait for them. No call blocks on the network.
//! The gate alone is called on a thread of libsrt's, which carries every stream of its listener: it has to be quick.
//!
//! This is the only crate of the project with `unsafe` code: calls into C.
#![expect(unsafe_code, reason = "libsrt is a C library; each call says why it is sound")]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod address;
mod admitted;
pub mod caller;
mod handle;
mod library;
pub mod listener;
mod passphrase;
mod reject;
mod socket;
mod stats;
mod sys;

use std::net::SocketAddr;
use std::time::Duration;

pub use admitted::TurnedAway;
pub use listener::Listener;
pub use passphrase::{KeyLength, Passphrase, PassphraseLength};
pub use reject::Reject;
pub use socket::{MAX_PAYLOAD, Received, Socket};
pub use stats::Stats;

/// How long packets may be asked for again, where nobody says otherwise: libsrt's own default.
pub const DEFAULT_LATENCY: Duration = Duration::from_millis(120);
/// The longest latency that is asked for. It is what the receive buffer of 12 MB holds at 12 Mb/s.
pub const MAX_LATENCY: Duration = Duration::from_secs(8);
/// A peer that nothing is heard of for so long is gone.
pub const PEER_IDLE: Duration = Duration::from_secs(5);

/// What cannot be done with a socket.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// libsrt says so.
    #[error("cannot {action}: {message} (libsrt error {code})")]
    Library {
        /// What it was to do.
        action: &'static str,
        /// Its error code.
        code: i32,
        /// Its words.
        message: String,
    },
    /// The listener does not want the connection.
    #[error("{peer} has refused the connection: {reason}")]
    Refused {
        /// Who it was.
        peer: SocketAddr,
        /// What it said.
        reason: Reject,
    },
    /// Something that no SRT socket can be told.
    #[error("the stream ID has {0} bytes, more than the {max} that SRT carries", max = caller::MAX_STREAM_ID)]
    StreamId(usize),
}
