//! What the way to a viewer carries, and what the viewer makes of it: the estimate of hls.js, and its choice of a variant.

use std::time::Duration;

use crate::watch::ladder::Ladder;
use crate::watch::moment::Moment;

/// Half-lives of the two averages (`abrEwmaFastLive`, `abrEwmaSlowLive`), in seconds of loading.
const HALF_LIVES: [f64; 2] = [3.0, 9.0];
/// Less loading than this tells nothing, in seconds.
const LEAST_WEIGHT: f64 = 0.001;
/// What is assumed at first (`abrEwmaDefaultEstimate`), but for the variant that is listed first, and that up to
/// `abrEwmaDefaultEstimateMax`. Bits per second.
const ASSUMED: f64 = 500_000.0;
const MOST_ASSUMED: f64 = 5_000_000.0;
/// What of the estimate a variant may take (`abrBandWidthFactor`), and one that is better than the one before
/// (`abrBandWidthUpFactor`).
const SHARE: f64 = 0.95;
const SHARE_UP: f64 = 0.7;

/// An exponentially weighted average.
#[derive(Clone, Copy, Debug, Default)]
struct Average {
    sum: f64,
    weight: f64,
}

impl Average {
    fn add(&mut self, half_life: f64, weight: f64, value: f64) {
        let kept = 0.5_f64.powf(weight / half_life);
        self.sum = value * (1.0 - kept) + self.sum * kept;
        self.weight += weight;
    }

    fn read(self, half_life: f64) -> f64 {
        self.sum / (1.0 - 0.5_f64.powf(self.weight / half_life))
    }
}

/// The bandwidth that a viewer believes to have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Estimate([Average; 2]);

impl Estimate {
    /// So many bytes took so long from the first to the last.
    #[expect(clippy::cast_precision_loss, reason = "media is smaller than 2^52 bytes")]
    pub(super) fn add(&mut self, bytes: u64, took: Duration) {
        if bytes == 0 {
            return;
        }
        let least = (bytes as f64 / 100_000.0).min(50.0) / 1_000.0;
        let seconds = took.as_secs_f64().max(least);
        let rate = bytes as f64 * 8.0 / seconds;
        for (average, half_life) in self.0.iter_mut().zip(HALF_LIVES) {
            average.add(half_life, seconds, rate);
        }
    }

    /// In bits per second; `None` before anything was loaded.
    fn read(&self) -> Option<f64> {
        let [fast, slow] = self.0;
        let [fast_life, slow_life] = HALF_LIVES;
        (fast.weight >= LEAST_WEIGHT).then(|| fast.read(fast_life).min(slow.read(slow_life)))
    }

    /// The variant to load next after `current`; the first one when there is none.
    #[expect(clippy::cast_precision_loss, reason = "no variant has 2^52 bits per second")]
    pub(super) fn choose(&self, ladder: &Ladder, current: Option<usize>) -> usize {
        let bandwidth = |at: usize| ladder.variants.get(at).map_or(0.0, |variant| variant.bandwidth as f64);
        let estimate = match (self.read(), current) {
            (Some(estimate), _) => estimate,
            (None, Some(current)) => return current,
            (None, None) => bandwidth(ladder.first).clamp(ASSUMED, MOST_ASSUMED),
        };
        let fits = |at: &usize| match current {
            None => bandwidth(*at) <= estimate,
            Some(current) if *at > current => bandwidth(*at) <= estimate * SHARE_UP,
            Some(_) => bandwidth(*at) <= estimate * SHARE,
        };
        (0..ladder.variants.len()).rev().find(fits).unwrap_or(0)
    }
}

/// The line to a viewer, on which everything comes one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// Bits per second; `None` is as fast as it came.
    bandwidth: Option<u64>,
    /// Until when it is busy.
    busy: Moment,
}

impl Line {
    pub(super) fn new(bandwidth: Option<u64>) -> Self {
        Self { bandwidth, busy: Moment::default() }
    }

    /// When something has come over the line that began to come at `began`, and was there at `now`.
    pub(super) fn carry(&mut self, bytes: u64, began: Moment, now: Moment) -> Moment {
        let Some(bandwidth) = self.bandwidth else { return now };
        let micros = (bytes * 8).saturating_mul(1_000_000) / bandwidth.max(1);
        self.busy = self.busy.max(began) + Duration::from_micros(micros);
        self.busy.max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::ladder::{Rendition, Variant};
    use crate::watch::link::Sites;

    const fn at(millis: i64) -> Moment {
        Moment::from_micros(millis * 1_000)
    }

    /// Variants of these Mb/s, the last of which is listed first.
    fn ladder(megabits: &[u64]) -> Ladder {
        let link = Sites::default().link(&"http://127.0.0.1/".parse().unwrap()).unwrap();
        let video = Rendition { id: 0, link };
        let variant = |mbps: &u64| Variant { bandwidth: mbps * 1_000_000, video: video.clone(), audio: None };
        Ladder { variants: megabits.iter().map(variant).collect(), first: megabits.len() - 1 }
    }

    #[test]
    fn the_first_variant_that_is_listed_is_tried_first_unless_it_is_very_large() {
        let estimate = Estimate::default();
        assert_eq!(estimate.choose(&ladder(&[1, 3, 5]), None), 2);
        assert_eq!(estimate.choose(&ladder(&[1, 3, 9]), None), 1);
        assert_eq!(
            estimate.choose(&ladder(&[1, 3, 5]), Some(2)),
            2,
            "nothing has been loaded that would tell otherwise"
        );
    }

    #[test]
    fn a_slow_way_leads_down_and_a_fast_one_up_again_later() {
        let (ladder, mut estimate) = (ladder(&[1, 3]), Estimate::default());
        for _ in 0..5 {
            estimate.add(250_000, Duration::from_secs(1));
        }
        assert_eq!(estimate.choose(&ladder, Some(1)), 0);
        let mut parts = 0;
        while estimate.choose(&ladder, Some(0)) == 0 {
            estimate.add(250_000, Duration::from_millis(200));
            parts += 1;
        }
        assert!((8..40).contains(&parts), "up after {parts} parts at 10 Mb/s");
    }

    #[test]
    fn a_line_carries_one_thing_after_the_other() {
        let mut line = Line::new(Some(8_000_000));
        assert_eq!(line.carry(100_000, at(0), at(1)), at(100));
        assert_eq!(line.carry(100_000, at(50), at(51)), at(200));
        assert_eq!(line.carry(1_000, at(500), at(900)), at(900));
        assert_eq!(Line::new(None).carry(100_000, at(0), at(1)), at(1));
    }
}
