//! What a worker finds out about an encoder, in a process of its own: encoders crash.

use serde::{Deserialize, Serialize};

use crate::Costs;

/// What has been found out about an encoder: one line of JSON on the standard output of `touchline-transcode probe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The name of its element.
    pub encoder: String,
    /// Whether it can be used.
    pub verdict: Verdict,
    /// Why, in words.
    pub reason: String,
    /// The Debian package that has it.
    pub package: String,
    /// What it takes, where it works.
    pub cost: Option<Costs>,
}

/// Whether an encoder can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It made what was asked for.
    Works,
    /// The platform does not have it.
    Missing,
    /// It is there, but does not make what was asked for.
    Broken,
}
