use std::fs::File;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::header::{ACCEPT_ENCODING, HeaderMap, IF_RANGE, RANGE};
use hyper::{Method, Response, StatusCode};
use serde::Serialize;
use tokio::task::spawn_blocking;
use touchline_media::{ChannelName, Kind as MediaKind};
use touchline_packager::{Name, RenditionId, Resource};

use crate::audience::{self, Signs};
use crate::body::Body;
use crate::channel::{Channel, Content};
use crate::directives::{self, Directives};
use crate::error::Error;
use crate::hub::Hub;
use crate::listing::Listing;
use crate::metrics::Kind;
use crate::range::Range;
use crate::request::Request;
use crate::response::{self, Lifetime};
use crate::{accept, page};

/// How long the list of channels is good for, in seconds: a crowd that waits for a channel asks for it all the time.
const LISTING_SECONDS: u64 = 1;

/// Answers a viewer, at once or when what it asks for comes to exist. Dropping the future lets go of a held request.
///
/// All that is kept of a held request is what its answer depends on: the head is dropped first, and the connection's
/// read buffer with it.
pub async fn respond<B>(hub: &Hub, request: hyper::Request<B>, peer: IpAddr) -> Response<Body> {
    let wishes = Wishes::of_headers(request.headers());
    let signs = Signs::of_request(hub.audience(), peer, &request);
    let quest = Quest::begin(hub, request.method(), request.uri().path(), request.uri().query(), wishes, &signs).await;
    drop(request);
    quest.answer(hub).await
}

/// Whether a path is the first that a viewer asks for: players load the multivariant playlist once.
pub(crate) fn is_new_viewer(path: &str) -> bool {
    matches!(Request::parse(path, None), Ok(Request::Multivariant(_)))
}

/// What a new viewer is told that is to come again after so many seconds.
pub(crate) fn turn_away(hub: &Hub, method: &Method, retry_after: u64) -> Response<Body> {
    let response = response::error(&Error::Crowded { retry_after });
    hub.metrics().count_request(Kind::Multivariant, response.status());
    response::finish(response, method == Method::HEAD)
}

/// What the headers of a request say about the form of its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wishes {
    gzip: bool,
    range: Option<Range>,
}

impl Wishes {
    /// By the values of `Accept-Encoding`, that of `Range`, and whether there is an `If-Range`.
    pub(crate) fn new<'a>(
        accept_encoding: impl IntoIterator<Item = &'a str>,
        range: Option<&str>,
        conditional: bool,
    ) -> Self {
        // RFC 9110 13.1.5: a validator that does not match makes the range void, and no response here carries one.
        let range = range.filter(|_| !conditional).and_then(Range::parse);
        Self { gzip: accept::gzip(accept_encoding), range }
    }

    fn of_headers(headers: &HeaderMap) -> Self {
        let accept_encoding = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
        let range = headers.get(RANGE).and_then(|value| value.to_str().ok());
        Self::new(accept_encoding, range, headers.contains_key(IF_RANGE))
    }
}

/// When what is answered came to be, where it was waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made(pub(crate) Instant);

/// A request without its head.
pub(crate) struct Quest {
    head: bool,
    wishes: Wishes,
    kind: Kind,
    sought: Result<Sought, Error>,
}

impl Quest {
    /// Reads what is asked for. On an edge, fetches the channel first where it is not there yet.
    pub(crate) async fn begin(
        hub: &Hub,
        method: &Method,
        path: &str,
        query: Option<&str>,
        wishes: Wishes,
        signs: &Signs,
    ) -> Self {
        let (kind, sought) = match *method {
            Method::GET | Method::HEAD => match Request::parse(path, query) {
                Ok(asked) => {
                    let kind = asked.kind();
                    let fetched = fetch(hub, &asked).await;
                    let sought = fetched.and_then(|()| find(hub, asked, wishes.gzip));
                    if let (Ok(sought), &Method::GET) = (&sought, method) {
                        sought.sighted(hub, signs);
                    }
                    (kind, sought)
                }
                Err(error) => (Kind::Other, Err(error)),
            },
            Method::OPTIONS => (Kind::Preflight, Ok(Sought::Found(response::preflight()))),
            _ => (Kind::Other, Err(Error::Method)),
        };
        Self { head: method == Method::HEAD, wishes, kind, sought }
    }

    /// What is found, as soon as it exists.
    pub(crate) async fn answer(self, hub: &Hub) -> Response<Body> {
        let Self { head, wishes, kind, sought } = self;
        let outcome = match sought {
            Ok(sought) => sought.answer(hub, wishes).await,
            Err(error) => Err(error),
        };
        let response = outcome.unwrap_or_else(|error| response::error(&error));
        hub.metrics().count_request(kind, response.status());
        response::finish(response, head)
    }
}

/// On an edge, fetches the channel that is asked for where it is not there yet.
async fn fetch(hub: &Hub, asked: &Request<'_>) -> Result<(), Error> {
    match asked.channel() {
        Some(channel) if hub.follows() => hub.find(channel).await.map(drop),
        _ => Ok(()),
    }
}

/// What a request leads to.
enum Sought {
    /// What does not have to be waited for.
    Found(Response<Body>),
    Channels,
    Multivariant(Arc<Channel>),
    Playlist {
        channel: Arc<Channel>,
        id: RenditionId,
        directives: Result<Directives, directives::Error>,
    },
    Resource {
        channel: Arc<Channel>,
        id: RenditionId,
        media: MediaKind,
        name: Name,
    },
}

fn here(hub: &Hub, name: &ChannelName) -> Result<Arc<Channel>, Error> {
    hub.channel(name).ok_or_else(|| Error::NotLive { channel: name.clone() })
}

fn find(hub: &Hub, asked: Request<'_>, gzip: bool) -> Result<Sought, Error> {
    let found = match asked {
        Request::Index => page::index(gzip)?,
        Request::Watch(_) => page::watch(gzip)?,
        Request::WatchSlash(channel) => response::moved(format!("/watch/{channel}")),
        Request::Publish(_) | Request::PublishSlash(_) if hub.follows() => return Err(Error::NoPublishing),
        Request::Publish(_) => page::publish(gzip)?,
        Request::PublishSlash(channel) => response::moved(format!("/publish/{channel}")),
        Request::Asset(name) => page::asset(name, gzip)?,
        Request::Channels => return Ok(Sought::Channels),
        Request::Thumbnail(channel) => thumbnail(hub, &channel)?,
        Request::Multivariant(channel) => return Ok(Sought::Multivariant(here(hub, &channel)?)),
        Request::Media { channel, rendition, directives } => {
            let channel = here(hub, &channel)?;
            let (id, _) = channel.find(rendition)?;
            return Ok(Sought::Playlist { channel, id, directives });
        }
        Request::Resource { channel, rendition, name } => {
            let channel = here(hub, &channel)?;
            let (id, media) = channel.find(rendition)?;
            return Ok(Sought::Resource { channel, id, media, name });
        }
    };
    Ok(Sought::Found(found))
}

impl Sought {
    /// Counts who asks for media, or for its playlist.
    fn sighted(&self, hub: &Hub, signs: &Signs) {
        let (channel, id, position) = match self {
            Self::Playlist { channel, id, directives } => {
                (channel, *id, directives.as_ref().ok().and_then(audience::of_playlist))
            }
            Self::Resource { channel, id, name, .. } => (channel, *id, audience::of_media(name.item)),
            Self::Found(_) | Self::Channels | Self::Multivariant(_) => return,
        };
        if let Some(place) = channel.place(id) {
            hub.audience().sighted(place, signs, position.filter(|_| channel.is_followed_by(id)));
        }
    }

    /// The answer, as soon as there is one.
    async fn answer(self, hub: &Hub, wishes: Wishes) -> Result<Response<Body>, Error> {
        match self {
            Self::Found(response) => Ok(response),
            Self::Channels => Ok(channels(hub).await),
            Self::Multivariant(channel) => {
                let text = channel.multivariant().await?;
                let lifetime = changing(channel.presentation().target_duration);
                Ok(response::text(&text, response::PLAYLIST, lifetime, wishes.gzip))
            }
            Self::Playlist { channel, id, directives } => playlist(&channel, id, directives, wishes.gzip).await,
            Self::Resource { channel, id, media, name } => resource(hub, &channel, id, media, name, wishes.range).await,
        }
    }
}

async fn channels(hub: &Hub) -> Response<Body> {
    #[derive(Serialize)]
    struct Channels {
        channels: Vec<Listing>,
    }
    response::json(
        StatusCode::OK,
        Lifetime::Seconds(LISTING_SECONDS),
        &Channels { channels: hub.known_channels().await },
    )
}

fn thumbnail(hub: &Hub, channel: &ChannelName) -> Result<Response<Body>, Error> {
    let channel = here(hub, channel)?;
    Ok(response::jpeg(channel.thumbnail()?, changing(channel.presentation().target_duration)))
}

/// Six target durations: RFC 8216bis appendix B.1 for a playlist that was waited for. Whoever asks in time gets the same one on
/// every node. Who asks later gets what is current then, which is not kept for long: such URLs can be made up without an
/// end, and after the end of a channel all of them are answered.
fn awaited(target_duration: u32) -> Lifetime {
    Lifetime::Seconds(6 * u64::from(target_duration))
}

/// Half a target duration, in whole seconds: RFC 8216bis appendix B.1 for a playlist that was not waited for. A
/// thumbnail changes about as often.
fn changing(target_duration: u32) -> Lifetime {
    Lifetime::Seconds(u64::from(target_duration / 2).max(1))
}

async fn playlist(
    channel: &Channel,
    id: RenditionId,
    directives: Result<Directives, directives::Error>,
    gzip: bool,
) -> Result<Response<Body>, Error> {
    let target_duration = channel.presentation().target_duration;
    let skip = directives.as_ref().ok().and_then(|directives| directives.skip);
    let playlist = channel.playlist(id, directives).await?;
    let lifetime = if playlist.first { awaited(target_duration) } else { changing(target_duration) };
    let mut response = response::text(playlist.version.text(skip), response::PLAYLIST, lifetime, gzip);
    if playlist.held {
        response.extensions_mut().insert(Made(playlist.version.made));
    }
    Ok(response)
}

async fn resource(
    hub: &Hub,
    channel: &Channel,
    id: RenditionId,
    media: MediaKind,
    name: Name,
    range: Option<Range>,
) -> Result<Response<Body>, Error> {
    let body = match channel.resource(id, name).await? {
        Content::Here(Resource::Whole(data)) => data.into(),
        Content::Here(Resource::Chunks(chunks)) => chunks.into(),
        Content::File { path, len } => match spawn_blocking(|| File::open(path)).await {
            Ok(Ok(file)) => Body::file(file, len),
            // It was lost, its time ran out just now, or it is from before this node followed.
            Ok(Err(_)) | Err(_) => away(hub, channel, id, name).await?,
        },
        Content::Away => away(hub, channel, id, name).await?,
    };
    let content_type = match media {
        MediaKind::Video => "video/mp4",
        MediaKind::Audio => "audio/mp4",
    };
    response::media(body, content_type, range)
}

/// A segment that this node does not have.
async fn away(hub: &Hub, channel: &Channel, id: RenditionId, name: Name) -> Result<Body, Error> {
    let rendition = channel.presentation().rendition(id).ok_or_else(|| channel.missing())?;
    let path = format!("/live/{}/{}/{name}", channel.name(), rendition.name);
    Ok(hub.pull(channel, &path).await?.into())
}
