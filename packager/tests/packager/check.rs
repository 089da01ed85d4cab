//! What must hold for whatever is packaged.

use std::time::Duration;

use mp4_atom::{Decode, Mdat, Moof, TrunEntry};
use touchline_media::{Kind, MediaTime, Sample, Timescale};
use touchline_packager::{Event, Notice, Part, Presentation};

use crate::gaps::segments;
use crate::viewer::{Viewer, all_parts, all_segment_ends, notices};

/// A sample read back from a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) dts: i64,
    pub(crate) pts: i64,
    pub(crate) duration: i64,
    pub(crate) sync: bool,
    pub(crate) data: Vec<u8>,
}

/// The samples of a part, read back from its chunk as a player does (ISO/IEC 14496-12 8.8).
pub(crate) fn samples(part: &Part, kind: Kind) -> Vec<Written> {
    let mut rest: &[u8] = &part.data;
    let moof = Moof::decode(&mut rest).unwrap();
    let moof_len = part.data.len() - rest.len();
    let mdat = Mdat::decode(&mut rest).unwrap();
    assert!(rest.is_empty(), "a chunk is one moof and one mdat");
    let traf = &moof.traf[0];
    let run = &traf.trun[0];
    assert!(traf.tfhd.default_base_is_moof);
    assert_eq!(run.data_offset, Some(moof_len as i32 + 8), "the samples begin where the mdat's body does");
    let mut dts = traf.tfdt.as_ref().unwrap().base_media_decode_time as i64;
    let mut at = 0;
    let mut read = |entry: TrunEntry| {
        let duration = i64::from(entry.duration.or(traf.tfhd.default_sample_duration).unwrap());
        let len = entry.size.unwrap() as usize;
        let default = if kind == Kind::Video { 0x0101_0000 } else { 0x0200_0000 };
        let written = Written {
            dts,
            pts: dts + entry.cts.unwrap_or(0),
            duration,
            sync: entry.flags.unwrap_or(default) & 0x0001_0000 == 0,
            data: mdat.data[at..at + len].to_vec(),
        };
        dts += duration;
        at += len;
        written
    };
    let samples: Vec<Written> = run.samples.iter().map(&mut read).collect();
    assert_eq!(at, mdat.data.len(), "an mdat holds the samples and nothing else");
    samples
}

/// Checks what is said of parts and segments against what is in them.
pub(crate) fn consistent(events: &[Event]) {
    let presentation = Viewer::open(events).presentation;
    for (index, rendition) in presentation.renditions.iter().enumerate() {
        let parts = all_parts(events, index);
        numbered(&presentation, &parts);
        contiguous(&parts, rendition.kind());
        within_part_target(&presentation, &parts);
        gaps_are_whole_segments(&parts);
        segments_are_their_parts(&presentation, events, index, &parts);
    }
}

/// MSNs, indices and running numbers step by one.
fn numbered(presentation: &Presentation, parts: &[&Part]) {
    let (mut msn, mut index) = (presentation.first_msn, 0);
    for (number, part) in parts.iter().enumerate() {
        assert_eq!(part.number, number as u64);
        if number > 0 && part.index == 0 {
            (msn, index) = (msn + 1, 0);
        }
        assert_eq!((part.msn, part.index), (msn, index));
        assert_eq!(part.segment_start.is_some(), index == 0);
        index += 1;
    }
}

/// Decode times go on without gap or overlap within a stretch, and never back between stretches.
fn contiguous(parts: &[&Part], kind: Kind) {
    let mut end: Option<MediaTime> = None;
    for part in parts {
        assert!(part.duration.ticks() > 0);
        if part.gap {
            assert!(!part.independent && part.segment_start.is_none_or(|start| start.independent));
            // A gap does not say where it is: after a discontinuity the media behind it does.
            let goes_on = !part.segment_start.is_some_and(|start| start.discontinuity);
            end = end.filter(|_| goes_on).map(|end| end + part.duration);
            continue;
        }
        let written = samples(part, kind);
        let timescale = part.duration.timescale();
        let start = MediaTime::new(written[0].dts, timescale);
        match end {
            Some(end) if part.segment_start.is_some_and(|start| start.discontinuity) => assert!(start >= end),
            Some(end) => assert_eq!(start, end, "part {}", part.number),
            None => {}
        }
        let duration: i64 = written.iter().map(|sample| sample.duration).sum();
        assert!(written.iter().all(|sample| sample.duration > 0));
        assert_eq!(duration, part.duration.ticks());
        assert_eq!(part.independent, written.iter().any(|sample| sample.sync));
        if let Some(start) = part.segment_start {
            assert_eq!(start.independent, written[0].sync);
        }
        end = Some(start + part.duration);
    }
}

/// The parts of a segment are all gaps, or none is.
fn gaps_are_whole_segments(parts: &[&Part]) {
    for pair in parts.windows(2) {
        assert!(pair[0].msn != pair[1].msn || pair[0].gap == pair[1].gap, "segment {}", pair[0].msn);
    }
}

/// RFC 8216bis 4.4.4.9: every part within PART-TARGET, and at least 85 % of it where the rule asks so.
fn within_part_target(presentation: &Presentation, parts: &[&Part]) {
    let target = presentation.part_target;
    for (index, part) in parts.iter().enumerate() {
        let duration = part.duration;
        let millis = MediaTime::from_duration(target, Timescale::MILLIS);
        assert!(duration <= millis, "part {index} lasts {duration} of {target:?}");
        let last_of_segment = parts.get(index + 1).is_none_or(|next| next.index == 0);
        let least = MediaTime::new(millis.ticks() * 85, Timescale::new(100_000).unwrap());
        assert!(last_of_segment || part.gap || duration >= least, "part {index} lasts {duration} of {target:?}");
    }
}

/// Parts sum to their segments, whose durations keep to the target duration.
fn segments_are_their_parts(presentation: &Presentation, events: &[Event], index: usize, parts: &[&Part]) {
    for (position, end) in all_segment_ends(events, index).into_iter().enumerate() {
        assert_eq!(end.msn, presentation.first_msn + position as u64);
        let of_segment: Vec<_> = parts.iter().filter(|part| part.msn == end.msn).collect();
        let sum: i64 = of_segment.iter().map(|part| part.duration.ticks()).sum();
        assert_eq!((sum, of_segment[0].duration.timescale()), (end.duration.ticks(), end.duration.timescale()));
        // RFC 8216bis 4.4.3.1.
        let limit = Duration::from_millis(1_000 * u64::from(presentation.target_duration) + 500);
        assert!(end.duration.to_duration() < limit, "segment {} lasts {}", end.msn, end.duration);
    }
}

/// Every sample given is in exactly one part, in order, at its PTS plus what is the same for a stretch in all renditions;
/// or the operator has been told of a gap that it was left out of. `given` holds the samples of every rendition, by
/// stretch.
pub(crate) fn complete(events: &[Event], given: &[Vec<Vec<Sample>>]) {
    let presentation = Viewer::open(events).presentation;
    let mut shifts: Vec<Option<MediaTime>> = vec![None; given.len()];
    for (index, rendition) in presentation.renditions.iter().enumerate() {
        let stretches = by_stretch(&all_parts(events, index));
        assert_eq!(stretches.len(), given.len(), "stretches of {}", rendition.name);
        let mut left_out = 0;
        for ((parts, given), shift) in stretches.iter().zip(given).zip(&mut shifts) {
            let mut given = given[index].iter();
            let media = parts.iter().filter(|part| !part.gap);
            for written in media.flat_map(|part| samples(part, rendition.kind())) {
                let skipped = given.clone().position(|given| written.data == given.data);
                let skipped = skipped.unwrap_or_else(|| panic!("a sample of {} is out of order", rendition.name));
                left_out += skipped;
                let given = given.nth(skipped).unwrap();
                assert_eq!(written.sync, given.sync || rendition.kind() == Kind::Audio);
                let moved = MediaTime::new(written.pts, given.pts.timescale()) - given.pts;
                let shift = shift.get_or_insert(moved).rescale(moved.timescale());
                // The stretch's origin falls between two ticks of the other timescale.
                assert!((moved.ticks() - shift.ticks()).abs() <= 1, "PTS of {given:?}: {moved:?}, {shift:?}");
            }
            left_out += given.len();
        }
        assert_eq!(
            left_out,
            told_left_out(events, &rendition.name),
            "samples that {} lacks\n{}",
            rendition.name,
            segments(events)
        );
    }
}

fn told_left_out(events: &[Event], name: &str) -> usize {
    let gaps = notices(events).into_iter().filter_map(|notice| match notice {
        Notice::Gap { rendition, left_out, .. } if rendition == name => Some(*left_out),
        _ => None,
    });
    gaps.sum()
}

/// Between stretches all renditions have the same Media Sequence Numbers, and their discontinuities at the same.
pub(crate) fn alike(events: &[Event]) {
    let numbers = |index| -> Vec<(u64, bool)> {
        let starts = all_parts(events, index).into_iter();
        starts.filter_map(|part| Some((part.msn, part.segment_start?.discontinuity))).collect()
    };
    for index in 1..Viewer::open(events).presentation.renditions.len() {
        assert_eq!(numbers(0), numbers(index));
    }
}

/// Every segment begins with a sync sample, unless those were told to be too far apart.
pub(crate) fn independent(events: &[Event]) {
    if notices(events).iter().any(|notice| matches!(notice, Notice::LongKeyframeInterval { .. })) {
        return;
    }
    for index in 0..Viewer::open(events).presentation.renditions.len() {
        let mut starts = all_parts(events, index).into_iter().filter_map(|part| Some((part.msn, part.segment_start?)));
        assert_eq!(starts.find(|(_, start)| !start.independent), None);
    }
}

fn by_stretch<'a>(parts: &[&'a Part]) -> Vec<Vec<&'a Part>> {
    let mut stretches: Vec<Vec<&Part>> = Vec::new();
    for part in parts {
        match stretches.last_mut() {
            Some(stretch) if !part.segment_start.is_some_and(|start| start.discontinuity) => stretch.push(part),
            _ => stretches.push(vec![part]),
        }
    }
    stretches
}
