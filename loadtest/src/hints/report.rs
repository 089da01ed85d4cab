//! What came of all events: in a few lines, as a page with plots, and as JSON.

use std::fmt::{self, Display};
use std::time::Duration;

use serde::Serialize;

use super::replay::{Moment, Outcome};
use crate::plot::{Escaped, Line, Plot, STYLE};

/// All that is told.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// What was replayed.
    pub(super) of: String,
    pub(super) rows: Vec<Row>,
    #[serde(skip)]
    pub(super) plots: Vec<Plot>,
}

/// One way to scale, with nodes that take so long to boot.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) boot_s: f64,
    pub(super) policy: &'static str,
    /// Of a million minutes of viewers, those who were not served.
    pub(super) lost_per_million: f64,
    /// Of who knows the future, a multiple.
    pub(super) cost: f64,
    pub(super) events: usize,
}

impl Report {
    pub(super) fn row(&mut self, boot: Duration, policy: &'static str, outcome: Outcome, events: usize) {
        let (lost_per_million, cost) = (outcome.lost_per_million(), outcome.cost());
        self.rows.push(Row { boot_s: boot.as_secs_f64(), policy, lost_per_million, cost, events });
    }

    pub(super) fn page(&self) -> impl Display {
        Page(self)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.of)?;
        writeln!(f, "  boot    policy        lost per million   cost over the oracle")?;
        for Row { boot_s, policy, lost_per_million, cost, .. } in &self.rows {
            writeln!(f, "  {boot_s:>4.0} s  {policy:<12} {lost_per_million:>17.2} {cost:>22.3}")?;
        }
        Ok(())
    }
}

struct Page<'a>(&'a Report);

impl Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { of, rows, plots } = self.0;
        let of = Escaped(of);
        writeln!(
            f,
            "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Hints</title><style>{STYLE}</style>"
        )?;
        writeln!(
            f,
            "<h1>Hints</h1>\n<p>{of}</p>\n<table><tr><th>boot</th><th>policy</th><th>lost per million</th><th>cost over the oracle</th></tr>"
        )?;
        for Row { boot_s, policy, lost_per_million, cost, .. } in rows {
            writeln!(
                f,
                "<tr><td class=\"n\">{boot_s:.0} s</td><td>{}</td><td class=\"n\">{lost_per_million:.2}</td><td class=\"n\">{cost:.3}</td></tr>",
                Escaped(policy)
            )?;
        }
        writeln!(f, "</table>")?;
        plots.iter().try_for_each(|plot| write!(f, "{plot}"))
    }
}

/// Who watched, and how many there was room for.
pub(super) fn plot(title: String, step: Duration, moments: &[Moment]) -> Plot {
    let line = |name: &str, of: fn(&Moment) -> f64| Line {
        name: name.to_owned(),
        points: moments
            .iter()
            .scan(0.0, |at, moment| {
                let this = *at;
                *at += step.as_secs_f64();
                Some((this, Some(of(moment))))
            })
            .collect(),
    };
    let lines = vec![line("viewers", |moment| moment.viewers), line("room", |moment| moment.room)];
    Plot { title, unit: "viewers", lines, marks: Vec::new() }
}
