use super::*;
use crate::desk::frame::{Audience, Latency, Quality, RungStatus, TrackStatus};

/// A server with a channel, its publisher, an edge, and all in order.
fn well() -> (Frame, Signs) {
    let track = TrackStatus {
        track: 1,
        kind: "audio".into(),
        codec: "mp4a.40.2".into(),
        width: None,
        height: None,
        bits_per_second: None,
        frame_rate: None,
        samples_per_second: None,
        keyframe_interval_seconds: Some(2.0),
        drift_milliseconds: None,
        samples: 0,
        gaps: 0,
        silent_milliseconds: Some(100),
    };
    let publisher = PublisherStatus {
        id: 1,
        channel: "main".into(),
        peer: "127.0.0.1:1".into(),
        protocol: "SRT".into(),
        encoder: None,
        seconds: 100,
        bits_per_second: 1,
        audio_video_drift_milliseconds: Some(-40),
        gaps: 0,
        stretches: 1,
        timestamp_jumps: 0,
        discarded_samples: 0,
        link: BTreeMap::from([("received_packets".to_owned(), 0.0), ("belated_packets".to_owned(), 0.0)]),
        tracks: vec![track],
    };
    let rung = RungStatus {
        name: "480p".into(),
        encoder: None,
        resting: false,
        queued: 0,
        frames_in: 0,
        frames_out: 0,
        shed: 0,
        lag_ms: None,
    };
    let edge = EdgeStatus {
        node: "edge-1".into(),
        viewers: 0.0,
        joins_per_second: 0.0,
        connections: 10,
        connections_limit: 100,
        sent_bits_per_second: 0.0,
        lag_ms: 1.0,
        channels: 1,
        draining: false,
        age_seconds: 0.5,
        stale: false,
    };
    let quality = Quality { reporting: 100.0, rebuffer_ratio: Some(0.001), ..Quality::default() };
    let audience = Audience { quality, ..Audience::default() };
    let channel = ChannelStatus { channel: "main".into(), live: true, thumbnail: None, audience };
    let latency = Latency { hop: Hop::Packaged, p50_ms: 1.0, p95_ms: 5.0, p99_ms: 9.0 };
    let frame = Frame {
        node: "origin".into(),
        channels: vec![channel],
        publishers: vec![publisher],
        ladders: vec![LadderStatus { channel: "main".into(), worker_deaths: 0, rungs: vec![rung] }],
        edges: vec![edge],
        latency: vec![latency],
        ..Frame::default()
    };
    let signs = Signs { replication: vec![("edge-1".into(), Some(20.0), Some(0.1))], ..Signs::default() };
    (frame, signs)
}

fn count(second: u64) -> f64 {
    f64::from(u32::try_from(second).unwrap())
}

/// Counts go on as in a channel that is well.
fn go_on(frame: &mut Frame, second: u64) {
    for publisher in &mut frame.publishers {
        publisher.link.insert("received_packets".into(), 1_000.0 * count(second));
    }
    for rung in frame.ladders.iter_mut().flat_map(|ladder| &mut ladder.rungs) {
        rung.frames_in = 30 * second;
    }
}

/// A minute that is well, two of which `fault` is told the seconds, and four that are well again: which alerts were told, and when.
fn told(fault: impl Fn(u64, &mut Frame, &mut Signs)) -> Vec<(u64, bool, String)> {
    let mut alarm = Alarm::default();
    let mut told = Vec::new();
    for second in 0..1_000 {
        let (mut frame, mut signs) = well();
        go_on(&mut frame, second);
        if (60..380).contains(&second) {
            fault(second - 60, &mut frame, &mut signs);
        }
        for change in alarm.look(Duration::from_secs(second), &frame, &signs) {
            match change {
                Change::Fired(alert) => told.push((second, true, alert.rule)),
                Change::Cleared(alert) => told.push((second, false, alert.rule)),
            }
        }
        let firing =
            told.iter().filter(|(_, fired, _)| *fired).count() - told.iter().filter(|(_, fired, _)| !fired).count();
        assert_eq!(alarm.firing().len(), firing);
    }
    told
}

type Fault = fn(u64, &mut Frame, &mut Signs);

fn hint(stale: bool) -> crate::desk::pool::HintStatus {
    use crate::desk::pool::{Load, Pool, Settings};
    let settings = Settings { node_viewers: 100.0, ..Settings::default() };
    let history = std::sync::Arc::new(touchline_hints::History::new(&settings.forecasting));
    let used = Some(1_000.0).filter(|_| !stale);
    let load = Load { nodes: 1, used, ..Load::default() };
    Pool::edges(settings, history).look(Duration::from_secs(1_000), &touchline_hints::Calendar::default(), load)
}

/// What each rule is for.
const FAULTS: [(&str, Fault); 18] = [
    ("feed_stopped", |_, frame, _| frame.publishers.clear()),
    ("long_gop", |_, frame, _| frame.publishers[0].tracks[0].keyframe_interval_seconds = Some(10.0)),
    ("audio_video_drift", |_, frame, _| frame.publishers[0].audio_video_drift_milliseconds = Some(250)),
    ("srt_loss", |second, frame, _| {
        frame.publishers[0].link.insert("belated_packets".into(), 20.0 * count(second));
    }),
    ("no_sound", |_, frame, _| frame.publishers[0].tracks[0].silent_milliseconds = Some(12_000)),
    ("feed_gaps", |second, frame, _| frame.publishers[0].gaps = second / 5),
    ("late_parts", |_, frame, _| frame.latency[0].p95_ms = 1_500.0),
    ("replication_lag", |_, _, signs| signs.replication[0].1 = Some(900.0)),
    ("edge_silent", |_, frame, _| (frame.edges[0].stale, frame.edges[0].age_seconds) = (true, 9.0)),
    ("edge_full", |_, frame, _| frame.edges[0].connections = 90),
    ("server_behind", |_, frame, _| frame.edges[0].lag_ms = 300.0),
    ("ladder_shedding", |second, frame, _| frame.ladders[0].rungs[0].shed = 3 * second),
    ("rung_resting", |_, frame, _| frame.ladders[0].rungs[0].resting = true),
    ("ladder_crashes", |second, frame, _| frame.ladders[0].worker_deaths = second / 60),
    ("rebuffering", |_, frame, _| frame.channels[0].audience.quality.rebuffer_ratio = Some(0.05)),
    ("hint_stale", |_, frame, _| frame.hints = vec![hint(true)]),
    ("too_few_nodes", |_, frame, _| frame.hints = vec![hint(false)]),
    ("webhooks_undelivered", |_, _, signs| signs.dead = 2),
];

#[test]
fn what_is_well_is_not_told() {
    assert_eq!(told(|_, _, _| {}), []);
}

#[test]
fn each_rule_is_told_once_and_is_over_once() {
    for (name, fault) in FAULTS {
        let told = told(fault);
        let of: Vec<(bool, &str)> = told.iter().map(|(_, fired, rule)| (*fired, rule.as_str())).collect();
        assert_eq!(of, [(true, name), (false, name)], "{told:?}");
        let (fired, cleared) = (told[0].0, told[1].0);
        assert!((60..380).contains(&fired) && cleared >= 380, "{told:?}");
    }
    let mut rules = Rule::ALL.map(|rule| rule.manner().name).to_vec();
    rules.sort_unstable();
    let mut faults = FAULTS.map(|(name, _)| name).to_vec();
    faults.sort_unstable();
    assert_eq!(rules, faults);
}

#[test]
fn a_rule_that_holds_now_and_then_is_told_once() {
    let told = told(|second, frame, _| {
        if second % 8 < 6 {
            frame.publishers[0].tracks[0].keyframe_interval_seconds = Some(10.0);
        }
    });
    assert_eq!(told.len(), 2, "{told:?}");
    let moments = self::told(|second, frame, _| {
        if second % 8 == 0 {
            frame.publishers[0].tracks[0].keyframe_interval_seconds = Some(10.0);
        }
    });
    assert_eq!(moments, [], "what lasts a moment is nothing");
}

#[test]
fn a_channel_that_an_event_needs_is_missed_though_it_is_not_live() {
    let told = told(|_, frame, signs| {
        (frame.channels, frame.publishers) = (Vec::new(), Vec::new());
        signs.expected = BTreeSet::from(["main".to_owned()]);
    });
    assert_eq!(told, [(62, true, "feed_stopped".into()), (382, false, "feed_stopped".into())]);
}

#[test]
fn a_publisher_that_is_connected_and_sends_nothing_is_told_of() {
    let told = told(|_, _, signs| signs.quiet = vec![("main".into(), Duration::from_secs(2))]);
    assert_eq!(told, [(61, true, "late_parts".into()), (389, false, "late_parts".into())]);
}

#[test]
fn an_edge_that_is_silent_is_not_told_to_be_full_too() {
    let told = told(|_, frame, _| (frame.edges[0].stale, frame.edges[0].connections) = (true, 99));
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn the_rules_are_in_the_documentation() {
    let kept = include_str!("../../../docs/alerts.md");
    for rule in Rule::ALL {
        let Manner { name, critical, holds, clears, .. } = rule.manner();
        let severity = if critical { "critical" } else { "warning" };
        let row = format!("| `{name}` | {severity} | {holds} s | {clears} s |");
        assert!(kept.contains(&row), "docs/alerts.md has no row {row}");
    }
}
