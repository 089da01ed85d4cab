use std::collections::BTreeSet;

use m3u8_rs::{
    AlternativeMedia, AlternativeMediaType, ClosedCaptionGroupId, MasterPlaylist, Resolution, VariantStream,
};
use touchline_media::Kind;

use crate::{Coding, Media, Presentation, Rates, Rendition, Window};

/// How much the peak may still rise, in per cent: players keep the multivariant playlist that they join with.
const HEADROOM_PERCENT: u64 = 10;

/// The group that all audio renditions are in.
const AUDIO_GROUP: &str = "audio";

/// The multivariant playlist (RFC 8216bis 4.4.6); `None` until there is something to play in every rendition.
///
/// `windows` are those of the presentation's renditions, in their order.
pub fn multivariant(presentation: &Presentation, windows: &[&Window]) -> Option<String> {
    let mut shown = Vec::with_capacity(windows.len());
    for id in presentation.ids() {
        let window = windows.iter().find(|window| window.rendition() == id)?;
        shown.push(Shown { rendition: presentation.rendition(id)?, window, rates: rates(window)? });
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
            audio.iter().map(|shown| shown.variant(&[])).collect()
        } else {
            video.iter().map(|shown| shown.variant(&audio)).collect()
        },
        ..MasterPlaylist::default()
    };
    let mut text = Vec::new();
    playlist.write_to(&mut text).ok()?;
    String::from_utf8(text).ok()
}

/// The bitrates of a rendition; none at all while it is nothing but a gap, and `None` before that can be told.
fn rates(window: &Window) -> Option<Rates> {
    let after_the_first = window.last_segment().is_some_and(|msn| msn > window.presentation().first_msn);
    window.rates().or_else(|| after_the_first.then_some(Rates { peak: 0, average: 0 }))
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
            group_id: AUDIO_GROUP.into(),
            name: self.rendition.name.clone(),
            default: true,
            autoselect: true,
            channels,
            ..AlternativeMedia::default()
        }
    }

    /// EXT-X-STREAM-INF (4.4.6.2), together with the audio group that plays beside it.
    fn variant(&self, audio: &[&Self]) -> VariantStream {
        let (resolution, frame_rate) = match self.coding().media {
            Media::Video { width, height, frame_rate } => (
                Some(Resolution { width: width.into(), height: height.into() }),
                // 4.4.6.2: rounded to three decimal places.
                frame_rate.map(|rate| (rate.as_f64() * 1_000.0).round() / 1_000.0),
            ),
            Media::Audio { .. } => (None, None),
        };
        let peak = self.rates.peak + audio.iter().map(|shown| shown.rates.peak).max().unwrap_or(0);
        let average = self.rates.average + audio.iter().map(|shown| shown.rates.average).max().unwrap_or(0);
        // 4.4.6.2: every format of every rendition that the variant names.
        let codecs: BTreeSet<&str> = std::iter::once(self)
            .chain(audio.iter().copied())
            .flat_map(|shown| shown.window.codings())
            .map(|coding| coding.codec.as_str())
            .collect();
        VariantStream {
            uri: self.uri(),
            bandwidth: peak + peak * HEADROOM_PERCENT / 100,
            average_bandwidth: Some(average),
            codecs: Some(codecs.into_iter().collect::<Vec<_>>().join(",")),
            resolution,
            frame_rate,
            audio: (!audio.is_empty()).then(|| AUDIO_GROUP.into()),
            closed_captions: resolution.map(|_| ClosedCaptionGroupId::None),
            ..VariantStream::default()
        }
    }

    fn coding(&self) -> &Coding {
        self.window.codings().next().unwrap_or(&self.rendition.coding)
    }

    fn uri(&self) -> String {
        format!("{}/index.m3u8", self.rendition.name)
    }
}
