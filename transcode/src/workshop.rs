//! What the ladders of all channels share: the worker program, what it can do here, and a worker in reserve.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::metrics::Metrics;
use crate::plan::{Codec, Encoder};
use crate::probe::{Probe, Verdict};
use crate::process::Process;
use crate::{Abilities, Budget, Settings};

/// The file name of the worker.
pub const PROGRAM: &str = "touchline-transcode";
/// What is to be installed where the worker does not start, on Debian 12.
pub const PACKAGES: &str =
    "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly gstreamer1.0-libav";

/// How long a probe may take: the first one looks through all plugins.
const PROBING: Duration = Duration::from_secs(20);
/// How long a channel waits to learn what encoders there are.
const PATIENCE: Duration = Duration::from_secs(20);
/// Encoders at once that a probe tries, as many as a ladder has rungs: some hardware has a limit.
const PROBED_RUNGS: usize = 3;

/// What the ladders of all channels share. Clones share it too.
#[derive(Debug, Clone)]
pub struct Workshop(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: PathBuf,
    reserve: Mutex<Option<Process>>,
    abilities: watch::Receiver<Arc<Abilities>>,
    metrics: Metrics,
}

impl Workshop {
    /// Finds out in the background what the worker can do here: the encoders of `codec` one after the other, the most
    /// wanted first; none where no ladders are wanted. Keeps a worker in reserve. Within a Tokio runtime.
    pub fn open(program: PathBuf, budget: Budget, codecs: Vec<Codec>, metrics: Metrics) -> Self {
        let (found, abilities) = watch::channel(Arc::new(Abilities { encoders: Vec::new(), complete: false, budget }));
        tokio::spawn(explore(program.clone(), codecs, found));
        Self(Arc::new(Shared { program, reserve: Mutex::default(), abilities, metrics }))
    }

    /// Waits until it is known what the machine can do for such a ladder, or has taken too long to be.
    pub(crate) async fn explored(&self, settings: &Settings) {
        let mut abilities = self.0.abilities.clone();
        if timeout(PATIENCE, abilities.wait_for(|known| known.suffice(settings))).await.is_err() {
            warn!("it is not known yet which encoders work here");
        }
    }

    /// What the machine can do, as far as it is known.
    pub(crate) fn abilities(&self) -> Arc<Abilities> {
        Arc::clone(&self.0.abilities.borrow())
    }

    /// A worker that waits for a plan: the one in reserve, if there is one. Another takes its place.
    pub(crate) fn take(&self) -> io::Result<Process> {
        let reserve = self.0.reserve.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ready = reserve.filter(Process::is_alive);
        let process = ready.map_or_else(|| Process::spawn(&self.0.program), Ok)?;
        self.restock();
        Ok(process)
    }

    /// Has a worker in reserve.
    pub(crate) fn restock(&self) {
        let mut reserve = self.0.reserve.lock().unwrap_or_else(PoisonError::into_inner);
        if !reserve.as_ref().is_some_and(Process::is_alive) {
            *reserve =
                Process::spawn(&self.0.program).inspect_err(|error| debug!("no worker in reserve: {error}")).ok();
        }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }
}

/// The worker program: where the operator says, else beside this program, else on the search path.
pub fn find(configured: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = configured {
        return path.is_file().then(|| path.to_owned());
    }
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(PROGRAM)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let elsewhere = std::env::split_paths(&path).map(|folder| folder.join(PROGRAM));
    beside.into_iter().chain(elsewhere).find(|candidate| candidate.is_file())
}

/// Has a throw-away worker try an encoder.
pub async fn probe(program: &Path, encoder: Encoder) -> Probe {
    let failed = |reason: String| Probe {
        encoder: encoder.to_string(),
        verdict: Verdict::Broken,
        reason,
        package: String::new(),
        cost: None,
    };
    let output = Command::new(program)
        .args(["probe", encoder.element(), "--rungs", &PROBED_RUNGS.to_string()])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    match timeout(PROBING, output).await {
        Err(_) => failed(format!("it took more than {} s", PROBING.as_secs())),
        Ok(Err(error)) => failed(format!("{} cannot be run: {error}", program.display())),
        Ok(Ok(output)) => serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            let words = String::from_utf8_lossy(&output.stderr);
            failed(format!("the probe ended with {}: {}", output.status, words.lines().last().unwrap_or("no word")))
        }),
    }
}

/// Probes encoder after encoder, and tells of those that work.
async fn explore(program: PathBuf, codecs: Vec<Codec>, found: watch::Sender<Arc<Abilities>>) {
    let mut abilities = Abilities::clone(&found.borrow());
    let wanted = Encoder::H264.into_iter().chain(Encoder::HEVC).filter(|encoder| codecs.contains(&encoder.codec()));
    let mut last = None;
    for encoder in wanted {
        let probe = probe(&program, encoder).await;
        match (probe.verdict, probe.cost) {
            (Verdict::Works, Some(cost)) => {
                info!("{encoder} works here");
                abilities.encoders.push((encoder, cost));
                found.send_replace(Arc::new(abilities.clone()));
            }
            (Verdict::Broken, _) => warn!("{encoder} is there but cannot be used: {}", probe.reason),
            _ => debug!("{encoder}: {}", probe.reason),
        }
        last = Some(probe.reason);
    }
    if abilities.encoders.is_empty() && !codecs.is_empty() {
        let last = last.unwrap_or_default();
        warn!("no encoder works here, so sources are passed through as they are ({last}). Install: {PACKAGES}");
    }
    abilities.complete = true;
    found.send_replace(Arc::new(abilities));
}
