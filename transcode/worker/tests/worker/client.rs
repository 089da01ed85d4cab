//! The server's end of the socket.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use touchline_transcode::message::{Answer, Fault, Input, Output, Packet, Report, Request};
use touchline_transcode::plan::Plan;

/// How long a worker may be silent before a test fails rather than hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A worker at work.
pub(crate) struct Worker {
    process: Child,
    socket: UnixStream,
    answers: Receiver<Answer>,
    said: Vec<Answer>,
}

impl Worker {
    pub(crate) fn start(plan: Plan) -> Self {
        let (socket, theirs) = UnixStream::pair().unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_touchline-transcode"))
            .arg("work")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        let from = socket.try_clone().unwrap();
        from.set_read_timeout(Some(PATIENCE)).unwrap();
        let (to, answers) = channel();
        thread::spawn(move || read(from, &to));
        let mut worker = Self { process, socket, answers, said: Vec::new() };
        worker.send(&Request::Plan(plan));
        worker
    }

    pub(crate) fn send(&mut self, request: &Request) {
        let packet = Packet::from(request);
        // A worker that has told of a fault is gone before it has read all.
        let _ = self.socket.write_all(&packet.head).and_then(|()| self.socket.write_all(&packet.payload));
    }

    pub(crate) fn decode<'a>(&mut self, inputs: impl IntoIterator<Item = &'a Input>) {
        for input in inputs {
            self.send(&Request::Input(input.clone()));
        }
    }

    /// Until it has said this.
    pub(crate) fn wait_for(&mut self, wanted: impl Fn(&Answer) -> bool) {
        let start = Instant::now();
        while !self.said.last().is_some_and(&wanted) {
            assert!(start.elapsed() < PATIENCE, "it goes on without what the test waits for");
            self.said.push(self.answers.recv().unwrap());
        }
    }

    /// Until a rung has this picture.
    pub(crate) fn wait_for_output(&mut self, rung: u8, pts: i64) {
        self.wait_for(|answer| matches!(answer, Answer::Output(output) if output.stream == rung && output.pts == pts));
    }

    /// Has it end, and tells all it has said.
    pub(crate) fn end(mut self) -> Said {
        self.send(&Request::End);
        self.said.extend(self.answers.iter());
        Said { answers: self.said, status: self.process.wait().unwrap() }
    }
}

fn read(mut socket: UnixStream, to: &Sender<Answer>) {
    let (mut buffer, mut bytes) = (BytesMut::new(), [0; 8_192]);
    loop {
        match socket.read(&mut bytes).unwrap() {
            0 => return,
            read => buffer.extend_from_slice(&bytes[..read]),
        }
        while let Some(packet) = Packet::take(&mut buffer).unwrap() {
            to.send(Answer::try_from(packet).unwrap()).unwrap();
        }
    }
}

/// Does all of a plan with these inputs, at no hurry: nothing is shed, however fast they come.
pub(crate) fn work<'a>(plan: Plan, inputs: impl IntoIterator<Item = &'a Input>) -> Said {
    let mut worker = Worker::start(plan);
    for input in inputs {
        worker.send(&Request::Input(Input { replay: true, ..input.clone() }));
    }
    let said = worker.end();
    assert_eq!(said.fault(), None);
    assert!(said.status.success());
    said
}

/// All that a worker has said.
pub(crate) struct Said {
    pub(crate) answers: Vec<Answer>,
    pub(crate) status: ExitStatus,
}

impl Said {
    pub(crate) fn outputs(&self, rung: u8) -> Vec<&Output> {
        let outputs = self.answers.iter().filter_map(|answer| match answer {
            Answer::Output(output) if output.stream == rung => Some(output),
            _ => None,
        });
        outputs.collect()
    }

    pub(crate) fn pts(&self, rung: u8) -> Vec<i64> {
        self.outputs(rung).iter().map(|output| output.pts).collect()
    }

    pub(crate) fn sync_pts(&self, rung: u8) -> Vec<i64> {
        self.outputs(rung).iter().filter(|output| output.sync).map(|output| output.pts).collect()
    }

    /// The decoder configurations of each rung.
    pub(crate) fn records(&self) -> BTreeMap<u8, Vec<Bytes>> {
        let mut records: BTreeMap<u8, Vec<Bytes>> = BTreeMap::new();
        for answer in &self.answers {
            if let Answer::Config { stream, record } = answer {
                records.entry(*stream).or_default().push(record.clone());
            }
        }
        records
    }

    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.answers.iter().find_map(|answer| if let Answer::Fault(fault) = answer { Some(fault) } else { None })
    }

    pub(crate) fn reports(&self) -> Vec<&Report> {
        let reports = self.answers.iter().filter_map(|answer| match answer {
            Answer::Report(report) => Some(report),
            _ => None,
        });
        reports.collect()
    }
}
