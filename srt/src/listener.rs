//! A port that callers connect to.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::admitted::Admitted;
use crate::handle::{self, Handle};
use crate::library::{checked, last_code, last_error};
use crate::{DEFAULT_LATENCY, Error, PEER_IDLE, Passphrase, Reject, Socket, TurnedAway, address, sys};

/// Connections that may wait for [`Listener::accept`].
pub const MAX_BACKLOG: usize = 128;
/// The receive buffer of a connection, in bytes: packets that wait until they are due.
pub const RECEIVE_BUFFER: i32 = 12_000_000;

/// How many datagrams may overtake another before it is asked for again, where a link has been seen to change their order.
pub const MAX_REORDER: i32 = 32;

/// How a listener takes connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The least latency; a caller may ask for more.
    pub latency: Duration,
    /// The most connections at a time.
    pub sockets: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { latency: DEFAULT_LATENCY, sockets: 1_000 }
    }
}

/// What a caller says of itself before it is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello<'a> {
    /// Where it is. That it can be reached there has been proven by a cookie.
    pub peer: SocketAddr,
    /// What it wants, in its own words: at most 512 bytes.
    pub stream_id: &'a str,
    /// Version of the handshake: 4 (which carries no stream ID) or 5.
    pub version: i32,
}

/// How a caller is let in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admission {
    /// What it has to have as well; `None`: it may not encrypt.
    pub passphrase: Option<Passphrase>,
    /// The least latency for this caller, where it is not the listener's.
    pub latency: Option<Duration>,
}

/// Takes connections. Dropping it closes the port; connections that were accepted go on.
pub struct Listener {
    // Dropped first: once it is closed, nobody asks the gate any more.
    handle: Handle,
    gate: Arc<Gate>,
    address: SocketAddr,
}

/// What a listener's callback is given.
struct Gate {
    ask: Box<Ask>,
    open: Arc<AtomicUsize>,
    sockets: usize,
    admitted: Admitted,
}

type Ask = dyn Fn(&Hello<'_>) -> Result<Admission, Reject> + Send + Sync;

impl Listener {
    /// Listens on `address`. Whoever calls is shown to `gate`, which is called on a thread that carries all of the
    /// listener's streams: it must not wait for anything.
    ///
    /// A caller is only accepted with the passphrase that the gate names; it is told why it is refused.
    pub fn bind(
        address: SocketAddr,
        options: &Options,
        gate: impl Fn(&Hello<'_>) -> Result<Admission, Reject> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let handle = Handle::create()?;
        handle.set_latency(options.latency)?;
        handle.set(sys::SRTO_RCVBUF, RECEIVE_BUFFER, "set the receive buffer")?;
        handle.set(sys::SRTO_LOSSMAXTTL, MAX_REORDER, "tolerate another order")?;
        handle.set(sys::SRTO_ENFORCEDENCRYPTION, 1, "enforce encryption")?;
        let idle = c_int::try_from(PEER_IDLE.as_millis()).unwrap_or(c_int::MAX);
        handle.set(sys::SRTO_PEERIDLETIMEO, idle, "limit silence")?;
        if address.is_ipv6() {
            // `[::]` is for both versions of IP, as everywhere else in the project.
            let only = c_int::from(!address.ip().is_unspecified());
            handle.set(sys::SRTO_IPV6ONLY, only, "choose a version of IP")?;
        }
        let gate =
            Gate { ask: Box::new(gate), open: Arc::default(), sockets: options.sockets, admitted: Admitted::default() };
        let gate = Arc::new(gate);
        // SAFETY: the address outlives the call.
        checked("bind", address::with(address, |name, len| unsafe { sys::srt_bind(handle.id(), name, len) }))?;
        let opaque = Arc::as_ptr(&gate).cast_mut().cast::<c_void>();
        // SAFETY: `hook` takes the pointer for what it is. The gate stays where it is until the socket has been closed,
        // and closing waits for a hook that runs and lets no other begin: both hold the lock of the port's listener.
        checked("listen", unsafe { sys::srt_listen_callback(handle.id(), hook, opaque) })?;
        handle.watch()?;
        checked("listen", sys::srt_listen(handle.id(), c_int::try_from(MAX_BACKLOG).unwrap_or(c_int::MAX)))?;
        let bound = address::written(|name, len| {
            // SAFETY: the room is as long as it is said to be.
            unsafe { sys::srt_getsockname(handle.id(), name, len) != sys::SRT_ERROR }
        });
        Ok(Self { handle, gate, address: bound.unwrap_or(address) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The next caller that was let in. Cancelling loses none.
    pub async fn accept(&mut self) -> Result<Socket, Error> {
        loop {
            match self.try_accept() {
                Ok(Some(socket)) => return Ok(socket),
                Ok(None) => self.handle.event().await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Callers whom the gate has let in and libsrt has turned away since: each once, some moments after.
    pub fn turned_away(&self) -> Vec<TurnedAway> {
        self.gate.admitted.turned_away()
    }

    fn try_accept(&self) -> Result<Option<Socket>, Error> {
        let mut id = sys::SRT_INVALID_SOCK;
        let peer = address::written(|name, len| {
            // SAFETY: the room is as long as it is said to be.
            id = unsafe { sys::srt_accept(self.handle.id(), name, len) };
            id != sys::SRT_INVALID_SOCK
        });
        if id == sys::SRT_INVALID_SOCK {
            return match last_code() {
                sys::SRT_EASYNCRCV => Ok(None),
                _ => Err(last_error("accept")),
            };
        }
        self.gate.admitted.leave(id);
        let counted = Counted::new(Arc::clone(&self.gate.open));
        let handle = self.handle.adopt(id)?;
        Socket::accepted(handle, peer.unwrap_or(self.address), counted).map(Some)
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}

/// An open connection, for as long as it is kept.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(open: Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    fn admit(&self, socket: sys::SRTSOCKET, hello: &Hello<'_>) -> Result<(), Reject> {
        if self.open.load(Ordering::Relaxed) >= self.sockets {
            return Err(Reject::OVERLOAD);
        }
        let admission = (self.ask)(hello)?;
        admission.apply(socket).map_err(|error| {
            tracing::error!(peer = %hello.peer, "an SRT caller cannot be let in: {error}");
            Reject::INTERNAL
        })?;
        let caller = TurnedAway {
            peer: hello.peer,
            stream_id: hello.stream_id.to_owned(),
            passphrase: admission.passphrase.is_some(),
        };
        self.admitted.enter(socket, caller);
        Ok(())
    }
}

impl Admission {
    /// Sets the options of a socket that is about to be connected.
    fn apply(&self, socket: sys::SRTSOCKET) -> Result<(), Error> {
        if let Some(passphrase) = &self.passphrase {
            handle::set_bytes(socket, sys::SRTO_PASSPHRASE, passphrase.as_bytes(), "set the passphrase")?;
        }
        if let Some(latency) = self.latency {
            let millis = c_int::try_from(latency.as_millis()).unwrap_or(c_int::MAX).to_ne_bytes();
            handle::set_bytes(socket, sys::SRTO_RCVLATENCY, &millis, "set the latency")?;
            handle::set_bytes(socket, sys::SRTO_PEERLATENCY, &millis, "set the latency")?;
        }
        Ok(())
    }
}

/// Asks the gate. 0: go on; -1: refuse, with the reason that was set.
unsafe extern "C" fn hook(
    opaque: *mut c_void,
    socket: sys::SRTSOCKET,
    version: c_int,
    peer: *const sys::sockaddr,
    stream_id: *const c_char,
) -> c_int {
    // SAFETY: `Listener::bind` gave this pointer, and the gate is there until after the listener has been closed.
    let gate = unsafe { &*opaque.cast::<Gate>() };
    let verdict = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: libsrt passes the address that the handshake came from...
        let peer = unsafe { address::read(peer) }.ok_or(Reject::INTERNAL)?;
        // SAFETY: ...and a buffer that ends with a zero.
        let stream_id = unsafe { CStr::from_ptr(stream_id) }.to_str().map_err(|_| Reject::BAD_REQUEST)?;
        gate.admit(socket, &Hello { peer, stream_id, version })
    }));
    // A panic is a fault of ours, which must not unwind into C.
    match verdict.unwrap_or(Err(Reject::INTERNAL)) {
        Ok(()) => 0,
        Err(reject) => {
            sys::srt_setrejectreason(socket, reject.code());
            sys::SRT_ERROR
        }
    }
}
