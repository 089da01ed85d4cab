use std::fs::File;

use hyper::header::{HeaderMap, IF_RANGE, RANGE};
use hyper::{Method, Response, StatusCode};
use serde::Serialize;
use tokio::task::spawn_blocking;
use touchline_media::{ChannelName, Kind as MediaKind};
use touchline_packager::{Name, Resource};

use crate::body::Body;
use crate::channel::Content;
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
    let (kind, outcome) = match *request.method() {
        Method::GET | Method::HEAD => match Request::parse(request.uri().path(), request.uri().query()) {
            Ok(asked) => {
                let wishes = Wishes::of(request.headers());
                drop(request);
                (asked.kind(), answer(hub, asked, wishes).await)
            }
            Err(error) => (Kind::Other, Err(error)),
        },
        Method::OPTIONS => (Kind::Preflight, Ok(response::preflight())),
        _ => (Kind::Other, Err(Error::Method)),
    };
    let response = outcome.unwrap_or_else(|error| response::error(&error));
    hub.metrics().count_request(kind, response.status().as_u16());
    response::finish(response, head)
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

async fn answer(hub: &Hub, asked: Request, wishes: Wishes) -> Result<Response<Body>, Error> {
    match asked {
        Request::Index => page::index(wishes.gzip),
        Request::Watch(_) => page::watch(wishes.gzip),
        Request::WatchSlash(channel) => Ok(response::moved(format!("/watch/{channel}"))),
        Request::Publish(_) | Request::PublishSlash(_) if hub.follows() => Err(Error::NoPublishing),
        Request::Publish(_) => page::publish(wishes.gzip),
        Request::PublishSlash(channel) => Ok(response::moved(format!("/publish/{channel}"))),
        Request::Asset(name) => page::asset(&name, wishes.gzip),
        Request::Channels => Ok(channels(hub).await),
        Request::Multivariant(channel) => multivariant(hub, &channel, wishes).await,
        Request::Thumbnail(channel) => thumbnail(hub, &channel).await,
        Request::Media { channel, rendition, directives } => {
            playlist(hub, &channel, &rendition, directives, wishes).await
        }
        Request::Resource { channel, rendition, name } => resource(hub, &channel, &rendition, name, wishes).await,
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

async fn multivariant(hub: &Hub, channel: &ChannelName, wishes: Wishes) -> Result<Response<Body>, Error> {
    let channel = hub.find(channel).await?;
    let text = channel.multivariant().await?;
    let lifetime = changing(channel.presentation().target_duration);
    Ok(response::text(&text, response::PLAYLIST, lifetime, wishes.gzip))
}

async fn playlist(
    hub: &Hub,
    channel: &ChannelName,
    rendition: &str,
    directives: Result<Directives, directives::Error>,
    wishes: Wishes,
) -> Result<Response<Body>, Error> {
    let channel = hub.find(channel).await?;
    let target_duration = channel.presentation().target_duration;
    let skip = directives.as_ref().ok().and_then(|directives| directives.skip);
    let (id, _) = channel.find(rendition)?;
    let playlist = channel.playlist(id, directives).await?;
    let lifetime = if playlist.first { awaited(target_duration) } else { changing(target_duration) };
    Ok(response::text(playlist.version.text(skip), response::PLAYLIST, lifetime, wishes.gzip))
}

async fn thumbnail(hub: &Hub, channel: &ChannelName) -> Result<Response<Body>, Error> {
    let channel = hub.find(channel).await?;
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

async fn resource(
    hub: &Hub,
    channel: &ChannelName,
    rendition: &str,
    name: Name,
    wishes: Wishes,
) -> Result<Response<Body>, Error> {
    let channel = hub.find(channel).await?;
    let (id, kind) = channel.find(rendition)?;
    let body = match channel.resource(id, name).await? {
        Content::Here(Resource::Whole(data)) => data.into(),
        Content::Here(Resource::Chunks(chunks)) => chunks.to_vec().into(),
        Content::File { path, len } => match spawn_blocking(|| File::open(path)).await {
            Ok(Ok(file)) => Body::file(file, len),
            // It was lost, or its time ran out just now.
            Ok(Err(_)) | Err(_) => return Err(channel.missing()),
        },
    };
    let content_type = match kind {
        MediaKind::Video => "video/mp4",
        MediaKind::Audio => "audio/mp4",
    };
    response::media(body, content_type, wishes.range)
}
