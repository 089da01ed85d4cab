//! Bodies: kept where somebody will read them, else only counted.

use super::head::Malformed;

/// The largest body that is kept.
const MAX_KEPT: usize = 4 << 20;
/// The digits of a chunk's size, and what may follow them on their line (RFC 9112 7.1.1).
const MAX_LINE: usize = 256;

/// What becomes of a body.
#[derive(Clone, Debug)]
pub(super) enum Sink {
    /// It is a playlist.
    Keep(Vec<u8>),
    /// It is media.
    Count,
    /// It is media whose boxes are looked at.
    Verify(Boxes),
}

impl Sink {
    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        match self {
            Self::Keep(kept) if kept.len() + bytes.len() > MAX_KEPT => return Err(Malformed),
            Self::Keep(kept) => kept.extend_from_slice(bytes),
            Self::Count => {}
            Self::Verify(boxes) => boxes.take(bytes),
        }
        Ok(())
    }
}

/// Takes the chunks of a body apart (RFC 9112 7.1).
#[derive(Clone, Debug, Default)]
pub(super) struct Chunks {
    state: Chunk,
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Chunk {
    #[default]
    Size,
    Data(usize),
    /// The end of the line after the data.
    End,
    Trailer,
    Over,
}

impl Chunks {
    /// Takes the next bytes; tells how many bytes of the body were in them, and whether it is over.
    pub(super) fn take(&mut self, mut bytes: &[u8], sink: &mut Sink) -> Result<(u64, bool), Malformed> {
        let mut taken = 0;
        while !bytes.is_empty() {
            match self.state {
                Chunk::Data(left) => {
                    let (data, rest) = bytes.split_at(left.min(bytes.len()));
                    sink.take(data)?;
                    taken += data.len() as u64;
                    self.state = if data.len() == left { Chunk::End } else { Chunk::Data(left - data.len()) };
                    bytes = rest;
                }
                Chunk::Over => return Err(Malformed),
                Chunk::Size | Chunk::End | Chunk::Trailer => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
                    self.line.extend_from_slice(line);
                    bytes = rest;
                    if self.line.len() > MAX_LINE {
                        return Err(Malformed);
                    }
                    if end.is_some() {
                        self.next_line()?;
                    }
                }
            }
        }
        Ok((taken, matches!(self.state, Chunk::Over)))
    }

    fn next_line(&mut self) -> Result<(), Malformed> {
        let line = std::mem::take(&mut self.line);
        let line = line.trim_ascii();
        self.state = match self.state {
            Chunk::Size => match size(line)? {
                0 => Chunk::Trailer,
                size => Chunk::Data(size),
            },
            Chunk::End if line.is_empty() => Chunk::Size,
            Chunk::Trailer if line.is_empty() => Chunk::Over,
            Chunk::Trailer => Chunk::Trailer,
            _ => return Err(Malformed),
        };
        Ok(())
    }
}

fn size(line: &[u8]) -> Result<usize, Malformed> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let digits = std::str::from_utf8(digits).map_err(|_| Malformed)?;
    usize::from_str_radix(digits, 16).map_err(|_| Malformed)
}

/// Walks over the boxes of ISO media (ISO/IEC 14496-12 4.2), whose sizes have to fill the body.
#[derive(Clone, Debug, Default)]
pub(super) struct Boxes {
    head: Vec<u8>,
    /// Bytes of the box that are still to come.
    left: u64,
    /// A box of media, or of what media needs.
    found: bool,
    wrong: bool,
}

impl Boxes {
    const HEAD: usize = 8;
    const LARGE_HEAD: usize = 16;

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.wrong {
            if self.left > 0 {
                let skipped = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= skipped as u64;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            let (head, rest) = bytes.split_at((self.head_size() - self.head.len()).min(bytes.len()));
            self.head.extend_from_slice(head);
            bytes = rest;
            self.begin();
        }
    }

    fn head_size(&self) -> usize {
        if self.head.starts_with(&[0, 0, 0, 1]) { Self::LARGE_HEAD } else { Self::HEAD }
    }

    fn begin(&mut self) {
        let size = self.head_size();
        if self.head.len() < size.max(Self::HEAD) {
            return;
        }
        let number = |bytes: Option<&[u8]>| {
            bytes.unwrap_or_default().iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte))
        };
        let told = if size == Self::HEAD { number(self.head.get(..4)) } else { number(self.head.get(8..16)) };
        self.found |= matches!(self.head.get(4..8), Some(b"mdat" | b"moov"));
        match told.checked_sub(size as u64) {
            Some(left) => self.left = left,
            None => self.wrong = true,
        }
        self.head.clear();
    }

    /// Whether the body was what it should be.
    pub(super) fn are_whole(&self) -> bool {
        self.found && !self.wrong && self.left == 0 && self.head.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unchunked(bytes: &[u8], at: usize) -> Result<(Vec<u8>, bool), Malformed> {
        let (mut chunks, mut sink) = (Chunks::default(), Sink::Keep(Vec::new()));
        let (first, second) = bytes.split_at(at.min(bytes.len()));
        let mut over = false;
        for piece in [first, second] {
            if !piece.is_empty() {
                over = chunks.take(piece, &mut sink)?.1;
            }
        }
        let Sink::Keep(kept) = sink else { unreachable!() };
        Ok((kept, over))
    }

    #[test]
    fn chunks_are_put_together_wherever_they_are_cut() {
        let bytes = b"4;name=value\r\nWiki\r\n6\r\npedia \r\n0\r\nDigest: x\r\n\r\n";
        for at in 0..bytes.len() {
            assert_eq!(unchunked(bytes, at), Ok((b"Wikipedia ".to_vec(), true)), "{at}");
        }
    }

    #[test]
    fn chunks_that_are_none_are_refused() {
        for bytes in [&b"x\r\n"[..], b"2\r\nabc\r\n", b"0\r\n\r\nmore"] {
            assert_eq!(unchunked(bytes, 0), Err(Malformed));
        }
    }

    fn whole(pieces: &[&[u8]]) -> bool {
        let mut boxes = Boxes::default();
        for piece in pieces {
            boxes.take(piece);
        }
        boxes.are_whole()
    }

    #[test]
    fn boxes_fill_their_body() {
        let part = b"\0\0\0\x08styp\0\0\0\x0cmoof1234\0\0\0\x0amdat56";
        for at in 0..part.len() {
            let (first, second) = part.split_at(at);
            assert!(whole(&[first, second]), "{at}");
            assert!(!whole(&[first]), "{at} bytes are not all");
        }
        assert!(whole(&[b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x12ab"]), "a size of 64 bits");
        assert!(!whole(&[b"\0\0\0\x04mdat"]) && !whole(&[b"<html>404</html>"]));
        assert!(!whole(&[b"\0\0\0\x08styp"]), "there is no media");
    }

    proptest! {
        #[test]
        fn no_body_causes_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..200usize) {
            let _ = unchunked(&bytes, at);
            whole(&[&bytes]);
        }
    }
}
