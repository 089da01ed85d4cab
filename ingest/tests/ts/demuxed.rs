//! What the demuxer makes of a clip.

use std::collections::BTreeMap;
use std::time::Instant;

use touchline_ingest::intake::Unit;
use touchline_ingest::ts::{Counters, Damage, Demuxer, Event, TimedMetadata, Unsupported};
use touchline_media::{Format, Language, TrackId, avc, hevc, nal};

pub(crate) const VIDEO: TrackId = TrackId(0);
pub(crate) const AUDIO: TrackId = TrackId(1);

/// All that came of a transport stream.
#[derive(Debug, Default)]
pub(crate) struct Demuxed {
    /// Each list of tracks.
    pub(crate) tracks: Vec<BTreeMap<TrackId, Option<Language>>>,
    pub(crate) formats: Vec<(TrackId, Format)>,
    pub(crate) units: Vec<Unit>,
    pub(crate) metadata: Vec<TimedMetadata>,
    pub(crate) dropped: Vec<(&'static str, Damage)>,
    pub(crate) remarks: Vec<String>,
    pub(crate) refused: Option<Unsupported>,
    pub(crate) counters: Counters,
}

/// Reads a clip as SRT delivers it, seven packets at a time.
pub(crate) fn demux(clip: &[u8]) -> Demuxed {
    demux_in(clip, 7 * 188)
}

/// Reads a clip in pieces of so many bytes.
pub(crate) fn demux_in(clip: &[u8], piece: usize) -> Demuxed {
    let mut demuxed = Demuxed::default();
    let mut demuxer = Demuxer::default();
    let now = Instant::now();
    for piece in clip.chunks(piece) {
        demuxer.push(piece, now);
        demuxed.take(&mut demuxer);
    }
    demuxer.finish();
    demuxed.take(&mut demuxer);
    demuxed
}

impl Demuxed {
    /// Takes what the demuxer has found.
    pub(crate) fn take(&mut self, demuxer: &mut Demuxer) {
        while let Some(event) = demuxer.poll() {
            match event {
                Event::Tracks(tracks) => self.tracks.push(tracks),
                Event::Configuration(track, format) => self.formats.push((track, format)),
                Event::Unit(unit) => self.units.push(unit),
                Event::Metadata(metadata) => self.metadata.push(metadata),
                Event::Dropped { what, damage } => self.dropped.push((what, damage)),
                Event::Remark(remark) => self.remarks.push(remark.to_string()),
                Event::Refused(unsupported) => self.refused = Some(unsupported),
            }
        }
        self.counters = demuxer.counters();
    }

    pub(crate) fn of(&self, track: TrackId) -> Vec<&Unit> {
        self.units.iter().filter(|unit| unit.track == track).collect()
    }

    pub(crate) fn format(&self, track: TrackId) -> &Format {
        &self.formats.iter().find(|(of, _)| *of == track).unwrap().1
    }

    /// The pictures in the byte stream format, parameter sets before each keyframe.
    pub(crate) fn pictures(&self) -> Vec<u8> {
        let mut stream = Vec::new();
        let sets = match self.format(VIDEO) {
            Format::Avc(config) => avc_sets(config),
            Format::Hevc(config) => hevc_sets(config),
            other => unreachable!("{other:?}"),
        };
        for unit in self.of(VIDEO) {
            let sets = sets.iter().map(Vec::as_slice).filter(|_| unit.sync);
            for nal in sets.chain(nal::units(&unit.data, 4).map(Result::unwrap)) {
                stream.extend_from_slice(b"\0\0\0\x01");
                stream.extend_from_slice(nal);
            }
        }
        stream
    }

    /// A sound with ADTS headers.
    pub(crate) fn sound(&self, track: TrackId) -> Vec<u8> {
        let Format::Aac(config) = self.format(track) else { unreachable!("not AAC") };
        let mut stream = Vec::new();
        for unit in self.of(track) {
            // Thirteen bits of length across four bytes, then a fullness of all ones.
            let len = u32::try_from(unit.data.len() + 7).unwrap() << 5 | 0x1f;
            let [_, high, middle, low] = len.to_be_bytes();
            let [r0, r1, ..] = config.record[..] else { unreachable!("a short record") };
            let (frequency, channels) = ((r0 & 7) << 1 | r1 >> 7, r1 >> 3 & 0x0f);
            stream.extend_from_slice(&[0xff, 0xf1, 1 << 6 | frequency << 2 | channels >> 2]);
            stream.extend_from_slice(&[(channels & 3) << 6 | high, middle, low, 0xfc]);
            stream.extend_from_slice(&unit.data);
        }
        stream
    }
}

fn avc_sets(config: &avc::Config) -> Vec<Vec<u8>> {
    let mut sets = Vec::new();
    let mut rest = &config.record[5..];
    for mask in [0x1f, 0xff] {
        let count = rest[0] & mask;
        rest = &rest[1..];
        for _ in 0..count {
            let len = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
            sets.push(rest[2..2 + len].to_vec());
            rest = &rest[2 + len..];
        }
    }
    sets
}

fn hevc_sets(config: &hevc::Config) -> Vec<Vec<u8>> {
    let mut sets = Vec::new();
    let mut rest = &config.record[23..];
    for _ in 0..config.record[22] {
        let count = u16::from_be_bytes([rest[1], rest[2]]);
        rest = &rest[3..];
        for _ in 0..count {
            let len = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
            sets.push(rest[2..2 + len].to_vec());
            rest = &rest[2 + len..];
        }
    }
    sets
}
