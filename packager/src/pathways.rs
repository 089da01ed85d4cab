use std::collections::HashMap;

use m3u8_rs::{AlternativeMedia, ExtTag, MasterPlaylist, QuotedOrUnquoted, VariantStream};

/// The ways by which viewers get a presentation, one as good as the other, and who tells them which to take: content steering
/// (RFC 8216bis 7).
///
/// Every text in it stands in a quoted string (4.2): it holds no quotation mark, no line feed and no carriage return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pathways {
    /// Where the Steering Manifest is, as seen from the multivariant playlist.
    pub server_uri: String,
    /// The id of the pathway that viewers begin on.
    pub initial: String,
    /// All of them, best first: players that know nothing of steering begin with the first variant.
    pub pathways: Vec<Pathway>,
}

/// One of several ways by which viewers get the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pathway {
    /// Its PATHWAY-ID: of `A-Z a-z 0-9 . - _`.
    pub id: String,
    /// What goes before the URIs of a multivariant playlist.
    pub base: String,
}

impl Pathways {
    /// Offers all that a playlist offers once on every pathway.
    pub(crate) fn spread(&self, playlist: MasterPlaylist) -> MasterPlaylist {
        let of_all = |pathway: &Pathway| {
            playlist.alternatives.iter().map(|media| pathway.alternative(media)).collect::<Vec<_>>()
        };
        let alternatives = self.pathways.iter().flat_map(of_all).collect();
        let of_all =
            |pathway: &Pathway| playlist.variants.iter().map(|variant| pathway.variant(variant)).collect::<Vec<_>>();
        let variants = self.pathways.iter().flat_map(of_all).collect();
        MasterPlaylist { alternatives, variants, unknown_tags: vec![self.tag()], ..playlist }
    }

    /// EXT-X-CONTENT-STEERING (4.4.6.6).
    fn tag(&self) -> ExtTag {
        let attributes = format!("SERVER-URI=\"{}\",PATHWAY-ID=\"{}\"", self.server_uri, self.initial);
        ExtTag { tag: "X-CONTENT-STEERING".into(), rest: Some(attributes) }
    }
}

impl Pathway {
    /// A rendition by this pathway. Its group is one of its own, as the members of a group are what a viewer may choose from.
    fn alternative(&self, media: &AlternativeMedia) -> AlternativeMedia {
        AlternativeMedia {
            uri: media.uri.as_ref().map(|uri| self.uri(uri)),
            group_id: self.group(&media.group_id),
            ..media.clone()
        }
    }

    fn variant(&self, variant: &VariantStream) -> VariantStream {
        // One attribute and no more: a map would write several in an order that differs from node to node.
        let id = HashMap::from([("PATHWAY-ID".to_owned(), QuotedOrUnquoted::Quoted(self.id.clone()))]);
        VariantStream {
            uri: self.uri(&variant.uri),
            audio: variant.audio.as_ref().map(|group| self.group(group)),
            other_attributes: Some(id),
            ..variant.clone()
        }
    }

    fn uri(&self, uri: &str) -> String {
        format!("{}{uri}", self.base)
    }

    fn group(&self, group: &str) -> String {
        format!("{group}.{}", self.id)
    }
}
