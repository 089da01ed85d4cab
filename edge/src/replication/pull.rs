//! Segments that are far from the live edge and not here: asked of an origin when a viewer asks, once for all who do.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::StatusCode;
use tokio::sync::{OnceCell, Semaphore};
use touchline_media::ChannelName;
use tracing::debug;

use super::{Directory, Metrics, origin};
use crate::error::Error;

/// The longest segment, in bytes: eight seconds of 60 Mb/s.
const MAX_SEGMENT: usize = 64 << 20;
/// Segments that are fetched at once; who asks for one more waits.
const AT_ONCE: usize = 8;
/// Bytes of segments that are kept for whoever else is as far behind: what came first goes first.
const KEPT: usize = 128 << 20;
/// How many that may be.
const MOST: usize = 256;

#[derive(Debug)]
pub(super) struct Pulls {
    origins: Directory,
    /// By path, in the order in which they were first asked for.
    kept: Mutex<VecDeque<(String, Arc<Segment>)>>,
    turns: Semaphore,
    metrics: Metrics,
}

/// Empty until it is there.
type Segment = OnceCell<Bytes>;

impl Pulls {
    pub(super) fn new(origins: Directory, metrics: Metrics) -> Self {
        Self { origins, kept: Mutex::default(), turns: Semaphore::new(AT_ONCE), metrics }
    }

    /// The segment at a path, from here or from one of the origins.
    pub(super) async fn get(&self, channel: &ChannelName, path: &str) -> Result<Bytes, Error> {
        let segment = self.segment(path);
        let pulled = segment.get_or_try_init(|| self.pull(channel, path)).await.cloned();
        self.trim();
        pulled
    }

    async fn pull(&self, channel: &ChannelName, path: &str) -> Result<Bytes, Error> {
        let _turn = self.turns.acquire().await;
        let mut missing = false;
        for origin in self.origins.of(channel) {
            match origin.get(path, MAX_SEGMENT).await {
                Ok(bytes) => {
                    self.metrics.pulled.inc();
                    self.metrics.received_bytes.inc_by(bytes.len() as u64);
                    return Ok(bytes);
                }
                Err(origin::Error::Status(StatusCode::NOT_FOUND)) => missing = true,
                Err(why) => debug!(%origin, path, "a segment cannot be had: {why}"),
            }
        }
        let channel = channel.clone();
        Err(if missing { Error::NoResource { channel } } else { Error::Unreachable { channel } })
    }

    fn segment(&self, path: &str) -> Arc<Segment> {
        let mut kept = self.kept();
        if let Some((_, segment)) = kept.iter().find(|(kept, _)| kept == path) {
            return Arc::clone(segment);
        }
        let segment = Arc::default();
        kept.push_back((path.to_owned(), Arc::clone(&segment)));
        segment
    }

    /// Lets go of what there is no room for, and of what nobody waits for and never came.
    fn trim(&self) {
        let mut kept = self.kept();
        kept.retain(|(_, segment)| segment.initialized() || Arc::strong_count(segment) > 1);
        let mut bytes: usize = kept.iter().filter_map(|(_, segment)| segment.get()).map(Bytes::len).sum();
        while (bytes > KEPT || kept.len() > MOST)
            && let Some((_, segment)) = kept.pop_front()
        {
            bytes -= segment.get().map_or(0, Bytes::len);
        }
    }

    /// It is whole after each change, so a panic elsewhere while it was locked leaves it usable.
    fn kept(&self) -> MutexGuard<'_, VecDeque<(String, Arc<Segment>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn keep(pulls: &Pulls, path: &str, len: usize) {
        pulls.segment(path).get_or_init(async || Bytes::from(vec![0; len])).await;
        pulls.trim();
    }

    fn paths(pulls: &Pulls) -> Vec<String> {
        pulls.kept().iter().map(|(path, _)| path.clone()).collect()
    }

    #[tokio::test]
    async fn what_came_first_goes_first_when_there_is_no_more_room() {
        let pulls = Pulls::new(Vec::new().into(), Metrics::default());
        for path in ["a", "b", "c"] {
            keep(&pulls, path, KEPT / 2).await;
        }
        assert_eq!(paths(&pulls), ["b", "c"]);
        for number in 0..2 * MOST {
            keep(&pulls, &number.to_string(), 1).await;
        }
        assert_eq!(paths(&pulls).len(), MOST);
    }

    #[tokio::test]
    async fn what_never_came_is_not_kept() {
        let pulls = Pulls::new(Vec::new().into(), Metrics::default());
        let (waiting, given_up) = (pulls.segment("a"), pulls.segment("b"));
        drop(given_up);
        pulls.trim();
        assert_eq!(paths(&pulls), ["a"]);
        drop(waiting);
        pulls.trim();
        assert!(paths(&pulls).is_empty());
    }
}
