use std::fmt;
use std::net::SocketAddr;

use tokio::sync::oneshot;
use touchline_media::{ChannelName, Secret, feed};

/// A publisher asks to publish into a channel.
///
/// Dropping it refuses the publisher with [`Rejection::Draining`]: nobody is there to take it.
#[derive(Debug)]
pub struct Publish {
    /// The channel.
    pub channel: ChannelName,
    /// The secret that the publisher gave.
    pub key: Option<Secret>,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
    /// What the encoder calls itself.
    pub encoder: Option<String>,
    /// The operator has named this source for this channel: it needs no key.
    pub invited: bool,
    answer: oneshot::Sender<Answer>,
}

/// The answer to a [`Publish`].
pub(crate) type Answer = Result<feed::Writer, Rejection>;

impl Publish {
    /// A request, and where its answer arrives.
    pub(crate) fn new(
        channel: ChannelName,
        key: Option<Secret>,
        peer: SocketAddr,
        protocol: Protocol,
        encoder: Option<String>,
    ) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, receiver) = oneshot::channel();
        (Self { channel, key, peer, protocol, encoder, invited: false, answer }, receiver)
    }

    /// Lets the publisher in; what it sends goes to `writer`, which is dropped when it leaves.
    pub fn accept(self, writer: feed::Writer) {
        // A publisher that has left meanwhile needs no answer.
        drop(self.answer.send(Ok(writer)));
    }

    /// Refuses the publisher, which is told `why`.
    pub fn reject(self, why: Rejection) {
        drop(self.answer.send(Err(why)));
    }
}

/// Why a publisher is refused, in words for the person at the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Somebody publishes there.
    #[error("somebody publishes into this channel already: stop that encoder, or use another channel")]
    Busy,
    /// As many channels are live as the server takes.
    #[error("the server has as many live channels as it takes: stop one, or use another server")]
    Full,
    /// No secret, or a wrong one.
    #[error("the key is missing or wrong")]
    Unauthorised,
    /// The operator's service that decides who may publish has not said.
    #[error("the service that decides who may publish here does not answer: try again in a moment")]
    Undecided,
    /// Another publisher has been let in in its place.
    #[error("another encoder has taken over this channel: stop that one first, or use another channel")]
    Replaced,
    /// The server is going away.
    #[error("the server is shutting down: try again in a moment")]
    Draining,
}

impl Rejection {
    /// The value of the `reason` label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Full => "full",
            Self::Unauthorised => "unauthorised",
            Self::Undecided => "undecided",
            Self::Replaced => "replaced",
            Self::Draining => "draining",
        }
    }
}

/// What a publisher speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// RTMP over TCP.
    Rtmp,
    /// SRT over UDP, with MPEG-TS in it.
    Srt,
    /// RTMP over TLS.
    Rtmps,
    /// WebRTC, arranged by HTTP.
    Whip,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rtmp => f.write_str("RTMP"),
            Self::Srt => f.write_str("SRT"),
            Self::Rtmps => f.write_str("RTMPS"),
            Self::Whip => f.write_str("WHIP"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_request_is_an_answer_too() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let (publish, answer) = Publish::new("main".parse().unwrap(), None, peer, Protocol::Rtmp, None);
        drop(publish);
        assert!(answer.await.is_err());
    }
}
