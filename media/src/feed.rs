//! A feed: one writer hands tracks and samples to many readers.
//!
//! The writer never waits. A feed keeps the current group of pictures, so that a reader that joins starts at a sync
//! sample, and what its readers have yet to read, within [`MAX_SAMPLES`] and [`MAX_BYTES`]: a reader that falls further
//! behind skips to a sync sample and is told how much it lost.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use crate::{Kind, Sample, Track};

/// The most samples that a feed keeps for its readers.
pub const MAX_SAMPLES: usize = 4_096;
/// The most bytes of samples that a feed keeps for its readers.
pub const MAX_BYTES: usize = 16 * 1_024 * 1_024;

/// A new feed: the end that writes and a first reader.
pub fn channel() -> (Writer, Reader) {
    let shared = Arc::new(Shared { state: Mutex::default(), changed: Notify::new() });
    let writer = Writer { shared };
    let reader = writer.reader();
    (writer, reader)
}

/// What a reader gets.
#[derive(Debug, Clone)]
pub enum Event {
    /// A continuous stretch begins: at first, and wherever the timeline or the tracks do not go on from before.
    Start {
        /// The tracks of the samples that follow.
        tracks: Arc<[Track]>,
        /// Samples that this reader was too slow for, before this stretch.
        skipped: u64,
    },
    /// The next sample of the stretch.
    Sample(Sample),
}

/// The end of a feed that is written. Dropping it ends the feed.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
}

impl Writer {
    /// Begins a stretch: the samples that follow belong to `tracks` and to a timeline of their own.
    pub fn start(&mut self, tracks: Arc<[Track]>) {
        let mut state = self.shared.lock();
        let number = state.stretch.as_ref().map_or(0, |s| s.number + 1);
        let lead = tracks.iter().find(|t| t.format.kind() == Kind::Video).or(tracks.first()).map(|t| t.id);
        state.stretch = Some(Stretch { number, lead, tracks });
    }

    /// Hands on a sample. Samples before the first [`Writer::start`] have no tracks and are lost.
    pub fn push(&mut self, sample: Sample) {
        self.shared.lock().push(sample);
        self.shared.changed.notify_waiters();
    }

    /// Whether the feed has been ended from outside; see [`Presence::evict`].
    pub fn is_evicted(&self) -> bool {
        self.shared.lock().ended
    }

    /// Tells, for as long as it is kept, whether this writer is still there.
    pub fn presence(&self) -> Presence {
        Presence(Arc::clone(&self.shared))
    }

    /// Another reader, from the last sync sample on.
    pub fn reader(&self) -> Reader {
        let mut state = self.shared.lock();
        let next = Arc::new(AtomicU64::new(state.last_entry_point()));
        state.readers.push(Arc::downgrade(&next));
        Reader { shared: Arc::clone(&self.shared), next, stretch: None, skipped: 0 }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_waiters();
    }
}

/// Whether the writer of a feed is still there.
#[derive(Debug)]
pub struct Presence(Arc<Shared>);

impl Presence {
    /// False once the writer has been dropped or evicted.
    pub fn is_present(&self) -> bool {
        !self.0.lock().ended
    }

    /// Ends the feed in its writer's place. Readers get what has been written; what is written from now on is lost.
    pub fn evict(&self) {
        self.0.lock().ended = true;
        self.0.changed.notify_waiters();
    }
}

/// An end of a feed that is read.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    /// The number, since the feed began, of the sample to read next. Written under the lock of the state.
    next: Arc<AtomicU64>,
    /// The number of the stretch last told of.
    stretch: Option<u64>,
    skipped: u64,
}

impl Reader {
    /// The next event; `None` when the writer is gone and everything has been read.
    ///
    /// Cancel safe: an event is either returned or still there.
    pub async fn next(&mut self) -> Option<Event> {
        let shared = Arc::clone(&self.shared);
        loop {
            let changed = shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.poll() {
                Poll::Event(event) => return Some(event),
                Poll::Ended => return None,
                Poll::Empty => changed.await,
            }
        }
    }

    /// The next event, if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        match self.poll() {
            Poll::Event(event) => Some(event),
            Poll::Ended | Poll::Empty => None,
        }
    }

    fn poll(&mut self) -> Poll {
        let state = self.shared.lock();
        let mut next = self.next.load(Ordering::Relaxed);
        if next < state.first {
            self.skipped += state.first - next;
            next = state.first;
            self.stretch = None;
        }
        let index = usize::try_from(next - state.first).unwrap_or(usize::MAX);
        let Some(entry) = state.entries.get(index) else {
            return if state.ended { Poll::Ended } else { Poll::Empty };
        };
        if self.stretch == Some(entry.stretch.number) {
            self.next.store(next + 1, Ordering::Relaxed);
            return Poll::Event(Event::Sample(entry.sample.clone()));
        }
        self.stretch = Some(entry.stretch.number);
        self.next.store(next, Ordering::Relaxed);
        let skipped = std::mem::take(&mut self.skipped);
        Poll::Event(Event::Start { tracks: Arc::clone(&entry.stretch.tracks), skipped })
    }
}

enum Poll {
    Event(Event),
    Empty,
    Ended,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    /// The number of `entries[0]` since the feed began.
    first: u64,
    bytes: usize,
    stretch: Option<Stretch>,
    /// Where each reader is.
    readers: Vec<Weak<AtomicU64>>,
    ended: bool,
}

#[derive(Debug)]
struct Entry {
    stretch: Stretch,
    sample: Sample,
}

#[derive(Debug, Clone)]
struct Stretch {
    number: u64,
    /// The track whose sync samples are entry points.
    lead: Option<crate::TrackId>,
    tracks: Arc<[Track]>,
}

impl State {
    fn push(&mut self, sample: Sample) {
        let Some(stretch) = self.stretch.clone().filter(|_| !self.ended) else { return };
        let entry = Entry { stretch, sample };
        let begins_group = entry.is_entry_point();
        self.bytes += entry.sample.data.len();
        self.entries.push_back(entry);
        if begins_group {
            self.drop_what_all_have_read();
        }
        while self.entries.len() > MAX_SAMPLES || self.bytes > MAX_BYTES {
            self.drop_group();
        }
    }

    /// The number of the newest sample at which a reader can start.
    fn last_entry_point(&self) -> u64 {
        let index = self.entries.iter().rposition(Entry::is_entry_point);
        self.first + index.unwrap_or(0) as u64
    }

    fn drop_what_all_have_read(&mut self) {
        let mut keep_from = self.last_entry_point();
        self.readers.retain(|reader| {
            let reader = reader.upgrade();
            keep_from = keep_from.min(reader.as_ref().map_or(u64::MAX, |next| next.load(Ordering::Relaxed)));
            reader.is_some()
        });
        self.drop_front(usize::try_from(keep_from.saturating_sub(self.first)).unwrap_or(0));
    }

    /// Frees room at the front up to the next entry point, or all where there is none.
    fn drop_group(&mut self) {
        let next = self.entries.iter().skip(1).position(Entry::is_entry_point);
        self.drop_front(next.map_or(self.entries.len(), |n| n + 1));
    }

    fn drop_front(&mut self, count: usize) {
        for entry in self.entries.drain(..count) {
            self.bytes -= entry.sample.data.len();
            self.first += 1;
        }
    }
}

impl Entry {
    fn is_entry_point(&self) -> bool {
        self.sample.sync && self.stretch.lead == Some(self.sample.track)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::time::Instant;

    use bytes::Bytes;

    use super::*;
    use crate::{Format, MediaTime, Timescale, TrackId, aac};

    fn tracks() -> Arc<[Track]> {
        let config = aac::Config::parse(Bytes::from_static(&[0x11, 0x90])).unwrap();
        let timescale = config.timescale();
        Arc::new([Track {
            id: TrackId(1),
            timescale,
            format: Format::Aac(config),
            frame_ticks: Some(1_024),
            bitrate: None,
            language: None,
        }])
    }

    fn sample(ticks: i64, sync: bool) -> Sample {
        let dts = MediaTime::new(ticks, Timescale::new(48_000).unwrap());
        Sample { track: TrackId(1), dts, pts: dts, sync, data: Bytes::from_static(b"x"), received: Instant::now() }
    }

    /// `S2` for a start that skipped two, then the ticks of each sample, then `.` at the end.
    async fn drain(reader: &mut Reader) -> String {
        let mut seen = String::new();
        while let Some(event) = reader.next().await {
            match event {
                Event::Start { skipped, .. } => write!(seen, "S{skipped} "),
                Event::Sample(sample) => write!(seen, "{} ", sample.dts.ticks()),
            }
            .unwrap();
        }
        seen + "."
    }

    #[tokio::test]
    async fn a_reader_that_keeps_up_gets_everything_in_order() {
        let (mut writer, mut reader) = channel();
        writer.start(tracks());
        writer.push(sample(0, true));
        writer.push(sample(1, false));
        writer.start(tracks());
        writer.push(sample(0, true));
        drop(writer);
        assert_eq!(drain(&mut reader).await, "S0 0 1 S0 0 .");
    }

    #[tokio::test]
    async fn a_late_reader_starts_at_the_last_sync_sample() {
        let (mut writer, _reader) = channel();
        writer.start(tracks());
        for ticks in 0..9 {
            writer.push(sample(ticks, ticks % 3 == 0));
        }
        let mut late = writer.reader();
        drop(writer);
        assert_eq!(drain(&mut late).await, "S0 6 7 8 .");
    }

    #[tokio::test]
    async fn what_every_reader_has_read_is_kept_for_one_group_only() {
        let (mut writer, mut reader) = channel();
        writer.start(tracks());
        for ticks in 0..9 {
            writer.push(sample(ticks, ticks % 3 == 0));
            while reader.try_next().is_some() {}
        }
        assert_eq!(writer.shared.lock().entries.len(), 3);
        drop(reader);
        writer.push(sample(9, true));
        assert_eq!(writer.shared.lock().entries.len(), 1);
    }

    #[tokio::test]
    async fn a_slow_reader_skips_to_a_sync_sample_and_is_told_how_much_it_lost() {
        let (mut writer, mut reader) = channel();
        writer.start(tracks());
        let total = i64::try_from(MAX_SAMPLES).unwrap() + 5;
        for ticks in 0..total {
            writer.push(sample(ticks, ticks % 10 == 0));
        }
        drop(writer);
        let seen = drain(&mut reader).await;
        assert!(seen.starts_with("S10 10 11 12 "), "{}", &seen[..20]);
        assert!(seen.ends_with(&format!(" {} .", total - 1)));
    }

    #[tokio::test]
    async fn a_source_without_sync_samples_cannot_grow_the_feed() {
        let (mut writer, mut reader) = channel();
        writer.start(tracks());
        for ticks in 0..=i64::try_from(MAX_SAMPLES).unwrap() {
            writer.push(sample(ticks, false));
        }
        assert_eq!(writer.shared.lock().bytes, 0);
        writer.push(sample(7_777, false));
        drop(writer);
        assert_eq!(drain(&mut reader).await, "S4097 7777 .");
    }

    #[tokio::test]
    async fn an_evicted_writer_writes_into_nothing() {
        let (mut writer, mut reader) = channel();
        writer.start(tracks());
        writer.push(sample(0, true));
        let presence = writer.presence();
        presence.evict();
        assert!(writer.is_evicted() && !presence.is_present());
        writer.push(sample(1, true));
        assert_eq!(drain(&mut reader).await, "S0 0 .");
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken_and_the_writers_absence_shows() {
        let (mut writer, mut reader) = channel();
        writer.start(tracks());
        let reading = tokio::spawn(async move { reader.next().await });
        tokio::task::yield_now().await;
        writer.push(sample(7, true));
        let presence = writer.presence();
        assert!(presence.is_present());
        drop(writer);
        assert!(!presence.is_present());
        assert!(matches!(reading.await.unwrap(), Some(Event::Start { .. })));
    }
}
