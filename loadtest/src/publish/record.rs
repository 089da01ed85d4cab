//! What a publisher has done so far. Clones are of the same record: a publisher writes, whoever reports reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::call::Gone;
use super::line::Figures;
use crate::histogram::Histogram;

/// The most reasons of a publisher that are told apart; others are counted under one name.
const MAX_REASONS: usize = 16;
const OTHERS: &str = "other reasons";

/// A publisher's record.
#[derive(Clone, Debug, Default)]
pub(super) struct Record(Arc<Mutex<Entries>>);

/// What is in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    pub(super) state: State,
    /// How often it went on air.
    pub(super) on_air: u64,
    pub(super) units: u64,
    pub(super) bytes: u64,
    /// Units that were due while it was not on air.
    pub(super) left_out: u64,
    pub(super) late: Histogram,
    /// How often it was refused, by the server's words.
    pub(super) refusals: BTreeMap<String, u64>,
    /// How often it lost its connection or got none, by what happened.
    pub(super) breaks: BTreeMap<String, u64>,
    /// Of the newest connection.
    pub(super) figures: Option<Figures>,
    /// What has not been told to the person yet.
    untold: Option<String>,
}

/// What a publisher does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It has not begun.
    #[default]
    Due,
    Connecting,
    OnAir,
    /// It waits before it connects again.
    Waiting,
    /// It has ended as it was to.
    Ended,
}

impl Record {
    pub(super) fn set(&self, state: State) {
        self.lock().state = state;
    }

    /// It has been let in; so many units were due before and are left out.
    pub(super) fn on_air(&self, left_out: u64) {
        let mut entries = self.lock();
        entries.state = State::OnAir;
        entries.left_out += left_out;
        entries.on_air += 1;
    }

    /// A unit has been handed over, so late.
    pub(super) fn sent(&self, length: usize, late: Duration) {
        let mut entries = self.lock();
        entries.units += 1;
        entries.bytes += length as u64;
        entries.late.record(late);
    }

    pub(super) fn look(&self, figures: Option<Figures>) {
        self.lock().figures = figures;
    }

    /// It is no longer on air.
    pub(super) fn left(&self) {
        self.lock().state = State::Waiting;
    }

    /// It was refused, or its connection broke.
    pub(super) fn lost(&self, gone: &Gone) {
        let mut entries = self.lock();
        let reasons = match gone {
            Gone::Refused(_) => &mut entries.refusals,
            Gone::Closed | Gone::Broken(_) => &mut entries.breaks,
        };
        let words = match gone {
            Gone::Refused(words) => words.clone(),
            gone => gone.to_string(),
        };
        let known = reasons.contains_key(&words);
        let name = if known || reasons.len() < MAX_REASONS { words } else { OTHERS.to_owned() };
        *reasons.entry(name).or_default() += 1;
        if !known {
            entries.untold = Some(gone.to_string());
        }
    }

    /// What has happened to it for the first time since this was asked.
    pub(super) fn news(&self) -> Option<String> {
        self.lock().untold.take()
    }

    pub(super) fn read(&self) -> Entries {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Nobody who holds the lock can leave it half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_each_is_told_once() {
        let record = Record::default();
        let refused = Gone::Refused("the key is wrong".to_owned());
        record.lost(&refused);
        assert_eq!(record.news().as_deref(), Some("refused: the key is wrong"));
        record.lost(&refused);
        assert_eq!(record.news(), None);
        record.lost(&Gone::Closed);
        assert_eq!(record.news().as_deref(), Some("the server has closed the connection"));
        let entries = record.read();
        assert_eq!(entries.refusals, [("the key is wrong".to_owned(), 2)].into());
        assert_eq!(entries.breaks, [("the server has closed the connection".to_owned(), 1)].into());
    }

    #[test]
    fn so_many_reasons_and_no_more_are_told_apart() {
        let record = Record::default();
        for number in 0..100 {
            record.lost(&Gone::Broken(format!("fault {number}")));
        }
        let breaks = record.read().breaks;
        assert_eq!((breaks.len(), breaks[OTHERS]), (MAX_REASONS + 1, 100 - MAX_REASONS as u64));
    }
}
