//! What the judge found: a verdict and its evidence for every rule.

use std::time::Duration;

use serde::Serialize;

use super::rule::Rule;

/// A judged stream: one finding per rule, in the order of the rules.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The URL that was judged.
    pub url: String,
    /// How long the stream was watched, in seconds.
    #[serde(rename = "watched_seconds", serialize_with = "as_seconds")]
    pub watched: Duration,
    /// What was seen, for people: renditions, versions of playlists, parts, requests.
    pub seen: String,
    /// One finding per rule.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The finding of the rule with this id.
    pub fn finding(&self, id: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.rule.id == id)
    }

    /// How many findings have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }
}

/// What was found about one rule.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// Kept, broken, or not seen.
    pub verdict: Verdict,
    /// One line: for a broken rule its first and gravest fault, for a kept one what was looked at, else why there is no verdict.
    pub evidence: String,
    /// Where the fault stands, when it stands in a playlist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Faults besides the one in `evidence`.
    pub more: usize,
}

/// A line of a playlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The playlist's URL, with the delivery directives that it was asked with.
    pub playlist: String,
    /// The line's number, from 1.
    pub line: usize,
    /// The line as it stands there, cut when it is long.
    pub text: String,
}

/// What a finding says about its rule. Later ones are graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The stream gave no occasion to see it.
    NotSeen,
    /// Kept wherever it was looked at.
    Pass,
    /// A recommendation is not followed, or a measurement is suspicious but could be this machine's or the network's doing.
    Warn,
    /// Broken.
    Fail,
}

fn as_seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
