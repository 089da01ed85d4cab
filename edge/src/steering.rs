//! Which of several pathways a viewer is to take: content steering (RFC 8216bis 7, draft-pantos-content-steering-05).
//!
//! Viewers are dealt into buckets, and a bucket prefers the pathways in an order that depends on nothing but their weights: so
//! every node answers alike, without a word between them, and when a pathway is drained nobody moves but those on it. A viewer's
//! bucket is that of its address at first, and stands in the RELOAD-URI from then on, whatever becomes of the address.

mod annex;
mod manifest;
mod query;
mod share;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde::{Serialize, Serializer};
use touchline_media::ChannelName;
use touchline_packager as packager;

/// What a pathway is called, its PATHWAY-ID: 1 to [`PathwayId::MAX_LEN`] of `A-Z a-z 0-9 . - _`, not starting with a dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathwayId(Arc<str>);

/// Why a text is not a [`PathwayId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a pathway is called by 1 to {max} of A-Z a-z 0-9 . - _ and does not start with a dot", max = PathwayId::MAX_LEN)]
pub struct PathwayIdError;

impl PathwayId {
    /// The longest one, in bytes.
    pub const MAX_LEN: usize = 64;

    /// It as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PathwayId {
    type Err = PathwayIdError;

    fn from_str(text: &str) -> Result<Self, PathwayIdError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let valid = (1..=Self::MAX_LEN).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(allowed);
        if valid { Ok(Self(text.into())) } else { Err(PathwayIdError) }
    }
}

impl Serialize for PathwayId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for PathwayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One of several ways by which viewers get the same: a CDN, or the edges of a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pathway {
    /// What it is called.
    pub id: PathwayId,
    /// What goes before `live/CHANNEL/index.m3u8` there: it ends with a slash, and can stand between quotation marks.
    pub base: String,
    /// Its share of the viewers, against the sum of all weights. 0: it is for when no other can be used.
    pub weight: u32,
}

/// How viewers are steered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The pathways there are: at least one, and no two by one name.
    pub pathways: Vec<Pathway>,
    /// What goes before `steering/CHANNEL.json` in SERVER-URI; `None`: it is where the playlist came from.
    pub server: Option<String>,
    /// After how long players ask again, at most.
    pub ttl: Duration,
    /// The throughput, in bits per second, below which a viewer is led to another pathway for [`Settings::PENALTY`]; `None`:
    /// none is too low.
    pub slow: Option<u64>,
}

impl Settings {
    /// How often players ask: a drained pathway is empty after so long, and a million viewers ask 33,000 times a second.
    pub const TTL: Duration = Duration::from_secs(30);
    /// How long a viewer keeps away from a pathway that was slow: what hls.js gives one that failed.
    pub const PENALTY: Duration = Duration::from_mins(5);
    /// Pathways that there may be.
    pub const MAX_PATHWAYS: usize = 16;
}

/// Leads viewers to pathways. Clones share what is drained.
#[derive(Debug, Clone)]
pub struct Steering(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    drained: RwLock<BTreeSet<PathwayId>>,
    metrics: Metrics,
}

/// What steering counts. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Steering manifests, by the pathway that they put first.
    pub answers: Family<PathwayLabels, Counter>,
    /// Viewers led away because their throughput was too low, by the pathway that they were on.
    pub slow: Family<PathwayLabels, Counter>,
}

/// What tells one pathway's count from another's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PathwayLabels {
    /// Its PATHWAY-ID.
    pub pathway: String,
}

/// A pathway, and whether viewers are led away from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The pathway.
    #[serde(flatten)]
    pub pathway: Pathway,
    /// Whether viewers are led away from it.
    pub drained: bool,
}

impl Steering {
    /// No pathway is drained.
    pub fn new(settings: Settings, metrics: Metrics) -> Self {
        Self(Arc::new(Inner { settings, drained: RwLock::default(), metrics }))
    }

    /// The pathways that viewers are led away from are these from now on. Where that would be all, it is none.
    pub fn drain(&self, drained: BTreeSet<PathwayId>) {
        *self.0.drained.write().unwrap_or_else(PoisonError::into_inner) = drained;
    }

    /// The pathways, as they are set.
    pub fn report(&self) -> Vec<Report> {
        let drained = self.drained();
        let report = |pathway: &Pathway| Report { drained: drained.contains(&pathway.id), pathway: pathway.clone() };
        self.0.settings.pathways.iter().map(report).collect()
    }

    /// Whether there is a pathway by this name.
    pub fn has(&self, id: &PathwayId) -> bool {
        self.0.settings.pathways.iter().any(|pathway| pathway.id == *id)
    }

    /// What the multivariant playlist of a channel says of it.
    pub(crate) fn pathways(&self, channel: &ChannelName) -> packager::Pathways {
        let drained = self.drained();
        let mut best_first: Vec<&Pathway> = self.0.settings.pathways.iter().collect();
        // draft-pantos-content-steering-05 4: where most viewers are to go is where they are to begin.
        best_first.sort_by_key(|pathway| (drained.contains(&pathway.id), std::cmp::Reverse(pathway.weight)));
        let server_uri = match &self.0.settings.server {
            Some(base) => format!("{base}{}", annex::path(channel)),
            // As seen from `/live/CHANNEL/index.m3u8`.
            None => format!("../../{}", annex::path(channel)),
        };
        let led = |pathway: &&Pathway| packager::Pathway {
            id: pathway.id.to_string(),
            base: format!("{}live/{channel}/", pathway.base),
        };
        packager::Pathways {
            server_uri,
            initial: best_first.first().map(|pathway| pathway.id.to_string()).unwrap_or_default(),
            pathways: best_first.iter().map(led).collect(),
        }
    }

    fn drained(&self) -> BTreeSet<PathwayId> {
        let drained = self.0.drained.read().unwrap_or_else(PoisonError::into_inner);
        let all = self.0.settings.pathways.iter().all(|pathway| drained.contains(&pathway.id));
        if all { BTreeSet::new() } else { drained.clone() }
    }
}

impl Metrics {
    /// Registers every metric as `touchline_steering_...`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("touchline_steering");
        registry.register("answers", "Steering manifests, by the pathway that they put first", metrics.answers.clone());
        registry.register("slow", "Viewers led away from a pathway that was too slow for them", metrics.slow.clone());
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steering(pathways: &[(&str, u32)]) -> Steering {
        let pathway = |&(id, weight): &(&str, u32)| Pathway {
            id: id.parse().unwrap(),
            base: format!("https://{id}.example/"),
            weight,
        };
        let pathways = pathways.iter().map(pathway).collect();
        Steering::new(Settings { pathways, server: None, ttl: Settings::TTL, slow: None }, Metrics::default())
    }

    fn order(steering: &Steering) -> Vec<String> {
        let pathways = steering.pathways(&"main".parse().unwrap());
        assert_eq!(pathways.initial, pathways.pathways[0].id);
        pathways.pathways.into_iter().map(|pathway| pathway.id).collect()
    }

    #[test]
    fn viewers_begin_on_the_pathway_of_most_weight_that_is_not_drained() {
        let steering = steering(&[("cdn-a", 1), ("cdn-b", 3), ("own", 0)]);
        assert_eq!(order(&steering), ["cdn-b", "cdn-a", "own"]);
        steering.drain(["cdn-b".parse().unwrap()].into());
        assert_eq!(order(&steering), ["cdn-a", "own", "cdn-b"]);
        // There is nowhere else to lead them to.
        steering.drain(["cdn-a", "cdn-b", "own"].map(|id| id.parse().unwrap()).into());
        assert_eq!(order(&steering), ["cdn-b", "cdn-a", "own"]);
        assert!(steering.report().iter().all(|report| !report.drained));
    }

    #[test]
    fn playlists_say_where_the_manifest_is_and_where_the_channel() {
        let steering = steering(&[("cdn-a", 1)]);
        let pathways = steering.pathways(&"main".parse().unwrap());
        assert_eq!(pathways.server_uri, "../../steering/main.json");
        assert_eq!(pathways.pathways[0].base, "https://cdn-a.example/live/main/");
    }
}
