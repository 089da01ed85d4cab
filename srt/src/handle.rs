//! A socket of libsrt's that closes itself.

use std::ffi::c_int;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::library::{Library, checked, last_error};
use crate::{Error, KeyLength, Passphrase, sys};

/// A socket that nobody else uses.
#[derive(Debug)]
pub(crate) struct Handle {
    id: sys::SRTSOCKET,
    events: Arc<Notify>,
    library: Arc<Library>,
}

impl Handle {
    /// A socket that does not block.
    pub(crate) fn create() -> Result<Self, Error> {
        let library = Library::open()?;
        let id = sys::srt_create_socket();
        if id == sys::SRT_INVALID_SOCK {
            return Err(last_error("create a socket"));
        }
        let handle = Self { id, events: Arc::default(), library };
        handle.set(sys::SRTO_RCVSYN, 0, "make a socket non-blocking")?;
        handle.set(sys::SRTO_SNDSYN, 0, "make a socket non-blocking")?;
        Ok(handle)
    }

    /// A socket that came out of this one.
    pub(crate) fn adopt(&self, id: sys::SRTSOCKET) -> Result<Self, Error> {
        let handle = Self { id, events: Arc::default(), library: Arc::clone(&self.library) };
        handle.watch()?;
        Ok(handle)
    }

    /// Begins to notice events.
    pub(crate) fn watch(&self) -> Result<(), Error> {
        self.library.watch(self.id, Arc::clone(&self.events))
    }

    /// An event after the last one that was awaited, or has come since. Only one future waits at a time.
    pub(crate) async fn event(&self) {
        self.events.notified().await;
    }

    /// Its number, for calls into libsrt.
    pub(crate) fn id(&self) -> sys::SRTSOCKET {
        self.id
    }

    pub(crate) fn set_latency(&self, latency: Duration) -> Result<(), Error> {
        let millis = c_int::try_from(latency.as_millis()).unwrap_or(c_int::MAX);
        self.set(sys::SRTO_RCVLATENCY, millis, "set the latency")?;
        self.set(sys::SRTO_PEERLATENCY, millis, "set the latency")
    }

    pub(crate) fn set_passphrase(&self, passphrase: &Passphrase) -> Result<(), Error> {
        set_bytes(self.id, sys::SRTO_PASSPHRASE, passphrase.as_bytes(), "set the passphrase")
    }

    pub(crate) fn set_key_length(&self, length: KeyLength) -> Result<(), Error> {
        self.set(sys::SRTO_PBKEYLEN, length.bytes(), "set the length of the key")
    }

    pub(crate) fn set_stream_id(&self, stream_id: &str) -> Result<(), Error> {
        set_bytes(self.id, sys::SRTO_STREAMID, stream_id.as_bytes(), "set the stream ID")
    }

    /// Sets an option whose value is an int.
    pub(crate) fn set(&self, option: c_int, value: c_int, action: &'static str) -> Result<(), Error> {
        set_bytes(self.id, option, &value.to_ne_bytes(), action)
    }

    /// An option whose value is an int.
    pub(crate) fn get(&self, option: c_int) -> Result<c_int, Error> {
        let mut value = [0; size_of::<c_int>()];
        get_bytes(self.id, option, &mut value)?;
        Ok(c_int::from_ne_bytes(value))
    }

    /// An option whose value is text.
    pub(crate) fn get_text(&self, option: c_int) -> Result<String, Error> {
        // The longest is the stream ID, and a zero may follow it.
        let mut value = [0; 1_024];
        let len = get_bytes(self.id, option, &mut value)?;
        let text = value.get(..len).unwrap_or_default();
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.library.forget(self.id);
        sys::srt_close(self.id);
    }
}

/// Sets an option of a socket by its bytes.
pub(crate) fn set_bytes(
    socket: sys::SRTSOCKET,
    option: c_int,
    value: &[u8],
    action: &'static str,
) -> Result<(), Error> {
    let len = c_int::try_from(value.len()).unwrap_or(c_int::MAX);
    // SAFETY: libsrt copies the bytes that there are, wherever they lie.
    let result = unsafe { sys::srt_setsockflag(socket, option, value.as_ptr().cast(), len) };
    checked(action, result).map(drop)
}

fn get_bytes(socket: sys::SRTSOCKET, option: c_int, value: &mut [u8]) -> Result<usize, Error> {
    let mut len = c_int::try_from(value.len()).unwrap_or(c_int::MAX);
    // SAFETY: libsrt writes no more than `len` bytes, nor more than the option has.
    let result = unsafe { sys::srt_getsockflag(socket, option, value.as_mut_ptr().cast(), &raw mut len) };
    checked("read an option", result)?;
    Ok(usize::try_from(len).unwrap_or(0))
}
