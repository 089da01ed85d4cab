//! Bytes arrive and become samples.
//!
//! A publisher connects ([`rtmp`], [`srt`], [`webrtc`]) and asks to [`Publish`] into a channel. Whoever owns the channel
//! accepts with the writer of a feed or rejects in words. What the publisher then sends goes through an [`Intake`], past which
//! nobody can tell which protocol it came by.

mod access_unit;
mod gate;
pub mod health;
pub mod intake;
mod metrics;
mod publish;
pub mod rtmp;
pub mod rtp;
pub mod srt;
pub mod ts;
pub mod webrtc;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

pub use health::{Health, Roster};
pub use intake::Intake;
pub use metrics::Metrics;
pub use publish::{Protocol, Publish, Rejection};
pub use touchline_media::Secret;

/// Why a connection ended otherwise than by its peer's wish.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer broke the protocol or a limit.
    #[error("{peer}: RTMP error at byte {offset}: {violation}")]
    Rtmp {
        /// Who it was.
        peer: SocketAddr,
        /// How many bytes of the connection had been read when it showed.
        offset: u64,
        /// What it was.
        violation: rtmp::Violation,
    },
    /// The peer may not publish, or not what it sends.
    #[error("{peer}: refused: {refusal}")]
    Refused {
        /// Who it was.
        peer: SocketAddr,
        /// What it was told.
        refusal: rtmp::Refusal,
    },
    /// The server does not want this publisher, which was connected already, or wants it no more.
    #[error("{peer}: refused: {why}")]
    Rejected {
        /// Who it was.
        peer: SocketAddr,
        /// Why.
        why: Rejection,
    },
    /// What the peer sends cannot be taken.
    #[error("{peer}: refused: {unsupported}")]
    MpegTs {
        /// Who it was.
        peer: SocketAddr,
        /// What it is.
        unsupported: ts::Unsupported,
    },
    /// An SRT connection broke.
    #[error("{peer}: {source}")]
    Srt {
        /// Who it was.
        peer: SocketAddr,
        /// What libsrt says.
        source: touchline_srt::Error,
    },
    /// No secure connection of WebRTC came about.
    #[error("{peer}: {trouble}")]
    Webrtc {
        /// From where the offer came.
        peer: SocketAddr,
        /// What was in the way.
        trouble: webrtc::Broken,
    },
    /// The peer let a time limit pass.
    #[error("{peer}: {awaited} for {limit:?}")]
    TimeOut {
        /// Who it was.
        peer: SocketAddr,
        /// What did not happen.
        awaited: Awaited,
        /// For how long.
        limit: Duration,
    },
    /// No TLS connection came about.
    #[error("{peer}: no TLS connection came about: {source}")]
    Tls {
        /// Who it was.
        peer: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The peer does not speak TLS where it has to.
    #[error(
        "{peer}: this port is for RTMPS and the peer does not speak TLS: write rtmps:// in the encoder, or use the RTMP port"
    )]
    NotTls {
        /// Who it was.
        peer: SocketAddr,
    },
    /// The connection broke.
    #[error("{peer}: {source}")]
    Connection {
        /// Who it was.
        peer: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Error {
    /// The value of the `reason` label.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Rtmp { .. } => "protocol_error",
            Self::Refused { .. } | Self::Rejected { .. } | Self::MpegTs { .. } => "refused",
            Self::TimeOut { awaited, .. } => match awaited {
                Awaited::Datagram => "no_datagram",
                Awaited::Handshake => "no_handshake",
                Awaited::Publish => "no_publish",
                Awaited::Byte => "idle",
                Awaited::Media => "no_media",
                Awaited::Reading => "not_reading",
            },
            Self::Webrtc { .. } => "no_handshake",
            Self::Tls { .. } | Self::NotTls { .. } => "no_tls",
            Self::Connection { .. } | Self::Srt { .. } => "broken",
        }
    }
}

/// What a time limit is for; see [`rtmp::Settings`], [`srt::Settings`] and [`webrtc::Settings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// Any datagram after an offer was answered.
    Datagram,
    /// A complete handshake.
    Handshake,
    /// A request to publish.
    Publish,
    /// Any byte.
    Byte,
    /// A whole audio or video message, or access unit.
    Media,
    /// The peer to take what it is sent.
    Reading,
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Datagram => "not one datagram has come (is the WebRTC port open, and the announced address right?)",
            Self::Handshake => "no complete handshake",
            Self::Publish => "no request to publish",
            Self::Byte => "idle",
            Self::Media => "no audio or video",
            Self::Reading => "the peer has taken nothing of what it is sent",
        })
    }
}
