use std::net::SocketAddr;

use touchline_media::ChannelName;

use super::{Malformed, NoCodec, SessionId};
use crate::health::Report;
use crate::{Rejection, Secret};

/// Where sessions are arranged, changed and ended. Its clones are one.
#[derive(Debug, Clone)]
pub struct Desk {}

/// A publisher's offer, as HTTP brought it.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Into which channel.
    pub channel: ChannelName,
    /// The secret that the publisher gave.
    pub key: Option<Secret>,
    /// From where the HTTP request came.
    pub peer: SocketAddr,
    /// What the encoder calls itself.
    pub encoder: Option<String>,
    /// The offer itself (RFC 8866).
    pub sdp: String,
}

/// The answer to an [`Offer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The session that is there from now on.
    pub session: SessionId,
    /// Of the ICE session, with its quotation marks (RFC 9725 4.3.1).
    pub etag: String,
    /// The answer itself (RFC 8866).
    pub sdp: String,
}

/// What a patch did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patched {
    /// Candidates were taken note of.
    Candidates,
    /// ICE starts anew.
    Restarted {
        /// Of the new ICE session, with its quotation marks.
        etag: String,
        /// Our part of it (RFC 8840).
        fragment: String,
    },
}

/// Why something is refused, in words for the person at the encoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The channel is not for this publisher, or not now.
    #[error("{0}")]
    Rejected(Rejection),
    /// An offer or a fragment that cannot be read or served.
    #[error("{0}")]
    Malformed(Malformed),
    /// Nothing that is offered can be taken.
    #[error("{0}")]
    NoCodec(NoCodec),
    /// There is no such session, or no more.
    #[error("there is no such session, or it has ended: publish again")]
    NoSession,
    /// Not the key that the session was begun with.
    #[error("the key is missing, or is not the one that this session was begun with")]
    WrongKey,
    /// A patch has to say which ICE session it is for.
    #[error("a patch needs an If-Match header with the ETag of the session, or * to restart ICE")]
    EtagMissing,
    /// A patch for an ICE session that is over.
    #[error("the If-Match header names an ICE session that is over: ICE has been restarted since")]
    EtagStale,
    /// There is no room for another session.
    #[error("as many WebRTC sessions are open as the server takes: try again in a moment")]
    Full,
}

impl Desk {
    /// Asks the channel, and arranges a session if it takes the publisher. The channel is taken from then on; it is let go if
    /// the publisher has not connected within [`super::Settings::connect`].
    pub async fn offer(&self, _offer: Offer) -> Result<Answer, Refusal> {
        Err(Refusal::Full)
    }

    /// Takes candidates, or starts ICE anew (RFC 9725 4.3). `if_match` is the header of that name, `fragment` is
    /// `application/trickle-ice-sdpfrag` (RFC 8840).
    pub async fn patch(
        &self,
        _session: &SessionId,
        _key: Option<&Secret>,
        _if_match: Option<&str>,
        _fragment: &str,
    ) -> Result<Patched, Refusal> {
        Err(Refusal::NoSession)
    }

    /// Ends a session. When it returns, its channel is free.
    pub async fn close(&self, _session: &SessionId, _key: Option<&Secret>) -> Result<(), Refusal> {
        Err(Refusal::NoSession)
    }

    /// How the feed of a session does.
    pub fn health(&self, _session: &SessionId, _key: Option<&Secret>) -> Result<Report, Refusal> {
        Err(Refusal::NoSession)
    }
}
