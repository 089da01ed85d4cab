//! Which pictures are IDRs: decided once, in front of all rungs, so that all agree.

use std::collections::BTreeSet;

use touchline_transcode::plan;

/// Sync samples that may wait for the decoder to show them. More than a decoder ever holds.
const MAX_PENDING: usize = 64;

/// Decides picture by picture, in the order of presentation.
#[derive(Debug)]
pub(crate) enum Keys {
    /// The sync samples of the source.
    Source {
        /// The PTS of those that the decoder has yet to show.
        pending: BTreeSet<i64>,
    },
    /// A grid of PTS.
    Every {
        /// Ticks from one line of the grid to the next.
        ticks: i64,
        /// One of them; `None` before the first picture that is encoded...
        from: Option<i64>,
        /// ...which comes after this PTS.
        after: Option<i64>,
        /// The first PTS of the next line; `None` before the first picture.
        next: Option<i64>,
        /// How far behind a line its picture may be when no picture has been seen before it, in ticks.
        slack: i64,
    },
}

impl Keys {
    /// `frame_ticks` from one picture to the next, where that is known; nothing is encoded up to the PTS `after`.
    pub(crate) fn new(keys: plan::Keys, frame_ticks: Option<u32>, after: Option<i64>) -> Self {
        match keys {
            plan::Keys::Source => Self::Source { pending: BTreeSet::new() },
            plan::Keys::Every { ticks, from } => {
                let (ticks, slack) = (i64::from(ticks.max(1)), frame_ticks.unwrap_or(1).into());
                Self::Every { ticks, from, after, next: None, slack }
            }
        }
    }

    /// Takes note of an access unit that goes to the decoder.
    pub(crate) fn decoding(&mut self, pts: i64, sync: bool) {
        let Self::Source { pending } = self else { return };
        if sync {
            pending.insert(pts);
            if pending.len() > MAX_PENDING {
                pending.pop_first();
            }
        }
    }

    /// Whether the picture that the decoder shows is to be an IDR. One that is due and that a damaged source never
    /// shows makes way for the next.
    pub(crate) fn due(&mut self, pts: i64) -> bool {
        match self {
            Self::Source { pending } => {
                let later = pending.split_off(&pts.saturating_add(1));
                !std::mem::replace(pending, later).is_empty()
            }
            Self::Every { ticks, from, after, next, slack } => {
                if from.is_none() && after.is_some_and(|after| pts <= after) {
                    return false;
                }
                let from = *from.get_or_insert(pts);
                let lines = pts.saturating_sub(from).div_euclid(*ticks);
                let line = from.saturating_add(lines.saturating_mul(*ticks));
                let due = next.map_or(pts - line < *slack, |next| pts >= next);
                *next = Some(line.saturating_add(*ticks));
                due
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(keys: &mut Keys, shown: &[i64]) -> Vec<i64> {
        shown.iter().copied().filter(|pts| keys.due(*pts)).collect()
    }

    #[test]
    fn the_sync_samples_of_the_source_are_due_in_the_order_of_presentation() {
        let mut keys = Keys::new(plan::Keys::Source, None, None);
        for (pts, sync) in [(0, true), (3, false), (1, false), (2, false), (6, true), (4, false), (5, false)] {
            keys.decoding(pts, sync);
        }
        assert_eq!(due(&mut keys, &[0, 1, 2, 3, 4, 5, 6, 7]), [0, 6]);
    }

    #[test]
    fn what_is_never_shown_makes_way_for_the_next() {
        let mut keys = Keys::new(plan::Keys::Source, None, None);
        for pts in [10, 20, 30] {
            keys.decoding(pts, true);
        }
        assert_eq!(due(&mut keys, &[11, 12, 31, 32]), [11, 31]);
    }

    #[test]
    fn what_waits_for_the_decoder_is_bounded() {
        let mut keys = Keys::new(plan::Keys::Source, None, None);
        (0..1_000).for_each(|pts| keys.decoding(pts, true));
        let Keys::Source { pending } = &keys else { unreachable!() };
        assert_eq!(pending.len(), MAX_PENDING);
        assert!(keys.due(999));
    }

    #[test]
    fn the_first_at_or_after_each_line_of_the_grid_is_due() {
        let mut keys = grid(Some(0), None);
        assert_eq!(due(&mut keys, &[-66, -33, 0, 33, 66, 99, 132, 165, 198, 231, 700, 733]), [0, 132, 231, 700]);
    }

    fn grid(from: Option<i64>, after: Option<i64>) -> Keys {
        Keys::new(plan::Keys::Every { ticks: 100, from }, Some(33), after)
    }

    #[test]
    fn a_grid_without_a_line_begins_with_the_first_picture_that_is_encoded() {
        assert_eq!(due(&mut grid(None, None), &[66, 99, 132, 165, 198]), [66, 198]);
        assert_eq!(due(&mut grid(None, Some(99)), &[66, 99, 132, 165, 198, 231, 264]), [132, 264]);
    }

    #[test]
    fn a_grid_does_not_depend_on_where_a_worker_comes_in() {
        let shown: Vec<i64> = (0..60).map(|picture| picture * 33).collect();
        let whole = due(&mut grid(Some(0), None), &shown);
        for start in 1..10 {
            let rest = due(&mut grid(Some(0), None), &shown[start..]);
            let wanted: Vec<i64> = whole.iter().copied().filter(|pts| *pts >= shown[start]).collect();
            assert_eq!(rest, wanted);
        }
    }
}
