//! Callers between the gate and [`Listener::accept`](crate::Listener::accept): libsrt checks their passphrase there, and tells
//! nobody but the caller how that went.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sys;

/// The most callers of whom it is noticed that they are turned away.
const MAX_ADMITTED: usize = 256;

/// A caller that the gate has let in and libsrt has not: its passphrase is not the one that the gate named. (Or it has
/// another idea of SRT than we have, or went away before it was accepted, which libsrt does not tell apart.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnedAway {
    /// Where it is.
    pub peer: SocketAddr,
    /// What it wants, in its own words.
    pub stream_id: String,
    /// Whether it had to have a passphrase; else it may have none.
    pub passphrase: bool,
}

/// Those who have been let in and are not accepted yet.
#[derive(Debug, Default)]
pub(crate) struct Admitted(Mutex<Vec<(sys::SRTSOCKET, TurnedAway)>>);

impl Admitted {
    /// Somebody has been let in, who may yet be turned away.
    pub(crate) fn enter(&self, socket: sys::SRTSOCKET, caller: TurnedAway) {
        let mut callers = self.lock();
        if callers.len() < MAX_ADMITTED {
            callers.push((socket, caller));
        }
    }

    /// Somebody is through.
    pub(crate) fn leave(&self, socket: sys::SRTSOCKET) {
        self.lock().retain(|(entered, _)| *entered != socket);
    }

    /// Those whose sockets libsrt has closed, once each.
    pub(crate) fn turned_away(&self) -> Vec<TurnedAway> {
        let over = |(socket, _): &mut (sys::SRTSOCKET, TurnedAway)| {
            matches!(sys::srt_getsockstate(*socket), sys::SRTS_CLOSED | sys::SRTS_NONEXIST)
        };
        self.lock().extract_if(.., over).map(|(_, caller)| caller).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(sys::SRTSOCKET, TurnedAway)>> {
        // No code that holds the lock can leave the list half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
