//! Several video tracks: renditions of one channel that begin their segments at the same pictures.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use touchline_media::{Sample, Track, TrackId};
use touchline_packager::{Error, Event};

use crate::check;
use crate::gaps::segments;
use crate::source::{Frames, RATES, ZERO, at, ladder, live, packager, rate, secs};
use crate::viewer::{Viewer, all_parts, notices};

/// What becomes of a source on its way.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// In milliseconds.
    pub(crate) delay: u64,
    /// What is lost, in seconds.
    pub(crate) holes: Vec<Range<f64>>,
    /// Whether the packager is told so, after the last sample before each hole.
    pub(crate) announced: bool,
}

impl Way {
    /// What comes by it of the first seconds of a source: samples, and `None` where the source leaves. With when each comes.
    fn steps(&self, source: &Frames, seconds: f64) -> Vec<(Instant, TrackId, Option<Sample>)> {
        let lost = |sample: &Sample| self.holes.iter().any(|hole| hole.contains(&sample.dts.as_secs_f64()));
        let (mut steps, mut leaves, mut now) = (Vec::new(), self.announced, at(ZERO));
        for mut sample in source.between(ZERO, secs(seconds)) {
            if !lost(&sample) {
                sample.received += Duration::from_millis(self.delay);
                (now, leaves) = (sample.received, self.announced);
                steps.push((now, sample.track, Some(sample)));
            } else if std::mem::take(&mut leaves) {
                steps.push((now, sample.track, None));
            }
        }
        steps
    }
}

/// Packages sources that each come their own way.
pub(crate) fn by_ways(sources: &[Frames], ways: &[Way], seconds: f64) -> Vec<Event> {
    let steps = sources.iter().zip(ways).flat_map(|(source, way)| way.steps(source, seconds));
    let mut steps: Vec<_> = steps.collect();
    steps.sort_by_key(|(at, ..)| *at);
    let tracks: Vec<Track> = sources.iter().map(|source| source.track.clone()).collect();
    let mut packager = packager();
    let mut events = packager.start(&tracks).unwrap();
    for (_, track, sample) in steps {
        events.extend(match sample {
            Some(sample) => packager.push(sample),
            None => packager.leave(track),
        });
    }
    events.extend(packager.end());
    check::consistent(&events);
    check::alike(&events);
    // Pictures make up in decode time for a pause that is no gap, and that may fill a segment before a keyframe comes.
    let pauses = || ways.iter().flat_map(|way| &way.holes).map(|hole| hole.end - hole.start);
    if pauses().all(|pause| pause > LONGEST_PAUSE) {
        check::independent(&events);
    }
    events
}

/// A rendition may be silent for two seconds and a part before that is a gap.
const LONGEST_PAUSE: f64 = 2.5;

pub(crate) fn way(holes: &[Range<f64>]) -> Way {
    Way { delay: 0, holes: holes.to_vec(), announced: false }
}

/// When each segment of a rendition with media begins, as Unix time.
pub(crate) fn starts(events: &[Event], rendition: usize) -> BTreeMap<u64, Duration> {
    let media = all_parts(events, rendition).into_iter().filter(|part| !part.gap);
    media.filter_map(|part| Some((part.msn, part.segment_start?.program_date_time))).collect()
}

#[test]
fn several_sizes_are_named_by_their_height() {
    let [large, small, sound] = ladder(rate(30, 1), false);
    let again = Frames { track: Track { id: TrackId(9), ..small.track.clone() }, ..small.clone() };
    let events = live(&mut packager(), &[sound, large, small, again], 1.0);
    let presentation = Viewer::open(&events).presentation;
    let names: Vec<&str> = presentation.renditions.iter().map(|rendition| rendition.name.as_str()).collect();
    assert_eq!(names, ["720p", "360p", "360p-2", "audio"]);
}

#[test]
fn another_number_of_video_tracks_needs_another_presentation() {
    let mut packager = packager();
    let sources = ladder(rate(30, 1), false);
    live(&mut packager, &sources, 1.0);
    let tracks = sources.map(|source| source.track);
    assert!(packager.start(&tracks).is_ok());
    assert!(matches!(packager.start(&[tracks[0].clone(), tracks[2].clone()]), Err(Error::Incompatible { .. })));
}

#[test]
fn rungs_are_cut_at_the_same_pictures_whichever_arrives_first() {
    for (_, rate) in *RATES {
        for half in [false, true] {
            for delays in [[0, 0, 0], [0, 400, 0], [400, 0, 0], [400, 0, 800], [0, 0, 700]] {
                let ways = delays.map(|delay| Way { delay, holes: Vec::new(), announced: false });
                let events = by_ways(&ladder(rate, half), &ways, 11.0);
                assert!(notices(&events).is_empty(), "{}", segments(&events));
                assert_eq!(starts(&events, 0), starts(&events, 1), "{rate:?} {half} {delays:?}");
                assert!(starts(&events, 0).len() > 5);
            }
        }
    }
}

#[test]
fn a_rung_that_stalls_comes_back_where_the_others_are_cut() {
    let ways = [way(&[]), way(&[6.7..9.3]), way(&[])];
    insta::assert_snapshot!(segments(&by_ways(&ladder(rate(30, 1), false), &ways, 22.0)));
}

#[test]
fn when_the_leading_rung_stalls_another_leads() {
    let ways = [way(&[6.7..9.3]), way(&[]), way(&[])];
    insta::assert_snapshot!(segments(&by_ways(&ladder(rate(30, 1), false), &ways, 22.0)));
}

#[test]
fn when_all_pictures_stall_sound_goes_on_and_the_first_to_come_back_leads() {
    let ways = [way(&[6.7..13.0]), way(&[6.5..11.0]), way(&[])];
    insta::assert_snapshot!(segments(&by_ways(&ladder(rate(30, 1), false), &ways, 24.0)));
}

#[test]
fn a_rung_with_b_frames_that_begins_late_begins_where_the_others_are_cut() {
    let sources = || {
        let mut sources = ladder(rate(30, 1), false);
        for source in &mut sources[..2] {
            source.reorder = &[2, 4, 1, 0];
        }
        sources
    };
    let events = by_ways(&sources(), &[way(&[]), way(&[0.0..3.0]), way(&[])], 9.0);
    insta::assert_snapshot!(segments(&events));
}

/// Pictures that wait for the leading rung are not kept for ever.
#[test]
fn a_rung_does_not_wait_for_a_leader_that_has_stalled() {
    let [large, small, _] = ladder(rate(30, 1), false);
    let events = by_ways(&[large, small], &[way(&[3.9..30.0]), way(&[])], 12.0);
    insta::assert_snapshot!(segments(&events));
}
