use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use touchline_media::{Sample, Timescale, TrackId, feed};

use super::network::{Link, Sender, Session, picture, sound, sound_captured};
use super::packetizer::payloads;
use crate::Metrics;
use crate::rtp::depacketize::Form;
use crate::rtp::{Codec, Counters, Description, Packet, Publication, SenderReport, Settings};

const VIDEO: TrackId = TrackId(0);

/// What a feed brought of pictures: number and sample; each compared with what was sent.
fn pictures(events: &[feed::Event], sender: &Sender) -> Vec<(u32, Sample)> {
    let samples = samples(events).filter(|sample| sample.track == VIDEO);
    let numbered = samples.map(|sample| {
        let n = u32::from_be_bytes(sample.data[6..10].try_into().unwrap());
        let units = picture(n, sample.sync, sender.picture, 0);
        let slices = units.iter().filter(|unit| matches!(unit[0], 0x41 | 0x65));
        let expected = slices.flat_map(|unit| [&u32::try_from(unit.len()).unwrap().to_be_bytes()[..], unit].concat());
        assert!(expected.eq(sample.data.iter().copied()), "picture {n} is damaged");
        (n, sample.clone())
    });
    numbered.collect()
}

/// The same of sound; silence, which nobody sent, has no number.
fn sounds(events: &[feed::Event]) -> Vec<(Option<u32>, Sample)> {
    let samples = samples(events).filter(|sample| sample.track != VIDEO);
    let numbered = samples.map(|sample| {
        let n = sample.data.get(1..5).map(|n| u32::from_be_bytes(n.try_into().unwrap()));
        let n = n.filter(|n| sample.data == sound(*n));
        (n, sample.clone())
    });
    numbered.collect()
}

fn samples(events: &[feed::Event]) -> impl Iterator<Item = &Sample> {
    events.iter().filter_map(|event| match event {
        feed::Event::Sample(sample) => Some(sample),
        feed::Event::Start { .. } => None,
    })
}

fn starts(events: &[feed::Event]) -> usize {
    events.iter().filter(|event| matches!(event, feed::Event::Start { .. })).count()
}

fn numbers<T: Copy>(of: &[(T, Sample)]) -> Vec<T> {
    of.iter().map(|(n, _)| *n).collect()
}

#[test]
fn all_that_is_sent_comes_out_as_it_was() {
    let sender = Sender::default();
    let mut session = Session::new(1, Link::default(), sender);
    session.run_until(10_000);
    let (events, counters) = session.end();
    assert_eq!(starts(&events), 1);
    assert_eq!(numbers(&pictures(&events, &sender)), (0..299).collect::<Vec<_>>());
    assert_eq!(numbers(&sounds(&events)), (0..500).map(Some).collect::<Vec<_>>());
    // There and back, and the time until the next picture was due.
    let keyframe_answer = Some(Duration::from_micros(46_667));
    let expected = Counters {
        units: 799,
        keyframes: 6,
        keyframe_requests: 5,
        keyframe_answer,
        reports: 18,
        ..Counters::default()
    };
    assert_eq!(Counters { packets: 0, ..counters }, expected);
}

#[test]
fn what_a_bad_network_loses_is_recovered_and_little_more_is_asked_for() {
    for seed in 0..5 {
        let sender = Sender { picture: 12_000, ..Sender::default() };
        let mut session = Session::new(seed, Link::default(), sender);
        session.run_until(100);
        session.link = Link { lost: 2, doubled: 1, jitter: 3_000, ..session.link };
        session.run_until(60_000);
        session.pause();
        session.run_until(62_000);
        let (asked, sent) = (session.asked, session.packets_sent);
        let (events, counters) = session.end();
        assert_eq!(numbers(&pictures(&events, &sender)), (0..1_800).collect::<Vec<_>>());
        assert_eq!((counters.lost, counters.dropped_units), (0, 0), "seed {seed}: {counters:?}");
        assert!(counters.duplicates > sent / 200 && counters.recovered > sent / 100, "{counters:?}");
        assert_eq!(asked, counters.nacked);
        assert!(asked * 100 < sent * 5, "seed {seed}: {asked} of {sent} packets");
    }
}

#[test]
fn without_retransmission_pictures_are_whole_or_absent_and_go_on_at_a_keyframe() {
    let sender = Sender::default();
    // Far away: no answer comes in time.
    let link = Link { delay: 400_000, ..Link::default() };
    let mut session = Session::new(7, link, sender);
    session.run_until(1_000);
    session.link.lost = 1;
    session.run_until(60_000);
    session.pause();
    session.run_until(62_000);
    let (events, counters) = session.end();
    let pictures = pictures(&events, &sender);
    assert!(counters.lost > 20, "{counters:?}");
    assert_eq!(pictures.len() as u64 + counters.dropped_units, 1_800);
    let sounds = sounds(&events);
    assert!(sounds.iter().all(|(n, _)| n.is_some()), "what is lost is left to the decoder");
    assert_eq!(sounds.len() as u64, counters.units - pictures.len() as u64);
    for pair in pictures.windows(2) {
        let [(before, _), (n, sample)] = pair else { continue };
        assert!(*n == before + 1 || sample.sync, "picture {n} follows {before}");
    }
}

#[test]
fn a_keyframe_comes_with_each_segment_or_when_the_sender_makes_one() {
    for (heeds, least, most) in [(None, 1_930, 2_040), (Some(90), 3_000, 3_000), (Some(60), 2_000, 2_000)] {
        let sender = Sender { heeds, ..Sender::default() };
        let mut session = Session::new(3, Link::default(), sender);
        session.run_until(30_000);
        let requests = session.keyframe_requests.clone();
        let (events, counters) = session.end();
        assert_eq!(counters.keyframe_requests, requests.len() as u64);
        assert!(requests.windows(2).all(|pair| pair[1] - pair[0] >= 1_900), "{heeds:?}: {requests:?}");
        let pictures = pictures(&events, &sender);
        let keyframes: Vec<u32> = pictures.iter().filter(|(_, sample)| sample.sync).map(|(n, _)| *n).collect();
        let intervals: Vec<u32> = keyframes.windows(2).map(|pair| (pair[1] - pair[0]) * 1_000 / 30).collect();
        assert!(intervals.len() > 8, "{heeds:?}: {intervals:?}");
        assert!(intervals.iter().all(|interval| (least..=most).contains(interval)), "{heeds:?}: {intervals:?}");
    }
}

#[test]
fn new_parameter_sets_begin_a_stretch_each_and_no_picture_is_lost() {
    let sender = Sender::default();
    let mut session = Session::new(4, Link::default(), sender);
    // The last while what the one before it brought is not known yet.
    for (millis, level) in [(3_000, 0x15), (6_000, 0x1e), (6_050, 0x1f)] {
        session.run_until(millis);
        session.change_to_level(level);
    }
    session.run_until(10_000);
    let (events, counters) = session.end();
    assert_eq!((starts(&events), counters.dropped_units), (4, 0));
    let pictures = pictures(&events, &sender);
    assert_eq!(numbers(&pictures), (0..299).collect::<Vec<_>>());
    assert_eq!(numbers(&sounds(&events)), (0..500).map(Some).collect::<Vec<_>>());
}

#[test]
fn sound_that_is_muted_for_long_is_silence_and_goes_on_in_the_same_stretch() {
    let sender = Sender::default();
    let mut session = Session::new(5, Link::default(), sender);
    session.run_until(3_010);
    session.muted = true;
    session.run_until(18_010);
    session.muted = false;
    session.run_until(25_000);
    let (events, counters) = session.end();
    assert_eq!((starts(&events), counters.dropped_units), (1, 0));
    let sounds = sounds(&events);
    let sent: Vec<u32> = numbers(&sounds).into_iter().flatten().collect();
    assert_eq!(sent, (0..151).chain(901..1_250).collect::<Vec<_>>());
    for pair in sounds.windows(2) {
        let step = (pair[1].1.dts - pair[0].1.dts).ticks();
        assert!((480..=1_440).contains(&step), "{step} ticks after {:?}", pair[0].1.dts);
    }
}

#[test]
fn a_source_that_pauses_and_is_irregular_keeps_its_times() {
    let (writer, mut reader) = feed::channel();
    let begun = Instant::now();
    let mut publication = Publication::new(writer, &[Codec::H264.into()], Settings::default(), begun);
    let metrics = Metrics::default();
    let steps = [2_970, 6_030, 5_940, 3_060, 9_000, 2_970, 450_000, 4_500].into_iter().cycle().take(40);
    let (mut ticks, mut expected) = (0_u32, vec![0]);
    for (n, step) in (0_u16..).zip(steps) {
        let payload = payloads(Form::H264, &picture(n.into(), n == 0, 20, 0x0d), 1_200).remove(0);
        let timestamp = 4_294_000_000_u32.wrapping_add(ticks);
        let packet = Packet { sequence: n, timestamp, marker: true, payload: payload.into() };
        publication.packet(0, packet, begun + Duration::from_micros(u64::from(ticks) * 100 / 9), &metrics);
        ticks += step;
        expected.push(i64::from(ticks));
    }
    expected.pop();
    publication.finish(&metrics);
    let events: Vec<feed::Event> = std::iter::from_fn(|| reader.try_next()).collect();
    assert_eq!(starts(&events), 1);
    let times: Vec<i64> = samples(&events).map(|sample| sample.pts.rescale(Timescale::NINETY_KHZ).ticks()).collect();
    assert_eq!(times, expected);
}

#[test]
fn sound_and_pictures_are_together_for_an_hour_whatever_clock_is_fast() {
    for (sound_drift, wall_drift) in [(100, -100), (-100, 100)] {
        let link = Link { sound_drift, wall_drift, jitter: 5_000, ..Link::default() };
        let sender = Sender { picture: 20, heeds: Some(60), ..Sender::default() };
        let mut session = Session::new(6, link, sender);
        session.run_until(3_600_000);
        let (events, counters) = session.end();
        assert_eq!((starts(&events), counters.dropped_units, counters.ignored_reports), (1, 0, 0));
        let sounds = sounds(&events);
        assert!(sounds.iter().all(|(n, _)| n.is_some()), "silence has been made");
        let off = sync(&events, &sender, sound_drift);
        assert!(off.len() >= 3_599);
        // Until there are reports, by arrival: pictures take longer to encode.
        assert!(off[&0].abs() < 50_000, "{}", off[&0]);
        let worst = off.range(4..).map(|(_, off)| off.abs()).max().unwrap();
        assert!(worst <= 20_000, "{worst} microseconds, drift {sound_drift}");
    }
}

#[test]
fn without_reports_sound_is_where_it_arrived() {
    let sender = Sender { reports: false, ..Sender::default() };
    let mut session = Session::new(8, Link::default(), sender);
    session.run_until(20_000);
    let (events, _) = session.end();
    let off = sync(&events, &sender, 0);
    assert!(off.values().all(|off| off.abs() < 50_000), "{off:?}");
}

proptest! {
    #[test]
    fn any_packets_do_no_harm(
        packets in prop::collection::vec(
            (0..4_usize, any::<u8>(), any::<u32>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..30), 0..400_u64),
            0..80,
        ),
    ) {
        let (writer, mut reader) = feed::channel();
        let mut now = Instant::now();
        let codecs = [Codec::H264, Codec::Opus { channels: 2 }, Codec::Av1, Codec::H265];
        let streams = codecs.map(Description::from);
        let mut publication = Publication::new(writer, &streams, Settings::default(), now);
        let metrics = Metrics::default();
        for (stream, sequence, timestamp, marker, payload, wait) in packets {
            now += Duration::from_millis(wait);
            publication.report(stream, SenderReport { ntp: timestamp.into(), timestamp }, now);
            let packet = Packet { sequence: sequence.into(), timestamp, marker, payload: payload.into() };
            publication.packet(stream, packet, now, &metrics);
            publication.handle_timeout(now, &metrics);
        }
        publication.finish(&metrics);
        while let Some(event) = reader.try_next() {
            if let feed::Event::Sample(sample) = event {
                prop_assert!(!sample.data.is_empty());
            }
        }
    }
}

/// How far sound is from the pictures of the same time, in microseconds, at each second.
fn sync(events: &[feed::Event], sender: &Sender, drift: i64) -> BTreeMap<u64, i64> {
    let micros = |sample: &Sample| sample.pts.rescale(Timescale::new(1_000_000).unwrap()).ticks();
    let pictures = pictures(events, sender);
    let mut pictures = pictures.iter().map(|(n, sample)| {
        let captured = i64::from(*n) * 1_000_000 / 30;
        (captured, micros(sample) - captured)
    });
    let mut last = pictures.next().unwrap();
    let mut off = BTreeMap::new();
    for (n, sample) in sounds(events) {
        let captured = sound_captured(n.unwrap(), drift).cast_signed();
        while last.0 < captured {
            let Some(next) = pictures.next() else { return off };
            last = next;
        }
        let second = u64::try_from(captured / 1_000_000).unwrap();
        let found = micros(&sample) + 6_500 - captured - last.1;
        let worst = off.entry(second).or_insert(found);
        if found.abs() > worst.abs() {
            *worst = found;
        }
    }
    off
}
