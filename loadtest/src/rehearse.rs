//! `touchline-loadtest rehearse`: an event before it happens, with everything that is going to go wrong.
//!
//! A scenario file says which processes there are, who watches, what goes wrong when, and what is good enough. The server is a process like
//! any other: what is rehearsed is what will run.

mod audience;
mod outcome;
mod places;
mod scenario;
mod sheet;
mod stage;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep_until};

pub use outcome::{Event, Outcome};
pub use scenario::{Deed, Fault, Process, Scenario, Viewers};
pub use sheet::Mistake;
pub use verdict::{Criterion, Finding};

use crate::stop;
use crate::watch::Report;
use audience::Group;
use stage::Stage;

/// Exit codes: go; no go; there was nothing to judge.
const GO: u8 = 0;
const NO_GO: u8 = 1;
const NOT_HELD: u8 = 2;
/// How often it is looked whether processes are still there.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Rehearse an event: start servers and a feed, let a crowd come, let things go wrong, and say go or no go.
///
/// The scenario is a file that names processes, groups of viewers, faults and what is good enough; `loadtest/scenarios` has some to begin with.
/// All mistakes in it are told at once. The report is a page with plots and a file for programs. Exits with 0 for go, with 1 for no go, and
/// with 2 when the rehearsal could not be held.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  touchline-loadtest rehearse loadtest/scenarios/small.toml\n  \
    touchline-loadtest rehearse loadtest/scenarios/small.toml --report report && xdg-open report/report.html\n  \
    touchline-loadtest rehearse --check loadtest/scenarios/small.toml")]
pub struct Options {
    /// Where the report and all logs go: a folder, which is made if it is not there [default: one among temporary files]
    #[arg(long, value_name = "FOLDER")]
    pub report: Option<PathBuf>,
    /// Only say whether the scenario is without a mistake
    #[arg(long)]
    pub check: bool,
    /// The scenario
    #[arg(value_name = "FILE")]
    pub scenario: PathBuf,
}

/// Why a rehearsal could not be held.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There are mistakes in the scenario.
    #[error("{} has {} mistake(s):\n{}", path.display(), mistakes.len(), list(mistakes))]
    Scenario {
        /// The file.
        path: PathBuf,
        /// All of them.
        mistakes: Vec<Mistake>,
    },
    /// There are no ports.
    #[error("no port can be had: {source}")]
    Ports {
        /// Why not.
        source: std::io::Error,
    },
    /// A process cannot be started.
    #[error("{process} cannot be started by `{command}`: {source}")]
    Start {
        /// Its name.
        process: String,
        /// What was tried.
        command: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// What is asked whether a process is ready is no URL.
    #[error("{process}: {url:?} is not an http:// URL")]
    Url {
        /// Its name.
        process: String,
        /// What it is.
        url: String,
    },
    /// A process was not ready in time, or has ended.
    #[error("{process} is not ready: {url} was not answered with 200. Its last words:\n{said}")]
    NotReady {
        /// Its name.
        process: String,
        /// What was asked for.
        url: String,
        /// The end of its log.
        said: String,
    },
    /// Viewers have not told what they saw.
    #[error("{viewers} have not told what they saw: {why}")]
    Untold {
        /// Their name.
        viewers: String,
        /// Why not.
        why: String,
    },
    /// Signals cannot be heard.
    #[error(transparent)]
    Command(#[from] crate::Error),
    /// Somebody has stopped the rehearsal.
    #[error("stopped before its end")]
    Stopped,
}

fn list(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("  {mistake}")).collect::<Vec<_>>().join("\n")
}

/// Rehearses, prints the outcome, and returns the command's exit code.
pub async fn run(options: &Options) -> ExitCode {
    match hold(options).await {
        Ok(None) => GO.into(),
        Ok(Some(outcome)) => {
            print!("{outcome}");
            if outcome.go { GO.into() } else { NO_GO.into() }
        }
        Err(error) => {
            eprintln!("rehearse: {error}");
            NOT_HELD.into()
        }
    }
}

/// Reads the scenario, and unless that was all, holds the rehearsal and writes its report.
async fn hold(options: &Options) -> Result<Option<Outcome>, Error> {
    let path = &options.scenario;
    let text = std::fs::read_to_string(path).map_err(|source| Error::File { path: path.clone(), source })?;
    let parsed = Scenario::parse(&text);
    let scenario = parsed.map_err(|mistakes| Error::Scenario { path: path.clone(), mistakes })?;
    if options.check {
        println!("{} is without a mistake", path.display());
        return Ok(None);
    }
    let temporary = || std::env::temp_dir().join(format!("touchline-rehearsal-{}", std::process::id()));
    let folder = options.report.clone().unwrap_or_else(temporary);
    let made = std::fs::create_dir_all(&folder);
    made.map_err(|source| Error::File { path: folder.clone(), source })?;
    let mut stage = Stage::new(folder.clone());
    let played = play(&scenario, &mut stage, &folder).await;
    let logs = scenario.processes.iter().map(|process| (process.name.clone(), stage.last_words(&process.name)));
    let logs = logs.collect();
    stage.clear(&scenario).await;
    let (groups, events, lost) = played?;
    let outcome = judge(&scenario, groups, events, lost, logs);
    write(&folder.join("report.html"), &outcome.page().to_string())?;
    write(&folder.join("report.json"), &serde_json::to_string_pretty(&outcome).unwrap_or_default())?;
    eprintln!("rehearse: the report is {}", folder.join("report.html").display());
    Ok(Some(outcome))
}

type Played = (Vec<(String, Report)>, Vec<Event>, Vec<String>);

/// From the first process to what the last viewer tells.
async fn play(scenario: &Scenario, stage: &mut Stage, folder: &Path) -> Result<Played, Error> {
    let mut signal = std::pin::pin!(stop::signal()?);
    eprintln!("rehearse: {}: starting {} processes", scenario.title, scenario.processes.len());
    tokio::select! {
        set = stage.set(scenario) => set?,
        () = &mut signal => return Err(Error::Stopped),
    }
    let began = Instant::now();
    let mut groups = Vec::new();
    for viewers in &scenario.viewers {
        groups.push(Group::start(viewers, scenario, stage, folder)?);
    }
    let mut events = vec![tell(
        0.0,
        format!("{} viewers begin to come", scenario.viewers.iter().map(|group| group.count).sum::<u64>()),
    )];
    let mut faults = scenario.faults.iter().peekable();
    let (mut lost, mut look) = (Vec::new(), began + LOOK_EVERY);
    let end = began + scenario.duration;
    loop {
        let next = faults.peek().map_or(end, |fault| began + fault.at).min(look).min(end);
        tokio::select! {
            () = sleep_until(next) => {}
            () = &mut signal => return Err(Error::Stopped),
        }
        let now = Instant::now();
        while let Some(fault) = faults.next_if(|fault| began + fault.at <= now) {
            events.push(tell(began.elapsed().as_secs_f64(), format!("{} {}", fault.deed.name(), fault.process)));
            stage.strike(fault, scenario).await?;
        }
        for what in stage.lost() {
            events.push(tell(began.elapsed().as_secs_f64(), what.clone()));
            lost.push(what);
        }
        if now >= end {
            break;
        }
        look = look.max(now + LOOK_EVERY);
    }
    let mut told = Vec::new();
    for group in groups {
        told.push(group.told().await?);
    }
    Ok((told, events, lost))
}

fn tell(at_s: f64, what: String) -> Event {
    eprintln!("rehearse: {at_s:.1} s: {what}");
    Event { at_s, what }
}

/// Holds what was reached against what is good enough. A process that has ended by itself never is.
fn judge(
    scenario: &Scenario,
    groups: Vec<(String, Report)>,
    events: Vec<Event>,
    lost: Vec<String>,
    logs: Vec<(String, String)>,
) -> Outcome {
    let reports: Vec<_> = groups.iter().map(|(_, report)| report).collect();
    let mut findings: Vec<_> = scenario.go.iter().map(|criterion| criterion.judge(&reports)).collect();
    findings.extend(lost.into_iter().map(|what| Finding {
        what,
        reached: "1".to_owned(),
        allowed: "0".to_owned(),
        go: false,
    }));
    let go = findings.iter().all(|finding| finding.go);
    Outcome { title: scenario.title.clone(), go, findings, events, groups, logs }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|source| Error::File { path: path.to_owned(), source })
}
