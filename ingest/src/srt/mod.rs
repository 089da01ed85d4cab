//! SRT: publishers push MPEG-TS over UDP, with what is lost sent again (`draft-sharabayko-srt`; libsrt).
//!
//! ```text
//! libsrt -> server: Desk (who may come) -> connection -> ts::Demuxer -> Intake
//! ```
//!
//! A caller is judged before its connection exists, by its [`StreamId`] and by the [`Door`] of the channel, so that it reads
//! a reason. The other way round, [`pull()`] calls a [`Source`] and publishes what it sends. What holds later (another key, a channel that was taken meanwhile) is the answer to its [`crate::Publish`].

mod connection;
mod pull;
mod server;
mod stream_id;
mod turned_away;

pub use pull::{MAX_PAUSE, MIN_PAUSE, Source, pull};
pub use server::{Bound, Door, Settings, bind};
pub use stream_id::{Malformed, StreamId};
pub use touchline_srt::{MAX_LATENCY, Passphrase, PassphraseLength};
