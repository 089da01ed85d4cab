use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use touchline_packager::Item;

use crate::recent::Recent;
use crate::replication;
use crate::text::Text;

/// What an edge counts. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Playlists rendered, media and multivariant.
    pub playlists_built: Counter,
    /// Playlists compressed.
    pub gzips_built: Counter,
    /// Requests held now.
    pub held: Gauge,
    /// Requests not held because their channel held as many as it may.
    pub holds_refused: Counter,
    /// Responses, by kind and status.
    pub requests: Family<RequestLabels, Counter>,
    /// Those of them that have been looked up: of status 200, by kind.
    succeeded: Arc<[OnceLock<Counter>; Kind::COUNT]>,
    /// Bytes written to viewers, heads included.
    pub sent_bytes: Counter,
    /// Connections open now.
    pub connections: Gauge,
    /// Connections that were told to come again, or closed at once, because as many were open as may be.
    pub connections_refused: Counter,
    /// New viewers turned away because the server was late or nearly full.
    pub viewers_refused: Counter,
    /// How late what is due is done, in seconds, smoothed over a second: of the thread that is latest.
    pub lag_seconds: Gauge<f64, AtomicU64>,
    /// Connections ended because their peer took nothing of what it had asked for.
    pub connections_stalled: Counter,
    /// TLS handshakes completed.
    pub tls_handshakes: Counter,
    /// TLS handshakes that failed or took too long.
    pub tls_handshakes_failed: Counter,
    /// Segments kept in files now.
    pub spooled_segments: Gauge,
    /// Segments in memory that are to be written to files.
    pub spool_waiting_segments: Gauge,
    /// Bytes of segments written to files.
    pub spooled_bytes: Counter,
    /// Attempts to write a segment to a file that failed.
    pub spool_failures: Counter,
    /// Segments lost before their time, because too much waited for the disk.
    pub spool_lost_segments: Counter,
    /// From when a playlist changed until the first byte was written of it, to whom waited, in seconds.
    pub first_byte: FirstByte,
    /// What passes between nodes.
    pub replication: replication::Metrics,
}

/// What tells one count of requests from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// What was asked for.
    pub kind: Kind,
    /// The status of the response.
    pub status: u16,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A page or one of its assets, or the list of channels.
    Page,
    /// A multivariant playlist.
    Multivariant,
    /// A media playlist.
    Playlist,
    /// An init section.
    Init,
    /// A part.
    Part,
    /// A whole segment.
    Segment,
    /// A thumbnail.
    Thumbnail,
    /// A preflight of a browser.
    Preflight,
    /// What an annex answers.
    Annex,
    /// Nothing that is served.
    Other,
}

impl Kind {
    const COUNT: usize = Self::Other as usize + 1;

    /// What a name stands for.
    pub(crate) fn of(item: Item) -> Self {
        match item {
            Item::Init(_) => Self::Init,
            Item::Segment(_) | Item::Cut { .. } => Self::Segment,
            Item::Part(_) => Self::Part,
        }
    }
}

impl EncodeLabelValue for Kind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        let label = match self {
            Self::Page => "page",
            Self::Multivariant => "multivariant",
            Self::Playlist => "playlist",
            Self::Init => "init",
            Self::Part => "part",
            Self::Segment => "segment",
            Self::Thumbnail => "thumbnail",
            Self::Preflight => "preflight",
            Self::Annex => "annex",
            Self::Other => "other",
        };
        EncodeLabelValue::encode(&label, encoder)
    }
}

impl Metrics {
    /// Registers every metric as `touchline_edge_...`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("touchline_edge");
        registry.register("playlists_built", "Playlists rendered", metrics.playlists_built.clone());
        registry.register("gzips_built", "Playlists compressed", metrics.gzips_built.clone());
        registry.register("held_requests", "Requests held now", metrics.held.clone());
        registry.register("holds_refused", "Requests not held for want of room", metrics.holds_refused.clone());
        registry.register("requests", "Responses by kind and status", metrics.requests.clone());
        registry.register("sent_bytes", "Bytes written to viewers", metrics.sent_bytes.clone());
        registry.register("connections", "Connections open now", metrics.connections.clone());
        registry.register(
            "connections_refused",
            "Connections closed for want of room",
            metrics.connections_refused.clone(),
        );
        registry.register(
            "viewers_refused",
            "New viewers turned away because the server was late or nearly full",
            metrics.viewers_refused.clone(),
        );
        registry.register("lag_seconds", "How late what is due is done, smoothed", metrics.lag_seconds.clone());
        registry.register(
            "connections_stalled",
            "Connections ended because their peer took nothing of what it had asked for",
            metrics.connections_stalled.clone(),
        );
        registry.register("tls_handshakes", "TLS handshakes completed", metrics.tls_handshakes.clone());
        registry.register(
            "tls_handshakes_failed",
            "TLS handshakes that failed or took too long",
            metrics.tls_handshakes_failed.clone(),
        );
        registry.register("spooled_segments", "Segments kept in files now", metrics.spooled_segments.clone());
        registry.register(
            "spool_waiting_segments",
            "Segments in memory that wait for the disk",
            metrics.spool_waiting_segments.clone(),
        );
        registry.register("spooled_bytes", "Bytes of segments written to files", metrics.spooled_bytes.clone());
        registry.register(
            "spool_failures",
            "Attempts to write a segment to a file that failed",
            metrics.spool_failures.clone(),
        );
        registry.register(
            "spool_lost_segments",
            "Segments lost because too much waited for the disk",
            metrics.spool_lost_segments.clone(),
        );
        registry.register(
            "first_byte_seconds",
            "From when a playlist changed until its first byte was written to whom waited",
            metrics.first_byte.seconds.clone(),
        );
        metrics.replication.register(registry.sub_registry_with_prefix("replication"));
        metrics
    }

    /// Renders a playlist, and counts that.
    pub(crate) fn build(&self, playlist: &impl ToString) -> Text {
        self.playlists_built.inc();
        Text::new(playlist.to_string().into(), self.gzips_built.clone())
    }

    /// A playlist that was rendered elsewhere.
    pub(crate) fn text(&self, plain: Bytes) -> Text {
        Text::new(plain, self.gzips_built.clone())
    }

    pub(crate) fn count_request(&self, kind: Kind, status: StatusCode) {
        let (answered, status) = (status == StatusCode::OK, status.as_u16());
        let count = || self.requests.get_or_create_owned(&RequestLabels { kind, status });
        match self.succeeded.get(kind as usize).filter(|_| answered) {
            Some(counter) => counter.get_or_init(count).inc(),
            None => count().inc(),
        };
    }
}

/// How long it takes until who waits gets something.
#[derive(Debug, Clone)]
pub struct FirstByte {
    pub(crate) seconds: Histogram,
    /// Of the last minute.
    pub recent: Recent,
}

/// From a quarter of a millisecond, in steps of two, to eight seconds.
const FIRST_BYTE_BUCKETS: u16 = 16;

impl Default for FirstByte {
    fn default() -> Self {
        let seconds = Histogram::new(exponential_buckets(0.000_25, 2.0, FIRST_BYTE_BUCKETS));
        Self { seconds, recent: Recent::default() }
    }
}

impl FirstByte {
    pub(crate) fn sent(&self, after: Duration) {
        self.seconds.observe(after.as_secs_f64());
        self.recent.add(after);
    }
}

/// Counts one on a gauge for as long as it lives.
pub(crate) struct Counted(Gauge);

impl Counted {
    pub(crate) fn on(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
