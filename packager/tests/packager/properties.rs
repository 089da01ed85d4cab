//! What holds for any source, however it misbehaves.

use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;
use touchline_media::{Sample, Track, TrackId};
use touchline_packager::{Event, Settings};

use crate::gaps::segments;
use crate::rungs::{Way, by_ways, starts};
use crate::source::{Frames, RATES, audio, ladder, light_audio, sample, stretch, variable_video, video, with};
use crate::viewer::{Viewer, parts};
use crate::{check, updates};

/// From when on all renditions are in step again: a hole ends at 32 s at the latest, three of them are followed by segments
/// that make up for at most two seconds each, half a second at a time.
const EVEN: Duration = Duration::from_secs(42);

/// How long a frame of sound lasts at most.
const FRAME_OF_SOUND: Duration = Duration::from_micros(23_220);

/// One frame after the one before.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Frames that the source drops before it.
    dropped: i64,
    /// How far it is from where the grid has it, in hundredths of a frame.
    jitter: i64,
    sync: bool,
    /// PTS less DTS, in frames.
    reorder: i64,
}

fn step() -> impl Strategy<Value = Step> {
    let dropped = prop_oneof![90 => Just(0_i64), 8 => 1_i64..4, 2 => 4_i64..30];
    let jitter = prop_oneof![3 => Just(0_i64), 1 => -45_i64..45];
    let sync = prop::bool::weighted(0.03);
    (dropped, jitter, sync, 0_i64..4).prop_map(|(dropped, jitter, sync, reorder)| Step {
        dropped,
        jitter,
        sync,
        reorder,
    })
}

/// Frames of a track from its beginning, the first of which is a sync sample.
fn frames(track: &Track, frame: i64, steps: &[Step], from: Duration, delay: Duration) -> Vec<Sample> {
    let mut number = 0;
    let mut last = -1;
    let samples = steps.iter().enumerate().map(|(index, step)| {
        number += step.dropped;
        // Decode times never repeat.
        let dts = (number * frame + step.jitter * frame / 100).max(last + 1);
        number += 1;
        last = dts;
        let mut sample = sample(track, dts, dts + step.reorder * frame, step.sync || index == 0, delay);
        sample.received += from;
        sample
    });
    samples.collect()
}

/// What a publisher sends from one interruption to the next.
#[derive(Debug, Clone)]
struct Take {
    video: Vec<Step>,
    audio: Vec<Step>,
    /// By how many milliseconds sound arrives after the pictures, less a second.
    skew: u64,
}

fn take() -> impl Strategy<Value = Take> {
    let video = prop::collection::vec(step(), 30..300);
    let audio = prop::collection::vec(step(), 80..400);
    (video, audio, 0_u64..2_000).prop_map(|(video, mut audio, skew)| {
        for step in &mut audio {
            step.reorder = 0;
        }
        Take { video, audio, skew }
    })
}

fn video_track() -> impl Strategy<Value = Track> {
    prop_oneof![
        3 => (0..RATES.len()).prop_map(|index| video(RATES[index].1)),
        1 => Just(variable_video()),
    ]
}

/// Seconds that a rendition is without media.
fn holes() -> impl Strategy<Value = Vec<Range<f64>>> {
    let hole = (0.5..24.0_f64, prop_oneof![0.01..1.0_f64, 1.0..8.0_f64]);
    prop::collection::vec(hole.prop_map(|(from, lasts)| from..from + lasts), 0..3)
}

fn way() -> impl Strategy<Value = Way> {
    (0_u64..500, holes(), any::<bool>()).prop_map(|(delay, holes, announced)| Way { delay, holes, announced })
}

/// Packages what a publisher sends in several takes. Gives what ought to be in the parts, too.
fn package(video: &Track, sample_rate: u32, takes: &[Take]) -> (Vec<Event>, Vec<Vec<Vec<Sample>>>) {
    let tracks = [video.clone(), audio(sample_rate)];
    let frame = video.frame_ticks.map_or(33, i64::from);
    let mut packager = with(Settings { window: Duration::from_secs(6), ..Settings::default() });
    let (mut events, mut given) = (Vec::new(), Vec::new());
    for (number, take) in takes.iter().enumerate() {
        let from = Duration::from_secs(30 * number as u64);
        let pictures = frames(video, frame, &take.video, from, Duration::from_secs(1));
        let mut sound = frames(&tracks[1], 1_024, &take.audio, from, Duration::from_millis(take.skew));
        let mut all: Vec<Sample> = pictures.iter().chain(&sound).cloned().collect();
        all.sort_by_key(|sample| sample.received);
        events.extend(stretch(&mut packager, &tracks, all));
        // What is mostly over by the first picture is left out.
        let first = pictures[0].pts.rescale(tracks[1].timescale).ticks();
        sound.retain(|sample| sample.pts.ticks() >= first - 512);
        given.push(vec![pictures, sound]);
    }
    events.extend(packager.end());
    (events, given)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Every sample is in one part, parts sum to segments, decode times go on, PTS are exact, parts and segments keep to
    /// their limits, and numbers step by one.
    #[test]
    fn whatever_comes_is_packaged_whole_and_within_limits(
        video in video_track(),
        sample_rate in prop::sample::select(vec![44_100, 48_000]),
        takes in prop::collection::vec(take(), 1..3),
    ) {
        let (events, given) = package(&video, sample_rate, &takes);
        check::consistent(&events);
        check::complete(&events, &given);
        check::alike(&events);
    }

    /// The bytes depend on the samples alone.
    #[test]
    fn the_same_samples_give_the_same_bytes(video in video_track(), takes in prop::collection::vec(take(), 1..3)) {
        let [first, second] = [(), ()].map(|()| package(&video, 48_000, &takes).0);
        let written = |events: &[Event]| -> Vec<_> {
            let parts = parts(events, 0).into_iter().chain(parts(events, 1));
            parts.map(|part| (part.msn, part.index, part.segment_start, part.data.clone())).collect()
        };
        prop_assert!(written(&first) == written(&second));
        let playlists = |events: &[Event]| {
            let viewer = Viewer::of(events);
            (viewer.playlist("video"), viewer.playlist("audio"), viewer.multivariant())
        };
        prop_assert_eq!(playlists(&first), playlists(&second));
    }

    /// Viewers see playlists that only grow at the end, shrink at the front, and keep what they have said.
    #[test]
    fn playlists_change_only_as_they_may(video in video_track(), takes in prop::collection::vec(take(), 1..4)) {
        let (events, _) = package(&video, 48_000, &takes);
        let mut viewer = Viewer::open(&events);
        for rendition in ["video", "audio"] {
            let id = viewer.presentation.find(rendition).unwrap();
            let mut before = viewer.playlist(rendition);
            for event in &events {
                let changed = viewer.windows[usize::from(id.0)].apply(event);
                let after = viewer.playlist(rendition);
                prop_assert_eq!(changed, before != after);
                updates::allowed(&before, &after);
                before = after;
            }
        }
    }

    /// Sources that keep time, whichever comes first and by how much: a Media Sequence Number means the same in both.
    #[test]
    fn renditions_number_their_segments_alike(gop in 5_u32..200, skew in 0_u64..2_000, seconds in 3.0..20.0) {
        let steps = |rate: f64, gop: u32| -> Vec<Step> {
            let count = (seconds * rate) as u32;
            let step = |n: u32| Step { dropped: 0, jitter: 0, sync: n.is_multiple_of(gop), reorder: 0 };
            (0..count).map(step).collect()
        };
        let take = Take { video: steps(30.0, gop), audio: steps(46.875, 1), skew };
        let (events, _) = package(&video(RATES[3].1), 48_000, &[take.clone(), take]);
        check::alike(&events);
        check::independent(&events);
    }

    /// Whatever comes late or not at all: segments of pictures begin with keyframes, and when all media is back for as
    /// long as it takes to even out the segments that were cut short, they begin at the same time in all renditions.
    #[test]
    fn renditions_that_stall_come_back_in_step(
        rate in 0..RATES.len(),
        half: bool,
        reorder: bool,
        ways in prop::collection::vec(way(), 4),
    ) {
        let mut sources = Vec::from(ladder(RATES[rate].1, half));
        sources.push(Frames::of(light_audio()));
        // Whole mini-groups alone: no picture is shown after the next keyframe.
        for source in sources.iter_mut().take(2).filter(|source| reorder && !half && source.gop % 4 == 0) {
            source.reorder = &[2, 4, 1, 0];
        }
        let events = by_ways(&sources, &ways, 50.0);
        in_step(&events, &[(1, Duration::from_millis(1)), (2, FRAME_OF_SOUND), (3, FRAME_OF_SOUND)])?;
    }

    /// The same of sounds alone, whose frames are not of one length.
    #[test]
    fn sounds_that_stall_come_back_in_step(ways in prop::collection::vec(way(), 3)) {
        let third = Frames::of(Track { id: TrackId(5), ..audio(44_100) });
        let events = by_ways(&[Frames::audio(44_100), Frames::of(light_audio()), third], &ways, 50.0);
        in_step(&events, &[(1, FRAME_OF_SOUND), (2, FRAME_OF_SOUND)])?;
    }
}

/// Late segments of these renditions begin at the same time as those of the first, within a tolerance for each.
fn in_step(events: &[Event], others: &[(usize, Duration)]) -> Result<(), TestCaseError> {
    let leader = starts(events, 0);
    let opening = *leader.values().next().unwrap();
    for &(index, tolerance) in others {
        let late: Vec<_> = starts(events, index).into_iter().filter(|(_, at)| *at > opening + EVEN).collect();
        prop_assert!(late.len() >= 3, "\n{}", segments(events));
        for (msn, start) in late {
            let apart = leader.get(&msn).map(|leader| leader.abs_diff(start));
            prop_assert!(apart.is_some_and(|apart| apart <= tolerance), "{msn}\n{}", segments(events));
        }
    }
    Ok(())
}
