//! Connections, with TLS or without.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead as _, AsyncWrite as _, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connection.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Reads what is there; 0 at the end of the connection.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => poll_with(cx, stream, || stream.try_read(buffer)),
            Self::Tls(stream) => {
                let mut buffer = ReadBuf::new(buffer);
                ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
                Poll::Ready(Ok(buffer.filled().len()))
            }
        }
    }

    /// Throws away up to `most` bytes of what is there. Linux does so without copying them (`MSG_TRUNC` of tcp(7)): what somebody watches on
    /// this machine is not to take the time of others.
    pub(super) fn poll_discard(
        &mut self,
        cx: &mut Context<'_>,
        most: usize,
        scratch: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let most = most.min(scratch.len());
        let scratch = scratch.get_mut(..most).unwrap_or_default();
        let Self::Plain(stream) = self else { return self.poll_read(cx, scratch) };
        poll_with(cx, stream, || {
            let (_, discarded) = rustix::net::recv(&*stream, &mut *scratch, RecvFlags::TRUNC)?;
            Ok(discarded)
        })
    }

    /// Writes as much as there is room for.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => {
                let written = ready!(Pin::new(&mut *stream).poll_write(cx, bytes))?;
                // A request is smaller than a record: what does not go out at once goes with the next look at the connection.
                let _ = Pin::new(stream).poll_flush(cx)?;
                Poll::Ready(Ok(written))
            }
        }
    }

    /// Everything that was awaited has been read. The next look would find nothing, which is known without asking the kernel.
    pub(super) fn settle(&self) {
        if let Self::Plain(stream) = self {
            let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
            // It always fails, and that it does makes tokio wait for the next event.
            let _ = stream.try_io(Interest::READABLE, nothing);
        }
    }
}

fn poll_with(
    cx: &mut Context<'_>,
    stream: &TcpStream,
    mut read: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_read_ready(cx))?;
        match stream.try_io(Interest::READABLE, &mut read) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}
