use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use dashmap::DashMap;
use touchline_media::ChannelName;
use touchline_packager::Presentation;

use crate::channel::{Channel, Closed, Writer};
use crate::error::Error;
use crate::listing::Listing;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::spool::{Folder, Spool};
use crate::steering::Steering;

/// The channels that an edge serves. Clones share them.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    channels: DashMap<ChannelName, Arc<Channel>>,
    draining: AtomicBool,
    settings: Settings,
    metrics: Metrics,
    spool: Option<Spool>,
    steering: OnceLock<Steering>,
}

impl Hub {
    /// No channels yet; what they retain is kept in memory.
    pub fn new(settings: Settings, metrics: Metrics) -> Self {
        Self::with(settings, metrics, None)
    }

    /// No channels yet; what they retain far from the live edge is kept in files.
    pub fn spooling(settings: Settings, metrics: Metrics, spool: Spool) -> Self {
        Self::with(settings, metrics, Some(spool))
    }

    fn with(settings: Settings, metrics: Metrics, spool: Option<Spool>) -> Self {
        Self(Arc::new(Inner {
            channels: DashMap::new(),
            draining: AtomicBool::new(false),
            settings,
            metrics,
            spool,
            steering: OnceLock::new(),
        }))
    }

    /// Offers the channels that open from now on by several pathways. The first call counts.
    pub fn steer(&self, steering: Steering) {
        // A second one would offer what the first one's manifests do not know.
        let _ = self.0.steering.set(steering);
    }

    /// Lets viewers into a channel, in place of whatever had its name, and hands out the one end that is written.
    pub fn open(&self, name: ChannelName, presentation: Arc<Presentation>) -> Writer {
        let folder = self.folder(&name, &presentation);
        let channel = Channel::new(name.clone(), presentation, &self.0.settings, self.0.metrics.clone(), folder);
        let channel = Arc::new(channel.steered(self.0.steering.get().cloned()));
        if let Some(before) = self.0.channels.insert(name, Arc::clone(&channel)) {
            before.close(Closed::Removed);
        }
        if self.0.draining.load(Ordering::SeqCst) {
            channel.close(Closed::Draining);
        }
        Writer::new(channel)
    }

    /// Takes a channel away, unless another has its name by now: its held requests are answered, and whoever asks again
    /// is told that it is not live.
    pub fn remove(&self, writer: Writer) {
        let channel = writer.into_channel();
        self.0.channels.remove_if(channel.name(), |_, current| Arc::ptr_eq(current, &channel));
        channel.close(Closed::Removed);
    }

    /// The channels that are live, by name.
    pub fn channels(&self) -> Vec<Listing> {
        let live = self.0.channels.iter().filter(|channel| channel.live());
        let mut listings: Vec<Listing> = live.map(|channel| Listing::of(&channel)).collect();
        listings.sort_by(|a, b| a.name.cmp(&b.name));
        listings
    }

    /// Answers all held requests and holds no more; what is there is served on. There is no way back.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::SeqCst);
        for channel in &self.0.channels {
            channel.close(Closed::Draining);
        }
    }

    pub(crate) fn channel(&self, name: &ChannelName) -> Result<Arc<Channel>, Error> {
        let channel = self.0.channels.get(name).map(|channel| Arc::clone(&channel));
        channel.ok_or_else(|| Error::NotLive { channel: name.clone() })
    }

    fn folder(&self, channel: &ChannelName, presentation: &Presentation) -> Option<Folder> {
        let folder = self.0.spool.as_ref()?.folder(channel, presentation.epoch, self.0.metrics.clone());
        folder.inspect_err(|error| tracing::error!(%channel, "segments stay in memory: no thread can be started to write them: {error}")).ok()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }
}
