use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::handle::Handle;
use crate::library::{checked, last_code, last_error};
use crate::listener::Counted;
use crate::{Error, Stats, sys};

/// The longest datagram in live mode: a buffer of this length takes any (`SRT_LIVE_MAX_PLSIZE`).
pub const MAX_PAYLOAD: usize = 1_456;
/// Sequence numbers have 31 bits.
const SEQUENCE_MASK: u32 = 0x7fff_ffff;
/// More than half of the numbers ahead is behind.
const MAX_AHEAD: u32 = SEQUENCE_MASK / 2;
/// How long [`Socket::finish`] waits for the peer at most.
const LINGER: Duration = Duration::from_secs(2);
/// The receiver's clock is set by the handshake: what was late in it makes everything due as much later.
const MAX_HANDSHAKE_DELAY: Duration = Duration::from_secs(1);
/// How often a connection is asked for what waits in it, of which libsrt tells no event.
const TAIL_INTERVAL: Duration = Duration::from_millis(5);

/// A connection that carries datagrams. Dropping it closes it.
#[derive(Debug)]
pub struct Socket {
    handle: Handle,
    peer: SocketAddr,
    stream_id: String,
    latency: Duration,
    last_sequence: Option<u32>,
    /// When the connection turned out to be over.
    over: Option<Instant>,
    _counted: Option<Counted>,
}

/// A datagram that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Its length in bytes.
    pub len: usize,
    /// Datagrams before it that are lost for good.
    pub missing: u32,
}

impl Socket {
    pub(crate) fn accepted(handle: Handle, peer: SocketAddr, counted: Counted) -> Result<Self, Error> {
        let stream_id = handle.get_text(sys::SRTO_STREAMID)?;
        Self::connected(handle, peer, stream_id, Some(counted))
    }

    pub(crate) fn connected(
        handle: Handle,
        peer: SocketAddr,
        stream_id: String,
        counted: Option<Counted>,
    ) -> Result<Self, Error> {
        let latency = handle.get(sys::SRTO_RCVLATENCY)?;
        let latency = Duration::from_millis(latency.try_into().unwrap_or(0));
        Ok(Self { handle, peer, stream_id, latency, last_sequence: None, over: None, _counted: counted })
    }

    /// Who is at the other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What the caller wanted.
    pub fn stream_id(&self) -> &str {
        &self.stream_id
    }

    /// How long a datagram waits here for those before it: the larger of what both sides want.
    pub fn latency(&self) -> Duration {
        self.latency
    }

    /// The next datagram, once it is due. `None`: the peer has closed the connection, or was silent for
    /// [`PEER_IDLE`](crate::PEER_IDLE), and everything that it sent before has been received.
    ///
    /// `buffer` should be [`MAX_PAYLOAD`] long: what does not fit is lost. Cancelling loses nothing.
    pub async fn recv(&mut self, buffer: &mut [u8]) -> Result<Option<Received>, Error> {
        loop {
            match self.try_recv(buffer) {
                Ok(received) => return Ok(Some(received)),
                Err(sys::SRT_EASYNCRCV) => self.handle.event().await,
                Err(sys::SRT_ECONNLOST | sys::SRT_ENOCONN | sys::SRT_EINVSOCK) => {
                    if !self.has_tail() {
                        return Ok(None);
                    }
                    sleep(TAIL_INTERVAL).await;
                }
                Err(_) => return Err(last_error("receive")),
            }
        }
    }

    /// Sends a datagram of at most 1316 bytes, once there is room for it. Cancelling loses nothing.
    pub async fn send(&mut self, data: &[u8]) -> Result<(), Error> {
        let len = c_int::try_from(data.len()).unwrap_or(c_int::MAX);
        loop {
            // SAFETY: there are as many bytes as are said to be.
            let result = unsafe { sys::srt_send(self.handle.id(), data.as_ptr().cast(), len) };
            match checked("send", result) {
                Ok(_) => return Ok(()),
                Err(Error::Library { code: sys::SRT_EASYNCSND, .. }) => self.handle.event().await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Closes the connection once the peer has all that was sent; dropping it does not wait for that.
    pub async fn finish(self) {
        let since = Instant::now();
        // A connection that is over has nothing to wait for: that is an error here.
        while self.handle.get(sys::SRTO_SNDDATA).is_ok_and(|waiting| waiting > 0) && since.elapsed() < LINGER {
            sleep(TAIL_INTERVAL).await;
        }
    }

    /// The connection's figures. An error: it is over.
    pub fn stats(&self) -> Result<Stats, Error> {
        let mut stats = MaybeUninit::<sys::SRT_TRACEBSTATS>::zeroed();
        // SAFETY: there is room for all that libsrt writes.
        checked("read figures", unsafe { sys::srt_bistats(self.handle.id(), stats.as_mut_ptr(), 0, 1) })?;
        // SAFETY: zeros are valid for all that it has not written.
        Ok(Stats::read(unsafe { stats.assume_init_ref() }))
    }

    /// A datagram that is due now, or libsrt's error code.
    fn try_recv(&mut self, buffer: &mut [u8]) -> Result<Received, c_int> {
        let len = c_int::try_from(buffer.len()).unwrap_or(c_int::MAX);
        let mut control = MaybeUninit::<sys::SRT_MSGCTRL>::zeroed();
        // SAFETY: there is as much room as is said to be, and zeros make a valid control block without a group.
        let result =
            unsafe { sys::srt_recvmsg2(self.handle.id(), buffer.as_mut_ptr().cast(), len, control.as_mut_ptr()) };
        let len = usize::try_from(result).map_err(|_| last_code())?;
        // SAFETY: it was zeroed, and libsrt has written numbers into it.
        let sequence = unsafe { control.assume_init_ref() }.pktseq;
        Ok(Received { len, missing: self.missing_before(sequence.cast_unsigned() & SEQUENCE_MASK) })
    }

    /// How many datagrams lie between the last one and this one.
    fn missing_before(&mut self, sequence: u32) -> u32 {
        let last = self.last_sequence.replace(sequence).unwrap_or(sequence.wrapping_sub(1));
        let missing = sequence.wrapping_sub(last).wrapping_sub(1) & SEQUENCE_MASK;
        if missing > MAX_AHEAD { 0 } else { missing }
    }

    /// Whether datagrams have come in time but are not due yet.
    fn has_tail(&mut self) -> bool {
        let over = *self.over.get_or_insert_with(Instant::now);
        let waiting = self.handle.get(sys::SRTO_RCVDATA).unwrap_or(0);
        waiting > 0 && over.elapsed() <= self.latency + MAX_HANDSHAKE_DELAY
    }
}
