//! Which tracks become renditions, and what they are called.

use std::collections::BTreeMap;

use bytes::Bytes;
use touchline_media::{Kind, Track};

use crate::{Coding, Error, Media, Notice, Rendition, init};

/// A track and what its rendition says of it.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) track: Track,
    pub(crate) coding: Coding,
    /// Its init section.
    pub(crate) init: Bytes,
}

impl Input {
    fn new(track: &Track) -> Result<Self, Error> {
        Ok(Self { track: track.clone(), coding: init::coding(track)?, init: init::section(track)? })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.coding.kind()
    }
}

/// All tracks of video and the first of audio, in this order, and a word on the others.
pub(crate) fn choose(tracks: &[Track]) -> Result<(Vec<Input>, Vec<Notice>), Error> {
    let of_kind = |kind| tracks.iter().filter(move |track| track.format.kind() == kind);
    let chosen = of_kind(Kind::Video).chain(of_kind(Kind::Audio).take(1));
    let inputs = chosen.map(Input::new).collect::<Result<Vec<Input>, Error>>()?;
    let ignored = of_kind(Kind::Audio).skip(1);
    let ignored = ignored.map(|track| Notice::TrackIgnored { track: track.id, kind: Kind::Audio }).collect();
    if inputs.is_empty() { Err(Error::NoTracks) } else { Ok((inputs, ignored)) }
}

/// The renditions of the tracks. Pictures of one size are `video`, those of several are named by their height: `720p`,
/// and `720p-2` for a second of the same.
pub(crate) fn renditions(inputs: &[Input]) -> Vec<Rendition> {
    let ladder = inputs.iter().filter(|input| input.kind() == Kind::Video).count() > 1;
    let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
    let mut name = |coding: &Coding| match coding.media {
        Media::Audio { .. } => "audio".to_owned(),
        Media::Video { height, .. } if ladder => {
            let count = seen.entry(height).and_modify(|count| *count += 1).or_insert(1);
            if *count == 1 { format!("{height}p") } else { format!("{height}p-{count}") }
        }
        Media::Video { .. } => "video".to_owned(),
    };
    inputs.iter().map(|input| Rendition { name: name(&input.coding), coding: input.coding.clone() }).collect()
}
