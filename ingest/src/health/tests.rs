use std::time::Duration;

use std::net::SocketAddr;

use bytes::Bytes;
use prometheus_client::registry::Registry;
use touchline_media::{Format, FrameRate, MediaTime, Timescale, aac, avc};

use super::*;
use crate::Protocol;

/// x264 at 1280x720 and 30000/1001 frames/s, High profile.
const AVCC: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x18, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01,
    0x10, 0x00, 0x00, 0x3e, 0x90, 0x00, 0x0e, 0xa6, 0x00, 0xf1, 0x83, 0x19, 0x60, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f,
    0xcb, 0xfd, 0xf8, 0xf8, 0x00,
];
const VIDEO: TrackId = TrackId(1);
const AUDIO: TrackId = TrackId(2);
const SOUND_RATE: u32 = 48_000;

/// A feed of 25 pictures of 10,000 bytes and 46.875 frames of sound of 256 bytes a second.
struct Feed {
    health: Health,
    began: Instant,
    pictures: i64,
    sounds: i64,
    /// How much faster than ours the clock of the sound is, in parts per million.
    drift: i64,
}

impl Feed {
    fn start(drift: i64) -> Self {
        let health = Health::default();
        let rate = FrameRate::new(25, 1).unwrap();
        let video = Format::Avc(avc::Config::parse(AVCC).unwrap());
        let audio = aac::Config::parse(Bytes::from_static(&[0x11, 0x90])).unwrap();
        health.started(&[
            track(VIDEO, rate.timescale(), video, rate.frame_ticks()),
            track(AUDIO, audio.timescale(), Format::Aac(audio), aac::FRAME_LEN),
        ]);
        Self { health, began: Instant::now(), pictures: 0, sounds: 0, drift }
    }

    fn at(&self, millis: u64) -> Instant {
        self.began + Duration::from_millis(millis)
    }

    /// What arrives until so many milliseconds after the beginning.
    fn until(&mut self, millis: u64) {
        while self.picture_time() < millis {
            self.picture();
        }
        loop {
            let media = MediaTime::new(self.sounds * i64::from(aac::FRAME_LEN), timescale(SOUND_RATE));
            let micros = media.rescale(timescale(1_000_000)).ticks() * (1_000_000 - self.drift) / 1_000_000;
            let received = self.began + Duration::from_micros(u64::try_from(micros).unwrap());
            if received >= self.at(millis) {
                return;
            }
            self.health.sample(&sample(AUDIO, media, true, 256, received));
            self.sounds += 1;
        }
    }

    fn picture_time(&self) -> u64 {
        u64::try_from(self.pictures * 40).unwrap()
    }

    fn picture(&mut self) {
        let rate = FrameRate::new(25, 1).unwrap();
        let media = MediaTime::new(self.pictures * i64::from(rate.frame_ticks()), rate.timescale());
        let received = self.at(self.picture_time());
        self.health.sample(&sample(VIDEO, media, self.pictures % 50 == 0, 10_000, received));
        self.pictures += 1;
    }

    fn read(&self, millis: u64) -> Vitals {
        self.health.read(self.at(millis))
    }
}

fn timescale(ticks: u32) -> Timescale {
    Timescale::new(ticks).unwrap()
}

fn track(id: TrackId, timescale: Timescale, format: Format, frame_ticks: u32) -> Track {
    Track { id, timescale, format, frame_ticks: Some(frame_ticks), bitrate: None, language: None }
}

fn sample(track: TrackId, time: MediaTime, sync: bool, bytes: usize, received: Instant) -> Sample {
    Sample { track, dts: time, pts: time, sync, data: vec![0; bytes].into(), received }
}

#[test]
fn a_regular_feed_reads_as_it_is() {
    let mut feed = Feed::start(0);
    feed.until(20_000);
    insta::assert_snapshot!(serde_json::to_string_pretty(&feed.read(20_500)).unwrap(), @r#"
    {
      "bits_per_second": 2096051,
      "audio_video_drift_milliseconds": 0,
      "gaps": 0,
      "stretches": 1,
      "timestamp_jumps": 0,
      "discarded_samples": 0,
      "tracks": [
        {
          "track": 1,
          "kind": "video",
          "codec": "avc1.64001f",
          "width": 1280,
          "height": 720,
          "bits_per_second": 2000000,
          "frame_rate": 25.0,
          "samples_per_second": 25.0,
          "keyframe_interval_seconds": 2.0,
          "drift_milliseconds": 0,
          "samples": 500,
          "gaps": 0,
          "silent_milliseconds": 540
        },
        {
          "track": 2,
          "kind": "audio",
          "codec": "mp4a.40.2",
          "width": null,
          "height": null,
          "bits_per_second": 96051,
          "frame_rate": 46.875,
          "samples_per_second": 46.9,
          "keyframe_interval_seconds": null,
          "drift_milliseconds": 0,
          "samples": 938,
          "gaps": 0,
          "silent_milliseconds": 510
        }
      ],
      "link": {}
    }
    "#);
}

#[test]
fn rates_are_of_the_last_seconds_and_fall_when_nothing_comes() {
    let mut feed = Feed::start(0);
    assert_eq!(feed.read(500).tracks[0].bits_per_second, None);
    feed.until(20_000);
    assert_eq!(feed.read(20_000).tracks[0].bits_per_second, Some(2_000_000));
    assert_eq!(feed.read(25_000).tracks[0].bits_per_second, Some(1_000_000));
    let silent = feed.read(40_000).tracks[0].clone();
    assert_eq!((silent.bits_per_second, silent.silent_milliseconds), (Some(0), Some(20_040)));
}

#[test]
fn a_clock_that_runs_away_shows() {
    let mut feed = Feed::start(100);
    feed.until(3_600_000);
    // 100 ppm of an hour.
    let vitals = feed.read(3_600_000);
    assert_eq!(vitals.tracks[0].drift_milliseconds, Some(0));
    assert!(vitals.tracks[1].drift_milliseconds.unwrap().abs_diff(360) <= 1, "{vitals:?}");
    assert!(vitals.audio_video_drift_milliseconds.unwrap().abs_diff(360) <= 1);
}

#[test]
fn gaps_jumps_and_what_is_of_no_use_are_counted() {
    let mut feed = Feed::start(0);
    feed.until(1_000);
    // Two pictures are missing, then three.
    for missing in [2, 3] {
        feed.pictures += missing;
        feed.picture();
    }
    feed.health.discarded(7);
    feed.health.jumped();
    feed.pictures = 0;
    feed.picture();
    let vitals = feed.read(2_000);
    assert_eq!((vitals.gaps, vitals.tracks[0].gaps), (1, 1));
    assert_eq!((vitals.timestamp_jumps, vitals.stretches, vitals.discarded_samples), (1, 2, 7));
}

#[test]
fn the_roster_knows_who_is_there() {
    let (roster, now) = (Roster::default(), Instant::now());
    let who = |channel: &str| Publisher {
        channel: channel.parse().unwrap(),
        peer: SocketAddr::from(([127, 0, 0, 1], 5_000)),
        protocol: Protocol::Rtmp,
        encoder: Some("OBS".into()),
    };
    let feed = Feed::start(0);
    let first = roster.enter(who("main"), feed.health.clone(), now);
    let _second = roster.enter(who("cam2"), Health::default(), now);
    let channels = || roster.read(now).into_iter().map(|report| report.channel).collect::<Vec<_>>();
    assert_eq!(channels(), ["main", "cam2"]);
    drop(first);
    assert_eq!(channels(), ["cam2"]);
}

#[test]
fn metrics_are_read_when_they_are_asked_for() {
    let mut registry = Registry::default();
    let metrics = crate::Metrics::register(&mut registry);
    let mut feed = Feed::start(0);
    feed.health.link([("rtt_milliseconds", 12.5)]);
    feed.until(5_000);
    let who = Publisher {
        channel: "main".parse().unwrap(),
        peer: SocketAddr::from(([127, 0, 0, 1], 5_000)),
        protocol: Protocol::Rtmp,
        encoder: None,
    };
    let _seat = metrics.roster().enter(who, feed.health.clone(), Instant::now());
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("track_gaps") || line.contains("link")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    # HELP touchline_ingest_track_gaps How often a publisher left out three frames or more
    # TYPE touchline_ingest_track_gaps counter
    touchline_ingest_track_gaps_total{channel="main",kind="video",track="1"} 0.0
    touchline_ingest_track_gaps_total{channel="main",kind="audio",track="2"} 0.0
    # HELP touchline_ingest_link What the protocol knows of a connection
    # TYPE touchline_ingest_link gauge
    touchline_ingest_link{channel="main",figure="rtt_milliseconds"} 12.5
    "#);
}
