//! One channel: a writer applies packager events, viewers get what comes of them.

mod rendition;
mod snapshot;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::watch;
use touchline_audience::Place;
use touchline_media::{ChannelName, Kind};
use touchline_packager::{
    Coding, Event, Found, Name, Presentation, RenditionId, Report, Resource, Shift, Unfit, Window, multivariant, splice,
};

use self::rendition::{Media, Rendition};
pub(crate) use self::snapshot::{Frames, Snapshot};
use crate::directives::{self, Directives, Verdict};
use crate::error::Error;
use crate::hold::{Holds, Unfulfilled};
use crate::metrics::Metrics;
use crate::replication::log::{Content as Logged, Entry};
use crate::replication::proof::{self, Proof, Provable};
use crate::replication::{Clock, Log, Mark, wire};
use crate::settings::Settings;
use crate::spool::{self, Archive};
use crate::steering::Steering;
use crate::text::Text;
use crate::thumbnail::Thumbnail;
use crate::version::Version;

/// The end of a channel that is written: there is one.
///
/// Dropping it leaves the channel as it is; [`Event::Ended`] ends it, [`crate::Hub::remove`] takes it away.
#[derive(Debug)]
pub struct Writer {
    channel: Arc<Channel>,
}

impl Writer {
    pub(crate) fn new(channel: Arc<Channel>) -> Self {
        Self { channel }
    }

    pub(crate) fn into_channel(self) -> Arc<Channel> {
        self.channel
    }

    /// Makes what the events bring available, and wakes who waits for the playlists that they change.
    pub fn apply(&mut self, events: &[Event]) {
        if events.iter().any(wire::goes) {
            self.channel.apply(Mark::next, unix_micros(), events);
        }
    }

    /// Shows this JPEG as the channel's thumbnail from now on. More than a mebibyte is refused, and said once.
    pub fn thumbnail(&mut self, jpeg: Bytes) {
        self.channel.show(Mark::next, jpeg);
    }

    /// As on the node where they come from: what they bring takes the channel to the same mark. The renditions whose proofs
    /// do not hold here.
    pub(crate) fn apply_as(&mut self, batch: &wire::Batch) -> Vec<RenditionId> {
        let ends = self.channel.apply(|_| batch.mark, batch.made, &batch.events);
        let holds =
            |(id, theirs): &(RenditionId, Proof)| ends.iter().any(|end| end.rendition == *id && end.proof() == *theirs);
        batch.proofs.iter().filter(|claim| !holds(claim)).map(|(id, _)| *id).collect()
    }

    /// As on the node where it comes from.
    pub(crate) fn thumbnail_as(&mut self, mark: Mark, jpeg: Bytes) {
        self.channel.show(|_| mark, jpeg);
    }

    /// Puts the channel where another node has it; who waits goes on waiting, now for that.
    pub(crate) fn restore(&mut self, snapshot: Snapshot) {
        self.channel.restore(snapshot);
    }

    /// What another node made of a presentation that this channel has gone on with, when it was made.
    pub(crate) fn apply_made(&mut self, events: &[Event], made: u64) {
        self.channel.apply(Mark::next, made, events);
    }

    /// Goes on with the media of another channel; how its events are to be shifted from now on.
    pub(crate) fn splice(&mut self, other: &Self) -> Result<Shift, Unfit> {
        let (shift, events) = {
            let (here, there) = (self.channel.windows(), other.channel.windows());
            let here: Vec<&Window> = here.iter().map(|window| &**window).collect();
            let there: Vec<&Window> = there.iter().map(|window| &**window).collect();
            splice(&here, &there, Instant::now())?
        };
        // From here on this node has a history of its own.
        let line = Mark::fresh().line;
        self.channel.apply(|mark| Mark { line, ..mark.next() }, unix_micros(), &events);
        Ok(shift)
    }

    /// Where the channel stands.
    pub(crate) fn mark(&self) -> Mark {
        self.channel.log.lock().newest()
    }

    /// All of it, at one moment.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.channel.state().0
    }

    /// Whether what the channel says now is what these prove, rendition by rendition.
    pub(crate) fn is_proved_by(&self, proofs: &[Proof]) -> bool {
        let versions = self.channel.renditions.iter().map(Rendition::version);
        versions.map(|version| proof::of_playlist(&version)).eq(proofs.iter().copied())
    }

    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }
}

fn unix_micros() -> u64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(unix.as_micros()).unwrap_or(u64::MAX)
}

/// A channel as viewers see it.
pub(crate) struct Channel {
    name: ChannelName,
    presentation: Arc<Presentation>,
    renditions: Vec<Rendition>,
    multivariant: watch::Sender<Multivariant>,
    thumbnail: Thumbnail,
    holds: Holds,
    /// For the nodes that follow. Writers hold its lock as long as they change anything.
    log: Log,
    /// When it opened...
    opened: Instant,
    /// ...and how many seconds later somebody last asked for something.
    asked: AtomicU64,
    metrics: Metrics,
    archive: Archive,
    /// By which pathways viewers get it; `None`: they stay where they are.
    steering: Option<Steering>,
    /// Where viewers of each rendition are counted; none: nowhere.
    places: Vec<Place>,
}

/// What a viewer gets of a rendition.
#[derive(Debug)]
pub(crate) enum Content {
    /// From memory.
    Here(Resource),
    /// A segment from a file.
    File {
        path: PathBuf,
        /// In bytes.
        len: u64,
    },
    /// A segment that the origins have.
    Away,
}

/// A media playlist that has what a viewer asks for.
#[derive(Debug)]
pub(crate) struct Playlist {
    pub(crate) version: Arc<Version>,
    /// Whether it is the first version that has it, which is the same on every node; those after it have it too.
    pub(crate) first: bool,
    /// Whether it was waited for.
    pub(crate) held: bool,
}

/// The multivariant playlist at one moment.
#[derive(Debug, Clone, Default)]
struct Multivariant {
    /// `None` until there is something to play in every rendition.
    text: Option<Arc<Text>>,
    ended: bool,
    closed: Option<Closed>,
}

/// Why nothing will come any more that is not there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The channel was removed or replaced.
    Removed,
    /// The server shuts down.
    Draining,
}

impl Channel {
    pub(crate) fn new(
        name: ChannelName,
        presentation: Arc<Presentation>,
        settings: &Settings,
        metrics: Metrics,
        archive: Archive,
    ) -> Self {
        // RFC 8216bis 6.2.5.2: no request is held for more than three target durations.
        let holds = Holds::new(settings, presentation.three_targets(), metrics.clone());
        let renditions = presentation.ids().map(|id| Rendition::new(&presentation, id, metrics.clone())).collect();
        let opened = Instant::now();
        Self {
            name,
            presentation,
            renditions,
            multivariant: watch::Sender::default(),
            thumbnail: Thumbnail::default(),
            holds,
            log: Log::new(Mark::fresh(), Clock { instant: opened, nanos: 0 }),
            opened,
            asked: AtomicU64::new(0),
            metrics,
            archive,
            steering: None,
            places: Vec::new(),
        }
    }

    /// The same, offered by several pathways.
    pub(crate) fn steered(self, steering: Option<Steering>) -> Self {
        Self { steering, ..self }
    }

    /// The same, whose viewers are counted: at these places, one for each rendition.
    pub(crate) fn counted(self, places: Vec<Place>) -> Self {
        Self { places, ..self }
    }

    /// Where viewers of a rendition are counted.
    pub(crate) fn place(&self, id: RenditionId) -> Option<Place> {
        self.places.get(usize::from(id.0)).copied()
    }

    /// Whether a player follows it but once at a time: of pictures, or of sound where there are none.
    pub(crate) fn is_followed_by(&self, id: RenditionId) -> bool {
        let kind = |id| self.presentation.rendition(id).map(touchline_packager::Rendition::kind);
        kind(id) == Some(Kind::Video) || !self.presentation.ids().any(|id| kind(id) == Some(Kind::Video))
    }

    /// The multivariant playlist, as soon as there is one.
    pub(crate) async fn multivariant(&self) -> Result<Arc<Text>, Error> {
        let judge = |state: &Multivariant, _held| match &state.text {
            Some(text) => Some(Ok(Arc::clone(text))),
            None if state.ended => Some(Err(self.closed(Closed::Removed))),
            None => state.closed.map(|why| Err(self.closed(why))),
        };
        self.holds.until(&self.multivariant, judge).await.unwrap_or_else(|why| Err(self.unfulfilled(why)))
    }

    /// The media playlist of a rendition, when it has what the directives ask for.
    pub(crate) async fn playlist(
        &self,
        rendition: RenditionId,
        directives: Result<Directives, directives::Error>,
    ) -> Result<Playlist, Error> {
        let rendition = self.rendition(rendition)?;
        let directives = match directives {
            Ok(directives) => directives,
            // RFC 8216bis 6.2.5.2: after EXT-X-ENDLIST directives are ignored.
            Err(_) if rendition.state.borrow().edge.ended => Directives::default(),
            Err(reason) => return Err(Error::Directives { channel: self.name.clone(), reason }),
        };
        let judge = |state: &Media, held| match directives.until.judge(&state.edge) {
            // Who has waited gets the same as all who have, however late its turn comes.
            Verdict::Serve if held => Some(Ok(state.first(directives.until))),
            Verdict::Serve => {
                let first = state.recent.back().is_some_and(|past| directives.until.is_awaited_at(&past.edge));
                Some(Ok(Playlist { version: Arc::clone(&state.version), first, held }))
            }
            Verdict::TooFar => Some(Err(Error::TooFar { channel: self.name.clone() })),
            Verdict::Wait => state.closed.map(|why| Err(self.closed(why))),
        };
        self.holds.until(&rendition.state, judge).await.unwrap_or_else(|why| Err(self.unfulfilled(why)))
    }

    /// A part, a segment or an init section; the part that comes next as soon as it exists (RFC 8216bis 6.2.6).
    pub(crate) async fn resource(&self, id: RenditionId, name: Name) -> Result<Content, Error> {
        let rendition = self.rendition(id)?;
        let judge = |state: &Media, _held| match rendition.window().find(name) {
            Found::Ready(resource) => Some(Ok(Content::Here(resource))),
            Found::Offloaded { msn, len } => Some(Ok(match &self.archive {
                Archive::Files(folder) => Content::File { path: folder.path(id, msn), len },
                Archive::Memory | Archive::Origins => Content::Away,
            })),
            Found::Missing if state.edge.ended => Some(Err(Error::Ended { channel: self.name.clone() })),
            Found::Missing => Some(Err(self.missing())),
            Found::Next => state.closed.map(|why| Err(self.closed(why))),
        };
        self.holds.until(&rendition.state, judge).await.unwrap_or_else(|why| Err(self.unfulfilled(why)))
    }

    /// The newest still picture, as a JPEG.
    pub(crate) fn thumbnail(&self) -> Result<Bytes, Error> {
        self.thumbnail.get().ok_or_else(|| Error::NoThumbnail { channel: self.name.clone() })
    }

    /// What was asked for is past its time, or not there yet.
    pub(crate) fn missing(&self) -> Error {
        Error::NoResource { channel: self.name.clone() }
    }

    /// The rendition with this name, and what it carries.
    pub(crate) fn find(&self, rendition: &str) -> Result<(RenditionId, Kind), Error> {
        let found = self.presentation.find(rendition);
        let found = found.and_then(|id| Some((id, self.presentation.rendition(id)?.kind())));
        found.ok_or_else(|| Error::NoRendition { channel: self.name.clone() })
    }

    /// What each rendition carries now.
    pub(crate) fn codings(&self) -> Vec<Coding> {
        let opened = self.presentation.renditions.iter().map(|rendition| &rendition.coding);
        let now = self.renditions.iter().map(|rendition| rendition.window().codings().next().cloned());
        opened.zip(now).map(|(opened, now)| now.unwrap_or_else(|| opened.clone())).collect()
    }

    pub(crate) fn name(&self) -> &ChannelName {
        &self.name
    }

    pub(crate) fn presentation(&self) -> &Presentation {
        &self.presentation
    }

    /// Whether more may come.
    pub(crate) fn live(&self) -> bool {
        !self.multivariant.borrow().ended
    }

    /// Answers all requests that are held; what is there is served on, and nothing is held any more.
    pub(crate) fn close(&self, why: Closed) {
        self.multivariant.send_modify(|state| state.closed = Some(why));
        for rendition in &self.renditions {
            rendition.state.send_modify(|state| state.closed = Some(why));
        }
        self.log.wake();
    }

    /// Why nothing will come any more, if so.
    pub(crate) fn is_closed(&self) -> Option<Closed> {
        self.multivariant.borrow().closed
    }

    /// Told of each newest mark, and of the end.
    pub(crate) fn follow(&self) -> watch::Receiver<Mark> {
        self.log.follow()
    }

    /// What takes another node from a mark to the newest; `None` where a snapshot has to.
    pub(crate) fn after(&self, mark: Mark) -> Option<Vec<Arc<Entry>>> {
        self.log.lock().after(mark)
    }

    /// All of it, at one moment, as other nodes are told.
    pub(crate) fn snapshot(&self) -> Frames {
        let (snapshot, versions) = self.state();
        Frames::new(snapshot, versions)
    }

    /// For how long nothing new has come.
    pub(crate) fn quiet(&self) -> Duration {
        self.renditions.iter().map(|rendition| rendition.version().made.elapsed()).min().unwrap_or_default()
    }

    /// All of it, at one moment, and the newest version of each playlist.
    fn state(&self) -> (Snapshot, Vec<Arc<Version>>) {
        let log = self.log.lock();
        let (renditions, versions) = self.renditions.iter().map(Rendition::snapshot).unzip();
        let snapshot = Snapshot {
            mark: log.newest(),
            clock: log.clock,
            presentation: Arc::clone(&self.presentation),
            multivariant: self.multivariant.borrow().text.as_ref().map(|text| text.plain()),
            thumbnail: self.thumbnail.get(),
            renditions,
        };
        drop(log);
        (snapshot, versions)
    }

    fn windows(&self) -> Vec<MutexGuard<'_, Window>> {
        self.renditions.iter().map(Rendition::window).collect()
    }

    /// Somebody wants something of it.
    pub(crate) fn touch(&self) {
        let now = self.opened.elapsed().as_secs();
        // A store for each of thousands of requests would be a line of memory that all cores fight for.
        if self.asked.load(Ordering::Relaxed) != now {
            self.asked.store(now, Ordering::Relaxed);
        }
    }

    /// For how long nobody has wanted anything of it.
    pub(crate) fn idle(&self) -> Duration {
        if self.holds.any() || self.log.is_followed() {
            return Duration::ZERO;
        }
        self.opened.elapsed().saturating_sub(Duration::from_secs(self.asked.load(Ordering::Relaxed)))
    }

    /// Applies events, which take the channel to the mark that follows its own; the segments that end.
    fn apply(&self, mark: impl FnOnce(Mark) -> Mark, made: u64, events: &[Event]) -> Vec<Provable> {
        let mut log = self.log.lock();
        // All windows first: a playlist never lists what cannot be fetched, and (RFC 8216bis 4.4.5.4) is as up-to-date on the
        // other renditions as on its own.
        let changed: Vec<bool> = self.renditions.iter().map(|rendition| rendition.take(events)).collect();
        let reports: Vec<Report> = self.renditions.iter().filter_map(|rendition| rendition.window().report()).collect();
        for (rendition, _) in self.renditions.iter().zip(changed).filter(|(_, changed)| *changed) {
            rendition.publish(&reports);
        }
        self.publish_multivariant(events);
        let ends = self.ends(events);
        let told = events.iter().filter(|event| wire::goes(event)).cloned().collect();
        let mark = mark(log.newest());
        log.push(mark, Logged::Batch { made, events: told, ends: ends.clone() });
        drop(log);
        self.log.wake();
        self.spool(events);
        ends
    }

    fn show(&self, mark: impl FnOnce(Mark) -> Mark, jpeg: Bytes) {
        let mut log = self.log.lock();
        self.thumbnail.set(&self.name, jpeg.clone());
        let mark = mark(log.newest());
        log.push(mark, Logged::Thumbnail(jpeg));
        drop(log);
        self.log.wake();
    }

    /// The segments that end with these events.
    fn ends(&self, events: &[Event]) -> Vec<Provable> {
        let end = |event: &Event| match event {
            Event::SegmentEnd(end) => Some(self.rendition(end.rendition).ok()?.provable(end.rendition, end.msn)),
            _ => None,
        };
        events.iter().filter_map(end).collect()
    }

    fn restore(&self, snapshot: Snapshot) {
        let mut log = self.log.lock();
        for (rendition, state) in self.renditions.iter().zip(snapshot.renditions) {
            rendition.restore(&self.presentation, state);
        }
        if let Some(jpeg) = snapshot.thumbnail {
            self.thumbnail.set(&self.name, jpeg);
        }
        let ended = self.renditions.iter().any(|rendition| rendition.window().ended());
        self.multivariant.send_modify(|state| {
            state.ended = ended;
            state.text = snapshot.multivariant.map(|text| Arc::new(self.metrics.text(text)));
        });
        log.restart(snapshot.mark, snapshot.clock);
        drop(log);
        self.log.wake();
    }

    /// Renders the multivariant playlist when a rendition's first part or new coding may change it, a whole segment, or one
    /// that begins: a gap begins with a segment, and ends with one.
    fn publish_multivariant(&self, events: &[Event]) {
        let ended = events.iter().any(|event| matches!(event, Event::Ended));
        let may_change = events.iter().any(|event| match event {
            Event::Init(_) | Event::SegmentEnd(_) | Event::Splice(_) => true,
            Event::Part(part) => part.segment_start.is_some(),
            _ => false,
        });
        if !ended && !may_change && self.multivariant.borrow().text.is_some() {
            return;
        }
        let windows = self.windows();
        let windows: Vec<&Window> = windows.iter().map(|window| &**window).collect();
        let pathways = self.steering.as_ref().map(|steering| steering.pathways(&self.name));
        let text = multivariant(&self.presentation, &windows, pathways.as_ref());
        self.multivariant.send_if_modified(|state| {
            state.ended |= ended;
            let Some(text) = text else { return ended };
            let same = state.text.as_ref().is_some_and(|old| old.plain() == text);
            if !same {
                state.text = Some(Arc::new(self.metrics.build(&text)));
            }
            ended || !same
        });
    }

    /// Moves segments far from the live edge out of memory, and forgets those that nobody may ask for any more.
    fn spool(&self, events: &[Event]) {
        let ends = events.iter().any(|event| matches!(event, Event::SegmentEnd(_)));
        let folder = match &self.archive {
            Archive::Files(folder) => folder,
            Archive::Origins if ends => {
                for rendition in &self.renditions {
                    let mut window = rendition.window();
                    for far in window.offload(spool::DISTANCE) {
                        window.offloaded(far.msn);
                    }
                }
                return;
            }
            Archive::Memory | Archive::Origins => return,
        };
        for (id, msn) in folder.settled() {
            if let Ok(rendition) = self.rendition(id) {
                rendition.window().offloaded(msn);
            }
        }
        if !ends {
            return;
        }
        for (id, rendition) in self.presentation.ids().zip(&self.renditions) {
            let (far, oldest) = {
                let mut window = rendition.window();
                (window.offload(spool::DISTANCE), window.oldest())
            };
            for segment in far {
                folder.keep(id, segment);
            }
            folder.forget(id, oldest);
        }
    }

    fn rendition(&self, id: RenditionId) -> Result<&Rendition, Error> {
        let rendition = self.renditions.get(usize::from(id.0));
        rendition.ok_or_else(|| Error::NoRendition { channel: self.name.clone() })
    }

    fn closed(&self, why: Closed) -> Error {
        let channel = self.name.clone();
        match why {
            Closed::Removed => Error::NotLive { channel },
            Closed::Draining => Error::Draining { channel },
        }
    }

    fn unfulfilled(&self, why: Unfulfilled) -> Error {
        let channel = self.name.clone();
        match why {
            Unfulfilled::Full { limit } => Error::TooManyHeld { channel, limit },
            Unfulfilled::AllFull { limit } => Error::TooManyHeldInAll { limit },
            Unfulfilled::Timeout { after } => Error::HoldTimeout { channel, seconds: after.as_secs() },
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("name", &self.name)
            .field("presentation", &self.presentation)
            .finish_non_exhaustive()
    }
}
