//! What a ladder costs, and what the machine has left.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::rung::{Rung, Source};

/// How much of the machine ladders may take, in per cent: the rest serves viewers, and takes the peaks of hard scenes.
const SHARE_PERCENT: u64 = 80;

/// Processor time per pixel in nanoseconds, as measured on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// To encode one.
    pub encode_ns_per_pixel: f64,
    /// To make one by scaling.
    pub scale_ns_per_pixel: f64,
    /// To decode one of the source.
    pub decode_ns_per_pixel: f64,
}

/// Processor time in thousandths of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Millicores(pub u64);

impl Millicores {
    /// In whole cores and parts of one.
    pub fn cores(self) -> f64 {
        u32::try_from(self.0).map_or(f64::MAX, f64::from) / 1_000.0
    }
}

impl Costs {
    /// What a ladder takes while it runs.
    pub fn of(&self, source: &Source, rungs: &[Rung]) -> Millicores {
        if rungs.is_empty() {
            return Millicores(0);
        }
        let pixels = |height| f64::from(source.width_at(height)) * f64::from(height);
        let rung = |rung: &Rung| {
            let scale = if rung.height == source.height { 0.0 } else { self.scale_ns_per_pixel };
            pixels(rung.height) * (scale + self.encode_ns_per_pixel)
        };
        let picture = pixels(source.height) * self.decode_ns_per_pixel + rungs.iter().map(rung).sum::<f64>();
        Millicores(rounded_up(picture * source.rate() / 1e6))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float to int saturates, NaN is 0")]
fn rounded_up(value: f64) -> u64 {
    value.ceil() as u64
}

/// What the machine can carry, and how much of it is taken.
#[derive(Debug, Clone)]
pub struct Budget {
    capacity: u64,
    taken: Arc<AtomicU64>,
}

impl Budget {
    /// The budget of a machine with so many cores.
    pub fn of_cores(cores: usize) -> Self {
        Self { capacity: cores as u64 * 10 * SHARE_PERCENT, taken: Arc::default() }
    }

    /// What is left.
    pub fn left(&self) -> Millicores {
        Millicores(self.capacity.saturating_sub(self.taken.load(Ordering::Relaxed)))
    }

    /// What is taken.
    pub fn taken(&self) -> Millicores {
        Millicores(self.taken.load(Ordering::Relaxed))
    }

    /// Takes a share, if there is so much left.
    pub fn admit(&self, cost: Millicores) -> Option<Reservation> {
        let take = |taken: u64| Some(taken + cost.0).filter(|&sum| sum <= self.capacity);
        self.taken.try_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Reservation { cost, taken: Arc::clone(&self.taken) })
    }

    /// Takes a share, there or not: the operator has said so.
    pub fn insist(&self, cost: Millicores) -> Reservation {
        self.taken.fetch_add(cost.0, Ordering::Relaxed);
        Reservation { cost, taken: Arc::clone(&self.taken) }
    }
}

/// A share of the budget, until it is dropped.
#[derive(Debug)]
pub struct Reservation {
    cost: Millicores,
    taken: Arc<AtomicU64>,
}

impl Reservation {
    /// How much it is.
    pub fn cost(&self) -> Millicores {
        self.cost
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.cost.0, Ordering::Relaxed);
    }
}

/// Of `rungs`, highest first, the lowest that cost no more than `left` together.
pub(crate) fn affordable(costs: &Costs, source: &Source, rungs: &[Rung], left: Millicores) -> Vec<Rung> {
    let fits = |from: &usize| rungs.get(*from..).is_some_and(|rungs| costs.of(source, rungs) <= left);
    let from = (0..rungs.len()).find(fits).unwrap_or(rungs.len());
    rungs.get(from..).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use touchline_media::FrameRate;

    use super::*;
    use crate::rung::Profile;

    const COSTS: Costs = Costs { encode_ns_per_pixel: 8.0, scale_ns_per_pixel: 4.0, decode_ns_per_pixel: 3.0 };

    fn hd() -> (Source, Vec<Rung>) {
        let source = Source { width: 1_280, height: 720, frame_rate: FrameRate::new(30, 1) };
        (source, Profile::Auto.ladder(&source).unwrap().below(&source))
    }

    #[test]
    fn a_ladder_costs_one_decoder_and_each_rung() {
        let (source, rungs) = hd();
        // 1280x720x3 + (854x480 + 640x360 + 426x240) x 12 ns, 30 times a second.
        assert_eq!(COSTS.of(&source, &rungs), Millicores(351));
        assert_eq!(COSTS.of(&source, &[]), Millicores(0));
    }

    #[test]
    fn rungs_go_from_the_top_until_the_rest_fits() {
        let (source, rungs) = hd();
        let heights = |left| {
            let rungs = affordable(&COSTS, &source, &rungs, Millicores(left));
            rungs.iter().map(|rung| rung.height).collect::<Vec<_>>()
        };
        assert_eq!(heights(351), [480, 360, 240]);
        assert_eq!(heights(350), [360, 240]);
        assert_eq!(heights(130), [240]);
        assert!(heights(100).is_empty());
    }

    #[test]
    fn a_budget_is_given_back() {
        let budget = Budget::of_cores(1);
        let first = budget.admit(Millicores(500)).unwrap();
        assert!(budget.admit(Millicores(301)).is_none());
        let insisted = budget.insist(Millicores(900));
        assert_eq!(budget.left(), Millicores(0));
        drop((first, insisted));
        assert_eq!(budget.left(), Millicores(800));
    }
}
