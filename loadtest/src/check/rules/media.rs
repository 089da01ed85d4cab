//! Media: init sections, fragments and time lines.

use crate::check::evidence::{Evidence, Fetched, Recording, What};
use crate::check::ledger::Ledger;
use crate::check::rule::{Rule, must};

/// What a decode time may be off, in ticks of its timescale: rounding between two timescales.
const MAX_TICKS: u64 = 1;

/// The rules of this chapter.
pub(super) const RULES: &[&Rule] = &[&INIT_SECTION, &FRAGMENTS_ADDRESSED, &TIMELINE_CONTINUOUS];

pub(in crate::check) const INIT_SECTION: Rule =
    must("init-section", "3.1.2", "init sections are those of fragmented MP4").unseen("no init section was fetched");
pub(in crate::check) const FRAGMENTS_ADDRESSED: Rule =
    must("fragments-addressed", "3.1.2", "fragments have decode times and address their samples from the fragment")
        .unseen("no fragmented MP4 was fetched");
pub(in crate::check) const TIMELINE_CONTINUOUS: Rule =
    must("timeline-continuous", "3", "decode times go on without a gap across parts and segments")
        .unseen("no two parts or segments in a row were fetched");

/// Judges init sections, parts and segments.
pub(super) fn judge(evidence: &Evidence, ledger: &mut Ledger) {
    for recording in &evidence.renditions {
        for fetched in recording.fetched.iter().filter(|fetched| fetched.is_good()) {
            boxes(ledger, recording, fetched);
        }
        let (parts, whole) = (recording.fetched_parts(), recording.segments());
        let chain = parts.iter().map(|((msn, index), fetched)| Link { msn: *msn, index: *index, fetched });
        continuous(ledger, recording, chain, |before, after| {
            let ends = whole.get(&before.msn).is_some_and(|seen| before.index + 1 == seen.segment.parts.len() as u64);
            (after.msn, after.index) == (before.msn, before.index + 1)
                || (ends && (after.msn, after.index) == (before.msn + 1, 0))
        });
        let segments = recording.fetched_segments();
        let chain = segments.iter().map(|(msn, fetched)| Link { msn: *msn, index: 0, fetched });
        continuous(ledger, recording, chain, |before, after| after.msn == before.msn + 1);
    }
}

fn boxes(ledger: &mut Ledger, recording: &Recording, fetched: &Fetched) {
    let name = format!("{} of {}", fetched.what, recording.name);
    if fetched.what == What::Init {
        let Some(init) = &fetched.init else { return };
        for fault in &init.faults {
            ledger.broken(&INIT_SECTION, format!("{name}: {fault}"), None);
        }
        let codecs: Vec<&str> = init.tracks.iter().filter_map(|track| track.codec.as_deref()).collect();
        ledger.kept(&INIT_SECTION, format!("ftyp, moov with mvex, no durations, empty tables ({})", codecs.join(", ")));
    } else if let Some(fragment) = &fetched.fragment {
        for fault in &fragment.faults {
            ledger.broken(&FRAGMENTS_ADDRESSED, format!("{name}: {fault}"), None);
        }
        ledger.kept(&FRAGMENTS_ADDRESSED, "tfdt and default-base-is-moof in every traf");
    }
}

struct Link<'a> {
    msn: u64,
    index: u64,
    fetched: &'a Fetched,
}

/// Each begins where the one before ended, to one tick; a discontinuity begins anew.
fn continuous<'a>(
    ledger: &mut Ledger,
    recording: &Recording,
    chain: impl Iterator<Item = Link<'a>>,
    adjacent: impl Fn(&Link<'a>, &Link<'a>) -> bool,
) {
    let mut before: Option<Link<'a>> = None;
    for link in chain {
        if let Some(before) = before.filter(|before| adjacent(before, &link))
            && !(link.index == 0 && begins_anew(recording, link.msn))
            && let (Some((first, _)), Some((second, track))) = (before.fetched.leading(), link.fetched.leading())
        {
            for track in before
                .fetched
                .init
                .iter()
                .flat_map(|init| &init.tracks)
                .filter(|own| own.timescale == track.timescale || own.id != track.id)
            {
                let ends = first
                    .of(track.id)
                    .last()
                    .and_then(|run| Some(run.start? + run.samples.iter().map(|sample| sample.duration).sum::<u64>()));
                let (Some(ends), Some(starts)) = (ends, second.start(track.id)) else { continue };
                if ends.abs_diff(starts) > MAX_TICKS {
                    let fault = format!(
                        "{} of {} begins at {starts}, {} ended at {ends} ({} Hz)",
                        link.fetched.what, recording.name, before.fetched.what, track.timescale
                    );
                    ledger.broken(&TIMELINE_CONTINUOUS, fault, None);
                } else {
                    ledger.kept(&TIMELINE_CONTINUOUS, "each part and segment begins where the one before ended");
                }
            }
        }
        before = Some(link);
    }
}

fn begins_anew(recording: &Recording, msn: u64) -> bool {
    let mut segments = recording.versions.iter().rev().flat_map(|version| &version.media.segments);
    segments.find(|segment| segment.msn == msn).is_some_and(|segment| segment.discontinuity)
}
