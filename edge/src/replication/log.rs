//! What a channel has been told of late, for the nodes that follow it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::watch;
use touchline_packager::Event;

use super::proof::Provable;
use super::wire;

/// Batches that a channel keeps for who has been away or is slow: a minute or so of parts of a ladder.
pub const MAX_ENTRIES: usize = 4_096;
/// Bytes of media in them, which most of the time are those of the window as well.
pub const MAX_BYTES: usize = 64 << 20;

/// A moment in the life of a channel: nodes that stand at the same mark have the same state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Tells the channel's history from every other: drawn at random when it opens, and anew where it turns to another origin.
    pub line: u64,
    /// How many batches and thumbnails have come.
    pub position: u64,
}

impl Mark {
    /// The beginning of a history of its own.
    pub(crate) fn fresh() -> Self {
        let mut line = [0; 8];
        // The system's generator does not fail once it has been seeded, which is before there are processes.
        let _ = SystemRandom::new().fill(&mut line);
        Self { line: u64::from_be_bytes(line), position: 0 }
    }

    /// The moment after the next batch.
    pub(crate) fn next(self) -> Self {
        Self { position: self.position + 1, ..self }
    }
}

/// Ties the instants of this process to the nanoseconds that a history counts. Nodes differ in the instants, not in their
/// distances, which decide when something is forgotten.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// An instant here...
    pub instant: Instant,
    /// ...and what the history counts at it.
    pub nanos: i64,
}

impl Clock {
    /// What the history counts at an instant.
    pub(crate) fn nanos(&self, instant: Instant) -> i64 {
        let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        match instant.checked_duration_since(self.instant) {
            Some(since) => self.nanos.saturating_add(nanos(since)),
            None => self.nanos.saturating_sub(nanos(self.instant - instant)),
        }
    }

    /// The instant at which the history counts so much.
    pub(crate) fn instant(&self, nanos: i64) -> Instant {
        let off = Duration::from_nanos(nanos.abs_diff(self.nanos));
        let instant = if nanos < self.nanos { self.instant.checked_sub(off) } else { self.instant.checked_add(off) };
        instant.unwrap_or(self.instant)
    }
}

/// The newest batches of a channel, in one place for all who follow it: who is slow is told, and costs nothing.
#[derive(Debug)]
pub(crate) struct Log {
    ring: Mutex<Ring>,
    /// The newest mark; changes wake who follows.
    newest: watch::Sender<Mark>,
}

#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) clock: Clock,
    /// The mark before the first of the entries.
    base: Mark,
    newest: Mark,
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
}

/// A batch or a thumbnail, and the mark that the channel has with it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) mark: Mark,
    pub(crate) content: Content,
    clock: Clock,
    /// Written once, for all who follow.
    frame: OnceLock<Vec<Bytes>>,
}

#[derive(Debug)]
pub(crate) enum Content {
    Batch {
        /// When the first origin had it, in microseconds of Unix time.
        made: u64,
        events: Vec<Event>,
        /// The segments that end in it.
        ends: Vec<Provable>,
    },
    Thumbnail(Bytes),
}

impl Entry {
    /// As it goes over the wire.
    pub(crate) fn frame(&self) -> &[Bytes] {
        self.frame.get_or_init(|| match &self.content {
            Content::Batch { made, events, ends } => {
                let proofs: Vec<_> = ends.iter().map(|end| (end.rendition, end.proof())).collect();
                wire::batch(self.mark, *made, events, &proofs, self.clock)
            }
            Content::Thumbnail(jpeg) => wire::thumbnail(self.mark, jpeg),
        })
    }

    fn len(&self) -> usize {
        match &self.content {
            Content::Batch { events, .. } => events.iter().map(len).sum(),
            Content::Thumbnail(jpeg) => jpeg.len(),
        }
    }
}

fn len(event: &Event) -> usize {
    match event {
        Event::Init(init) => init.data.len(),
        Event::Part(part) => part.data.len(),
        _ => 0,
    }
}

impl Log {
    /// Of a channel that stands at this mark.
    pub(crate) fn new(mark: Mark, clock: Clock) -> Self {
        Self { ring: Mutex::new(Ring::new(mark, clock)), newest: watch::Sender::new(mark) }
    }

    /// Keeps writers away while it is held: what is read of the channel meanwhile is of one moment.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Ring> {
        // A ring is whole after each call.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes who follows.
    pub(crate) fn wake(&self) {
        let newest = self.lock().newest;
        self.newest.send_replace(newest);
    }

    /// Told of each newest mark.
    pub(crate) fn follow(&self) -> watch::Receiver<Mark> {
        self.newest.subscribe()
    }

    /// Whether a node follows the channel.
    pub(crate) fn is_followed(&self) -> bool {
        self.newest.receiver_count() > 0
    }
}

impl Ring {
    /// The newest mark.
    pub(crate) fn newest(&self) -> Mark {
        self.newest
    }

    /// Adds what takes the channel to the next mark; the oldest goes where there is too much.
    pub(crate) fn push(&mut self, mark: Mark, content: Content) {
        self.newest = mark;
        let entry = Entry { mark, content, clock: self.clock, frame: OnceLock::new() };
        self.bytes += entry.len();
        self.entries.push_back(Arc::new(entry));
        while self.entries.len() > MAX_ENTRIES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.len();
            self.base = oldest.mark;
        }
    }

    /// The channel has been put at another mark, with all that it holds: what came before leads nowhere.
    pub(crate) fn restart(&mut self, mark: Mark, clock: Clock) {
        *self = Self::new(mark, clock);
    }

    /// What follows a mark, oldest first; `None` where it is not known any more, or never was.
    pub(crate) fn after(&self, mark: Mark) -> Option<Vec<Arc<Entry>>> {
        let back = usize::try_from(self.newest.position.checked_sub(mark.position)?).ok()?;
        let first = self.entries.len().checked_sub(back)?;
        let before = first.checked_sub(1).and_then(|before| self.entries.get(before));
        let known = before.map_or(self.base, |before| before.mark) == mark;
        known.then(|| self.entries.range(first..).cloned().collect())
    }

    fn new(mark: Mark, clock: Clock) -> Self {
        Self { clock, base: mark, newest: mark, entries: VecDeque::new(), bytes: 0 }
    }
}
