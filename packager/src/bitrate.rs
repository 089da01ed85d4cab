use std::time::Duration;

use crate::Part;
use crate::segment::Segment;

/// Bitrates of a rendition in bits per second, as RFC 8216bis 4.1 defines them: of whole segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// The highest of any segment so far that lasts at least half the target duration.
    pub peak: u64,
    /// The average since the presentation opened.
    pub average: u64,
}

/// Measures [`Rates`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter {
    bits: u64,
    span: Duration,
    peak: u64,
}

impl Meter {
    pub(crate) fn part(&mut self, part: &Part) {
        if part.gap {
            return;
        }
        self.bits += part.data.len() as u64 * 8;
        self.span += part.duration.to_duration();
    }

    pub(crate) fn segment(&mut self, segment: &Segment, target_duration: u32) {
        let duration = segment.duration().to_duration();
        // 4.1: a peak is that of segments that last 0.5 to 1.5 target durations together.
        if duration * 2 >= Duration::from_secs(target_duration.into()) {
            self.peak = self.peak.max(rate(segment.bits(), duration).unwrap_or(0));
        }
    }

    /// Before the first whole segment the peak is that of what there is: too high rather than too low, as a segment's
    /// first part carries its largest sample.
    pub(crate) fn rates(&self) -> Option<Rates> {
        let average = rate(self.bits, self.span)?;
        let peak = if self.peak == 0 { average } else { self.peak };
        Some(Rates { peak: peak.max(average), average })
    }
}

fn rate(bits: u64, span: Duration) -> Option<u64> {
    let per_second = (u128::from(bits) * 1_000_000_000).div_ceil(Some(span.as_nanos()).filter(|&nanos| nanos > 0)?);
    u64::try_from(per_second).ok()
}
