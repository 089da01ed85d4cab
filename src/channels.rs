//! Who is live: each request to publish is answered here, and each channel runs here.

mod channel;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use touchline_edge::Hub;
use touchline_ingest::{Publish, Rejection};
use touchline_media::{ChannelName, feed};
use touchline_packager as packager;
use touchline_registry::Registry;
use touchline_transcode::Workshop;
use tracing::{error, info, warn};

use crate::config::{Admitted, Keys, Ladders, Takeover};
use crate::desk::Hops;
use crate::webhook::Webhook;

/// Channels that may be live at once.
pub(crate) const MAX_CHANNELS: usize = 256;

/// Requests to publish that the webhook may be asked about at once.
const MAX_ASKING: usize = 64;

/// What every channel has in common.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Who may publish...
    pub(crate) keys: Keys,
    /// ...and whom to ask about those whose key is none of these.
    pub(crate) webhook: Option<Arc<Webhook>>,
    /// What happens to who publishes when another comes.
    pub(crate) takeover: Takeover,
    /// How parts and segments are cut.
    pub(crate) hls: packager::Settings,
    /// Which renditions are made...
    pub(crate) ladders: Ladders,
    /// ...and by what; `None`: by nothing, sources are passed through.
    pub(crate) workshop: Option<Workshop>,
    /// How long a channel waits for its publisher to return.
    pub(crate) grace: Duration,
    /// Where the other nodes learn what is live here.
    pub(crate) registry: Registry,
    /// How long access units take.
    pub(crate) hops: Hops,
}

/// Who publishes into which channel, to be sent away. Clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live(Arc<Mutex<HashMap<ChannelName, feed::Presence>>>);

impl Live {
    /// Ends the feed of who publishes into a channel; whether there was somebody.
    pub(crate) fn evict(&self, channel: &ChannelName) -> bool {
        match self.lock().get(channel).filter(|publisher| publisher.is_present()) {
            Some(publisher) => {
                publisher.evict();
                true
            }
            None => false,
        }
    }

    fn has(&self, channel: &ChannelName) -> bool {
        self.lock().get(channel).is_some_and(feed::Presence::is_present)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ChannelName, feed::Presence>> {
        // Whole after each change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers requests to publish until `shutdown`, then ends every channel.
pub(crate) async fn run(
    mut publishes: mpsc::Receiver<Publish>,
    hub: Hub,
    settings: Settings,
    present: Live,
    shutdown: CancellationToken,
) {
    let mut channels = Channels {
        hub,
        settings: Arc::new(settings),
        shutdown,
        present,
        live: HashMap::new(),
        tasks: JoinSet::new(),
        asking: JoinSet::new(),
    };
    loop {
        tokio::select! {
            () = channels.shutdown.cancelled() => break,
            publish = publishes.recv() => match publish {
                Some(publish) => channels.consider(publish),
                None => break,
            },
            Some(Ok((publish, verdict))) = channels.asking.join_next() => channels.answer(publish, verdict),
            Some(ended) = channels.tasks.join_next() => channels.clear(ended),
        }
    }
    publishes.close();
    while let Some(publish) = publishes.recv().await {
        publish.reject(Rejection::Draining);
    }
    channels.live.clear();
    while let Some(ended) = channels.tasks.join_next().await {
        channels.clear(ended);
    }
}

struct Channels {
    hub: Hub,
    settings: Arc<Settings>,
    shutdown: CancellationToken,
    present: Live,
    /// Where a publisher that returns is handed to each channel.
    live: HashMap<ChannelName, mpsc::Sender<feed::Reader>>,
    tasks: JoinSet<ChannelName>,
    /// Requests that the webhook is asked about.
    asking: JoinSet<(Publish, Result<(), Rejection>)>,
}

impl Channels {
    /// Answers a request to publish, or has the webhook asked first.
    fn consider(&mut self, publish: Publish) {
        match self.check_key(&publish) {
            Some(verdict) => self.answer(publish, verdict),
            None if self.asking.len() >= MAX_ASKING => self.answer(publish, Err(Rejection::Undecided)),
            None => {
                let Some(webhook) = self.settings.webhook.clone() else { return };
                self.asking.spawn(async move {
                    let verdict = webhook.ask(&publish).await;
                    (publish, verdict)
                });
            }
        }
    }

    fn answer(&mut self, publish: Publish, verdict: Result<(), Rejection>) {
        match verdict.and_then(|()| self.admit(&publish)) {
            Ok(()) => {
                self.evict(&publish);
                self.accept(publish);
            }
            Err(why) => {
                warn!(channel = %publish.channel, peer = %publish.peer, "publisher refused: {why}");
                publish.reject(why);
            }
        }
    }

    fn admit(&self, publish: &Publish) -> Result<(), Rejection> {
        let Publish { channel, .. } = publish;
        if self.present.has(channel) && self.settings.takeover == Takeover::Refuse {
            Err(Rejection::Busy)
        } else if !self.live.contains_key(channel) && self.live.len() >= MAX_CHANNELS {
            Err(Rejection::Full)
        } else {
            Ok(())
        }
    }

    /// Whether somebody may publish; `None`: the webhook decides.
    fn check_key(&self, publish: &Publish) -> Option<Result<(), Rejection>> {
        let Settings { keys, webhook, .. } = &*self.settings;
        match keys.admit(&publish.channel, publish.key.as_ref()) {
            _ if publish.invited => Some(Ok(())),
            Some(Admitted::By(name)) => {
                if !name.is_empty() {
                    info!(channel = %publish.channel, peer = %publish.peer, "the key is that of {name}");
                }
                Some(Ok(()))
            }
            _ if webhook.is_some() => None,
            Some(Admitted::Open) => Some(Ok(())),
            None => Some(Err(Rejection::Unauthorised)),
        }
    }

    /// Ends the feed of who is there, so that the channel goes on with who comes.
    fn evict(&self, publish: &Publish) {
        if self.present.evict(&publish.channel) {
            warn!(channel = %publish.channel, peer = %publish.peer, "another publisher takes over");
        }
    }

    fn accept(&mut self, publish: Publish) {
        let (writer, reader) = feed::channel();
        let publisher = writer.presence();
        let name = publish.channel.clone();
        let reader = match self.live.get(&name) {
            // A channel whose time of grace has just run out takes nobody back.
            Some(returns) => match returns.try_send(reader) {
                Ok(()) => {
                    self.present.lock().insert(name, publisher);
                    return publish.accept(writer);
                }
                // Somebody who has just been let in has not begun yet.
                Err(TrySendError::Full(_)) => return publish.reject(Rejection::Busy),
                Err(TrySendError::Closed(reader)) => reader,
            },
            None => reader,
        };
        let (returns, returning) = mpsc::channel(1);
        self.present.lock().insert(name.clone(), publisher);
        self.live.insert(name.clone(), returns);
        let channel = channel::Channel::new(name, self.hub.clone(), Arc::clone(&self.settings));
        self.tasks.spawn(channel.run(reader, returning, self.shutdown.clone()));
        publish.accept(writer);
    }

    /// Forgets a channel that has ended, unless it has been opened again meanwhile.
    fn clear(&mut self, ended: Result<ChannelName, tokio::task::JoinError>) {
        match ended {
            Ok(name) => info!(channel = %name, "channel is closed"),
            Err(fault) => error!("a channel stopped on a fault of ours; the others are not touched: {fault}"),
        }
        self.live.retain(|_, returns| !returns.is_closed());
        self.present.lock().retain(|name, _| self.live.contains_key(name));
    }
}
