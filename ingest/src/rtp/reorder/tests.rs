use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const PATIENCE: Duration = Duration::from_millis(500);

/// A stream whose packets are told of by their numbers.
struct Bench {
    reorder: Reorder,
    counters: Counters,
    begun: Instant,
}

impl Bench {
    fn new() -> Self {
        Self { reorder: Reorder::new(PATIENCE, true), counters: Counters::default(), begun: Instant::now() }
    }

    fn at(&self, millis: u64) -> Instant {
        self.begun + Duration::from_millis(millis)
    }

    /// What comes out at a time after packets have come: numbers, and `-` where some are missing.
    fn push(&mut self, millis: u64, sequences: impl IntoIterator<Item = u16>) -> String {
        let now = self.at(millis);
        for sequence in sequences {
            self.reorder.push(packet(sequence, 100), now, &mut self.counters);
        }
        self.poll(millis)
    }

    fn poll(&mut self, millis: u64) -> String {
        let mut seen = Vec::new();
        while let Some(next) = self.reorder.poll(self.at(millis), &mut self.counters) {
            seen.push(match next {
                Next::Packet(packet, _) => packet.sequence.to_string(),
                Next::Gap => "-".into(),
            });
        }
        seen.join(" ")
    }

    fn asks(&mut self, millis: u64) -> Vec<u16> {
        self.reorder.asks(self.at(millis), &mut self.counters)
    }

    fn due(&self) -> Option<u128> {
        self.reorder.poll_timeout().map(|due| due.duration_since(self.begun).as_millis())
    }
}

fn packet(sequence: u16, len: usize) -> Packet {
    Packet { sequence, timestamp: 0, marker: false, payload: Bytes::from(vec![0; len]) }
}

#[test]
fn a_sender_that_cannot_be_asked_is_not_and_what_is_late_is_waited_for() {
    let mut bench = Bench { reorder: Reorder::new(PATIENCE, false), ..Bench::new() };
    assert_eq!(bench.push(0, [1, 3]), "1");
    assert_eq!((bench.asks(1), bench.due()), (Vec::new(), Some(500)));
    assert_eq!(bench.push(60, [2, 5]), "2 3");
    assert_eq!(bench.asks(70), Vec::<u16>::new());
    assert_eq!(bench.poll(560), "- 5");
    assert_eq!((bench.counters.nacked, bench.counters.recovered, bench.counters.lost), (0, 0, 1));
}

#[test]
fn packets_come_in_their_order_over_the_wrap_of_their_numbers() {
    let mut bench = Bench::new();
    assert_eq!(bench.push(0, [65_533]), "65533");
    assert_eq!(bench.push(1, [0, 65_535, 1]), "");
    assert_eq!(bench.push(2, [65_534]), "65534 65535 0 1");
    assert_eq!(bench.push(3, [65_535, 1, 2, 2]), "2");
    let counters = bench.counters;
    assert_eq!((counters.packets, counters.duplicates, counters.lost, counters.recovered), (9, 3, 0, 0));
    assert_eq!(bench.due(), None);
}

#[test]
fn a_missing_packet_is_asked_for_at_once_and_again_and_given_up() {
    let mut bench = Bench::new();
    bench.reorder.round_trip(Duration::from_millis(20));
    bench.push(0, [10, 13]);
    let mut asked = Vec::new();
    while let Some(due) = bench.due().filter(|due| *due < 500) {
        let due = u64::try_from(due).unwrap();
        assert_eq!(bench.poll(due), "");
        assert_eq!(bench.asks(due), [11, 12]);
        asked.push(due);
    }
    assert_eq!(asked, [0, 50, 100, 150, 200, 250, 300, 350]);
    assert_eq!((bench.poll(499), bench.poll(500)), (String::new(), "- 13".into()));
    assert_eq!((bench.counters.lost, bench.counters.nacked, bench.due()), (2, 16, None));
    // Too late.
    assert_eq!(bench.push(501, [12, 14]), "14");
    assert_eq!((bench.counters.duplicates, bench.counters.recovered), (1, 0));
}

#[test]
fn what_was_asked_for_is_waited_for_as_long_as_an_answer_takes() {
    let mut bench = Bench::new();
    bench.push(0, [1, 3]);
    assert_eq!(bench.asks(0), [2]);
    bench.reorder.round_trip(Duration::from_millis(150));
    assert_eq!(bench.due(), Some(110), "by the round trip that was assumed");
    assert_eq!((bench.asks(110), bench.due()), (vec![2], Some(270)));
    assert_eq!(bench.push(200, [2]), "2 3");
    assert_eq!((bench.counters.recovered, bench.counters.nacked, bench.counters.lost), (1, 2, 0));
}

#[test]
fn holes_are_given_up_one_by_one_as_their_time_comes() {
    let mut bench = Bench::new();
    assert_eq!(bench.push(0, [1, 3]), "1");
    assert_eq!(bench.push(300, [5]), "");
    assert_eq!(bench.poll(500), "- 3");
    assert_eq!(bench.poll(800), "- 5");
}

#[test]
fn a_network_that_changes_the_order_is_not_asked_for_what_comes_of_itself() {
    let mut bench = Bench::new();
    bench.reorder.round_trip(Duration::from_millis(100));
    bench.push(0, [1, 3]);
    assert_eq!(bench.asks(0), [2], "nothing is known of the network");
    bench.push(8, [2]);
    for n in 2..100_u16 {
        let at = u64::from(n) * 20;
        bench.push(at, [2 * n, 2 * n + 1].map(|sequence| sequence ^ 1));
        bench.poll(at);
        assert!(bench.asks(at).is_empty());
        let delayed = bench.push(at, [2 * n + 2]);
        assert!(delayed.len() < 20);
    }
    // What is lost is still asked for, a little later.
    bench.push(5_000, [300]);
    assert_eq!(bench.asks(5_010).len(), 300 - 201);
}

#[test]
fn a_sender_that_begins_anew_is_followed_after_a_few_packets() {
    for (from, at) in [(40_000, 1), (9_000, 1), (500, 1_000)] {
        let mut bench = Bench::new();
        assert_eq!(bench.push(0, 1_000..1_003), "1000 1001 1002");
        assert_eq!(bench.push(at, from..from + 7), "", "{from}");
        let seen = bench.push(at + 1, [from + 7]);
        assert!(seen.starts_with(&format!("- {from} ")) && seen.ends_with(&format!(" {}", from + 7)), "{from}: {seen}");
        assert_eq!((bench.counters.restarts, bench.counters.duplicates), (1, 0));
    }
}

#[test]
fn late_answers_in_a_row_are_no_new_beginning() {
    let mut bench = Bench::new();
    bench.push(0, [1]);
    bench.push(1, [100]);
    assert_eq!(bench.poll(501), "- 100");
    for n in 2..90_u16 {
        assert_eq!(bench.push(502, [n]), "");
    }
    assert_eq!(bench.push(503, [101]), "101");
    assert_eq!((bench.counters.restarts, bench.counters.duplicates, bench.counters.lost), (0, 88, 98));
}

#[test]
fn no_more_waits_than_may() {
    let mut bench = Bench::new();
    bench.push(0, [0]);
    for n in 1..u16::MAX {
        bench.push(1, [n.wrapping_mul(2)]);
        assert!(bench.reorder.slots.len() <= MAX_PACKETS);
    }
    let (mut reorder, mut counters) = (Reorder::new(PATIENCE, true), Counters::default());
    for n in 1..1_000_u16 {
        reorder.push(packet(n * 2, 60_000), bench.begun, &mut counters);
        while reorder.poll(bench.begun, &mut counters).is_some() {}
        assert!(reorder.bytes <= MAX_BYTES);
    }
}

proptest! {
    /// Whatever the order: what comes out rises, is there once, and every packet is accounted for.
    #[test]
    fn every_packet_is_handed_on_once_or_counted(
        packets in prop::collection::vec((0..400_u16, 0..40_u64), 1..400), first in any::<u16>(),
    ) {
        let mut bench = Bench::new();
        let (mut now, mut seen) = (0, Vec::new());
        for (sequence, wait) in &packets {
            now += wait;
            bench.reorder.push(packet(first.wrapping_add(*sequence), 10), bench.at(now), &mut bench.counters);
            bench.asks(now);
            let text = bench.poll(now);
            seen.extend(text.split_whitespace().filter_map(|word| word.parse::<u16>().ok()).map(|n| n.wrapping_sub(first)));
        }
        bench.reorder.wait_no_more();
        let text = bench.poll(now);
        seen.extend(text.split_whitespace().filter_map(|word| word.parse::<u16>().ok()).map(|n| n.wrapping_sub(first)));
        let counters = bench.counters;
        prop_assert_eq!(counters.packets, packets.len() as u64);
        if counters.restarts == 0 {
            prop_assert!(seen.is_sorted_by(|a, b| a < b), "{:?}", seen);
            prop_assert_eq!(seen.len() as u64 + counters.duplicates, counters.packets);
        }
        prop_assert_eq!(bench.reorder.poll_timeout(), None);
    }
}
