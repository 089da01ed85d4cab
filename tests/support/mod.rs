//! A real server process with ephemeral ports, and the peers that the tests need.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How often a test looks whether something has come about: what it waits for needs the processor too.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A running `touchline serve`. Dropping it ends the process.
pub(crate) struct Server {
    child: Child,
    pub(crate) http: SocketAddr,
    pub(crate) rtmp: SocketAddr,
    pub(crate) srt: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Where the configuration has one.
    pub(crate) https: Option<SocketAddr>,
    /// Where the configuration has one.
    pub(crate) rtmps: Option<SocketAddr>,
    log: PathBuf,
    _dir: Dir,
}

impl Server {
    /// Starts one with the given `touchline.toml`.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_by(touchline(), config)
    }

    /// Starts one by a command that is made otherwise than [`touchline`].
    pub(crate) fn start_by(mut command: Command, config: &str) -> Self {
        let dir = Dir::new();
        let (file, log) = (dir.0.join("touchline.toml"), dir.0.join("log"));
        std::fs::write(&file, config).unwrap();
        let mut child = command
            .args([
                "serve",
                "--http=127.0.0.1:0",
                "--rtmp=127.0.0.1:0",
                "--srt=127.0.0.1:0",
                "--webrtc=127.0.0.1:0",
                "--admin=127.0.0.1:0",
                "--config",
            ])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = || -> SocketAddr {
            let line = lines.next().and_then(Result::ok).unwrap_or_else(|| {
                panic!("the server did not start:\n{}", std::fs::read_to_string(&log).unwrap_or_default())
            });
            let url = line.split_whitespace().nth(1).unwrap();
            url.split(['/', '?']).nth(2).unwrap().parse().unwrap()
        };
        let (http, rtmp, admin) = (address(), address(), address());
        let https = config.contains("[https]").then(&mut address);
        let srt = address();
        let rtmps = config.contains("[rtmps]").then(&mut address);
        // The last line, of the publish page: a server that nobody listens to does not start.
        address();
        Self { child, http, rtmp, srt, admin, https, rtmps, log, _dir: dir }
    }

    /// Starts an edge of these origins, with the given `touchline.toml`.
    pub(crate) fn edge(origins: &[&Self], config: &str) -> Self {
        let dir = Dir::new();
        let (file, log) = (dir.0.join("touchline.toml"), dir.0.join("log"));
        std::fs::write(&file, config).unwrap();
        let mut command = touchline();
        command.args(["edge", "--http=127.0.0.1:0", "--admin=127.0.0.1:0", "--config"]).arg(&file);
        for origin in origins {
            command.args(["--origin", &format!("http://{}", origin.http)]);
        }
        let child = command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap()).spawn();
        let mut child = child.unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = || -> SocketAddr {
            let line = lines.next().and_then(Result::ok).unwrap_or_else(|| {
                panic!("the edge did not start:\n{}", std::fs::read_to_string(&log).unwrap_or_default())
            });
            let url = line.split_whitespace().nth(1).unwrap();
            url.split('/').nth(2).unwrap().parse().unwrap()
        };
        let (http, admin) = (address(), address());
        // The last lines, of the origins: an edge that nobody listens to does not start.
        for _ in origins {
            address();
        }
        let none = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { child, http, rtmp: none, srt: none, admin, https: None, rtmps: None, log, _dir: dir }
    }

    /// Ends the process at once, as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A URL for viewers.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    /// GETs a path of the viewers' listener; the status and the body.
    pub(crate) fn get(&self, path: &str) -> (u16, Vec<u8>) {
        get(self.http, path)
    }

    /// The text at a path that must be there.
    pub(crate) fn text(&self, path: &str) -> String {
        let (status, body) = self.get(path);
        let body = String::from_utf8(body).unwrap();
        assert_eq!(status, 200, "{path}: {body}\n{}", self.log());
        body
    }

    /// Sends a recorded session that is taken, and waits until all of it has been packaged.
    pub(crate) fn replay(&self, fixture: &str) {
        let departures = || self.log().matches("the publisher has left").count();
        let before = departures();
        let answer = self.publish(&session(fixture)).finish();
        assert!(answer.contains("NetStream.Publish.Start"), "{fixture}: {answer}\n{}", self.log());
        until(|| departures() > before);
    }

    /// Sends the beginning of a session and keeps the connection.
    pub(crate) fn publish(&self, bytes: &[u8]) -> Publisher {
        let mut socket = TcpStream::connect(self.rtmp).unwrap();
        let mut answers = socket.try_clone().unwrap();
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            // A server that refuses may reset what it has not read.
            let _ = answers.read_to_end(&mut all);
            String::from_utf8_lossy(&all).into_owned()
        });
        let _ = socket.write_all(bytes);
        Publisher { socket, reader }
    }

    /// What the server has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Asks it to drain; the exit code, and the log.
    pub(crate) fn drain(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        (code, self.log())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that has sent what it was given.
pub(crate) struct Publisher {
    socket: TcpStream,
    reader: std::thread::JoinHandle<String>,
}

impl Publisher {
    /// Sends more.
    pub(crate) fn send(&self, bytes: &[u8]) {
        (&self.socket).write_all(bytes).unwrap();
    }

    /// Says that nothing follows; what the server has answered until it closed the connection.
    pub(crate) fn finish(self) -> String {
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
        self.reader.join().unwrap()
    }
}

/// The binary under test. It makes no renditions unless told to.
pub(crate) fn touchline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_touchline"));
    command.env("TOUCHLINE_LADDER", "off").env("TOUCHLINE_WORKER", "/nonexistent/touchline-transcode");
    command
}

/// The black box.
pub(crate) fn loadtest() -> Command {
    let path = Path::new(env!("CARGO_BIN_EXE_touchline")).with_file_name("touchline-loadtest");
    let missing = "Build it: cargo build -p touchline-loadtest (`make test` does)";
    assert!(path.is_file(), "{} is not there. {missing}", path.display());
    Command::new(path)
}

/// The bytes of a recorded session.
pub(crate) fn session(fixture: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(fixture)).unwrap()
}

/// Where the recorded sessions are.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Runs a command that must succeed; its output.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// An ffmpeg that publishes by WHIP, which that of Debian 12 does not: `tools/ffmpeg-9` fetches it where there is none.
pub(crate) fn ffmpeg_9() -> PathBuf {
    let output = run(&mut Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/ffmpeg-9")));
    String::from_utf8(output.stdout).unwrap().trim_end().into()
}

/// One request over a connection of its own (RFC 9112).
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, Vec<u8>) {
    send(address, "GET", path)
}

/// The same by another method, without a body.
pub(crate) fn send(address: SocketAddr, method: &str, path: &str) -> (u16, Vec<u8>) {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = Vec::new();
    socket.read_to_end(&mut response).unwrap();
    let end = response.windows(4).position(|window| window == b"\r\n\r\n").expect("a response head") + 4;
    let head = String::from_utf8_lossy(&response[..end]).into_owned();
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    (status, response.split_off(end))
}

/// Waits for something that another process brings about; fails if it never does.
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < deadline, "it did not come about within a minute");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// A folder that is there until it is dropped.
pub(crate) struct Dir(pub(crate) PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("touchline-test-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
