use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use touchline_media::MediaTime;

use crate::segment::Segment;
use crate::{Item, Name, Part, Presentation};

/// A media playlist at one moment; `Display` writes it (RFC 8216bis 4).
#[derive(Debug, Clone)]
pub struct MediaPlaylist {
    pub(crate) presentation: Arc<Presentation>,
    /// The Media Sequence Number of the first segment listed, or that will be.
    pub(crate) media_sequence: u64,
    pub(crate) discontinuity_sequence: u64,
    /// Oldest first; only the last may be growing.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// The running number of the part that comes next.
    pub(crate) next_part: u64,
    pub(crate) ended: bool,
}

impl fmt::Display for MediaPlaylist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.header(f)?;
        let with_parts = self.first_with_parts();
        let mut init = None;
        for (index, segment) in self.segments.iter().enumerate() {
            self.segment_start(f, segment, &mut init)?;
            if index >= with_parts {
                segment.parts.iter().try_for_each(|part| self.part(f, part))?;
            }
            if let Some(whole) = &segment.whole {
                writeln!(f, "#EXTINF:{},", Seconds(whole.duration))?;
                writeln!(f, "{}", self.name(Item::Segment(segment.msn)))?;
            }
        }
        self.tail(f)
    }
}

impl MediaPlaylist {
    /// What stays the same from reload to reload (RFC 8216bis 6.2.1), and the two sequence numbers.
    fn header(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part_target = self.presentation.part_target;
        f.write_str("#EXTM3U\n")?;
        // Section 8: EXT-X-MAP asks for 6, and nothing here for more.
        f.write_str("#EXT-X-VERSION:6\n")?;
        writeln!(f, "#EXT-X-TARGETDURATION:{}", self.presentation.target_duration)?;
        // 4.4.3.8: PART-HOLD-BACK should be at least three times PART-TARGET.
        writeln!(f, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={}", Millis(3 * part_target))?;
        writeln!(f, "#EXT-X-PART-INF:PART-TARGET={}", Millis(part_target))?;
        writeln!(f, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence)?;
        writeln!(f, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence)
    }

    /// 4.4.4.9: what applies to a segment stands before its first part.
    fn segment_start(&self, f: &mut fmt::Formatter<'_>, segment: &Segment, init: &mut Option<u32>) -> fmt::Result {
        let start = &segment.start;
        if start.discontinuity {
            f.write_str("#EXT-X-DISCONTINUITY\n")?;
        }
        if init.replace(start.init) != Some(start.init) {
            writeln!(f, "#EXT-X-MAP:URI=\"{}\"", self.name(Item::Init(start.init)))?;
        }
        writeln!(f, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(start.program_date_time))
    }

    fn part(&self, f: &mut fmt::Formatter<'_>, part: &Part) -> fmt::Result {
        write!(f, "#EXT-X-PART:DURATION={},URI=\"{}\"", Seconds(part.duration), self.name(Item::Part(part.number)))?;
        f.write_str(if part.independent { ",INDEPENDENT=YES\n" } else { "\n" })
    }

    /// 4.4.5.3: the next part is hinted until EXT-X-ENDLIST says that there is none.
    fn tail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ended {
            return f.write_str("#EXT-X-ENDLIST\n");
        }
        writeln!(f, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{}\"", self.name(Item::Part(self.next_part)))
    }

    /// 6.2.2: parts are listed within three target durations of the end.
    fn first_with_parts(&self) -> usize {
        let mut from_end = Duration::ZERO;
        let near = self.segments.iter().rev().take_while(|segment| {
            let near = from_end <= self.presentation.three_targets();
            from_end += segment.duration();
            near
        });
        self.segments.len() - near.count()
    }

    fn name(&self, item: Item) -> Name {
        Name { epoch: self.presentation.epoch, item }
    }
}

/// Seconds to five decimals, never rounded up: what is within a limit is written within it.
struct Seconds(MediaTime);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timescale = i128::from(self.0.timescale().get());
        let decimals = i128::from(self.0.ticks()) * 100_000 / timescale;
        write!(f, "{}.{:05}", decimals / 100_000, decimals % 100_000)
    }
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
