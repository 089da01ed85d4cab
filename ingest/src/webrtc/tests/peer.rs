use std::time::Duration;

use bytes::Bytes;

use super::client::VIDEO;
use super::pair::{Pair, WAY, path};
use crate::rtp::{Feedback, Packet};
use crate::webrtc::peer::Event;

const SECOND: Duration = Duration::from_secs(1);

fn packets(pair: &mut Pair) -> Vec<(usize, u16)> {
    let of = |event: Event| match event {
        Event::Packet { stream, packet } => Some((stream, packet.sequence)),
        _ => None,
    };
    pair.events.drain(..).filter_map(of).collect()
}

#[test]
fn media_comes_as_it_was_sent_and_reports_with_it() {
    let mut pair = Pair::connected();
    pair.client.send(0, 7, 90_000, b"picture", pair.now);
    pair.client.send(1, 9, 48_000, b"sound", pair.now);
    pair.advance(SECOND * 3);
    let media: Vec<_> = pair.events.iter().filter(|event| matches!(event, Event::Packet { .. })).cloned().collect();
    let packet = |sequence, timestamp, payload| Packet {
        sequence,
        timestamp,
        marker: true,
        payload: Bytes::from_static(payload),
    };
    let expected = [
        Event::Packet { stream: 0, packet: packet(7, 90_000, b"picture") },
        Event::Packet { stream: 1, packet: packet(9, 48_000, b"sound") },
    ];
    assert_eq!(media, expected);
    for stream in [0, 1] {
        let is_report = |event: &Event| matches!(event, Event::Report { stream: of, .. } if *of == stream);
        assert!(pair.events.iter().any(is_report), "of stream {stream}");
    }
    let feedback = pair.client.feedback.join("\n");
    assert!(feedback.contains("ReceiverReport") && feedback.contains("TransportLayerCc"), "{feedback}");
}

#[test]
fn the_round_trip_is_measured() {
    let mut pair = Pair::connected();
    pair.advance(SECOND * 2);
    assert!(pair.events.contains(&Event::RoundTrip(WAY * 2)), "{:?}", pair.events);
}

#[test]
fn the_handshake_tells_the_round_trip_of_who_answers_no_checks() {
    for role in ["a=setup:actpass", "a=setup:passive"] {
        let mut pair = Pair::new(|offer| offer.replace("a=setup:actpass", role));
        pair.loses = |datagram| datagram.starts_with(&[1, 1]);
        pair.advance(SECOND * 3);
        let measures: Vec<_> = pair.events.iter().filter(|event| matches!(event, Event::RoundTrip(_))).collect();
        let [Event::RoundTrip(measure)] = measures[..] else { panic!("{role}: {measures:?}") };
        assert!((WAY * 2..WAY * 3).contains(measure), "{role}: {measure:?}");
    }
}

#[test]
fn what_was_lost_and_is_asked_for_comes_with_its_own_number() {
    let mut pair = Pair::connected();
    for sequence in 1..=5 {
        pair.loses = if sequence == 3 { |datagram| (128..192).contains(&datagram[0]) } else { |_| false };
        pair.client.send(0, sequence, 90_000, &[9; 100], pair.now);
        pair.advance(WAY);
    }
    pair.advance(WAY);
    assert_eq!(packets(&mut pair), [1, 2, 4, 5].map(|sequence| (0, sequence)));
    pair.peer.ask(&Feedback::Nack { stream: 0, sequences: vec![3] });
    pair.advance(WAY * 4);
    assert_eq!(packets(&mut pair), [(0, 3)]);
}

#[test]
fn a_keyframe_is_asked_for() {
    let mut pair = Pair::connected();
    pair.client.send(0, 1, 90_000, b"picture", pair.now);
    pair.advance(WAY * 2);
    pair.peer.ask(&Feedback::Keyframe { stream: 0 });
    pair.advance(WAY * 2);
    let asked = format!("media_ssrc: {VIDEO}");
    let feedback = &pair.client.feedback;
    assert!(
        feedback.iter().any(|packet| packet.contains("PictureLossIndication") && packet.contains(&asked)),
        "{feedback:?}"
    );
}

#[test]
fn who_reads_the_first_packet_alone_is_asked_by_that_if_its_section_allows() {
    let mut pair = Pair::new(|offer| offer.replacen("a=rtcp-mux\r\n", "a=rtcp-mux\r\na=rtcp-rsize\r\n", 1));
    pair.advance(SECOND * 3);
    pair.client.send(0, 1, 90_000, b"picture", pair.now);
    pair.advance(WAY * 2);
    // What begins with a receiver report.
    pair.loses_ours = |datagram| datagram.get(1) == Some(&201);
    pair.client.feedback.clear();
    for stream in [0, 1] {
        pair.peer.ask(&Feedback::Nack { stream, sequences: vec![3] });
    }
    pair.advance(WAY * 2);
    let asked: Vec<_> = pair.client.feedback.iter().filter(|packet| packet.contains("TransportLayerNack")).collect();
    assert_eq!(asked.len(), 1, "{:?}", pair.client.feedback);
}

#[test]
fn junk_and_forged_datagrams_have_no_effect() {
    let mut pair = Pair::connected();
    // Of every kind, and with the source of the pictures: STUN, DTLS of both epochs and all contents, RTP, RTCP.
    let record = |content: u8, epoch: u8| {
        let mut record = vec![content, 254, 253, 0, epoch, 0, 0, 0, 1, 0, 0, 0, 2, 2, 40];
        record.resize(15, 0);
        record
    };
    let mut forged: Vec<Vec<u8>> =
        vec![vec![0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 3, 232], vec![0x80, 200, 0, 6, 0, 0, 3, 232]];
    for datagram in &mut forged {
        datagram.resize(60, 1);
    }
    forged.push([b"\0\x01\0\0\x21\x12\xa4\x42".as_slice(), &[0; 12]].concat());
    for content in 20..=24 {
        forged.extend([record(content, 0), record(content, 1), record(content, 2)]);
    }
    for round in 0..200_u8 {
        for datagram in &mut forged {
            let last = datagram.len() - 1;
            datagram[last] = round;
            pair.peer.handle(path(), datagram, pair.now);
        }
    }
    pair.client.send(0, 1, 90_000, b"picture", pair.now);
    pair.advance(SECOND);
    assert_eq!(packets(&mut pair), [(0, 1)]);
}

#[test]
fn a_last_flight_that_got_lost_is_sent_again_though_records_of_epoch_zero_are_dropped() {
    let mut pair = Pair::new(|offer| offer);
    // A change of cipher: ours is of the flight that ends the handshake.
    pair.loses_ours = |datagram| datagram[0] == 20;
    while !pair.events.contains(&Event::Connected) {
        pair.advance(WAY);
    }
    assert!(!pair.client.connected);
    pair.loses_ours = |_| false;
    pair.advance(SECOND * 3);
    assert!(pair.client.connected);
}

#[test]
fn ice_restarts_while_media_goes_on() {
    let mut pair = Pair::connected();
    let before = pair.peer.agent().local().clone();
    pair.restart_ice();
    assert_ne!(pair.peer.agent().local(), &before);
    for sequence in 1..=100 {
        pair.client.send(1, sequence, u32::from(sequence) * 960, b"sound", pair.now);
        pair.advance(Duration::from_millis(20));
    }
    pair.advance(SECOND);
    // This publisher sends nothing until it has found a path again, which takes it a quarter of a second.
    let came = packets(&mut pair);
    assert_eq!(came.last(), Some(&(1, 100)));
    assert!(came.len() > 80 && came.is_sorted(), "{came:?}");
}

#[test]
fn a_publisher_that_closes_is_known_to_have_left() {
    let mut pair = Pair::connected();
    pair.client.close();
    pair.advance(WAY * 2);
    assert!(pair.events.contains(&Event::Closed), "{:?}", pair.events);
}

#[test]
fn we_begin_the_handshake_of_a_publisher_that_is_passive() {
    let mut pair = Pair::new(|offer| offer.replace("a=setup:actpass", "a=setup:passive"));
    pair.advance(SECOND * 3);
    assert!(pair.client.connected && pair.events.contains(&Event::Connected), "{:?}", pair.peer);
}

#[test]
fn another_certificate_than_that_of_the_offer_is_refused() {
    let forge = |offer: String| {
        let (before, after) = offer.split_once("a=fingerprint:sha-256 ").unwrap();
        let digit = if after.starts_with('0') { '1' } else { '0' };
        format!("{before}a=fingerprint:sha-256 {digit}{}", &after[1..])
    };
    let mut pair = Pair::new(forge);
    pair.advance(SECOND * 9);
    assert!(!pair.events.contains(&Event::Connected));
    insta::assert_snapshot!(pair.peer.trouble().unwrap(), @"the DTLS handshake failed: remote certificate does not match any fingerprint");
}
