use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// A response body of known length: shared chunks, sent one after the other without being copied.
#[derive(Debug, Default)]
pub struct Body {
    chunks: vec::IntoIter<Bytes>,
    left: u64,
}

impl Body {
    /// The bytes `range` of it.
    pub(crate) fn slice(self, range: Range<u64>) -> Self {
        let mut start = 0;
        let within = |chunk: Bytes| {
            let len = chunk.len() as u64;
            let from = range.start.clamp(start, start + len) - start;
            let to = range.end.clamp(start, start + len) - start;
            start += len;
            chunk.slice(index(from)..index(to))
        };
        self.chunks.map(within).filter(|chunk| !chunk.is_empty()).collect::<Vec<_>>().into()
    }

    /// Bytes still to be sent.
    pub(crate) fn len(&self) -> u64 {
        self.left
    }
}

/// An offset within one chunk, which is in memory and so fits.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl From<Vec<Bytes>> for Body {
    fn from(chunks: Vec<Bytes>) -> Self {
        let left = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        Self { chunks: chunks.into_iter(), left }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        vec![bytes].into()
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let Some(chunk) = this.chunks.next() else { return Poll::Ready(None) };
        this.left -= chunk.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_the_same_bytes_whatever_the_chunks() {
        let whole = b"0123456789";
        let chunks: Vec<Bytes> = ["012", "", "3", "456789"].map(Bytes::from).to_vec();
        for start in 0..10_u64 {
            for end in start..=10 {
                let body = Body::from(chunks.clone()).slice(start..end);
                assert_eq!(body.len(), end - start);
                let sent: Vec<u8> = body.chunks.flatten().collect();
                assert_eq!(sent, &whole[index(start)..index(end)], "{start}..{end}");
            }
        }
    }
}
