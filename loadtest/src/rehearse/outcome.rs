//! What a rehearsal has shown: as a page with plots, as JSON, and in a few lines.

use std::fmt::{self, Display};

use serde::Serialize;

use super::verdict::Finding;
use crate::plot::{Escaped, Mark, STYLE};
use crate::watch::{Report, plots};

/// All that is told of a rehearsal.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What was rehearsed.
    pub title: String,
    /// Whether everything was good enough.
    pub go: bool,
    /// What was looked at.
    pub findings: Vec<Finding>,
    /// What happened, when.
    pub events: Vec<Event>,
    /// What viewers have seen, by group.
    pub groups: Vec<(String, Report)>,
    /// The last words of processes.
    pub logs: Vec<(String, String)>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// In seconds since the first viewer's join.
    pub at_s: f64,
    /// What.
    pub what: String,
}

impl Outcome {
    /// `GO` or `NO GO`.
    pub fn word(&self) -> &'static str {
        if self.go { "GO" } else { "NO GO" }
    }

    /// The outcome as a page that needs nothing but itself.
    pub fn page(&self) -> impl Display {
        Page(self)
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.title, self.word())?;
        for Finding { what, reached, allowed, go } in &self.findings {
            writeln!(f, "  {:<6} {reached} of {allowed}  {what}", if *go { "go" } else { "NO GO" })?;
        }
        Ok(())
    }
}

struct Page<'a>(&'a Outcome);

impl Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.0;
        let (title, class) = (Escaped(&outcome.title), if outcome.go { "go" } else { "nogo" });
        writeln!(
            f,
            "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}: {}</title><style>{STYLE}</style>",
            outcome.word()
        )?;
        writeln!(
            f,
            "<h1>{title}: <span class=\"{class}\">{}</span></h1>\n<table><tr><th></th><th>reached</th><th>allowed</th><th></th></tr>",
            outcome.word()
        )?;
        for Finding { what, reached, allowed, go } in &outcome.findings {
            let (class, word) = if *go { ("go", "go") } else { ("nogo", "no go") };
            writeln!(
                f,
                "<tr><td class=\"{class}\">{word}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
                Escaped(reached),
                Escaped(allowed),
                Escaped(what)
            )?;
        }
        writeln!(f, "</table>\n<h2>What happened</h2>\n<table>")?;
        for Event { at_s, what } in &outcome.events {
            writeln!(f, "<tr><td class=\"n\">{at_s:.1} s</td><td>{}</td></tr>", Escaped(what))?;
        }
        writeln!(f, "</table>")?;
        let marks: Vec<_> =
            outcome.events.iter().map(|event| Mark { at: event.at_s, what: event.what.clone() }).collect();
        for (name, report) in &outcome.groups {
            writeln!(f, "<h2>{}</h2>\n<pre>{}</pre>", Escaped(name), Escaped(&report.to_string()))?;
            plots(&report.seconds, &marks).iter().try_for_each(|plot| write!(f, "{plot}"))?;
        }
        for (name, log) in outcome.logs.iter().filter(|(_, log)| !log.is_empty()) {
            writeln!(
                f,
                "<details><summary>The last words of {}</summary><pre>{}</pre></details>",
                Escaped(name),
                Escaped(log)
            )?;
        }
        Ok(())
    }
}
