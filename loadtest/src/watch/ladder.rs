//! What a stream offers: variants, and the sound that goes with them.

use url::Url;

use super::link::{Link, Sites};
use crate::check::playlist::{Multivariant, Variant as Text};

/// Bits per second of a variant that does not say.
const UNKNOWN: u64 = 0;

/// The variants that players can follow one another in: those in the codecs of the first that is listed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ladder {
    /// From the least BANDWIDTH to the most.
    pub(crate) variants: Vec<Variant>,
    /// The one that is listed first.
    pub(crate) first: usize,
}

/// A variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    /// BANDWIDTH in bits per second.
    pub(crate) bandwidth: u64,
    pub(crate) video: Rendition,
    /// Where the sound has a playlist of its own.
    pub(crate) audio: Option<Rendition>,
}

/// One media playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rendition {
    /// Its place in the library.
    pub(crate) id: usize,
    pub(crate) link: Link,
}

/// The media playlists of a stream.
#[derive(Debug, Default)]
pub(crate) struct Renditions(Vec<(Url, Link)>);

impl Renditions {
    /// Media playlists that a stream may have: a ladder with languages has fewer.
    pub(crate) const MOST: usize = 64;

    /// The rendition at `url`; `None` when it is not reached by HTTP, or there are too many.
    pub(crate) fn rendition(&mut self, url: &Url, sites: &mut Sites) -> Option<Rendition> {
        if let Some((id, (_, link))) = self.0.iter().enumerate().find(|(_, (known, _))| known == url) {
            return Some(Rendition { id, link: link.clone() });
        }
        let link = sites.link(url)?;
        (self.0.len() < Self::MOST).then(|| self.0.push((url.clone(), link.clone())))?;
        Some(Rendition { id: self.0.len() - 1, link })
    }

    /// Where a rendition's playlist is.
    pub(crate) fn url(&self, id: usize) -> Option<&Url> {
        self.0.get(id).map(|(url, _)| url)
    }
}

impl Ladder {
    /// Reads a multivariant playlist; `None` when there is nothing in it to play.
    pub(crate) fn read(text: &str, url: &Url, sites: &mut Sites, renditions: &mut Renditions) -> Option<Self> {
        let playlist = Multivariant::read(text);
        let first = playlist.variants.first()?;
        let alike = playlist.variants.iter().filter(|variant| codecs(variant) == codecs(first));
        let mut variants = Vec::new();
        for text in alike {
            let video = renditions.rendition(&url.join(&text.uri).ok()?, sites)?;
            let group = text.groups.iter().find(|(kind, _)| *kind == "AUDIO").map(|(_, group)| group);
            let audio = group.and_then(|group| sound(&playlist, group)).and_then(|uri| url.join(uri).ok());
            let audio = audio.and_then(|url| renditions.rendition(&url, sites));
            variants.push(Variant { bandwidth: text.bandwidth.unwrap_or(UNKNOWN), video, audio });
        }
        let listed_first = variants.first()?.video.id;
        variants.sort_by_key(|variant| variant.bandwidth);
        let first = variants.iter().position(|variant| variant.video.id == listed_first)?;
        Some(Self { variants, first })
    }

    /// A stream that is one media playlist.
    pub(crate) fn of_one(url: &Url, sites: &mut Sites, renditions: &mut Renditions) -> Option<Self> {
        let video = renditions.rendition(url, sites)?;
        Some(Self { variants: vec![Variant { bandwidth: UNKNOWN, video, audio: None }], first: 0 })
    }
}

/// The playlist of the sound that plays unless a viewer chooses another.
fn sound<'a>(playlist: &'a Multivariant, group: &str) -> Option<&'a str> {
    let mut members = playlist.alternatives.iter().filter(|member| member.kind == "AUDIO" && member.group == group);
    let first = members.clone().next();
    members.find(|member| member.default).or(first)?.uri.as_deref()
}

/// What has to be alike for a player to go from one variant to another: the formats, without profiles and levels.
fn codecs(variant: &Text) -> Vec<&str> {
    let codecs = variant.codecs.as_deref().unwrap_or_default();
    let mut formats: Vec<_> =
        codecs.split(',').map(|codec| codec.trim().split('.').next().unwrap_or_default()).collect();
    formats.sort_unstable();
    formats
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "#EXTM3U\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"German\",URI=\"de/index.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",DEFAULT=YES,URI=\"en/index.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=3000000,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"a\"\n720p/index.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS=\"mp4a.40.2,avc1.64001e\",AUDIO=\"a\"\n360p/index.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=3000000,CODECS=\"avc1.64001f,opus\"\n720p/index.m3u8?opus\n";

    fn read(text: &str) -> Option<Ladder> {
        let url = "http://127.0.0.1:80/live/main/index.m3u8".parse().unwrap();
        Ladder::read(text, &url, &mut Sites::default(), &mut Renditions::default())
    }

    #[test]
    fn variants_in_the_codecs_of_the_first_are_sorted_and_have_the_default_sound() {
        let ladder = read(TEXT).unwrap();
        let told: Vec<_> = ladder
            .variants
            .iter()
            .map(|variant| (variant.bandwidth, &*variant.video.link.path, &*variant.audio.as_ref().unwrap().link.path))
            .collect();
        let expected = [
            (800_000, "/live/main/360p/index.m3u8", "/live/main/en/index.m3u8"),
            (3_000_000, "/live/main/720p/index.m3u8", "/live/main/en/index.m3u8"),
        ];
        assert_eq!((told.as_slice(), ladder.first), (expected.as_slice(), 1));
        assert_eq!(ladder.variants[0].audio, ladder.variants[1].audio);
    }

    #[test]
    fn there_is_nothing_to_play_in_an_empty_playlist() {
        assert_eq!(read("#EXTM3U\n"), None);
    }
}
