//! What the viewers of one thread share.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::http::{Network, SCRATCH};
use super::library::Library;
use super::moment::Clock;
use super::tally::{Count, Tally};

/// The surroundings of viewers.
pub(crate) struct World {
    pub(crate) library: Arc<Library>,
    pub(crate) network: Network,
    pub(crate) clock: Clock,
    pub(crate) tally: RefCell<Tally>,
    /// What is read from connections before it is looked at: never across an `await`.
    pub(crate) scratch: RefCell<Vec<u8>>,
    /// Playlist requests that a server holds.
    pub(crate) held: Cell<usize>,
}

impl World {
    pub(crate) fn new(library: Arc<Library>, network: Network, clock: Clock) -> Self {
        let (tally, scratch) = (RefCell::default(), RefCell::new(vec![0; SCRATCH]));
        Self { library, network, clock, tally, scratch, held: Cell::new(0) }
    }

    pub(crate) fn count(&self, count: Count, many: u64) {
        self.tally.borrow_mut().add(count, many);
    }
}
