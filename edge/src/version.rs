use std::sync::OnceLock;
use std::time::Instant;

use touchline_packager::{MediaPlaylist, Report, Skip};

use crate::metrics::Metrics;
use crate::text::Text;

/// One version of a media playlist in all its forms, each rendered once: when the first viewer asks for it.
#[derive(Debug)]
pub(crate) struct Version {
    playlist: MediaPlaylist,
    /// When it came to be.
    pub(crate) made: Instant,
    whole: OnceLock<Text>,
    segments_skipped: OnceLock<Option<Text>>,
    date_ranges_skipped: OnceLock<Option<Text>>,
    metrics: Metrics,
}

impl Version {
    pub(crate) fn new(playlist: MediaPlaylist, metrics: Metrics) -> Self {
        let (whole, segments_skipped, date_ranges_skipped) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let made = Instant::now();
        Self { playlist, made, whole, segments_skipped, date_ranges_skipped, metrics }
    }

    /// What it says of the other renditions.
    pub(crate) fn reports(&self) -> &[Report] {
        self.playlist.reports()
    }

    /// The playlist, or the update that is asked for where there is one (RFC 8216bis 6.2.5.1).
    pub(crate) fn text(&self, skip: Option<Skip>) -> &Text {
        let delta = skip.and_then(|skip| {
            let form = match skip {
                Skip::Segments => &self.segments_skipped,
                Skip::SegmentsAndDateRanges => &self.date_ranges_skipped,
            };
            form.get_or_init(|| self.playlist.delta(skip).map(|delta| self.metrics.build(&delta))).as_ref()
        });
        delta.unwrap_or_else(|| self.whole.get_or_init(|| self.metrics.build(&self.playlist)))
    }
}
