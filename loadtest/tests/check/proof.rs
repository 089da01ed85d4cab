//! A fault, and the rules that must find it.

use std::time::Duration;

use touchline_loadtest::check::{Plan, Report, Verdict, judge};

use crate::origin::{Fault, Origin, Shape};

/// A discontinuity comes and another one leaves, faults of one moment happen, and a stall ends.
const WATCH: Duration = Duration::from_secs(16);

/// What the judge has to say of a fault.
pub(crate) struct Proof {
    pub(crate) fault: Fault,
    pub(crate) fails: &'static [&'static str],
    pub(crate) warns: &'static [&'static str],
    shape: Shape,
}

impl Proof {
    /// The fault breaks these rules, and no other.
    pub(crate) const fn fails(fault: Fault, rules: &'static [&'static str]) -> Self {
        Self { fault, shape: Shape::LADDER, fails: rules, warns: &[] }
    }

    /// The fault is worth a warning by these rules, and no other.
    pub(crate) const fn warns(fault: Fault, rules: &'static [&'static str]) -> Self {
        Self { warns: rules, ..Self::fails(fault, &[]) }
    }

    /// And these rules warn.
    pub(crate) const fn and_warns(self, rules: &'static [&'static str]) -> Self {
        Self { warns: rules, ..self }
    }

    /// The fault shows in another stream than the usual.
    pub(crate) const fn in_shape(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// Judges an origin with every fault, and shows all that the judge says otherwise.
    pub(crate) fn hold(proofs: &[Self]) {
        let contradictions: Vec<String> = proofs.iter().filter_map(Self::contradiction).collect();
        assert!(contradictions.is_empty(), "{}", contradictions.join("\n"));
    }

    /// What the judge says otherwise.
    fn contradiction(&self) -> Option<String> {
        let report = judged(Some(self.fault), self.shape);
        let fails = differences(&report, Verdict::Fail, self.fails);
        let warns = differences(&report, Verdict::Warn, self.warns);
        let all: Vec<String> = fails.into_iter().chain(warns).collect();
        (!all.is_empty()).then(|| format!("{:?}:\n  {}", self.fault, all.join("\n  ")))
    }
}

/// The judge's report on an origin, in a time of its own: half a minute of it passes in milliseconds.
pub(crate) fn judged(fault: Option<Fault>, shape: Shape) -> Report {
    // Certificates of tests have no authority behind them.
    let plan = Plan { watch: WATCH, insecure: true, ..Plan::default() };
    let url = format!("{}://origin.test/live/main.m3u8", if shape.tls { "https" } else { "http" });
    in_paused_time(async { judge(Origin::new(fault, shape), url.parse().unwrap(), plan).await.unwrap() })
}

/// Runs to the end under a clock that goes on only when all tasks wait.
pub(crate) fn in_paused_time<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
}

/// Rules with this verdict.
pub(crate) fn rules(report: &Report, verdict: Verdict) -> Vec<&'static str> {
    report.findings.iter().filter(|finding| finding.verdict == verdict).map(|finding| finding.rule.id).collect()
}

fn differences(report: &Report, verdict: Verdict, expected: &[&str]) -> Vec<String> {
    let found = rules(report, verdict);
    let missed = expected.iter().filter(|id| !found.contains(id)).map(|id| {
        let finding = report.finding(id).map(|finding| format!("{:?}: {}", finding.verdict, finding.evidence));
        format!("{id} should {verdict:?}, is {}", finding.unwrap_or_else(|| "no rule".to_owned()))
    });
    let surplus = found.iter().filter(|id| !expected.contains(id)).map(|id| {
        let finding = report.finding(id).unwrap();
        format!("{id} should not {verdict:?}: {} {:?}", finding.evidence, finding.place)
    });
    missed.chain(surplus).collect()
}
