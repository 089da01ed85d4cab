//! The processes of a rehearsal: started, waited for, struck by faults, ended.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::Error;
use super::places::Places;
use super::scenario::{Deed, Fault, Process, Scenario};
use crate::check::client::{Ask, Client};
use crate::check::dial::Tcp;

/// How often it is asked whether a process is ready.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How long such an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// A process that is asked to end has so long to do it.
const GOODBYE: Duration = Duration::from_secs(5);
/// How much of a log is told, in lines.
const MAX_LINES: usize = 20;

/// Processes and where they are.
pub(super) struct Stage {
    folder: PathBuf,
    places: Places,
    running: BTreeMap<String, Actor>,
    client: Client<Tcp>,
}

/// A process that has been started.
struct Actor {
    child: Child,
    /// Somebody has ended it, or is going to.
    expected: bool,
    /// It has ended by itself, and that was told.
    told: bool,
}

impl Stage {
    /// A stage whose logs are in `folder`.
    pub(super) fn new(folder: PathBuf) -> Self {
        let client = Client::new(Tcp, false, true);
        Self { folder, places: Places::default(), running: BTreeMap::new(), client }
    }

    /// Puts ports in the place of names.
    pub(super) fn fill(&mut self, text: &str) -> Result<String, Error> {
        self.places.fill(text).map_err(|source| Error::Ports { source })
    }

    /// Starts all processes that are there from the beginning, each once the one before is ready.
    pub(super) async fn set(&mut self, scenario: &Scenario) -> Result<(), Error> {
        for process in scenario.processes.iter().filter(|process| !process.later) {
            self.start(process)?;
            self.await_ready(process).await?;
        }
        Ok(())
    }

    /// The process ID of a process that runs.
    pub(super) fn pid(&self, name: &str) -> Option<u32> {
        self.running.get(name)?.child.id()
    }

    fn start(&mut self, process: &Process) -> Result<(), Error> {
        let command = process.command.iter().map(|word| self.fill(word)).collect::<Result<Vec<_>, _>>()?;
        let failed = |source| Error::Start { process: process.name.clone(), command: command.join(" "), source };
        let Some((program, arguments)) = command.split_first() else { return Ok(()) };
        let log = File::options().create(true).append(true).open(self.log_of(&process.name)).map_err(failed)?;
        let child = Command::new(beside_this(program))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            // What ends this command is not to reach them before they are asked to end.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        self.running.insert(process.name.clone(), Actor { child, expected: false, told: false });
        Ok(())
    }

    /// Waits until a process is ready, or has ended.
    async fn await_ready(&mut self, process: &Process) -> Result<(), Error> {
        let Some(ready) = &process.ready else { return Ok(()) };
        let ready = self.fill(ready)?;
        let url: Url = ready.parse().map_err(|_| Error::Url { process: process.name.clone(), url: ready.clone() })?;
        let until = Instant::now() + process.within;
        loop {
            let answer = self.client.ask(&url, &Ask::get(ANSWER_WITHIN)).await;
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            let late = Instant::now() > until;
            if late || self.ended(&process.name).is_some() {
                let (name, said) = (process.name.clone(), self.last_words(&process.name));
                return Err(Error::NotReady { process: name, url: ready, said });
            }
            sleep(ASK_EVERY).await;
        }
    }

    /// Does to a process what a fault does.
    pub(super) async fn strike(&mut self, fault: &Fault, scenario: &Scenario) -> Result<(), Error> {
        if fault.deed == Deed::Start {
            let process = scenario.processes.iter().find(|process| process.name == fault.process);
            return process.map_or(Ok(()), |process| self.start(process));
        }
        let Some(actor) = self.running.get_mut(&fault.process) else { return Ok(()) };
        let signal = match fault.deed {
            Deed::Kill => Signal::KILL,
            Deed::Stop => Signal::TERM,
            Deed::Pause => Signal::STOP,
            Deed::Resume | Deed::Start => Signal::CONT,
        };
        actor.expected |= matches!(fault.deed, Deed::Kill | Deed::Stop);
        signal_to(&actor.child, signal);
        if fault.deed == Deed::Kill {
            // Its ports are free once it is gone, which another fault may count on.
            let _ = timeout(GOODBYE, actor.child.wait()).await;
        }
        Ok(())
    }

    /// Processes that have ended though nobody had ended them, each once, with how they did.
    pub(super) fn lost(&mut self) -> Vec<String> {
        let mut lost = Vec::new();
        for (name, actor) in self.running.iter_mut().filter(|(_, actor)| !actor.expected && !actor.told) {
            if let Ok(Some(status)) = actor.child.try_wait() {
                actor.told = true;
                lost.push(format!("{name} ended by itself: {status}"));
            }
        }
        lost
    }

    fn ended(&mut self, name: &str) -> Option<ExitStatus> {
        self.running.get_mut(name)?.child.try_wait().ok().flatten()
    }

    /// Asks all processes to end, the last that was needed first, and waits until they have.
    pub(super) async fn clear(&mut self, scenario: &Scenario) {
        for process in scenario.processes.iter().rev() {
            let Some(mut actor) = self.running.remove(&process.name) else { continue };
            signal_to(&actor.child, Signal::CONT);
            signal_to(&actor.child, Signal::TERM);
            if timeout(GOODBYE, actor.child.wait()).await.is_err() {
                // It is gone then, or there is nothing more to be done.
                let _ = actor.child.kill().await;
            }
        }
    }

    /// The end of what a process has said.
    pub(super) fn last_words(&self, name: &str) -> String {
        let log = std::fs::read(self.log_of(name)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(MAX_LINES)..).unwrap_or_default().join("\n")
    }

    fn log_of(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }
}

fn signal_to(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    if let Some(pid) = pid {
        // A process that has just ended needs no signal.
        let _ = kill_process(pid, signal);
    }
}

/// The program beside this one, where there is one of this name; else whatever the search path has.
pub(super) fn beside_this(program: &str) -> PathBuf {
    let beside = || -> io::Result<PathBuf> { Ok(std::env::current_exe()?.with_file_name(program)) };
    match beside() {
        Ok(path) if !program.contains('/') && path.is_file() => path,
        _ => Path::new(program).to_owned(),
    }
}
