//! Segments far from the live edge, kept in files: a window of hours does not fit in memory.

mod folder;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use touchline_media::ChannelName;
use touchline_packager::{Epoch, Name};

pub(crate) use self::folder::Folder;
use crate::metrics::Metrics;

/// How far from the live edge a segment is moved to a file: past where almost all who watch live ask for it.
pub(crate) const DISTANCE: Duration = Duration::from_mins(1);
/// Bytes of one channel's segments that may wait in memory for a disk that is slow, full or broken: some minutes of media.
pub(crate) const MAX_WAITING: u64 = 256 << 20;

/// In the configured directory: who has it locked owns it.
const LOCK: &str = "touchline.lock";
/// How the directory of a presentation ends.
const SUFFIX: &str = ".spool";

/// Where the segments of a channel are that are far from the live edge.
#[derive(Debug)]
pub(crate) enum Archive {
    /// In memory, as the others.
    Memory,
    /// In files.
    Files(Folder),
    /// On the origins, which are asked for them.
    Origins,
}

/// A directory that this process alone keeps segments in. Clones share it.
#[derive(Debug, Clone)]
pub struct Spool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    /// Locked for as long as it is open.
    _lock: File,
}

impl Spool {
    /// Makes the directory where there is none, and removes what an earlier process left in it: directories that are
    /// named as ours, and nothing else.
    pub fn open(directory: PathBuf) -> Result<Self, Error> {
        let unusable = |reason| Error::Unusable { directory: directory.clone(), reason };
        fs::create_dir_all(&directory).map_err(unusable)?;
        let lock = File::create(directory.join(LOCK)).map_err(unusable)?;
        lock.try_lock().map_err(|why| match why {
            TryLockError::WouldBlock => Error::Taken { directory: directory.clone() },
            TryLockError::Error(reason) => unusable(reason),
        })?;
        for stale in stale(&directory).map_err(unusable)? {
            tracing::info!(directory = %stale.display(), "removing segments that an earlier run left");
            fs::remove_dir_all(&stale).map_err(unusable)?;
        }
        Ok(Self(Arc::new(Inner { directory, _lock: lock })))
    }

    /// A place for the segments of one presentation; its directory is made with the first of them.
    pub(crate) fn folder(&self, channel: &ChannelName, epoch: Epoch, metrics: Metrics) -> io::Result<Folder> {
        Folder::open(self.clone(), self.0.directory.join(format!("{channel}-{epoch}{SUFFIX}")), MAX_WAITING, metrics)
    }
}

fn stale(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut stale = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && entry.file_name().to_str().is_some_and(is_ours) {
            stale.push(entry.path());
        }
    }
    Ok(stale)
}

/// Whether a directory is named after a channel and an epoch.
fn is_ours(name: &str) -> bool {
    let parts = name.strip_suffix(SUFFIX).and_then(|stem| stem.rsplit_once('-'));
    parts.is_some_and(|(channel, epoch)| {
        channel.parse::<ChannelName>().is_ok() && format!("seg0-{epoch}.m4s").parse::<Name>().is_ok()
    })
}

/// Why segments cannot be kept in files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory cannot be made, read or written.
    #[error("segments cannot be kept in {directory}: {reason}; choose a directory that the user that the server runs as may write ([hls] spool)", directory = directory.display())]
    Unusable {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// Another process has it.
    #[error("segments cannot be kept in {directory}: another server that runs keeps its own there; give each a directory ([hls] spool)", directory = directory.display())]
    Taken {
        /// The directory.
        directory: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_run_left_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let names =
            ["main-mgx2k9a7.spool", "cam-2-mgx2k9a7.spool", "main.spool", "main-MGX.spool", "a b-mgx.spool", "films"];
        for name in names {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("0-1.m4s"), "media").unwrap();
        }
        fs::write(dir.path().join("file-mgx.spool"), "not a directory").unwrap();
        let _spool = Spool::open(dir.path().into()).unwrap();
        let left = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut left: Vec<String> = left.collect();
        left.sort();
        assert_eq!(left, ["a b-mgx.spool", "file-mgx.spool", "films", "main-MGX.spool", "main.spool", LOCK]);
    }

    #[test]
    fn a_directory_is_one_servers_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = Spool::open(dir.path().into()).unwrap();
        let refused = Spool::open(dir.path().into()).unwrap_err();
        assert!(matches!(refused, Error::Taken { .. }), "{refused}");
        drop(first);
        assert!(Spool::open(dir.path().into()).is_ok());
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = Spool::open(file.path().join("spool")).unwrap_err().to_string();
        assert!(
            refused.starts_with(&format!("segments cannot be kept in {}/spool: ", file.path().display())),
            "{refused}"
        );
    }
}
