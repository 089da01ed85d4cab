use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use touchline_packager::{Offload, RenditionId};

use super::Spool;
use crate::metrics::Metrics;

/// How long a disk that refused a segment is left alone: what frees space is that old segments go.
const RETRY: Duration = Duration::from_secs(5);

/// The segments of one presentation, a file each, written by a thread of its own. Dropping it removes them.
#[derive(Debug)]
pub(crate) struct Folder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Kept open: its lock is what keeps other processes away.
    _spool: Spool,
    directory: PathBuf,
    /// Bytes that may wait in memory.
    limit: u64,
    state: Mutex<State>,
    changed: Condvar,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct State {
    /// To be written, oldest first.
    waiting: VecDeque<Waiting>,
    /// Those that need not be kept in memory any more, since the last time somebody asked.
    settled: Vec<Key>,
    kept: BTreeSet<Key>,
    unneeded: Vec<Key>,
    /// After a failure, when the next segment is tried.
    retry: Option<Instant>,
    closed: bool,
}

#[derive(Debug, Clone)]
struct Waiting {
    rendition: RenditionId,
    segment: Offload,
}

/// A segment: its rendition and its Media Sequence Number.
type Key = (RenditionId, u64);

enum Task {
    Write(Waiting),
    Remove(Vec<Key>),
    Close,
}

impl Folder {
    pub(super) fn open(spool: Spool, directory: PathBuf, limit: u64, metrics: Metrics) -> io::Result<Self> {
        let (state, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { _spool: spool, directory, limit, state, changed, metrics });
        let writer = Arc::clone(&shared);
        thread::Builder::new().name("spool".into()).spawn(move || writer.run())?;
        Ok(Self(shared))
    }

    /// Writes a segment as soon as the disk takes it. Where more wait than may, the oldest is lost.
    pub(crate) fn keep(&self, rendition: RenditionId, segment: Offload) {
        let mut state = self.0.state();
        state.waiting.push_back(Waiting { rendition, segment });
        self.0.metrics.spool_waiting_segments.inc();
        while state.waiting.iter().map(Waiting::len).sum::<u64>() > self.0.limit
            && let Some(lost) = state.waiting.pop_front()
        {
            state.settled.push(lost.key());
            self.0.metrics.spool_waiting_segments.dec();
            self.0.metrics.spool_lost_segments.inc();
            tracing::error!(
                directory = %self.0.directory.display(), msn = lost.segment.msn,
                "a segment is lost for viewers who are behind: {} MiB wait for the disk already", self.0.limit >> 20
            );
        }
        drop(state);
        self.0.changed.notify_one();
    }

    /// Segments that are kept, or lost, since the last call: their bytes need not stay in memory.
    pub(crate) fn settled(&self) -> Vec<(RenditionId, u64)> {
        std::mem::take(&mut self.0.state().settled)
    }

    /// Removes the segments of a rendition before this Media Sequence Number.
    pub(crate) fn forget(&self, rendition: RenditionId, oldest: u64) {
        let mut state = self.0.state();
        let before = state.waiting.len();
        state.waiting.retain(|waiting| waiting.rendition != rendition || waiting.segment.msn >= oldest);
        self.0.metrics.spool_waiting_segments.dec_by(count(before - state.waiting.len()));
        let old: Vec<Key> = state.kept.range((rendition, 0)..(rendition, oldest)).copied().collect();
        for key in old {
            state.kept.remove(&key);
            state.unneeded.push(key);
        }
        drop(state);
        self.0.changed.notify_one();
    }

    /// The file of a segment; there is none where it was lost.
    pub(crate) fn path(&self, rendition: RenditionId, msn: u64) -> PathBuf {
        path(&self.0.directory, (rendition, msn))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.changed.notify_one();
    }
}

impl Waiting {
    fn key(&self) -> Key {
        (self.rendition, self.segment.msn)
    }

    fn len(&self) -> u64 {
        self.segment.chunks.iter().map(|chunk| chunk.len() as u64).sum()
    }
}

impl Shared {
    fn run(&self) {
        loop {
            match self.next() {
                Task::Write(segment) => self.write(&segment),
                Task::Remove(keys) => self.remove(&keys),
                Task::Close => return self.clear(),
            }
        }
    }

    /// What is to be done, when there is something.
    fn next(&self) -> Task {
        let mut state = self.state();
        loop {
            if state.closed {
                return Task::Close;
            }
            if !state.unneeded.is_empty() {
                return Task::Remove(std::mem::take(&mut state.unneeded));
            }
            let pause = state.retry.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()));
            match state.waiting.front() {
                Some(segment) if pause.is_zero() => return Task::Write(segment.clone()),
                Some(_) => state = self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0,
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn write(&self, segment: &Waiting) {
        let key = segment.key();
        let path = path(&self.directory, key);
        let outcome = write(&path, &segment.segment);
        let mut state = self.state();
        if let Err(error) = outcome {
            self.metrics.spool_failures.inc();
            if state.retry.is_none() {
                tracing::error!(
                    file = %path.display(),
                    "a segment cannot be written and waits in memory, as those after it will: {error}; free space on the disk, or set a shorter hls.window"
                );
            }
            state.retry = Some(Instant::now() + RETRY);
            drop(state);
            // What there is of it takes space.
            let _ = fs::remove_file(&path);
            return;
        }
        if state.retry.take().is_some() {
            tracing::info!(directory = %self.directory.display(), "segments can be written again");
        }
        self.metrics.spooled_bytes.inc_by(segment.len());
        self.metrics.spooled_segments.inc();
        // It may have been lost or forgotten meanwhile.
        if state.waiting.front().is_some_and(|front| front.key() == key) {
            state.waiting.pop_front();
            self.metrics.spool_waiting_segments.dec();
            state.kept.insert(key);
            state.settled.push(key);
        } else {
            state.unneeded.push(key);
        }
    }

    fn remove(&self, keys: &[Key]) {
        for key in keys {
            let path = path(&self.directory, *key);
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(file = %path.display(), "a segment that is past its time cannot be removed: {error}");
            }
            self.metrics.spooled_segments.dec();
        }
    }

    /// Removes the directory. Who reads a file of it reads on.
    fn clear(&self) {
        let state = self.state();
        self.metrics.spooled_segments.dec_by(count(state.kept.len() + state.unneeded.len()));
        self.metrics.spool_waiting_segments.dec_by(count(state.waiting.len()));
        drop(state);
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(directory = %self.directory.display(), "it is of no more use and cannot be removed: {error}");
            }
            _ => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number of segments as gauges have it.
fn count(segments: usize) -> i64 {
    i64::try_from(segments).unwrap_or(i64::MAX)
}

fn path(directory: &Path, (rendition, msn): Key) -> PathBuf {
    directory.join(format!("{}-{msn}.m4s", rendition.0))
}

fn write(path: &Path, segment: &Offload) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let mut file = File::create(path)?;
    segment.chunks.iter().try_for_each(|chunk| file.write_all(chunk))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tempfile::TempDir;

    use super::*;

    const VIDEO: RenditionId = RenditionId(0);
    const AUDIO: RenditionId = RenditionId(1);

    fn segment(msn: u64, chunks: &[&'static str]) -> Offload {
        Offload { msn, chunks: chunks.iter().map(|chunk| Bytes::from_static(chunk.as_bytes())).collect() }
    }

    struct Place {
        dir: TempDir,
        metrics: Metrics,
    }

    impl Place {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap(), metrics: Metrics::default() }
        }

        fn directory(&self) -> PathBuf {
            self.dir.path().join("main-mgx.spool")
        }

        fn folder(&self, limit: u64) -> Folder {
            let spool = Spool::open(self.dir.path().into()).unwrap();
            Folder::open(spool, self.directory(), limit, self.metrics.clone()).unwrap()
        }

        fn files(&self) -> Vec<String> {
            let Ok(files) = fs::read_dir(self.directory()) else { return Vec::new() };
            let mut files: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            files.sort();
            files
        }
    }

    /// Waits for what the thread does; fails if it does not.
    fn until(done: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !done() {
            assert!(Instant::now() < deadline, "it did not come about");
            thread::yield_now();
        }
    }

    #[test]
    fn segments_are_files_until_they_are_forgotten() {
        let place = Place::new();
        let folder = place.folder(1_000);
        for msn in 7..10 {
            folder.keep(VIDEO, segment(msn, &["one ", "two"]));
            folder.keep(AUDIO, segment(msn, &["sound"]));
        }
        until(|| place.metrics.spooled_segments.get() == 6);
        assert_eq!(fs::read(folder.path(VIDEO, 8)).unwrap(), b"one two");
        let mut settled = folder.settled();
        settled.sort();
        assert_eq!(settled, [(VIDEO, 7), (VIDEO, 8), (VIDEO, 9), (AUDIO, 7), (AUDIO, 8), (AUDIO, 9)]);
        assert_eq!(folder.settled(), []);
        folder.forget(VIDEO, 9);
        until(|| place.metrics.spooled_segments.get() == 4);
        assert_eq!(place.files(), ["0-9.m4s", "1-7.m4s", "1-8.m4s", "1-9.m4s"]);
        assert_eq!(place.metrics.spooled_bytes.get(), 3 * 7 + 3 * 5);
    }

    #[test]
    fn the_directory_goes_with_its_channel() {
        let place = Place::new();
        let folder = place.folder(1_000);
        folder.keep(VIDEO, segment(1, &["media"]));
        until(|| place.metrics.spooled_segments.get() == 1);
        drop(folder);
        until(|| !place.directory().exists());
        assert_eq!(place.metrics.spooled_segments.get(), 0);
    }

    #[test]
    fn what_the_disk_refuses_waits_up_to_the_limit_and_the_oldest_is_lost() {
        let place = Place::new();
        // Where the directory should be there is a file.
        fs::write(place.directory(), "in the way").unwrap();
        let folder = place.folder(10);
        for msn in 1..4 {
            folder.keep(VIDEO, segment(msn, &["media"]));
        }
        until(|| place.metrics.spool_failures.get() > 0);
        assert_eq!((folder.settled(), place.metrics.spool_lost_segments.get()), (vec![(VIDEO, 1)], 1));
        assert_eq!((place.metrics.spooled_segments.get(), place.metrics.spool_waiting_segments.get()), (0, 2));
        assert!(!folder.path(VIDEO, 1).exists());
    }

    #[test]
    fn a_disk_that_has_room_again_takes_what_waits() {
        let place = Place::new();
        fs::write(place.directory(), "in the way").unwrap();
        let folder = place.folder(100);
        folder.keep(VIDEO, segment(1, &["media"]));
        until(|| place.metrics.spool_failures.get() == 1);
        fs::remove_file(place.directory()).unwrap();
        // The pause after a failure is over.
        until(|| folder.0.state().retry.take().is_some());
        folder.keep(VIDEO, segment(2, &["media"]));
        until(|| place.metrics.spooled_segments.get() == 2);
        assert_eq!(folder.settled(), [(VIDEO, 1), (VIDEO, 2)]);
    }

    #[test]
    fn what_is_forgotten_before_it_is_written_is_not_written() {
        let place = Place::new();
        fs::write(place.directory(), "in the way").unwrap();
        let folder = place.folder(100);
        folder.keep(VIDEO, segment(1, &["media"]));
        until(|| place.metrics.spool_failures.get() == 1);
        folder.forget(VIDEO, 2);
        assert_eq!(place.metrics.spool_waiting_segments.get(), 0);
        assert_eq!(folder.settled(), []);
    }
}
