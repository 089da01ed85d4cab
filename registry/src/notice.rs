use std::fmt;

use touchline_media::ChannelName;

use crate::id::Id;

/// What an operator should know of a node's part in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Edges are sent here for a channel.
    Holds { channel: ChannelName, epoch: u64 },
    /// Another node holds a channel that is live here too.
    StandsBy { channel: ChannelName, holder: Id },
    /// What was held here is held by another node: this one was away.
    Fenced { channel: ChannelName, holder: Id, epoch: u64 },
    /// Another process calls itself as this one does.
    Namesake { node: Id, url: String },
}

impl Notice {
    /// Whether something is to be done about it.
    pub(crate) fn is_trouble(&self) -> bool {
        matches!(self, Self::Fenced { .. } | Self::Namesake { .. })
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds { channel, epoch } => {
                write!(f, "edges are sent here for channel {channel}, under epoch {epoch}")
            }
            Self::StandsBy { channel, holder } => write!(f, "{holder} holds channel {channel}; this node stands by"),
            Self::Fenced { channel, holder, epoch } => write!(
                f,
                "{holder} has taken channel {channel} under epoch {epoch} while this node was away; it stands by now, and \
                 edges that it feeds stay with it"
            ),
            Self::Namesake { node, url } => write!(
                f,
                "another process, at {url}, calls itself {node} too: each takes the other's place in the registry again and \
                 again. Give every node a name of its own ([cluster] node)"
            ),
        }
    }
}
