//! HTTP/1.1 as players and caches speak it: RFC 9112.
//!
//! A player asks for a part and for a playlist every few hundred milliseconds, and thousands of them wait at a time. What
//! each of them costs is mostly memory that has left the processor's cache since it last asked. So a connection that waits
//! has nothing here but its socket: heads are read in room that all connections of a thread share, and become what they ask
//! for where they lie.
//!
//! Requests with a body, other versions and methods, and what an annex answers are left to hyper, from their first byte on.

mod head;
mod pages;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use hyper::body::Body as _;
use hyper::{Response, Version};
use tokio::io::{AsyncRead, AsyncWrite as _, AsyncWriteExt as _, ReadBuf};

pub(crate) use self::head::Head;
use self::head::Parsed;
use self::pages::Pages;
use crate::annex::Site;
use crate::body::Body;
use crate::connection::{MAX_HEAD, Shared};
use crate::progress::Progress;
use crate::service::Made;
use crate::socket::{Socket, Stream};

/// How many bytes of an answer are gathered before they are written, with what they are a part of: a part of 3 Mb/s.
const BATCH: usize = 64 * 1_024;
/// In how many pieces.
const PIECES: usize = 8;

thread_local! {
    /// What has come and has not been looked at.
    static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; MAX_HEAD.into()]);
    static PAGES: RefCell<Pages> = RefCell::default();
}

/// How it ends.
pub(crate) enum End {
    /// Either side has hung up.
    Over,
    /// With a request that is not for us. The socket has it, from its first byte on.
    Other,
}

/// What comes next on a connection.
enum Next {
    Head(Head),
    /// What is not for us.
    Other,
    /// Nothing.
    End,
}

/// Answers one request after the other. Once `closing` is set, the answer that is on its way is the last.
pub(crate) async fn serve<S>(
    socket: &mut Socket<S>,
    progress: &Progress,
    peer: IpAddr,
    shared: &Shared,
    closing: &AtomicBool,
) -> io::Result<End>
where
    S: Stream,
{
    loop {
        let head = match poll_fn(|cx| poll_head(socket, cx, &shared.site, peer)).await? {
            Next::Head(head) => head,
            Next::Other => return Ok(End::Other),
            Next::End => return Ok(End::Over),
        };
        // Until its answer is taken.
        let asked = progress.asked(Version::HTTP_11);
        let last = head.last;
        let response = tokio::select! {
            biased;
            response = shared.respond(head) => response,
            () = poll_fn(|cx| poll_gone(socket, cx)) => return Ok(End::Over),
        };
        let last = last || closing.load(Ordering::Relaxed);
        let made = response.extensions().get::<Made>().copied();
        send(socket, response, last).await?;
        if let Some(Made(made)) = made {
            shared.metrics().first_byte.sent(made.elapsed());
        }
        drop(asked);
        if last {
            socket.shutdown().await?;
            return Ok(End::Over);
        }
    }
}

/// What is asked for next.
fn poll_head<S: AsyncRead + Unpin>(
    socket: &mut Socket<S>,
    cx: &mut Context<'_>,
    site: &Site,
    peer: IpAddr,
) -> Poll<io::Result<Next>> {
    loop {
        // A peer may ask for more before it has been answered (RFC 9112 9.3.2).
        match head::parse(&socket.unread, site, peer) {
            Parsed::Head(head, len) => {
                socket.take(len);
                return Poll::Ready(Ok(Next::Head(head)));
            }
            // Too long is for hyper to say.
            Parsed::Partial if socket.unread.len() < usize::from(MAX_HEAD) => {}
            Parsed::Partial | Parsed::Other => return Poll::Ready(Ok(Next::Other)),
        }
        if ready!(poll_more(socket, cx))? == 0 {
            return Poll::Ready(Ok(Next::End));
        }
    }
}

/// Ready when the peer has hung up, as far as can be seen.
fn poll_gone<S: AsyncRead + Unpin>(socket: &mut Socket<S>, cx: &mut Context<'_>) -> Poll<()> {
    // Who asks for so much before it is answered is not looked at until it is.
    while socket.unread.len() < usize::from(MAX_HEAD) {
        match ready!(poll_more(socket, cx)) {
            Ok(0) | Err(_) => return Poll::Ready(()),
            Ok(_) => {}
        }
    }
    Poll::Pending
}

/// Reads what has come; how many bytes those are.
fn poll_more<S: AsyncRead + Unpin>(socket: &mut Socket<S>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    ROOM.with_borrow_mut(|room| {
        let mut room = ReadBuf::new(room);
        ready!(socket.poll_fresh(cx, &mut room))?;
        socket.unread.extend_from_slice(room.filled());
        Poll::Ready(Ok(room.filled().len()))
    })
}

/// Sends an answer, as fast as the peer takes it.
async fn send<S: Stream>(socket: &mut Socket<S>, response: Response<Body>, last: bool) -> io::Result<()> {
    let (parts, body) = response.into_parts();
    let mut body = pin!(body);
    let mut batch = Batch::new(head::written(&parts, last).into(), socket.sends_files());
    loop {
        poll_fn(|cx| batch.poll_gather(cx, body.as_mut())).await?;
        poll_fn(|cx| batch.poll_write(cx, socket)).await?;
        if body.is_end_stream() {
            return Ok(());
        }
    }
}

/// What is written at a time.
struct Batch {
    /// None of them is empty.
    pieces: VecDeque<Piece>,
    /// Whether pieces may be sent from files.
    by_file: bool,
}

/// Bytes that are still to be written.
struct Piece {
    bytes: Bytes,
    /// A file that they are the end of, and where they begin there.
    file: Option<(Arc<File>, u64)>,
}

impl Batch {
    fn new(head: Bytes, by_file: bool) -> Self {
        let mut pieces = VecDeque::with_capacity(PIECES);
        pieces.push_back(Piece { bytes: head, file: None });
        Self { pieces, by_file }
    }

    /// Takes what there is of a body, as much as is written at a time; ready when there is something to write, or all is.
    fn poll_gather(&mut self, cx: &mut Context<'_>, mut body: Pin<&mut Body>) -> Poll<io::Result<()>> {
        let mut gathered = 0;
        while gathered < BATCH && self.pieces.len() < PIECES && !body.is_end_stream() {
            let frame = match body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(frame)) => frame?,
                Poll::Pending if self.pieces.is_empty() => return Poll::Pending,
                Poll::Pending | Poll::Ready(None) => break,
            };
            if let Ok(bytes) = frame.into_data()
                && !bytes.is_empty()
            {
                gathered += bytes.len();
                let file = if self.by_file { PAGES.with_borrow_mut(|pages| pages.of(&bytes)) } else { None };
                self.pieces.push_back(Piece { bytes, file: file.map(|file| (file, 0)) });
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes all of it.
    fn poll_write<S: Stream>(&mut self, cx: &mut Context<'_>, socket: &mut Socket<S>) -> Poll<io::Result<()>> {
        while let Some(first) = self.pieces.front() {
            let written = if let Some((file, offset)) = &first.file {
                socket.poll_send_file(cx, file, *offset, first.bytes.len())
            } else {
                let mut slices = [IoSlice::new(&[]); PIECES];
                let plain = self.pieces.iter().take_while(|piece| piece.file.is_none());
                let count =
                    slices.iter_mut().zip(plain).map(|(slice, piece)| *slice = IoSlice::new(&piece.bytes)).count();
                let slices = slices.get(..count).unwrap_or_default();
                if count < self.pieces.len() {
                    socket.poll_write_ahead(cx, slices)
                } else {
                    Pin::new(&mut *socket).poll_write_vectored(cx, slices)
                }
            };
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.advance(written),
            }
        }
        Pin::new(socket).poll_flush(cx)
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.pieces.front_mut()
            && written > 0
        {
            let of_first = written.min(first.bytes.len());
            first.bytes.advance(of_first);
            if let Some((_, offset)) = &mut first.file {
                *offset += of_first as u64;
            }
            written -= of_first;
            if first.bytes.is_empty() {
                self.pieces.pop_front();
            }
        }
    }
}
