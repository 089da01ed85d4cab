use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use touchline_media::ChannelName;

use crate::id::Id;
use crate::metrics::Metrics;
use crate::node::{Load, Role};
use crate::snapshot::{Origins, Snapshot};
use crate::store::Store;
use crate::task::Task;

/// Orders for pathways that wait for the task; further ones are refused.
const MAX_ORDERS: usize = 64;

/// What a node is called, and how it takes part.
#[derive(Clone)]
pub struct Settings {
    /// Its name, which no other node may have.
    pub node: Id,
    /// Where edges reach it: `http` or `https`, without a path.
    pub url: String,
    /// What it is there for.
    pub role: Role,
    /// How long it is taken to live without a word from it.
    pub lease: Duration,
    /// The directory that the last good answer is kept in; `None`: it does not outlive the process.
    pub state: Option<PathBuf>,
    /// How much it carries at the moment.
    pub load: Arc<dyn Fn() -> Load + Send + Sync>,
}

impl Settings {
    /// A lease: renewals every few seconds cost a store nothing, and edges do not wait for it to run out.
    pub const LEASE: Duration = Duration::from_secs(10);
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("node", &self.node).field("url", &self.url).finish_non_exhaustive()
    }
}

/// Which node has which channel, as this process knows it. Clones share it.
///
/// One by default is kept by nobody: it knows nothing, and tells nobody.
///
/// Nothing here waits: what is told to it is written when the store is there, and what is asked of it is answered from memory.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    snapshot: watch::Sender<Arc<Snapshot>>,
    wishes: Mutex<Wishes>,
    /// There are new wishes.
    woken: Notify,
}

/// What this node wants the others to know.
#[derive(Debug, Default)]
struct Wishes {
    channels: BTreeMap<ChannelName, (u64, Stance)>,
    announced: u64,
    orders: Vec<(Id, bool)>,
}

/// How a channel does on the node that announces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// Something comes.
    Live,
    /// Its publisher has left and may return: another node that has one goes before.
    Resting,
}

/// A channel that is live on this node, until this is dropped.
#[derive(Debug)]
pub struct Announcement {
    registry: Registry,
    channel: ChannelName,
    number: u64,
}

/// As many orders wait as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_ORDERS} orders for pathways wait already")]
pub struct Busy;

impl Registry {
    /// The registry of a node, and the task that keeps it, which has to be run.
    pub fn open(settings: Settings, store: Store, metrics: Metrics) -> (Self, Task) {
        let registry = Self::default();
        let task = Task::new(registry.clone(), settings, store, metrics);
        (registry, task)
    }

    /// Tells the others that a channel is live here. Of two announcements of a channel the later counts.
    pub fn announce(&self, channel: ChannelName) -> Announcement {
        let mut wishes = self.wishes();
        wishes.announced += 1;
        let number = wishes.announced;
        wishes.channels.insert(channel.clone(), (number, Stance::Live));
        drop(wishes);
        self.0.woken.notify_one();
        Announcement { registry: self.clone(), channel, number }
    }

    /// Where a channel is to be had, by what is known now.
    pub fn origins(&self, channel: &ChannelName) -> Origins {
        self.0.snapshot.borrow().origins(channel)
    }

    /// All that is known now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.snapshot.borrow())
    }

    /// All that is known, whenever it changes.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.0.snapshot.subscribe()
    }

    /// Leads viewers away from a pathway, or lets them return, on every node that hears of it.
    pub fn drain(&self, pathway: Id, drained: bool) -> Result<(), Busy> {
        let mut wishes = self.wishes();
        if wishes.orders.len() >= MAX_ORDERS {
            return Err(Busy);
        }
        wishes.orders.push((pathway, drained));
        drop(wishes);
        self.0.woken.notify_one();
        Ok(())
    }

    pub(crate) fn publish(&self, snapshot: Snapshot) {
        self.0.snapshot.send_replace(Arc::new(snapshot));
    }

    /// The channels that are live here.
    pub(crate) fn announced(&self) -> BTreeMap<ChannelName, Stance> {
        self.wishes().channels.iter().map(|(channel, (_, stance))| (channel.clone(), *stance)).collect()
    }

    /// The orders for pathways since the last call.
    pub(crate) fn orders(&self) -> Vec<(Id, bool)> {
        std::mem::take(&mut self.wishes().orders)
    }

    /// When there are new wishes.
    pub(crate) async fn woken(&self) {
        self.0.woken.notified().await;
    }

    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        // No code that holds the lock can leave the wishes half changed.
        self.0.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Announcement {
    /// Says how the channel does.
    pub fn set(&self, stance: Stance) {
        let mut wishes = self.registry.wishes();
        if let Some((number, before)) = wishes.channels.get_mut(&self.channel)
            && *number == self.number
        {
            *before = stance;
        }
        drop(wishes);
        self.registry.0.woken.notify_one();
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let mut wishes = self.registry.wishes();
        if wishes.channels.get(&self.channel).is_some_and(|(number, _)| *number == self.number) {
            wishes.channels.remove(&self.channel);
        }
        drop(wishes);
        self.registry.0.woken.notify_one();
    }
}
