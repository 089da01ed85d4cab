//! Counts that many threads keep and the reports tell.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use touchline_transcode::message::RungReport;

/// A count that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What a rung has done, what it is at, and whether it is wanted.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Names the rung.
    pub(crate) stream: u8,
    /// What the server wants, from the next due picture on.
    pub(crate) wanted: AtomicBool,
    /// Pictures that the gate has left out because too many waited.
    pub(crate) shed: Count,
    frames_in: Count,
    frames_out: Count,
    /// The PTS of pictures that wait for the scaler or are with the encoder, the oldest first. The gate bounds it.
    waiting: Mutex<VecDeque<i64>>,
}

impl Meter {
    pub(crate) fn new(stream: u8) -> Self {
        let [shed, frames_in, frames_out] = Default::default();
        Self { stream, wanted: AtomicBool::new(true), shed, frames_in, frames_out, waiting: Mutex::default() }
    }

    /// A picture goes to be encoded.
    pub(crate) fn goes_in(&self, pts: i64) {
        self.frames_in.add_one();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(pts);
    }

    /// It has come out; should an encoder have swallowed one before it, that one is not waited for.
    pub(crate) fn comes_out(&self, pts: i64) {
        self.frames_out.add_one();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.front().is_some_and(|first| *first <= pts) {
            waiting.pop_front();
        }
    }

    /// Pictures on their way through the rung.
    pub(crate) fn backlog(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(crate) fn report(&self) -> RungReport {
        RungReport {
            stream: self.stream,
            frames_in: self.frames_in.total(),
            frames_out: self.frames_out.total(),
            shed: self.shed.total(),
            queued: u32::try_from(self.backlog()).unwrap_or(u32::MAX),
        }
    }
}
