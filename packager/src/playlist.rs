use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};

use crate::history::History;
use crate::seconds::Seconds;
use crate::segment::Segment;
use crate::{Epoch, Item, Name, Part, Presentation, RenditionId};

/// A media playlist at one moment (RFC 8216bis 4). `Display` writes the whole of it, [`MediaPlaylist::delta`] an update.
///
/// A snapshot: cheap to take however long the window is, and it never changes.
#[derive(Debug, Clone)]
pub struct MediaPlaylist {
    pub(crate) presentation: Arc<Presentation>,
    /// The Media Sequence Number of the first segment listed, or that will be.
    pub(crate) media_sequence: u64,
    pub(crate) discontinuity_sequence: u64,
    /// The number of the first listed segment's init section, where that segment does not name it itself.
    pub(crate) map: Option<u32>,
    /// The whole segments that a delta update skips.
    pub(crate) history: History,
    /// Those after them, oldest first; only the last may be growing.
    pub(crate) recent: Vec<Arc<Segment>>,
    /// The running number of the part that comes next.
    pub(crate) next_part: u64,
    /// How far the other renditions are.
    pub(crate) reports: Vec<Report>,
    pub(crate) ended: bool,
}

/// How far a rendition is: EXT-X-RENDITION-REPORT (RFC 8216bis 4.4.5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The rendition.
    pub rendition: RenditionId,
    /// The Media Sequence Number of the segment that its newest part belongs to.
    pub msn: u64,
    /// The index of that part.
    pub part: u32,
}

/// The kinds of Playlist Delta Update (RFC 8216bis 6.2.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// `_HLS_skip=YES`: segments are skipped.
    Segments,
    /// `_HLS_skip=v2`: date ranges too.
    SegmentsAndDateRanges,
}

impl fmt::Display for MediaPlaylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Section 8: EXT-X-MAP asks for 6, and nothing else here for more.
        self.header(f, 6)?;
        self.map(f, self.map)?;
        write!(f, "{}", self.history)?;
        self.rest(f)
    }
}

impl MediaPlaylist {
    /// The update that leaves out the segments beyond the Skip Boundary; `None` where there are none, or nothing follows.
    pub fn delta(&self, skip: Skip) -> Option<impl fmt::Display> {
        (self.history.len() > 0 && !self.ended).then_some(Delta { playlist: self, skip })
    }

    /// How far the other renditions are.
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }

    /// What stays the same from reload to reload (RFC 8216bis 6.2.1), and the two sequence numbers.
    fn header(&self, f: &mut fmt::Formatter<'_>, version: u8) -> fmt::Result {
        let part_target = self.presentation.part_target;
        f.write_str("#EXTM3U\n")?;
        writeln!(f, "#EXT-X-VERSION:{version}")?;
        writeln!(f, "#EXT-X-TARGETDURATION:{}", self.presentation.target_duration)?;
        f.write_str("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES")?;
        if let Some(boundary) = self.presentation.skip_boundary() {
            write!(f, ",CAN-SKIP-UNTIL={},CAN-SKIP-DATERANGES=YES", Millis(boundary))?;
        }
        // 4.4.3.8: PART-HOLD-BACK should be at least three times PART-TARGET.
        writeln!(f, ",PART-HOLD-BACK={}", Millis(3 * part_target))?;
        writeln!(f, "#EXT-X-PART-INF:PART-TARGET={}", Millis(part_target))?;
        writeln!(f, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence)?;
        writeln!(f, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence)
    }

    /// EXT-X-MAP for the segments that follow, where there is one to state.
    fn map(&self, f: &mut fmt::Formatter<'_>, init: Option<u32>) -> fmt::Result {
        init.map_or(Ok(()), |init| write_map(f, self.presentation.epoch, init))
    }

    /// What no update leaves out.
    fn rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_parts = self.recent.len() - near(self.recent.iter(), self.presentation.three_targets());
        for (index, segment) in self.recent.iter().enumerate() {
            let (epoch, parts) = (self.presentation.epoch, index >= with_parts);
            write!(f, "{}", Listed { segment, epoch, parts })?;
        }
        if self.ended {
            return f.write_str("#EXT-X-ENDLIST\n");
        }
        // 4.4.5.3: the next part is hinted until EXT-X-ENDLIST says that there is none.
        writeln!(f, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{}\"", self.name(Item::Part(self.next_part)))?;
        self.reports.iter().try_for_each(|report| self.report(f, report))
    }

    fn report(&self, f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
        let Some(rendition) = self.presentation.rendition(report.rendition) else { return Ok(()) };
        let (name, msn, part) = (&rendition.name, report.msn, report.part);
        writeln!(f, "#EXT-X-RENDITION-REPORT:URI=\"../{name}/index.m3u8\",LAST-MSN={msn},LAST-PART={part}")
    }

    fn name(&self, item: Item) -> Name {
        Name { epoch: self.presentation.epoch, item }
    }
}

/// How many segments, from the last one back, end within `distance` of the end of the last one.
pub(crate) fn near<'a>(segments: impl DoubleEndedIterator<Item = &'a Arc<Segment>>, distance: Duration) -> usize {
    let (distance, mut from_end) = (Seconds::from(distance), Seconds::default());
    let near = segments.rev().take_while(|segment| {
        let near = from_end <= distance;
        from_end += segment.duration();
        near
    });
    near.count()
}

/// A Playlist Delta Update.
struct Delta<'a> {
    playlist: &'a MediaPlaylist,
    skip: Skip,
}

impl fmt::Display for Delta<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { playlist, skip } = self;
        let skipped = playlist.history.len();
        // Section 8: EXT-X-SKIP asks for 9, in place of date ranges for 10.
        match skip {
            Skip::Segments => {
                playlist.header(f, 9)?;
                writeln!(f, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")?;
            }
            Skip::SegmentsAndDateRanges => {
                playlist.header(f, 10)?;
                // 4.4.5.2: required here, and no playlist of ours has a date range that could have gone.
                writeln!(f, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped},RECENTLY-REMOVED-DATERANGES=\"\"")?;
            }
        }
        // 6.2.5.1: an update has to do for who does not know of an EXT-X-MAP among the skipped segments.
        let first = playlist.recent.first().filter(|first| !first.maps);
        playlist.map(f, first.map(|first| first.start.init))?;
        playlist.rest(f)
    }
}

/// A segment as it is listed.
pub(crate) struct Listed<'a> {
    pub(crate) segment: &'a Segment,
    pub(crate) epoch: Epoch,
    pub(crate) parts: bool,
}

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segment, epoch, parts } = *self;
        // 4.4.4.9: what applies to a segment stands before its first part.
        if segment.start.discontinuity {
            f.write_str("#EXT-X-DISCONTINUITY\n")?;
        }
        if segment.maps {
            write_map(f, epoch, segment.start.init)?;
        }
        writeln!(f, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(segment.start.program_date_time))?;
        if parts {
            segment.parts.iter().try_for_each(|part| write_part(f, epoch, part))?;
        }
        let Some(whole) = &segment.whole else { return Ok(()) };
        if segment.gap {
            f.write_str("#EXT-X-GAP\n")?;
        }
        writeln!(f, "#EXTINF:{},", whole.duration)?;
        writeln!(f, "{}", Name { epoch, item: Item::Segment(segment.msn) })
    }
}

fn write_map(f: &mut fmt::Formatter<'_>, epoch: Epoch, init: u32) -> fmt::Result {
    writeln!(f, "#EXT-X-MAP:URI=\"{}\"", Name { epoch, item: Item::Init(init) })
}

fn write_part(f: &mut fmt::Formatter<'_>, epoch: Epoch, part: &Part) -> fmt::Result {
    let name = Name { epoch, item: Item::Part(part.number) };
    write!(f, "#EXT-X-PART:DURATION={},URI=\"{name}\"", Seconds::from(part.duration))?;
    f.write_str(match (part.gap, part.independent) {
        (true, _) => ",GAP=YES\n",
        (false, true) => ",INDEPENDENT=YES\n",
        (false, false) => "\n",
    })
}

/// Seconds to the millisecond.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}

/// 4.4.4.6: ISO 8601 with a time zone and milliseconds.
fn date_time(unix: Duration) -> String {
    i64::try_from(unix.as_millis())
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}
