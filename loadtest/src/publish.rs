//! `touchline-loadtest publish`: as many publishers as are asked for, by RTMP, SRT or WHIP, from recorded media.

mod call;
mod clip;
mod dial;
mod line;
mod options;
mod pace;
mod publisher;
mod record;
mod report;
mod rtmp;
mod schedule;
mod srt;
mod target;
mod whip;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep_until, timeout};

pub use clip::MAX_FILE;
pub use options::{MAX_PUBLISHERS, Options};
pub use pace::{Fault, Kind};
pub use target::{Protocol, Target};

use crate::random::Random;
use crate::{Error, stop};
use call::Call;
use clip::{Clip, Codec};
use line::Media;
use pace::Pace;
use publisher::Publisher;
use record::Record;
use report::{OfPublisher, Report, Totals};

/// Time between two progress lines, on a terminal and elsewhere.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
const PROGRESS_IN_A_LOG_EVERY: Duration = Duration::from_secs(10);
/// How long goodbyes and what is under way may take at the end.
const GOODBYE: Duration = Duration::from_secs(4);
/// Lines about what happens to single publishers; after that, they are only counted.
const MAX_NEWS: usize = 50;

/// Publishes until the time is over, the media has ended or it is stopped; prints what came of it, and returns the exit code.
pub async fn run(options: &Options) -> Result<ExitCode, Error> {
    let crowd = Crowd::gather(options).await?;
    let report = crowd.publish(options).await?;
    print!("publish: in all {report}");
    if let Some(file) = &options.report {
        write(&report, file)?;
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All publishers before they begin.
struct Crowd {
    clip: Arc<Clip>,
    media: BTreeMap<Protocol, Media>,
    calls: Vec<Call>,
    faults: Vec<Vec<Fault>>,
}

/// Who is publishing.
struct OnAir {
    began: Instant,
    records: Vec<Record>,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    /// Lines that may still be printed about single publishers.
    news: usize,
}

impl Crowd {
    /// Reads the media, and finds the servers.
    async fn gather(options: &Options) -> Result<Self, Error> {
        let mut servers = Vec::new();
        for target in &options.urls {
            servers.push((target.clone(), target.resolve(options.i_own_this_server).await?));
        }
        let calls = calls(options, &servers)?;
        let clip = Arc::new(Clip::open(options.media.as_deref()).await?);
        let mut media = BTreeMap::new();
        for (Target { protocol, .. }, _) in &servers {
            let failed = |what: &str| Error::Media { file: name(options), what: what.to_owned() };
            if !media.contains_key(protocol) {
                media.insert(*protocol, Media::new(*protocol, &clip).map_err(|what| failed(&what))?);
            }
            if Media::tracks(*protocol, &clip).is_empty() {
                return Err(failed("there is nothing in it that this protocol carries"));
            }
        }
        let whip = media.contains_key(&Protocol::Whip);
        if whip && !clip.tracks.iter().any(|track| matches!(track.codec, Codec::Opus(_))) {
            eprintln!("publish: {} has no Opus: by WHIP there will be no sound", name(options).display());
        }
        let faults = faults(options, calls.len());
        Ok(Self { clip, media, calls, faults })
    }

    async fn publish(self, options: &Options) -> Result<Report, Error> {
        let mut on_air = self.begin(options);
        let every = if std::io::stdout().is_terminal() { PROGRESS_EVERY } else { PROGRESS_IN_A_LOG_EVERY };
        let mut ticks = interval_at(on_air.began + every, every);
        let end = options.duration.map(|duration| on_air.began + duration);
        let mut interrupted = std::pin::pin!(stop::signal()?);
        let mut before = Totals::default();
        loop {
            tokio::select! {
                () = &mut interrupted => break,
                () = async { match end { Some(end) => sleep_until(end).await, None => std::future::pending().await } } => break,
                ended = on_air.tasks.join_next() => if ended.is_none() { break },
                _ = ticks.tick() => {
                    let totals = on_air.totals();
                    self.tell(&mut on_air);
                    println!("publish: {:.0} s: {}", on_air.began.elapsed().as_secs_f64(), totals.progress(&before, every));
                    before = totals;
                }
            }
        }
        let seconds = on_air.began.elapsed().as_secs_f64();
        let totals = on_air.totals();
        self.tell(&mut on_air);
        on_air.finish().await;
        Ok(self.report(options.seed, seconds, totals, &on_air.records))
    }

    /// Begins with all publishers.
    fn begin(&self, options: &Options) -> OnAir {
        let (stop, stopped) = watch::channel(false);
        let began = Instant::now();
        let mut seeds = Random::new(options.seed);
        let (mut tasks, mut records) = (JoinSet::new(), Vec::new());
        let count = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        let looped = options.looped || options.media.is_none();
        for (number, (call, faults)) in (0..).zip(self.calls.iter().zip(&self.faults)) {
            let record = Record::default();
            records.push(record.clone());
            let seed = seeds.draw();
            let tracks = Media::tracks(call.target.protocol, &self.clip);
            let Some(media) = self.media.get(&call.target.protocol).cloned() else { continue };
            tasks.spawn(
                Publisher {
                    call: Call { seed, ..call.clone() },
                    media,
                    // Encoders do not have their keyframes at the same time.
                    first: if looped { self.keyframe(&tracks, seed) } else { 0 },
                    clip: Arc::clone(&self.clip),
                    tracks,
                    turns: (!looped).then_some(1),
                    pace: Pace::new(options.jitter, options.burst, faults.clone(), seed),
                    faults: faults.clone(),
                    start: began + options.ramp * number / count,
                    stop: stopped.clone(),
                    record,
                }
                .run(),
            );
        }
        OnAir { began, records, tasks, stop, news: MAX_NEWS }
    }

    /// Which of the clip's keyframes a publisher begins with.
    fn keyframe(&self, tracks: &[usize], seed: u64) -> usize {
        let leading = tracks.first().and_then(|track| self.clip.tracks.get(*track));
        let count = leading.map_or(0, |track| track.units.iter().filter(|unit| unit.sync).count());
        usize::try_from(Random::new(seed).below(count as u64)).unwrap_or(0)
    }

    /// Tells what has happened to single publishers for the first time.
    fn tell(&self, on_air: &mut OnAir) {
        for (call, record) in self.calls.iter().zip(&on_air.records) {
            if on_air.news == 0 {
                return;
            }
            if let Some(news) = record.news() {
                eprintln!("publish: {} into {}: {news}", call.channel, call.target);
                on_air.news -= 1;
                if on_air.news == 0 {
                    eprintln!("publish: what happens to others from now on is only counted");
                }
            }
        }
    }

    fn report(&self, seed: u64, seconds: f64, totals: Totals, records: &[Record]) -> Report {
        let all = self.calls.iter().zip(&self.faults).zip(records);
        let publishers = all.map(|((call, faults), record)| {
            let (protocol, server) = (call.target.protocol, call.target.to_string());
            let faults = faults.iter().map(ToString::to_string).collect();
            OfPublisher::new(call.channel.clone(), protocol, server, faults, record.read())
        });
        Report { seed, seconds, totals, publishers: publishers.collect() }
    }
}

impl OnAir {
    fn totals(&self) -> Totals {
        let all: Vec<_> = self.records.iter().map(Record::read).collect();
        Totals::of(&all)
    }

    /// Has all say goodbye. Whoever waits for a server that takes nothing is not waited for.
    async fn finish(&mut self) {
        let _ = self.stop.send(true);
        let _ = timeout(GOODBYE, async { while self.tasks.join_next().await.is_some() {} }).await;
    }
}

/// What each publisher calls with.
fn calls(options: &Options, servers: &[(Target, SocketAddr)]) -> Result<Vec<Call>, Error> {
    let count = options.publishers.unwrap_or(servers.len());
    if count > 1 && !target::is_numbered(&options.channels) {
        return Err(Error::Argument {
            what: "name for several channels",
            value: options.channels.clone(),
            expected: "a name with {number} in it for the publisher's number, like cam{number}",
        });
    }
    let dealt = servers.iter().cycle().take(count).enumerate();
    Ok(dealt
        .map(|(number, (target, server))| Call {
            number,
            target: target.clone(),
            server: *server,
            channel: target::numbered(&options.channels, number),
            key: options.key.as_ref().map(|key| target::numbered(key, number)),
            passphrase: options.passphrase.clone(),
            latency: options.latency,
            insecure: options.insecure,
            seed: 0,
        })
        .collect())
}

/// The faults of each publisher: as many have them as are asked for, and chance says which.
fn faults(options: &Options, count: usize) -> Vec<Vec<Fault>> {
    let mut random = Random::new(options.seed);
    let mut left = (count as u64 * options.faulty).div_ceil(100);
    let draw = |remaining: u64| {
        let faulty = random.below(remaining) < left;
        left -= u64::from(faulty);
        if faulty { options.faults.clone() } else { Vec::new() }
    };
    (1..=count as u64).rev().map(draw).collect()
}

fn name(options: &Options) -> PathBuf {
    options.media.clone().unwrap_or_else(|| "the built-in clip".into())
}

fn write(report: &Report, file: &Path) -> Result<(), Error> {
    let failed = |source| Error::Report { path: file.to_owned(), source };
    let json = serde_json::to_string_pretty(report).map_err(std::io::Error::other).map_err(failed)?;
    std::fs::write(file, json + "\n").map_err(failed)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn options(line: &str) -> Options {
        Cli::parse_from(format!("publish {line}").split_whitespace()).options
    }

    fn called(line: &str) -> Result<Vec<String>, Error> {
        let options = options(line);
        let servers: Vec<_> =
            options.urls.iter().map(|url| (url.clone(), SocketAddr::from(([127, 0, 0, 1], 1)))).collect();
        let word = |call: Call| format!("{} {} {}", call.channel, call.target, call.key.unwrap_or_default());
        Ok(calls(&options, &servers)?.into_iter().map(word).collect())
    }

    #[test]
    fn publishers_are_dealt_out_to_the_urls() {
        assert_eq!(
            called("rtmp://[::1]/live srt://[::1]:9 --publishers 3 --key s{number}").unwrap(),
            ["cam1 rtmp://[::1]:1935/live s1", "cam2 srt://[::1]:9 s2", "cam3 rtmp://[::1]:1935/live s3"]
        );
        assert_eq!(called("srt://[::1]:9 --channels main").unwrap(), ["main srt://[::1]:9 "]);
        let error = called("srt://[::1]:9 --channels main --publishers 2").unwrap_err();
        insta::assert_snapshot!(error, @r#""main" is not a name for several channels: a name with {number} in it for the publisher's number, like cam{number}"#);
    }

    #[test]
    fn as_many_publishers_as_asked_for_have_faults_and_the_seed_says_which() {
        let drawn = |line: &str| -> Vec<bool> {
            faults(&options(&format!("srt://[::1]:9 --fault drop@1s {line}")), 200)
                .iter()
                .map(|of| !of.is_empty())
                .collect()
        };
        let count = |drawn: &[bool]| drawn.iter().filter(|faulty| **faulty).count();
        assert_eq!(count(&drawn("")), 200);
        assert_eq!(count(&drawn("--faulty 0")), 0);
        assert_eq!(count(&drawn("--faulty 30")), 60);
        assert_eq!(drawn("--faulty 30"), drawn("--faulty 30"));
        assert_ne!(drawn("--faulty 30"), drawn("--faulty 30 --seed 2"));
    }
}
