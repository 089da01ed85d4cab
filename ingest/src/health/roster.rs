use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use serde::Serialize;
use touchline_media::ChannelName;

use super::{Health, TrackVitals, Vitals, as_f64};
use crate::{Protocol, Publish};

/// Who publishes now, and how each feed does. Its clones are one.
#[derive(Debug, Clone, Default)]
pub struct Roster(Arc<Mutex<Seats>>);

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    taken: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    who: Publisher,
    since: Instant,
    health: Health,
}

/// Who publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// Into which channel.
    pub channel: ChannelName,
    /// From where.
    pub peer: SocketAddr,
    /// By what.
    pub protocol: Protocol,
    /// What its encoder calls itself.
    pub encoder: Option<String>,
}

/// A place on the roster. Dropping it leaves.
#[derive(Debug)]
pub struct Seat {
    number: u64,
    roster: Roster,
}

/// A publisher and its feed, as operators read it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What tells it from others that have published since the server started.
    pub id: u64,
    /// Into which channel it publishes.
    pub channel: String,
    /// From where.
    pub peer: String,
    /// By what.
    pub protocol: String,
    /// What its encoder calls itself.
    pub encoder: Option<String>,
    /// How long it has published.
    pub seconds: u64,
    /// How its feed does.
    #[serde(flatten)]
    pub vitals: Vitals,
}

impl Publisher {
    /// Who asks to publish.
    pub(crate) fn of(publish: &Publish) -> Self {
        Self {
            channel: publish.channel.clone(),
            peer: publish.peer,
            protocol: publish.protocol,
            encoder: publish.encoder.clone(),
        }
    }
}

impl Roster {
    /// Somebody publishes from now on, until the seat is dropped.
    pub(crate) fn enter(&self, who: Publisher, health: Health, now: Instant) -> Seat {
        let mut seats = self.lock();
        let number = seats.next;
        seats.next += 1;
        seats.taken.insert(number, Entry { who, since: now, health });
        Seat { number, roster: self.clone() }
    }

    /// All that publish, in the order in which they came.
    pub fn read(&self, now: Instant) -> Vec<Report> {
        self.lock().taken.iter().map(|(number, entry)| entry.read(*number, now)).collect()
    }

    /// Whether somebody publishes into the channel.
    pub fn has(&self, channel: &ChannelName) -> bool {
        self.lock().taken.values().any(|entry| entry.who.channel == *channel)
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        // No code that holds the lock can leave the seats half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// How the feed of who sits here does.
    pub(crate) fn read(&self, now: Instant) -> Option<Report> {
        self.roster.lock().taken.get(&self.number).map(|entry| entry.read(self.number, now))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.roster.lock().taken.remove(&self.number);
    }
}

impl Entry {
    fn read(&self, number: u64, now: Instant) -> Report {
        Report {
            id: number,
            channel: self.who.channel.to_string(),
            peer: self.who.peer.to_string(),
            protocol: self.who.protocol.to_string(),
            encoder: self.who.encoder.clone(),
            seconds: now.saturating_duration_since(self.since).as_secs(),
            vitals: self.health.read(now),
        }
    }
}

/// The figures as they are when somebody asks.
impl Collector for Roster {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let reports = self.read(Instant::now());
        for (name, help, kind, figure) in OF_TRACKS {
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for (report, track) in
                reports.iter().flat_map(|report| report.vitals.tracks.iter().map(move |track| (report, track)))
            {
                let Some(value) = figure(track) else { continue };
                let labels =
                    [("channel", report.channel.as_str()), ("kind", track.kind), ("track", &track.track.to_string())];
                write(value, kind, family.encode_family(&labels)?)?;
            }
        }
        for (name, help, kind, figure) in OF_FEEDS {
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for report in &reports {
                let Some(value) = figure(&report.vitals) else { continue };
                write(value, kind, family.encode_family(&[("channel", report.channel.as_str())])?)?;
            }
        }
        let mut family =
            encoder.encode_descriptor("link", "What the protocol knows of a connection", None, MetricType::Gauge)?;
        for (report, (figure, value)) in
            reports.iter().flat_map(|report| report.vitals.link.iter().map(move |link| (report, link)))
        {
            let labels = [("channel", report.channel.as_str()), ("figure", *figure)];
            ConstGauge::new(*value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn write(value: f64, kind: MetricType, encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
    match kind {
        MetricType::Counter => ConstCounter::new(value).encode(encoder),
        _ => ConstGauge::new(value).encode(encoder),
    }
}

type Figure<T> = (&'static str, &'static str, MetricType, fn(&T) -> Option<f64>);

const OF_TRACKS: [Figure<TrackVitals>; 5] = [
    ("track_bits_per_second", "What a track brings", MetricType::Gauge, |track| track.bits_per_second.map(as_f64)),
    ("track_samples_per_second", "Pictures or frames of sound that arrive", MetricType::Gauge, |track| {
        track.samples_per_second
    }),
    ("track_keyframe_interval_seconds", "Between the last two keyframes", MetricType::Gauge, |track| {
        track.keyframe_interval_seconds
    }),
    ("track_drift_seconds", "How much further a publisher's clock has moved than ours", MetricType::Gauge, |track| {
        track.drift_milliseconds.map(seconds)
    }),
    ("track_gaps", "How often a publisher left out three frames or more", MetricType::Counter, |track| {
        Some(as_f64(track.gaps))
    }),
];

const OF_FEEDS: [Figure<Vitals>; 3] = [
    (
        "audio_video_drift_seconds",
        "How much further the clock of the sound has moved than that of the pictures",
        MetricType::Gauge,
        |feed| feed.audio_video_drift_milliseconds.map(seconds),
    ),
    ("timestamp_jumps", "How often a publisher's clock has jumped", MetricType::Counter, |feed| {
        Some(as_f64(feed.timestamp_jumps))
    }),
    ("discarded_samples", "Samples of a publisher that could not be used", MetricType::Counter, |feed| {
        Some(as_f64(feed.discarded_samples))
    }),
];

fn seconds(millis: i64) -> f64 {
    Duration::from_millis(millis.unsigned_abs()).as_secs_f64().copysign(if millis < 0 { -1.0 } else { 1.0 })
}
