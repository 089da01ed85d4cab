use touchline_media::ChannelNameError;

use super::flv::Unsupported;
use crate::Rejection;

/// Why a publish is not taken, in words for the person at the encoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another application than `live`.
    #[error(
        "the server address has to end in /live: rtmp://HOST/live, with CHANNEL or CHANNEL?key=SECRET as the stream key"
    )]
    App,
    /// The stream key does not begin with a channel name.
    #[error("the stream key has to be CHANNEL or CHANNEL?key=SECRET, and {0}")]
    StreamKey(#[from] ChannelNameError),
    /// This connection publishes already.
    #[error("this connection publishes already: use a connection for each channel")]
    Second,
    /// The server does not want this publisher.
    #[error("{0}{hint}", hint = hint(*.0))]
    Rejected(#[from] Rejection),
    /// A codec that cannot be taken.
    #[error("{0}")]
    Unsupported(#[from] Unsupported),
}

impl Refusal {
    /// The code of the `onStatus` that tells the client. librtmp gives up on `Denied` and `Rejected` at once.
    pub fn code(&self) -> &'static str {
        match self {
            Self::App | Self::StreamKey(_) | Self::Second | Self::Rejected(Rejection::Busy | Rejection::Replaced) => {
                "NetStream.Publish.BadName"
            }
            Self::Rejected(Rejection::Unauthorised) => "NetStream.Publish.Denied",
            Self::Rejected(Rejection::Full | Rejection::Undecided | Rejection::Draining) | Self::Unsupported(_) => {
                "NetStream.Publish.Rejected"
            }
        }
    }

    /// The value of the `reason` label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::App => "app",
            Self::StreamKey(_) => "stream_key",
            Self::Second => "second_publish",
            Self::Rejected(why) => why.label(),
            Self::Unsupported(_) => "codec",
        }
    }
}

/// What goes on after the words of a rejection.
fn hint(why: Rejection) -> &'static str {
    match why {
        Rejection::Unauthorised => ": the stream key has to be CHANNEL?key=SECRET",
        _ => "",
    }
}
