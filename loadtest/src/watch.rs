//! `touchline-loadtest watch`: a crowd of viewers who behave as hls.js does in low-latency mode.
//!
//! A `viewer::Viewer` is pure: it knows neither sockets nor a clock. A `seat::Seat` is the task that connects one with a server, a thread
//! of the `crowd` runs thousands of these, and `measure` puts together what they tell.

mod crowd;
mod exchange;
mod grid;
mod http;
mod ladder;
mod library;
mod link;
mod measure;
mod moment;
mod options;
mod page;
mod playlist;
mod report;
mod seat;
mod tally;
mod viewer;
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

pub use http::Sources;
pub use options::{Lines, Options, Part};
pub(crate) use page::plots;
pub use report::{Figures, GeneratorUse, People, Person, Report, Second, ServerUse, Times};

use crate::check::tls::{ANY_HTTP, connector};
use crate::random::Random;
use crate::{Error, stop};
use crowd::{Guest, Plan, Pulse};
use http::{Network, resolve};
use library::Library;
use measure::Measure;
use moment::{Clock, Moment};
use page::Page;
use viewer::{Habits, Story};

/// Exit codes: everything was watched; a limit was broken; nobody saw anything.
const GOOD: u8 = 0;
const BROKEN: u8 = 1;
const NOTHING: u8 = 2;
/// Connections of one viewer by HTTP/1.1: two held playlists and two parts; and of one by HTTP/2.
const CONNECTIONS: u64 = 4;
const CONNECTIONS_HTTP2: u64 = 1;
/// Files that this process has open beside connections.
const OTHER_FILES: u64 = 64;
/// Seconds that threads may be ahead of who counts them.
const MAX_PULSES: usize = 256;

/// Watches, prints the report, and returns the command's exit code.
pub async fn run(options: &Options) -> Result<ExitCode, Error> {
    let report = watch_all(options).await?;
    eprintln!();
    print!("{report}");
    for path in &options.report {
        write(&report, path)?;
    }
    Ok(if !report.broken.is_empty() {
        BROKEN.into()
    } else if report.people.never_played == report.viewers {
        NOTHING.into()
    } else {
        GOOD.into()
    })
}

/// Watches until the time is over or the command is stopped.
pub async fn watch_all(options: &Options) -> Result<Report, Error> {
    raise_file_limit(options)?;
    let library = Arc::new(Library::new(options.url.clone()));
    let entrance = library.entrance().ok_or_else(|| Error::NoStream(options.url.clone()))?;
    let unresolved = |source| Error::Unresolved { host: entrance.site.host.clone(), source };
    let address = resolve(&entrance.site).await.map_err(unresolved)?;
    if !address.ip().is_loopback() && !options.i_own_this_server {
        return Err(Error::Stranger(entrance.site.to_string()));
    }
    let protocols: &[&[u8]] = if options.http2 { ANY_HTTP } else { &[b"http/1.1"] };
    let network = Network::new(options.source, options.i_own_this_server, connector(options.insecure, protocols));
    let clock = Clock::start();
    let plan = Plan { library, entrance, clock, http2: options.http2, begins: clock.now() };
    let mut measure = Measure::new(options);
    let (pulses, mut told) = mpsc::channel(MAX_PULSES);
    let (stop, stopped) = watch::channel(false);
    let threads = spread(options, plan.begins)
        .into_iter()
        .enumerate()
        .map(|(number, guests)| {
            let (plan, network, pulses, stopped) = (plan.clone(), network.shared(), pulses.clone(), stopped.clone());
            let threads = thread::Builder::new().name(format!("viewers-{number}"));
            threads.spawn(move || crowd::run(plan, network, &guests, pulses, stopped))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| Error::Io { doing: "starting a thread of viewers", source })?;
    drop(pulses);
    count(options, &mut told, &mut measure, &stop).await?;
    let mut stories = Vec::new();
    for thread in threads {
        let told = thread.join().unwrap_or_else(|_| Err(std::io::Error::other("it panicked")));
        stories.extend(told.map_err(|source| Error::Io { doing: "watching", source })?);
    }
    Ok(measure.report(&in_order(stories, options.threads)))
}

/// Takes what the threads tell, until the time is over and they have told all.
async fn count(
    options: &Options,
    told: &mut mpsc::Receiver<Pulse>,
    measure: &mut Measure<'_>,
    stop: &watch::Sender<bool>,
) -> Result<(), Error> {
    let mut over = std::pin::pin!(sleep(options.ramp + options.duration + Duration::from_millis(100)));
    let mut signal = std::pin::pin!(stop::signal()?);
    let mut going = true;
    loop {
        tokio::select! {
            pulse = told.recv() => match pulse {
                Some(pulse) => measure.take(&pulse),
                None => return Ok(()),
            },
            () = &mut over, if going => going = false,
            () = &mut signal, if going => going = false,
        }
        stop.send_replace(!going);
    }
}

/// Who watches on which thread: viewers join one after the other, and each thread has as many.
fn spread(options: &Options, begins: Moment) -> Vec<Vec<Guest>> {
    let mut random = Random::new(options.seed);
    let mut threads = vec![Vec::new(); usize::from(options.threads)];
    for number in 0..options.viewers {
        let mut chance = Random::new(random.draw());
        let habits = Habits {
            hints: options.hints,
            bandwidth: options.bandwidth.map(|lines| lines.draw(&mut chance)),
            leaves: options.leave.draw(&mut chance),
            seeks: options.seek.draw(&mut chance),
        };
        let joins = begins + options.ramp * number / options.viewers;
        let guest = Guest { habits, seed: chance.draw(), joins, verifies: options.verify.draw(&mut chance) };
        if let Some(thread) = threads.get_mut(number as usize % usize::from(options.threads)) {
            thread.push(guest);
        }
    }
    threads
}

/// Puts what became of viewers into the order in which they joined. Threads have told it one after the other.
fn in_order(stories: Vec<Story>, threads: u16) -> Vec<Story> {
    let (threads, all) = (usize::from(threads), stories.len());
    let mut numbered = Vec::with_capacity(all);
    let mut stories = stories.into_iter();
    for thread in 0..threads {
        numbered.extend((thread..all).step_by(threads).zip(stories.by_ref()));
    }
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, story)| story).collect()
}

/// Lets this process have as many connections open as it is allowed to, and fails in words where that is too few.
fn raise_file_limit(options: &Options) -> Result<(), Error> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Where it cannot be raised, what is there may do.
    let _ = setrlimit(Resource::Nofile, raised);
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let each = if options.http2 { CONNECTIONS_HTTP2 } else { CONNECTIONS };
    let needed = u64::from(options.viewers) * each + OTHER_FILES;
    if needed > allowed { Err(Error::TooFewFiles { viewers: options.viewers, needed, allowed }) } else { Ok(()) }
}

fn write(report: &Report, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Report { path: path.to_owned(), source };
    let text = if path.extension().is_some_and(|extension| extension == "html") {
        Page { report }.to_string()
    } else {
        serde_json::to_string_pretty(report).map_err(|error| failed(error.into()))?
    };
    std::fs::write(path, text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_viewers_is_told_in_the_order_of_their_joins() {
        let told = |number: u32| Story { stalls: number, ..Story::default() };
        // Five viewers on two threads: 0, 2, 4 and 1, 3.
        let stories = in_order([0, 2, 4, 1, 3].map(told).to_vec(), 2);
        let numbers: Vec<_> = stories.iter().map(|story| story.stalls).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
    }
}
