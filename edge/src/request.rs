use touchline_media::ChannelName;
use touchline_packager::Name;

use crate::directives::{self, Directives};
use crate::error::Error;
use crate::metrics::Kind;

/// What a viewer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request<'a> {
    /// `/`: the page that lists the channels.
    Index,
    /// `/watch/CHANNEL`: the page that plays one.
    Watch(ChannelName),
    /// `/watch/CHANNEL/`: the same, with a slash that does not belong there.
    WatchSlash(ChannelName),
    /// `/publish/CHANNEL`: the page that publishes into one.
    Publish(ChannelName),
    /// `/publish/CHANNEL/`: the same, with a slash that does not belong there.
    PublishSlash(ChannelName),
    /// `/assets/NAME`: what the pages need.
    Asset(&'a str),
    /// `/channels.json`: the channels that are live.
    Channels,
    /// `/live/CHANNEL/index.m3u8`.
    Multivariant(ChannelName),
    /// `/live/CHANNEL/thumbnail.jpg`.
    Thumbnail(ChannelName),
    /// `/live/CHANNEL/RENDITION/index.m3u8`.
    Media {
        channel: ChannelName,
        rendition: &'a str,
        /// Judged by the channel: after its end they are ignored, whatever they say.
        directives: Result<Directives, directives::Error>,
    },
    /// `/live/CHANNEL/RENDITION/NAME`: a part, a segment or an init section.
    Resource { channel: ChannelName, rendition: &'a str, name: Name },
}

const PLAYLIST: &str = "index.m3u8";
const THUMBNAIL: &str = "thumbnail.jpg";

/// The path of a channel's thumbnail.
pub(crate) fn thumbnail(channel: &ChannelName) -> String {
    format!("/live/{channel}/{THUMBNAIL}")
}

impl<'a> Request<'a> {
    /// Reads a path and a query as they were sent. Nothing is percent-decoded: no name that is served needs escaping, so
    /// whatever is escaped, doubled or climbs up is no name.
    pub(crate) fn parse(path: &'a str, query: Option<&str>) -> Result<Self, Error> {
        let mut segments = path.strip_prefix('/').ok_or(Error::NoSuchPath)?.split('/');
        // One more than the longest route, to see that nothing follows it.
        let route: [Option<&str>; 5] = std::array::from_fn(|_| segments.next());
        match route {
            [Some(""), None, ..] => Ok(Self::Index),
            [Some("channels.json"), None, ..] => Ok(Self::Channels),
            [Some("watch"), Some(channel), None, ..] => Ok(Self::Watch(channel.parse()?)),
            [Some("watch"), Some(channel), Some(""), None, _] => Ok(Self::WatchSlash(channel.parse()?)),
            [Some("publish"), Some(channel), None, ..] => Ok(Self::Publish(channel.parse()?)),
            [Some("publish"), Some(channel), Some(""), None, _] => Ok(Self::PublishSlash(channel.parse()?)),
            [Some("assets"), Some(name), None, ..] => Ok(Self::Asset(name)),
            [Some("live"), Some(channel), Some(PLAYLIST), None, ..] => Ok(Self::Multivariant(channel.parse()?)),
            [Some("live"), Some(channel), Some(THUMBNAIL), None, ..] => Ok(Self::Thumbnail(channel.parse()?)),
            [Some("live"), Some(channel), Some(rendition), Some(PLAYLIST), None] => {
                Ok(Self::Media { channel: channel.parse()?, rendition, directives: Directives::parse(query) })
            }
            [Some("live"), Some(channel), Some(rendition), Some(name), None] => {
                let name = name.parse().map_err(|_| Error::NoSuchPath)?;
                Ok(Self::Resource { channel: channel.parse()?, rendition, name })
            }
            _ => Err(Error::NoSuchPath),
        }
    }

    /// The channel whose media is asked for.
    pub(crate) fn channel(&self) -> Option<&ChannelName> {
        match self {
            Self::Multivariant(channel)
            | Self::Thumbnail(channel)
            | Self::Media { channel, .. }
            | Self::Resource { channel, .. } => Some(channel),
            _ => None,
        }
    }

    /// What it counts as.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Index
            | Self::Watch(_)
            | Self::WatchSlash(_)
            | Self::Publish(_)
            | Self::PublishSlash(_)
            | Self::Asset(_)
            | Self::Channels => Kind::Page,
            Self::Multivariant(_) => Kind::Multivariant,
            Self::Thumbnail(_) => Kind::Thumbnail,
            Self::Media { .. } => Kind::Playlist,
            Self::Resource { name, .. } => Kind::of(name.item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directives::Until;

    #[test]
    fn paths_become_requests() {
        let main: ChannelName = "main".parse().unwrap();
        let rendition = "video";
        let name: Name = "part17-a.m4s".parse().unwrap();
        let cases = [
            ("/", Request::Index),
            ("/channels.json", Request::Channels),
            ("/watch/main", Request::Watch(main.clone())),
            ("/watch/main/", Request::WatchSlash(main.clone())),
            ("/publish/main", Request::Publish(main.clone())),
            ("/publish/main/", Request::PublishSlash(main.clone())),
            ("/assets/watch-Bx3_9-aQ.js", Request::Asset("watch-Bx3_9-aQ.js")),
            ("/live/main/index.m3u8", Request::Multivariant(main.clone())),
            (&thumbnail(&main), Request::Thumbnail(main.clone())),
            (
                "/live/main/video/index.m3u8",
                Request::Media {
                    channel: main.clone(),
                    rendition,
                    directives: Ok(Directives { until: Until::Segment(7), skip: None }),
                },
            ),
            ("/live/main/video/part17-a.m4s", Request::Resource { channel: main, rendition, name }),
        ];
        for (path, expected) in cases {
            assert_eq!(Request::parse(path, Some("_HLS_msn=7")), Ok(expected), "{path}");
        }
    }

    #[test]
    fn path_tricks_name_nothing() {
        for path in [
            "",
            "*",
            "//",
            "/live",
            "/live/",
            "/live/main",
            "/live/main/",
            "/live/main/thumbnail.png",
            "/live/main/thumbnail.jpg/",
            "/live/main/video/thumbnail.jpg",
            "/watch",
            "/watch/main//",
            "/publish",
            "/publish/main//",
            "/assets",
            "/etc/passwd",
        ] {
            assert_eq!(Request::parse(path, None), Err(Error::NoSuchPath), "{path}");
        }
        for path in
            ["/live/main/video/index.m3u8/", "/live/main/video/../index.m3u8", "/assets/../index.html", "/assets/a/b"]
        {
            assert_eq!(Request::parse(path, None), Err(Error::NoSuchPath), "{path}");
        }
        let long = format!("/live/{}/index.m3u8", "a".repeat(65));
        for path in [
            "/live/../index.m3u8",
            "/live//index.m3u8",
            "/watch/",
            "/watch/%2e%2e",
            "/live/a%2fb/index.m3u8",
            "/watch/a%00",
            &long,
        ] {
            assert!(matches!(Request::parse(path, None), Err(Error::ChannelName(_))), "{path}");
        }
    }
}
