use super::*;

struct Bench {
    clock: Clock,
    begun: Instant,
}

impl Bench {
    fn new() -> Self {
        let begun = Instant::now();
        Self { clock: Clock::new(begun), begun }
    }

    fn at(&self, millis: u64) -> Instant {
        self.begun + Duration::from_millis(millis)
    }

    /// Where a picture lies, in milliseconds, that is stamped and arrives so.
    fn picture(&mut self, stamped: u32, arrived: u64) -> i64 {
        self.clock.picture(stamped.wrapping_mul(90), self.at(arrived)) / 90
    }

    fn sound(&mut self, stamped: u32, arrived: u64) -> i64 {
        self.clock.sound(stamped.wrapping_mul(48), self.at(arrived)) / 48
    }

    /// A report that it is so late by the sender's wall clock when its stream's clock says so.
    fn report(&mut self, which: Which, wall: u64, stamped: u32, arrived: u64) -> bool {
        let timestamp = stamped.wrapping_mul(if which == Which::Sound { 48 } else { 90 });
        let ntp = (wall << 32) / 1_000;
        self.clock.report(which, SenderReport { ntp, timestamp }, self.at(arrived))
    }
}

#[test]
fn streams_lie_where_they_arrive_and_on_from_there_by_their_own_clocks() {
    let mut bench = Bench::new();
    assert_eq!([bench.picture(7_000, 100), bench.picture(7_033, 180), bench.picture(7_066, 181)], [100, 133, 166]);
    assert_eq!([bench.sound(900, 120), bench.sound(920, 120), bench.sound(960, 200)], [120, 140, 180]);
}

#[test]
fn a_first_packet_lies_where_reports_that_came_before_it_say() {
    let mut bench = Bench::new();
    bench.picture(7_000, 100);
    bench.sound(900, 120);
    // Sound of 900 is 50 ms before the picture of 7000.
    assert!(bench.report(Which::Pictures, 50_000, 7_000, 130));
    assert!(bench.report(Which::Sound, 50_000, 950, 130));
    bench.clock.last = None;
    assert_eq!(bench.sound(920, 140), 70);
}

#[test]
fn sound_is_moved_to_its_place_by_and_by() {
    let mut bench = Bench::new();
    bench.picture(0, 100);
    bench.sound(0, 100);
    bench.report(Which::Pictures, 50_000, 0, 110);
    bench.report(Which::Sound, 50_030, 0, 110);
    let moved: Vec<i64> =
        (1..50).map(|n| bench.sound(n * 20, 100 + u64::from(n) * 20) - 100 - i64::from(n) * 20).collect();
    assert_eq!(moved[..4], [1, 2, 3, 4], "a millisecond with each packet of 20");
    assert_eq!(moved[30..], [30; 19]);
}

#[test]
fn reports_that_vary_are_averaged_and_one_that_is_far_off_is_taken() {
    let mut bench = Bench::new();
    bench.picture(0, 100);
    bench.sound(0, 100);
    bench.report(Which::Pictures, 50_000, 0, 110);
    for (wall, aim) in [(50_040, 40), (50_060, 45), (50_040, 43), (50_800, 800)] {
        bench.report(Which::Sound, wall, 0, 110);
        assert_eq!(bench.clock.aim.unwrap() / 48, aim);
    }
}

#[test]
fn what_is_far_from_its_place_is_put_there_at_once() {
    let mut bench = Bench::new();
    bench.picture(0, 100);
    bench.sound(0, 100);
    bench.report(Which::Pictures, 50_000, 0, 110);
    bench.report(Which::Sound, 53_000, 0, 110);
    assert_eq!(bench.sound(20, 120), 3_120);
}

#[test]
fn reports_that_contradict_arrival_are_not_believed() {
    let mut bench = Bench::new();
    assert!(!bench.report(Which::Sound, 50_000, 0, 50), "nothing of it has come");
    bench.picture(0, 100);
    bench.sound(0, 100);
    assert!(!bench.report(Which::Sound, 50_000, 6_000, 110), "a timestamp that is not due for six seconds");
    assert!(bench.report(Which::Pictures, 50_000, 0, 110));
    assert!(!bench.report(Which::Sound, 56_000, 0, 110), "another wall clock");
    assert_eq!((bench.clock.aim, bench.sound(20, 120)), (None, 120));
    // The wall clock has been set: both say so.
    assert!(bench.report(Which::Pictures, 56_990, 1_000, 1_110));
    assert!(bench.report(Which::Sound, 57_000, 1_000, 1_110));
    assert_eq!(bench.clock.aim, Some(10 * 48));
}

#[test]
fn a_stream_whose_timestamps_begin_anew_goes_on_where_it_arrives() {
    let mut bench = Bench::new();
    bench.picture(0, 100);
    bench.sound(0, 100);
    bench.report(Which::Pictures, 50_000, 0, 110);
    bench.report(Which::Sound, 50_000, 0, 110);
    assert_eq!(bench.picture(900_000, 1_100), 1_100);
    assert_eq!((bench.picture(900_033, 1_140), bench.clock.aim), (1_133, None));
    // A clock that stands while nothing is sent.
    assert_eq!([bench.sound(20, 20_100), bench.sound(40, 20_120)], [20_100, 20_120]);
}

#[test]
fn timestamps_and_wall_clocks_wrap() {
    let mut bench = Bench::new();
    let begin = u32::MAX - 90;
    assert_eq!(bench.clock.picture(begin, bench.at(0)), 0);
    assert_eq!(bench.clock.picture(begin.wrapping_add(3_000), bench.at(33)), 3_000);
    bench.sound(0, 0);
    let report = |ntp, timestamp| SenderReport { ntp, timestamp };
    let now = bench.at(40);
    assert!(bench.clock.report(Which::Pictures, report(u64::MAX - (1 << 30), begin), now));
    assert!(bench.clock.report(Which::Sound, report(1 << 30, 0), now));
    assert_eq!(bench.clock.aim, Some(24_000), "half a second");
}
