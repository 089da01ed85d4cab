//! What was recorded, for the rules to judge: playlists with their times, and what was fetched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::client::Answer;
use super::media::{Fragment, Init};
use super::playlist::{Media, Multivariant, Part, Segment};
use super::report::Place;

/// Characters of a playlist's line that a report shows.
const MAX_SHOWN_LINE: usize = 160;

/// Everything that was recorded. Times count from the beginning of the watch.
pub(crate) struct Evidence {
    /// The multivariant playlist, unless one media playlist was judged.
    pub(crate) multivariant: Option<(Url, String, Multivariant, Option<String>)>,
    /// One per media playlist.
    pub(crate) renditions: Vec<Recording>,
}

/// What was recorded of one media playlist.
#[derive(Default)]
pub(crate) struct Recording {
    /// Its name in reports: the URI in the multivariant playlist.
    pub(crate) name: String,
    pub(crate) url: Option<Url>,
    /// Full playlists in the order in which they came.
    pub(crate) versions: Vec<Version>,
    /// Requests for playlists that had no playlist as their answer.
    pub(crate) refused: Vec<Refused>,
    /// Parts, segments and init sections.
    pub(crate) fetched: Vec<Fetched>,
}

/// One version of a playlist.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) url: Url,
    /// `_HLS_msn` and `_HLS_part` that it was asked with.
    pub(crate) awaited: Option<(u64, Option<u64>)>,
    pub(crate) asked: Duration,
    pub(crate) arrived: Duration,
    pub(crate) content_type: Option<String>,
    pub(crate) text: Arc<str>,
    pub(crate) media: Arc<Media>,
}

/// A request for a playlist that was answered with something else, or not at all.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) status: Option<u16>,
    pub(crate) waited: Duration,
    pub(crate) what: String,
}

/// A media resource that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) what: What,
    pub(crate) why: Why,
    pub(crate) url: Url,
    /// When the playlist with it had come.
    pub(crate) known: Duration,
    pub(crate) asked: Duration,
    /// When the first byte of its body came.
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    /// `Err` when there was no answer.
    pub(crate) status: Result<u16, String>,
    pub(crate) content_type: Option<String>,
    pub(crate) content_range: Option<String>,
    /// Read as fragmented MP4, where it is that.
    pub(crate) fragment: Option<Fragment>,
    /// The init section that applies to it, or that it is.
    pub(crate) init: Option<Arc<Init>>,
}

/// What a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Part(u64, u64),
    /// An open range of a segment that grows (6.2.6): the parts that are still to come.
    Rest(u64),
    Segment(u64),
    Init,
}

/// Why it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It was hinted, and not listed yet.
    Hinted,
    Listed,
    /// Its tag had left the playlist.
    Removed,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Part(msn, index) => write!(f, "part {index} of segment {msn}"),
            Self::Rest(msn) => write!(f, "the rest of segment {msn}"),
            Self::Segment(msn) => write!(f, "segment {msn}"),
            Self::Init => f.write_str("the init section"),
        }
    }
}

impl Version {
    /// A playlist from its answer; `Err` says why it is none.
    pub(crate) fn read(
        url: Url,
        awaited: Option<(u64, Option<u64>)>,
        answer: &Answer,
        zero: tokio::time::Instant,
    ) -> Result<Self, String> {
        if answer.status != 200 {
            return Err(format!("status {}", answer.status));
        }
        let body = answer.unpacked()?;
        let text: Arc<str> = match String::from_utf8(body) {
            Ok(text) => text.into(),
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into(),
        };
        if !text.contains("#EXTM3U") {
            return Err("the body is not a playlist: #EXTM3U is missing".to_owned());
        }
        Ok(Self {
            media: Arc::new(Media::read(&text)),
            url,
            awaited,
            asked: answer.asked - zero,
            arrived: answer.ended - zero,
            content_type: answer.header("content-type").map(str::to_owned),
            text,
        })
    }

    /// A line of this version, for a report.
    #[expect(clippy::unnecessary_wraps, reason = "as a ledger takes it")]
    pub(crate) fn place(&self, line: usize) -> Option<Place> {
        Some(place(self.url.as_str(), &self.text, line))
    }
}

/// A line of a playlist, for a report.
pub(crate) fn place(url: &str, text: &str, line: usize) -> Place {
    let shown = text.split('\n').nth(line.saturating_sub(1)).unwrap_or_default().trim_end();
    let cut: String = shown.chars().take(MAX_SHOWN_LINE).collect();
    let text = if cut.len() < shown.len() { format!("{cut}...") } else { cut };
    Place { playlist: url.to_owned(), line, text }
}

/// A part as it was first listed.
pub(crate) struct SeenPart<'a> {
    pub(crate) part: &'a Part,
    pub(crate) version: &'a Version,
    /// Whether it was the first load that had it, so that its time says nothing.
    pub(crate) initial: bool,
}

/// A segment as it was first listed in full.
pub(crate) struct SeenSegment<'a> {
    pub(crate) segment: &'a Segment,
    pub(crate) version: &'a Version,
    pub(crate) initial: bool,
}

impl Recording {
    /// All parts that were ever listed, by MSN and index.
    pub(crate) fn parts(&self) -> BTreeMap<(u64, u64), SeenPart<'_>> {
        let mut seen = BTreeMap::new();
        for (number, version) in self.versions.iter().enumerate() {
            for segment in &version.media.segments {
                for (index, part) in (0..).zip(&segment.parts) {
                    seen.entry((segment.msn, index)).or_insert(SeenPart { part, version, initial: number == 0 });
                }
            }
        }
        seen
    }

    /// All segments that were ever listed in full, by MSN.
    pub(crate) fn segments(&self) -> BTreeMap<u64, SeenSegment<'_>> {
        let mut seen = BTreeMap::new();
        for (number, version) in self.versions.iter().enumerate() {
            for segment in version.media.complete() {
                seen.entry(segment.msn).or_insert(SeenSegment { segment, version, initial: number == 0 });
            }
        }
        seen
    }

    /// What was fetched of parts, by MSN and index: those that came, from where they are listed. A hint may have led elsewhere.
    pub(crate) fn fetched_parts(&self) -> BTreeMap<(u64, u64), &Fetched> {
        let listed = self.parts();
        let came = self.fetched.iter().filter(|fetched| fetched.is_good() && fetched.why != Why::Removed);
        came.filter_map(|fetched| match fetched.what {
            What::Part(msn, index) => {
                let seen = listed.get(&(msn, index))?;
                let url = seen.version.url.join(&seen.part.uri).ok()?;
                (url == fetched.url).then_some(((msn, index), fetched))
            }
            _ => None,
        })
        .collect()
    }

    /// What was fetched of segments, by MSN: those that came.
    pub(crate) fn fetched_segments(&self) -> BTreeMap<u64, &Fetched> {
        let came = self.fetched.iter().filter(|fetched| fetched.is_good() && fetched.why != Why::Removed);
        came.filter_map(|fetched| match fetched.what {
            What::Segment(msn) => Some((msn, fetched)),
            _ => None,
        })
        .collect()
    }

    /// The first version, for what is the same in all of them.
    pub(crate) fn first(&self) -> Option<&Version> {
        self.versions.first()
    }

    /// The newest version.
    pub(crate) fn last(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// PART-TARGET.
    pub(crate) fn part_target(&self) -> Option<super::seconds::Seconds> {
        self.versions.iter().find_map(|version| version.media.part_target).map(|(target, _)| target)
    }
}

impl Fetched {
    /// Whether it came.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self.status, Ok(200 | 206))
    }

    /// Its leading track with the fragment, when both were read.
    pub(crate) fn leading(&self) -> Option<(&Fragment, &super::media::Track)> {
        let (fragment, init) = (self.fragment.as_ref()?, self.init.as_ref()?);
        let track = init.leading().filter(|track| fragment.start(track.id).is_some())?;
        Some((fragment, track))
    }
}
