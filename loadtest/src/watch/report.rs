//! What a crowd has seen, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::crowd::Now;
use super::tally::{Count, Tally};
use super::viewer::Story;
use crate::histogram::Histogram;

/// How late a thread of viewers may come to its work, one time in a hundred: what is later is the generator's doing, not the server's.
const TOLERATED_LAG: Duration = Duration::from_millis(10);

/// All that is told of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// What was watched.
    pub url: String,
    /// Viewers.
    pub viewers: usize,
    /// `1.1` or `2`.
    pub http: String,
    /// How long viewers joined, in seconds.
    pub ramp_s: f64,
    /// How long all of them watched then, in seconds.
    pub watched_s: f64,
    /// Figures from the end of the ramp on.
    pub steady: Figures,
    /// Figures of the whole run.
    pub whole: Figures,
    /// What became of viewers in the whole run.
    pub people: People,
    /// What the server's processes took from the end of the ramp on, where it was told which they are.
    pub server: Option<ServerUse>,
    /// What this process took from the end of the ramp on.
    pub generator: GeneratorUse,
    /// The part of all processors that was busy from the end of the ramp on, from 0 to 1.
    pub machine_busy: f64,
    /// Limits that were broken, in words.
    pub broken: Vec<String>,
    /// Second by second, from the first join on.
    pub seconds: Vec<Second>,
}

/// Counts and durations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// How often what was counted.
    pub counts: BTreeMap<String, u64>,
    /// How often what went wrong.
    pub troubles: BTreeMap<String, u64>,
    /// How late parts were: from the moment they should have been there to their last byte.
    pub part: Times,
    /// From the first viewer's sight of a part to its last byte at each.
    pub fan_out: Times,
    /// From the first request to the first frame.
    pub startup: Times,
    /// From a seek to the first frame.
    pub seek: Times,
    /// How long stalls were.
    pub stall: Times,
    /// How far pictures were behind the programme's clock.
    pub latency: Times,
    /// The part of the time in which pictures should have moved that they stood still, from 0 to 1.
    pub stood_share: f64,
}

/// Durations in milliseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Times {
    /// How many there are.
    pub count: u64,
    /// Their mean.
    pub mean_ms: f64,
    /// What half of them do not exceed.
    pub p50_ms: f64,
    /// What 95 % of them do not exceed.
    pub p95_ms: f64,
    /// What 99 % of them do not exceed.
    pub p99_ms: f64,
    /// What 99.9 % of them do not exceed.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// What became of viewers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct People {
    /// Those whose picture stood still at least once.
    pub stalled: usize,
    /// The same as a part of all, from 0 to 1.
    pub stalled_share: f64,
    /// Those who never saw a picture.
    pub never_played: usize,
    /// The ten who were served worst.
    pub worst: Vec<Person>,
}

/// What became of one viewer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Person {
    /// The number of the viewer, from 0.
    pub viewer: usize,
    /// From the first request to the first frame, in milliseconds; nothing where there was none.
    pub startup_ms: Option<f64>,
    /// How often the picture stood still.
    pub stalls: u32,
    /// For how long, in seconds.
    pub stood_s: f64,
    /// Bytes of media that came.
    pub bytes: u64,
    /// Requests that failed.
    pub troubles: u32,
    /// Changes of variant.
    pub switches: u32,
}

/// What a server takes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ServerUse {
    /// Processors.
    pub cpu: f64,
    /// Microseconds of processor time for each viewer and second.
    pub cpu_us_per_viewer: f64,
    /// Microseconds of processor time for each request.
    pub cpu_us_per_request: f64,
    /// Memory before anybody joined, in bytes.
    pub resident_before: u64,
    /// Memory at the end, in bytes.
    pub resident: u64,
    /// What came to the memory for each viewer, in bytes.
    pub resident_per_viewer: f64,
}

/// What the generator takes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GeneratorUse {
    /// Processors.
    pub cpu: f64,
    /// Microseconds of processor time for each viewer and second.
    pub cpu_us_per_viewer: f64,
    /// Microseconds of processor time for each request.
    pub cpu_us_per_request: f64,
    /// How late its threads came to their work, one time in a hundred, in milliseconds.
    pub lag_p99_ms: f64,
    /// They were so late that the figures are the generator's as much as the server's.
    pub is_bottleneck: bool,
}

/// One second.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Second {
    /// When it ended, from the first join on.
    pub second: u64,
    /// Viewers whose picture moves, stands still, and has not come yet, at its end.
    pub playing: usize,
    /// See `playing`.
    pub stalled: usize,
    /// See `playing`.
    pub waiting: usize,
    /// Playlist requests that the server holds.
    pub held: usize,
    /// Requests in this second.
    pub requests: u64,
    /// Bits that came.
    pub megabits: f64,
    /// How late parts were; nothing where none was due.
    pub part_p50_ms: Option<f64>,
    /// See `part_p50_ms`.
    pub part_p99_ms: Option<f64>,
    /// How far pictures were behind.
    pub latency_p50_ms: Option<f64>,
    /// See `latency_p50_ms`.
    pub latency_p95_ms: Option<f64>,
    /// Stalls that began.
    pub stalls: u64,
    /// Requests that failed.
    pub troubles: u64,
    /// Processors that the server took, and the generator.
    pub server_cpu: Option<f64>,
    /// See `server_cpu`.
    pub generator_cpu: f64,
    /// Memory of the server in bytes.
    pub server_resident: Option<u64>,
}

impl Second {
    /// What is told of a second, without what processes take.
    #[expect(clippy::cast_precision_loss, reason = "no second has 2^52 bits")]
    pub(super) fn new(second: u64, now: Now, tally: &Tally) -> Self {
        let some = |histogram: &Histogram, share| (!histogram.is_empty()).then(|| millis(histogram.quantile(share)));
        Self {
            second,
            playing: now.playing,
            stalled: now.stalled,
            waiting: now.waiting,
            held: now.held,
            requests: tally.count(Count::Requests),
            megabits: tally.count(Count::Bytes) as f64 * 8.0 / 1e6,
            part_p50_ms: some(&tally.part, 0.5),
            part_p99_ms: some(&tally.part, 0.99),
            latency_p50_ms: some(&tally.latency, 0.5),
            latency_p95_ms: some(&tally.latency, 0.95),
            stalls: tally.count(Count::Stalls),
            troubles: tally.troubles(),
            ..Self::default()
        }
    }
}

impl From<&Tally> for Figures {
    fn from(tally: &Tally) -> Self {
        let all = (tally.played + tally.stood).as_secs_f64();
        Self {
            counts: Count::ALL.map(|(count, name)| (name.to_owned(), tally.count(count))).into(),
            troubles: tally.troubles.iter().map(|(trouble, many)| (trouble.to_string(), *many)).collect(),
            part: (&tally.part).into(),
            fan_out: (&tally.fan_out).into(),
            startup: (&tally.startup).into(),
            seek: (&tally.seek).into(),
            stall: (&tally.stall).into(),
            latency: (&tally.latency).into(),
            stood_share: if all > 0.0 { tally.stood.as_secs_f64() / all } else { 0.0 },
        }
    }
}

impl From<&Histogram> for Times {
    fn from(histogram: &Histogram) -> Self {
        let at = |share| millis(histogram.quantile(share));
        Self {
            count: histogram.len(),
            mean_ms: millis(histogram.mean()),
            p50_ms: at(0.5),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: millis(histogram.longest()),
        }
    }
}

/// Milliseconds with three digits after the point.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

impl People {
    /// Tells of all viewers.
    #[expect(clippy::cast_precision_loss, reason = "there are not 2^52 viewers")]
    pub(super) fn of(stories: &[Story]) -> Self {
        let stalled = stories.iter().filter(|story| story.stalls > 0).count();
        let never_played = stories.iter().filter(|story| story.startup.is_none()).count();
        let mut order: Vec<_> = stories.iter().enumerate().collect();
        order.sort_by_key(|(_, story)| std::cmp::Reverse((story.startup.is_none(), story.stood, story.startup)));
        let worst = order.into_iter().take(10).map(|(viewer, story)| Person {
            viewer,
            startup_ms: story.startup.map(millis),
            stalls: story.stalls,
            stood_s: story.stood.as_secs_f64(),
            bytes: story.bytes,
            troubles: story.troubles,
            switches: story.switches,
        });
        let stalled_share = stalled as f64 / stories.len().max(1) as f64;
        Self { stalled, stalled_share, never_played, worst: worst.collect() }
    }
}

impl GeneratorUse {
    pub(super) fn new(cpu: f64, viewers: f64, requests_per_second: f64, lag: &Histogram) -> Self {
        let p99 = lag.quantile(0.99);
        Self {
            cpu,
            cpu_us_per_viewer: cpu * 1e6 / viewers,
            cpu_us_per_request: cpu * 1e6 / requests_per_second.max(1.0),
            lag_p99_ms: millis(p99),
            is_bottleneck: p99 > TOLERATED_LAG,
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steady, people, generator, viewers, .. } = self;
        let count = |name: &str| steady.counts.get(name).copied().unwrap_or(0);
        writeln!(
            f,
            "{viewers} viewers by HTTP/{} for {:.0} s after a ramp of {:.0} s: {}",
            self.http, self.watched_s, self.ramp_s, self.url
        )?;
        writeln!(f, "  parts late by    {}", steady.part)?;
        writeln!(f, "  fan-out          {}", steady.fan_out)?;
        writeln!(f, "  startup          {}", self.whole.startup)?;
        writeln!(f, "  behind live      {}", steady.latency)?;
        writeln!(
            f,
            "  stalls           {} in all, of {} viewers ({:.2} %), {:.3} % of the time; {} viewers never saw a picture",
            self.whole.counts.get("stalls").unwrap_or(&0),
            people.stalled,
            people.stalled_share * 100.0,
            self.whole.stood_share * 100.0,
            people.never_played,
        )?;
        #[expect(clippy::cast_precision_loss, reason = "bytes of minutes")]
        let per_second = |name| count(name) as f64 / self.watched_s.max(1.0);
        writeln!(
            f,
            "  per second       {:.0} requests, {:.1} Mb; {} delta updates of {} playlists, {} switches, {} connections opened",
            per_second("requests"),
            per_second("bytes") * 8.0 / 1e6,
            count("delta_updates"),
            count("playlists"),
            count("switches"),
            count("connections"),
        )?;
        if let Some(server) = &self.server {
            writeln!(
                f,
                "  server           {:.2} processors, {:.0} us per viewer and second, {:.1} us per request; {:.0} MB, {:.1} kB per viewer",
                server.cpu,
                server.cpu_us_per_viewer,
                server.cpu_us_per_request,
                mega(server.resident),
                server.resident_per_viewer / 1e3,
            )?;
        }
        writeln!(
            f,
            "  generator        {:.2} processors, {:.0} us per viewer and second, {:.1} us per request; {:.1} ms late at p99; machine {:.0} % busy",
            generator.cpu,
            generator.cpu_us_per_viewer,
            generator.cpu_us_per_request,
            generator.lag_p99_ms,
            self.machine_busy * 100.0,
        )?;
        for (trouble, many) in &self.whole.troubles {
            writeln!(f, "  trouble          {many} x {trouble}")?;
        }
        if generator.is_bottleneck {
            writeln!(
                f,
                "  The generator came to its work up to {:.0} ms late: these figures are its own as much as the server's. Give it more \
                 --threads, fewer --viewers, or another machine.",
                generator.lag_p99_ms
            )?;
        }
        self.broken.iter().try_for_each(|broken| writeln!(f, "  NO GO            {broken}"))
    }
}

#[expect(clippy::cast_precision_loss, reason = "memory is below 2^52 bytes")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

impl Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return f.write_str("nothing to measure");
        }
        let Self { p50_ms, p95_ms, p99_ms, p999_ms, max_ms, .. } = self;
        write!(
            f,
            "{p50_ms:.1} ms at half, {p95_ms:.1} at 95 %, {p99_ms:.1} at 99 %, {p999_ms:.1} at 99.9 %, {max_ms:.1} at most"
        )
    }
}
