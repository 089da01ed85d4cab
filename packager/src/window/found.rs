use std::sync::Arc;

use bytes::Bytes;

/// What `Window::find` has found.
#[derive(Debug, Clone)]
pub enum Found {
    /// Here it is.
    Ready(Resource),
    /// A segment of so many bytes that has been handed out by `Window::offload`.
    Offloaded {
        /// Its Media Sequence Number.
        msn: u64,
        /// Its size in bytes.
        len: u64,
    },
    /// The part that comes next: to be held until it exists (RFC 8216bis 6.2.6).
    Next,
    /// Neither there nor announced.
    Missing,
}

/// The bytes of an init section, a part or a segment.
#[derive(Debug, Clone)]
pub enum Resource {
    /// In one piece.
    Whole(Bytes),
    /// A segment, as its parts in order.
    Chunks(Arc<[Bytes]>),
}

/// A segment to be kept elsewhere.
#[derive(Debug, Clone)]
pub struct Offload {
    /// Its Media Sequence Number.
    pub msn: u64,
    /// Its parts in order.
    pub chunks: Arc<[Bytes]>,
}

impl Resource {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Whole(data) => data.len(),
            Self::Chunks(chunks) => chunks.iter().map(Bytes::len).sum(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
