use super::*;

#[tokio::test]
async fn packets_of_opus_are_spaced_as_they_last() {
    let mut bench = Bench::new();
    bench.intake.expect(false, true);
    let opus = Format::Opus(touchline_media::opus::Config::new(2).unwrap());
    bench.intake.configure(AUDIO, Clock::RTMP, opus, None);
    // 20 ms each, by their first byte, and sent a millisecond late or early; then one of 10 ms.
    for (dts, toc) in [(7, 0xfc), (26, 0xfc), (47, 0xfc), (67, 0xf4), (77, 0xfc), (97, 0xf4)] {
        let data = Bytes::from(vec![toc]);
        bench.intake.push(Unit { track: AUDIO, dts, offset: 0, sync: true, data, received: bench.epoch });
    }
    let said: Vec<String> = bench.intake.notices().map(|notice| notice.to_string()).collect();
    assert_eq!(
        said,
        [
            "receives Opus 2 channels",
            "packets of track 2 do not last alike any more: the timeline begins anew",
            "receives Opus 2 channels",
        ]
    );
    assert_eq!(bench.end().await, "A48000/960 a0 a20 a40 A48000/0 a0 a10 a30");
}

#[tokio::test]
async fn opus_that_comes_back_after_a_long_pause_is_no_jump() {
    let mut bench = Bench::new();
    bench.intake.expect(true, true);
    bench.video(Some(25.0));
    let opus = Format::Opus(touchline_media::opus::Config::new(2).unwrap());
    bench.intake.configure(AUDIO, Clock::RTMP, opus, None);
    for time in (0..20_000_i64).step_by(20) {
        if time % 40 == 0 {
            bench.units(VIDEO, time.unsigned_abs(), [time]);
        }
        if !(1_000..15_000).contains(&time) {
            bench.units(AUDIO, time.unsigned_abs(), [time]);
        }
    }
    assert_eq!((bench.intake.dropped(), bench.intake.health().read(bench.epoch).timestamp_jumps), (0, 0));
    let seen = bench.end().await;
    let sound: Vec<i64> = seen.split(' ').filter_map(|word| word.strip_prefix('a')?.parse().ok()).collect();
    assert_eq!(sound, (0..20_000).step_by(20).collect::<Vec<i64>>());
}
