//! A small LL-HLS origin in memory: draft-pantos-hls-rfc8216bis-22 as a function of time, with a switch per fault.
//!
//! Nothing is stored. What is listed, what can be had and what a reply says follow from the number of milliseconds since the stream began
//! (`timeline`), and so does the media itself (`media`): a held request sleeps until the moment at which its part will have ended.

mod directives;
mod fault;
mod media;
mod multivariant;
mod playlist;
mod reply;
mod service;
mod timeline;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hyper::http::uri::Authority;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::time::Instant;
use touchline_loadtest::check::dial::Dial;

pub(crate) use fault::Fault;
pub(crate) use playlist::Skip;
pub(crate) use timeline::Rendition;

/// EXT-X-TARGETDURATION, in milliseconds.
const TARGET: u64 = 2_000;
/// PART-TARGET, in milliseconds.
const PART_TARGET: u64 = 200;
/// How long the stream has been on air when the first client comes, in milliseconds: its window is full.
const HEAD_START: u64 = 60_000;
/// Bytes under way on a connection.
const PIPE: usize = 64 * 1024;

/// What the origin streams, and which optional things it offers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The renditions, those of video first.
    pub(crate) renditions: &'static [Rendition],
    /// Whether delta updates are offered.
    pub(crate) delta: bool,
    /// Whether the segment before every discontinuity is missing.
    pub(crate) gaps: bool,
    /// How many seconds after the first client's arrival the stream ends.
    pub(crate) end: Option<u64>,
}

impl Shape {
    /// Two rungs of video and their sound, with everything a server may offer.
    pub(crate) const LADDER: Self =
        Self { renditions: &[Rendition::High, Rendition::Low, Rendition::Audio], delta: true, gaps: false, end: None };
}

/// An origin; its clones are the same origin.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    shape: Shape,
    fault: Option<Fault>,
    began: Instant,
    /// Requests so far, for faults whose replies differ.
    requests: Arc<AtomicU64>,
}

impl Origin {
    /// An origin that does everything right.
    pub(crate) fn clean(shape: Shape) -> Self {
        Self { shape, fault: None, began: Instant::now(), requests: Arc::default() }
    }

    /// An origin that does one thing wrong.
    pub(crate) fn with(fault: Fault, shape: Shape) -> Self {
        Self { fault: Some(fault), ..Self::clean(shape) }
    }

    /// Whether this is what is wrong.
    fn wrong(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Milliseconds since the stream began.
    pub(crate) fn now(&self) -> u64 {
        HEAD_START + u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    /// Sleeps until `now` is this.
    async fn until(&self, millis: u64) {
        tokio::time::sleep_until(self.began + Duration::from_millis(millis.saturating_sub(HEAD_START))).await;
    }
}

impl Dial for Origin {
    type Stream = DuplexStream;

    async fn dial(&self, _authority: &Authority) -> io::Result<DuplexStream> {
        let (near, far) = tokio::io::duplex(PIPE);
        let origin = self.clone();
        let service = service_fn(move |request| {
            let origin = origin.clone();
            async move { Ok::<_, std::convert::Infallible>(origin.answer(&request).await) }
        });
        // A connection that a client leaves ends with an error, which is the client's business.
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(far), service));
        Ok(near)
    }
}
