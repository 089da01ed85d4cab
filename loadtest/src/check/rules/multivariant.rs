//! What the multivariant playlist says of its variants and renditions, against their media.

use url::Url;

use crate::check::evidence::{Evidence, Recording, What, place};
use crate::check::ledger::Ledger;
use crate::check::media::Track;
use crate::check::playlist::{Alternative, Multivariant, Variant};
use crate::check::report::Place;
use crate::check::rule::{Rule, must, should};
use crate::check::seconds::Seconds;

/// What a live encoder may be over its BANDWIDTH before it is a failure, as a factor.
const BANDWIDTH_TOLERANCE: f64 = 1.25;
/// How far FRAME-RATE may be off, as a fraction.
const MAX_FRAME_RATE_ERROR: f64 = 0.01;

/// The rules of this chapter.
pub(super) const RULES: &[&Rule] =
    &[&CODECS_DECLARED, &BANDWIDTH_COVERS, &RESOLUTION_RIGHT, &GROUPS_CONSISTENT, &CHANNELS_DECLARED];

pub(in crate::check) const CODECS_DECLARED: Rule =
    must("codecs-declared", "6.2.4", "CODECS names every format, exactly")
        .unseen("there is no multivariant playlist with fragmented MP4");
pub(in crate::check) const BANDWIDTH_COVERS: Rule =
    must("bandwidth-covers", "4.4.6.2", "BANDWIDTH covers the measured peak of the variant with its largest audio")
        .unseen("there is no multivariant playlist, or too little was fetched to measure a peak");
pub(in crate::check) const RESOLUTION_RIGHT: Rule =
    should("resolution-right", "4.4.6.2", "RESOLUTION and FRAME-RATE are those of the media")
        .unseen("there is no multivariant playlist with video");
pub(in crate::check) const GROUPS_CONSISTENT: Rule = must(
    "groups-consistent",
    "4.4.6.1.1",
    "groups exist, their names are unique, one rendition at most is the default",
)
.unseen("there is no rendition group");
pub(in crate::check) const CHANNELS_DECLARED: Rule =
    should("channels-declared", "4.4.6.1", "audio renditions say how many channels they have")
        .unseen("there is no audio group");

/// Judges the multivariant playlist against what its renditions turned out to be.
pub(super) fn judge(evidence: &Evidence, ledger: &mut Ledger) {
    let Some((url, text, playlist, _)) = &evidence.multivariant else { return };
    let page = Page { url, text, playlist, evidence };
    groups(ledger, &page);
    for variant in &playlist.variants {
        let Some(recording) = page.recording(&variant.uri) else { continue };
        codecs(ledger, &page, variant, recording);
        bandwidth(ledger, &page, variant, recording);
        picture(ledger, &page, variant, recording);
    }
}

struct Page<'a> {
    url: &'a Url,
    text: &'a str,
    playlist: &'a Multivariant,
    evidence: &'a Evidence,
}

impl Page<'_> {
    #[expect(clippy::unnecessary_wraps, reason = "as a ledger takes it")]
    fn place(&self, line: usize) -> Option<Place> {
        Some(place(self.url.as_str(), self.text, line))
    }

    /// What was recorded of the media playlist at `uri`.
    fn recording(&self, uri: &str) -> Option<&Recording> {
        let url = self.url.join(uri).ok()?;
        self.evidence.renditions.iter().find(|recording| recording.url.as_ref() == Some(&url))
    }

    /// Renditions of the variant's groups that have a playlist of their own, by type.
    fn alternatives(&self, variant: &Variant) -> Vec<(&Alternative, &Recording)> {
        let of_variant = self.playlist.alternatives.iter().filter(|alternative| {
            variant.groups.iter().any(|(kind, group)| *kind == alternative.kind && *group == alternative.group)
        });
        of_variant.filter_map(|alternative| Some((alternative, self.recording(alternative.uri.as_ref()?)?))).collect()
    }
}

fn groups(ledger: &mut Ledger, page: &Page<'_>) {
    let all = &page.playlist.alternatives;
    for variant in &page.playlist.variants {
        for (kind, group) in &variant.groups {
            if all.iter().any(|alternative| alternative.kind == *kind && alternative.group == *group) {
                ledger.kept(&GROUPS_CONSISTENT, "every group exists, with unique names and at most one default");
            } else {
                ledger.broken(
                    &GROUPS_CONSISTENT,
                    format!("there is no {kind} group {group:?}"),
                    page.place(variant.line),
                );
            }
        }
    }
    for (number, this) in all.iter().enumerate() {
        let same_group = |other: &&Alternative| other.kind == this.kind && other.group == this.group;
        let before = || all.iter().take(number).filter(same_group);
        if before().any(|other| other.name == this.name) {
            let fault = format!("{:?} stands twice in group {:?}", this.name, this.group);
            ledger.broken(&GROUPS_CONSISTENT, fault, page.place(this.line));
        }
        if this.default && before().any(|other| other.default) {
            let fault = format!("group {:?} has more than one default", this.group);
            ledger.broken(&GROUPS_CONSISTENT, fault, page.place(this.line));
        }
        if this.kind == "AUDIO" {
            channels(ledger, page, this);
        }
    }
}

fn channels(ledger: &mut Ledger, page: &Page<'_>, alternative: &Alternative) {
    let Some(said) = &alternative.channels else {
        let fault = format!("{:?} has no CHANNELS", alternative.name);
        ledger.broken(&CHANNELS_DECLARED, fault, page.place(alternative.line));
        return;
    };
    let track =
        alternative.uri.as_ref().and_then(|uri| tracks(page.recording(uri)?).into_iter().find(|track| !track.video));
    let (count, real) = (said.split('/').next().unwrap_or_default(), track.map_or(0, |track| track.channels));
    if real > 0 && count.parse() != Ok(real) {
        let fault = format!("{:?} has CHANNELS={said:?}, its media has {real}", alternative.name);
        ledger.broken(&CHANNELS_DECLARED, fault, page.place(alternative.line));
    } else {
        ledger.kept(&CHANNELS_DECLARED, format!("CHANNELS={said:?} as in the media"));
    }
}

/// Every track of every init section that came.
fn tracks(recording: &Recording) -> Vec<&Track> {
    let inits = recording
        .fetched
        .iter()
        .filter(|fetched| fetched.what == What::Init)
        .filter_map(|fetched| fetched.init.as_ref());
    inits.flat_map(|init| &init.tracks).collect()
}

fn codecs(ledger: &mut Ledger, page: &Page<'_>, variant: &Variant, recording: &Recording) {
    let said: Vec<String> =
        variant.codecs.iter().flat_map(|codecs| codecs.split(',')).map(|codec| codec.trim().to_lowercase()).collect();
    let alternatives = page.alternatives(variant);
    let all = std::iter::once(recording).chain(alternatives.iter().map(|(_, recording)| *recording));
    for (recording, track) in
        all.flat_map(|recording| tracks(recording).into_iter().map(move |track| (recording, track)))
    {
        let Some(codec) = track.codec.as_ref().map(|codec| codec.to_lowercase()) else { continue };
        if said.contains(&codec) {
            ledger.kept(&CODECS_DECLARED, format!("CODECS=\"{}\" as in the init sections", said.join(",")));
        } else {
            let fault = format!(
                "{} is {codec}, and CODECS of {} is {:?}",
                recording.name,
                variant.uri,
                variant.codecs.as_deref().unwrap_or_default()
            );
            ledger.broken(&CODECS_DECLARED, fault, page.place(variant.line));
        }
    }
}

fn bandwidth(ledger: &mut Ledger, page: &Page<'_>, variant: &Variant, recording: &Recording) {
    let Some(said) = variant.bandwidth else {
        ledger.broken(&BANDWIDTH_COVERS, format!("{} has no BANDWIDTH", variant.uri), page.place(variant.line));
        return;
    };
    let Some(own) = peak(recording) else { return };
    let audio = page.alternatives(variant).iter().filter_map(|(_, recording)| peak(recording)).fold(0.0, f64::max);
    let measured = own + audio;
    #[expect(clippy::cast_precision_loss, reason = "bits per second are far below 2^52")]
    let said = said as f64;
    let told = format!(
        "BANDWIDTH of {} is {:.0} kb/s, the measured peak is {:.0} kb/s",
        variant.uri,
        said / 1000.0,
        measured / 1000.0
    );
    if measured > said * BANDWIDTH_TOLERANCE {
        ledger.broken(&BANDWIDTH_COVERS, told, page.place(variant.line));
    } else if measured > said {
        ledger.suspect(&BANDWIDTH_COVERS, told, page.place(variant.line));
    } else {
        ledger.kept(&BANDWIDTH_COVERS, told);
    }
}

/// The largest bit rate of any run of whole segments that lasts 0.5 to 1.5 target durations (4.1), in bits per second.
fn peak(recording: &Recording) -> Option<f64> {
    let target = recording.first()?.media.target()?;
    let (parts, whole, listed) = (recording.fetched_parts(), recording.fetched_segments(), recording.segments());
    let sizes: Vec<(u64, f64, f64)> = listed
        .iter()
        .filter_map(|(msn, seen)| {
            let own = (0..seen.segment.parts.len() as u64)
                .map(|index| Some(parts.get(&(*msn, index))?.fragment.as_ref()?.len));
            let own: Option<usize> = own.sum::<Option<usize>>().filter(|size| *size > 0);
            let size = whole.get(msn).and_then(|fetched| Some(fetched.fragment.as_ref()?.len)).or(own)?;
            #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
            Some((*msn, size as f64 * 8.0, seen.segment.duration?.as_f64()))
        })
        .collect();
    let mut most: Option<f64> = None;
    for (at, first) in sizes.iter().enumerate() {
        let (mut bits, mut lasts, mut next) = (0.0, 0.0, first.0);
        for (msn, size, duration) in sizes.iter().skip(at) {
            if *msn != next || lasts + duration > target.as_f64() * 1.5 {
                break;
            }
            (bits, lasts, next) = (bits + size, lasts + duration, next + 1);
            if lasts >= target.as_f64() * 0.5 {
                most = Some(most.unwrap_or(0.0).max(bits / lasts));
            }
        }
    }
    most
}

fn picture(ledger: &mut Ledger, page: &Page<'_>, variant: &Variant, recording: &Recording) {
    let Some(track) = tracks(recording).into_iter().find(|track| track.video) else { return };
    let real = format!("{}x{}", track.width, track.height);
    match &variant.resolution {
        Some(said) if *said == real => ledger.kept(&RESOLUTION_RIGHT, format!("{real}, as in the init section")),
        said => {
            let said = said.as_deref().unwrap_or("absent");
            let fault = format!("RESOLUTION of {} is {said}, its media is {real}", variant.uri);
            ledger.broken(&RESOLUTION_RIGHT, fault, page.place(variant.line));
        }
    }
    let (Some(said), Some(real)) = (variant.frame_rate.map(Seconds::as_f64), frame_rate(recording)) else { return };
    if (said - real).abs() > MAX_FRAME_RATE_ERROR * real {
        let fault = format!("FRAME-RATE of {} is {said}, its media has {real:.3} frames/s", variant.uri);
        ledger.broken(&RESOLUTION_RIGHT, fault, page.place(variant.line));
    }
}

/// Frames per second over everything that was fetched in parts.
fn frame_rate(recording: &Recording) -> Option<f64> {
    let (mut frames, mut seconds) = (0u32, 0.0);
    for fetched in recording.fetched_parts().values() {
        let Some((fragment, track)) = fetched.leading() else { continue };
        frames += u32::try_from(fragment.samples(track.id).count()).unwrap_or(0);
        seconds += Seconds::of_ticks(fragment.duration(track.id), track.timescale).as_f64();
    }
    (seconds > 0.0).then(|| f64::from(frames) / seconds)
}
