//! The viewers of one thread.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::{Instant, interval_at, sleep_until};

use super::http::{Client, Network};
use super::library::Library;
use super::link::Link;
use super::moment::{Clock, Moment};
use super::seat::Seat;
use super::tally::Tally;
use super::viewer::{Habits, Look, Story, Viewer};
use super::world::World;

/// How often it is looked how late a thread comes to what it has to do.
const LOOK_AT_LAG: Duration = Duration::from_millis(20);

/// Somebody who is going to watch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guest {
    pub(super) habits: Habits,
    pub(super) seed: u64,
    pub(super) joins: Moment,
    /// Looks at the boxes of media.
    pub(super) verifies: bool,
}

/// What all threads begin with.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) library: Arc<Library>,
    pub(super) entrance: Link,
    pub(super) clock: Clock,
    pub(super) http2: bool,
    /// When the first second begins.
    pub(super) begins: Moment,
}

/// One second of one thread.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Counted from 0.
    pub(super) second: u64,
    pub(super) tally: Tally,
    pub(super) now: Now,
}

/// What viewers do at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Now {
    pub(super) playing: usize,
    pub(super) stalled: usize,
    pub(super) waiting: usize,
    pub(super) away: usize,
    /// Playlist requests that a server holds.
    pub(super) held: usize,
}

impl Now {
    pub(super) fn add(&mut self, other: Self) {
        self.playing += other.playing;
        self.stalled += other.stalled;
        self.waiting += other.waiting;
        self.away += other.away;
        self.held += other.held;
    }

    fn see(&mut self, look: Look) {
        match look {
            Look::Playing(_) => self.playing += 1,
            Look::Stalled => self.stalled += 1,
            Look::Waiting => self.waiting += 1,
            Look::Away | Look::Over => self.away += 1,
        }
    }
}

/// Lets guests watch on this thread until `stop` is told; what became of each of them.
pub(super) fn run(
    plan: Plan,
    network: Network,
    guests: &[Guest],
    pulses: mpsc::Sender<Pulse>,
    stop: watch::Receiver<bool>,
) -> std::io::Result<Vec<Story>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    Ok(local.block_on(&runtime, watch(plan, network, guests, pulses, stop)))
}

async fn watch(
    plan: Plan,
    network: Network,
    guests: &[Guest],
    pulses: mpsc::Sender<Pulse>,
    mut stop: watch::Receiver<bool>,
) -> Vec<Story> {
    let Plan { library, entrance, clock, http2, begins } = plan;
    let world = Rc::new(World::new(library, network, clock));
    let mut viewers = Vec::with_capacity(guests.len());
    for guest in guests {
        let viewer = Viewer::new(entrance.clone(), guest.habits, guest.seed, guest.joins);
        let viewer = Rc::new(RefCell::new(viewer));
        let client = Client::new(http2, guest.verifies);
        tokio::task::spawn_local(Seat::new(Rc::clone(&viewer), client, Rc::clone(&world)));
        viewers.push(viewer);
    }
    tokio::task::spawn_local(look_at_lag(Rc::clone(&world)));
    let begins = Instant::from_std(clock.instant(begins));
    for second in 0.. {
        tokio::select! {
            // It also ends when nobody is left who could tell.
            _ = stop.wait_for(|stop| *stop) => break,
            () = sleep_until(begins + Duration::from_secs(second + 1)) => {}
        }
        let pulse = pulse(second, &viewers, &world);
        if pulses.send(pulse).await.is_err() {
            break;
        }
    }
    let now = clock.now();
    let stories = viewers.iter().map(|viewer| viewer.borrow_mut().finish(now, &mut world.tally.borrow_mut())).collect();
    // The last moments belong to the last second.
    let last = Pulse { second: u64::MAX, tally: world.tally.take(), now: Now::default() };
    let _ = pulses.send(last).await;
    stories
}

/// What there is to be told of a second.
fn pulse(second: u64, viewers: &[Rc<RefCell<Viewer>>], world: &World) -> Pulse {
    let mut tally = world.tally.borrow_mut();
    let mut now = Now { held: world.held.get(), ..Now::default() };
    for viewer in viewers {
        let look = viewer.borrow_mut().look(world.clock.now(), &mut tally);
        now.see(look);
        if let Look::Playing(Some(latency)) = look {
            tally.latency.record(latency);
        }
    }
    Pulse { second, tally: std::mem::take(&mut tally), now }
}

async fn look_at_lag(world: Rc<World>) {
    let mut looks = interval_at(Instant::now() + LOOK_AT_LAG, LOOK_AT_LAG);
    loop {
        let due = looks.tick().await;
        world.tally.borrow_mut().lag.record(due.elapsed());
    }
}
