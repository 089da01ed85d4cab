//! Writes transport streams as the standard has them, and as it does not.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use crate::ts::packet::LEN;
use crate::ts::section::with_checksum;
use crate::ts::{Demuxer, Event};

pub(super) const MAP: u16 = 0x100;
pub(super) const VIDEO: u16 = 0x101;
pub(super) const AUDIO: u16 = 0x102;

/// x264 at 320x180.
pub(super) const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x0d, 0xac, 0xd9, 0x41, 0x41, 0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
    0x03, 0x03, 0xc0, 0xf1, 0x42, 0x99, 0x60,
];
pub(super) const PPS: &[u8] = &[0x68, 0xef, 0x8f, 0xcb];

/// Packets, with continuity counters that go on.
#[derive(Debug, Default)]
pub(super) struct Muxer {
    counters: BTreeMap<u16, u8>,
    pub(super) packets: Vec<[u8; LEN]>,
}

impl Muxer {
    /// One with a programme of these streams: type, PID and descriptors.
    pub(super) fn of(streams: &[(u8, u16, &[u8])]) -> Self {
        let mut muxer = Self::default();
        muxer.association(0, &[(1, MAP)]);
        muxer.map(1, MAP, 0, streams);
        muxer
    }

    /// A packet, filled up by an adaptation field with these flags.
    pub(super) fn packet(&mut self, pid: u16, starts: bool, flags: u8, payload: &[u8]) {
        let counter = self.counters.entry(pid).or_insert(0xf);
        if !payload.is_empty() {
            *counter = (*counter + 1) & 0x0f;
        }
        let has = u8::from(!payload.is_empty());
        let [high, low] = pid.to_be_bytes();
        let mut packet = vec![0x47, high | u8::from(starts) << 6, low, *counter | has << 4];
        let room = LEN - 4 - payload.len();
        if room > 0 {
            packet[3] |= 0x20;
            packet.push(u8::try_from(room - 1).unwrap());
            packet.extend([flags].iter().take(room - 1));
            packet.resize(LEN - payload.len(), 0xff);
        }
        packet.extend(payload);
        self.packets.push(packet.try_into().unwrap());
    }

    /// Sections one behind the other, the first of which starts after so many bytes of what was before.
    pub(super) fn sections(&mut self, pid: u16, sections: &[&[u8]]) {
        let mut data = vec![0];
        for section in sections {
            data.extend(*section);
        }
        data.resize(data.len().next_multiple_of(LEN - 4), 0xff);
        for (n, payload) in data.chunks(LEN - 4).enumerate() {
            self.packet(pid, n == 0, 0, payload);
        }
    }

    pub(super) fn association(&mut self, version: u8, programmes: &[(u16, u16)]) {
        self.sections(0, &[&association(version, programmes)]);
    }

    pub(super) fn map(&mut self, programme: u16, pid: u16, version: u8, streams: &[(u8, u16, &[u8])]) {
        self.sections(pid, &[&map(programme, version, streams)]);
    }

    /// A PES packet in packets of its own; `times` are PTS and DTS.
    pub(super) fn pes(&mut self, pid: u16, times: &[i64], stated: bool, data: &[u8]) {
        let pes = pes(times, stated, data);
        self.payload(pid, &pes);
    }

    /// A payload that starts in the first of as many packets as it takes.
    pub(super) fn payload(&mut self, pid: u16, payload: &[u8]) {
        for (n, payload) in payload.chunks(LEN - 4).enumerate() {
            self.packet(pid, n == 0, 0, payload);
        }
    }

    /// What the demuxer makes of it, in words.
    pub(super) fn demuxed(&self) -> String {
        self.demuxed_by(&mut Demuxer::default())
    }

    pub(super) fn demuxed_by(&self, demuxer: &mut Demuxer) -> String {
        demuxer.push(&self.packets.concat(), Instant::now());
        demuxer.finish();
        events(demuxer)
    }
}

/// What there is to poll, in words.
pub(super) fn events(demuxer: &mut Demuxer) -> String {
    let mut text = String::new();
    while let Some(event) = demuxer.poll() {
        let _ = match event {
            Event::Tracks(tracks) => {
                let tracks: Vec<String> = tracks
                    .iter()
                    .map(|(id, language)| {
                        format!("{}{}", id.0, language.map_or(String::new(), |code| format!(":{code}")))
                    })
                    .collect();
                writeln!(text, "tracks {}", tracks.join(" "))
            }
            Event::Configuration(track, format) => writeln!(text, "{}: {}", track.0, format.codec()),
            Event::Unit(unit) => {
                let key = if unit.sync && unit.track.0 == 0 { " key" } else { "" };
                writeln!(text, "{}: {}+{}{key} {}", unit.track.0, unit.dts, unit.offset, hex(&unit.data))
            }
            Event::Metadata(metadata) => {
                writeln!(text, "{:?} on {} at {:?} {}", metadata.kind, metadata.pid, metadata.pts, hex(&metadata.data))
            }
            Event::Dropped { what, damage } => writeln!(text, "drops {what}: {damage}"),
            Event::Remark(remark) => writeln!(text, "{remark}"),
            Event::Refused(unsupported) => writeln!(text, "refused: {unsupported}"),
        };
    }
    text
}

fn hex(data: &[u8]) -> String {
    let bytes: Vec<String> = data.iter().map(|byte| format!("{byte:02x}")).collect();
    match bytes.len() {
        0..=16 => bytes.concat(),
        len => format!("{}.. of {len}", bytes.get(..16).unwrap_or_default().concat()),
    }
}

pub(super) fn association(version: u8, programmes: &[(u16, u16)]) -> Vec<u8> {
    let mut body = vec![0, 1, 0xc1 | version << 1, 0, 0];
    for (number, pid) in programmes {
        body.extend(number.to_be_bytes());
        body.extend((pid | 0xe000).to_be_bytes());
    }
    table(0, &body)
}

pub(super) fn map(programme: u16, version: u8, streams: &[(u8, u16, &[u8])]) -> Vec<u8> {
    let mut body = programme.to_be_bytes().to_vec();
    body.extend([0xc1 | version << 1, 0, 0, 0xff, 0xff, 0xf0, 0]);
    for (stream_type, pid, descriptors) in streams {
        body.push(*stream_type);
        body.extend((pid | 0xe000).to_be_bytes());
        body.extend((u16::try_from(descriptors.len()).unwrap() | 0xf000).to_be_bytes());
        body.extend(*descriptors);
    }
    table(2, &body)
}

/// A section with its length and its checksum.
pub(super) fn table(id: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len() + 4).unwrap() | 0xb000;
    with_checksum([&[id][..], &len.to_be_bytes(), body].concat())
}

pub(super) fn pes(times: &[i64], stated: bool, data: &[u8]) -> Vec<u8> {
    let flags = [0, 0x80, 0xc0][times.len()];
    let mut rest = vec![0x80, flags, u8::try_from(5 * times.len()).unwrap()];
    for (time, prefix) in times.iter().zip(if times.len() == 2 { [0x30, 0x10] } else { [0x20, 0] }) {
        let byte = |shift: u32, mask: i64| u8::try_from(time >> shift & mask).unwrap();
        rest.extend([prefix | byte(30, 7) << 1 | 1, byte(22, 0xff), byte(15, 0x7f) << 1 | 1]);
        rest.extend([byte(7, 0xff), byte(0, 0x7f) << 1 | 1]);
    }
    rest.extend(data);
    let len = if stated { u16::try_from(rest.len()).unwrap() } else { 0 };
    [&[0, 0, 1, 0xe0][..], &len.to_be_bytes(), &rest].concat()
}

/// NAL units in the byte stream format.
pub(super) fn annex_b(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
}

/// A keyframe of H.264 with its parameter sets.
pub(super) fn keyframe(slice: &[u8]) -> Vec<u8> {
    annex_b(&[&[9, 0xf0], SPS, PPS, &[&[0x65], slice].concat()])
}

/// Another picture of H.264.
pub(super) fn picture(slice: &[u8]) -> Vec<u8> {
    annex_b(&[&[9, 0xf0], &[&[0x41], slice].concat()])
}

/// A frame of AAC-LC at 48 kHz in stereo, with its ADTS header.
pub(super) fn adts(frame: &[u8]) -> Vec<u8> {
    let len = u16::try_from(frame.len() + 7).unwrap();
    let mut data = vec![0xff, 0xf1, 0x4c, 0x80 | u8::try_from(len >> 11).unwrap()];
    data.extend([u8::try_from(len >> 3 & 0xff).unwrap(), u8::try_from(len & 7).unwrap() << 5 | 0x1f, 0xfc]);
    data.extend(frame);
    data
}
