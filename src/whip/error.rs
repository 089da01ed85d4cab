//! Why a publisher does not get what it asks for, in words for the person at the encoder.

use std::fmt;

use hyper::StatusCode;
use touchline_ingest::Rejection;
use touchline_ingest::webrtc::{MAX_OFFER, Refusal};
use touchline_media::{ChannelName, ChannelNameError};

use super::request::BODY_TIMEOUT;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// No route leads there.
    #[error("nothing is at this path: publish with a POST to /whip/CHANNEL")]
    NoSuchPath,
    /// The path has something else where a channel's name belongs.
    #[error("the path names no channel: {0}. Publish with a POST to /whip/CHANNEL")]
    ChannelName(#[from] ChannelNameError),
    /// The resource has other methods.
    #[error("this takes {0}")]
    Method(&'static str),
    /// The body is something else.
    #[error("the body has to be {0}, and its Content-Type has to say so")]
    ContentType(&'static str),
    /// The body is no offer for its length alone.
    #[error("the body is longer than the {MAX_OFFER} bytes that are taken")]
    TooLong,
    /// The body has not come.
    #[error("the body has not come within {} s: try again", BODY_TIMEOUT.as_secs())]
    Slow,
    /// The connection broke in the body.
    #[error("the body ends before its end: try again")]
    CutShort,
    /// The body is not text.
    #[error("the body is not text in UTF-8, which SDP is")]
    NotText,
    /// There are no keys, and the publisher is not on this machine.
    #[error(
        "without publish keys only this machine's own encoders and pages may publish: set keys with \
         TOUCHLINE_PUBLISH_KEYS=CHANNEL=SECRET or in touchline.toml, and publish with one"
    )]
    Elsewhere,
    /// The desk says no.
    #[error("{0}")]
    Refused(#[from] Refusal),
}

/// An error, and the channel that it is about if there is one.
pub(super) struct Refused<'a> {
    pub(super) channel: Option<&'a ChannelName>,
    pub(super) error: Error,
}

impl Error {
    /// The status that says it.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath | Self::ChannelName(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::CutShort | Self::NotText => StatusCode::BAD_REQUEST,
            Self::Elsewhere => StatusCode::FORBIDDEN,
            Self::Refused(refusal) => status_of(refusal),
        }
    }
}

fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        // RFC 9725 4.4.3: not an answer that takes a part of it.
        Refusal::NoCodec(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::NoSession => StatusCode::NOT_FOUND,
        // RFC 9725 4.3.1.
        Refusal::EtagMissing => StatusCode::PRECONDITION_REQUIRED,
        Refusal::EtagStale => StatusCode::PRECONDITION_FAILED,
        Refusal::WrongKey | Refusal::Rejected(Rejection::Unauthorised) => StatusCode::UNAUTHORIZED,
        Refusal::Rejected(Rejection::Busy | Rejection::Replaced) => StatusCode::CONFLICT,
        Refusal::Full | Refusal::Rejected(Rejection::Full | Rejection::Undecided | Rejection::Draining) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(channel) = self.channel {
            write!(f, "channel {channel}: ")?;
        }
        self.error.fmt(f)
    }
}
