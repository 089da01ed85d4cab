//! A process that makes the ladder, fed in real time, and what that takes.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use touchline_benches::process::{self, Usage};

use crate::source::{Source, Unit, time_of};

/// How long the last access units of a turn may be under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running process. Dropping it ends the process.
pub(crate) struct Maker {
    process: Child,
    input: Sender<Bytes>,
    /// An access unit as it wants them.
    pack: fn(&Unit) -> Bytes,
    arrivals: Receiver<Arrival>,
    /// When it was given each frame.
    given: Vec<Instant>,
    rungs: Vec<Rung>,
    turns: Vec<Turn>,
}

/// What a turn has taken.
pub(crate) struct Turn {
    pub(crate) usage: Usage,
    /// Seconds of processor time of all that ran on the machine, this process too.
    pub(crate) machine: f64,
    pub(crate) lasted: Duration,
}

/// An encoded access unit.
pub(crate) struct Arrival {
    /// Counts from zero, highest first.
    pub(crate) rung: usize,
    /// Which of the source's access units it was.
    pub(crate) frame: usize,
    pub(crate) sync: bool,
    /// How many bytes.
    pub(crate) length: usize,
    /// When the last of them was there.
    pub(crate) at: Instant,
}

/// What has come of a rung.
#[derive(Default)]
pub(crate) struct Rung {
    /// From the receipt of an access unit to the encoded one.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) sync_frames: Vec<usize>,
    pub(crate) bytes: usize,
    next_frame: usize,
}

impl Maker {
    /// `input` is where the process is given `preamble` and then access units.
    pub(crate) fn new(
        process: Child,
        mut input: impl Write + Send + 'static,
        preamble: Bytes,
        pack: fn(&Unit) -> Bytes,
        arrivals: Receiver<Arrival>,
        rungs: usize,
    ) -> Self {
        // A process that is behind must not hold up the clock.
        let (queue, waiting) = channel::<Bytes>();
        thread::spawn(move || waiting.iter().try_for_each(|bytes| input.write_all(&bytes)));
        // Without a reader the process is gone, which is noticed when nothing arrives.
        let _ = queue.send(preamble);
        let rungs = (0..rungs).map(|_| Rung::default()).collect();
        Self { process, input: queue, pack, arrivals, given: Vec::new(), rungs, turns: Vec::new() }
    }

    /// Gives it the next `frames` access units, each when it is due, and waits for what becomes of them. The first turn
    /// is for warming up: nothing of it is counted.
    pub(crate) fn turn(&mut self, source: &Source, frames: usize) -> Result<(), Box<dyn Error>> {
        let first = self.given.len();
        let (before, machine) = (process::usage(self.process.id())?, process::machine()?);
        let began = Instant::now();
        for unit in source.from(first).take(frames) {
            let due = began + time_of(unit.frame - first);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.given.push(Instant::now());
            self.input.send((self.pack)(&unit)).map_err(|_| "it does not take what it is given")?;
        }
        self.gather(first)?;
        if first > 0 {
            let (usage, machine) = (process::usage(self.process.id())? - before, process::machine()? - machine);
            self.turns.push(Turn { usage, machine, lasted: began.elapsed() });
        }
        Ok(())
    }

    /// Until all rungs have the last frame that was given.
    fn gather(&mut self, first: usize) -> Result<(), Box<dyn Error>> {
        let deadline = Instant::now() + PATIENCE;
        while self.rungs.iter().any(|rung| rung.next_frame < self.given.len()) {
            let arrival = match self.arrivals.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(arrival) => arrival,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Err("it has ended in mid-stream".into()),
            };
            let (Some(rung), Some(given)) = (self.rungs.get_mut(arrival.rung), self.given.get(arrival.frame)) else {
                return Err(format!("it has made frame {}, which it was not given", arrival.frame).into());
            };
            rung.next_frame = arrival.frame + 1;
            if first > 0 && arrival.frame >= first {
                rung.take(&arrival, *given);
            }
        }
        Ok(())
    }

    /// What has come of each rung, highest first.
    pub(crate) fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// What each turn has taken.
    pub(crate) fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// The most memory that it has had, in bytes.
    pub(crate) fn peak_memory(&self) -> io::Result<u64> {
        process::peak_memory(self.process.id())
    }

    /// Seconds of processor time of its threads over all turns, by their names.
    pub(crate) fn threads(&self) -> BTreeMap<&str, f64> {
        let mut threads = BTreeMap::new();
        for (name, seconds) in self.turns.iter().flat_map(|turn| &turn.usage.threads) {
            *threads.entry(name.as_str()).or_default() += seconds;
        }
        threads
    }
}

impl Rung {
    fn take(&mut self, arrival: &Arrival, given: Instant) {
        self.latencies.push(arrival.at - given);
        self.sync_frames.extend(arrival.sync.then_some(arrival.frame));
        self.bytes += arrival.length;
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
