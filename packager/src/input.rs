//! How tracks become renditions, and what those are called.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use touchline_media::{Kind, Timescale, Track, opus};

use crate::{Coding, Error, Media, Rendition, init};

/// How many tracks a feed may have: each of them costs memory and a line in every playlist. A ladder of seven rungs with
/// sound in eight languages has 15.
const MAX_TRACKS: usize = 16;

/// A track and what its rendition says of it.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) track: Track,
    pub(crate) coding: Coding,
    /// Its init section.
    pub(crate) init: Bytes,
    /// Whether its source has said that it pauses, and has sent nothing since.
    pub(crate) left: bool,
}

impl Input {
    fn new(track: &Track) -> Result<Self, Error> {
        Ok(Self { track: track.clone(), coding: init::coding(track)?, init: init::section(track)?, left: false })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.coding.kind()
    }

    /// Goes by the clock of the rendition, where that can tell its samples apart: a player that reads no init section but the
    /// first takes all times for that one's.
    pub(crate) fn keep_clock(&mut self, clock: Timescale) -> Result<(), Error> {
        if self.track.timescale != clock
            && let Some(track) = self.track.on_clock(clock)
        {
            *self = Self::new(&track)?;
        }
        Ok(())
    }
}

/// The tracks of video, then those of audio: the first one leads.
pub(crate) fn inputs(tracks: &[Track]) -> Result<Vec<Input>, Error> {
    match tracks.len() {
        0 => return Err(Error::NoTracks),
        1..=MAX_TRACKS => {}
        tracks => return Err(Error::TooManyTracks { tracks, limit: MAX_TRACKS }),
    }
    let of_kind = |kind| tracks.iter().filter(move |track| track.format.kind() == kind);
    of_kind(Kind::Video).chain(of_kind(Kind::Audio)).map(Input::new).collect()
}

/// The renditions of the tracks.
pub(crate) fn renditions(inputs: &[Input]) -> Vec<Rendition> {
    let mut names = Names::new(inputs);
    inputs.iter().map(|Input { coding, .. }| Rendition { name: names.next(coding), coding: coding.clone() }).collect()
}

/// Names renditions, in their order.
///
/// Pictures of one size are `video`, those of several are named by their height: `720p`, and `720p-2` for a second of the
/// same. The first sound is `audio`, others are named by their bitrate: `audio-64k`; Opus beside others by its codec:
/// `audio-opus`; or by their number: `audio-2`.
#[derive(Debug)]
struct Names {
    ladder: bool,
    heights: BTreeMap<u32, usize>,
    sounds: BTreeSet<String>,
}

impl Names {
    fn new(inputs: &[Input]) -> Self {
        let ladder = inputs.iter().filter(|input| input.kind() == Kind::Video).count() > 1;
        Self { ladder, heights: BTreeMap::new(), sounds: BTreeSet::new() }
    }

    fn next(&mut self, coding: &Coding) -> String {
        match coding.media {
            Media::Audio { .. } => self.sound(coding),
            Media::Video { height, .. } if self.ladder => self.height(height),
            Media::Video { .. } => "video".to_owned(),
        }
    }

    fn height(&mut self, height: u32) -> String {
        let count = self.heights.entry(height).and_modify(|count| *count += 1).or_insert(1);
        if *count == 1 { format!("{height}p") } else { format!("{height}p-{count}") }
    }

    fn sound(&mut self, coding: &Coding) -> String {
        let number = self.sounds.len() + 1;
        let by_codec = (coding.codec == opus::CODEC).then(|| format!("audio-{}", coding.codec));
        let by_bitrate = coding.bitrate.map(|bitrate| format!("audio-{}k", bitrate.saturating_add(500) / 1_000));
        let name = match by_bitrate.or(by_codec).filter(|name| !self.sounds.contains(name)) {
            _ if number == 1 => "audio".to_owned(),
            Some(name) => name,
            None => format!("audio-{number}"),
        };
        self.sounds.insert(name.clone());
        name
    }
}
