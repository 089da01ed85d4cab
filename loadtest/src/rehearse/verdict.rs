//! Go or no go: what was reached, beside what is good enough.

use std::time::Duration;

use serde::Serialize;

use super::scenario::time;
use super::sheet::Sheet;
use crate::watch::{Part, Report};

/// Something that has to hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Criterion {
    what: What,
    most: Most,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Stalled,
    Stood,
    NeverPlayed,
    Troubles,
    StartupP95,
    LatencyP95,
    PartP99,
    LongestStall,
}

/// The most that is good enough.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Most {
    Share(f64),
    Time(Duration),
}

impl What {
    /// Each with the name of its setting, what it is in words, and whether it is a share or a time.
    const ALL: [(Self, &'static str, &'static str, bool); 8] = [
        (Self::Stalled, "stalled", "viewers whose picture stood still", true),
        (Self::Stood, "stood", "of the time that it should have moved, it stood still", true),
        (Self::NeverPlayed, "never_played", "viewers who never saw a picture", true),
        (Self::Troubles, "troubles", "requests that failed", true),
        (Self::StartupP95, "startup_p95", "from the first request to the first frame, at 95 %", false),
        (Self::LatencyP95, "latency_p95", "behind the programme's clock, at 95 %", false),
        (Self::PartP99, "part_p99", "how late parts were, at 99 %", false),
        (Self::LongestStall, "longest_stall", "the longest stall", false),
    ];

    /// What it came to: shares of all groups together, times in the group that was served worst.
    #[expect(clippy::cast_precision_loss, reason = "there are not 2^52 viewers or requests")]
    fn of(self, reports: &[&Report]) -> f64 {
        let sum = |value: &dyn Fn(&Report) -> f64| reports.iter().map(|report| value(report)).sum::<f64>();
        let worst =
            |value: &dyn Fn(&Report) -> f64| reports.iter().map(|report| value(report)).fold(0.0, f64::max) / 1e3;
        let viewers = sum(&|report| report.viewers as f64).max(1.0);
        let requests = |report: &Report| report.whole.counts.get("requests").copied().unwrap_or(0) as f64;
        match self {
            Self::Stalled => sum(&|report| report.people.stalled as f64) / viewers,
            Self::NeverPlayed => sum(&|report| report.people.never_played as f64) / viewers,
            Self::Stood => sum(&|report| report.whole.stood_share * report.viewers as f64) / viewers,
            Self::Troubles => {
                let troubles = sum(&|report| report.whole.troubles.values().sum::<u64>() as f64);
                troubles / sum(&requests).max(1.0)
            }
            Self::StartupP95 => worst(&|report| report.whole.startup.p95_ms),
            Self::LatencyP95 => worst(&|report| report.steady.latency.p95_ms),
            Self::PartP99 => worst(&|report| report.steady.part.p99_ms),
            Self::LongestStall => worst(&|report| report.whole.stall.max_ms),
        }
    }
}

/// What came of a criterion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// What was reached.
    pub reached: String,
    /// The most that was allowed.
    pub allowed: String,
    /// Whether it is good enough.
    pub go: bool,
}

impl Criterion {
    /// Reads the `[go]` of a scenario.
    pub(super) fn read_all(sheet: &mut Sheet<'_, '_>) -> Vec<Self> {
        let mut all = Vec::new();
        for (what, name, _, is_share) in What::ALL {
            let most = if is_share {
                sheet.parsed(name, |text| {
                    text.parse::<Part>().map(|part| Most::Share(part.share())).map_err(|error| error.to_string())
                })
            } else {
                sheet.parsed(name, |text| time(text).map(Most::Time))
            };
            all.extend(most.map(|most| Self { what, most }));
        }
        all
    }

    /// Judges what viewers have seen.
    pub(super) fn judge(&self, reports: &[&Report]) -> Finding {
        let reached = self.what.of(reports);
        let words = What::ALL.into_iter().find(|(what, ..)| *what == self.what).map_or("", |(_, _, words, _)| words);
        let (reached, allowed, go) = match self.most {
            Most::Share(most) => (percent(reached), percent(most), reached <= most),
            Most::Time(most) => {
                (milliseconds(reached), milliseconds(most.as_secs_f64()), reached <= most.as_secs_f64())
            }
        };
        Finding { what: words.to_owned(), reached, allowed, go }
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.0} ms", seconds * 1e3)
}
