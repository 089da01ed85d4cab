//! Lines in the log on strangers who fail, who may be a flood: only so many are written.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most lines in [`PERIOD`].
const MAX_LINES: u32 = 10;
/// What [`MAX_LINES`] are for.
const PERIOD: Duration = Duration::from_secs(10);

/// What has been written of late.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// When the period began.
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Lines {
    /// What to write now on somebody of whom there is `words` to say, if there may be a line; and of how many others there was
    /// none since the last.
    pub(crate) fn tell(&self, words: &str, now: Instant) -> Option<String> {
        // No code that holds the lock can leave the counts half changed.
        let others = self.0.lock().unwrap_or_else(PoisonError::into_inner).ask(now)?;
        Some(match others {
            0 => words.to_owned(),
            _ => format!("{words}; and {others} others who never published, since the last such line"),
        })
    }
}

impl Counts {
    /// Whether there may be a line now, and how many there were none for since the last.
    fn ask(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.duration_since(since) >= PERIOD) {
            (self.since, self.written) = (Some(now), 0);
        }
        if self.written >= MAX_LINES {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_has_so_many_lines_and_the_first_after_it_tells_how_many_had_none() {
        let (lines, start) = (Lines::default(), Instant::now());
        let tell = |seconds| lines.tell("left", start + Duration::from_secs(seconds));
        for second in 0..10 {
            assert_eq!(tell(second / 2).as_deref(), Some("left"));
        }
        for _ in 0..1_000 {
            assert_eq!(tell(9), None);
        }
        let after = "left; and 1000 others who never published, since the last such line";
        assert_eq!(tell(10).as_deref(), Some(after));
        assert_eq!(tell(11).as_deref(), Some("left"));
    }
}
