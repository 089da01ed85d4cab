use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rfc3339;

/// Entries that are kept.
const MAX_ENTRIES: usize = 5_000;

/// Something that somebody has done by the admin listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Deed {
    pub(crate) at: String,
    /// From where.
    pub(crate) by: String,
    /// For example `surge edges`.
    pub(crate) action: String,
    /// With what.
    pub(crate) detail: String,
}

/// What has been done by hand, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Audit(VecDeque<Deed>);

impl Audit {
    pub(crate) fn add(&mut self, now: Duration, by: &str, action: String, detail: String) {
        if self.0.len() == MAX_ENTRIES {
            self.0.pop_front();
        }
        self.0.push_back(Deed { at: rfc3339(now), by: by.to_owned(), action, detail });
    }

    /// The newest, newest first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<Deed> {
        self.0.iter().rev().take(limit).cloned().collect()
    }
}
