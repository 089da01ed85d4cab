//! A multivariant playlist (RFC 8216bis 4.4.6).

use super::attributes::Attributes;
use super::lines::{self, Line};
use super::{Fault, FaultKind};
use crate::check::seconds::Seconds;

/// A multivariant playlist.
#[derive(Clone, Debug, Default)]
pub(crate) struct Multivariant {
    /// EXT-X-STREAM-INF.
    pub(crate) variants: Vec<Variant>,
    /// EXT-X-MEDIA.
    pub(crate) alternatives: Vec<Alternative>,
    /// What is wrong with the text.
    pub(crate) faults: Vec<Fault>,
}

/// EXT-X-STREAM-INF and its URI.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variant {
    pub(crate) uri: String,
    pub(crate) bandwidth: Option<u64>,
    pub(crate) codecs: Option<String>,
    pub(crate) resolution: Option<String>,
    pub(crate) frame_rate: Option<Seconds>,
    /// Groups by type: AUDIO, VIDEO, SUBTITLES.
    pub(crate) groups: Vec<(&'static str, String)>,
    /// PATHWAY-ID: by which of several ways it comes, each as good as the other (7).
    pub(crate) pathway: Option<String>,
    pub(crate) line: usize,
}

/// EXT-X-MEDIA.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alternative {
    pub(crate) kind: String,
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) uri: Option<String>,
    pub(crate) default: bool,
    pub(crate) channels: Option<String>,
    pub(crate) line: usize,
}

impl Multivariant {
    /// Whether `text` is a multivariant playlist.
    pub(crate) fn is(text: &str) -> bool {
        text.lines().any(|line| line.starts_with("#EXT-X-STREAM-INF"))
    }

    /// Reads `text`; what cannot be read is left out and told in `faults`.
    pub(crate) fn read(text: &str) -> Self {
        let (lines, faults) = lines::read(text);
        let mut playlist = Self { faults, ..Self::default() };
        let mut pending: Option<Variant> = None;
        for (number, line) in lines {
            match line {
                Line::Uri(uri) => match pending.take() {
                    Some(variant) => playlist.variants.push(Variant { uri: uri.to_owned(), ..variant }),
                    None => {
                        playlist.fault(FaultKind::Text, number, format!("{uri:?} has no EXT-X-STREAM-INF before it"));
                    }
                },
                Line::Tag(name @ "#EXT-X-STREAM-INF", value) => {
                    let attributes = playlist.attributes(name, value, number);
                    pending = Some(variant(&attributes, number));
                }
                Line::Tag(name @ "#EXT-X-MEDIA", value) => {
                    let attributes = playlist.attributes(name, value, number);
                    playlist.alternatives.push(alternative(&attributes, number));
                }
                Line::Tag(name, Some(value)) if value.contains('=') => {
                    playlist.attributes(name, Some(value), number);
                }
                Line::Tag(..) => {}
            }
        }
        playlist
    }

    /// The pathway that a media playlist belongs to, by its URI: that of the variants which offer it.
    pub(crate) fn pathway(&self, uri: &str) -> Option<&str> {
        let of_group = |variant: &Variant, media: &Alternative| {
            variant.groups.iter().any(|(kind, group)| *kind == media.kind && *group == media.group)
        };
        let offers = |variant: &&Variant| {
            let mut sounds = self.alternatives.iter().filter(|media| media.uri.as_deref() == Some(uri));
            variant.uri == uri || sounds.any(|media| of_group(variant, media))
        };
        self.variants.iter().find(offers)?.pathway.as_deref()
    }

    fn attributes<'a>(&mut self, name: &str, value: Option<&'a str>, line: usize) -> Attributes<'a> {
        let attributes = Attributes::read(name, value.unwrap_or_default());
        for what in &attributes.faults {
            self.fault(FaultKind::Attributes, line, format!("{name}: {what}"));
        }
        attributes
    }

    fn fault(&mut self, kind: FaultKind, line: usize, what: String) {
        self.faults.push(Fault { kind, line, what });
    }
}

fn variant(attributes: &Attributes<'_>, line: usize) -> Variant {
    let text = |name| attributes.text(name).map(str::to_owned);
    Variant {
        uri: String::new(),
        bandwidth: attributes.integer("BANDWIDTH"),
        codecs: text("CODECS"),
        resolution: text("RESOLUTION"),
        frame_rate: attributes.seconds("FRAME-RATE"),
        groups: ["AUDIO", "VIDEO", "SUBTITLES"].into_iter().filter_map(|kind| Some((kind, text(kind)?))).collect(),
        pathway: text("PATHWAY-ID"),
        line,
    }
}

fn alternative(attributes: &Attributes<'_>, line: usize) -> Alternative {
    let text = |name| attributes.text(name).map(str::to_owned);
    Alternative {
        kind: text("TYPE").unwrap_or_default(),
        group: text("GROUP-ID").unwrap_or_default(),
        name: text("NAME").unwrap_or_default(),
        uri: text("URI"),
        default: attributes.yes("DEFAULT"),
        channels: text("CHANNELS"),
        line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_and_groups_are_read() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"main\",DEFAULT=YES,URI=\"audio.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=3000000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,AUDIO=\"a\"\nvideo.m3u8\n";
        let read = Multivariant::read(text);
        assert!(Multivariant::is(text) && read.faults.is_empty());
        assert_eq!(read.variants[0].groups, [("AUDIO", "a".to_owned())]);
        assert_eq!(
            (read.variants[0].uri.as_str(), read.alternatives[0].uri.as_deref()),
            ("video.m3u8", Some("audio.m3u8"))
        );
    }

    #[test]
    fn media_playlists_are_on_the_pathway_of_the_variants_that_offer_them() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a.x\",NAME=\"main\",URI=\"x/audio\"\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a.y\",NAME=\"main\",URI=\"y/audio\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID=\"x\",AUDIO=\"a.x\"\nx/video\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID=\"y\",AUDIO=\"a.y\"\ny/video\n#EXT-X-STREAM-INF:BANDWIDTH=1\nz\n";
        let read = Multivariant::read(text);
        let pathways = ["x/video", "y/video", "x/audio", "y/audio", "z", "elsewhere"].map(|uri| read.pathway(uri));
        assert_eq!(pathways, [Some("x"), Some("y"), Some("x"), Some("y"), None, None]);
    }
}
