//! All channels of an edge: opened when somebody wants them, closed when nobody has for a while.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use touchline_media::ChannelName;
use tracing::{Instrument as _, debug, info, info_span};

use super::outlet::{self, PREFIX, VERSION};
use super::pull::Pulls;
use super::replica::{Replica, Standing};
use super::{Directory, Origin};
use crate::error::Error;
use crate::hub::Hub;
use crate::listing::Listing;
use crate::metrics::Counted;

/// Channels that an edge follows at once.
const MAX_CHANNELS: usize = 256;
/// How long a viewer waits for a channel to open.
const OPENING: Duration = Duration::from_secs(10);
/// For how long the answer of the origins to which channels there are is believed.
const CATALOGUE_LIFE: Duration = Duration::from_secs(1);
/// How long an origin may take to say it.
const CATALOGUE_WAIT: Duration = Duration::from_secs(1);
/// Bytes of that answer.
const MAX_CATALOGUE: usize = 1 << 20;
/// How often channels are looked at that nobody may want any more.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Wishes that may wait.
const MAX_WISHES: usize = 64;

/// What an edge follows.
#[derive(Debug)]
pub struct Settings {
    /// Which origins there are.
    pub origins: Directory,
    /// Channels that are opened ahead of time and kept.
    pub channels: Vec<ChannelName>,
    /// How long a channel is kept that nobody asks for.
    pub idle: Duration,
    /// Whether a second origin is followed while the first one works, so that turning to it takes no time.
    pub standby: bool,
}

impl Settings {
    /// How long a channel is kept that nobody asks for, where that is not set.
    pub const IDLE: Duration = Duration::from_mins(1);
}

/// The channels of an edge.
#[derive(Debug)]
pub struct Fleet {
    hub: Hub,
    upstream: Arc<Upstream>,
    settings: Settings,
    wishes: mpsc::Receiver<ChannelName>,
}

/// What a hub asks of the origins.
#[derive(Debug)]
pub(crate) struct Upstream {
    origins: Directory,
    catalogue: Mutex<Option<(Instant, Arc<Catalogue>)>>,
    wishes: mpsc::Sender<ChannelName>,
    /// How the channels stand that were wished for.
    standings: Mutex<HashMap<ChannelName, watch::Receiver<Standing>>>,
    /// Whether an origin has ever answered.
    ready: watch::Sender<bool>,
    pulls: Pulls,
}

/// What the origins have.
#[derive(Debug, Default)]
struct Catalogue {
    /// Whether one of them has said so.
    answered: bool,
    channels: BTreeMap<String, Listing>,
    names: BTreeSet<String>,
}

/// Whether an edge can serve: once an origin has answered.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<Upstream>);

impl Readiness {
    /// Whether an origin has ever answered; what is here is served on without them.
    pub fn is_ready(&self) -> bool {
        *self.0.ready.borrow()
    }
}

impl Fleet {
    /// Ties a hub to origins: what it does not have is asked of them from now on.
    pub fn new(hub: Hub, settings: Settings) -> Self {
        let (sender, wishes) = mpsc::channel(MAX_WISHES);
        let upstream = Arc::new(Upstream {
            origins: settings.origins.clone(),
            catalogue: Mutex::default(),
            wishes: sender,
            standings: Mutex::default(),
            ready: watch::Sender::new(false),
            pulls: Pulls::new(settings.origins.clone(), hub.metrics().replication.clone()),
        });
        hub.follow(Arc::clone(&upstream));
        Self { hub, upstream, settings, wishes }
    }

    /// Tells whether the edge can serve.
    pub fn readiness(&self) -> Readiness {
        Readiness(Arc::clone(&self.upstream))
    }

    /// Follows channels until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut running = Running { tasks: JoinSet::new(), stops: HashMap::new() };
        for name in self.settings.channels.clone() {
            self.open(name, &mut running).await;
        }
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(name) = self.wishes.recv() => self.open(name, &mut running).await,
                Some(ended) = running.tasks.join_next() => {
                    if let Ok(name) = ended {
                        running.stops.remove(&name);
                        self.upstream.standings.lock().await.remove(&name);
                    }
                }
                _ = look.tick() => {
                    self.close_idle(&running);
                    if !*self.upstream.ready.borrow() {
                        self.upstream.catalogue().await;
                    }
                }
            }
        }
        running.tasks.shutdown().await;
    }

    async fn open(&self, name: ChannelName, running: &mut Running) {
        let mut standings = self.upstream.standings.lock().await;
        if standings.contains_key(&name) || running.stops.len() >= MAX_CHANNELS {
            return;
        }
        let (standing, receiver) = watch::channel(Standing::Asking);
        standings.insert(name.clone(), receiver);
        let named = self.settings.channels.contains(&name);
        let origins = self.upstream.origins.clone();
        let mut replica = Replica::new(name.clone(), self.hub.clone(), origins, named, self.settings.standby, standing);
        let stop = CancellationToken::new();
        running.stops.insert(name.clone(), stop.clone());
        let counted = Counted::on(&self.hub.metrics().replication.followed);
        let span = info_span!("channel", %name);
        let run = async move {
            tokio::select! {
                () = replica.run() => {}
                () = stop.cancelled() => info!("nobody has asked for the channel for a while: it is not followed any more"),
            }
            replica.close();
            drop(counted);
            name
        };
        running.tasks.spawn(run.instrument(span));
    }

    fn close_idle(&self, running: &Running) {
        for (name, stop) in &running.stops {
            let idle = self.hub.idle(name).is_some_and(|idle| idle >= self.settings.idle);
            if idle && !self.settings.channels.contains(name) {
                stop.cancel();
            }
        }
    }
}

/// The channels that are followed.
struct Running {
    tasks: JoinSet<ChannelName>,
    stops: HashMap<ChannelName, CancellationToken>,
}

impl Upstream {
    /// Has a channel opened, if an origin has it; returns when it is there.
    pub(crate) async fn open(&self, name: &ChannelName) -> Result<(), Error> {
        let channel = || name.clone();
        let catalogue = self.catalogue().await;
        if !catalogue.names.contains(name.as_str()) {
            let why = if catalogue.answered {
                Error::NotLive { channel: channel() }
            } else {
                Error::Unreachable { channel: channel() }
            };
            return Err(why);
        }
        let opening = async {
            loop {
                let standing = self.standings.lock().await.get(name).cloned();
                let Some(mut standing) = standing else {
                    self.wishes.send(name.clone()).await.map_err(|_| Error::Draining { channel: channel() })?;
                    tokio::task::yield_now().await;
                    continue;
                };
                let standing = standing.wait_for(|standing| *standing != Standing::Asking).await;
                // Whoever has given up is about to say so.
                let Ok(standing) = standing.map(|standing| *standing) else { continue };
                return match standing {
                    Standing::Open => Ok(()),
                    Standing::NotThere => Err(Error::NotLive { channel: channel() }),
                    Standing::Asking | Standing::Unreachable => Err(Error::Unreachable { channel: channel() }),
                };
            }
        };
        timeout(OPENING, opening).await.unwrap_or_else(|_| Err(Error::Unreachable { channel: channel() }))
    }

    /// The segment at a path, as viewers ask for it, of a channel that is open.
    pub(crate) async fn segment(&self, channel: &ChannelName, path: &str) -> Result<Bytes, Error> {
        self.pulls.get(channel, path).await
    }

    /// The channels that are live on the origins.
    pub(crate) async fn channels(&self) -> Vec<Listing> {
        self.catalogue().await.channels.values().cloned().collect()
    }

    /// The names of all channels that can be followed.
    pub(crate) async fn names(&self) -> Vec<String> {
        self.catalogue().await.names.iter().cloned().collect()
    }

    /// What the origins have: asked at most once a second, whoever wants to know.
    async fn catalogue(&self) -> Arc<Catalogue> {
        let mut kept = self.catalogue.lock().await;
        if let Some((at, catalogue)) = kept.as_ref().filter(|(at, _)| at.elapsed() < CATALOGUE_LIFE) {
            debug!(age = ?at.elapsed(), "the list of channels is young enough");
            return Arc::clone(catalogue);
        }
        let mut asked = JoinSet::new();
        for origin in self.origins.all() {
            asked.spawn(async move { ask(&origin).await });
        }
        let mut all = Catalogue::default();
        while let Some(answer) = asked.join_next().await {
            let Ok(Some(outlet::Catalogue { channels, names })) = answer else { continue };
            all.answered = true;
            all.names.extend(names);
            for listing in channels {
                all.channels.entry(listing.name.clone()).or_insert(listing);
            }
        }
        if all.answered {
            self.ready.send_replace(true);
        }
        let all = Arc::new(all);
        *kept = Some((Instant::now(), Arc::clone(&all)));
        all
    }
}

async fn ask(origin: &Origin) -> Option<outlet::Catalogue> {
    let path = format!("{PREFIX}/{VERSION}/");
    let answer = timeout(CATALOGUE_WAIT, origin.get(&path, MAX_CATALOGUE)).await;
    match answer {
        Ok(Ok(json)) => serde_json::from_slice(&json).ok(),
        Ok(Err(why)) => {
            debug!(%origin, "does not say which channels it has: {why}");
            None
        }
        Err(_) => None,
    }
}
