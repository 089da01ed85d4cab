//! Plays one media playlist: reloads it as a player does, and fetches what it lists and hints.

mod fetch;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::header;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use url::Url;

use super::client::{Ask, Client};
use super::dial::Dial;
use super::evidence::{Fetched, Recording, Refused, Version, What, Why};
use super::media::Init;
use super::playlist::{Hint, Map, Media, Part, Segment};
use super::seconds::Seconds;
use fetch::Fetch;

/// Versions of a playlist that are kept; a watch that reaches it ends early.
const MAX_VERSIONS: usize = 2000;
/// Media resources that a watch fetches.
const MAX_FETCHED: usize = 8000;
/// Whole segments that a watch fetches beside the parts.
const MAX_SEGMENTS: usize = 12;
/// Removed parts that a watch asks for, and removed segments.
const MAX_REMOVED: usize = 5;
/// Refused reloads in a row after which a watch ends.
const MAX_REFUSED: usize = 8;
/// Pause after a refused reload, and after one that brought nothing new.
const PAUSE: Duration = Duration::from_millis(250);
/// What a request may take beyond what the server may hold it for.
const MARGIN: Duration = Duration::from_secs(5);
/// How long fetches that are under way at the end may go on.
const GRACE: Duration = Duration::from_secs(3);
/// Target duration of a playlist that says none.
const DEFAULT_TARGET: Seconds = Seconds::whole(6);

/// What is going on, for people to see.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) playlists: AtomicU64,
    pub(crate) fetched: AtomicU64,
}

/// One media playlist to be watched.
pub(crate) struct Watch<D> {
    pub(crate) client: Client<D>,
    pub(crate) name: String,
    pub(crate) url: Url,
    /// Where times count from.
    pub(crate) zero: Instant,
    pub(crate) until: Instant,
    pub(crate) progress: Arc<Progress>,
}

/// A watch that has begun.
struct Watching<D> {
    watch: Watch<D>,
    recording: Recording,
    fetches: JoinSet<Fetched>,
    init: Option<(Arc<Map>, Arc<Init>)>,
    /// Parts and segments that are fetched already, or are never to be.
    known: BTreeSet<What>,
    /// Hinted parts under way, by their URI.
    hinted: HashMap<String, (u64, u64)>,
    spawned: usize,
    segments: usize,
    removed: [usize; 2],
}

impl<D: Dial> Watch<D> {
    /// Watches until the time is over, the stream has ended or the server refuses to go on.
    pub(crate) async fn run(self) -> Recording {
        let recording = Recording { name: self.name.clone(), url: Some(self.url.clone()), ..Recording::default() };
        let mut watching = Watching {
            watch: self,
            recording,
            fetches: JoinSet::new(),
            init: None,
            known: BTreeSet::new(),
            hinted: HashMap::new(),
            spawned: 0,
            segments: 0,
            removed: [0; 2],
        };
        watching.reload_to_the_end().await;
        watching.settle().await;
        watching.recording
    }
}

/// `url` with delivery directives added to its query (RFC 8216bis 6.2.5).
pub(crate) fn with_directives(url: &Url, directives: &str) -> Url {
    let mut url = url.clone();
    let query = url.query().map_or_else(|| directives.to_owned(), |query| format!("{query}&{directives}"));
    url.set_query(Some(&query));
    url
}

/// How long a server may hold a request for this playlist, and a little more.
pub(crate) fn hold_limit(media: &Media) -> Duration {
    media.target().unwrap_or(DEFAULT_TARGET).times(3, 1).to_duration() + MARGIN
}

impl<D: Dial> Watching<D> {
    async fn reload_to_the_end(&mut self) {
        let (mut awaited, mut refused) = (None, 0);
        while Instant::now() < self.watch.until && self.recording.versions.len() < MAX_VERSIONS {
            let before = self.recording.last().map(|version| version.media.clone());
            match self.load(awaited).await {
                Some(Ok(version)) => {
                    refused = 0;
                    let media = version.media.clone();
                    self.recording.versions.push(version);
                    self.watch.progress.playlists.fetch_add(1, Ordering::Relaxed);
                    self.follow(before.as_deref(), &media).await;
                    if media.ended {
                        return;
                    }
                    let news = before.is_none_or(|before| before.next_part() != media.next_part());
                    awaited = self.next(&media, news).await;
                }
                Some(Err(refusal)) => {
                    refused += 1;
                    self.recording.refused.push(refusal);
                    if refused == MAX_REFUSED {
                        return;
                    }
                    sleep(PAUSE).await;
                }
                None => return,
            }
        }
    }

    /// What to wait for next. A server that cannot hold requests is polled, as RFC 8216bis 6.3.4 asks for.
    async fn next(&mut self, media: &Media, news: bool) -> Option<(u64, Option<u64>)> {
        let blocks = media.control.as_ref().is_some_and(|control| control.can_block_reload);
        if !blocks {
            let target = media.target().unwrap_or(DEFAULT_TARGET);
            let pause = media.part_target.map_or(target.times(1, 2), |(part, _)| part).to_duration();
            self.pause(pause).await;
            return None;
        }
        if !news {
            self.pause(PAUSE).await;
        }
        let (msn, index) = media.next_part();
        Some((msn, media.part_target.map(|_| index)))
    }

    async fn pause(&mut self, pause: Duration) {
        sleep_until((Instant::now() + pause).min(self.watch.until)).await;
        self.collect();
    }

    /// Loads the playlist; `None` when the time is over first.
    async fn load(&mut self, awaited: Option<(u64, Option<u64>)>) -> Option<Result<Version, Refused>> {
        let url = match awaited {
            Some((msn, Some(part))) => with_directives(&self.watch.url, &format!("_HLS_msn={msn}&_HLS_part={part}")),
            Some((msn, None)) => with_directives(&self.watch.url, &format!("_HLS_msn={msn}")),
            None => self.watch.url.clone(),
        };
        let limit = self.recording.last().map_or(Duration::from_secs(20), |version| hold_limit(&version.media));
        let ask = Ask::get(limit).with(header::ACCEPT_ENCODING, "gzip");
        let asked = Instant::now();
        let answer = timeout_at(self.watch.until + MARGIN, self.watch.client.ask(&url, &ask)).await.ok()?;
        self.collect();
        let refused = |status, what| Refused { status, waited: asked.elapsed(), what };
        Some(match answer {
            Ok(answer) => Version::read(url.clone(), awaited, &answer, self.watch.zero)
                .map_err(|what| refused(Some(answer.status), what)),
            Err(failure) => Err(refused(None, failure.to_string())),
        })
    }

    /// Fetches what is new in a playlist.
    async fn follow(&mut self, before: Option<&Media>, media: &Media) {
        self.load_init(media).await;
        if before.is_none() {
            self.forget_old(media);
        }
        for segment in &media.segments {
            self.follow_segment(segment);
        }
        for hint in media.hints.iter().filter(|hint| hint.kind == "PART") {
            self.follow_hint(hint, media.next_part());
        }
        if let Some(before) = before {
            self.follow_removed(before, media);
        }
    }

    /// Asks for a hinted part before it is there. An open range goes on with the parts after it, so that it is asked for once a segment,
    /// and its parts are fetched by their own ranges when they are listed.
    fn follow_hint(&mut self, hint: &Hint, next: (u64, u64)) {
        let (what, range) = match (hint.start, hint.length) {
            // RFC 8673: a range whose end is not known yet.
            (Some(start), None) => (What::Rest(next.0), Some(format!("bytes={start}-9007199254740991"))),
            (start, length) => {
                let range =
                    |(start, length): (u64, u64)| format!("bytes={start}-{}", (start + length).saturating_sub(1));
                (What::Part(next.0, next.1), start.zip(length).map(range))
            }
        };
        if self.known.insert(what) {
            if what == What::Part(next.0, next.1) {
                self.hinted.insert(hint.uri.clone(), next);
            }
            self.spawn(what, Why::Hinted, &hint.uri, range, Duration::ZERO);
        }
    }

    /// Of what the first playlist lists, only the last complete segment and what comes after it is fetched.
    fn forget_old(&mut self, media: &Media) {
        let last = media.last_complete().unwrap_or(0);
        for segment in media.segments.iter().filter(|segment| segment.msn < last) {
            self.known.insert(What::Segment(segment.msn));
            for index in 0..segment.parts.len() as u64 {
                self.known.insert(What::Part(segment.msn, index));
            }
        }
    }

    fn follow_segment(&mut self, segment: &Segment) {
        for (index, part) in (0..).zip(&segment.parts) {
            let what = What::Part(segment.msn, index);
            let promised = self.hinted.get(&part.uri) == Some(&(segment.msn, index));
            // A part that is not where its hint said it would be is fetched from where it is.
            if (self.known.insert(what) || (!promised && self.hinted.values().any(|at| *at == (segment.msn, index))))
                && !part.gap
            {
                self.hinted.retain(|_, at| *at != (segment.msn, index));
                self.spawn(what, Why::Listed, &part.uri, range_of(part), Duration::ZERO);
            }
            self.hinted.remove(&part.uri);
        }
        let Some(uri) = &segment.uri else { return };
        if self.known.insert(What::Segment(segment.msn)) && !segment.gap && self.segments < MAX_SEGMENTS {
            self.segments += 1;
            let range =
                segment.byte_range.map(|range| format!("bytes={}-{}", range.start, range.start + range.length - 1));
            self.spawn(What::Segment(segment.msn), Why::Listed, uri, range, Duration::ZERO);
        }
    }

    /// Asks for what has left the playlist, late in the time for which it has to be there (RFC 8216bis 6.2.2).
    fn follow_removed(&mut self, before: &Media, media: &Media) {
        let Some(target) = media.target() else { return };
        let mut gone = before.segments.iter().filter(|old| {
            !old.parts.is_empty() && media.segments.iter().all(|new| new.msn != old.msn || new.parts.is_empty())
        });
        if let Some((segment, part)) = gone.find_map(|old| Some((old.msn, old.parts.first()?)))
            && self.removed[0] < MAX_REMOVED
            && !part.gap
        {
            self.removed[0] += 1;
            self.spawn(
                What::Part(segment, 0),
                Why::Removed,
                &part.uri,
                range_of(part),
                target.times(27, 10).to_duration(),
            );
        }
        let gone = before.complete().find(|old| old.msn < media.first_msn() && !old.gap && old.byte_range.is_none());
        if let Some(segment) = gone
            && self.removed[1] < MAX_REMOVED
            && let Some(delay) = self.time_left(segment.msn)
            && let Some(uri) = &segment.uri
        {
            self.removed[1] += 1;
            self.spawn(What::Segment(segment.msn), Why::Removed, uri, None, delay / 2);
        }
    }

    /// For how long a removed segment still has to be there: from its first appearance on for its own duration and that of the longest
    /// playlist that listed it (RFC 8216bis 6.2.2). `None` when that time is over, or its beginning cannot be told.
    fn time_left(&self, msn: u64) -> Option<Duration> {
        let listed = |version: &&Version| version.media.complete().any(|segment| segment.msn == msn);
        let first = self.recording.versions.iter().find(listed)?;
        let longest = self.recording.versions.iter().filter(listed).map(|version| version.media.duration()).max()?;
        let after = || first.media.complete().filter(|segment| segment.msn > msn);
        // Who publishes anew after a while leaves segments in the playlist for longer than they last.
        if after().any(|segment| segment.discontinuity) {
            return None;
        }
        let lasts = first.media.complete().find(|segment| segment.msn == msn)?.duration?;
        let since: Seconds = after().filter_map(|segment| segment.duration).sum();
        let age = (self.watch.zero.elapsed().saturating_sub(first.arrived)).saturating_add(since.to_duration());
        (lasts + longest).to_duration().checked_sub(age).filter(|left| !left.is_zero())
    }

    /// Loads the init section that applies at the end of the playlist, unless it is the one that is there.
    async fn load_init(&mut self, media: &Media) {
        let Some(map) = media.segments.last().and_then(|segment| segment.map.clone()) else { return };
        if self.init.as_ref().is_some_and(|(known, _)| **known == *map) {
            return;
        }
        let Ok(url) = self.watch.url.join(&map.uri) else { return };
        let range = map.byte_range.map(|range| format!("bytes={}-{}", range.start, range.start + range.length - 1));
        let fetch = self.fetch(What::Init, Why::Listed, url, range, Duration::ZERO);
        let fetched = fetch.run(self.watch.client.clone()).await;
        self.init = fetched.init.clone().map(|init| (map, init));
        self.record(fetched);
    }

    fn spawn(&mut self, what: What, why: Why, uri: &str, range: Option<String>, delay: Duration) {
        let Ok(url) = self.watch.url.join(uri) else { return };
        self.spawned += 1;
        if self.spawned <= MAX_FETCHED {
            let fetch = self.fetch(what, why, url, range, delay);
            self.fetches.spawn(fetch.run(self.watch.client.clone()));
        }
    }

    fn fetch(&self, what: What, why: Why, url: Url, range: Option<String>, delay: Duration) -> Fetch {
        let limit = self.recording.last().map_or(MARGIN, |version| hold_limit(&version.media));
        let init = self.init.as_ref().map(|(_, init)| init.clone());
        // What has been removed is asked for in time, also when the watch ends before.
        let delay = delay.min(self.watch.until.saturating_duration_since(Instant::now()));
        Fetch { what, why, url, range, init, limit, delay, zero: self.watch.zero }
    }

    fn collect(&mut self) {
        while let Some(Ok(fetched)) = self.fetches.try_join_next() {
            self.record(fetched);
        }
    }

    fn record(&mut self, fetched: Fetched) {
        self.watch.progress.fetched.fetch_add(1, Ordering::Relaxed);
        self.recording.fetched.push(fetched);
    }

    /// Lets fetches that are under way end. A part that was only hinted may never come.
    async fn settle(&mut self) {
        let end = Instant::now() + GRACE;
        while let Ok(Some(Ok(fetched))) = timeout_at(end, self.fetches.join_next()).await {
            self.record(fetched);
        }
    }
}

fn range_of(part: &Part) -> Option<String> {
    part.byte_range.map(|range| format!("bytes={}-{}", range.start, (range.start + range.length).saturating_sub(1)))
}
