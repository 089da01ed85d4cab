use std::fmt;
use std::fs::File;
use std::io;
use std::mem;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec;

use bytes::Bytes;
use futures_util::Stream;
use hyper::body::{Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

/// How much of a file is read at a time, and so is in memory for each viewer who takes one: four steps of an HTTP/2 answer.
const READ: u64 = 64 * 1_024;

/// A response body: shared chunks, sent one after the other without being copied, a file, or what comes to be.
#[derive(Debug, Default)]
pub struct Body {
    source: Source,
    left: u64,
}

#[derive(Debug)]
enum Source {
    /// In one piece, until that is sent.
    Whole(Bytes),
    /// In chunks, of which those from `next` on are to be sent.
    Chunks {
        chunks: Arc<[Bytes]>,
        next: usize,
    },
    File(Reader),
    Stream(Coming),
}

impl Default for Source {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

/// Chunks that nobody knows yet, some at a time.
struct Coming {
    stream: Pin<Box<dyn Stream<Item = Vec<Bytes>> + Send>>,
    ready: vec::IntoIter<Bytes>,
}

/// A file that is read off the async threads, a piece at a time, when the viewer is there to take it.
#[derive(Debug)]
struct Reader {
    file: Arc<File>,
    offset: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Body {
    /// The first `len` bytes of a file.
    pub(crate) fn file(file: File, len: u64) -> Self {
        Self { source: Source::File(Reader { file: Arc::new(file), offset: 0, reading: None }), left: len }
    }

    /// What a stream brings, of no known length.
    pub(crate) fn stream(stream: impl Stream<Item = Vec<Bytes>> + Send + 'static) -> Self {
        let source = Source::Stream(Coming { stream: Box::pin(stream), ready: vec::IntoIter::default() });
        Self { source, left: u64::MAX }
    }

    /// The bytes `range` of it; nothing of a stream.
    pub(crate) fn slice(self, range: Range<u64>) -> Self {
        let left = range.end - range.start;
        let source = match self.source {
            Source::Whole(bytes) => Source::Whole(bytes.slice(index(range.start)..index(range.end))),
            Source::Chunks { chunks, next } => {
                Source::Chunks { chunks: within(chunks.iter().skip(next), range), next: 0 }
            }
            Source::File(reader) => Source::File(Reader { offset: reader.offset + range.start, ..reader }),
            Source::Stream(_) => return Self::default(),
        };
        Self { source, left }
    }

    /// Bytes still to be sent; `u64::MAX` where that is not known.
    pub(crate) fn len(&self) -> u64 {
        self.left
    }
}

impl Coming {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(chunk) = self.ready.next() {
                return Poll::Ready(Some(chunk));
            }
            match ready!(self.stream.as_mut().poll_next(cx)) {
                Some(chunks) => self.ready = chunks.into_iter(),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for Coming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coming").finish_non_exhaustive()
    }
}

impl Reader {
    fn poll_read(&mut self, cx: &mut Context<'_>, left: u64) -> Poll<io::Result<Bytes>> {
        let reading = self.reading.get_or_insert_with(|| {
            let (file, offset, len) = (Arc::clone(&self.file), self.offset, index(left.min(READ)));
            spawn_blocking(move || {
                let mut piece = vec![0; len];
                file.read_exact_at(&mut piece, offset).map(|()| Bytes::from(piece))
            })
        });
        let piece = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::other)??;
        self.reading = None;
        self.offset += piece.len() as u64;
        Poll::Ready(Ok(piece))
    }
}

/// The bytes `range` of all chunks together.
fn within<'a>(chunks: impl Iterator<Item = &'a Bytes>, range: Range<u64>) -> Arc<[Bytes]> {
    let mut start = 0;
    let within = |chunk: &Bytes| {
        let len = chunk.len() as u64;
        let from = range.start.clamp(start, start + len) - start;
        let to = range.end.clamp(start, start + len) - start;
        start += len;
        chunk.slice(index(from)..index(to))
    };
    chunks.map(within).filter(|chunk| !chunk.is_empty()).collect()
}

/// An offset within one chunk, which is in memory and so fits.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl From<Arc<[Bytes]>> for Body {
    fn from(chunks: Arc<[Bytes]>) -> Self {
        let left = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        Self { source: Source::Chunks { chunks, next: 0 }, left }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        let left = bytes.len() as u64;
        Self { source: Source::Whole(bytes), left }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let chunk = match &mut this.source {
            Source::Whole(bytes) => mem::take(bytes),
            Source::Chunks { chunks, next } => {
                let chunk = chunks.get(*next).cloned().unwrap_or_default();
                *next += 1;
                chunk
            }
            Source::File(reader) => ready!(reader.poll_read(cx, this.left))?,
            Source::Stream(coming) => {
                let Some(chunk) = ready!(coming.poll_next(cx)) else {
                    this.left = 0;
                    return Poll::Ready(None);
                };
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
        };
        this.left -= chunk.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        match self.source {
            Source::Stream(_) => SizeHint::default(),
            Source::Whole(_) | Source::Chunks { .. } | Source::File(_) => SizeHint::with_exact(self.left),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_range_is_the_same_bytes_whatever_the_chunks() {
        let whole = b"0123456789";
        let chunks: Arc<[Bytes]> = Arc::new(["012", "", "3", "456789"].map(Bytes::from));
        for start in 0..10_u64 {
            for end in start..=10 {
                for body in [Body::from(Arc::clone(&chunks)), Body::from(Bytes::from_static(whole))] {
                    let body = body.slice(start..end);
                    assert_eq!(body.len(), end - start);
                    let sent = body.collect().await.unwrap().to_bytes();
                    assert_eq!(sent, &whole[index(start)..index(end)], "{start}..{end}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_file_is_sent_piece_by_piece_whole_or_in_part() {
        let whole: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&whole).unwrap();
        for range in [0..200_000, 0..1, 199_999..200_000, 65_535..65_537, 70_000..140_000] {
            let body = Body::file(file.try_clone().unwrap(), 200_000);
            let mut body = body.slice(range.clone());
            assert_eq!(body.len(), range.end - range.start);
            let mut sent = Vec::new();
            while let Some(piece) = body.frame().await {
                let piece = piece.unwrap().into_data().unwrap();
                assert!(piece.len() as u64 <= READ);
                sent.extend_from_slice(&piece);
            }
            assert!(sent == whole[index(range.start)..index(range.end)], "{range:?}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_shorter_than_it_was_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; 100]).unwrap();
        let mut body = Body::file(file, 101);
        assert_eq!(body.frame().await.unwrap().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
