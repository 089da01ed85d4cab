//! Where rules write down what they saw, and how that becomes findings.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher as _};

use super::report::{Finding, Place, Verdict};
use super::rule::{Level, Rule};
use super::rules;

/// Different faults of one rule that are told apart; more are not counted.
const MAX_FAULTS: usize = 1000;

/// Observations, by rule.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<&'static str, Entry>,
}

#[derive(Default)]
struct Entry {
    kept: Option<String>,
    unseen: Option<String>,
    worst: Option<(Verdict, String, Option<Place>)>,
    /// Digests of the faults, so that one fault that stands in a hundred versions counts once.
    faults: BTreeSet<u64>,
}

impl Ledger {
    /// The rule was kept where it was looked at; `evidence` says where.
    pub(crate) fn kept(&mut self, rule: &Rule, evidence: impl Into<String>) {
        self.entry(rule).kept = Some(evidence.into());
    }

    /// The rule was broken.
    pub(crate) fn broken(&mut self, rule: &Rule, evidence: impl Into<String>, place: Option<Place>) {
        let verdict = if rule.level == Level::Should { Verdict::Warn } else { Verdict::Fail };
        self.record(rule, verdict, evidence.into(), place);
    }

    /// The rule is broken in a way that no level excuses.
    pub(crate) fn failed(&mut self, rule: &Rule, evidence: impl Into<String>) {
        self.record(rule, Verdict::Fail, evidence.into(), None);
    }

    /// The rule may be broken, but this machine or the network could be the cause.
    pub(crate) fn suspect(&mut self, rule: &Rule, evidence: impl Into<String>, place: Option<Place>) {
        self.record(rule, Verdict::Warn, evidence.into(), place);
    }

    /// There is no verdict, for a reason of its own.
    pub(crate) fn unseen(&mut self, rule: &Rule, reason: impl Into<String>) {
        self.entry(rule).unseen = Some(reason.into());
    }

    /// A finding for every rule.
    pub(crate) fn findings(mut self) -> Vec<Finding> {
        rules::all().map(|rule| self.entries.remove(rule.id).unwrap_or_default().finding(rule)).collect()
    }

    fn entry(&mut self, rule: &Rule) -> &mut Entry {
        self.entries.entry(rule.id).or_default()
    }

    fn record(&mut self, rule: &Rule, verdict: Verdict, evidence: String, place: Option<Place>) {
        let entry = self.entry(rule);
        let mut hasher = DefaultHasher::new();
        evidence.hash(&mut hasher);
        if entry.faults.len() < MAX_FAULTS {
            entry.faults.insert(hasher.finish());
        }
        if entry.worst.as_ref().is_none_or(|(worst, ..)| *worst < verdict) {
            entry.worst = Some((verdict, evidence, place));
        }
    }
}

impl Entry {
    fn finding(self, rule: &Rule) -> Finding {
        let more = self.faults.len().saturating_sub(1);
        let (verdict, evidence, place) = match (self.worst, self.kept) {
            (Some(worst), _) => worst,
            (None, Some(kept)) => (Verdict::Pass, kept, None),
            (None, None) => (Verdict::NotSeen, self.unseen.unwrap_or_else(|| rule.unseen.to_owned()), None),
        };
        Finding { rule: *rule, verdict, evidence, place, more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rule::{must, should};

    #[test]
    fn the_gravest_fault_is_told_and_equal_ones_count_once() {
        const STRICT: Rule = must("text-clean", "4.1", "");
        const MILD: Rule = should("gzip", "B.1", "");
        let mut ledger = Ledger::default();
        ledger.kept(&STRICT, "10 versions");
        ledger.suspect(&STRICT, "odd", None);
        for fault in ["wrong", "wrong", "also wrong"] {
            ledger.broken(&STRICT, fault, None);
        }
        ledger.broken(&MILD, "meh", None);
        let findings = ledger.findings();
        let find = |id| findings.iter().find(|finding| finding.rule.id == id).unwrap();
        let strict = find("text-clean");
        assert_eq!((strict.verdict, strict.evidence.as_str(), strict.more), (Verdict::Fail, "wrong", 2));
        assert_eq!(find("gzip").verdict, Verdict::Warn);
        assert_eq!((find("head").verdict, findings.len()), (Verdict::NotSeen, rules::all().count()));
    }
}
