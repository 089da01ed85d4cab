/// Hands out decode times without gap or overlap, for ever within a stretch (RFC 8216bis 3: timestamps go on from part to
/// part).
///
/// A sample begins where the one before ended. It lasts until where it truly ends, but at least a little, and at most as
/// long as there is room in the open part: so no part outgrows PART-TARGET, whatever the source drops. What a sample
/// could not last is made up by those that follow. Presentation times are exact all the while: they are written as
/// offsets from these.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecodeClock {
    end: i64,
    least: i64,
}

impl DecodeClock {
    /// The first sample begins at `start`; each lasts at least `least` where there is room.
    pub(crate) fn new(start: i64, least: i64) -> Self {
        Self { end: start, least }
    }

    /// Where the next sample begins.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// Nothing is there for so many ticks.
    pub(crate) fn skip(&mut self, ticks: i64) {
        self.end += ticks;
    }

    /// The decode time and the duration of a sample that truly ends at `true_end`, where `room` (> 0) is left.
    pub(crate) fn place(&mut self, true_end: i64, room: i64) -> (i64, i64) {
        let start = self.end;
        let duration = true_end.saturating_sub(start).max(self.least).min(room);
        self.end += duration;
        (start, duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places samples of 10 ticks at `times` into parts of 60; gives their decode times.
    fn place(times: &[i64]) -> Vec<i64> {
        let mut clock = DecodeClock::new(times[0], 2);
        let mut filled = 0;
        let spans = times.iter().map(|time| {
            let (start, duration) = clock.place(time + 10, 60 - filled);
            filled = (filled + duration) % 60;
            start
        });
        spans.collect()
    }

    #[test]
    fn regular_samples_keep_their_times() {
        assert_eq!(place(&[7, 17, 27, 37]), [7, 17, 27, 37]);
    }

    #[test]
    fn a_dropped_frame_is_made_up_by_the_next() {
        assert_eq!(place(&[0, 10, 30, 40, 50]), [0, 10, 20, 40, 50]);
    }

    #[test]
    fn a_gap_is_spread_over_parts_and_then_forgotten() {
        // 60 a part: the sample at 200 ends the first part, the next ones fill a part each until they have caught up.
        assert_eq!(place(&[0, 10, 200, 210, 220, 230, 240, 250]), [0, 10, 20, 60, 120, 180, 240, 250]);
    }

    #[test]
    fn samples_too_early_are_short_until_the_source_is_back() {
        assert_eq!(place(&[0, 1, 2, 30]), [0, 10, 12, 14]);
    }
}
