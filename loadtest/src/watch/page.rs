//! The report as a page with plots, which needs nothing but itself.

use std::fmt::{self, Display};

use super::report::{Report, Second};
use crate::plot::{Escaped, Line, Mark, Plot, STYLE};

/// A page.
pub(crate) struct Page<'a> {
    pub(crate) report: &'a Report,
}

impl Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.report;
        let title = format!("{} viewers of {}", report.viewers, report.url);
        let title = Escaped(&title);
        writeln!(
            f,
            "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style>"
        )?;
        writeln!(f, "<h1>{title}</h1>")?;
        for broken in &report.broken {
            writeln!(f, "<p class=\"nogo\">No go: {}</p>", Escaped(broken))?;
        }
        writeln!(f, "<pre>{}</pre>", Escaped(&report.to_string()))?;
        let marks = [Mark { at: report.ramp_s, what: "all have joined".to_owned() }];
        plots(&report.seconds, &marks).iter().try_for_each(|plot| write!(f, "{plot}"))
    }
}

/// What happened second by second.
pub(crate) fn plots(seconds: &[Second], marks: &[Mark]) -> Vec<Plot> {
    #[expect(clippy::cast_precision_loss, reason = "seconds and viewers are few")]
    let line = |name: &str, value: &dyn Fn(&Second) -> Option<f64>| Line {
        name: name.to_owned(),
        points: seconds.iter().map(|second| (second.second as f64, value(second))).collect(),
    };
    #[expect(clippy::cast_precision_loss, reason = "viewers and requests are few")]
    let many = |many: usize| Some(many as f64);
    let plot = |title: &str, unit: &'static str, lines: Vec<Line>| Plot {
        title: title.to_owned(),
        unit,
        lines,
        marks: marks.to_vec(),
    };
    vec![
        plot(
            "Viewers",
            "at a time",
            vec![
                line("play", &|second| many(second.playing)),
                line("stalled", &|second| many(second.stalled)),
                line("wait for the first frame", &|second| many(second.waiting)),
            ],
        ),
        plot(
            "How late parts are",
            "ms",
            vec![line("half", &|second| second.part_p50_ms), line("99 %", &|second| second.part_p99_ms)],
        ),
        plot(
            "How far pictures are behind",
            "s",
            vec![
                line("half", &|second| Some(second.latency_p50_ms? / 1e3)),
                line("95 %", &|second| Some(second.latency_p95_ms? / 1e3)),
            ],
        ),
        plot(
            "Stalls that begin, and requests that fail",
            "per second",
            vec![
                line("stalls", &|second| many(usize::try_from(second.stalls).ok()?)),
                line("failures", &|second| many(usize::try_from(second.troubles).ok()?)),
            ],
        ),
        plot(
            "Requests",
            "per second",
            vec![line("answered at once or held", &|second| many(usize::try_from(second.requests).ok()?))],
        ),
        plot(
            "Processors",
            "busy",
            vec![line("server", &|second| second.server_cpu), line("viewers", &|second| Some(second.generator_cpu))],
        ),
    ]
}
