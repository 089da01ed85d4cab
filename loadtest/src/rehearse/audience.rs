//! The viewers of a rehearsal: a `touchline-loadtest watch` for each group, whose report is read in the end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::Error;
use super::scenario::{Scenario, Viewers};
use super::stage::{Stage, beside_this};
use crate::watch::Report;

/// How long viewers may take to tell what they have seen.
const TELLING: Duration = Duration::from_secs(20);

/// A group that watches.
pub(super) struct Group {
    name: String,
    child: Child,
    report: PathBuf,
}

impl Group {
    /// Lets a group begin to watch.
    pub(super) fn start(
        viewers: &Viewers,
        scenario: &Scenario,
        stage: &mut Stage,
        folder: &Path,
    ) -> Result<Self, Error> {
        let report = folder.join(format!("{}.json", viewers.name));
        let url = stage.fill(&viewers.url)?;
        let watch = scenario.duration.saturating_sub(viewers.ramp);
        let seconds = |time: Duration| format!("{}ms", time.as_millis());
        let mut command = Command::new(beside_this("touchline-loadtest"));
        command.args(["watch", &url, "--viewers", &viewers.count.to_string()]);
        command.args(["--ramp", &seconds(viewers.ramp), "--duration", &seconds(watch)]);
        command.arg("--report").arg(&report).args(&viewers.flags);
        for pid in viewers.of.iter().filter_map(|process| stage.pid(process)) {
            command.args(["--server-pid", &pid.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        let failed = |source| Error::Start { process: viewers.name.clone(), command: format!("watch {url}"), source };
        let mut child = command.spawn().map_err(failed)?;
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(pass_on(stderr, viewers.name.clone()));
        }
        Ok(Self { name: viewers.name.clone(), child, report })
    }

    /// Waits until the group has told what it has seen.
    pub(super) async fn told(mut self) -> Result<(String, Report), Error> {
        let untold = |why: String| Error::Untold { viewers: self.name.clone(), why };
        match timeout(TELLING, self.child.wait()).await {
            // Its exit code is about limits that nobody has set.
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(untold(error.to_string())),
            Err(_) => return Err(untold(format!("it took more than {} s to end", TELLING.as_secs()))),
        }
        let text = std::fs::read_to_string(&self.report).map_err(|error| untold(error.to_string()))?;
        let report = serde_json::from_str(&text).map_err(|error| untold(error.to_string()))?;
        Ok((self.name, report))
    }
}

/// Passes on what viewers say of their progress.
async fn pass_on(stderr: tokio::process::ChildStderr, name: String) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if !line.is_empty() {
            eprintln!("rehearse: {name}: {}", line.strip_prefix("watch: ").unwrap_or(&line));
        }
    }
}
