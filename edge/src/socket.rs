use std::fs::File;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use prometheus_client::metrics::counter::Counter;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use touchline_tls as tls;

use crate::progress::Progress;

/// A viewer's connection, before anything is known of it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// What the kernel sends by itself, where it can: what is written to TLS is not what is sent.
    fn direct(&self) -> Option<&TcpStream> {
        None
    }
}

impl Stream for TcpStream {
    fn direct(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl Stream for tls::Stream<TcpStream> {}

#[cfg(test)]
impl Stream for tokio::io::DuplexStream {}

/// A viewer's connection, whose bytes are counted, and which tells when writing to it has to wait.
pub(crate) struct Socket<S> {
    stream: S,
    /// What has been read ahead. Who reads from the socket gets it first.
    pub(crate) unread: Vec<u8>,
    progress: Progress,
    /// Whether the progress has been told that something waits.
    waiting: bool,
    sent_bytes: Counter,
}

impl<S> Socket<S> {
    pub(crate) fn new(stream: S, progress: Progress, sent_bytes: Counter) -> Self {
        Self { stream, unread: Vec::new(), progress, waiting: false, sent_bytes }
    }

    /// Drops the first `len` bytes that have been read ahead.
    pub(crate) fn take(&mut self, len: usize) {
        self.unread.drain(..len);
        if self.unread.is_empty() {
            // Who waits has no need of memory.
            self.unread = Vec::new();
        }
    }

    /// Passes on the outcome of a write or a flush, and tells where it is that it has to wait.
    fn told<T>(&mut self, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_pending() && !self.waiting {
            self.waiting = true;
            self.progress.writes();
        }
        outcome
    }

    fn written(&mut self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let written = ready!(self.told(outcome))?;
        self.sent_bytes.inc_by(written as u64);
        Poll::Ready(Ok(written))
    }
}

impl<S: AsyncRead + Unpin> Socket<S> {
    /// Reads what has not been read ahead.
    pub(crate) fn poll_fresh(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: Stream> Socket<S> {
    /// Whether files can be sent.
    pub(crate) fn sends_files(&self) -> bool {
        self.stream.direct().is_some()
    }

    /// Writes what a file follows, so that its beginning goes with it.
    pub(crate) fn poll_write_ahead(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let outcome = poll_direct(&self.stream, cx, |stream| {
            let mut nothing = SendAncillaryBuffer::default();
            Ok(sendmsg(stream, bufs, &mut nothing, SendFlags::MORE | SendFlags::NOSIGNAL)?)
        });
        self.written(outcome)
    }

    /// Sends at most `len` bytes of a file from `offset` on (sendfile(2)).
    pub(crate) fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        mut offset: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        let outcome =
            poll_direct(&self.stream, cx, |stream| Ok(rustix::fs::sendfile(stream, file, Some(&mut offset), len)?));
        self.written(outcome)
    }
}

/// Does something with the socket itself, when there is room in it.
fn poll_direct(
    stream: &impl Stream,
    cx: &mut Context<'_>,
    mut send: impl FnMut(&TcpStream) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    let Some(stream) = stream.direct() else { return Poll::Ready(Err(io::ErrorKind::Unsupported.into())) };
    loop {
        ready!(stream.poll_write_ready(cx))?;
        match stream.try_io(Interest::WRITABLE, || send(stream)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return Poll::Ready(outcome),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.unread.is_empty() {
            return this.poll_fresh(cx, buf);
        }
        let len = this.unread.len().min(buf.remaining());
        buf.put_slice(this.unread.get(..len).unwrap_or_default());
        this.take(len);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.written(outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.written(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_flush(cx);
        ready!(this.told(outcome))?;
        if this.waiting {
            this.waiting = false;
            this.progress.flushed();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.told(outcome)
    }
}
