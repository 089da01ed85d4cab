//! The end of a channel that other nodes follow: an annex of the viewers' listeners.
//!
//! ```text
//! GET /replicate/v1/                            which channels there are, as JSON
//! GET /replicate/v1/CHANNEL                     a snapshot, and what follows it
//! GET /replicate/v1/CHANNEL?line=HEX&after=N    what follows this mark, if that is still known, else the same
//! POST /replicate/v1/audience                   who watches on the nodes that follow, as JSON
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body as HttpBody;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;
use touchline_media::{ChannelName, Secret};

use super::log::Mark;
use super::wire::{self, Ending};
use crate::annex::Annex;
use crate::body::Body;
use crate::channel::{Channel, Closed, Frames};
use crate::error::Error;
use crate::hub::Hub;
use crate::listing::Listing;
use crate::metrics::Counted;
use crate::response::{self, Lifetime};

/// Where nodes ask.
pub(super) const PREFIX: &str = "/replicate";
/// Below it: this version.
pub(super) const VERSION: &str = "v1";
/// After so much silence a node that follows is told that its origin is still there. Shorter than half of what is taken for
/// a failure.
const KEEP_ALIVE: Duration = Duration::from_millis(150);

/// Bytes of a report of who watches: of as many channels as a node follows, with samples of them all.
const MAX_REPORT: usize = 8 << 20;
/// How long it may take to come.
const REPORT_WAIT: Duration = Duration::from_secs(10);

/// Who may follow the channels.
#[derive(Debug, Clone)]
pub enum Access {
    /// Who has this secret.
    Secret(Secret),
    /// Who is on this machine.
    ThisMachine,
    /// Nobody: there is no secret, and others than this machine could ask.
    Nobody,
}

/// What `/replicate/v1/` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Catalogue {
    /// The channels that are live.
    pub(super) channels: Vec<Listing>,
    /// The names of those that can be followed: ended ones as well, as long as they can be watched.
    pub(super) names: Vec<String>,
}

/// What viewers' listeners serve to other nodes.
pub fn annex(hub: Hub, access: Access) -> Annex {
    let access = Arc::new(access);
    Annex::new(PREFIX, move |request, peer| {
        let (hub, access) = (hub.clone(), Arc::clone(&access));
        async move { answer(&hub, &access, request, peer).await }
    })
}

async fn answer<B>(hub: &Hub, access: &Access, request: Request<B>, peer: SocketAddr) -> Response<Body>
where
    B: HttpBody,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let outcome = match access.admit(request.headers(), peer) {
        Ok(()) if request.method() == Method::POST && request.uri().path() == audience_path() => {
            take(hub, request).await
        }
        Ok(()) => serve(hub, &request).await,
        Err(error) => {
            hub.metrics().replication.refused.inc();
            Err(error)
        }
    };
    outcome.unwrap_or_else(|error| response::error(&error))
}

/// Where nodes tell who watches there.
pub(crate) fn audience_path() -> String {
    format!("{PREFIX}/{VERSION}/audience")
}

/// Other nodes tell who watches there.
async fn take<B>(hub: &Hub, request: Request<B>) -> Result<Response<Body>, Error>
where
    B: HttpBody,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = timeout(REPORT_WAIT, Limited::new(request.into_body(), MAX_REPORT).collect());
    let body = body.await.map_err(|_| Error::Report)?.map_err(|_| Error::Report)?;
    hub.audience().told(serde_json::from_slice(&body.to_bytes()).map_err(|_| Error::Report)?);
    Ok(response::taken())
}

async fn serve<B>(hub: &Hub, request: &Request<B>) -> Result<Response<Body>, Error> {
    if request.method() != Method::GET {
        return Err(Error::Method);
    }
    let path = request.uri().path().strip_prefix(PREFIX).and_then(|path| path.strip_prefix('/'));
    let name = path.and_then(|path| path.strip_prefix(VERSION)).and_then(|path| path.strip_prefix('/'));
    match name.ok_or(Error::NoSuchPath)? {
        "" => {
            let catalogue = Catalogue { channels: hub.known_channels().await, names: hub.known_names().await };
            Ok(response::json(StatusCode::OK, Lifetime::None, &catalogue))
        }
        name => {
            let channel = hub.find(&name.parse::<ChannelName>()?).await?;
            Ok(follow(channel, request.uri().query().and_then(resumption), hub))
        }
    }
}

impl Access {
    fn admit(&self, headers: &HeaderMap, peer: SocketAddr) -> Result<(), Error> {
        match self {
            Self::Secret(secret) => {
                let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
                let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(Secret::new);
                if bearer.as_ref() == Some(secret) { Ok(()) } else { Err(Error::ClusterSecret) }
            }
            Self::ThisMachine if peer.ip().to_canonical().is_loopback() => Ok(()),
            Self::ThisMachine | Self::Nobody => Err(Error::NoClusterSecret),
        }
    }
}

/// `line=HEX&after=N`; anything else is no mark.
fn resumption(query: &str) -> Option<Mark> {
    let (line, position) = query.strip_prefix("line=")?.split_once("&after=")?;
    Some(Mark { line: u64::from_str_radix(line, 16).ok()?, position: position.parse().ok()? })
}

/// The query that asks for what follows a mark.
pub(super) fn query(mark: Mark) -> String {
    format!("line={:x}&after={}", mark.line, mark.position)
}

fn follow(channel: Arc<Channel>, after: Option<Mark>, hub: &Hub) -> Response<Body> {
    let metrics = hub.metrics().replication.clone();
    let newest = channel.follow();
    // Who has been here before is told so first, even if nothing follows for a while.
    let resumed = after.filter(|mark| channel.after(*mark).is_some());
    let (sent, greeting, snapshot) = if let Some(mark) = resumed {
        metrics.resumptions_served.inc();
        (mark, wire::resumed(mark), None)
    } else {
        metrics.snapshots_sent.inc();
        let snapshot = channel.snapshot();
        (snapshot.mark(), Vec::new(), Some(snapshot))
    };
    let counted = Counted::on(&metrics.followers);
    let follower = Follower { channel, newest, sent, snapshot, over: false, metrics, _counted: counted };
    let frames = stream::unfold((follower, greeting), |(mut follower, greeting)| async move {
        let frames = if greeting.is_empty() { follower.next().await? } else { greeting };
        Some((frames, (follower, Vec::new())))
    });
    let mut response = Response::new(Body::stream(frames));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(wire::MEDIA_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A node that follows. It reads the log when its connection takes more, and keeps nothing of its own.
struct Follower {
    channel: Arc<Channel>,
    newest: watch::Receiver<Mark>,
    /// What it has been sent.
    sent: Mark,
    /// What has to be sent before that holds.
    snapshot: Option<Frames>,
    over: bool,
    metrics: super::Metrics,
    _counted: Counted,
}

impl Follower {
    /// The next frames, when there are any; `None` after the end.
    async fn next(&mut self) -> Option<Vec<Bytes>> {
        loop {
            if let Some(frame) = self.snapshot.as_mut().and_then(Iterator::next) {
                return Some(frame);
            }
            self.snapshot = None;
            if self.over {
                return None;
            }
            // What comes from here on wakes, whatever the log has already.
            self.newest.mark_unchanged();
            let Some(entries) = self.channel.after(self.sent) else {
                self.metrics.fallen.inc();
                let snapshot = self.channel.snapshot();
                self.sent = snapshot.mark();
                self.snapshot = Some(snapshot);
                continue;
            };
            if let Some(last) = entries.last() {
                self.sent = last.mark;
                return Some(entries.iter().flat_map(|entry| entry.frame().iter().cloned()).collect());
            }
            if let Some(why) = self.channel.is_closed() {
                self.over = true;
                return Some(wire::end(match why {
                    Closed::Removed => Ending::Removed,
                    Closed::Draining => Ending::Draining,
                }));
            }
            match timeout(KEEP_ALIVE, self.newest.changed()).await {
                Ok(_) => {}
                Err(_) => return Some(wire::keep_alive()),
            }
        }
    }
}
