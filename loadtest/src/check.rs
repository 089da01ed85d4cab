//! `touchline-loadtest check`: a conformance judge for Low-Latency HLS servers.
//!
//! It plays all renditions of a stream at once, probes the delivery directives, parses the media and checks timing, and has a verdict for
//! every rule of draft-pantos-hls-rfc8216bis-22 that a server can break. It knows nothing of the server but its URL.

pub(crate) mod client;
mod command;
pub mod dial;
mod evidence;
mod judgement;
mod ledger;
mod media;
mod page;
pub(crate) mod playlist;
mod probe;
mod report;
mod rule;
pub mod rules;
pub(crate) mod seconds;
pub(crate) mod tls;
mod watch;

use std::time::Duration;

use url::Url;

pub use command::{Options, run};
use dial::Dial;
pub use report::{Finding, Place, Report, Verdict};
pub use rule::{Level, Rule};

/// How to judge.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long the stream is watched. A few segments have to end in that time.
    pub watch: Duration,
    /// Accept any certificate, also a self-signed one.
    pub insecure: bool,
    /// Told what is going on, one line at a time.
    pub progress: fn(&str),
}

impl Default for Plan {
    fn default() -> Self {
        Self { watch: Duration::from_secs(30), insecure: false, progress: |_| () }
    }
}

/// Why a stream could not be judged at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL's scheme is neither http nor https, or it has no host.
    #[error("{0} cannot be judged: give the http:// or https:// URL of a multivariant or a media playlist")]
    Url(Url),
    /// The first request had no answer that is a playlist.
    #[error("{url}: {what}")]
    NoPlaylist {
        /// What was asked for.
        url: Url,
        /// What came instead.
        what: String,
    },
}

/// Judges the stream at `url`, a multivariant playlist or one media playlist.
///
/// # Errors
/// When there is nothing to judge: no connection, no playlist.
pub async fn judge(dial: impl Dial, url: Url, plan: Plan) -> Result<Report, Error> {
    judgement::run(dial, url, plan).await
}
