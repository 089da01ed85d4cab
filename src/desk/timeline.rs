use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rfc3339;

/// Entries that are kept.
const MAX_ENTRIES: usize = 1_000;

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Entry {
    /// Counts them.
    pub(crate) id: u64,
    pub(crate) at: String,
    pub(crate) kind: Kind,
    pub(crate) severity: Severity,
    pub(crate) channel: Option<String>,
    pub(crate) text: String,
}

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Alert,
    /// An alert that is over.
    Cleared,
    Event,
    Override,
    Publisher,
    Ladder,
    Edge,
    Server,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    Info,
    Warning,
    Critical,
}

/// What has happened, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Timeline {
    next: u64,
    entries: VecDeque<Entry>,
    /// Those that nobody has been told of.
    #[serde(skip)]
    fresh: Vec<Entry>,
}

impl Timeline {
    /// Something has happened.
    pub(crate) fn add(&mut self, now: Duration, kind: Kind, severity: Severity, channel: Option<&str>, text: String) {
        self.next += 1;
        let entry =
            Entry { id: self.next, at: rfc3339(now), kind, severity, channel: channel.map(str::to_owned), text };
        if self.entries.len() == MAX_ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(entry.clone());
        self.fresh.push(entry);
    }

    /// What nobody has been told of yet.
    pub(crate) fn fresh(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.fresh)
    }

    /// The newest, newest first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<Entry> {
        self.entries.iter().rev().take(limit).cloned().collect()
    }
}
