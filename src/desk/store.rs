//! What outlives the process: `desk.json` and, for each past event, `past/ID-KICKOFF.json`.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::audit::Audit;
use super::calendar::Planned;
use super::deliveries::Deliveries;
use super::learning::Past;
use super::pool::Orders;
use super::timeline::Timeline;

/// What can be read; another number is of another program.
const VERSION: u32 = 1;
const FILE: &str = "desk.json";
const PAST: &str = "past";

/// What is in `desk.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Notes {
    pub(super) version: u32,
    pub(super) events: BTreeMap<String, Planned>,
    /// By pool.
    pub(super) orders: BTreeMap<String, Orders>,
    /// Nodes that each pool needed.
    pub(super) needed: BTreeMap<String, u64>,
    /// How many watched, of late.
    pub(super) seen: VecDeque<(Duration, f64)>,
    pub(super) recording: Option<Past>,
    pub(super) timeline: Timeline,
    pub(super) audit: Audit,
    pub(super) deliveries: Deliveries,
}

/// What was kept, and where to keep it; nowhere, unless it has been read from somewhere.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(super) store: Option<Store>,
    pub(super) notes: Notes,
    pub(super) past: Vec<Past>,
}

/// The directory.
#[derive(Debug, Clone)]
pub(super) struct Store(PathBuf);

/// Something that is to be written.
#[derive(Debug)]
pub(super) struct Writing {
    path: PathBuf,
    json: Vec<u8>,
}

impl Kept {
    /// Makes the directory, and reads what there is in it.
    pub(super) fn read(directory: &Path) -> anyhow::Result<Self> {
        let place = || format!("desk.state: {}", directory.display());
        fs::create_dir_all(directory.join(PAST)).with_context(|| format!("{} cannot be made", place()))?;
        let file = directory.join(FILE);
        let notes = if file.exists() {
            let json = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
            let notes: Notes = serde_json::from_slice(&json).with_context(|| {
                format!("{} is damaged; move it away to begin without events and overrides", file.display())
            })?;
            ensure!(
                notes.version == VERSION,
                "{} is of version {}, and this program reads {VERSION}; move it away, or run the program that wrote it",
                file.display(),
                notes.version
            );
            notes
        } else {
            Notes::default()
        };
        let mut past = Vec::new();
        let listed = fs::read_dir(directory.join(PAST)).with_context(|| format!("{} cannot be read", place()))?;
        for path in listed
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        {
            match fs::read(&path).map_err(anyhow::Error::from).and_then(|json| Ok(serde_json::from_slice(&json)?)) {
                Ok(event) => past.push(event),
                // One event less to learn from is no reason not to serve.
                Err(why) => warn!("{} is not learnt from: {why}", path.display()),
            }
        }
        Ok(Self { store: Some(Store(directory.to_owned())), notes, past })
    }
}

impl Store {
    pub(super) fn writing(&self, notes: Notes) -> Writing {
        let notes = Notes { version: VERSION, ..notes };
        Writing { path: self.0.join(FILE), json: serde_json::to_vec(&notes).unwrap_or_default() }
    }

    pub(super) fn writing_past(&self, past: &Past) -> Writing {
        let path = self.0.join(PAST).join(format!("{}.json", past.name()));
        Writing { path, json: serde_json::to_vec(past).unwrap_or_default() }
    }
}

impl Writing {
    /// Whoever reads the file finds it as it was, or as it is.
    pub(super) fn write(&self) {
        let new = self.path.with_extension("new");
        let write = || {
            let mut file = fs::File::create(&new)?;
            file.write_all(&self.json)?;
            file.sync_data()?;
            fs::rename(&new, &self.path)
        };
        if let Err(why) = write() {
            warn!(
                "{} cannot be written: {why}. After a restart the desk would not know what it knows",
                self.path.display()
            );
        }
    }
}
