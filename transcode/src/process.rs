//! A worker process and the socket to it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::message::{Answer, Packet, Request};

/// Messages that may wait for a worker: some ten seconds of a feed, and what it is given to take over.
const MAX_REQUESTS: usize = 8_192;
/// Answers that may wait for the channel.
const MAX_ANSWERS: usize = 256;
/// How long a worker that has closed its socket may take to exit.
const EXIT: Duration = Duration::from_secs(1);
/// Lines of a worker's standard error that are logged as warnings; the rest can be seen with a finer log level.
const MAX_LINES: usize = 20;

/// A running worker. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    requests: mpsc::Sender<Packet>,
    answers: mpsc::Receiver<Answer>,
    child: Child,
    /// Ends with the worker's last words.
    listener: JoinHandle<Option<String>>,
}

/// What comes of a worker.
#[derive(Debug)]
pub(crate) enum Event {
    Answer(Answer),
    /// It is gone; why, in words.
    Gone(String),
}

impl Process {
    /// Starts `program` as a worker that waits for a plan. Within a Tokio runtime.
    pub(crate) fn spawn(program: &Path) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let (reader, writer) = UnixStream::from_std(ours)?.into_split();
        let mut child = Command::new(program)
            .arg("work")
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (requests, to_send) = mpsc::channel(MAX_REQUESTS);
        let (received, answers) = mpsc::channel(MAX_ANSWERS);
        tokio::spawn(write(writer, to_send));
        tokio::spawn(read(reader, received));
        let listener = tokio::spawn(listen(child.stderr.take(), child.id()));
        Ok(Self { requests, answers, child, listener })
    }

    /// Its process id, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether it can still be told anything.
    pub(crate) fn is_alive(&self) -> bool {
        !self.answers.is_closed() && !self.requests.is_closed()
    }

    /// Tells it something; false when it has let too much wait, or is gone.
    pub(crate) fn send(&self, request: &Request) -> bool {
        self.requests.try_send(request.into()).is_ok()
    }

    /// Ends it by force; what it has said before is still to be heard.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself meanwhile.
        drop(self.child.start_kill());
    }

    /// What comes next of it; after [`Event::Gone`] nothing. Cancel safe.
    pub(crate) async fn next(&mut self) -> Event {
        match self.answers.recv().await {
            Some(answer) => Event::Answer(answer),
            None => Event::Gone(self.epitaph().await),
        }
    }

    async fn epitaph(&mut self) -> String {
        let ended = match timeout(EXIT, self.child.wait()).await {
            Ok(Ok(status)) => cause(status),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it has closed its socket, but runs on".into(),
        };
        match timeout(EXIT, &mut self.listener).await {
            Ok(Ok(Some(words))) => format!("{ended}; its last words: {words}"),
            _ => ended,
        }
    }
}

fn cause(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(0), _) => "it has ended by itself".into(),
        (_, Some(11)) => "it crashed: SIGSEGV".into(),
        (_, Some(6)) => "it crashed: SIGABRT".into(),
        (_, Some(9)) => "it was killed: SIGKILL; if nobody did that, the machine is out of memory".into(),
        _ => status.to_string(),
    }
}

async fn write(mut socket: OwnedWriteHalf, mut packets: mpsc::Receiver<Packet>) {
    while let Some(Packet { head, payload }) = packets.recv().await {
        // One writev for each message.
        if let Err(error) = socket.write_all_buf(&mut Buf::chain(&head[..], payload)).await {
            return debug!("a worker reads no more: {error}");
        }
    }
}

async fn read(mut socket: OwnedReadHalf, answers: mpsc::Sender<Answer>) {
    let mut buffer = BytesMut::with_capacity(64 * 1_024);
    loop {
        match Packet::take(&mut buffer).and_then(|packet| packet.map(Answer::try_from).transpose()) {
            Ok(Some(answer)) => {
                if answers.send(answer).await.is_err() {
                    return;
                }
            }
            Ok(None) => match socket.read_buf(&mut buffer).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => return debug!("a worker's socket: {error}"),
            },
            Err(error) => return warn!("a worker talks nonsense: {error}. Is it of this version?"),
        }
    }
}

/// Logs what a worker says to people. Returns its last line.
async fn listen(stderr: Option<ChildStderr>, id: Option<u32>) -> Option<String> {
    let mut lines = BufReader::new(stderr?).lines();
    let (mut last, mut count) = (None, 0);
    while let Ok(Some(line)) = lines.next_line().await {
        count += 1;
        if count <= MAX_LINES {
            warn!(worker = id, "{line}");
        } else {
            debug!(worker = id, "{line}");
        }
        last = Some(line);
    }
    last
}
