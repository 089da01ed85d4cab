//! What the desk says, in the words of the API: the schemas of `/api/v1/openapi.json`. Moments are RFC 3339 in UTC; figures that
//! are not known are null.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use touchline_audience::{Merged, Protocol, Reading, Sketch};
use touchline_ingest::health;
use utoipa::ToSchema;

use super::calendar::EventStatus;
use super::pool::HintStatus;

/// One second of everything.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct Frame {
    pub(crate) at: String,
    /// Which node says so.
    pub(crate) node: String,
    pub(crate) version: String,
    pub(crate) role: Role,
    pub(crate) draining: bool,
    pub(crate) audience: Audience,
    /// Those that are live, or are watched.
    pub(crate) channels: Vec<ChannelStatus>,
    /// Who serves viewers, this node included.
    pub(crate) edges: Vec<EdgeStatus>,
    pub(crate) publishers: Vec<PublisherStatus>,
    pub(crate) ladders: Vec<LadderStatus>,
    /// One for each pool.
    pub(crate) hints: Vec<HintStatus>,
    pub(crate) events: Vec<EventStatus>,
    /// Those that fire now.
    pub(crate) alerts: Vec<AlertStatus>,
    /// Of the last minute.
    pub(crate) latency: Vec<Latency>,
}

/// What a node is there for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    #[default]
    Origin,
    Edge,
}

/// Who watches, and how well.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct Audience {
    /// Distinct, over the window.
    pub(crate) viewers: f64,
    pub(crate) window_seconds: u64,
    /// Of `viewers`, as a share of it; 0 where it is exact.
    pub(crate) standard_error: f64,
    pub(crate) joins_per_second: f64,
    pub(crate) leaves_per_second: f64,
    pub(crate) renditions: Vec<Count>,
    pub(crate) protocols: Vec<Count>,
    pub(crate) quality: Quality,
}

/// How many there are of something.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Count {
    pub(crate) name: String,
    pub(crate) viewers: f64,
}

/// What players say of themselves (CTA-5004), within the last minute.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct Quality {
    /// Players that would say so if their pictures stood still.
    pub(crate) reporting: f64,
    pub(crate) startup_ms: Option<Quantiles>,
    pub(crate) live_latency_ms: Option<Quantiles>,
    pub(crate) throughput_kbps: Option<Quantiles>,
    /// Time that pictures stood still, by the time that was watched.
    pub(crate) rebuffer_ratio: Option<f64>,
    pub(crate) errors_per_minute: u64,
}

/// Some quantiles of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    /// Of how many values.
    pub(crate) count: u64,
}

/// A channel and who watches it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ChannelStatus {
    pub(crate) channel: String,
    pub(crate) live: bool,
    /// A path of this listener.
    pub(crate) thumbnail: Option<String>,
    #[serde(flatten)]
    pub(crate) audience: Audience,
}

/// A node that serves viewers.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct EdgeStatus {
    pub(crate) node: String,
    pub(crate) viewers: f64,
    pub(crate) joins_per_second: f64,
    pub(crate) connections: u64,
    pub(crate) connections_limit: u64,
    pub(crate) sent_bits_per_second: f64,
    /// How late what is due is done.
    pub(crate) lag_ms: f64,
    pub(crate) channels: u64,
    pub(crate) draining: bool,
    /// Of this report.
    pub(crate) age_seconds: f64,
    /// Whether it should have reported again by now.
    pub(crate) stale: bool,
}

/// A publisher and its feed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PublisherStatus {
    pub(crate) id: u64,
    pub(crate) channel: String,
    pub(crate) peer: String,
    pub(crate) protocol: String,
    pub(crate) encoder: Option<String>,
    pub(crate) seconds: u64,
    pub(crate) bits_per_second: u64,
    /// How much further the clock of the sound has moved than that of the pictures.
    pub(crate) audio_video_drift_milliseconds: Option<i64>,
    pub(crate) gaps: u64,
    /// How often the timeline has begun.
    pub(crate) stretches: u64,
    pub(crate) timestamp_jumps: u64,
    pub(crate) discarded_samples: u64,
    /// What the protocol knows of the connection, by name with unit.
    pub(crate) link: BTreeMap<String, f64>,
    pub(crate) tracks: Vec<TrackStatus>,
}

/// A track of a feed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct TrackStatus {
    pub(crate) track: u32,
    /// `video` or `audio`.
    pub(crate) kind: String,
    /// As in RFC 6381.
    pub(crate) codec: String,
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) bits_per_second: Option<u64>,
    /// As the source says or was found to keep to.
    pub(crate) frame_rate: Option<f64>,
    /// As they arrived.
    pub(crate) samples_per_second: Option<f64>,
    pub(crate) keyframe_interval_seconds: Option<f64>,
    pub(crate) drift_milliseconds: Option<i64>,
    pub(crate) samples: u64,
    pub(crate) gaps: u64,
    pub(crate) silent_milliseconds: Option<u64>,
}

/// The renditions that are made of a source.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct LadderStatus {
    pub(crate) channel: String,
    pub(crate) worker_deaths: u64,
    pub(crate) rungs: Vec<RungStatus>,
}

/// One of them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RungStatus {
    pub(crate) name: String,
    pub(crate) encoder: Option<String>,
    /// Whether it has been taken away, for want of time.
    pub(crate) resting: bool,
    /// Pictures that wait.
    pub(crate) queued: u64,
    pub(crate) frames_in: u64,
    pub(crate) frames_out: u64,
    /// Pictures left out.
    pub(crate) shed: u64,
    pub(crate) lag_ms: Option<Quantiles>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct AlertStatus {
    pub(crate) rule: String,
    /// `warning` or `critical`.
    pub(crate) severity: String,
    pub(crate) channel: Option<String>,
    pub(crate) node: Option<String>,
    pub(crate) since: String,
    /// What is wrong.
    pub(crate) summary: String,
    /// What to do.
    pub(crate) advice: String,
}

/// How long it took until a hop was done, of the last minute, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Latency {
    pub(crate) hop: Hop,
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
}

/// A hop of an access unit on its way to viewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Hop {
    /// From its last byte until it is a sample of the channel.
    Received,
    /// From its last byte until that of a rung made of it is.
    Encoded,
    /// From its last byte until the part that it completes can be had.
    Packaged,
    /// From when a part can be had on the origin until it can be on the edge.
    Replicated,
    /// From when a playlist changed until its first byte was written to whom waited.
    FirstByte,
}

impl Latency {
    pub(crate) fn of(hop: Hop, read: touchline_audience::Quantiles) -> Self {
        Self { hop, p50_ms: read.p50, p95_ms: read.p95, p99_ms: read.p99 }
    }
}

impl Audience {
    /// What was counted, with rates that only the past tells.
    pub(crate) fn of(merged: &Merged, window_seconds: u64, (joins, leaves): (f64, f64)) -> Self {
        let count = |(name, viewers): (String, f64)| Count { name, viewers };
        Self {
            viewers: merged.viewers.round(),
            window_seconds,
            standard_error: merged.standard_error,
            joins_per_second: joins,
            leaves_per_second: leaves,
            renditions: merged.renditions.clone().into_iter().map(count).collect(),
            protocols: merged.protocols.iter().map(|(name, viewers)| count((protocol(*name), *viewers))).collect(),
            quality: Quality::of(&merged.quality, merged.reporting),
        }
    }
}

fn protocol(protocol: Protocol) -> String {
    match protocol {
        Protocol::Http1 => "http/1.1",
        Protocol::Http2 => "http/2",
        Protocol::Report => "report",
    }
    .to_owned()
}

impl Quality {
    fn of(reading: &Reading, reporting: f64) -> Self {
        let of = |sketch: &Sketch| sketch.quantiles().map(Quantiles::from);
        Self {
            reporting: reporting.round(),
            startup_ms: of(&reading.startup_ms),
            live_latency_ms: of(&reading.live_latency_ms),
            throughput_kbps: of(&reading.throughput_kbps),
            rebuffer_ratio: reading.rebuffer_ratio(),
            errors_per_minute: reading.errors,
        }
    }
}

impl From<touchline_audience::Quantiles> for Quantiles {
    fn from(read: touchline_audience::Quantiles) -> Self {
        Self { p50: read.p50, p95: read.p95, p99: read.p99, count: read.count }
    }
}

impl Quantiles {
    /// Of values in ascending order; `None` if there are none.
    pub(crate) fn of_sorted(values: &[f64]) -> Option<Self> {
        let at = |percent: usize| values.get((values.len().checked_sub(1)? * percent).div_ceil(100)).copied();
        Some(Self { p50: at(50)?, p95: at(95)?, p99: at(99)?, count: values.len() as u64 })
    }
}

impl From<touchline_transcode::LadderStatus> for LadderStatus {
    fn from(ladder: touchline_transcode::LadderStatus) -> Self {
        let encoder = ladder.encoder;
        let rung = |rung: touchline_transcode::RungStatus| RungStatus {
            encoder: encoder.clone().filter(|_| !rung.name.starts_with("audio")),
            lag_ms: Quantiles::of_sorted(&rung.lags_ms),
            name: rung.name,
            resting: rung.resting,
            queued: rung.queued,
            frames_in: rung.frames_in,
            frames_out: rung.frames_out,
            shed: rung.shed,
        };
        Self {
            channel: ladder.channel,
            worker_deaths: ladder.worker_deaths,
            rungs: ladder.rungs.into_iter().map(rung).collect(),
        }
    }
}

impl From<health::Report> for PublisherStatus {
    fn from(report: health::Report) -> Self {
        let vitals = report.vitals;
        let track = |track: health::TrackVitals| TrackStatus {
            track: track.track,
            kind: track.kind.to_owned(),
            codec: track.codec,
            width: track.width,
            height: track.height,
            bits_per_second: track.bits_per_second,
            frame_rate: track.frame_rate,
            samples_per_second: track.samples_per_second,
            keyframe_interval_seconds: track.keyframe_interval_seconds,
            drift_milliseconds: track.drift_milliseconds,
            samples: track.samples,
            gaps: track.gaps,
            silent_milliseconds: track.silent_milliseconds,
        };
        Self {
            id: report.id,
            channel: report.channel,
            peer: report.peer,
            protocol: report.protocol,
            encoder: report.encoder,
            seconds: report.seconds,
            bits_per_second: vitals.bits_per_second,
            audio_video_drift_milliseconds: vitals.audio_video_drift_milliseconds,
            gaps: vitals.gaps,
            stretches: vitals.stretches,
            timestamp_jumps: vitals.timestamp_jumps,
            discarded_samples: vitals.discarded_samples,
            link: vitals.link.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            tracks: vitals.tracks.into_iter().map(track).collect(),
        }
    }
}

/// What an operator asks for beside a path.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// So many times what is needed: from 1 to 100. For a surge.
    pub(crate) factor: Option<f64>,
    /// For how long: from 1 to 1,440.
    pub(crate) minutes: Option<u64>,
    /// Why, for the audit log: at most 500 characters.
    #[serde(default)]
    pub(crate) note: String,
}
