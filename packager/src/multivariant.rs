use std::collections::BTreeSet;

use m3u8_rs::{
    AlternativeMedia, AlternativeMediaType, ClosedCaptionGroupId, MasterPlaylist, Resolution, VariantStream,
};
use touchline_media::Kind;

use crate::{Coding, Media, Presentation, Rates, Rendition, RenditionId, Window};

/// How much a peak may still rise, in per cent: players keep the multivariant playlist that they join with.
const HEADROOM_PERCENT: u64 = 10;

/// The peak of an encoder that keeps to a bitrate over any second, in per cent of that. Segments of two seconds were
/// measured at 112, and their boxes come on top.
const DECLARED_PEAK_PERCENT: u64 = 125;

/// Pictures less high than this play with the audio of the lowest bitrate, unless they are the top rendition: where they are
/// all that a line carries, sound is a good part of it.
const LOW_HEIGHT: u32 = 480;

/// The name of every audio rendition. Each is a group of its own, and 4.4.6.1.1 wants groups to have members of the same
/// names.
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
    let playlist = MasterPlaylist {
        // Section 8: nothing here needs more than 1; clients that know audio groups know 4.
        version: Some(4),
        independent_segments: shown.iter().all(|shown| shown.window.independent_segments()),
        alternatives: if video.is_empty() {
            Vec::new()
        } else {
            audio.iter().map(|shown| shown.alternative()).collect()
        },
        variants: if video.is_empty() {
            audio.iter().map(|shown| shown.variant(None)).collect()
        } else {
            in_order(video.iter().map(|shown| shown.variant(shown.sound(&audio))).collect())
        },
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
            most = most.max(variant.bandwidth + 1);
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
    /// EXT-X-MEDIA (4.4.6.1).
    fn alternative(&self) -> AlternativeMedia {
        let channels = match self.coding().media {
            Media::Audio { channels, .. } => Some(channels.to_string()),
            Media::Video { .. } => None,
        };
        AlternativeMedia {
            media_type: AlternativeMediaType::Audio,
            uri: Some(self.uri()),
            group_id: self.rendition.name.clone(),
            name: AUDIO_NAME.into(),
            default: true,
            autoselect: true,
            channels,
            ..AlternativeMedia::default()
        }
    }

    /// Which audio plays with these pictures.
    fn sound<'a>(&self, audio: &[&'a Self]) -> Option<&'a Self> {
        // What is passed through does not depend on what a transcoder makes.
        let top = self.window.rendition() == RenditionId(0);
        let low = !top && matches!(self.coding().media, Media::Video { height, .. } if height < LOW_HEIGHT);
        let chosen = if low {
            // One whose bitrate is not known counts as the highest.
            audio.iter().min_by_key(|shown| shown.coding().bitrate.unwrap_or(u32::MAX))
        } else {
            audio.first()
        };
        chosen.copied()
    }

    /// EXT-X-STREAM-INF (4.4.6.2), together with the audio that plays with it.
    fn variant(&self, audio: Option<&Self>) -> VariantStream {
        let (resolution, frame_rate) = match self.coding().media {
            Media::Video { width, height, frame_rate } => (
                Some(Resolution { width: width.into(), height: height.into() }),
                // 4.4.6.2: rounded to three decimal places.
                frame_rate.map(|rate| (rate.as_f64() * 1_000.0).round() / 1_000.0),
            ),
            Media::Audio { .. } => (None, None),
        };
        let both = || std::iter::once(self).chain(audio);
        // 4.4.6.2: every format of every rendition that the variant names.
        let codecs: BTreeSet<&str> =
            both().flat_map(|shown| shown.window.codings()).map(|coding| coding.codec.as_str()).collect();
        VariantStream {
            uri: self.uri(),
            bandwidth: both().map(Self::bandwidth).sum(),
            average_bandwidth: Some(both().map(Self::average_bandwidth).sum()),
            codecs: Some(codecs.into_iter().collect::<Vec<_>>().join(",")),
            resolution,
            frame_rate,
            audio: audio.map(|shown| shown.rendition.name.clone()),
            closed_captions: resolution.map(|_| ClosedCaptionGroupId::None),
            ..VariantStream::default()
        }
    }

    /// What the rendition contributes to BANDWIDTH (4.4.6.2), the peak of a variant.
    fn bandwidth(&self) -> u64 {
        let measured = self.rates.peak + self.rates.peak * HEADROOM_PERCENT / 100;
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

    fn uri(&self) -> String {
        format!("{}/index.m3u8", self.rendition.name)
    }
}
