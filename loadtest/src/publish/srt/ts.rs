//! MPEG-TS (ISO/IEC 13818-1) of access units: one programme with pictures and AAC, in datagrams as SRT carries them.

mod packet;

use bytes::{Bytes, BytesMut};

use super::super::clip::{Aac, Clip, Codec, Track, Unit, rescale};
use super::super::schedule::Due;
use packet::{Packets, section};

/// PIDs: of the programme map, of the first track; others follow.
const MAP: u16 = 0x100;
const FIRST: u16 = 0x101;
/// Table 2-34: H.264, and AAC with ADTS headers.
const H264: u8 = 0x1b;
const ADTS: u8 = 0x0f;
/// Table 2-22: a stream of pictures, a stream of sound.
const VIDEO_STREAM: u8 = 0xe0;
const AUDIO_STREAM: u8 = 0xc0;
/// Times are in 90000ths of a second.
const CLOCK: i128 = 90_000;
/// The first decoding time; the programme's clock is behind.
const BEGINNING: i64 = 90_000;
/// How far the programme's clock is behind what is decoded.
const LEAD: i64 = 9_000;
/// The tables come again after so long, and in front of each keyframe.
const TABLES_EVERY: i64 = 18_000;

/// The elementary streams of a clip, made once for all publishers.
#[derive(Debug)]
pub(in super::super) struct Streams {
    of: Vec<Option<Stream>>,
    association: Bytes,
    map: Bytes,
    /// The track whose packets carry the programme's clock.
    leading: usize,
}

#[derive(Debug)]
struct Stream {
    pid: u16,
    kind: u8,
    id: u8,
    units: Vec<Bytes>,
}

impl Streams {
    pub(in super::super) fn new(clip: &Clip) -> Self {
        let of: Vec<Option<Stream>> = (FIRST..).zip(&clip.tracks).map(|(pid, track)| Stream::new(pid, track)).collect();
        let leading = of.iter().position(Option::is_some).unwrap_or(0);
        let clock = of.iter().flatten().next().map_or(FIRST, |stream| stream.pid);
        // 2.4.4.3: programme 1 has its map there.
        let association = section(0, &[&[0, 1, 0xc1, 0, 0, 0, 1][..], &(MAP | 0xe000).to_be_bytes()].concat());
        // 2.4.4.8: programme 1, its clock, no descriptors.
        let mut map = [&[0, 1, 0xc1, 0, 0][..], &(clock | 0xe000).to_be_bytes(), &[0xf0, 0]].concat();
        for stream in of.iter().flatten() {
            map.push(stream.kind);
            map.extend((stream.pid | 0xe000).to_be_bytes());
            map.extend([0xf0, 0]);
        }
        Self { of, association, map: section(2, &map), leading }
    }
}

impl Stream {
    fn new(pid: u16, track: &Track) -> Option<Self> {
        let (kind, id, units) = match &track.codec {
            Codec::Avc(avc) => (H264, VIDEO_STREAM, track.units.iter().map(|unit| avc.byte_stream(unit)).collect()),
            Codec::Aac(aac) => (ADTS, AUDIO_STREAM, track.units.iter().map(|unit| adts(aac, unit)).collect()),
            Codec::Opus(_) => return None,
        };
        Some(Self { pid, kind, id, units })
    }
}

/// Writes one publisher's transport stream.
#[derive(Debug, Default)]
pub(super) struct Muxer {
    packets: Packets,
    tables_due: Option<i64>,
}

impl Muxer {
    /// A unit in datagrams; tables in front of it where they are due.
    pub(super) fn datagrams(&mut self, due: &Due, streams: &Streams, clip: &Clip) -> Vec<Bytes> {
        let stream = streams.of.get(due.track).and_then(Option::as_ref);
        let (Some(stream), Some(track)) = (stream, clip.tracks.get(due.track)) else { return Vec::new() };
        let (Some(data), Some(unit)) = (stream.units.get(due.index), track.units.get(due.index)) else {
            return Vec::new();
        };
        let clock = |ticks: i64| rescale(ticks, i128::from(track.timescale.get()), CLOCK) + BEGINNING;
        let (dts, pts) = (clock(due.dts), clock(due.dts + due.offset));
        let mut out = BytesMut::with_capacity(data.len() + data.len() / 32 + 1_316);
        let leads = due.track == streams.leading;
        let key = leads && unit.sync && matches!(track.codec, Codec::Avc(_));
        if key || self.tables_due.is_none_or(|at| dts >= at) {
            self.packets.write(&mut out, 0, None, &streams.association);
            self.packets.write(&mut out, MAP, None, &streams.map);
            self.tables_due = Some(dts + TABLES_EVERY);
        }
        let pes = [&pes_header(stream.id, pts, dts, data.len())[..], data].concat();
        self.packets.write(&mut out, stream.pid, leads.then_some((dts - LEAD, key)), &pes);
        packet::datagrams(out.freeze())
    }
}

/// 2.4.3.6: a header with its times. Pictures have no length, which then is as long as it takes.
fn pes_header(id: u8, pts: i64, dts: i64, length: usize) -> Vec<u8> {
    let times: &[(u8, i64)] = if pts == dts { &[(0x20, pts)] } else { &[(0x30, pts), (0x10, dts)] };
    let header_length = 5 * times.len();
    let length = if id == VIDEO_STREAM { 0 } else { u16::try_from(3 + header_length + length).unwrap_or(0) };
    let mut header = vec![0, 0, 1, id];
    header.extend(length.to_be_bytes());
    let flags = if times.len() == 2 { 0xc0 } else { 0x80 };
    // 0x84: aligned with an access unit.
    header.extend([0x84, flags, u8::try_from(header_length).unwrap_or(0)]);
    for (prefix, time) in times {
        let byte = |shift: u32, mask: i64| u8::try_from(time >> shift & mask).unwrap_or(0);
        header.extend([prefix | byte(30, 7) << 1 | 1, byte(22, 0xff), byte(15, 0x7f) << 1 | 1]);
        header.extend([byte(7, 0xff), byte(0, 0x7f) << 1 | 1]);
    }
    header
}

/// ISO/IEC 13818-7 6.2: a frame of AAC-LC with its ADTS header.
fn adts(aac: &Aac, unit: &Unit) -> Bytes {
    let length = unit.data.len() + 7;
    let bits = |shift: usize, mask: usize| u8::try_from(length >> shift & mask).unwrap_or(0);
    let header = [
        0xff,
        0xf1,
        0x40 | aac.rate_index << 2 | aac.channels >> 2,
        aac.channels << 6 | bits(11, 3),
        bits(3, 0xff),
        bits(0, 7) << 5 | 0x1f,
        0xfc,
    ];
    [&header[..], &unit.data].concat().into()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::super::clip::tests::{clip, sound, video};
    use super::super::super::pace::Pace;
    use super::super::super::schedule::Schedule;
    use super::*;

    /// So many seconds of a clip, over and over.
    fn written(clip: Clip, seconds: u64) -> Vec<Bytes> {
        let (clip, start) = (Arc::new(clip), Instant::now());
        let (streams, mut muxer) = (Streams::new(&clip), Muxer::default());
        let mut schedule = Schedule::new(Arc::clone(&clip), &[0, 1], None, 0, start, Pace::even());
        let end = start + Duration::from_secs(seconds) - Duration::from_nanos(1);
        std::iter::from_fn(|| schedule.take(end)).flat_map(|due| muxer.datagrams(&due, &streams, &clip)).collect()
    }

    #[test]
    fn datagrams_hold_whole_packets_whose_counters_go_on() {
        let datagrams = written(clip(video(2, 2), sound(94)), 4);
        assert!(datagrams.iter().all(|datagram| datagram.len() % 188 == 0 && (188..=1_316).contains(&datagram.len())));
        let mut counters = std::collections::BTreeMap::new();
        for packet in datagrams.iter().flat_map(|datagram| datagram.chunks(188)) {
            assert_eq!(packet[0], 0x47);
            let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
            let counter = packet[3] & 0x0f;
            let before = counters.insert(pid, counter).unwrap_or(0x0f);
            assert_eq!(counter, (before + 1) & 0x0f, "PID {pid}");
        }
        assert_eq!(counters.into_keys().collect::<Vec<_>>(), [0, MAP, FIRST, FIRST + 1]);
    }

    #[tokio::test]
    async fn ffprobe_finds_every_unit_at_its_time() {
        let folder = std::env::temp_dir().join(format!("touchline-ts-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (source, file) = (folder.join("source.mp4"), folder.join("written.ts"));
        let words = "-v error -nostdin -y -f lavfi -i testsrc2=size=160x90:rate=30 -f lavfi -i sine=sample_rate=48000 -t 2 \
                     -c:v libx264 -preset ultrafast -g 60 -bf 2 -c:a aac";
        assert!(Command::new("ffmpeg").args(words.split_whitespace()).arg(&source).status().unwrap().success());
        let clip = Clip::open(Some(&source)).await.unwrap();
        std::fs::write(&file, written(clip, 6).concat()).unwrap();
        let words = "-v warning -count_packets -show_entries stream=codec_name,nb_read_packets,start_time -of csv=p=0";
        let probed =
            Command::new("ffprobe").args(words.split_whitespace()).arg(&file).stderr(Stdio::piped()).output().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let said = String::from_utf8_lossy(&probed.stderr).into_owned() + &String::from_utf8_lossy(&probed.stdout);
        // ffprobe tells of the streams of the programme, and then of all streams. Both begin when the first picture is shown, two frames
        // after it is decoded; of six seconds of sound, what would come after the last picture is decoded is not sent: 5.933 s of it are.
        let of_programme = said.split("\n\n").next().unwrap();
        insta::assert_snapshot!(of_programme, @"
        h264,1.066667,180
        aac,1.066667,279
        ");
    }
}
