//! A real nats-server on a port of its own.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often a test looks whether the server is there.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A running `nats-server` with JetStream. Dropping it ends the process.
pub(crate) struct Nats {
    child: Child,
    directory: tempfile::TempDir,
    more: Vec<String>,
    port: u16,
}

impl Nats {
    /// Starts one.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| Vec::new())
    }

    /// Starts one with more arguments, which may name files of a directory that is its own.
    pub(crate) fn start_with(more: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let more = more(directory.path());
        let child = spawn(directory.path(), -1, &more);
        let port = port(directory.path(), &child);
        Self { child, directory, more, port }
    }

    /// `nats://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends it on the spot, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was, with what it has on its disk.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.directory.path(), self.port.into(), &self.more);
        port(self.directory.path(), &self.child);
    }

    /// Takes from its disk what it has there.
    pub(crate) fn forget(&self) {
        std::fs::remove_dir_all(self.directory.path().join("data")).unwrap();
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `make test` installs it.
fn program() -> PathBuf {
    let within = |tools: PathBuf| {
        let there =
            std::fs::read_dir(tools).ok()?.filter_map(Result::ok).map(|entry| entry.path().join("bin/nats-server"));
        there.into_iter().find(|program| program.exists())
    };
    let installed = || {
        let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        folders.map(|folder| folder.join("target/tools")).find_map(within)
    };
    let program = std::env::var_os("NATS_SERVER").map(PathBuf::from).or_else(installed);
    program
        .unwrap_or_else(|| panic!("there is no nats-server. Run `make test`, or set $NATS_SERVER to the path of one."))
}

fn spawn(directory: &Path, port: i32, more: &[String]) -> Child {
    let program = program();
    let mut command = Command::new(&program);
    command.args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream", "--store_dir"]);
    command.arg(directory.join("data")).arg("--ports_file_dir").arg(directory).args(more);
    let log = std::fs::File::create(directory.join("log")).unwrap();
    command.stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// Waits until it listens; where.
fn port(directory: &Path, child: &Child) -> u16 {
    let file = directory.join(format!("nats-server_{}.ports", child.id()));
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let ports = std::fs::read_to_string(&file).unwrap_or_default();
        let port = ports.split("127.0.0.1:").nth(1).and_then(|rest| rest.split('"').next()?.parse().ok());
        if let Some(port) = port {
            return port;
        }
        let log = || std::fs::read_to_string(directory.join("log")).unwrap_or_default();
        assert!(Instant::now() < deadline, "nats-server does not listen:\n{}", log());
        std::thread::sleep(LOOK_AGAIN);
    }
}
