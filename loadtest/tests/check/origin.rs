//! A small LL-HLS origin in memory: draft-pantos-hls-rfc8216bis-22 as a function of time, with a switch per fault.
//!
//! Nothing is stored. What is listed, what can be had and what a reply says follow from the number of milliseconds since the stream began
//! (`timeline`), and so does the media itself (`media`): a held request sleeps until the moment at which its part will have ended.

mod connection;
mod directives;
mod fault;
mod media;
mod multivariant;
mod playlist;
mod ranges;
mod reply;
mod service;
mod timeline;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use fault::Fault;
pub(crate) use playlist::Skip;
pub(crate) use timeline::Rendition;

/// EXT-X-TARGETDURATION, in milliseconds.
const TARGET: u64 = 2_000;
/// PART-TARGET, in milliseconds.
const PART_TARGET: u64 = 200;
/// How long the stream has been on air when the first client comes, in milliseconds: its window is full.
const HEAD_START: u64 = 60_000;

/// What the origin streams, and which optional things it offers.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is offered or not, whatever the others are")]
pub(crate) struct Shape {
    /// The renditions, those of video first.
    pub(crate) renditions: &'static [Rendition],
    /// Whether delta updates are offered.
    pub(crate) delta: bool,
    /// Whether the segment before every discontinuity is missing.
    pub(crate) gaps: bool,
    /// Whether parts are byte ranges of their segments.
    pub(crate) ranges: bool,
    /// Whether it is reached by https.
    pub(crate) tls: bool,
    /// How many seconds after the first client's arrival the stream ends.
    pub(crate) end: Option<u64>,
}

impl Shape {
    /// Two rungs of video and their sound, with everything a server may offer.
    pub(crate) const LADDER: Self = Self {
        renditions: &[Rendition::High, Rendition::Low, Rendition::Audio],
        delta: true,
        gaps: false,
        ranges: false,
        tls: false,
        end: None,
    };
    /// The same, for ten seconds more.
    pub(crate) const ENDED: Self = Self { end: Some(10), ..Self::LADDER };
    /// Sound alone.
    pub(crate) const SOUND: Self = Self { renditions: &[Rendition::Audio], ..Self::LADDER };
    /// One rung without sound.
    pub(crate) const PICTURES: Self = Self { renditions: &[Rendition::High], ..Self::LADDER };
    /// One rung and its sound.
    pub(crate) const ONE_RUNG: Self = Self { renditions: &[Rendition::High, Rendition::Audio], ..Self::LADDER };
    /// Without delta updates.
    pub(crate) const NO_DELTA: Self = Self { delta: false, ..Self::LADDER };
    /// With missing segments.
    pub(crate) const GAPS: Self = Self { gaps: true, ..Self::LADDER };
    /// With parts that are byte ranges.
    pub(crate) const RANGES: Self = Self { ranges: true, ..Self::LADDER };
    /// Over TLS.
    pub(crate) const SECURE: Self = Self { tls: true, ..Self::LADDER };
}

/// An origin; its clones are the same origin.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    shape: Shape,
    fault: Option<Fault>,
    began: Instant,
    /// How often each playlist was asked for, by folder and query, for faults whose replies differ.
    asked: Arc<Mutex<HashMap<(&'static str, String), u64>>>,
}

impl Origin {
    /// An origin that does everything right but for the fault, if there is one.
    pub(crate) fn new(fault: Option<Fault>, shape: Shape) -> Self {
        Self { shape, fault, began: Instant::now(), asked: Arc::default() }
    }

    /// Whether this is what is wrong.
    fn wrong(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// The name of media playlists.
    fn index(&self) -> &'static str {
        if self.wrong(Fault::PlaylistAsText) { "index" } else { "index.m3u8" }
    }

    /// Milliseconds since the stream began.
    pub(crate) fn now(&self) -> u64 {
        HEAD_START + u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    /// Sleeps until `now` is this.
    async fn until(&self, millis: u64) {
        tokio::time::sleep_until(self.began + Duration::from_millis(millis.saturating_sub(HEAD_START))).await;
    }
}
