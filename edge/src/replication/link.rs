//! One channel, as one origin tells of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use tokio::sync::mpsc;
use tokio::time::timeout;
use touchline_media::ChannelName;

use super::log::{Clock, Mark};
use super::origin::{self, Origin};
use super::outlet::{self, PREFIX, VERSION};
use super::proof::Proof;
use super::wire::{self, Batch, Decoder, Ending, Frame};
use super::{Metrics, assembly};
use crate::channel::Snapshot;

/// An origin that has not even said that it is there for so long is not: it would have said so a dozen times.
const SILENCE: Duration = Duration::from_secs(2);

/// What an origin says of a channel.
#[derive(Debug)]
pub(super) enum Heard {
    /// It begins here; the proofs of the playlists.
    Snapshot(Box<Snapshot>, Vec<Proof>),
    /// It goes on from here.
    Resumed(Mark),
    Batch(Batch),
    Thumbnail(Mark, Bytes),
    /// Nothing is new.
    KeepAlive,
}

/// Why an origin says nothing more of a channel.
#[derive(Debug, thiserror::Error)]
pub(super) enum Over {
    /// It does not have the channel.
    #[error("it does not have the channel")]
    NotThere,
    /// It does not let us follow.
    #[error("it does not let this node follow ({0}): the cluster secret is not the same on both")]
    Refused(StatusCode),
    /// It has come to an end there.
    #[error("the channel was removed there")]
    Removed,
    #[error("it shuts down")]
    Draining,
    #[error("{0}")]
    Unreachable(#[from] origin::Error),
    #[error("it has been silent for {SILENCE:?}")]
    Silent,
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the connection was closed")]
    Closed,
    #[error("it speaks another language: {0}")]
    Junk(#[from] wire::Error),
    #[error("its snapshot makes no sense: {0}")]
    Snapshot(#[from] assembly::Error),
    #[error("it answers, but not as an origin does")]
    Foreign,
}

/// Follows a channel until its end, from where this node has it already if that is known. What is heard is not queued:
/// whoever does not take it stops the origin.
pub(super) async fn follow(
    origin: &Origin,
    channel: &ChannelName,
    from: Option<(Mark, Clock)>,
    heard: mpsc::Sender<Heard>,
    metrics: &Metrics,
) -> Over {
    metrics.connects.inc();
    match attempt(origin, channel, from, heard, metrics).await {
        Ok(over) | Err(over) => over,
    }
}

async fn attempt(
    origin: &Origin,
    channel: &ChannelName,
    from: Option<(Mark, Clock)>,
    heard: mpsc::Sender<Heard>,
    metrics: &Metrics,
) -> Result<Over, Over> {
    let mut connection = origin.connect().await?;
    let query = from.map(|(mark, _)| format!("?{}", outlet::query(mark))).unwrap_or_default();
    let response = origin.ask(&mut connection, &format!("{PREFIX}/{VERSION}/{channel}{query}")).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(Over::NotThere),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => return Err(Over::Refused(status)),
        status => return Err(origin::Error::Status(status).into()),
    }
    if response.headers().get(CONTENT_TYPE).is_none_or(|media_type| media_type != wire::MEDIA_TYPE) {
        return Err(Over::Foreign);
    }
    let mut stream = Stream {
        body: response.into_body(),
        decoder: Decoder::resuming(from.map(|(_, clock)| clock)),
        received: metrics.received_bytes.clone(),
    };
    let mut snapshot = None;
    loop {
        let heard_now = match stream.next().await? {
            Frame::Head(head) => {
                let clock = stream.decoder.clock().ok_or(Over::Foreign)?;
                snapshot = Some(assembly::Assembly::new(head, clock));
                continue;
            }
            Frame::Rendition(rendition) => {
                snapshot.as_mut().ok_or(Over::Foreign)?.rendition(*rendition)?;
                continue;
            }
            Frame::Segment(id, retained) => {
                snapshot.as_mut().ok_or(Over::Foreign)?.segment(id, retained)?;
                continue;
            }
            Frame::Open(id, segment) => {
                snapshot.as_mut().ok_or(Over::Foreign)?.open(id, segment)?;
                continue;
            }
            Frame::Complete(proofs) => {
                let snapshot = snapshot.take().ok_or(Over::Foreign)?.finish()?;
                Heard::Snapshot(Box::new(snapshot), proofs)
            }
            Frame::Resumed(mark) => Heard::Resumed(mark),
            Frame::Batch(batch) => Heard::Batch(batch),
            Frame::Thumbnail(mark, jpeg) => Heard::Thumbnail(mark, jpeg),
            Frame::KeepAlive => Heard::KeepAlive,
            Frame::End(Ending::Removed) => return Ok(Over::Removed),
            Frame::End(Ending::Draining) => return Ok(Over::Draining),
        };
        if heard.send(heard_now).await.is_err() {
            return Ok(Over::Closed);
        }
    }
}

/// The frames of a response.
struct Stream {
    body: Incoming,
    decoder: Decoder,
    received: prometheus_client::metrics::counter::Counter,
}

impl Stream {
    async fn next(&mut self) -> Result<Frame, Over> {
        loop {
            if let Some(frame) = self.decoder.next(Instant::now())? {
                return Ok(frame);
            }
            let piece = timeout(SILENCE, self.body.frame()).await.map_err(|_| Over::Silent)?;
            let piece = piece.ok_or(Over::Closed)??;
            if let Ok(bytes) = piece.into_data() {
                self.received.inc_by(bytes.len() as u64);
                self.decoder.push(bytes);
            }
        }
    }
}

/// What an origin is known by, and shared by all who ask it.
pub(super) type Origins = Arc<[Origin]>;
