//! The socket to the server: one thread reads, one writes, and whoever has an answer leaves it in a bounded queue.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use touchline_transcode::message::{Answer, Fault, Packet, Request};

/// Answers that may wait for the server to read them. Ten seconds of a ladder of three with its sound.
const MAX_ANSWERS: usize = 2_048;
/// How much is read from the socket at once, in bytes.
const READ_SIZE: usize = 64 * 1_024;
/// How long a server that does not read is given to learn what went wrong.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs `work` on the socket at standard input; never returns.
pub(crate) fn serve(work: impl FnOnce(&mut Requests, &Answers) -> Result<(), Fault>) -> ! {
    let (mut requests, answers) = match open() {
        Ok(ends) => ends,
        Err(error) => {
            eprintln!("standard input is not a socket to a Touchline server, which starts this command: {error}");
            std::process::exit(2);
        }
    };
    match work(&mut requests, &answers) {
        Ok(()) => answers.exit(),
        Err(fault) => answers.fault(&fault),
    }
    loop {
        thread::park();
    }
}

fn open() -> io::Result<(Requests, Answers)> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.peer_addr()?;
    socket.set_nonblocking(false)?;
    let (queue, waiting) = sync_channel(MAX_ANSWERS);
    let writer = socket.try_clone()?;
    thread::Builder::new().name("answers".into()).spawn(move || write(&writer, &waiting))?;
    Ok((Requests { socket, buffer: BytesMut::new() }, Answers { queue, apart: false }))
}

/// What the server says.
pub(crate) struct Requests {
    socket: UnixStream,
    buffer: BytesMut,
}

impl Requests {
    /// The next request; waits for it. Without a server there is nothing to work for: the process exits.
    pub(crate) fn next(&mut self) -> Result<Request, Fault> {
        let fault = |reason: String| Fault { place: "the socket".into(), reason, encoder: false };
        loop {
            match Packet::take(&mut self.buffer) {
                Ok(Some(packet)) => return Request::try_from(packet).map_err(|error| fault(error.to_string())),
                Ok(None) => {}
                Err(error) => return Err(fault(error.to_string())),
            }
            let filled = self.buffer.len();
            self.buffer.resize(filled + READ_SIZE, 0);
            let space = self.buffer.get_mut(filled..).unwrap_or_default();
            let read = match self.socket.read(space) {
                Ok(0) => std::process::exit(0),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(error) => return Err(fault(error.to_string())),
            };
            self.buffer.truncate(filled + read);
        }
    }
}

/// Where answers go. Never waits: it is called on the threads of encoders.
#[derive(Clone)]
pub(crate) struct Answers {
    queue: SyncSender<Outgoing>,
    /// Whether there is no server to end for.
    apart: bool,
}

/// The other end of answers that go to no server.
pub(crate) struct Overheard(Receiver<Outgoing>);

impl Overheard {
    /// The next of those that are there.
    pub(crate) fn next(&self) -> Option<Answer> {
        let packets = self.0.try_iter().filter_map(|outgoing| match outgoing {
            Outgoing::Packet(packet) => Answer::try_from(packet).ok(),
            Outgoing::Exit(_) => None,
        });
        { packets }.next()
    }
}

enum Outgoing {
    Packet(Packet),
    /// Exit with this status when all before has been written.
    Exit(i32),
}

impl Answers {
    /// Answers for this process itself.
    pub(crate) fn apart() -> (Self, Overheard) {
        let (queue, waiting) = sync_channel(MAX_ANSWERS);
        (Self { queue, apart: true }, Overheard(waiting))
    }

    /// Leaves an answer for the writer. A server that reads nothing for so long is as good as gone: the process exits.
    pub(crate) fn send(&self, answer: &Answer) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Outgoing::Packet(Packet::from(answer))) {
            eprintln!("{MAX_ANSWERS} answers wait and the server reads none of them; giving up");
            std::process::exit(1);
        }
    }

    /// Tells what cannot be mended, and ends the process.
    pub(crate) fn fault(&self, fault: &Fault) {
        eprintln!("{}: {}", fault.place, fault.reason);
        self.send(&Answer::Fault(fault.clone()));
        self.end(1);
    }

    /// Ends the process when all answers have been written.
    pub(crate) fn exit(&self) {
        self.end(0);
    }

    fn end(&self, status: i32) {
        // A full queue needs no word more: `send` has ended the process.
        let _ = self.queue.try_send(Outgoing::Exit(status));
        if self.apart {
            return;
        }
        thread::spawn(move || {
            thread::sleep(LAST_WORDS);
            std::process::exit(status);
        });
    }
}

fn write(socket: &UnixStream, waiting: &Receiver<Outgoing>) {
    for outgoing in waiting {
        match outgoing {
            Outgoing::Exit(status) => std::process::exit(status),
            // The server is gone, and with it the reason to be here.
            Outgoing::Packet(packet) if write_packet(socket, &packet).is_err() => std::process::exit(0),
            Outgoing::Packet(_) => {}
        }
    }
}

/// Head and payload in one system call, as a rule.
fn write_packet(mut socket: &UnixStream, packet: &Packet) -> io::Result<()> {
    let mut rest = Buf::chain(&packet.head[..], packet.payload.clone());
    while rest.has_remaining() {
        let mut slices = [IoSlice::new(&[]); 2];
        let count = rest.chunks_vectored(&mut slices);
        match socket.write_vectored(slices.get(..count).unwrap_or_default()) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => rest.advance(written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
