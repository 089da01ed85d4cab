use std::fmt;

use touchline_media::ChannelName;

use crate::id::Id;

/// What a value in the store is about.
///
/// As text, `node.origin-a`, `channel.main` and `pathway.cdn-a`. Keys of NATS are tokens with dots between them, so a dot in
/// a name is written `=`, which no name has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    /// The lease of a node.
    Node(Id),
    /// Who has a channel.
    Channel(ChannelName),
    /// Whether viewers are led away from a pathway.
    Pathway(Id),
}

impl Key {
    /// Reads a key; `None`: it is of a kind that is not known here, as a later version may write.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('.')?;
        if name.contains('.') {
            return None;
        }
        let name = name.replace('=', ".");
        match kind {
            "node" => name.parse().ok().map(Self::Node),
            "channel" => name.parse().ok().map(Self::Channel),
            "pathway" => name.parse().ok().map(Self::Pathway),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Self::Node(id) => ("node", id.as_str()),
            Self::Channel(channel) => ("channel", channel.as_str()),
            Self::Pathway(id) => ("pathway", id.as_str()),
        };
        write!(f, "{kind}.{}", name.replace('.', "="))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_as_they_are_written() {
        for (text, key) in [
            ("node.origin-a", Key::Node("origin-a".parse().unwrap())),
            ("node.edge-3=example=net", Key::Node("edge-3.example.net".parse().unwrap())),
            ("channel.cam=1=", Key::Channel("cam.1.".parse().unwrap())),
            ("pathway.cdn-a", Key::Pathway("cdn-a".parse().unwrap())),
        ] {
            assert_eq!(key.to_string(), text);
            assert_eq!(Key::parse(text), Some(key));
        }
        for text in ["", "node", "node.", "node.a.b", "node.=a", "viewer.a", "channel.a b"] {
            assert_eq!(Key::parse(text), None, "{text}");
        }
    }
}
