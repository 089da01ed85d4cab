use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use touchline_edge::Hub;
use touchline_media::{ChannelName, Kind, Track, feed, opus};
use touchline_packager::{self as packager, Event, Packager, Presentation, WallClock};
use touchline_registry::{Announcement, Stance};
use touchline_transcode::{self as transcode, Ladder, Output, workshop};
use tracing::{Instrument, error, info, info_span, warn};

use super::Settings;

/// How long an ended channel can still be watched, at most: a window of hours would keep every channel of the day.
const MAX_LINGER: Duration = Duration::from_mins(10);

/// One channel from its first publisher until none has come back in time.
pub(super) struct Channel {
    name: ChannelName,
    hub: Hub,
    settings: Arc<Settings>,
    /// What makes renditions of the source; `None`: nothing does.
    ladder: Option<Ladder>,
    packager: Packager,
    /// Where viewers get it, once there is something to get.
    page: Option<touchline_edge::channel::Writer>,
    /// As long as the other nodes are to know of it.
    announcement: Option<Announcement>,
}

impl Channel {
    pub(super) fn new(name: ChannelName, hub: Hub, settings: Arc<Settings>) -> Self {
        let packager = new_packager(&settings);
        Self { name, hub, settings, ladder: None, packager, page: None, announcement: None }
    }

    /// Packages feed after feed. Returns the channel's name when it is over.
    pub(super) async fn run(
        self,
        first: feed::Reader,
        returns: mpsc::Receiver<feed::Reader>,
        shutdown: CancellationToken,
    ) -> ChannelName {
        let span = info_span!("channel", name = %self.name);
        self.feeds(first, returns, shutdown).instrument(span).await
    }

    async fn feeds(
        mut self,
        first: feed::Reader,
        mut returns: mpsc::Receiver<feed::Reader>,
        shutdown: CancellationToken,
    ) -> ChannelName {
        let mut feed = Some(first);
        while let Some(mut reader) = feed.take() {
            self.announce(Stance::Live);
            tokio::select! {
                () = self.take_in(&mut reader) => {}
                () = shutdown.cancelled() => break,
            }
            let events = self.packager.pause();
            self.publish(&events);
            self.announce(Stance::Resting);
            feed = self.await_return(&mut returns, &shutdown).await;
        }
        // From here on a publisher opens the channel anew.
        returns.close();
        self.ladder = None;
        self.end();
        let name = self.name.clone();
        self.linger(&shutdown).await;
        name
    }

    /// Makes renditions of a feed, and packages them, until its publisher leaves.
    async fn take_in(&mut self, feed: &mut feed::Reader) {
        if self.ladder.is_none()
            && let Some(workshop) = &self.settings.workshop
        {
            let settings = self.settings.ladders.of(&self.name, &self.settings.hls);
            self.ladder = Some(Ladder::open(&self.name, settings, workshop.clone()).await);
        }
        self.package(feed).await;
    }

    /// Packages a feed until its publisher leaves.
    async fn package(&mut self, feed: &mut feed::Reader) {
        // RFC 8216bis 6.2.1: a playlist that goes on has a new segment within 1.5 target durations.
        let patience = Duration::from_secs(self.settings.hls.target_duration().into()) * 3 / 2;
        // Set once, and not for each of many samples: it rings early, and is put off then.
        let mut heard = tokio::time::Instant::now();
        let mut alarm = pin!(sleep_until(heard + patience));
        loop {
            let output = tokio::select! {
                biased;
                output = next_of(&mut self.ladder, feed) => Some(output),
                () = &mut alarm => None,
            };
            let now = tokio::time::Instant::now();
            let received = output.as_ref().and_then(|output| self.received(output.as_ref()?));
            let events = match output {
                Some(Some(output)) => self.take(output),
                Some(None) => return,
                None if now < heard + patience => {
                    alarm.as_mut().reset(heard + patience);
                    continue;
                }
                None => {
                    alarm.as_mut().reset(now + patience);
                    self.stall(patience)
                }
            };
            heard = now;
            self.publish(&events);
            if let Some(received) = received {
                self.settings.hops.packaged(&self.name, &events, received);
            }
        }
    }

    /// When the last byte of an access unit had come, measured on its way.
    fn received(&self, output: &Output) -> Option<Instant> {
        let Output::Sample(sample) = output else { return None };
        if transcode::is_of_ladder(sample.track) {
            self.settings.hops.encoded(sample.received);
        } else {
            self.settings.hops.received(sample.received);
        }
        Some(sample.received)
    }

    fn take(&mut self, output: Output) -> Vec<Event> {
        match output {
            Output::Start { tracks, skipped } => {
                if skipped > 0 {
                    warn!("the packager fell behind and lost {skipped} samples: the machine is overloaded");
                }
                self.start(&tracks)
            }
            Output::Sample(sample) => self.packager.push(sample),
            Output::Leave(track) => self.packager.leave(track),
            Output::Thumbnail(jpeg) => {
                if let Some(page) = &mut self.page {
                    page.thumbnail(jpeg);
                }
                Vec::new()
            }
            Output::Notice(notice) => {
                if notice.is_trouble() {
                    warn!("{notice}");
                } else {
                    info!("{notice}");
                }
                Vec::new()
            }
        }
    }

    fn stall(&mut self, silent: Duration) -> Vec<Event> {
        let events = self.packager.stall();
        if !events.is_empty() {
            warn!(
                "the publisher is connected but has sent nothing for {silent:?}: viewers wait until a keyframe comes. \
                 Check its network"
            );
        }
        events
    }

    fn start(&mut self, tracks: &[Track]) -> Vec<Event> {
        let started = self.packager.start(tracks);
        let started = match started {
            Err(packager::Error::Incompatible { .. }) => {
                warn!("the publisher now sends other kinds of tracks: players have to load the channel anew");
                self.end();
                self.packager = new_packager(&self.settings);
                self.packager.start(tracks)
            }
            started => started,
        };
        started.unwrap_or_else(|why| {
            error!("the feed cannot be packaged: {why}");
            Vec::new()
        })
    }

    fn publish(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Opened(presentation) => {
                    self.page = Some(self.hub.open(self.name.clone(), Arc::clone(presentation)));
                    self.announcement = Some(self.settings.registry.announce(self.name.clone()));
                    info!("channel is live");
                    if self.settings.workshop.is_none() && has_opus_alone(presentation) {
                        warn!(
                            "the sound is Opus, which not every player knows, and nothing here makes AAC of it. Build {} \
                             with `make build`, or say where it is with --worker FILE, and install {}; or send AAC",
                            workshop::PROGRAM,
                            workshop::PACKAGES
                        );
                    }
                }
                Event::Notice(notice) => warn!("{notice}"),
                _ => {}
            }
        }
        if let Some(page) = &mut self.page {
            page.apply(events);
        }
    }

    async fn await_return(
        &self,
        returns: &mut mpsc::Receiver<feed::Reader>,
        shutdown: &CancellationToken,
    ) -> Option<feed::Reader> {
        let grace = self.settings.grace;
        info!("the publisher has left; the channel waits {grace:?} for its return");
        tokio::select! {
            reader = returns.recv() => {
                info!("the publisher has returned");
                reader
            }
            () = tokio::time::sleep(grace) => None,
            () = shutdown.cancelled() => None,
        }
    }

    fn end(&mut self) {
        let events = self.packager.end();
        self.publish(&events);
        self.announcement = None;
        self.settings.hops.forget(&self.name);
    }

    /// Tells the other nodes how the channel does, if they know of it.
    fn announce(&self, stance: Stance) {
        if let Some(announcement) = &self.announcement {
            announcement.set(stance);
        }
    }

    /// Keeps the ended playlist up for as long as a player may take to come for it.
    async fn linger(self, shutdown: &CancellationToken) {
        tokio::select! {
            () = tokio::time::sleep(self.settings.hls.window.min(MAX_LINGER)) => {}
            () = shutdown.cancelled() => return,
        }
        if let Some(page) = self.page {
            self.hub.remove(page);
        }
    }
}

/// What comes next of a feed: by way of the ladder, if there is one.
async fn next_of(ladder: &mut Option<Ladder>, feed: &mut feed::Reader) -> Option<Output> {
    match ladder {
        Some(ladder) => ladder.next(feed).await,
        None => feed.next().await.map(Output::from),
    }
}

/// Whether there is no sound that every player knows.
fn has_opus_alone(presentation: &Presentation) -> bool {
    let mut sounds = presentation.renditions.iter().filter(|rendition| rendition.kind() == Kind::Audio).peekable();
    sounds.peek().is_some() && sounds.all(|sound| sound.coding.codec == opus::CODEC)
}

fn new_packager(settings: &Settings) -> Packager {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Packager::new(settings.hls.clone(), WallClock { instant: Instant::now(), unix })
}

#[cfg(test)]
mod tests {
    use touchline_edge::Metrics;
    use touchline_media::{Format, MediaTime, Sample, TrackId, aac};
    use touchline_registry::Registry;

    use super::*;
    use crate::config::{Keys, Ladders, Takeover};
    use crate::desk::Hops;

    const TRACK: TrackId = TrackId(1);

    fn channel() -> Channel {
        let hub = Hub::new(touchline_edge::Settings::default(), Metrics::default());
        let hls = packager::Settings::default();
        let settings = Settings {
            keys: Keys::default(),
            webhook: None,
            takeover: Takeover::Refuse,
            hls,
            ladders: Ladders::default(),
            workshop: None,
            grace: Duration::ZERO,
            registry: Registry::default(),
            hops: Hops::default(),
        };
        Channel::new("main".parse().unwrap(), hub, Arc::new(settings))
    }

    /// A second of sound from `second` on.
    fn send(feed: &mut feed::Writer, second: i64) {
        for frame in 47 * second..47 * (second + 1) {
            let dts = MediaTime::new(1_024 * frame, aac().timescale());
            let received = Instant::now();
            feed.push(Sample { track: TRACK, dts, pts: dts, sync: true, data: vec![0; 300].into(), received });
        }
    }

    fn aac() -> aac::Config {
        aac::Config::parse(vec![0x11, 0x90].into()).unwrap()
    }

    /// Whether what is open after so much silence is still open.
    async fn is_open_after(silence: Duration) -> bool {
        let (mut writer, mut reader) = feed::channel();
        let config = aac();
        let timescale = config.timescale();
        let track = Track {
            id: TRACK,
            timescale,
            format: Format::Aac(config),
            frame_ticks: Some(1_024),
            bitrate: None,
            language: None,
        };
        writer.start(Arc::new([track]));
        send(&mut writer, 0);
        let mut channel = channel();
        tokio::select! {
            () = channel.package(&mut reader) => unreachable!("the publisher is still there"),
            () = tokio::time::sleep(silence) => {}
        }
        !channel.packager.stall().is_empty()
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_that_falls_silent_is_closed_after_one_and_a_half_target_durations() {
        assert!(is_open_after(Duration::from_millis(2_990)).await);
        assert!(!is_open_after(Duration::from_millis(3_010)).await);
    }
}
