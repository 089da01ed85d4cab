//! Copies of what many viewers take, from where the kernel sends without copying once more.
//!
//! A part that is written to a socket is copied for each viewer: into memory that has left the cache since it was last used,
//! if there are thousands. `sendfile(2)` from a file in memory sends the pages themselves, which all viewers share. To make
//! such a file costs about as much as a few copies, so it is made when that many have been.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::fs::{MemfdFlags, memfd_create};

/// The shortest that is copied so, in bytes: what is shorter takes longer to hand over than to copy.
const SHORTEST: usize = 16 * 1_024;
/// How often something is written before it is copied.
const WRITES: u32 = 8;
/// How long something stays that nobody asks for.
const IDLE: Duration = Duration::from_secs(2);
/// The most at a time, in pieces and, all together, in bytes. What is beyond that is written as it is.
const PIECES: usize = 256;
const BYTES: usize = 64 * 1_024 * 1_024;

/// What the viewers of one thread take at present.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// By where it lies in memory, where nothing else can be as long as it is held here.
    pieces: HashMap<(usize, usize), Piece>,
    /// Of all of them together.
    bytes: usize,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Piece {
    /// Held, for its place in memory not to become another's.
    #[expect(dead_code, reason = "what it is there for, is to be there")]
    bytes: Bytes,
    writes: u32,
    used: Instant,
    /// `None` before it is worth while; an error is not tried again.
    file: Option<Result<Arc<File>, ()>>,
}

impl Pages {
    /// The file that these bytes are in, from its beginning; `None` where they are better written.
    pub(super) fn of(&mut self, bytes: &Bytes) -> Option<Arc<File>> {
        if bytes.len() < SHORTEST { None } else { self.of_at(bytes, Instant::now()) }
    }

    fn of_at(&mut self, bytes: &Bytes, now: Instant) -> Option<Arc<File>> {
        let key = (bytes.as_ptr().addr(), bytes.len());
        if let Some(piece) = self.pieces.get_mut(&key) {
            piece.used = now;
            piece.writes += 1;
            if piece.writes < WRITES {
                return None;
            }
            let file = piece.file.get_or_insert_with(|| copy(bytes));
            return file.as_ref().ok().cloned();
        }
        self.sweep(now);
        if self.pieces.len() < PIECES && self.bytes + bytes.len() <= BYTES {
            self.bytes += bytes.len();
            self.pieces.insert(key, Piece { bytes: bytes.clone(), writes: 1, used: now, file: None });
        }
        None
    }

    /// Forgets what nobody has asked for lately.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < IDLE / 2) {
            return;
        }
        self.swept = Some(now);
        self.pieces.retain(|_, piece| now.saturating_duration_since(piece.used) < IDLE);
        self.bytes = self.pieces.keys().map(|(_, len)| len).sum();
    }
}

fn copy(bytes: &[u8]) -> Result<Arc<File>, ()> {
    let made = memfd_create("touchline-part", MemfdFlags::CLOEXEC).map_err(io::Error::from).and_then(|file| {
        let mut file = File::from(file);
        file.write_all(bytes).map(|()| Arc::new(file))
    });
    made.map_err(|error| tracing::debug!(%error, "no memory that is sent without copying"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    fn part(content: u8) -> Bytes {
        vec![content; SHORTEST].into()
    }

    #[test]
    fn what_is_written_often_enough_is_copied_once() {
        let (mut pages, now) = (Pages::default(), Instant::now());
        let (often, seldom, short) = (part(1), part(2), Bytes::from(vec![3; SHORTEST - 1]));
        for _ in 1..WRITES {
            assert!(pages.of_at(&often, now).is_none());
            assert!(pages.of(&short).is_none());
        }
        assert!(pages.of_at(&seldom, now).is_none());
        assert!(pages.of(&short).is_none());
        let file = pages.of_at(&often, now).unwrap();
        assert!(Arc::ptr_eq(&file, &pages.of_at(&often.clone(), now).unwrap()));
        let mut content = vec![0; SHORTEST];
        file.read_exact_at(&mut content, 0).unwrap();
        assert_eq!(content, often);
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let (mut pages, now) = (Pages::default(), Instant::now());
        let (old, new) = (part(1), part(2));
        for _ in 0..WRITES {
            drop(pages.of_at(&old, now));
        }
        assert!(!old.is_unique());
        assert!(pages.of_at(&new, now + IDLE).is_none());
        assert!(old.is_unique());
        assert_eq!((pages.pieces.len(), pages.bytes), (1, SHORTEST));
    }

    #[test]
    fn there_is_room_for_so_much() {
        let (mut pages, now) = (Pages::default(), Instant::now());
        let large: Vec<Bytes> = (0..3).map(|content| vec![content; BYTES / 2].into()).collect();
        for bytes in &large {
            drop(pages.of_at(bytes, now));
        }
        assert_eq!((pages.pieces.len(), pages.bytes), (2, BYTES));
        assert!(large[2].is_unique());
    }
}
