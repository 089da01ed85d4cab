//! Whether a peer asks, and takes what it has asked for: one timer for each connection, which is not touched when all goes
//! well, and looks from time to time instead.
//!
//! What waits for a peer, waits in one of two places. In the socket: the HTTP stack flushes after at most a few chunks, so
//! that a deadline from flush to flush cuts off who takes nothing as well as who takes a byte at a time. Or, on HTTP/2, which
//! has flow control of its own (RFC 9113 5.2), in our memory: a peer that grants a window of nothing lets the answers wait
//! there while the socket is idle, and answers pings all the while. So what is out is counted: every body from when it is
//! made until it is dropped, and every chunk of it until the HTTP stack has taken its last byte, for which the peer has to
//! grant as much of its window.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hyper::Version;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

use crate::body::Body;
use crate::settings::Settings;

/// The longest chunk that counts as one step: what a viewer is to take within [`Settings::write_timeout`].
const CHUNK: usize = 16 * 1_024;

/// What one connection has been asked for and has had taken. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    protocol: Protocol,
    /// Requests whose answer is not made yet, held ones included.
    asked: usize,
    /// Bodies that have not been taken, and on HTTP/2 their chunks.
    out: usize,
    /// When something was last taken; before that, since when something is out, or nothing is asked.
    since: Instant,
    /// Since when a write, or the flush that it belongs to, waits for room in the socket.
    writing: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// No request has come.
    Unknown,
    Http1,
    Http2,
}

/// Why a connection is over, as far as its peer's progress goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was asked for in [`Settings::head_timeout`].
    Idle,
    /// Nothing was taken in [`Settings::write_timeout`].
    Stalled,
}

impl Progress {
    /// Of a connection that has just begun.
    pub(crate) fn new() -> Self {
        let state = State { protocol: Protocol::Unknown, asked: 0, out: 0, since: Instant::now(), writing: None };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Counts a request until its answer is made.
    pub(crate) fn asked(&self, version: Version) -> Asked {
        let mut state = self.state();
        state.protocol = if version == Version::HTTP_2 { Protocol::Http2 } else { Protocol::Http1 };
        state.asked += 1;
        drop(state);
        Asked(self.clone())
    }

    /// Whether the peer has asked by HTTP/1, by which it cannot be told that the connection ends.
    pub(crate) fn speaks_http1(&self) -> bool {
        self.state().protocol == Protocol::Http1
    }

    /// Whether nothing is asked for that has not been answered and taken.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state();
        state.asked + state.out == 0 && state.writing.is_none()
    }

    /// A write or a flush has to wait for the peer.
    pub(crate) fn writes(&self) {
        self.state().writing.get_or_insert_with(Instant::now);
    }

    /// Everything that was written has been flushed.
    pub(crate) fn flushed(&self) {
        self.state().writing = None;
    }

    /// Returns once the peer has asked for nothing, or has taken nothing, for too long. Who is told that it has asked for
    /// nothing has as long again.
    pub(crate) async fn ends(&self, settings: &Settings) -> Verdict {
        // What begins meanwhile has this long at least.
        let shortest = settings.write_timeout.min(settings.head_timeout);
        loop {
            let now = Instant::now();
            let deadline = self.state().deadline(settings);
            let deadline = match deadline {
                Some((at, verdict)) if at <= now => {
                    self.state().since = now;
                    return verdict;
                }
                Some((at, _)) => at,
                None => now + shortest,
            };
            sleep_until(deadline.min(now + shortest)).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// When the connection is over if nothing changes, and why.
    fn deadline(&self, settings: &Settings) -> Option<(Instant, Verdict)> {
        let written = self.writing.map(|since| (since + settings.write_timeout, Verdict::Stalled));
        let taken = match self.protocol {
            Protocol::Http2 if self.out > 0 => Some((self.since + settings.write_timeout, Verdict::Stalled)),
            _ if self.asked + self.out > 0 || self.writing.is_some() => None,
            _ => Some((self.since + settings.head_timeout, Verdict::Idle)),
        };
        [written, taken].into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}

/// A request that is being answered.
pub(crate) struct Asked(Progress);

impl Asked {
    /// The answer's body, counted until it is taken.
    pub(crate) fn answered(self, body: Body) -> Tracked {
        let http2 = !self.0.speaks_http1();
        let out = (body.len() > 0).then(|| Out::new(&self.0));
        Tracked { body, rest: Bytes::new(), out, http2 }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.asked -= 1;
        if state.asked == 0 && state.out == 0 {
            state.since = Instant::now();
        }
    }
}

/// Something that the peer has not taken yet. Dropping it is no progress: the peer may have reset the stream.
struct Out(Progress);

impl Out {
    fn new(progress: &Progress) -> Self {
        let mut state = progress.state();
        if state.out == 0 {
            state.since = Instant::now();
        }
        state.out += 1;
        drop(state);
        Self(progress.clone())
    }

    fn taken(self) {
        self.0.state().since = Instant::now();
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.out -= 1;
        if state.out == 0 {
            state.since = Instant::now();
        }
    }
}

/// A body whose peer's progress is followed.
pub(crate) struct Tracked {
    body: Body,
    /// What is left of the chunk that is being sent.
    rest: Bytes,
    /// `None` when it is empty.
    out: Option<Out>,
    /// On HTTP/1 its chunks pass as they are.
    http2: bool,
}

impl hyper::body::Body for Tracked {
    type Data = Chunk;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Chunk>>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => this.rest = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let chunk = match &this.out {
            Some(out) if this.http2 => {
                Chunk { bytes: this.rest.split_to(this.rest.len().min(CHUNK)), out: Some(Out::new(&out.0)) }
            }
            _ => Chunk { bytes: std::mem::take(&mut this.rest), out: None },
        };
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.size_hint().exact() {
            Some(left) => SizeHint::with_exact(self.rest.len() as u64 + left),
            None => SizeHint::default(),
        }
    }
}

/// Bytes on their way, of which the HTTP stack takes as many as the peer allows.
pub(crate) struct Chunk {
    bytes: Bytes,
    out: Option<Out>,
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if self.bytes.is_empty()
            && let Some(out) = self.out.take()
        {
            out.taken();
        }
    }
}
