mod drift;
mod opus;

use std::time::Duration;

use super::*;

const VIDEO: TrackId = TrackId(1);
const AUDIO: TrackId = TrackId(2);

/// A publisher whose units arrive as they are presented.
struct Bench {
    intake: Intake,
    reader: feed::Reader,
    epoch: Instant,
}

impl Bench {
    fn new() -> Self {
        let (writer, reader) = feed::channel();
        Self { intake: Intake::new(writer), reader, epoch: Instant::now() }
    }

    fn video(&mut self, rate: Option<f64>) {
        let config = touchline_media::avc::Config::parse(RECORD).unwrap();
        self.intake.configure(VIDEO, Clock::RTMP, Format::Avc(config), rate.and_then(FrameRate::from_f64));
    }

    fn audio(&mut self) {
        let config = touchline_media::aac::Config::parse(Bytes::from_static(&[0x11, 0x90])).unwrap();
        self.intake.configure(AUDIO, Clock::RTMP, Format::Aac(config), None);
    }

    /// Units of a track at the given timestamps, arriving `at` milliseconds after the start and as fast as they can.
    fn units(&mut self, track: TrackId, at: u64, times: impl IntoIterator<Item = i64>) {
        for dts in times {
            let received = self.epoch + Duration::from_millis(at);
            let data = Bytes::from_static(b"x");
            self.intake.push(Unit { track, dts, offset: 0, sync: true, data, received });
        }
    }

    /// `V30000/1000` and `A48000/1024` at a start, then each sample's track and milliseconds.
    async fn end(mut self) -> String {
        let mut seen = Vec::new();
        drop(self.intake.finish());
        while let Some(event) = self.reader.next().await {
            match event {
                feed::Event::Start { tracks, .. } => seen.extend(tracks.iter().map(|track| {
                    let kind = if track.id == VIDEO { 'V' } else { 'A' };
                    format!("{kind}{}/{}", track.timescale.get(), track.frame_ticks.unwrap_or(0))
                })),
                feed::Event::Sample(sample) => {
                    let kind = if sample.track == VIDEO { 'v' } else { 'a' };
                    seen.push(format!("{kind}{}", sample.dts.rescale(Timescale::MILLIS).ticks()));
                }
            }
        }
        seen.join(" ")
    }
}

/// x264 at 320x180 that declares 30 frames/s in its VUI.
pub(super) const RECORD: &[u8] = &[
    0x01, 0x64, 0x00, 0x0d, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x0d, 0xac, 0xd9, 0x41, 0x41, 0x9f, 0x9f, 0x01,
    0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x42, 0x99, 0x60, 0x01, 0x00, 0x04, 0x68,
    0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8, 0x00,
];

fn frames(rate: f64, from: i64, count: i64) -> impl Iterator<Item = i64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small numbers")]
    (0..count).map(move |n| from + (n as f64 * 1_000.0 / rate).round() as i64)
}

#[tokio::test]
async fn a_stretch_starts_when_both_tracks_and_the_frame_rate_are_known() {
    let mut bench = Bench::new();
    bench.video(Some(30.0));
    bench.audio();
    bench.units(VIDEO, 0, frames(30.0, 0, 2));
    bench.units(AUDIO, 0, [0, 21]);
    bench.units(VIDEO, 0, [67, 100, 133, 167]);
    assert_eq!(bench.end().await, "V30000/1000 A48000/1024 v0 v33 a0 a21 v67 v100 v133 v167");
}

#[tokio::test]
async fn a_stretch_starts_when_every_track_that_has_a_configuration_is_there() {
    const SECOND: TrackId = TrackId(3);
    let mut bench = Bench::new();
    bench.intake.expect(true, true);
    bench.video(Some(30.0));
    let config = touchline_media::avc::Config::parse(RECORD).unwrap();
    bench.intake.configure(SECOND, Clock::RTMP, Format::Avc(config), None);
    bench.audio();
    for (frame, dts) in (0_u64..).zip(frames(30.0, 0, 9)) {
        bench.units(VIDEO, 33 * frame, [dts]);
        bench.units(AUDIO, 33 * frame, [21 * i64::try_from(frame).unwrap()]);
    }
    assert!(bench.reader.try_next().is_none());
    bench.units(SECOND, 300, frames(30.0, 0, 9));
    assert!(matches!(bench.reader.try_next(), Some(feed::Event::Start { tracks, .. }) if tracks.len() == 3));
}

#[tokio::test]
async fn a_configuration_that_changes_while_units_wait_is_for_those_that_follow() {
    let mut bench = Bench::new();
    bench.intake.expect(true, true);
    bench.video(Some(25.0));
    bench.units(VIDEO, 0, [0, 40]);
    let mut record = RECORD.to_vec();
    (record[3], record[11]) = (0x1e, 0x1e);
    let config = touchline_media::avc::Config::parse(&record).unwrap();
    bench.intake.configure(VIDEO, Clock::RTMP, Format::Avc(config), FrameRate::from_f64(25.0));
    bench.units(VIDEO, 80, [80, 120, 160, 200, 240]);
    let notices: Vec<String> = bench.intake.notices().map(|notice| notice.to_string()).collect();
    assert_eq!(notices.first().unwrap(), "receives H.264 High 1.3 320x180 at 25.000 frames/s");
    assert_eq!(bench.end().await, "V25000/1000 v0 v40 V25000/1000 v0 v40 v80 v120 v160");
}

#[tokio::test]
async fn the_declared_rate_is_believed_only_if_the_timestamps_bear_it_out() {
    for (declared, real, expected) in [
        (Some(29.97), 29.97, "V30000/1001"),
        (Some(30.0), 29.97, "V30000/1000"),
        (Some(60.0), 30.0, "V30000/1000"),
        (None, 25.0, "V25000/1000"),
        (None, 60.0, "V60000/1000"),
        (Some(1_000.0), 50.0, "V50000/1000"),
    ] {
        let mut bench = Bench::new();
        bench.intake.expect(true, false);
        bench.video(declared);
        bench.units(VIDEO, 0, frames(real, 0, 40));
        let seen = bench.end().await;
        assert!(seen.starts_with(expected), "{declared:?} at {real}: {seen}");
    }
}

#[tokio::test]
async fn times_that_were_milliseconds_before_are_so_by_a_finer_clock_too() {
    // By way of SRT, from an encoder that sends RTMP: a frame of 60 frames/s is 16 or 17 ms.
    for (real, expected) in
        [(60.0, "V60000/1000"), (30.0, "V30000/1000"), (59.94, "V60000/1001"), (50.0, "V50000/1000")]
    {
        let mut bench = Bench::new();
        bench.intake.expect(true, false);
        let config = touchline_media::avc::Config::parse(RECORD).unwrap();
        let declared = FrameRate::from_f64(real).filter(|rate| !rate.is_whole());
        bench.intake.configure(VIDEO, Clock::MPEG, Format::Avc(config), declared);
        bench.units(VIDEO, 0, frames(real, 1_400, 40).map(|millis| millis * 90));
        let seen = bench.end().await;
        assert!(seen.starts_with(expected), "{real}: {seen}");
    }
}

#[tokio::test]
async fn a_source_without_a_regular_rate_gets_no_grid() {
    let mut bench = Bench::new();
    bench.intake.expect(true, false);
    bench.video(None);
    bench.units(VIDEO, 0, (0..40).map(|n| n * n));
    let seen = bench.end().await;
    assert!(seen.starts_with("V90000/0 v0 v1 v4 v9 v16 "), "{seen}");
}

#[tokio::test]
async fn an_announced_track_is_waited_for_and_an_unannounced_one_not_for_long() {
    for (announced, waited) in [(true, 2_000), (false, 500)] {
        let mut bench = Bench::new();
        if announced {
            bench.intake.expect(true, true);
        }
        bench.video(Some(25.0));
        bench.units(VIDEO, 0, (0..).map(|n| n * 40).take_while(|&t| t < waited));
        assert!(matches!(bench.intake.phase, Phase::Probing(_)), "announced {announced}");
        bench.units(VIDEO, 0, [waited]);
        assert!(matches!(bench.intake.phase, Phase::Live(_)), "announced {announced}");
    }
}

#[tokio::test]
async fn a_jump_of_the_clock_begins_a_stretch_and_the_other_track_follows_it() {
    let mut bench = Bench::new();
    bench.video(Some(25.0));
    bench.audio();
    bench.units(AUDIO, 0, [0]);
    bench.units(VIDEO, 0, [0, 40, 80, 120, 160]);
    bench.units(VIDEO, 200, [900_000]);
    bench.units(AUDIO, 200, [192, 213, 900_021, 900_043]);
    bench.units(VIDEO, 240, [900_040]);
    assert_eq!(
        bench.end().await,
        "V25000/1000 A48000/1024 a0 v0 v40 v80 v120 v160 \
         V25000/1000 A48000/1024 v0 a21 a42 v40"
    );
}

#[tokio::test]
async fn a_real_gap_is_no_jump() {
    let mut bench = Bench::new();
    bench.intake.expect(true, false);
    bench.video(Some(25.0));
    bench.units(VIDEO, 0, [0, 40, 80, 120, 160]);
    bench.units(VIDEO, 7_160, [7_200]);
    assert_eq!(bench.end().await, "V25000/1000 v0 v40 v80 v120 v160 v7200");
}

#[tokio::test]
async fn a_clock_that_wraps_while_the_tracks_are_awaited_goes_on() {
    let top = 1_i64 << 31;
    let mut bench = Bench::new();
    bench.video(Some(25.0));
    bench.audio();
    bench.units(VIDEO, 0, [top - 60, top - 20]);
    bench.units(AUDIO, 0, [2]);
    bench.units(VIDEO, 0, [20, 60, 100]);
    assert_eq!(bench.end().await, "V25000/1000 A48000/1024 v0 v40 a62 v80 v120 v160");
}

#[tokio::test]
async fn a_changed_configuration_begins_a_stretch_and_the_same_again_does_not() {
    let mut bench = Bench::new();
    bench.intake.expect(true, false);
    bench.video(Some(25.0));
    bench.units(VIDEO, 0, [0, 40, 80, 120, 160]);
    bench.video(Some(25.0));
    bench.units(VIDEO, 0, [200]);
    bench.video(Some(50.0));
    bench.units(VIDEO, 0, [240, 260, 280, 300, 320]);
    assert_eq!(bench.end().await, "V25000/1000 v0 v40 v80 v120 v160 v200 V50000/1000 v0 v20 v40 v60 v80");
}

#[tokio::test]
async fn decode_times_that_a_muxer_clamps_at_zero_are_spread_out_again() {
    // GStreamer's flvmux, x264 with two B-frames.
    let mut bench = Bench::new();
    bench.intake.expect(true, false);
    bench.video(Some(25.0));
    bench.units(VIDEO, 0, [0, 0, 0, 40, 80, 120, 160, 200]);
    assert_eq!(bench.end().await, "V25000/1000 v0 v40 v80 v120 v160 v200 v240 v280");
}

#[tokio::test]
async fn a_track_that_comes_late_begins_a_stretch_of_both() {
    let mut bench = Bench::new();
    bench.intake.expect(true, false);
    bench.video(Some(25.0));
    bench.units(VIDEO, 0, [0, 40, 80, 120, 160]);
    bench.audio();
    bench.units(AUDIO, 0, [213]);
    bench.units(VIDEO, 0, [200, 240, 280, 320, 360]);
    assert_eq!(bench.end().await, "V25000/1000 v0 v40 v80 v120 v160 V25000/1000 A48000/1024 a0 v-13 v27 v67 v107 v147");
}

/// What `list` is given.
fn listed(languages: &[(TrackId, &str)]) -> BTreeMap<TrackId, Option<Language>> {
    languages.iter().map(|(track, language)| (*track, language.parse().ok())).collect()
}

#[tokio::test]
async fn all_listed_tracks_are_waited_for_and_have_their_languages() {
    const OTHER: TrackId = TrackId(3);
    let mut bench = Bench::new();
    bench.intake.list(listed(&[(VIDEO, "und"), (AUDIO, "eng"), (OTHER, "deu")]));
    bench.video(Some(25.0));
    bench.audio();
    let config = touchline_media::aac::Config::parse(Bytes::from_static(&[0x11, 0x90])).unwrap();
    bench.intake.configure(OTHER, Clock::RTMP, Format::Aac(config), None);
    bench.units(VIDEO, 0, (0..8).map(|n| n * 40));
    bench.units(AUDIO, 0, [0, 21]);
    assert!(matches!(bench.intake.phase, Phase::Probing(_)));
    bench.units(OTHER, 0, [0]);
    let notices: Vec<String> = bench.intake.notices().map(|notice| notice.to_string()).collect();
    assert_eq!(
        notices,
        ["receives H.264 High 1.3 320x180 at 25.000 frames/s and AAC (mp4a.40.2) 48000 Hz 2 channels (eng) and \
          AAC (mp4a.40.2) 48000 Hz 2 channels (deu)"]
    );
}

#[tokio::test]
async fn a_track_that_is_listed_no_more_ends_and_one_in_another_language_is_another() {
    let mut bench = Bench::new();
    bench.intake.list(listed(&[(VIDEO, ""), (AUDIO, "")]));
    bench.video(Some(25.0));
    bench.audio();
    bench.units(AUDIO, 0, [0]);
    bench.units(VIDEO, 0, [0, 40, 80, 120, 160]);
    bench.intake.list(listed(&[(VIDEO, ""), (AUDIO, "")]));
    bench.units(VIDEO, 0, [200]);
    bench.intake.list(listed(&[(VIDEO, "")]));
    bench.units(VIDEO, 0, [240, 280, 320, 360, 400]);
    bench.intake.list(listed(&[(VIDEO, "eng")]));
    bench.units(VIDEO, 0, [440]);
    let notices: Vec<String> = bench.intake.notices().skip(1).map(|notice| notice.to_string()).collect();
    assert_eq!(
        notices,
        [
            "track 2 has ended: the timeline begins anew",
            "receives H.264 High 1.3 320x180 at 25.000 frames/s",
            "track 1 changed its decoder configuration: the timeline begins anew"
        ]
    );
    assert_eq!(
        bench.end().await,
        "V25000/1000 A48000/1024 a0 v0 v40 v80 v120 v160 v200 V25000/1000 v0 v40 v80 v120 v160 V90000/0 v0"
    );
}

#[tokio::test]
async fn a_track_on_a_clock_of_its_own_is_aligned_by_arrival() {
    let mut bench = Bench::new();
    bench.video(Some(25.0));
    bench.audio();
    bench.units(AUDIO, 0, (0..2).map(|n| 5_000_000 + n * 21));
    bench.units(VIDEO, 0, (0..100).map(|n| n * 40));
    assert_eq!(bench.intake.dropped(), u64::from(MAX_STRAYS) - 1);
    let seen = bench.end().await;
    assert!(seen.starts_with("V25000/1000 A48000/1024 a0 a21 v21 v61 "), "{seen}");
}

#[tokio::test]
async fn units_without_a_configuration_are_dropped_and_told_of_once() {
    let mut bench = Bench::new();
    bench.units(AUDIO, 0, 0..1_000);
    let notices: Vec<String> = bench.intake.notices().map(|notice| notice.to_string()).collect();
    assert_eq!(notices, ["a unit of track 2 was dropped because the track has no decoder configuration"]);
    assert_eq!(bench.intake.dropped(), 1_000);
}

#[tokio::test]
async fn an_operator_reads_what_a_publisher_sends() {
    let mut bench = Bench::new();
    bench.video(Some(30.0));
    bench.audio();
    for n in 0..70 {
        bench.units(VIDEO, 0, [n * 100 / 3]);
        bench.units(AUDIO, 0, [n * 100 / 3]);
    }
    let notices: Vec<String> = bench.intake.notices().map(|notice| notice.to_string()).collect();
    assert_eq!(
        notices,
        [
            "receives H.264 High 1.3 320x180 at 30.000 frames/s and AAC (mp4a.40.2) 48000 Hz 2 channels",
            "video 0 kb/s, audio 0 kb/s, a keyframe every 0.033 s"
        ]
    );
}

/// x265 at 160x90, which declares 25 frames/s on average.
const HEVC: &[u8] = b"\x01\x01\x60\0\0\0\x90\0\0\0\0\0\x1e\xf0\0\xfc\xfd\xf8\xf8\x19\0\x0f\x03\
    \xa0\0\x01\0\x18\x40\x01\x0c\x01\xff\xff\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\x95\x90\x09\
    \xa1\0\x01\0\x2a\x42\x01\x01\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\xa0\x14\x20\x61\xf2\x65\x95\x91\x29\x30\
    \xbc\x05\xa0\x20\0\0\x03\0\x20\0\0\x03\x03\xc1\
    \xa2\0\x01\0\x06\x44\x01\xc0\x73\xc1\x89";
/// libaom at 160x90, with a declared rate of 25 frames/s put in.
const AV1: &[u8] = b"\x81\0\x0c\0\x0a\x13\x04\0\0\0\x04\0\0\0\x67\0\0\0\x76\x9f\xb2\x6d\x7c\x80\x20";

#[tokio::test]
async fn hevc_and_av1_are_described_and_the_rates_that_they_declare_are_believed() {
    let hevc = Format::Hevc(touchline_media::hevc::Config::parse(HEVC).unwrap());
    let av1 = Format::Av1(touchline_media::av1::Config::parse(AV1).unwrap());
    for (format, expected) in [
        (hevc, "receives HEVC Main 1.0 160x90 at 25.000 frames/s"),
        (av1, "receives AV1 Main 2.0 160x90 at 25.000 frames/s"),
    ] {
        let mut bench = Bench::new();
        bench.intake.expect(true, false);
        bench.intake.configure(VIDEO, Clock::RTMP, format, None);
        // Too few to measure a rate, enough to confirm one.
        bench.units(VIDEO, 0, [0, 40, 80, 120, 160]);
        let notices: Vec<String> = bench.intake.notices().map(|notice| notice.to_string()).collect();
        assert_eq!(notices, [expected]);
    }
}

#[tokio::test]
async fn the_keyframe_interval_is_that_of_the_pictures_as_they_are_shown() {
    let mut bench = Bench::new();
    bench.video(Some(25.0));
    // A keyframe is sent two frames early, ahead of pictures that are shown before it.
    for n in 0..60 {
        let (sync, offset) = if n == 0 { (true, 80) } else { (n % 25 == 23, if n % 25 == 23 { 160 } else { 40 }) };
        let (received, data) = (bench.epoch, Bytes::from_static(b"x"));
        bench.intake.push(Unit { track: VIDEO, dts: n * 40, offset, sync, data, received });
    }
    let notices: Vec<String> = bench.intake.notices().map(|notice| notice.to_string()).collect();
    assert!(notices.contains(&"video 0 kb/s, a keyframe every 1.000 s".to_owned()), "{notices:?}");
}
