use std::fs::File;
use std::sync::Arc;

use hyper::header::{HeaderMap, IF_RANGE, RANGE};
use hyper::{Method, Response, StatusCode};
use serde::Serialize;
use tokio::task::spawn_blocking;
use touchline_media::{ChannelName, Kind as MediaKind};
use touchline_packager::{Name, RenditionId, Resource};

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
pub async fn respond<B>(hub: &Hub, request: hyper::Request<B>) -> Response<Body> {
    let head = request.method() == Method::HEAD;
    let wishes = Wishes::of(request.headers());
    let fetched = fetch(hub, &request).await;
    let (kind, sought) = seek(hub, &request, wishes);
    drop(request);
    let outcome = match fetched.and(sought) {
        Ok(sought) => sought.answer(hub, wishes).await,
        Err(error) => Err(error),
    };
    let response = outcome.unwrap_or_else(|error| response::error(&error));
    hub.metrics().count_request(kind, response.status());
    response::finish(response, head)
}

/// On an edge, fetches the channel that is asked for where it is not there yet.
async fn fetch<B>(hub: &Hub, request: &hyper::Request<B>) -> Result<(), Error> {
    let asked = hub.follows().then(|| Request::parse(request.uri().path(), None).ok()).flatten();
    match asked.as_ref().and_then(Request::channel) {
        Some(channel) => hub.find(channel).await.map(drop),
        None => Ok(()),
    }
}

/// Whether it is the first request of a viewer: players load the multivariant playlist once.
pub(crate) fn is_new_viewer<B>(request: &hyper::Request<B>) -> bool {
    matches!(Request::parse(request.uri().path(), None), Ok(Request::Multivariant(_)))
}

/// What a new viewer is told that is to come again after so many seconds.
pub(crate) fn turn_away<B>(hub: &Hub, request: &hyper::Request<B>, retry_after: u64) -> Response<Body> {
    let response = response::error(&Error::Crowded { retry_after });
    hub.metrics().count_request(Kind::Multivariant, response.status());
    response::finish(response, request.method() == Method::HEAD)
}

/// What the headers of a request say about the form of its answer.
#[derive(Debug, Clone, Copy)]
struct Wishes {
    gzip: bool,
    range: Option<Range>,
}

impl Wishes {
    fn of(headers: &HeaderMap) -> Self {
        let range = headers.get(RANGE).and_then(|value| value.to_str().ok()).and_then(Range::parse);
        // RFC 9110 13.1.5: a validator that does not match makes the range void, and no response here carries one.
        Self { gzip: accept::gzip(headers), range: range.filter(|_| !headers.contains_key(IF_RANGE)) }
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

/// What a request asks for, and where that is.
fn seek<B>(hub: &Hub, request: &hyper::Request<B>, wishes: Wishes) -> (Kind, Result<Sought, Error>) {
    match *request.method() {
        Method::GET | Method::HEAD => match Request::parse(request.uri().path(), request.uri().query()) {
            Ok(asked) => (asked.kind(), find(hub, asked, wishes.gzip)),
            Err(error) => (Kind::Other, Err(error)),
        },
        Method::OPTIONS => (Kind::Preflight, Ok(Sought::Found(response::preflight()))),
        _ => (Kind::Other, Err(Error::Method)),
    }
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
            Self::Resource { channel, id, media, name } => resource(&channel, id, media, name, wishes.range).await,
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
    Ok(response::text(playlist.version.text(skip), response::PLAYLIST, lifetime, gzip))
}

async fn resource(
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
            // It was lost, or its time ran out just now.
            Ok(Err(_)) | Err(_) => return Err(channel.missing()),
        },
    };
    let content_type = match media {
        MediaKind::Video => "video/mp4",
        MediaKind::Audio => "audio/mp4",
    };
    response::media(body, content_type, range)
}
