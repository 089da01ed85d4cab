use std::time::Duration;

use crate::Part;
use crate::segment::Segment;

/// How far the average may be off before it is told anew, in per cent: what is written with it stays the same for long.
const AVERAGE_TOLERANCE_PERCENT: u64 = 5;

/// Bitrates of a rendition in bits per second, as RFC 8216bis 4.1 defines them: of whole segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// The highest of any segment so far that lasts at least half the target duration.
    pub peak: u64,
    /// The average since the presentation opened, within 5 %.
    pub average: u64,
    /// Whether a whole segment has been measured. Before, both are of what there is: too high rather than too low, as a
    /// segment's first part carries its largest sample.
    pub settled: bool,
}

/// Measures [`Rates`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meter {
    /// The size of all parts so far that are not gaps.
    pub bits: u64,
    /// How long they last together.
    pub span: Duration,
    /// The highest bitrate of a segment so far; 0: no segment has been measured.
    pub peak: u64,
    /// The average that is told.
    pub average: u64,
}

impl Meter {
    pub(crate) fn part(&mut self, part: &Part) {
        if part.gap {
            return;
        }
        self.bits = self.bits.saturating_add(part.data.len() as u64 * 8);
        self.span = self.span.saturating_add(part.duration.to_duration());
    }

    pub(crate) fn segment(&mut self, segment: &Segment, target_duration: u32) {
        let duration = segment.duration().to_duration();
        // 4.1: a peak is that of segments that last 0.5 to 1.5 target durations together.
        if segment.gap || duration * 2 < Duration::from_secs(target_duration.into()) {
            return;
        }
        self.peak = self.peak.max(rate(segment.bits(), duration).unwrap_or(0));
        let average = rate(self.bits, self.span).unwrap_or(0);
        if average.abs_diff(self.average).saturating_mul(100) > self.average.saturating_mul(AVERAGE_TOLERANCE_PERCENT) {
            self.average = average;
        }
    }

    /// `None` before the first part that is not a gap.
    pub(crate) fn rates(&self) -> Option<Rates> {
        let so_far = rate(self.bits, self.span)?;
        let settled = self.peak > 0;
        let average = if settled { self.average } else { so_far };
        Some(Rates { peak: self.peak.max(average), average, settled })
    }
}

fn rate(bits: u64, span: Duration) -> Option<u64> {
    let per_second = (u128::from(bits) * 1_000_000_000).div_ceil(Some(span.as_nanos()).filter(|&nanos| nanos > 0)?);
    u64::try_from(per_second).ok()
}
