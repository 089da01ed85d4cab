//! FLV as files and pipes carry it (Adobe FLV 10.1, annex E): what ffmpeg writes and reads.

use std::time::Instant;

use bytes::{Buf as _, Bytes, BytesMut};
use touchline_ingest::rtmp::Media;
use touchline_media::Kind;

/// E.2: a header of nine bytes, and a length of zero in front of the first tag.
const HEADER: usize = 13;
/// E.4.1: kind, length, timestamp, stream.
const TAG_HEADER: usize = 11;
/// The length of the tag in front of it ends each tag.
const TAG_TRAILER: usize = 4;

/// Tells the tags of FLV apart, however its bytes come in.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: BytesMut,
    header: Option<Bytes>,
}

impl Reader {
    /// Takes the next bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// What comes in front of the first tag, once it is there.
    pub fn header(&self) -> Option<&Bytes> {
        self.header.as_ref()
    }
}

/// The tags that are there as a whole.
impl Iterator for Reader {
    type Item = Tag;

    fn next(&mut self) -> Option<Tag> {
        if self.header.is_none() && self.buffer.len() >= HEADER {
            self.header = Some(self.buffer.split_to(HEADER).freeze());
        }
        self.header.as_ref()?;
        let [_, s0, s1, s2, ..] = *self.buffer.first_chunk::<TAG_HEADER>()?;
        let length = TAG_HEADER + u32::from_be_bytes([0, s0, s1, s2]) as usize + TAG_TRAILER;
        (self.buffer.len() >= length).then(|| Tag(self.buffer.split_to(length).freeze()))
    }
}

/// A tag with all that frames it.
#[derive(Debug, Clone)]
pub struct Tag(Bytes);

impl Tag {
    /// What it carries; `None`: metadata.
    pub fn kind(&self) -> Option<Kind> {
        match self.0.first() {
            Some(8) => Some(Kind::Audio),
            Some(9) => Some(Kind::Video),
            _ => None,
        }
    }

    /// Milliseconds.
    pub fn timestamp(&self) -> u32 {
        let Some([_, _, _, _, t0, t1, t2, t3, ..]) = self.0.first_chunk::<TAG_HEADER>() else { return 0 };
        u32::from_be_bytes([*t3, *t0, *t1, *t2])
    }

    /// The same tag at another time.
    #[must_use]
    pub fn at(&self, timestamp: u32) -> Self {
        let mut bytes = BytesMut::from(&self.0[..]);
        let [high, rest @ ..] = timestamp.to_be_bytes();
        for (to, from) in bytes.iter_mut().skip(4).zip(rest.into_iter().chain([high])) {
            *to = from;
        }
        Self(bytes.freeze())
    }

    /// What an RTMP message would carry.
    pub fn body(&self) -> Bytes {
        let mut body = self.0.clone();
        body.advance(TAG_HEADER.min(body.len()));
        body.truncate(body.len().saturating_sub(TAG_TRAILER));
        body
    }

    /// All of it, as it travels.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The RTMP message that it would be; metadata is none.
    pub fn media(&self, received: Instant) -> Option<Media> {
        Some(Media { kind: self.kind()?, timestamp: self.timestamp(), payload: self.body(), received })
    }
}
