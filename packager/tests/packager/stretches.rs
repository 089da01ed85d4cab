//! Where stretches begin and end, and what becomes of sources that misbehave.

use std::time::Duration;

use touchline_media::{Kind, MediaTime, Sample, Timescale, Track};
use touchline_packager::{Error, Event, Notice, Packager};

use crate::check;
use crate::source::{
    AVC_360, AVC_720, Frames, OPENING, ZERO, at, audio, interleave, live, packager, rate, sample, secs, small_video,
    sources, stretch, tracks, variable_video,
};
use crate::viewer::{Viewer, notices, parts, segment_ends};

#[test]
fn a_part_leaves_with_its_last_frame() {
    let mut packager = packager();
    let source = Frames::video(rate(30, 1), 60);
    packager.start(std::slice::from_ref(&source.track)).unwrap();
    let made: Vec<usize> = (0..12).map(|n| parts(&packager.push(source.frame(n, ZERO)), 0).len()).collect();
    assert_eq!(made, [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn without_a_frame_grid_a_part_waits_for_the_next_frame() {
    let mut packager = packager();
    packager.start(&[variable_video()]).unwrap();
    let frame = |n: i64| sample(&variable_video(), n * 33, n * 33, n == 0, ZERO);
    let made: Vec<usize> = (0..13).map(|n| parts(&packager.push(frame(n)), 0).len()).collect();
    assert_eq!(made, [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn pictures_and_sound_begin_together_at_the_first_keyframe() {
    let [pictures, sound] = sources();
    for reorder in [&[0][..], &[2, 4, 1, 0]] {
        for joined in 0..40 {
            // The publisher is joined somewhere in a group of pictures, and sound has a phase of its own.
            let pictures = Frames { reorder, ..pictures.clone() };
            let from = secs(1.3) + Duration::from_millis(joined);
            let mut sound = sound.between(from, secs(6.0));
            let phase = MediaTime::new(joined as i64 * 48, sound[0].pts.timescale());
            for sample in &mut sound {
                (sample.dts, sample.pts) = (sample.dts + phase, sample.pts + phase);
            }
            let given = interleave([pictures.between(from, secs(6.0)), sound]);
            let events = stretch(&mut packager(), &tracks(), given);
            check::consistent(&events);
            let video = &check::samples(parts(&events, 0)[0], Kind::Video)[0];
            let audio = &check::samples(parts(&events, 1)[0], Kind::Audio)[0];
            assert!(video.sync);
            let apart = audio.pts as f64 / 48_000.0 - video.pts as f64 / 30_000.0;
            assert!(apart.abs() <= 512.5 / 48_000.0, "half a frame of sound at most: {apart}");
        }
    }
}

#[test]
fn nothing_opens_before_a_keyframe_and_the_first_sample_fixes_the_clock() {
    let mut packager = packager();
    let [pictures, sound] = sources();
    let mut events = packager.start(&tracks()).unwrap();
    for sample in interleave([pictures.between(secs(0.1), secs(1.9)), sound.between(ZERO, secs(1.9))]) {
        events.extend(packager.push(sample));
    }
    assert!(events.is_empty());
    events.extend(packager.push(pictures.frame(60, ZERO)));
    let presentation = Viewer::open(&events).presentation;
    let unix = OPENING + secs(2.0);
    assert_eq!(u128::from(presentation.epoch.0), unix.as_millis());
    assert_eq!(u128::from(presentation.first_msn), unix.as_millis() / 500);
}

#[test]
fn sound_that_waits_for_a_keyframe_is_bounded_and_told_of() {
    let mut packager = packager();
    let [pictures, sound] = sources();
    packager.start(&tracks()).unwrap();
    let mut events: Vec<Event> = sound.between(ZERO, secs(20.0)).into_iter().flat_map(|s| packager.push(s)).collect();
    let said: Vec<String> = notices(&events).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(said.join("\n"), @"513 samples have come without a keyframe of the video track that was announced: nothing is shown until one comes. Check that the encoder sends video");
    // All that is left of it comes out when a keyframe from before it comes.
    events.extend(packager.push(pictures.frame(0, ZERO)));
    events.extend(packager.end());
    let held: usize = parts(&events, 1).iter().map(|part| check::samples(part, Kind::Audio).len()).sum();
    assert_eq!(held, 512);
}

#[test]
fn sound_that_waits_for_a_keyframe_is_bounded_in_bytes() {
    let mut packager = packager();
    let [pictures, sound] = sources();
    packager.start(&tracks()).unwrap();
    for mut sample in sound.between(ZERO, secs(8.0)) {
        sample.data = vec![0; 100_000].into();
        packager.push(sample);
    }
    let mut events = packager.push(pictures.frame(0, ZERO));
    events.extend(packager.end());
    let held: usize = parts(&events, 1).iter().map(|part| check::samples(part, Kind::Audio).len()).sum();
    assert_eq!(held, 4 * 1_024 * 1_024 / 100_000);
}

#[test]
fn kinds_of_tracks_are_fixed_until_the_end() {
    let mut packager = packager();
    live(&mut packager, &sources(), 3.0);
    let error = packager.start(&[audio(48_000)]).unwrap_err();
    assert_eq!(error, Error::Incompatible { opened: vec![Kind::Video, Kind::Audio], now: vec![Kind::Audio] });
    let closing = packager.end();
    assert!(matches!(closing.last(), Some(Event::Ended)));
    assert!(closing.iter().any(|event| matches!(event, Event::SegmentEnd(_))));
    assert!(packager.start(&[audio(48_000)]).is_ok());
    assert_eq!(packager.start(&[]).unwrap_err(), Error::NoTracks);
}

#[test]
fn an_end_without_a_beginning_is_nothing() {
    let mut packager = packager();
    assert!(packager.end().is_empty());
    packager.start(&tracks()).unwrap();
    assert!(packager.end().is_empty());
}

#[test]
fn msns_mean_the_same_time_in_both_renditions() {
    for (skew, what) in [(-0.7, "sound is early"), (0.0, "together"), (0.9, "sound is late")] {
        let [pictures, sound] = sources();
        let mut late = sound.between(ZERO, secs(30.0));
        for sample in &mut late {
            sample.received += secs(1.0 + skew);
        }
        let mut early = pictures.between(ZERO, secs(30.0));
        for sample in &mut early {
            sample.received += secs(1.0);
        }
        let events = stretch(&mut packager(), &tracks(), interleave([early, late]));
        check::consistent(&events);
        let starts = |rendition| -> Vec<_> {
            let parts = parts(&events, rendition).into_iter();
            parts.filter_map(|part| Some((part.msn, part.segment_start?.program_date_time))).collect()
        };
        for ((msn, video), (same_msn, audio)) in starts(0).into_iter().zip(starts(1)) {
            assert_eq!(msn, same_msn);
            // The first of all begins with the frame nearest to the picture.
            let late = (audio + secs(512.0 / 48_000.0)).checked_sub(video).expect(what);
            // Sound that is ahead is cut where it is when the picture comes.
            let ahead = if skew < 0.0 { secs(-skew) + secs(0.04) } else { ZERO };
            assert!(late < ahead + secs(1_536.0 / 48_000.0), "{what}: {late:?}");
        }
    }
}

/// With B-frames the first frame of a segment that no keyframe begins is not the first that is shown.
#[test]
fn the_date_of_a_segment_without_a_keyframe_goes_on_from_the_one_before() {
    let source = Frames { reorder: &[2, 4, 1, 0], ..Frames::video(rate(30, 1), 300) };
    let events = live(&mut packager(), &[source], 9.0);
    let dates: Vec<Duration> =
        parts(&events, 0).iter().filter_map(|part| Some(part.segment_start?.program_date_time)).collect();
    assert_eq!(dates, [0.0, 2.4, 4.8, 7.2].map(|seconds| OPENING + secs(seconds)));
}

#[test]
fn from_the_second_init_section_on_keyframes_bring_their_parameter_sets_along() {
    let mut packager = packager();
    let pictures = Frames::video(rate(30, 1), 60);
    let small = Frames { track: small_video(rate(30, 1)), ..pictures.clone() };
    let keyframes = |packager: &mut Packager, source: &Frames| -> Vec<Vec<u8>> {
        let events = live(packager, std::slice::from_ref(source), 3.0);
        let samples = parts(&events, 0).into_iter().flat_map(|part| check::samples(part, Kind::Video));
        samples.filter(|sample| sample.sync).map(|sample| sample.data).collect()
    };
    let expected = |sets: &[&[u8]], source: &Frames| -> Vec<Vec<u8>> {
        let keyframes = [0, 60].map(|number| source.frame(number, ZERO).data);
        let behind_length = |set: &&[u8]| [&u32::try_from(set.len()).unwrap().to_be_bytes(), *set].concat();
        let sets: Vec<u8> = sets.iter().flat_map(behind_length).collect();
        keyframes.iter().map(|data| [&sets, &data[..]].concat()).collect()
    };
    assert_eq!(keyframes(&mut packager, &pictures), expected(&[], &pictures), "a player has the first");
    assert_eq!(keyframes(&mut packager, &small), expected(&[&AVC_360[8..34], &AVC_360[37..43]], &small));
    assert_eq!(keyframes(&mut packager, &pictures), expected(&[&AVC_720[8..34], &AVC_720[37..43]], &pictures));
}

#[test]
fn another_clock_of_the_same_coding_needs_a_new_init_section() {
    let mut packager = packager();
    let mut events = live(&mut packager, &[Frames::video(rate(30, 1), 60)], 3.0);
    events.extend(live(&mut packager, &[Frames::video(rate(30, 1), 60)], 3.0));
    events.extend(live(&mut packager, &[Frames::video(rate(25, 1), 50)], 3.0));
    let inits = parts(&events, 0).into_iter().filter_map(|part| part.segment_start).map(|start| start.init);
    assert_eq!(inits.collect::<Vec<_>>(), [0, 0, 0, 0, 1, 1]);
}

#[test]
fn without_a_frame_grid_the_last_frame_lasts_as_long_as_the_one_before() {
    let track = variable_video();
    let mut packager = packager();
    let mut events = stretch(
        &mut packager,
        std::slice::from_ref(&track),
        (0..4).map(|n| sample(&track, n * 40, n * 40, n == 0, ZERO)).collect(),
    );
    events.extend(packager.end());
    assert_eq!(parts(&events, 0)[0].duration.ticks(), 160);
}

/// A segment that an interruption has cut short is mostly its keyframe: no measure of what a player needs.
#[test]
fn a_gap_in_the_pictures_makes_no_part_too_long_and_is_caught_up() {
    let [pictures, sound] = sources();
    let mut frames = pictures.between(ZERO, secs(12.0));
    // Dropped: most of a second, and then every third frame for a second.
    frames.retain(|frame| !(2.3..3.2).contains(&frame.dts.as_secs_f64()));
    let mut number = 0;
    frames.retain(|frame| {
        number += 1;
        !(number % 3 == 0 && (7.0..8.0).contains(&frame.dts.as_secs_f64()))
    });
    let sound = sound.between(ZERO, secs(12.0));
    let mut packager = packager();
    let mut events = stretch(&mut packager, &tracks(), interleave([frames.clone(), sound.clone()]));
    events.extend(packager.end());
    check::consistent(&events);
    check::complete(&events, &[vec![frames, sound]]);
    assert!(notices(&events).is_empty(), "the keyframes come often enough");
    let last = check::samples(parts(&events, 0).last().unwrap(), Kind::Video).pop().unwrap();
    assert_eq!(last.dts, last.pts, "caught up");
    assert_eq!(segment_ends(&events, 0).len(), segment_ends(&events, 1).len());
}

#[test]
fn variable_frames_longer_than_a_part_are_no_part_too_long() {
    let track = variable_video();
    let mut dts = 0;
    let frames: Vec<Sample> = (0_i64..400)
        .map(|n| {
            dts += [33, 16, 50, 17, 400, 33, 33, 9][n as usize % 8];
            sample(&track, dts, dts, n % 40 == 0, ZERO)
        })
        .collect();
    let mut packager = packager();
    let mut events = stretch(&mut packager, &[track], frames.clone());
    events.extend(packager.end());
    check::consistent(&events);
    check::complete(&events, &[vec![frames]]);
    assert!(notices(&events).contains(&&Notice::VariableFrameRate));
}

/// A frame a second cannot fill the timeline with parts of a fifth: at a keyframe it is taken up anew where the wall
/// clock is.
#[test]
fn a_source_with_less_than_a_frame_per_part_stays_within_ten_seconds_of_the_clock() {
    let track = variable_video();
    let frames = (0..60).map(|n| sample(&track, n * 1_000, n * 1_000, n % 4 == 0, ZERO)).collect();
    let events = stretch(&mut packager(), &[track], frames);
    check::consistent(&events);
    let discontinuities: Vec<f64> = parts(&events, 0)
        .iter()
        .filter_map(|part| part.segment_start.filter(|start| start.discontinuity))
        .map(|start| start.program_date_time.checked_sub(OPENING).unwrap().as_secs_f64())
        .collect();
    assert_eq!(discontinuities, [16.0, 32.0, 48.0]);
}

#[test]
fn early_keyframes_do_not_make_short_segments() {
    // A keyframe every 0.4 s, as scene cuts make them.
    let events = live(&mut packager(), &[Frames::video(rate(30, 1), 12), Frames::audio(48_000)], 20.0);
    let lengths: Vec<f64> = segment_ends(&events, 0).iter().map(|end| end.duration.as_secs_f64()).collect();
    assert!(lengths.iter().all(|&seconds| (seconds - 2.0).abs() < 1e-9), "{lengths:?}");
    // Every part with a keyframe in it says so.
    check::consistent(&events);
}

#[test]
fn keyframes_that_do_not_divide_the_segment_cut_it_early_rather_than_late() {
    // Every 1.6 s: 3.2 s would be more than EXT-X-TARGETDURATION allows.
    let events = live(&mut packager(), &[Frames::video(rate(30, 1), 48), Frames::audio(48_000)], 20.0);
    check::consistent(&events);
    assert!(notices(&events).is_empty());
    let lengths: Vec<f64> = segment_ends(&events, 0).iter().map(|end| end.duration.as_secs_f64()).collect();
    assert!(lengths.iter().all(|&seconds| (seconds - 1.6).abs() < 1e-9), "{lengths:?}");
}

#[test]
fn a_stretch_goes_on_by_the_wall_clock_and_never_back() {
    for away in [secs(0.0), secs(3.0)] {
        let mut packager = packager();
        // The first stretch comes in a burst: five seconds of media at one instant.
        let [pictures, sound] = sources();
        let burst = |source: &Frames| -> Vec<Sample> {
            let mut samples = source.between(ZERO, secs(5.0));
            for sample in &mut samples {
                sample.received = at(ZERO);
            }
            samples
        };
        let mut events = stretch(&mut packager, &tracks(), interleave([burst(&pictures), burst(&sound)]));
        let ended = parts(&events, 0).iter().map(|part| part.duration.ticks()).sum::<i64>();
        let back = |source: &Frames| -> Vec<Sample> {
            let mut samples = source.between(ZERO, secs(3.0));
            for sample in &mut samples {
                sample.received += away + secs(5.0);
            }
            samples
        };
        events.extend(stretch(&mut packager, &tracks(), interleave([back(&pictures), back(&sound)])));
        check::consistent(&events);
        let first =
            parts(&events, 0).into_iter().find(|part| part.segment_start.is_some_and(|s| s.discontinuity)).unwrap();
        let start = MediaTime::new(check::samples(first, Kind::Video)[0].dts, first.duration.timescale());
        // There is room for a frame of sound before it, and the first stretch's last one ends after five seconds.
        // And the opening gap of 200 ms at the beginning.
        let late = start.to_duration().checked_sub(away + secs(5.2)).unwrap();
        let frame = 1_024.0 / 48_000.0;
        assert!(late < if away.is_zero() { secs(3.0 * frame) } else { secs(1.01 * frame) }, "{late:?}");
        assert!(ended <= start.ticks());
        assert_eq!(first.segment_start.unwrap().program_date_time, OPENING + secs(5.0) + away);
        assert_eq!(first.segment_start.unwrap().init, 0, "the same coding needs no new init section");
    }
}

#[test]
fn a_feed_that_falls_silent_is_closed_and_goes_on_at_the_next_keyframe() {
    let mut packager = packager();
    let mut events = live(&mut packager, &sources(), 3.1);
    let closed = packager.stall();
    let ends = closed.iter().filter(|event| matches!(event, Event::SegmentEnd(_))).count();
    assert_eq!(ends, 2, "both renditions are closed");
    assert!(packager.stall().is_empty(), "there is nothing more to close");
    events.extend(closed);
    let [pictures, sound] = sources();
    let back = interleave([pictures.between(secs(7.4), secs(12.0)), sound.between(secs(7.4), secs(12.0))]);
    events.extend(back.into_iter().flat_map(|sample| packager.push(sample)));
    events.extend(packager.end());
    check::consistent(&events);
    check::alike(&events);
    let starts = parts(&events, 0).into_iter().filter_map(|part| part.segment_start);
    let discontinuities: Vec<_> = starts.filter(|start| start.discontinuity).collect();
    assert_eq!(discontinuities.len(), 1);
    assert_eq!(discontinuities[0].program_date_time, OPENING + secs(8.0));
}

#[test]
fn a_jump_of_the_source_writes_no_gap_without_end() {
    let mut packager = packager();
    let mut events = live(&mut packager, &sources(), 3.1);
    let [pictures, sound] = sources();
    let jumped =
        interleave([pictures.between(secs(1_000.0), secs(1_003.0)), sound.between(secs(1_000.0), secs(1_003.0))]);
    for sample in jumped.into_iter().rev().take(1).chain(interleave([
        pictures.between(secs(1_003.9), secs(1_006.0)),
        sound.between(secs(1_003.9), secs(1_006.0)),
    ])) {
        let made = packager.push(sample);
        assert!(made.len() < 20, "{} events", made.len());
        events.extend(made);
    }
    events.extend(packager.end());
    check::consistent(&events);
    check::alike(&events);
}

/// ffmpeg reads the first init section alone, and takes all times for that one's.
#[test]
fn a_rendition_keeps_its_clock_where_that_tells_the_frames_apart() {
    let rates =
        [("30", rate(30, 1)), ("25", rate(25, 1)), ("29.97", rate(30_000, 1_001)), ("59.94", rate(60_000, 1_001))];
    let clocks = rates.map(|(name, rate)| {
        let mut packager = packager();
        live(&mut packager, &[Frames::video(self::rate(30, 1), 60)], 1.0);
        let events = live(&mut packager, &[Frames { track: small_video(rate), ..Frames::video(rate, 60) }], 1.0);
        let durations = parts(&events, 0).into_iter().map(|part| part.duration.timescale().get());
        (name, durations.max().unwrap())
    });
    assert_eq!(clocks, [("30", 30_000), ("25", 30_000), ("29.97", 30_000), ("59.94", 60_000)]);
    let mut packager = packager();
    live(&mut packager, &[Frames::video(rate(30, 1), 60)], 1.0);
    let track = Track { timescale: Timescale::NINETY_KHZ, frame_ticks: None, ..small_video(rate(30, 1)) };
    let frames = (0..9).map(|n| sample(&track, n * 4_000, n * 4_000, n == 0, ZERO)).collect();
    let events = stretch(&mut packager, std::slice::from_ref(&track), frames);
    let durations: Vec<_> =
        parts(&events, 0).iter().map(|part| (part.duration.ticks(), part.duration.timescale().get())).collect();
    assert_eq!(durations, [(5_333, 30_000), (5_334, 30_000)], "four frames of 1,333 ticks and a third each");
}
