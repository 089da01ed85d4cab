use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use touchline_audience::Tally;
use touchline_media::ChannelName;
use touchline_packager::Presentation;

use crate::audience::{self, Audience};
use crate::channel::{Channel, Closed, Writer};
use crate::error::Error;
use crate::listing::Listing;
use crate::metrics::Metrics;
use crate::replication::Upstream;
use crate::settings::Settings;
use crate::spool::{Archive, Spool};
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
    audience: Audience,
    spool: Option<Spool>,
    steering: OnceLock<Steering>,
    /// Where channels are asked for that are not here; none on an origin.
    upstream: OnceLock<Arc<Upstream>>,
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
            audience: Audience::default(),
            spool,
            steering: OnceLock::new(),
            upstream: OnceLock::new(),
        }))
    }

    /// Offers the channels that open from now on by several pathways. The first call counts.
    pub fn steer(&self, steering: Steering) {
        // A second one would offer what the first one's manifests do not know.
        let _ = self.0.steering.set(steering);
    }

    /// Lets viewers into a channel, in place of whatever had its name, and hands out the one end that is written.
    pub fn open(&self, name: ChannelName, presentation: Arc<Presentation>) -> Writer {
        let archive = self.archive(&name, &presentation);
        let channel = Channel::new(name.clone(), presentation, &self.0.settings, self.0.metrics.clone(), archive);
        let places = audience::places(&self.0.audience, &channel);
        let channel = Arc::new(channel.steered(self.0.steering.get().cloned()).counted(places));
        if let Some(before) = self.0.channels.insert(name, Arc::clone(&channel)) {
            before.close(Closed::Removed);
        }
        if self.0.draining.load(Ordering::SeqCst) {
            channel.close(Closed::Draining);
        }
        Writer::new(channel)
    }

    /// A channel that no viewer sees, and that counts nowhere.
    pub(crate) fn shadow(&self, name: ChannelName, presentation: Arc<Presentation>) -> Writer {
        let archive = self.without_files();
        Writer::new(Arc::new(Channel::new(name, presentation, &self.0.settings, Metrics::default(), archive)))
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

    /// The channel with this name: one that is not here as soon as an origin has told of it.
    pub(crate) async fn find(&self, name: &ChannelName) -> Result<Arc<Channel>, Error> {
        if let Some(channel) = self.channel(name) {
            channel.touch();
            return Ok(channel);
        }
        let not_live = || Error::NotLive { channel: name.clone() };
        self.0.upstream.get().ok_or_else(not_live)?.open(name).await?;
        self.channel(name).ok_or_else(not_live)
    }

    /// The channels that are live here or on the origins, by name.
    pub(crate) async fn known_channels(&self) -> Vec<Listing> {
        match self.0.upstream.get() {
            None => self.channels(),
            Some(upstream) => upstream.channels().await,
        }
    }

    /// The names of all channels that are here or on the origins: ended ones as well, as long as they can be watched.
    pub(crate) async fn known_names(&self) -> Vec<String> {
        match self.0.upstream.get() {
            None => self.0.channels.iter().map(|channel| channel.name().to_string()).collect(),
            Some(upstream) => upstream.names().await,
        }
    }

    /// For how long nobody has wanted anything of a channel; `None` where it is not here.
    pub(crate) fn idle(&self, name: &ChannelName) -> Option<Duration> {
        self.channel(name).map(|channel| channel.idle())
    }

    /// What is not here is asked for there from now on.
    pub(crate) fn follow(&self, upstream: Arc<Upstream>) {
        // A hub is tied to its origins once.
        let _ = self.0.upstream.set(upstream);
    }

    /// Whether its channels come from origins.
    pub(crate) fn follows(&self) -> bool {
        self.0.upstream.get().is_some()
    }

    /// The channel with this name, where it is here.
    pub(crate) fn channel(&self, name: &ChannelName) -> Option<Arc<Channel>> {
        self.0.channels.get(name).map(|channel| Arc::clone(&channel))
    }

    /// A segment that is not here: from an origin, if there is one.
    pub(crate) async fn pull(&self, channel: &Channel, path: &str) -> Result<Bytes, Error> {
        let upstream = self.0.upstream.get().ok_or_else(|| channel.missing())?;
        upstream.segment(channel.name(), path).await
    }

    fn archive(&self, channel: &ChannelName, presentation: &Presentation) -> Archive {
        let Some(spool) = &self.0.spool else { return self.without_files() };
        spool.folder(channel, presentation.epoch, self.0.metrics.clone()).map_or_else(
            |error| {
                tracing::error!(%channel, "no thread can be started that writes segments to files: {error}");
                self.without_files()
            },
            Archive::Files,
        )
    }

    fn without_files(&self) -> Archive {
        if self.follows() { Archive::Origins } else { Archive::Memory }
    }

    /// What is measured of all channels.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Who watches.
    pub fn audience(&self) -> &Audience {
        &self.0.audience
    }

    /// The channels that are live, and for how long nothing new has come of each.
    pub fn quiet(&self) -> Vec<(ChannelName, Duration)> {
        let live = self.0.channels.iter().filter(|channel| channel.live());
        live.map(|channel| (channel.name().clone(), channel.quiet())).collect()
    }

    /// Looks at who watches here: to be called about once a second.
    pub fn count(&self) -> Vec<Tally> {
        for (channel, quiet) in self.quiet() {
            self.0.audience.waited(&channel, quiet);
        }
        self.0.audience.look()
    }

    /// The newest still picture of a channel, as a JPEG.
    pub fn still(&self, name: &ChannelName) -> Option<Bytes> {
        self.channel(name)?.thumbnail().ok()
    }
}
