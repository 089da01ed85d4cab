use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use touchline_media::MediaTime;

/// Media shorter than this is copied into the text of the frame, as a piece of its own costs more.
const INLINE: usize = 1_024;

/// The bytes before the body of a frame.
pub(super) const PREFIX: usize = 5;

/// Writes a frame. Media is shared, not copied.
pub(super) struct Pen {
    /// Up to the first piece.
    first: BytesMut,
    pieces: Vec<Bytes>,
    /// Since the last piece.
    rest: BytesMut,
}

impl Pen {
    pub(super) fn new(kind: u8) -> Self {
        let mut first = BytesMut::with_capacity(256);
        first.put_u8(kind);
        first.put_u32(0);
        Self { first, pieces: Vec::new(), rest: BytesMut::new() }
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.text().put_u8(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.text().put_u32(value);
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.text().put_u64(value);
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.text().put_i64(value);
    }

    /// How many items follow.
    pub(super) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(super) fn span(&mut self, span: Duration) {
        self.u64(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn time(&mut self, time: MediaTime) {
        self.i64(time.ticks());
        self.u32(time.timescale().get());
    }

    /// Up to 65,535 bytes of text.
    pub(super) fn name(&mut self, name: &str) {
        let len = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.text().put_u16(len);
        self.bytes(name.as_bytes().get(..len.into()).unwrap_or_default());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.text().put_slice(bytes);
    }

    pub(super) fn data(&mut self, data: &Bytes) {
        self.count(data.len());
        if data.len() < INLINE {
            self.bytes(data);
            return;
        }
        if !self.rest.is_empty() {
            self.pieces.push(self.rest.split().freeze());
        }
        self.pieces.push(data.clone());
    }

    /// Whether there is a value, and the value.
    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn finish(mut self) -> Vec<Bytes> {
        let first = self.first.len() - PREFIX;
        let len = first + self.pieces.iter().map(Bytes::len).sum::<usize>() + self.rest.len();
        // What is too long is refused by who reads it.
        let len = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
        for (to, from) in self.first.iter_mut().skip(1).zip(len) {
            *to = from;
        }
        let mut all = vec![self.first.freeze()];
        all.append(&mut self.pieces);
        if !self.rest.is_empty() {
            all.push(self.rest.freeze());
        }
        all
    }

    fn text(&mut self) -> &mut BytesMut {
        if self.pieces.is_empty() { &mut self.first } else { &mut self.rest }
    }
}
