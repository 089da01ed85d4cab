//! What a relay has done.

use std::fmt::{self, Display};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::link::{Arrival, Fate};

/// Counts of all callers. Clones of its [`std::sync::Arc`] are written by all of them at once.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) callers: Counter,
    /// Datagrams of callers that were more than are let through at a time.
    pub(super) refused: Counter,
    pub(super) there: Way,
    pub(super) back: Way,
}

/// Counts of one way.
#[derive(Debug, Default)]
pub(super) struct Way {
    taken: Counter,
    lost: Counter,
    overflowed: Counter,
    arrived: Counter,
    overtaken: Counter,
    bytes: Counter,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Way {
    /// A datagram has gone in.
    pub(super) fn taken(&self, fate: Fate) {
        self.taken.add(1);
        match fate {
            Fate::Arrives => {}
            Fate::Lost => self.lost.add(1),
            Fate::Overflows => self.overflowed.add(1),
        }
    }

    /// A datagram has come out.
    pub(super) fn arrived(&self, Arrival { datagram, overtaken }: &Arrival) {
        self.arrived.add(1);
        self.overtaken.add((*overtaken).into());
        self.bytes.add(datagram.len() as u64);
    }

    fn read(&self) -> WayTotals {
        WayTotals {
            taken: self.taken.read(),
            lost: self.lost.read(),
            overflowed: self.overflowed.read(),
            arrived: self.arrived.read(),
            overtaken: self.overtaken.read(),
            bytes: self.bytes.read(),
        }
    }
}

impl Tally {
    pub(super) fn read(&self) -> Totals {
        Totals {
            callers: self.callers.read(),
            refused: self.refused.read(),
            there: self.there.read(),
            back: self.back.read(),
        }
    }
}

/// What a relay has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Addresses that have called.
    pub callers: u64,
    /// Datagrams of callers that were more than are let through at a time.
    pub refused: u64,
    /// To the server.
    pub there: WayTotals,
    /// From the server.
    pub back: WayTotals,
}

/// Datagrams of one way. What was taken and is neither lost nor arrived is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WayTotals {
    /// That came in.
    pub taken: u64,
    /// Lost as it was asked for.
    pub lost: u64,
    /// Lost because too many were under way.
    pub overflowed: u64,
    /// Handed on.
    pub arrived: u64,
    /// Handed on after one that came in later.
    pub overtaken: u64,
    /// Payload that was handed on.
    pub bytes: u64,
}

impl Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { callers, refused, there, back } = self;
        write!(f, "{callers} callers; there: {there}; back: {back}")?;
        if *refused > 0 {
            write!(f, "; {refused} datagrams of callers beyond the most at a time")?;
        }
        Ok(())
    }
}

impl Display for WayTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { taken, lost, overflowed, arrived, overtaken, .. } = self;
        write!(f, "{taken} taken, {lost} lost, {arrived} arrived, {overtaken} overtaken")?;
        if *overflowed > 0 {
            write!(f, ", {overflowed} too many at once")?;
        }
        Ok(())
    }
}
