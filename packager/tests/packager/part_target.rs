//! PART-TARGET at every frame rate and sampling frequency that encoders use.

use std::fmt::Write;
use std::time::Duration;

use touchline_packager::{Event, Settings};

use crate::check;
use crate::source::{Frames, RATES, audio, live, rate, stretch, with};
use crate::viewer::{Viewer, parts};

#[test]
fn parts_fill_85_to_100_percent_of_part_target_at_every_rate() {
    let mut table = String::from(
        "| frames/s | AAC Hz | nominal ms | PART-TARGET ms | video part | audio part | whole parts, % of PART-TARGET |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for nominal in [200, 333, 500] {
        for (name, rate) in *RATES {
            for sample_rate in [44_100, 48_000] {
                let settings = Settings { part: Duration::from_millis(nominal), ..Settings::default() };
                // About two seconds, and no multiple of a part.
                let gop = (2.0 * rate.as_f64()) as u32 + 1;
                let sources = [Frames::video(rate, gop), Frames::audio(sample_rate)];
                let events = live(&mut with(settings), &sources, 60.0);
                check::consistent(&events);
                writeln!(table, "| {name} | {sample_rate} | {nominal} | {} |", row(&events, &sources)).unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

fn row(events: &[Event], sources: &[Frames]) -> String {
    let target = Viewer::open(events).presentation.part_target;
    let mut columns = vec![target.as_millis().to_string()];
    let mut fills: Vec<f64> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let parts = parts(events, index);
        let whole: Vec<i64> =
            parts.windows(2).filter(|pair| pair[1].index > 0).map(|pair| pair[0].duration.ticks()).collect();
        let longest = whole.iter().max().unwrap();
        assert!(whole.len() > 60 && whole.iter().all(|ticks| ticks == longest), "whole parts are all alike");
        let frames = longest / i64::from(source.track.frame_ticks.unwrap());
        columns.push(format!("{frames} = {:.2} ms", parts[0].duration.as_secs_f64() * 1_000.0));
        fills.push(parts[0].duration.as_secs_f64() / target.as_secs_f64() * 100.0);
    }
    columns.push(format!("{:.1}, {:.1}", fills[0], fills[1]));
    columns.join(" | ")
}

#[test]
fn sound_alone_is_cut_into_whole_frames_next_to_the_nominal_part() {
    let row = |sample_rate| {
        let events = live(&mut with(Settings::default()), &[Frames::audio(sample_rate)], 20.0);
        check::consistent(&events);
        (Viewer::open(&events).presentation.part_target.as_millis(), parts(&events, 0)[0].duration.ticks() / 1_024)
    };
    assert_eq!([row(44_100), row(48_000)], [(209, 9), (192, 9)]);
}

/// A few frames a second leave no room for whole frames near the nominal part: the part is as long as a frame.
#[test]
fn slow_video_has_a_frame_per_part() {
    let events = live(&mut with(Settings::default()), &[Frames::video(rate(4, 1), 8), Frames::audio(48_000)], 20.0);
    check::consistent(&events);
    assert_eq!(Viewer::open(&events).presentation.part_target, Duration::from_millis(250));
}

/// A frame rate that changes in a later stretch finds PART-TARGET fixed.
#[test]
fn another_frame_rate_fills_the_parts_of_the_first() {
    for (_, first) in *RATES {
        for (_, second) in *RATES {
            let mut packager = with(Settings::default());
            let mut events = live(&mut packager, &[Frames::video(first, 60)], 5.0);
            let other = Frames::video(second, 47);
            let frames = other.between(Duration::ZERO, Duration::from_secs(10));
            events.extend(stretch(&mut packager, std::slice::from_ref(&other.track), frames));
            events.extend(packager.end());
            check::consistent(&events);
        }
    }
}

#[test]
fn parts_too_short_for_whole_audio_frames_are_told_of() {
    let settings = Settings { part: Duration::from_millis(33), ..Settings::default() };
    let mut packager = with(settings);
    let video = Frames::video(rate(30, 1), 60);
    let mut events = packager.start(&[video.track.clone(), audio(48_000)]).unwrap();
    events.extend(packager.push(video.frame(0, Duration::ZERO)));
    let notices: Vec<String> = crate::viewer::notices(&events).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notices.join("\n"), @"whole audio frames make parts of 21 ms, less than 85 % of the part target of 34 ms: some players will complain. Keep to one frame rate, or set longer parts");
}
