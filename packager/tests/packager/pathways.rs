//! The same presentation by several pathways.

use m3u8_rs::QuotedOrUnquoted;
use touchline_media::Track;
use touchline_packager::{Pathway, Pathways};

use crate::source::{Frames, ladder, light_audio, live, packager, rate};
use crate::viewer::Viewer;

fn pathways() -> Pathways {
    let pathway = |id: &str| Pathway { id: id.into(), base: format!("https://{id}.example/live/main/") };
    Pathways {
        server_uri: "../../steering/main.json".into(),
        initial: "cdn-a".into(),
        pathways: ["cdn-a", "cdn-b"].map(pathway).to_vec(),
    }
}

fn viewer() -> Viewer {
    let [large, small, sound] = ladder(rate(30, 1), false);
    let german = Track { language: Some("ger".parse().unwrap()), ..light_audio() };
    Viewer::of(&live(&mut packager(), &[large, small, sound, Frames::of(Track { bitrate: None, ..german })], 10.0))
}

#[test]
fn everything_is_offered_on_each_pathway_with_groups_of_its_own() {
    insta::assert_snapshot!(viewer().multivariant_on(&pathways()).unwrap());
}

#[test]
fn every_pathway_offers_what_there_is_without_pathways() {
    let (plain, steered) = (viewer().multivariant().unwrap(), viewer().multivariant_on(&pathways()).unwrap());
    let parse = |text: &str| m3u8_rs::parse_master_playlist(text.as_bytes()).unwrap().1;
    let (plain, steered) = (parse(&plain), parse(&steered));
    for Pathway { id, base } in pathways().pathways {
        let here = Some(QuotedOrUnquoted::Quoted(id.clone()));
        let of_pathway = steered.variants.iter().filter(|variant| {
            variant.other_attributes.as_ref().and_then(|attributes| attributes.get("PATHWAY-ID")) == here.as_ref()
        });
        let uris: Vec<&str> = of_pathway.map(|variant| variant.uri.strip_prefix(&base).unwrap()).collect();
        assert_eq!(uris, plain.variants.iter().map(|variant| variant.uri.as_str()).collect::<Vec<_>>());
    }
    assert_eq!(steered.alternatives.len(), 2 * plain.alternatives.len());
}
