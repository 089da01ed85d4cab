//! Connecting to a listener.

use std::ffi::c_int;
use std::net::SocketAddr;
use std::time::Duration;

use crate::handle::Handle;
use crate::library::{last_code, last_error};
use crate::listener::{MAX_REORDER, RECEIVE_BUFFER};
use crate::{DEFAULT_LATENCY, Error, KeyLength, PEER_IDLE, Passphrase, Reject, Socket, address, sys};

/// The longest stream ID, in bytes.
pub const MAX_STREAM_ID: usize = 512;
/// How long a listener may take to answer.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// What a caller asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What it wants, as the listener understands it; at most [`MAX_STREAM_ID`] bytes.
    pub stream_id: Option<String>,
    /// What the listener has as well.
    pub passphrase: Option<Passphrase>,
    /// How long a key is made of the passphrase.
    pub key_length: KeyLength,
    /// The least latency; the listener may ask for more.
    pub latency: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { stream_id: None, passphrase: None, key_length: KeyLength::default(), latency: DEFAULT_LATENCY }
    }
}

/// Connects to the listener at `peer`.
pub async fn connect(peer: SocketAddr, options: &Options) -> Result<Socket, Error> {
    let handle = Handle::create()?;
    handle.set_latency(options.latency)?;
    handle.set(sys::SRTO_RCVBUF, RECEIVE_BUFFER, "set the receive buffer")?;
    handle.set(sys::SRTO_LOSSMAXTTL, MAX_REORDER, "tolerate another order")?;
    handle.set(sys::SRTO_ENFORCEDENCRYPTION, 1, "enforce encryption")?;
    handle.set(sys::SRTO_CONNTIMEO, millis(CONNECT_TIMEOUT), "limit the time to connect")?;
    handle.set(sys::SRTO_PEERIDLETIMEO, millis(PEER_IDLE), "limit silence")?;
    if let Some(passphrase) = &options.passphrase {
        handle.set_passphrase(passphrase)?;
        handle.set_key_length(options.key_length)?;
    }
    let stream_id = options.stream_id.as_deref().unwrap_or_default();
    if stream_id.len() > MAX_STREAM_ID {
        return Err(Error::StreamId(stream_id.len()));
    }
    handle.set_stream_id(stream_id)?;
    handle.watch()?;
    // SAFETY: the address outlives the call.
    let result = address::with(peer, |name, len| unsafe { sys::srt_connect(handle.id(), name, len) });
    if result == sys::SRT_ERROR && last_code() != sys::SRT_ECONNREJ {
        return Err(last_error("connect"));
    }
    checked_connection(&handle, peer).await?;
    Socket::connected(handle, peer, stream_id.to_owned(), None)
}

/// Waits until the listener has answered.
async fn checked_connection(handle: &Handle, peer: SocketAddr) -> Result<(), Error> {
    loop {
        match sys::srt_getsockstate(handle.id()) {
            sys::SRTS_CONNECTED => return Ok(()),
            sys::SRTS_CONNECTING => handle.event().await,
            _ => {
                let reason = Reject::from_code(sys::srt_getrejectreason(handle.id()));
                return Err(Error::Refused { peer, reason });
            }
        }
    }
}

fn millis(duration: Duration) -> c_int {
    c_int::try_from(duration.as_millis()).unwrap_or(c_int::MAX)
}
