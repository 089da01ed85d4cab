//! MPEG transport streams (ISO/IEC 13818-1) become access units.
//!
//! What arrives may have holes, and nothing in it is repaired: a PES packet in which something is missing is dropped whole,
//! and pictures after it are dropped until one comes that a decoder can start at. Everything is counted.
//!
//! A PES packet that states its length is handed on with its last byte. Most encoders state none for video, and then only the
//! beginning of the next one shows the end for certain: such pictures are handed on when the next one begins to arrive, a
//! frame late, until the muxer has shown by a hundred of them that it fills up the last packet of each and no other.

mod content;
mod counters;
mod damage;
mod packet;
mod pes;
mod programme;
mod publication;
mod section;
mod stream;
mod table;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use touchline_media::{Format, Language, TrackId};

use self::content::Content;
pub use self::counters::Counters;
pub use self::damage::{Damage, Remark, Unsupported};
use self::packet::{Aligner, Continuity, Packet, Verdict};
use self::programme::{Plan, Programmes};
pub use self::publication::Publication;
use self::stream::{Output, Stream};
use self::table::Table;
use crate::intake::Unit;

/// The most programmes that are looked at.
pub const MAX_PROGRAMMES: usize = 16;
/// The most tracks of sound that are taken.
pub const MAX_AUDIO: u32 = 8;
/// The most streams of timed metadata that are taken.
pub const MAX_METADATA: u32 = 8;
/// The longest PES packet of video, in bytes: a keyframe of a contribution at 100 Mb/s is a tenth of it.
pub const MAX_VIDEO_PES: usize = 8 * 1_024 * 1_024;
/// The longest PES packet of audio, in bytes: what its length can state.
pub const MAX_AUDIO_PES: usize = 64 * 1_024 + 6;
/// The longest PES packet of timed metadata, in bytes: what its length can state.
pub const MAX_METADATA_PES: usize = 64 * 1_024 + 6;
/// The longest section, in bytes.
pub const MAX_SECTION: usize = section::MAX_LEN;

/// What a transport stream turns out to hold.
#[derive(Debug, Clone)]
pub enum Event {
    /// The tracks that there are from now on, with their languages. The pictures are track 0, sounds have the numbers from 1
    /// on in the order of the programme's map.
    Tracks(BTreeMap<TrackId, Option<Language>>),
    /// The decoder configuration of a track, other than the one before.
    Configuration(TrackId, Format),
    /// An access unit. Its times are those of the stream, modulo two to the 33
    /// ([`Clock::MPEG`](touchline_media::timeline::Clock::MPEG)).
    Unit(Unit),
    /// Timed metadata.
    Metadata(TimedMetadata),
    /// Something is of no use.
    Dropped {
        /// `video`, `audio` or `metadata`.
        what: &'static str,
        /// Why.
        damage: Damage,
    },
    /// An operator should read of this.
    Remark(Remark),
    /// There is nothing that can be served.
    Refused(Unsupported),
}

/// Metadata that belong to a moment of the programme.
#[derive(Debug, Clone)]
pub struct TimedMetadata {
    /// Where they came.
    pub pid: u16,
    /// How to read them.
    pub kind: MetadataKind,
    /// The moment, as the times of an access unit; `None`: when they come, or what they say themselves.
    pub pts: Option<i64>,
    /// A whole section of SCTE 35; what a PES packet holds of others.
    pub data: Bytes,
    /// When the last byte arrived.
    pub received: Instant,
}

/// What timed metadata are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetadataKind {
    /// SCTE 35: cues for splicing.
    Scte35,
    /// SMPTE 336: keys, lengths and values, as drones and cameras send them.
    Klv,
    /// ID3 tags, as of HLS.
    Id3,
}

impl MetadataKind {
    /// For logs and labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scte35 => "SCTE-35 cues",
            Self::Klv => "KLV metadata",
            Self::Id3 => "ID3 metadata",
        }
    }
}

/// Reads one transport stream.
#[derive(Debug)]
pub struct Demuxer {
    aligner: Aligner,
    pids: BTreeMap<u16, Pid>,
    programmes: Programmes,
    /// The streams that are taken, as the programme's map has them.
    taken: Vec<table::Entry>,
    counters: Counters,
    events: VecDeque<Event>,
}

/// The packets of one PID.
#[derive(Debug)]
struct Pid {
    continuity: Continuity,
    carries: Carries,
}

#[derive(Debug)]
enum Carries {
    Tables(section::Assembler),
    Splices(section::Assembler),
    Stream { content: Content, track: TrackId, stream: Box<Stream> },
}

/// The PID of the programme association table (table 2-3).
const ASSOCIATION_PID: u16 = 0;
/// Table 2-3: PIDs below are for tables of the standard's.
const FIRST_PID: u16 = 0x10;

impl Default for Demuxer {
    fn default() -> Self {
        Self {
            aligner: Aligner::default(),
            pids: BTreeMap::from([(ASSOCIATION_PID, Pid::tables())]),
            programmes: Programmes::default(),
            taken: Vec::new(),
            counters: Counters::default(),
            events: VecDeque::new(),
        }
    }
}

impl Demuxer {
    /// Takes the next bytes, however many, wherever packets begin in them. What they hold has to be fetched by
    /// [`Self::poll`], up to `None`, before the next: the queue has no other limit.
    pub fn push(&mut self, data: &[u8], received: Instant) {
        self.aligner.push(data);
        while let Some(packet) = self.aligner.next() {
            self.counters.packets += 1;
            match Packet::parse(&packet) {
                Some(packet) => self.packet(&packet, received),
                None => self.counters.bad_packets += 1,
            }
        }
        self.counters.resyncs = self.aligner.resyncs;
        self.counters.skipped_bytes = self.aligner.skipped;
    }

    /// What has been found, in order.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes are missing before the next push: all that is open is damaged.
    pub fn gap(&mut self) {
        self.counters.told_gaps += 1;
        let mut out = Output { events: &mut self.events, counters: &mut self.counters };
        for pid in self.pids.values_mut() {
            pid.continuity.forget();
            pid.carries.lose(&mut out);
        }
    }

    /// Nothing more will come: what only waits for its successor is handed on.
    pub fn finish(&mut self) {
        let mut out = Output { events: &mut self.events, counters: &mut self.counters };
        for pid in self.pids.values_mut() {
            pid.carries.finish(&mut out);
        }
    }

    /// What has been counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn packet(&mut self, packet: &Packet<'_>, received: Instant) {
        if packet.pid == packet::NULL {
            self.counters.null_packets += 1;
            return;
        }
        let Some(pid) = self.pids.get_mut(&packet.pid) else {
            self.counters.unclaimed_packets += 1;
            return;
        };
        let mut out = Output { events: &mut self.events, counters: &mut self.counters };
        let verdict = pid.continuity.check(packet);
        match verdict {
            Verdict::Next => {}
            Verdict::Duplicate => {
                out.counters.duplicates += 1;
                return;
            }
            // 2.4.3.5: what was open is whole if something starts here.
            Verdict::Cut if packet.starts => {}
            Verdict::Cut => pid.carries.lose(&mut out),
            Verdict::Gap => {
                out.counters.gaps += 1;
                pid.carries.lose(&mut out);
            }
        }
        let Some(payload) = packet.payload else { return };
        if packet.scrambled {
            out.counters.scrambled_packets += 1;
            return pid.carries.scrambled(packet.starts, &mut out);
        }
        let tables = pid.carries.push(packet, payload, received, &mut out);
        for table in tables {
            self.table(table);
        }
    }

    fn table(&mut self, table: Table) {
        match table {
            Table::Association { section, last, programmes } => {
                self.programmes.associate(section, last, &programmes);
                self.listen_for_maps();
            }
            Table::Map { programme, streams } => self.programmes.map(programme, streams),
            Table::Splice => return,
        }
        let entries = self.programmes.taken().unwrap_or_default();
        if entries != self.taken {
            self.taken = entries.to_vec();
            self.take_streams();
        }
    }

    /// Maps are where the association table says.
    fn listen_for_maps(&mut self) {
        let wanted: BTreeSet<u16> = self.programmes.map_pids().filter(|&pid| is_free(pid)).collect();
        self.pids.retain(|&pid, carried| {
            pid == ASSOCIATION_PID || wanted.contains(&pid) || !matches!(carried.carries, Carries::Tables(_))
        });
        for pid in wanted {
            self.pids.entry(pid).or_insert_with(Pid::tables);
        }
    }

    /// Streams that go on as they were are left alone, others end and begin.
    fn take_streams(&mut self) {
        let plan = Plan::of(&self.taken);
        let is_table = |_: &u16, pid: &mut Pid| matches!(pid.carries, Carries::Tables(_));
        let mut before: BTreeMap<u16, Pid> = self.pids.extract_if(.., |pid, carried| !is_table(pid, carried)).collect();
        for (pid, content, track) in plan.streams {
            let known = before.remove(&pid);
            let known = known.filter(|known| known.carries.is(&content, track));
            let Some(stream) = known.or_else(|| Pid::of(pid, content, track)).filter(|_| is_free(pid)) else {
                continue;
            };
            self.pids.entry(pid).or_insert(stream);
        }
        let mut out = Output { events: &mut self.events, counters: &mut self.counters };
        for mut ended in before.into_values() {
            ended.carries.finish(&mut out);
        }
        self.events.push_back(Event::Tracks(plan.tracks));
        self.events.extend(self.programmes.remark().into_iter().chain(plan.remarks).map(Event::Remark));
        self.events.extend(plan.refusal.map(Event::Refused));
    }
}

/// Whether a PID may be given to a map or a stream (table 2-3).
fn is_free(pid: u16) -> bool {
    (FIRST_PID..packet::NULL).contains(&pid)
}

impl Pid {
    fn tables() -> Self {
        Self { continuity: Continuity::default(), carries: Carries::Tables(section::Assembler::default()) }
    }

    fn of(pid: u16, content: Content, track: TrackId) -> Option<Self> {
        let carries = match &content {
            Content::Splices => Carries::Splices(section::Assembler::default()),
            _ => Carries::Stream { stream: Box::new(Stream::new(&content, track, pid)?), content, track },
        };
        Some(Self { continuity: Continuity::default(), carries })
    }
}

impl Carries {
    /// Takes the next payload, and gives the tables in it.
    fn push(&mut self, packet: &Packet<'_>, payload: &[u8], received: Instant, out: &mut Output<'_>) -> Vec<Table> {
        match self {
            Self::Tables(assembler) => {
                let sections = assembler.push(payload, packet.starts);
                out.counters.bad_sections += sections.bad;
                sections.whole.iter().filter_map(|section| Table::parse(section)).collect()
            }
            Self::Splices(assembler) => {
                let sections = assembler.push(payload, packet.starts);
                out.counters.bad_sections += sections.bad;
                for section in sections.whole.into_iter().filter(|section| Table::parse(section) == Some(Table::Splice))
                {
                    let (pid, kind) = (packet.pid, MetadataKind::Scte35);
                    out.metadata(TimedMetadata { pid, kind, pts: None, data: section.into(), received });
                }
                Vec::new()
            }
            Self::Stream { stream, .. } => {
                stream.push(packet, payload, received, out);
                Vec::new()
            }
        }
    }

    fn is(&self, content: &Content, track: TrackId) -> bool {
        match self {
            Self::Tables(_) => false,
            Self::Splices(_) => *content == Content::Splices,
            Self::Stream { content: known, track: of, .. } => known == content && *of == track,
        }
    }

    fn lose(&mut self, out: &mut Output<'_>) {
        match self {
            Self::Tables(assembler) | Self::Splices(assembler) => {
                out.counters.bad_sections += u64::from(assembler.lose());
            }
            Self::Stream { stream, .. } => stream.lose(out),
        }
    }

    fn scrambled(&mut self, starts: bool, out: &mut Output<'_>) {
        match self {
            Self::Stream { stream, .. } => stream.scrambled(starts, out),
            Self::Tables(_) | Self::Splices(_) => self.lose(out),
        }
    }

    fn finish(&mut self, out: &mut Output<'_>) {
        if let Self::Stream { stream, .. } = self {
            stream.finish(out);
        }
    }
}

#[cfg(test)]
mod tests;
