//! WebRTC: publishers push RTP over a connection that HTTP has arranged (WHIP, RFC 9725).
//!
//! ```text
//! HTTP: offer -> Desk (who may come) -> answer
//! UDP, TCP -> Routes (whose is it) -> connection -> Peer (ICE, DTLS, SRTP) -> rtp::Publication -> Intake
//! ```
//!
//! One UDP socket, and one TCP listener on the same port, carry all sessions. We are an ICE-lite agent (RFC 8445 2.5): we have a
//! public address, answer the checks of the publisher and send none of our own that choose a path. A datagram gets past [`Bound`]
//! only if it comes from an address that has shown, by a check with the session's password, that it belongs to that session.

mod answer;
mod candidate;
mod connection;
mod desk;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod ice;
mod interfaces;
mod media;
mod offer;
mod packet;
mod peer;
mod random;
mod routes;
mod rtcp;
mod secure;
mod server;
mod session_id;
mod stun;
#[cfg(test)]
mod tests;
mod transport_feedback;
mod wire;

pub use candidate::judge as judge_fragment;
pub use desk::{Answer, Desk, Offer, Patched, Refusal};
pub use offer::{MAX_OFFER, MAX_SECTIONS, Malformed, NoCodec, judge as judge_offer};
pub use secure::Broken;
pub use server::{Bound, Settings, bind};
pub use session_id::{NotASessionId, SessionId};
