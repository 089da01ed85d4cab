use super::*;
use crate::identity::Key;

const KEY: Key = Key::new([7; 16]);

/// The census, and a clock in tenths of a second.
struct Stage {
    census: Census,
    now: Duration,
    looked: Duration,
}

impl Stage {
    fn new(limits: Limits) -> Self {
        Self {
            census: Census::new(KEY, 1, limits),
            now: Duration::from_secs(1_000),
            looked: Duration::from_secs(1_000),
        }
    }

    fn visitor(&self, address: u32, session: Option<&str>) -> Visitor {
        self.census.visitor(std::net::Ipv4Addr::from(address).into(), b"player", session)
    }

    fn see(&self, address: u32, session: Option<&str>, rendition: &str, position: Option<u64>) {
        let (visitor, place) =
            (self.visitor(address, session), self.census.place("main", (rendition != "audio").then_some(rendition)));
        self.census.sighted(self.now, Sighting { visitor, place, protocol: Protocol::Http1, position, said: None });
    }

    fn pass(&mut self, tenths: u64) {
        self.now += Duration::from_millis(100 * tenths);
    }

    fn look(&mut self) -> Tally {
        let tallies = self.census.look(self.now, self.looked);
        self.looked = self.now;
        tallies.into_iter().find(|tally| tally.channel == "main").unwrap_or_default()
    }
}

fn whole(number: f64) -> u64 {
    assert!(number.fract().abs() < 1e-9, "{number}");
    format!("{number}").parse().unwrap()
}

#[test]
fn a_viewer_is_one_from_when_it_is_seen_again_until_it_has_not_been_for_a_while() {
    let mut stage = Stage::new(Limits::default());
    let seen = |stage: &Stage| stage.see(1, Some("a"), "720p", None);
    seen(&stage);
    assert_eq!(whole(stage.look().viewers), 0, "a reload, or somebody who fetches ahead");
    stage.pass(10);
    seen(&stage);
    let tally = stage.look();
    assert_eq!((whole(tally.viewers), whole(tally.joins), whole(tally.leaves)), (1, 1, 0));
    stage.pass(150);
    assert_eq!(whole(stage.look().viewers), 1);
    stage.pass(1);
    let tally = stage.look();
    assert_eq!((whole(tally.viewers), whole(tally.joins), whole(tally.leaves)), (0, 1, 1));
}

#[test]
fn who_asks_often_is_gone_sooner_but_not_while_there_is_nothing_to_ask_for() {
    let mut stage = Stage::new(Limits::default());
    let ask = |stage: &mut Stage, tenths: u64| {
        for _ in 0..tenths / 2 {
            stage.see(1, Some("a"), "720p", None);
            stage.pass(2);
        }
    };
    ask(&mut stage, 100);
    stage.pass(46);
    assert_eq!(whole(stage.look().viewers), 1);
    stage.pass(5);
    assert_eq!(whole(stage.look().viewers), 0, "it has said nothing for five seconds");
    ask(&mut stage, 100);
    for second in 1..=9 {
        stage.pass(10);
        stage.census.waited(stage.now, "main", Duration::from_secs(second));
        assert_eq!(whole(stage.look().viewers), 1, "the feed is lost for {second} s");
    }
    // It goes on, and a look comes before the first who ask again.
    stage.census.waited(stage.now, "main", Duration::ZERO);
    assert_eq!(whole(stage.look().viewers), 1);
    stage.pass(150);
    assert_eq!(whole(stage.look().viewers), 0);
}

#[test]
fn a_session_is_one_viewer_wherever_it_connects_and_whatever_it_asks_for() {
    let mut stage = Stage::new(Limits::default());
    for (address, rendition) in [(1, "480p"), (2, "audio"), (3, "720p")] {
        stage.see(address, Some("a"), rendition, Some(5));
        stage.see(1, Some("b"), "audio", None);
        stage.pass(10);
    }
    let tally = stage.look();
    assert_eq!(whole(tally.viewers), 2);
    assert_eq!(tally.renditions.get("720p").copied().map(whole), Some(1), "where its pictures were seen last");
    assert_eq!(tally.sample.len(), 2);
}

#[test]
fn many_behind_one_address_are_told_apart_by_asking_for_the_same() {
    let mut stage = Stage::new(Limits::default());
    for position in 0..20 {
        for _ in 0..2_000 {
            stage.see(1, None, "720p", Some(position));
        }
        for address in 2..50 {
            stage.see(address, None, "480p", Some(position));
            // Sound of the same player is nobody else.
            stage.see(address, None, "audio", None);
        }
        stage.pass(2);
    }
    assert_eq!(whole(stage.look().viewers), 2_048);
    // Half of them leave.
    for position in 20..200 {
        (0..1_000).for_each(|_| stage.see(1, None, "720p", Some(position)));
        stage.pass(2);
    }
    let tally = stage.look();
    assert_eq!((whole(tally.viewers), whole(tally.leaves)), (1_000, 1_048));
}

#[test]
fn memory_is_bounded_and_the_count_is_right_within_the_error_that_is_told() {
    let limits = Limits { viewers: 4_096, ..Limits::default() };
    let mut stage = Stage::new(limits);
    for _ in 0..2 {
        for viewer in 0..100_000 {
            stage.see(viewer, Some(&viewer.to_string()), "720p", None);
        }
        stage.pass(10);
    }
    let kept: usize = stage.census.shards.iter().map(|shard| locked(shard).entries.len()).sum();
    assert!(kept <= limits.viewers, "{kept}");
    let tally = stage.look();
    assert!(tally.standard_error < 0.03, "{}", tally.standard_error);
    assert!((tally.viewers / 100_000.0 - 1.0).abs() < 3.0 * tally.standard_error, "{}", tally.viewers);
    assert!(tally.sample.len() <= SAMPLE && tally.sample.len() > SAMPLE / 4, "{}", tally.sample.len());
    let of_sample = as_f64(tally.sample.len()) * scale(tally.sample_level);
    assert!((of_sample / tally.viewers - 1.0).abs() < 0.2, "{of_sample}");
}

#[test]
fn who_says_that_it_leaves_has_left() {
    let mut stage = Stage::new(Limits::default());
    let report = |stage: &Stage, state| {
        let (visitor, place) = (stage.visitor(1, Some("a")), stage.census.place("main", None));
        stage.census.reported(stage.now, visitor, place, &Cmcd { state: Some(state), ..Cmcd::default() });
    };
    report(&stage, State::Active);
    stage.pass(20);
    report(&stage, State::Rebuffering);
    let tally = stage.look();
    assert_eq!((whole(tally.viewers), whole(tally.reporting)), (1, 1));
    assert_eq!(tally.protocols.keys().copied().collect::<Vec<_>>(), [Protocol::Report]);
    stage.pass(10);
    report(&stage, State::Gone);
    let tally = stage.look();
    assert_eq!((whole(tally.viewers), whole(tally.leaves)), (0, 1));
    assert!(tally.quality.watched_ms > 0.0);
}

#[test]
fn a_report_of_somebody_who_is_seen_asking_makes_no_second_viewer() {
    let mut stage = Stage::new(Limits::default());
    for position in 0..10 {
        stage.see(1, None, "720p", Some(position));
        let place = stage.census.place("main", None);
        let said = Cmcd { state: Some(State::Active), live_latency_ms: Some(900.0), ..Cmcd::default() };
        stage.census.reported(stage.now, stage.visitor(1, Some("a")), place, &said);
        stage.pass(5);
    }
    let tally = stage.look();
    assert_eq!((whole(tally.viewers), tally.quality.live_latency_ms.count()), (1, 10));
}

#[test]
fn names_for_which_there_is_no_room_are_counted_together() {
    let census = Census::new(KEY, 1, Limits { names: 2, ..Limits::default() });
    let places = [("a", "x"), ("b", "y"), ("c", "z"), ("a", "x")]
        .map(|(channel, rendition)| census.place(channel, Some(rendition)));
    assert_eq!(places[0], places[3]);
    assert_eq!(places[1], places[2]);
    assert_eq!(locked(&census.names).name(places[1].channel), "other");
}

#[test]
fn when_the_key_changes_nobody_comes_or_goes() {
    let mut stage = Stage::new(Limits::default());
    for second in 0..40_u8 {
        if second == 10 {
            stage.census.rekey(stage.now, Key::new([8; 16]));
        }
        for viewer in 0..100 {
            // A fifth leaves soon after.
            if second < 12 || viewer >= 20 {
                stage.see(viewer, Some(&viewer.to_string()), "720p", None);
            }
        }
        let tally = stage.look();
        let expected = if second == 0 {
            0
        } else if second < 27 {
            100
        } else {
            80
        };
        assert_eq!(whole(tally.viewers), expected, "{second}");
        stage.pass(10);
    }
    assert_eq!(whole(stage.look().joins), 100);
}
