use std::collections::BTreeSet;

use m3u8_rs::{
    AlternativeMedia, AlternativeMediaType, ClosedCaptionGroupId, MasterPlaylist, Resolution, VariantStream,
};
use touchline_media::{Kind, Language};

use crate::{Coding, Media, Presentation, Rates, Rendition, RenditionId, Window};

/// How much a peak may still rise, in per cent: players keep the multivariant playlist that they join with.
const HEADROOM_PERCENT: u64 = 10;

/// The peak of an encoder that keeps to a bitrate over any second, in per cent of that. Segments of two seconds were
/// measured at 112, and their boxes come on top.
const DECLARED_PEAK_PERCENT: u64 = 125;

/// Pictures less high than this play with the audio of the lowest bitrate, unless they are the top rendition: where they are
/// all that a line carries, sound is a good part of it.
const LOW_HEIGHT: u32 = 480;

/// The name of an audio rendition whose language is not known.
const AUDIO_NAME: &str = "audio";

/// The multivariant playlist (RFC 8216bis 4.4.6); `None` until there is something to play in every rendition.
///
/// `windows` are those of the presentation's renditions, in their order. One that is in a gap is left out while another of
/// its kind is not: players that join would choose it, and find nothing.
pub fn multivariant(presentation: &Presentation, windows: &[&Window]) -> Option<String> {
    let kind = |window: &Window| presentation.rendition(window.rendition()).map(Rendition::kind);
    let goes_on = |other: &Window, window| kind(other) == kind(window) && !other.in_gap();
    let mut shown = Vec::with_capacity(windows.len());
    for id in presentation.ids() {
        let window = windows.iter().find(|window| window.rendition() == id)?;
        if !window.in_gap() || !windows.iter().any(|other| goes_on(other, window)) {
            shown.push(Shown { rendition: presentation.rendition(id)?, window, rates: rates(window)? });
        }
    }
    shown.iter().find(|shown| shown.rates.peak > 0)?;
    let (video, audio): (Vec<&Shown<'_>>, Vec<&Shown<'_>>) =
        shown.iter().partition(|shown| shown.rendition.kind() == Kind::Video);
    // Whatever plays with pictures is the first sound, or one that a transcoder has made.
    let leads = audio.iter().enumerate().filter(|(nth, shown)| *nth == 0 || shown.coding().bitrate.is_some());
    let groups: Vec<Group<'_>> = leads.map(|(_, shown)| Group::around(shown, &audio)).collect();
    // Sound of another codec than that plays in no variant with it, as not every player knows both: it comes last, with the
    // top pictures alone. hls.js keeps to the codecs that it begins with, and so to those that have all rungs.
    let first = audio.first().map(|shown| &shown.coding().codec);
    let foreign = |shown: &&Shown<'_>| shown.coding().bitrate.is_none() && Some(&shown.coding().codec) != first;
    let foreign = audio.iter().copied().find(foreign).map(|shown| Group::around(shown, &audio));
    let last = video.first().zip(foreign.as_ref()).map(|(top, group)| top.variant(Some(group)));
    let variants: Vec<VariantStream> = if video.is_empty() {
        audio.iter().map(|shown| shown.variant(None)).collect()
    } else {
        in_order(video.iter().map(|shown| shown.variant(shown.sound(&groups))).chain(last).collect())
    };
    // A group that no variant names would be loaded by no player, and some wait for it.
    let named = |group: &&Group<'_>| variants.iter().any(|variant| variant.audio.as_ref() == Some(group.name()));
    let playlist = MasterPlaylist {
        // Section 8: nothing here needs more than 1; clients that know audio groups know 4.
        version: Some(4),
        independent_segments: shown.iter().all(|shown| shown.window.independent_segments()),
        alternatives: groups.iter().chain(&foreign).filter(named).flat_map(Group::alternatives).collect(),
        variants,
        ..MasterPlaylist::default()
    };
    let mut text = Vec::new();
    playlist.write_to(&mut text).ok()?;
    String::from_utf8(text).ok()
}

/// No variant has a BANDWIDTH below that of one with fewer lines: players take it for the order of quality, and would choose
/// a rung of a fixed bitrate over a source that happens to need less. It is an upper bound (4.4.6.2).
fn in_order(mut variants: Vec<VariantStream>) -> Vec<VariantStream> {
    let lines = |variant: &VariantStream| variant.resolution.map_or(0, |resolution| resolution.height);
    let mut lowest_first: Vec<&mut VariantStream> = variants.iter_mut().collect();
    lowest_first.sort_by_key(|variant| lines(variant));
    let (mut below, mut most) = (0, 0);
    for group in lowest_first.chunk_by_mut(|a, b| lines(a) == lines(b)) {
        for variant in group {
            variant.bandwidth = variant.bandwidth.max(below);
            most = most.max(variant.bandwidth.saturating_add(1));
        }
        below = most;
    }
    variants
}

/// The bitrates of a rendition; none at all while it is nothing but a gap, and `None` before that can be told.
fn rates(window: &Window) -> Option<Rates> {
    let after_the_first = window.last_segment().is_some_and(|msn| msn > window.presentation().first_msn);
    window.rates().or_else(|| after_the_first.then_some(Rates { peak: 0, average: 0, settled: false }))
}

/// A rendition with what has been seen of it.
struct Shown<'a> {
    rendition: &'a Rendition,
    window: &'a Window,
    rates: Rates,
}

impl Shown<'_> {
    /// EXT-X-MEDIA (4.4.6.1), but for what depends on its group.
    fn alternative(&self) -> AlternativeMedia {
        let channels = match self.coding().media {
            Media::Audio { channels, .. } => Some(channels.to_string()),
            Media::Video { .. } => None,
        };
        AlternativeMedia {
            media_type: AlternativeMediaType::Audio,
            uri: Some(self.uri()),
            language: self.coding().language.map(|language| language.tag().to_owned()),
            channels,
            ..AlternativeMedia::default()
        }
    }

    /// Which audio plays with these pictures.
    fn sound<'g, 'a>(&self, groups: &'g [Group<'a>]) -> Option<&'g Group<'a>> {
        // What is passed through does not depend on what a transcoder makes.
        let top = self.window.rendition() == RenditionId(0);
        let low = !top && matches!(self.coding().media, Media::Video { height, .. } if height < LOW_HEIGHT);
        if low {
            // One whose bitrate is not known counts as the highest.
            groups.iter().min_by_key(|group| group.lead.coding().bitrate.unwrap_or(u32::MAX))
        } else {
            groups.first()
        }
    }

    /// EXT-X-STREAM-INF (4.4.6.2), together with the audio that plays with it.
    fn variant(&self, audio: Option<&Group<'_>>) -> VariantStream {
        let (resolution, frame_rate) = match self.coding().media {
            Media::Video { width, height, frame_rate } => (
                Some(Resolution { width: width.into(), height: height.into() }),
                // 4.4.6.2: rounded to three decimal places.
                frame_rate.map(|rate| (rate.as_f64() * 1_000.0).round() / 1_000.0),
            ),
            Media::Audio { .. } => (None, None),
        };
        let sounds = || audio.into_iter().flat_map(Group::members);
        // 4.4.6.2: every format of every rendition that the variant names.
        let mut codecs: BTreeSet<&str> = self.codecs().collect();
        codecs.extend(sounds().flat_map(Shown::codecs));
        // 4.4.6.2: of the combination of renditions that takes most.
        let peak = sounds().map(Shown::bandwidth).max().unwrap_or(0);
        let average = sounds().map(Shown::average_bandwidth).max().unwrap_or(0);
        VariantStream {
            uri: self.uri(),
            bandwidth: self.bandwidth().saturating_add(peak),
            average_bandwidth: Some(self.average_bandwidth().saturating_add(average)),
            codecs: Some(codecs.into_iter().collect::<Vec<_>>().join(",")),
            resolution,
            frame_rate,
            audio: audio.map(|group| group.name().clone()),
            closed_captions: resolution.map(|_| ClosedCaptionGroupId::None),
            ..VariantStream::default()
        }
    }

    /// What the rendition contributes to BANDWIDTH (4.4.6.2), the peak of a variant.
    fn bandwidth(&self) -> u64 {
        let measured = self.rates.peak.saturating_add(self.rates.peak.saturating_mul(HEADROOM_PERCENT) / 100);
        match self.declared().map(|bitrate| bitrate * DECLARED_PEAK_PERCENT / 100) {
            Some(declared) if self.rates.settled => declared.max(measured),
            Some(declared) => declared,
            None => measured,
        }
    }

    /// What it contributes to AVERAGE-BANDWIDTH.
    fn average_bandwidth(&self) -> u64 {
        self.declared().filter(|_| !self.rates.settled).unwrap_or(self.rates.average)
    }

    /// What its encoder keeps to, where that is known.
    fn declared(&self) -> Option<u64> {
        self.coding().bitrate.map(u64::from)
    }

    fn coding(&self) -> &Coding {
        self.window.codings().next().unwrap_or(&self.rendition.coding)
    }

    fn codecs(&self) -> impl Iterator<Item = &str> {
        self.window.codings().map(|coding| coding.codec.as_str())
    }

    fn uri(&self) -> String {
        format!("{}/index.m3u8", self.rendition.name)
    }
}

/// Sounds of which a viewer may choose one for the same pictures (4.4.6.1.1).
struct Group<'a> {
    /// The one that plays unless the viewer chooses another.
    lead: &'a Shown<'a>,
    others: Vec<&'a Shown<'a>>,
}

impl<'a> Group<'a> {
    /// A sound and, of the others that the publisher sends, those that are another sound: another language, a commentary.
    /// All of one codec: a player that does not know one could play nothing.
    fn around(lead: &'a Shown<'a>, audio: &[&'a Shown<'a>]) -> Self {
        // What a transcoder makes has a bitrate, and is made of the first that the publisher sends.
        let sent = audio.iter().copied().filter(|shown| shown.coding().bitrate.is_none());
        let alike = |shown: &&Shown<'_>| shown.coding().codec == lead.coding().codec;
        let others = sent.skip(1).filter(alike).filter(|shown| shown.window.rendition() != lead.window.rendition());
        Self { lead, others: others.collect() }
    }

    /// Its GROUP-ID.
    fn name(&self) -> &'a String {
        &self.lead.rendition.name
    }

    fn members(&self) -> impl Iterator<Item = &'a Shown<'a>> {
        std::iter::once(self.lead).chain(self.others.iter().copied())
    }

    fn alternatives(&self) -> Vec<AlternativeMedia> {
        let (mut names, mut languages) = (BTreeSet::new(), BTreeSet::new());
        let alternative = |(nth, shown): (usize, &Shown<'_>)| {
            let language = shown.coding().language;
            AlternativeMedia {
                group_id: self.name().clone(),
                name: unused_name(language.as_ref().map_or(AUDIO_NAME, Language::name), &mut names),
                default: nth == 0,
                // 4.4.6.1.1: a player chooses by language, which has to tell the members of a group apart.
                autoselect: languages.insert(language) && (nth == 0 || language.is_some()),
                ..shown.alternative()
            }
        };
        self.members().enumerate().map(alternative).collect()
    }
}

/// 4.4.6.1.1: the names in a group differ.
fn unused_name(wanted: &str, used: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{wanted} {number}"));
    let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
    names.find(|name| used.insert(name.clone())).unwrap_or_default()
}
