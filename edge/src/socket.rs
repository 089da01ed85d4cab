use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Bytes after which the opening is over: the HTTP/2 preface (RFC 9113 3.4), and fewer than any request for media takes.
const OPENING: usize = 24;

/// A viewer's connection that ends with an error when the peer says nothing at first, or is too slow for what is written.
///
/// The HTTP stack limits everything in between, but not its own telling of HTTP/1 from HTTP/2, nor a stalled write. It
/// flushes after at most a few chunks: a deadline from flush to flush cuts off who takes nothing as well as who takes a
/// byte at a time.
pub(crate) struct Socket<S> {
    stream: S,
    opening: Option<Deadline>,
    read: usize,
    write_timeout: Duration,
    writing: Option<Deadline>,
    sent_bytes: Counter,
}

type Deadline = Pin<Box<Sleep>>;

impl<S> Socket<S> {
    /// Allows `opening` for the first bytes and `write_timeout` from a write that has to wait to the end of the flush
    /// that it belongs to; counts in `sent_bytes`.
    pub(crate) fn new(stream: S, opening: Duration, write_timeout: Duration, sent_bytes: Counter) -> Self {
        let opening = Some(Box::pin(sleep(opening)));
        Self { stream, opening, read: 0, write_timeout, writing: None, sent_bytes }
    }

    /// Passes on the outcome of a write or flush; a pending one starts the deadline, and is an error once it has passed.
    fn timed<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            return outcome;
        }
        let timeout = self.write_timeout;
        let deadline = self.writing.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(timed_out("the viewer is too slow to take what is sent")))
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buf);
        let Some(deadline) = &mut this.opening else { return outcome };
        this.read += buf.filled().len() - before;
        if this.read >= OPENING {
            this.opening = None;
        } else if outcome.is_pending() {
            ready!(deadline.as_mut().poll(cx));
            return Poll::Ready(Err(timed_out("the viewer opened a connection and sent no request")));
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, buf);
        let written = ready!(this.timed(cx, outcome))?;
        this.sent_bytes.inc_by(written as u64);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        let written = ready!(this.timed(cx, outcome))?;
        this.sent_bytes.inc_by(written as u64);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_flush(cx);
        ready!(this.timed(cx, outcome))?;
        this.writing = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.timed(cx, outcome)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A viewer with eight bytes of room, who takes as many again after each second.
    fn slow_viewer() -> (Socket<DuplexStream>, JoinHandle<()>) {
        let (near, mut far) = duplex(8);
        let viewer = tokio::spawn(async move {
            loop {
                sleep(SECOND).await;
                far.read_exact(&mut [0; 8]).await.unwrap();
            }
        });
        (Socket::new(near, SECOND, 5 * SECOND / 2, Counter::default()), viewer)
    }

    #[tokio::test(start_paused = true)]
    async fn a_viewer_too_slow_for_what_is_sent_is_cut_off_however_steadily_it_takes_some() {
        let (mut socket, viewer) = slow_viewer();
        let started = Instant::now();
        let error = socket.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!((error.kind(), started.elapsed()), (io::ErrorKind::TimedOut, 5 * SECOND / 2));
        assert_eq!(socket.sent_bytes.get(), 24);
        viewer.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_viewer_that_takes_each_flush_in_time_may_go_on_for_ever() {
        let (mut socket, viewer) = slow_viewer();
        for _ in 0..100 {
            socket.write_all(&[0; 16]).await.unwrap();
            socket.flush().await.unwrap();
        }
        assert_eq!(socket.sent_bytes.get(), 1_600);
        viewer.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_never_completes_its_opening_is_cut_off() {
        let (near, mut far) = duplex(64);
        let mut socket = Socket::new(near, SECOND, SECOND, Counter::default());
        far.write_all(b"PRI * HTTP").await.unwrap();
        let error = socket.read_exact(&mut [0; OPENING]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn an_opened_connection_may_wait_as_long_as_it_likes_for_the_next_byte() {
        let (near, mut far) = duplex(64);
        let mut socket = Socket::new(near, SECOND, SECOND, Counter::default());
        far.write_all(&[b'x'; OPENING]).await.unwrap();
        socket.read_exact(&mut [0; OPENING]).await.unwrap();
        let later = tokio::spawn(async move {
            sleep(100 * SECOND).await;
            far.write_all(b"y").await.unwrap();
        });
        assert_eq!(socket.read_u8().await.unwrap(), b'y');
        later.await.unwrap();
    }
}
