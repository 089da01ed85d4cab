//! One way of a bad network: which datagrams get lost, and when the others arrive. It knows no sockets and no clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Delay, Loss};
use crate::random::Random;

/// The most datagrams that are under way at a time; more are dropped as a router drops them. 16 MB/s of full datagrams with
/// a second of delay fit.
pub const MAX_UNDER_WAY: usize = 16_384;

/// How a link treats what it carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// How many datagrams get lost, each independently of the others.
    pub loss: Loss,
    /// How long they are under way.
    pub delay: Delay,
    /// Each datagram draws its own delay, so that they overtake one another. Otherwise the link draws one for all.
    pub jitter: bool,
}

/// One way between two peers. What goes in at a time comes out at a later one, or never.
#[derive(Debug)]
pub struct Link {
    conditions: Conditions,
    random: Random,
    path: Duration,
    under_way: BinaryHeap<Reverse<(Instant, u64, Bytes)>>,
    taken: u64,
    /// The number of the newest datagram that has arrived.
    newest: Option<u64>,
}

/// What becomes of a datagram that goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It will arrive.
    Arrives,
    /// It is lost, as the conditions have it.
    Lost,
    /// It is lost because [`MAX_UNDER_WAY`] are under way.
    Overflows,
}

/// A datagram that arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its payload.
    pub datagram: Bytes,
    /// One that went in later has arrived before it.
    pub overtaken: bool,
}

impl Link {
    /// A link whose losses and delays are drawn from `seed`: the same seed gives the same ones.
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let path = conditions.delay.draw(&mut random);
        Self { conditions, random, path, under_way: BinaryHeap::new(), taken: 0, newest: None }
    }

    /// A datagram goes in at `now`.
    pub fn take(&mut self, datagram: Bytes, now: Instant) -> Fate {
        let number = self.taken;
        self.taken += 1;
        // Both are drawn for each datagram, so that the delays do not depend on the losses.
        let lost = self.conditions.loss.draw(&mut self.random);
        let drawn = self.conditions.delay.draw(&mut self.random);
        if lost {
            return Fate::Lost;
        }
        if self.under_way.len() >= MAX_UNDER_WAY {
            return Fate::Overflows;
        }
        let delay = if self.conditions.jitter { drawn } else { self.path };
        self.under_way.push(Reverse((now + delay, number, datagram)));
        Fate::Arrives
    }

    /// When the next datagram arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse((due, ..))| *due)
    }

    /// The next datagram that has arrived by `now`.
    pub fn arrived(&mut self, now: Instant) -> Option<Arrival> {
        self.next_arrival().filter(|due| *due <= now)?;
        let Reverse((_, number, datagram)) = self.under_way.pop()?;
        let overtaken = self.newest > Some(number);
        self.newest = self.newest.max(Some(number));
        Some(Arrival { datagram, overtaken })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(loss: &str, delay: &str, jitter: bool) -> Conditions {
        Conditions { loss: loss.parse().unwrap(), delay: delay.parse().unwrap(), jitter }
    }

    fn before(time: Instant) -> Instant {
        time.checked_sub(Duration::from_nanos(1)).unwrap()
    }

    /// Sends `count` datagrams a millisecond apart. For each: its fate, and when it arrived after it went in.
    fn send(link: &mut Link, count: u32) -> (Vec<Fate>, Vec<(u32, Duration, bool)>) {
        let start = Instant::now();
        let (mut fates, mut arrivals) = (Vec::new(), Vec::new());
        let sent_at = |number| start + Duration::from_millis(1) * number;
        for number in 0..count {
            fates.push(link.take(Bytes::copy_from_slice(&number.to_be_bytes()), sent_at(number)));
        }
        while let Some(due) = link.next_arrival() {
            assert_eq!(link.arrived(before(due)), None, "nothing comes before its time");
            let Arrival { datagram, overtaken } = link.arrived(due).unwrap();
            let number = u32::from_be_bytes(datagram[..].try_into().unwrap());
            arrivals.push((number, due - sent_at(number), overtaken));
        }
        (fates, arrivals)
    }

    #[test]
    fn it_loses_the_part_that_was_asked_for_and_brings_all_the_rest_once() {
        for (loss, expected) in [("0%", 0..=0), ("2%", 180..=220), ("10%", 940..=1_060), ("100%", 10_000..=10_000)] {
            let (fates, arrivals) = send(&mut Link::new(conditions(loss, "20ms..50ms", true), 7), 10_000);
            let lost = fates.iter().filter(|fate| **fate == Fate::Lost).count();
            assert!(expected.contains(&lost), "{lost} at {loss}");
            let mut numbers: Vec<u32> = arrivals.iter().map(|(number, ..)| *number).collect();
            numbers.sort_unstable();
            let sent = (0_u32..).zip(&fates).filter(|(_, fate)| **fate == Fate::Arrives);
            assert!(sent.map(|(number, _)| number).eq(numbers));
        }
    }

    #[test]
    fn with_jitter_each_draws_its_own_delay_and_some_are_overtaken() {
        let (_, arrivals) = send(&mut Link::new(conditions("0%", "20ms..50ms", true), 7), 10_000);
        let ms = Duration::from_millis;
        assert!(arrivals.iter().all(|(_, delay, _)| (ms(20)..ms(50)).contains(delay)));
        let mean = arrivals.iter().map(|(_, delay, _)| *delay).sum::<Duration>() / 10_000;
        assert!((ms(34)..ms(36)).contains(&mean), "{mean:?}");
        let mut newest = None;
        for (number, _, overtaken) in &arrivals {
            assert_eq!(*overtaken, newest > Some(*number));
            newest = newest.max(Some(*number));
        }
        assert!(arrivals.iter().any(|(.., overtaken)| *overtaken));
    }

    #[test]
    fn without_jitter_the_order_is_kept_and_the_delay_is_one() {
        let mut delays: Vec<Duration> = Vec::new();
        for seed in 0..20 {
            let (_, arrivals) = send(&mut Link::new(conditions("5%", "20ms..50ms", false), seed), 100);
            let (_, first, _) = arrivals[0];
            assert!(arrivals.iter().all(|(_, delay, overtaken)| *delay == first && !overtaken));
            assert!(arrivals.is_sorted());
            delays.push(first);
        }
        delays.dedup();
        assert!(delays.len() > 10, "each link has its own: {delays:?}");
    }

    #[test]
    fn the_same_seed_draws_the_same_fates_and_delays() {
        let draw = |seed| send(&mut Link::new(conditions("5%", "1ms..9ms", true), seed), 1_000);
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn losses_do_not_change_the_delays_of_what_arrives() {
        let draw = |loss| send(&mut Link::new(conditions(loss, "1ms..9ms", true), 3), 1_000).1;
        let all = draw("0%");
        for (number, delay, _) in draw("5%") {
            assert!(all.iter().any(|(other, same, _)| (*other, *same) == (number, delay)));
        }
    }

    #[test]
    fn what_is_too_much_overflows_and_is_told() {
        let mut link = Link::new(conditions("0%", "1ms", false), 1);
        let now = Instant::now();
        for _ in 0..MAX_UNDER_WAY {
            assert_eq!(link.take(Bytes::new(), now), Fate::Arrives);
        }
        assert_eq!(link.take(Bytes::new(), now), Fate::Overflows);
        assert!(link.arrived(now + Duration::from_millis(1)).is_some());
        assert_eq!(link.take(Bytes::new(), now), Fate::Arrives);
    }
}
