//! An elementary stream: from payloads of packets to access units.

mod adts;
mod annex_b;
mod latm;
mod opus;
mod sound;
mod video;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use touchline_media::TrackId;

use self::adts::Adts;
use self::latm::Latm;
use self::opus::Opus;
use self::video::Video;
use super::content::Content;
use super::packet::Packet;
use super::pes::{Assembler, Pes};
use super::{Counters, Damage, Event, MAX_AUDIO_PES, MAX_METADATA_PES, MAX_VIDEO_PES, MetadataKind, TimedMetadata};
use crate::access_unit::Codec;
use crate::intake::Unit;

/// What a stream gives, and what it counts.
#[derive(Debug)]
pub(super) struct Output<'a> {
    pub(super) events: &'a mut VecDeque<Event>,
    pub(super) counters: &'a mut Counters,
}

/// What is dropped, in [`Event::Dropped`].
const VIDEO: &str = "video";
const AUDIO: &str = "audio";
const METADATA: &str = "metadata";

impl Output<'_> {
    fn dropped(&mut self, what: &'static str, damage: Damage) {
        self.events.push_back(Event::Dropped { what, damage });
    }

    fn unit(&mut self, unit: Unit) {
        self.counters.units += 1;
        self.events.push_back(Event::Unit(unit));
    }

    /// Hands on what is of no use to a player as it came.
    pub(super) fn metadata(&mut self, metadata: TimedMetadata) {
        self.counters.metadata += 1;
        self.events.push_back(Event::Metadata(metadata));
    }
}

/// An elementary stream in PES packets.
#[derive(Debug)]
pub(super) struct Stream {
    assembler: Assembler,
    decoder: Decoder,
}

#[derive(Debug)]
enum Decoder {
    Video(Box<Video>),
    Adts(Adts),
    Latm(Latm),
    Opus(Opus),
    Metadata { pid: u16, kind: MetadataKind },
}

impl Stream {
    /// `None` for content that is not in PES packets, or not taken.
    pub(super) fn new(content: &Content, track: TrackId, pid: u16) -> Option<Self> {
        let (limit, decoder) = match content {
            Content::Avc => (MAX_VIDEO_PES, Decoder::Video(Box::new(Video::new(Codec::Avc, track)))),
            Content::Hevc => (MAX_VIDEO_PES, Decoder::Video(Box::new(Video::new(Codec::Hevc, track)))),
            Content::Adts => (MAX_AUDIO_PES, Decoder::Adts(Adts::new(track))),
            Content::Latm => (MAX_AUDIO_PES, Decoder::Latm(Latm::new(track))),
            Content::Opus(Some(config)) => (MAX_AUDIO_PES, Decoder::Opus(Opus::new(track, config.clone()))),
            Content::Metadata(kind) => (MAX_METADATA_PES, Decoder::Metadata { pid, kind: *kind }),
            Content::Opus(None) | Content::Splices | Content::Unsupported(..) | Content::Other => return None,
        };
        Some(Self { assembler: Assembler::new(limit), decoder })
    }

    /// Takes the payload of the next packet, with which a PES packet may start.
    pub(super) fn push(&mut self, packet: &Packet<'_>, payload: &[u8], received: Instant, out: &mut Output<'_>) {
        if packet.starts {
            self.finish(out);
            self.assembler.begin(received);
        }
        match self.assembler.append(payload, packet.is_filled(), received) {
            Ok(true) => self.finish(out),
            Ok(false) => {}
            Err(damage) => self.decoder.damaged(damage, out),
        }
    }

    /// Ends what is open: nothing more belongs to it.
    pub(super) fn finish(&mut self, out: &mut Output<'_>) {
        match self.assembler.close() {
            Some(Ok(pes)) => self.decoder.read(&pes, out),
            Some(Err(damage)) => self.decoder.damaged(damage, out),
            None => {}
        }
    }

    /// Packets are missing here.
    pub(super) fn lose(&mut self, out: &mut Output<'_>) {
        if self.assembler.lose() {
            self.decoder.damaged(Damage::Missing, out);
        } else {
            self.decoder.lose();
        }
    }

    /// A packet cannot be read.
    pub(super) fn scrambled(&mut self, starts: bool, out: &mut Output<'_>) {
        if starts {
            self.finish(out);
        }
        if self.assembler.lose() || starts {
            self.decoder.damaged(Damage::Scrambled, out);
        }
    }
}

impl Decoder {
    fn read(&mut self, pes: &Pes<'_>, out: &mut Output<'_>) {
        match self {
            Self::Video(video) => video.read(pes, out),
            Self::Adts(adts) => adts.read(pes, out),
            Self::Latm(latm) => latm.read(pes, out),
            Self::Opus(opus) => opus.read(pes, out),
            Self::Metadata { pid, kind } => {
                let data = Bytes::copy_from_slice(pes.data);
                out.metadata(TimedMetadata { pid: *pid, kind: *kind, pts: pes.pts, data, received: pes.received });
            }
        }
    }

    fn damaged(&mut self, damage: Damage, out: &mut Output<'_>) {
        out.counters.damaged_pes += 1;
        out.dropped(self.what(), damage);
        self.lose();
    }

    /// What comes next does not follow what was before.
    fn lose(&mut self) {
        match self {
            Self::Video(video) => video.lose(),
            Self::Adts(adts) => adts.lose(),
            Self::Latm(latm) => latm.lose(),
            Self::Opus(opus) => opus.lose(),
            Self::Metadata { .. } => {}
        }
    }

    fn what(&self) -> &'static str {
        match self {
            Self::Video(_) => VIDEO,
            Self::Adts(_) | Self::Latm(_) | Self::Opus(_) => AUDIO,
            Self::Metadata { .. } => METADATA,
        }
    }
}
