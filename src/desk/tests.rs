use std::sync::Arc;

use touchline_audience::Tally;
use touchline_edge::audience::{NodeReport, Reporter};
use touchline_edge::{Hub, Metrics};

use super::calendar::EventSpec;
use super::frame::Order;
use super::gather::Seen;
use super::pool::EDGES;
use super::*;
use crate::channels::Live;

fn sources() -> Sources {
    let hub = Hub::new(touchline_edge::Settings::default(), Metrics::default());
    Sources {
        node: "origin".into(),
        role: frame::Role::Origin,
        hub: hub.clone(),
        reporter: Arc::new(Reporter::new(hub, "origin".into(), 100, None)),
        roster: touchline_ingest::Roster::default(),
        live: Live::default(),
        ladders: None,
        cluster: touchline_registry::Registry::default(),
        steering: None,
        hops: Hops::default(),
        draining: CancellationToken::new(),
    }
}

fn settings(state: Option<&std::path::Path>) -> Settings {
    let hints = pool::Settings { node_viewers: 100.0, ..pool::Settings::default() };
    Settings { hints, state: state.map(Into::into), notifications: None }
}

fn desk(state: Option<&std::path::Path>) -> Desk {
    let settings = settings(state);
    let kept = read(&settings).unwrap();
    Desk::new(sources(), settings, kept)
}

fn report(node: &str, viewers: f64) -> NodeReport {
    let tally = Tally { channel: "main".into(), viewers, ..Tally::default() };
    NodeReport { node: node.into(), connections_limit: 1_000, tallies: vec![tally], ..NodeReport::default() }
}

/// What two edges tell, of which the second has been silent for so long.
fn seen(silent: Duration) -> Seen {
    let others = vec![(Duration::ZERO, report("edge-1", 300.0)), (silent, report("edge-2", 500.0))];
    Seen { own: NodeReport { node: "origin".into(), ..NodeReport::default() }, others, ..Seen::default() }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(1_800_000_000 + seconds)
}

fn look(desk: &Desk, second: u64, seen: &Seen) -> (Frame, Vec<Entry>) {
    desk.with(|state| state.look(at(second), desk.sources(), seen))
}

fn nodes(frame: &Frame) -> u64 {
    frame.hints.iter().find(|hint| hint.pool == EDGES).map(|hint| hint.nodes).unwrap()
}

#[test]
fn what_edges_tell_is_added_up() {
    let desk = desk(None);
    let (frame, _) = look(&desk, 0, &seen(Duration::ZERO));
    assert_eq!((frame.audience.viewers, frame.channels.len(), frame.edges.len()), (800.0, 1, 3));
    let hint = &frame.hints[0];
    assert!(hint.nodes > 8 && hint.nodes_now == 2 && !hint.stale, "{hint:?}");
}

#[test]
fn an_edge_that_falls_silent_is_told_of_and_takes_nothing_away() {
    let desk = desk(None);
    let before = nodes(&look(&desk, 0, &seen(Duration::ZERO)).0);
    let mut told = Vec::new();
    for second in 1..500 {
        let (frame, entries) = look(&desk, second, &seen(Duration::from_secs(second)));
        assert!(nodes(&frame) >= before, "{second}: {:?}", frame.hints[0]);
        told.extend(entries);
    }
    let (frame, _) = look(&desk, 500, &seen(Duration::from_secs(500)));
    assert_eq!((frame.audience.viewers, frame.edges.len()), (300.0, 3));
    let texts: Vec<&str> = told.iter().map(|entry| entry.text.as_str()).collect();
    assert!(texts.contains(&"edge-2 has fallen silent"), "{texts:?}");
    assert!(texts.iter().any(|text| text.starts_with("edge_silent: edge-2:")), "{texts:?}");
}

#[test]
fn where_all_edges_are_silent_nothing_is_known_and_nothing_taken_away() {
    let desk = desk(None);
    let before = nodes(&look(&desk, 0, &seen(Duration::ZERO)).0);
    for second in [60, 600, 6_000] {
        let old = Duration::from_secs(second);
        let mut silent = seen(old);
        silent.others.iter_mut().for_each(|(age, _)| *age = old);
        let (frame, _) = look(&desk, second, &silent);
        assert!(frame.hints[0].stale && nodes(&frame) >= before, "{second}: {:?}", frame.hints[0]);
    }
}

#[test]
fn what_must_outlive_the_process_does() {
    let folder = tempfile::tempdir().unwrap();
    let first = desk(Some(folder.path()));
    let spec = EventSpec {
        kick_off: rfc3339(at(1_200)),
        end: rfc3339(at(6_600)),
        expected_peak: Some(5_000.0),
        breaks: Vec::new(),
        announcements: Vec::new(),
        channels: vec!["main".into()],
    };
    first.act(|state| state.plan("final", &spec, (at(0), "127.0.0.1"))).unwrap();
    let order = Order { factor: Some(2.0), minutes: Some(30), note: "it is on every front page".into() };
    first.act(|state| state.surge(EDGES, None, &order, (at(0), "127.0.0.1"))).unwrap();
    let before = nodes(&look(&first, 0, &seen(Duration::ZERO)).0);
    first.with(State::unwritten).iter().for_each(store::Writing::write);

    let desk = desk(Some(folder.path()));
    let nothing = Seen { own: NodeReport { node: "origin".into(), ..NodeReport::default() }, ..Seen::default() };
    let deaf = Seen { others: vec![(at(0), report("edge-1", 0.0))], ..nothing };
    let (frame, _) = look(&desk, 60, &deaf);
    assert!(nodes(&frame) >= before, "{:?} after {before}", frame.hints[0]);
    assert_eq!((frame.events.len(), frame.hints[0].surge.is_some()), (1, true));
    let deeds = desk.with(|state| state.deeds(10));
    assert_eq!(
        deeds.iter().map(|deed| deed.action.as_str()).collect::<Vec<_>>(),
        ["surge edges 2 times for 30 min", "plan event final"]
    );
    // A feed that the event needs is missed.
    let told = (61..80).flat_map(|second| look(&desk, second, &seen(Duration::ZERO)).1).map(|entry| entry.text);
    assert!(
        !told.into_iter().any(|text| text.starts_with("feed_stopped")),
        "not yet: it is on air from a quarter of an hour before kick-off"
    );
    let told = (301..320).flat_map(|second| look(&desk, second, &seen(Duration::ZERO)).1).map(|entry| entry.text);
    assert!(told.into_iter().any(|text| text == "feed_stopped: nobody publishes into it, and an event is on air"));
}

#[test]
fn a_state_that_is_damaged_is_told_and_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("desk.json"), "{").unwrap();
    let error = format!("{:#}", read(&settings(Some(folder.path()))).unwrap_err());
    assert!(error.contains("desk.json is damaged; move it away"), "{error}");
    std::fs::write(folder.path().join("desk.json"), "{\"version\":9}").unwrap();
    let error = format!("{:#}", read(&settings(Some(folder.path()))).unwrap_err());
    assert!(error.contains("is of version 9"), "{error}");
}

#[test]
fn orders_that_make_no_sense_are_refused() {
    let desk = desk(None);
    let order = |factor, minutes| Order { factor, minutes, note: String::new() };
    let surge = |order: Order| desk.act(|state| state.surge(EDGES, None, &order, (at(0), "desk"))).unwrap_err();
    assert_eq!(surge(order(None, Some(10))), Refusal::Factor);
    assert_eq!(surge(order(Some(f64::NAN), Some(10))), Refusal::Factor);
    assert_eq!(surge(order(Some(2.0), Some(0))), Refusal::Minutes);
    assert_eq!(surge(Order { note: "x".repeat(501), ..order(Some(2.0), Some(1)) }), Refusal::Note);
    let refused = desk.act(|state| state.freeze("clouds", None, &order(None, Some(1)), (at(0), "desk")));
    assert_eq!(refused, Err(Refusal::NoPool("clouds".into())));
    let refused = desk.act(|state| state.surge(EDGES, Some("final"), &order(Some(2.0), Some(1)), (at(0), "desk")));
    assert_eq!(refused, Err(Refusal::NoEvent("final".into())));
}
