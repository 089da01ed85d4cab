//! `touchline-loadtest hints`: what hints would have cost, and whom they would have left unserved, beside other ways to scale.

mod generate;
mod policy;
mod replay;
mod report;
mod trace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use touchline_hints::{Engine, History, Series, Settings};

use self::policy::{Hints, Hpa, Ladder, Learner, Policy, Static, Target};
use self::replay::{Moment, Outcome, replay};
use self::report::Report;

/// Nodes that the peak of an event takes.
const NODES: f64 = 100.0;
/// Days of a trace that are learnt from before the first is judged.
const FIRST_DAYS: usize = 40;
/// Seeds of events that are learnt from and of those that are judged are so far apart.
const APART: u64 = 1 << 32;
/// Events that are plotted: those in which hints have lost most.
const PLOTTED: usize = 4;

/// Replay events with hints, and with other ways to scale, and tell what they cost and whom they left unserved.
///
/// Events are made by chance: some are learnt from, others are judged. With --trace, the days of a trace from the 41st on are judged in one go,
/// and each is learnt from when it is over. Nodes are paid for from when they are asked for, and for five minutes after they are let go. The oracle knows the
/// future, and serves everybody at the least cost.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Examples:\n  touchline-loadtest hints\n  touchline-loadtest hints --events 200 --seed 7 --boot 180s --report hints\n  \
    touchline-loadtest hints --trace wc98.csv"
)]
pub struct Options {
    /// How many events are judged
    #[arg(long, default_value_t = 80, value_name = "N", value_parser = clap::value_parser!(u64).range(1..100_000))]
    pub events: u64,
    /// How many other events are learnt from
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u64).range(..100_000))]
    pub train: u64,
    /// What chance is drawn from: the same number gives the same events
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// From when a node is asked for until it serves
    #[arg(long, default_value = "60s,180s,300s", value_name = "TIMES", value_delimiter = ',', value_parser = humantime::parse_duration)]
    pub boot: Vec<Duration>,
    /// What a minute of a viewer costs who is not served, in minutes of a place that nobody takes
    #[arg(long, default_value_t = Settings::default().cost_ratio, value_name = "RATIO")]
    pub cost_ratio: f64,
    /// Room beside what is used, at least, as a share of it
    #[arg(long, default_value_t = Settings::default().least_head_room, value_name = "SHARE")]
    pub head_room: f64,
    /// Judge a trace instead: a CSV file with a line of period and count for each minute, in UTC
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Where a page with plots and a file for programs go: a folder, which is made if it is not there
    #[arg(long, value_name = "FOLDER")]
    pub report: Option<PathBuf>,
}

/// Replays, prints what came of it, and writes the report if one is wanted.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let days = options.trace.as_deref().map(days).transpose()?;
    let mut report = Report { of: told(options, days.as_deref()), ..Report::default() };
    for boot in &options.boot {
        let settings = Settings {
            boot: *boot,
            cost_ratio: options.cost_ratio,
            least_head_room: options.head_room,
            ..Settings::default()
        };
        let study = match &days {
            Some(days) => by_days(&settings, days),
            None => by_chance(&settings, options),
        };
        study.tell(*boot, &mut report);
    }
    print!("{report}");
    if let Some(folder) = &options.report {
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        write(&folder.join("hints.html"), &report.page().to_string())?;
        write(&folder.join("hints.json"), &serde_json::to_string_pretty(&report)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

fn days(path: &Path) -> anyhow::Result<Vec<Series>> {
    let csv = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let days = trace::days(&csv).with_context(|| format!("{} is no trace", path.display()))?;
    anyhow::ensure!(
        days.len() > FIRST_DAYS,
        "{} has {} days: {FIRST_DAYS} are learnt from before the first is judged",
        path.display(),
        days.len()
    );
    Ok(days)
}

fn told(options: &Options, days: Option<&[Series]>) -> String {
    match days {
        Some(days) => {
            format!("{} days of a trace, each by the {FIRST_DAYS} and more before it", days.len() - FIRST_DAYS)
        }
        None => format!("{} events, learnt from {} others, seed {}", options.events, options.train, options.seed),
    }
}

fn by_chance(settings: &Settings, options: &Options) -> Study {
    let seed = options.seed.wrapping_mul(2 * APART);
    let train: Vec<Series> = (0..options.train).map(|number| generate::event(seed + number)).collect();
    let history = Arc::new(History::of(settings, &train));
    let mut study = Study::default();
    for number in 0..options.events {
        study.judge(settings, &history, &generate::event(seed + APART + number));
        eprint!("\rhints: boot {:?}: {} of {} events", settings.boot, number + 1, options.events);
    }
    eprintln!();
    study
}

/// The days after the first in one go, by nodes of one size: each midnight the day before is learnt from.
fn by_days(settings: &Settings, days: &[Series]) -> Study {
    let (first, judged) = days.split_at(FIRST_DAYS);
    let viewers = judged.iter().flat_map(|day| day.viewers.iter().copied()).collect();
    let start = judged.first().map_or(Duration::ZERO, |day| day.start);
    let series = Series { start, viewers, ..days.first().cloned().unwrap_or_default() };
    let hints = Learner::new(*settings, first, judged);
    let mut study = Study::default();
    eprintln!("hints: boot {:?}: {} days", settings.boot, judged.len());
    study.judge_by(settings, Box::new(hints), &series);
    study
}

/// What came of events, for one time to boot.
#[derive(Default)]
struct Study {
    events: usize,
    totals: Vec<(&'static str, Outcome)>,
    /// Those in which hints have lost most, worst first.
    worst: Vec<(f64, String, Duration, Vec<Moment>)>,
}

impl Study {
    fn judge(&mut self, settings: &Settings, history: &Arc<History>, series: &Series) {
        self.judge_by(settings, Box::new(Hints(Engine::new(*settings, Arc::clone(history)))), series);
    }

    fn judge_by(&mut self, settings: &Settings, hints: Box<dyn Policy + '_>, series: &Series) {
        let peak = series.viewers.iter().copied().fold(0.0, f64::max);
        let policies: [(&str, Box<dyn Policy + '_>); 8] = [
            ("hints", hints),
            ("HPA 50 %", Box::new(Hpa::new(0.5))),
            ("HPA 70 %", Box::new(Hpa::new(0.7))),
            ("target 60 %", Box::new(Target::new(0.6))),
            ("target 70 %", Box::new(Target::new(0.7))),
            ("target 80 %", Box::new(Target::new(0.8))),
            ("ladder", Box::new(Ladder::new())),
            ("static", Box::new(Static)),
        ];
        for (name, mut policy) in policies {
            let (outcome, moments) = replay(series, peak / NODES, settings, policy.as_mut());
            if name == "hints" {
                let event = series.calendar.events.first().map(|event| event.id.clone()).unwrap_or_default();
                self.worst.push((outcome.lost_per_million(), event, series.step, moments));
                self.worst.sort_by(|a, b| b.0.total_cmp(&a.0));
                self.worst.truncate(PLOTTED);
            }
            // Each event counts alike, whatever its size.
            let outcome = Outcome { lost: outcome.lost / peak, watched: outcome.watched / peak, ..outcome };
            match self.totals.iter_mut().find(|(of, _)| *of == name) {
                Some((_, total)) => total.add(outcome),
                None => self.totals.push((name, outcome)),
            }
        }
        self.events += 1;
    }

    fn tell(self, boot: Duration, report: &mut Report) {
        for (policy, outcome) in self.totals {
            report.row(boot, policy, outcome, self.events);
        }
        for (lost, event, step, moments) in self.worst {
            let title = format!("{event}: hints, boot {boot:?}, {lost:.1} lost per million");
            report.plots.push(report::plot(title, step, &moments));
        }
    }
}
