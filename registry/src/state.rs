//! The last good answer, on disk: what a node knows that starts while the store is away.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::book::Remembered;

const FILE: &str = "registry.json";
const NEW_FILE: &str = "registry.json.new";
/// The longest file that is read, in bytes: all that a book holds is less.
const MAX_FILE: u64 = 16 * 1_024 * 1_024;

/// A directory that it is kept in.
#[derive(Debug, Clone)]
pub(crate) struct State(PathBuf);

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// Unix time in milliseconds.
    saved: u64,
    #[serde(flatten)]
    known: Remembered,
}

impl State {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.0
    }

    /// What was kept, and how long ago; `None`: nothing was.
    pub(crate) fn load(&self, unix: Duration) -> io::Result<Option<(Remembered, Duration)>> {
        let file = match File::open(self.0.join(FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut text)?;
        let kept: Kept = serde_json::from_slice(&text)?;
        Ok(Some((kept.known, unix.saturating_sub(Duration::from_millis(kept.saved)))))
    }

    /// Keeps it in place of what was kept: whoever reads finds the one or the other, whole.
    pub(crate) fn save(&self, known: Remembered, unix: Duration) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let saved = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
        let new = self.0.join(NEW_FILE);
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(&Kept { saved, known })?)?;
        file.sync_all()?;
        fs::rename(new, self.0.join(FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_hours(400_000);

    #[test]
    fn what_was_kept_last_is_read_and_nothing_before_anything_was() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(directory.path().join("state"));
        assert_eq!(state.load(NOW).unwrap(), None);
        let known: Remembered = serde_json::from_str(
            r#"{"nodes":{"a":{"url":"http://a","role":"origin","started":7}},
                "channels":{"main":{"epoch":3,"claims":[{"node":"a"}]}},"pathways":{}}"#,
        )
        .unwrap();
        state.save(Remembered::default(), NOW).unwrap();
        state.save(known.clone(), NOW).unwrap();
        assert_eq!(state.load(NOW + Duration::from_secs(5)).unwrap(), Some((known, Duration::from_secs(5))));
        assert!(!directory.path().join("state").join(NEW_FILE).exists());
    }

    #[test]
    fn what_is_damaged_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), "{\"saved\":7,\"nod").unwrap();
        assert!(State::new(directory.path().into()).load(NOW).is_err());
    }
}
