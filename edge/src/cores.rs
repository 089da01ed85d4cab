//! Where connections are served: threads with a runtime of one thread each, among which they are dealt out.
//!
//! A connection stays where it is put: nothing is stolen, and what its requests touch is in the cache of one core. That
//! costs the thread of the listener a message for each connection, which is there for thousands of requests.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use touchline_tls::Tls;

use crate::admission::Admission;
use crate::annex::Site;
use crate::connection::{self, Shared};
use crate::settings::Settings;

/// Tasks that a core runs between two looks at its sockets. By the usual 61 it would ask the kernel sixteen times for a
/// thousand viewers that ask at once.
const EVENT_INTERVAL: u32 = 512;
/// Threads beside each core that read segments from files.
const READERS: usize = 32;

/// The threads. When it is dropped, they take no more connections, and end with those that they have.
pub(crate) struct Cores {
    threads: Vec<Core>,
    admission: Arc<Admission>,
    over: mpsc::Receiver<()>,
}

struct Core {
    arrivals: mpsc::Sender<Arrival>,
    /// Connections that it has, or is about to have.
    open: Arc<AtomicUsize>,
}

/// A connection that has been let in.
pub(crate) struct Entrant {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) tls: Option<Tls>,
    /// Given back when it ends.
    pub(crate) place: OwnedSemaphorePermit,
}

/// The same on its way to a core.
struct Arrival {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    tls: Option<Tls>,
    place: OwnedSemaphorePermit,
    seat: Seat,
}

/// Counts a connection of a core for as long as it lives.
struct Seat(Arc<AtomicUsize>);

impl Cores {
    /// Starts [`Settings::cores`] threads; where that is none, or where they cannot be started, the runtime that this is
    /// called in serves.
    pub(crate) fn start(site: &Site, settings: Settings, shutdown: &CancellationToken) -> Self {
        let (end, over) = mpsc::channel(1);
        let admission = Arc::new(Admission::new(settings.cores.max(1), &settings, site.hub().metrics().clone()));
        // Of its own for each core, the token too: every request takes a look at it.
        let shared = || {
            let (site, admission, shutdown) = (site.clone(), Arc::clone(&admission), shutdown.child_token());
            Arc::new(Shared { site, settings, admission, shutdown })
        };
        let mut threads = Vec::new();
        for number in 0..settings.cores {
            match Core::start(number, shared(), end.clone()) {
                Ok(core) => threads.push(core),
                Err(error) => {
                    tracing::error!(%error, "viewers have {number} threads of {}: no more could be started", settings.cores);
                    break;
                }
            }
        }
        if threads.is_empty() {
            threads.push(Core::here(shared(), end));
        }
        Self { threads, admission, over }
    }

    /// Who is let in.
    pub(crate) fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// Hands a connection to the core that has the fewest.
    pub(crate) fn deal(&self, entrant: Entrant) -> io::Result<()> {
        let Entrant { stream, peer, tls, place } = entrant;
        let Some(core) = self.threads.iter().min_by_key(|core| core.open.load(Ordering::Relaxed)) else {
            return Ok(());
        };
        let arrival = Arrival { stream: stream.into_std()?, peer, tls, place, seat: Seat::on(&core.open) };
        // There is room for as many as may be open. A core that has failed takes none, and what it is given is closed.
        core.arrivals.try_send(arrival).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Takes no more connections, and returns when all have ended.
    pub(crate) async fn end(mut self) {
        self.threads.clear();
        self.over.recv().await;
    }
}

impl Core {
    fn start(number: usize, shared: Arc<Shared>, end: mpsc::Sender<()>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .event_interval(EVENT_INTERVAL)
            .max_blocking_threads(READERS)
            .thread_name(format!("reader-{number}"))
            .build()?;
        let (core, arrivals) = Self::new(&shared.settings);
        thread::Builder::new().name(format!("viewers-{number}")).spawn(move || {
            runtime.block_on(run(number, arrivals, shared));
            drop(end);
        })?;
        Ok(core)
    }

    fn here(shared: Arc<Shared>, end: mpsc::Sender<()>) -> Self {
        let (core, arrivals) = Self::new(&shared.settings);
        tokio::spawn(async move {
            run(0, arrivals, shared).await;
            drop(end);
        });
        core
    }

    fn new(settings: &Settings) -> (Self, mpsc::Receiver<Arrival>) {
        let (arrivals, receiver) = mpsc::channel(settings.connections.max(1));
        (Self { arrivals, open: Arc::default() }, receiver)
    }
}

/// Serves what arrives, until nothing more will; then lets responses be taken for [`Settings::drain`].
async fn run(number: usize, mut arrivals: mpsc::Receiver<Arrival>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut measuring = pin!(shared.admission.measure(number));
    loop {
        tokio::select! {
            arrival = arrivals.recv() => match arrival {
                Some(arrival) => {
                    connections.spawn(serve(arrival, Arc::clone(&shared)));
                }
                None => break,
            },
            Some(_) = connections.join_next() => {}
            () = &mut measuring => {}
        }
    }
    let all_done = async { while connections.join_next().await.is_some() {} };
    if timeout(shared.settings.drain, all_done).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "viewers were cut off: they did not take their last responses in time"
        );
        connections.shutdown().await;
    }
}

async fn serve(arrival: Arrival, shared: Arc<Shared>) {
    let Arrival { stream, peer, tls, place, seat } = arrival;
    match TcpStream::from_std(stream) {
        Ok(stream) => connection::serve(stream, peer, tls, shared).await,
        Err(error) => tracing::warn!(%peer, %error, "a viewer's connection cannot be watched"),
    }
    drop((place, seat));
}

impl Seat {
    fn on(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
