use hyper::StatusCode;
use touchline_media::{ChannelName, ChannelNameError};

use crate::directives;
use crate::response::Lifetime;

/// When a viewer that watches comes again whose request could not be held to its end.
const RETRY_SECONDS: u64 = 1;

/// Why a viewer does not get what it asks for. Its display is the `error` of the JSON body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// No route leads there.
    #[error("nothing is served at this path")]
    NoSuchPath,
    /// The path has something else where a channel's name belongs.
    #[error("the path names no channel: {0}")]
    ChannelName(#[from] ChannelNameError),
    /// The method changes something, and viewers change nothing.
    #[error("only GET, HEAD and OPTIONS are served")]
    Method,
    /// There is no such channel now.
    #[error("channel {channel} is not live")]
    NotLive {
        /// The channel asked for.
        channel: ChannelName,
    },
    /// The channel has no such rendition.
    #[error("channel {channel} has no such rendition")]
    NoRendition {
        /// The channel asked for.
        channel: ChannelName,
    },
    /// A part, segment or init section that is past its time, or later than the part that the playlist hints at.
    #[error("channel {channel} does not have this resource: it was removed, or does not exist yet")]
    NoResource {
        /// The channel asked for.
        channel: ChannelName,
    },
    /// The same of a channel that has ended: what it has not, it will never have.
    #[error("channel {channel} has ended, and does not have this resource")]
    Ended {
        /// The channel asked for.
        channel: ChannelName,
    },
    /// The channel has no still picture.
    #[error("channel {channel} has no thumbnail")]
    NoThumbnail {
        /// The channel asked for.
        channel: ChannelName,
    },
    /// The delivery directives do not parse.
    #[error("playlist of channel {channel}: {reason}")]
    Directives {
        /// The channel asked for.
        channel: ChannelName,
        /// What is wrong with them.
        reason: directives::Error,
    },
    /// RFC 8216bis 6.2.5.2: the delivery directives ask for what is too far ahead.
    #[error("playlist of channel {channel}: the part or segment asked for is too far ahead")]
    TooFar {
        /// The channel asked for.
        channel: ChannelName,
    },
    /// No byte of the range exists.
    #[error("the range lies outside the {len} bytes of the resource")]
    Range {
        /// The size of the whole resource, in bytes.
        len: u64,
    },
    /// RFC 8216bis 6.2.5.2: held for three target durations.
    #[error("channel {channel}: what was asked for did not come within {seconds} s")]
    HoldTimeout {
        /// The channel asked for.
        channel: ChannelName,
        /// Three target durations.
        seconds: u64,
    },
    /// The channel holds as many requests as it may.
    #[error("channel {channel} holds {limit} requests already")]
    TooManyHeld {
        /// The channel asked for.
        channel: ChannelName,
        /// The most it holds at once.
        limit: usize,
    },
    /// All channels together hold as many requests as they may.
    #[error("the server holds {limit} requests already")]
    TooManyHeldInAll {
        /// The most it holds at once.
        limit: usize,
    },
    /// There are as many viewers as can be served well.
    #[error("no new viewers are let in at present: those who watch already take all that the server can do")]
    Crowded {
        /// When to come again, in seconds.
        retry_after: u64,
    },
    /// Nobody can say whether there is such a channel.
    #[error("channel {channel} cannot be had: no origin answers")]
    Unreachable {
        /// The channel asked for.
        channel: ChannelName,
    },
    /// An edge takes no publishers.
    #[error("this node is an edge: it serves what origins have, and takes no publishers")]
    NoPublishing,
    /// A node that wants to follow does not have the secret.
    #[error("the cluster secret is missing or wrong")]
    ClusterSecret,
    /// There is no secret, and not only this machine could ask.
    #[error("channels can be followed from this machine alone: no cluster secret is set")]
    NoClusterSecret,
    /// Where players report, something else is done.
    #[error("only POST and OPTIONS are served: players report here")]
    ReportsOnly,
    /// A report that did not come whole, is too long, or is none.
    #[error("the report did not come whole, is too long, or cannot be read")]
    Report,
    /// The server shuts down, and what was asked for will not come.
    #[error("channel {channel}: the server is shutting down")]
    Draining {
        /// The channel asked for.
        channel: ChannelName,
    },
}

impl Error {
    /// The status that says it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath
            | Self::NotLive { .. }
            | Self::NoRendition { .. }
            | Self::NoResource { .. }
            | Self::Ended { .. }
            | Self::NoThumbnail { .. }
            | Self::NoPublishing => StatusCode::NOT_FOUND,
            Self::ClusterSecret => StatusCode::UNAUTHORIZED,
            Self::NoClusterSecret => StatusCode::FORBIDDEN,
            Self::ChannelName(_) | Self::Directives { .. } | Self::TooFar { .. } | Self::Report => {
                StatusCode::BAD_REQUEST
            }
            Self::Method | Self::ReportsOnly => StatusCode::METHOD_NOT_ALLOWED,
            Self::Range { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::HoldTimeout { .. }
            | Self::TooManyHeld { .. }
            | Self::TooManyHeldInAll { .. }
            | Self::Crowded { .. }
            | Self::Unreachable { .. }
            | Self::Draining { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What the person or the player that reads it can do.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::NoSuchPath => {
                "watch at /watch/CHANNEL; playlists are at /live/CHANNEL/index.m3u8; / lists the channels that are live"
            }
            Self::ChannelName(_) => "check the address; / lists the channels that are live",
            Self::Method => "use GET",
            Self::ReportsOnly => "send a report of CTA-5004 by POST",
            Self::Report => "send at most 64 KiB, one report on each line: CTA-5004-B, event mode",
            Self::NotLive { .. } => {
                "wait until somebody publishes to it; /channels.json lists the channels that are live"
            }
            Self::NoRendition { .. } => "take the names from /live/CHANNEL/index.m3u8",
            Self::NoResource { .. } => {
                "reload the playlist: what it lists is there, and only the part that it hints at can be asked for early"
            }
            Self::Ended { .. } => "the last playlist of the channel lists all that there is",
            Self::NoThumbnail { .. } => {
                "the first comes some seconds after the pictures, and only where these are transcoded; /channels.json says \
                 which channels have one"
            }
            Self::Directives { .. } => "send _HLS_msn, or _HLS_msn and _HLS_part, as plain decimal integers, each once",
            Self::TooFar { .. } => "ask for the part or segment that follows the last one of the playlist",
            Self::Range { .. } => "leave the Range header out, or begin within the resource",
            Self::HoldTimeout { .. } => "the publisher may be gone; load the playlist again",
            Self::TooManyHeld { .. } | Self::TooManyHeldInAll { .. } => "try again in a second, or on another edge",
            Self::Crowded { .. } => "try again when Retry-After says, or on another edge",
            Self::Unreachable { .. } => {
                "try again in a second, or on another edge; /readyz and the log say what is wrong"
            }
            Self::NoPublishing => "publish to an origin",
            Self::ClusterSecret => "set TOUCHLINE_CLUSTER_SECRET, or [cluster] secret, to the same on all nodes",
            Self::NoClusterSecret => {
                "set TOUCHLINE_CLUSTER_SECRET, or [cluster] secret, on all nodes; or let viewers connect on loopback alone"
            }
            Self::Draining { .. } => "try again in a second, on another edge",
        }
    }

    /// The channel that it is about, where there is one.
    pub(crate) fn channel(&self) -> Option<&ChannelName> {
        match self {
            Self::NotLive { channel }
            | Self::NoRendition { channel }
            | Self::NoResource { channel }
            | Self::Ended { channel }
            | Self::NoThumbnail { channel }
            | Self::Directives { channel, .. }
            | Self::TooFar { channel }
            | Self::HoldTimeout { channel, .. }
            | Self::TooManyHeld { channel, .. }
            | Self::Unreachable { channel }
            | Self::Draining { channel } => Some(channel),
            Self::NoSuchPath
            | Self::ChannelName(_)
            | Self::Method
            | Self::ReportsOnly
            | Self::Report
            | Self::Range { .. }
            | Self::TooManyHeldInAll { .. }
            | Self::Crowded { .. }
            | Self::NoPublishing
            | Self::ClusterSecret
            | Self::NoClusterSecret => None,
        }
    }

    /// When to try again, in seconds, where that is all that there is to do.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Crowded { retry_after } => Some(*retry_after),
            _ => (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_SECONDS),
        }
    }

    /// How long a cache may keep it. What the next moment can put right is not kept at all: a cached refusal of a part
    /// would still be there when the part is. What ends a hold is: a cache that holds a crowd's requests as one has the answer
    /// for all of them, and the crowd does not come down on the origin.
    pub(crate) fn lifetime(&self) -> Lifetime {
        match self {
            Self::NoResource { .. }
            | Self::TooFar { .. }
            | Self::Range { .. }
            | Self::TooManyHeld { .. }
            | Self::TooManyHeldInAll { .. }
            | Self::Crowded { .. }
            | Self::Unreachable { .. }
            | Self::ReportsOnly
            | Self::Report
            | Self::ClusterSecret
            | Self::NoClusterSecret
            | Self::Draining { .. } => Lifetime::None,
            Self::NoSuchPath
            | Self::ChannelName(_)
            | Self::Method
            | Self::NotLive { .. }
            | Self::NoRendition { .. }
            | Self::Ended { .. }
            | Self::NoThumbnail { .. }
            | Self::HoldTimeout { .. }
            | Self::NoPublishing
            | Self::Directives { .. } => Lifetime::ERROR,
        }
    }
}
