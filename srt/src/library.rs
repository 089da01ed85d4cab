//! libsrt as a whole: it runs for as long as there are sockets, and one thread tells them of events.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use tokio::sync::Notify;

use crate::{Error, sys};

/// Events that are taken from libsrt at once.
const MAX_EVENTS: usize = 64;
/// How long the thread may wait before it looks whether it is still needed.
const LOOK_UP_MILLIS: i64 = 50;

/// A reference to the running library. The last one that is dropped stops it, which takes some 50 ms.
#[derive(Debug)]
pub(crate) struct Library {
    epoll: c_int,
    waiting: Arc<Waiting>,
    poller: Option<JoinHandle<()>>,
}

/// Who is told of events, by socket.
#[derive(Debug, Default)]
struct Waiting {
    sockets: Mutex<HashMap<sys::SRTSOCKET, Arc<Notify>>>,
    over: AtomicBool,
}

impl Library {
    /// Starts the library, unless it runs.
    pub(crate) fn open() -> Result<Arc<Self>, Error> {
        static RUNNING: Mutex<Weak<Library>> = Mutex::new(Weak::new());
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = running.upgrade() {
            return Ok(library);
        }
        let library = Arc::new(Self::start()?);
        *running = Arc::downgrade(&library);
        Ok(library)
    }

    fn start() -> Result<Self, Error> {
        // libsrt counts its starts: one that is being stopped by somebody else goes on.
        checked("start libsrt", sys::srt_startup())?;
        sys::srt_setloglevel(sys::LOG_CRIT);
        // SAFETY: the handler is there for ever, and takes no notice of the pointer.
        unsafe { sys::srt_setloghandler(ptr::null_mut(), log) };
        let mut library = Self { epoll: sys::srt_epoll_create(), waiting: Arc::default(), poller: None };
        checked("wait for events", library.epoll)?;
        checked("wait for events", sys::srt_epoll_set(library.epoll, sys::SRT_EPOLL_ENABLE_EMPTY))?;
        let (epoll, waiting) = (library.epoll, Arc::clone(&library.waiting));
        let poller = std::thread::Builder::new().name("srt-events".into()).spawn(move || poll(epoll, &waiting));
        library.poller = Some(poller.map_err(|error| Error::Library {
            action: "start a thread",
            code: error.raw_os_error().unwrap_or(0),
            message: error.to_string(),
        })?);
        Ok(library)
    }

    /// Tells `notify` of everything that happens to the socket from now on.
    pub(crate) fn watch(&self, socket: sys::SRTSOCKET, notify: Arc<Notify>) -> Result<(), Error> {
        self.waiting.lock().insert(socket, notify);
        // Edge-triggered: what is not taken up at once is not told again.
        let events = sys::SRT_EPOLL_IN | sys::SRT_EPOLL_OUT | sys::SRT_EPOLL_ERR | sys::SRT_EPOLL_ET;
        // SAFETY: the pointer is to an int that outlives the call.
        let result = unsafe { sys::srt_epoll_add_usock(self.epoll, socket, &raw const events) };
        checked("watch a socket", result).map(drop)
    }

    /// Undoes [`Self::watch`].
    pub(crate) fn forget(&self, socket: sys::SRTSOCKET) {
        // One that has been closed by its peer meanwhile is not in there any more.
        sys::srt_epoll_remove_usock(self.epoll, socket);
        self.waiting.lock().remove(&socket);
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        self.waiting.over.store(true, Ordering::Relaxed);
        if let Some(poller) = self.poller.take() {
            // It does nothing that could panic.
            drop(poller.join());
        }
        sys::srt_epoll_release(self.epoll);
        sys::srt_cleanup();
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<sys::SRTSOCKET, Arc<Notify>>> {
        // No code that holds the lock can leave the map half changed.
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes events on until it is over.
fn poll(epoll: c_int, waiting: &Waiting) {
    let mut events = [sys::SRT_EPOLL_EVENT { fd: sys::SRT_INVALID_SOCK, events: 0 }; MAX_EVENTS];
    let room = c_int::try_from(MAX_EVENTS).unwrap_or(0);
    while !waiting.over.load(Ordering::Relaxed) {
        // SAFETY: there is room for as many events as are said to fit.
        let count = unsafe { sys::srt_epoll_uwait(epoll, events.as_mut_ptr(), room, LOOK_UP_MILLIS) };
        // Beyond the room there are more, which the next call brings; less than none is an error that does not pass.
        let Ok(count) = usize::try_from(count) else {
            return tracing::error!("SRT is deaf from now on: {}", last_error("wait for events"));
        };
        let sockets = waiting.lock();
        for event in events.iter().take(count) {
            if let Some(notify) = sockets.get(&event.fd) {
                notify.notify_one();
            }
        }
    }
}

/// What libsrt cannot go on after.
unsafe extern "C" fn log(
    _: *mut c_void,
    _: c_int,
    _: *const c_char,
    _: c_int,
    _: *const c_char,
    message: *const c_char,
) {
    if !message.is_null() {
        // SAFETY: libsrt gives a string that ends with a zero.
        let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
        tracing::error!("libsrt: {}", message.trim_end());
    }
}

/// The result of a call that is not [`sys::SRT_ERROR`].
pub(crate) fn checked(action: &'static str, result: c_int) -> Result<c_int, Error> {
    if result == sys::SRT_ERROR { Err(last_error(action)) } else { Ok(result) }
}

/// The code of this thread's last error.
pub(crate) fn last_code() -> c_int {
    let mut errno = 0;
    // SAFETY: the pointer is to an int.
    unsafe { sys::srt_getlasterror(&raw mut errno) }
}

/// This thread's last error.
pub(crate) fn last_error(action: &'static str) -> Error {
    let code = last_code();
    let message = sys::srt_getlasterror_str();
    // SAFETY: libsrt keeps the string until this thread's next error.
    let message = if message.is_null() { "".into() } else { unsafe { CStr::from_ptr(message) }.to_string_lossy() };
    Error::Library { action, code, message: message.trim_end_matches('.').to_owned() }
}
