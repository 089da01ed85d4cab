//! A publisher's way to its server, whatever the protocol.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::call::{Call, Gone};
use super::clip::{Clip, Codec};
use super::schedule::Due;
use super::target::Protocol;
use super::{rtmp, srt, whip};

/// A server that has not let a publisher in by then does not answer.
const CONNECT: Duration = Duration::from_secs(10);

/// The units of a clip as a protocol has them, made once for all who speak it.
#[derive(Clone, Debug)]
pub(super) enum Media {
    Rtmp(Arc<rtmp::Tags>),
    Srt(Arc<srt::Streams>),
    Whip(Arc<whip::Packets>),
}

/// What a protocol counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Figures {
    Srt(srt::Figures),
    Whip(whip::Figures),
}

/// A publisher that is on air.
pub(super) enum Line {
    Rtmp(Box<rtmp::Connection>, Arc<rtmp::Tags>),
    Srt(Box<srt::Connection>, Arc<srt::Streams>),
    Whip(Box<whip::Connection>, Arc<whip::Packets>),
}

impl Media {
    /// Errors are in words.
    pub(super) fn new(protocol: Protocol, clip: &Clip) -> Result<Self, String> {
        Ok(match protocol {
            Protocol::Rtmp => Self::Rtmp(Arc::new(rtmp::Tags::new(clip))),
            Protocol::Srt => Self::Srt(Arc::new(srt::Streams::new(clip))),
            Protocol::Whip => Self::Whip(Arc::new(whip::Packets::new(clip)?)),
        })
    }

    /// The tracks of a clip that are sent, the leading one first.
    pub(super) fn tracks(protocol: Protocol, clip: &Clip) -> Vec<usize> {
        let tracks = clip.tracks.iter().enumerate();
        let sent = tracks.filter(|(_, track)| match track.codec {
            Codec::Avc(_) => true,
            Codec::Aac(_) => protocol != Protocol::Whip,
            Codec::Opus(_) => protocol == Protocol::Whip,
        });
        sent.map(|(number, _)| number).collect()
    }
}

impl Line {
    /// Connects, and is let in.
    pub(super) async fn open(call: &Call, media: &Media, clip: &Clip) -> Result<Self, Gone> {
        let open = async {
            Ok(match media {
                Media::Rtmp(tags) => {
                    Self::Rtmp(Box::new(rtmp::Connection::open(call, tags, clip).await?), Arc::clone(tags))
                }
                Media::Srt(streams) => Self::Srt(Box::new(srt::Connection::open(call).await?), Arc::clone(streams)),
                Media::Whip(packets) => {
                    let opening = Box::pin(whip::Connection::open(call, packets));
                    Self::Whip(Box::new(opening.await?), Arc::clone(packets))
                }
            })
        };
        let late = |_| Err(Gone::Broken(format!("{} has not let it in within {} s", call.target, CONNECT.as_secs())));
        timeout(CONNECT, Box::pin(open)).await.unwrap_or_else(late)
    }

    /// Sends a unit, however long that takes; how many bytes there are of it.
    pub(super) async fn send(&mut self, due: &Due, clip: &Clip) -> Result<usize, Gone> {
        match self {
            Self::Rtmp(connection, tags) => connection.send(due, tags, clip).await,
            Self::Srt(connection, streams) => connection.send(due, streams, clip).await,
            Self::Whip(connection, packets) => connection.send(due, packets, clip).await,
        }
    }

    /// Answers what the server says, until it is gone. Cancelling loses nothing.
    pub(super) async fn attend(&mut self) -> Gone {
        match self {
            Self::Rtmp(connection, _) => connection.attend().await,
            Self::Srt(connection, _) => connection.attend().await,
            Self::Whip(connection, _) => connection.attend().await,
        }
    }

    /// Says goodbye. Without it, the server has to find out by itself.
    pub(super) async fn finish(self, call: &Call) -> Result<(), Gone> {
        match self {
            Self::Rtmp(connection, _) => connection.finish().await,
            Self::Srt(connection, _) => connection.finish().await,
            Self::Whip(connection, _) => Box::pin(connection.finish(call)).await,
        }
    }

    /// What there is to read of the connection.
    pub(super) fn figures(&self) -> Option<Figures> {
        match self {
            Self::Rtmp(..) => None,
            Self::Srt(connection, _) => Some(Figures::Srt(connection.figures())),
            Self::Whip(connection, _) => Some(Figures::Whip(connection.figures())),
        }
    }
}
