//! Init sections and fragments (RFC 8216bis 3.1.2), box by box; the samples are filler of the right size.

use std::ops::Range;

use super::timeline::{FAULT_AT, Segment};
use super::{Fault, Origin, Rendition};

const TRACK_ID: u32 = 1;
/// avcC of x264, High profile, level 3.1, 25 frames/s.
const AVCC_720P: &str = "0164001fffe100186764001facb200a00b760220000003002000000641e3064901000668ebc3cb22c0fdf8f800";
const AVCC_360P: &str =
    "0164001fffe1001a6764001facb201405ff2e022000003000200000300641e30649001000668ebc3cb22c0fdf8f800";
/// `esds` of AAC-LC, 48 kHz, two channels: ISO/IEC 14496-1 7.2.6.5, 7.2.6.6, and its `AudioSpecificConfig` 1190.
const ESDS: &str = "031900000004114015000000000000000000000005021190060102";
/// ISO/IEC 14496-12 8.8.3.1: depends on no other sample.
const SYNC: u32 = 0x0200_0000;
/// Depends on others, is no sync sample.
const NON_SYNC: u32 = 0x0101_0000;

/// What a rendition is made of.
struct Track {
    video: bool,
    /// Ticks in a millisecond.
    ticks: u32,
    /// Ticks in a frame.
    frame: u32,
    /// Bytes of a sync sample and of another.
    sizes: (usize, usize),
}

impl Rendition {
    fn track(self) -> Track {
        match self {
            Self::High => Track { video: true, ticks: 90, frame: 3_600, sizes: (1_500, 350) },
            Self::Low => Track { video: true, ticks: 90, frame: 3_600, sizes: (600, 130) },
            Self::Audio => Track { video: false, ticks: 48, frame: 1_024, sizes: (60, 60) },
        }
    }
}

impl Origin {
    /// The init section of a rendition.
    pub(crate) fn init(&self, rendition: Rendition) -> Vec<u8> {
        let track = rendition.track();
        let duration = if self.wrong(Fault::InitDuration) { 60 * 1_000 * track.ticks } else { 0 };
        let brands: &[u8] =
            if self.wrong(Fault::OldBrands) { b"isom\0\0\0\0isommp42" } else { b"cmfc\0\0\0\0cmfciso6" };
        let mvhd = [&[0; 8], &be(track.ticks * 1_000)[..], &be(duration), &be(0x1_0000), &[1, 0], &[0; 10]];
        let trex = [TRACK_ID, 1, track.frame, 0, if track.video { NON_SYNC } else { SYNC }].map(be).concat();
        let mut moov = vec![
            full(b"mvhd", 0, &[&mvhd.concat()[..], &unity_matrix(), &[0; 24], &be(TRACK_ID + 1)].concat()),
            self.trak(rendition, &track, duration),
        ];
        if !self.wrong(Fault::NoMovieExtends) {
            moov.push(atom(b"mvex", &full(b"trex", 0, &trex)));
        }
        [atom(b"ftyp", brands), atom(b"moov", &moov.concat())].concat()
    }

    fn trak(&self, rendition: Rendition, track: &Track, duration: u32) -> Vec<u8> {
        let (width, height) = size(rendition);
        let volume: &[u8] = if track.video { &[0, 0] } else { &[1, 0] };
        let tkhd = [&[0; 8], &be(TRACK_ID)[..], &[0; 4], &be(duration), &[0; 12], volume, &[0; 2]].concat();
        let tkhd = [&tkhd[..], &unity_matrix(), &be(u32::from(width) << 16), &be(u32::from(height) << 16)].concat();
        // Language "und", packed.
        let mdhd = [&[0; 8], &be(track.ticks * 1_000)[..], &be(duration), &[0x55, 0xc4, 0, 0]].concat();
        let handler: &[u8] = if track.video { b"vide" } else { b"soun" };
        let header = if track.video { full(b"vmhd", 1, &[0; 8]) } else { full(b"smhd", 0, &[0; 4]) };
        // A `url ` with flag 1: the media is in the same file.
        let dref = full(b"dref", 0, &[&be(1)[..], &full(b"url ", 1, &[])].concat());
        let minf = [header, atom(b"dinf", &dref), atom(b"stbl", &self.sample_table(rendition))].concat();
        let mdia =
            [full(b"mdhd", 0, &mdhd), full(b"hdlr", 0, &[&[0; 4], handler, &[0; 13]].concat()), atom(b"minf", &minf)];
        atom(b"trak", &[full(b"tkhd", 3, &tkhd), atom(b"mdia", &mdia.concat())].concat())
    }

    /// A sample description, and no samples.
    fn sample_table(&self, rendition: Rendition) -> Vec<u8> {
        let (width, height) = size(rendition);
        let entry = if rendition == Rendition::Audio {
            let esds = full(b"esds", 0, &hex(ESDS));
            // Two channels, 16 bits, 48 kHz.
            atom(
                b"mp4a",
                &[&[0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 8], &[0, 2, 0, 16, 0, 0, 0, 0], &be(48_000 << 16), &esds]
                    .concat(),
            )
        } else {
            let avcc = atom(b"avcC", &hex(if rendition == Rendition::High { AVCC_720P } else { AVCC_360P }));
            let visual =
                [&[0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 16], &width.to_be_bytes(), &height.to_be_bytes()].concat();
            // 72 dpi twice, one frame a sample, no compressor name, 24 bits.
            let rest = [&be(72 << 16)[..], &be(72 << 16), &[0; 4], &[0, 1], &[0; 32], &[0, 24, 0xff, 0xff]].concat();
            atom(b"avc1", &[visual, rest, avcc].concat())
        };
        let times: Vec<u8> =
            if self.wrong(Fault::InitHasSamples) { [1, 1, 3_600].map(be).concat() } else { be(0).into() };
        [
            full(b"stsd", 0, &[&be(1)[..], &entry].concat()),
            full(b"stts", 0, &times),
            full(b"stsc", 0, &be(0)),
            full(b"stsz", 0, &[0; 8]),
            full(b"stco", 0, &be(0)),
        ]
        .concat()
    }

    /// A part: one fragment.
    pub(super) fn part(&self, rendition: Rendition, segment: &Segment, index: u64) -> Vec<u8> {
        let (start, end) = segment.part(index);
        self.fragment(rendition, segment, start..end, 0)
    }

    /// A whole segment: its parts in a row.
    pub(crate) fn whole(&self, rendition: Rendition, segment: &Segment) -> Vec<u8> {
        if self.wrong(Fault::SegmentRemuxed) {
            return self.fragment(rendition, segment, segment.start..segment.end, 0);
        }
        (0..segment.len())
            .flat_map(|index| {
                let (start, end) = segment.part(index);
                let last = index + 1 == segment.len();
                // One frame of video less, two of sound.
                let missing = if last && self.wrong(Fault::SegmentLacksSamples) { 40 } else { 0 };
                let late = u64::from(self.wrong(Fault::SegmentTimesDiffer));
                self.fragment(rendition, segment, start..end - missing, late)
            })
            .collect()
    }

    /// The frames between two moments of a segment, `late` ticks later than they are.
    fn fragment(
        &self,
        rendition: Rendition,
        segment: &Segment,
        Range { start, end }: Range<u64>,
        late: u64,
    ) -> Vec<u8> {
        let track = rendition.track();
        let ticks = |millis: u64| millis * u64::from(track.ticks);
        let frames = ticks(end - start) / u64::from(track.frame);
        let without_idr = self.wrong(Fault::SegmentWithoutIdr) && segment.msn % 2 == 1;
        let samples: Vec<(u32, Vec<u8>)> = (0..frames)
            .map(|frame| {
                let sync = !track.video || (start == segment.start && frame == 0 && !without_idr);
                let len = if sync { track.sizes.0 } else { track.sizes.1 };
                (if sync { SYNC } else { NON_SYNC }, if track.video { nal(sync, len) } else { vec![0x21; len] })
            })
            .collect();
        let decode_time = ticks(self.decode_time(rendition, segment, start)) + late;
        let sequence = u32::try_from(start / 100).unwrap();
        // `data_offset` counts from the start of the moof, whose size does not depend on it.
        let moof_len = self.moof(sequence, decode_time, &samples, 0).len();
        let moof = self.moof(sequence, decode_time, &samples, u32::try_from(moof_len + 8).unwrap());
        let data: Vec<u8> = samples.into_iter().flat_map(|(_, data)| data).collect();
        [moof, atom(b"mdat", &data)].concat()
    }

    /// Where a moment is on the time line of the media, in milliseconds: every stretch begins anew.
    fn decode_time(&self, rendition: Rendition, segment: &Segment, at: u64) -> u64 {
        let mut first = segment.msn;
        while first > 0 && self.segment(rendition, first - 1).stretch == segment.stretch {
            first -= 1;
        }
        let time = at - self.segment(rendition, first).start;
        if self.wrong(Fault::TimestampsJump) && at >= FAULT_AT {
            return time + 500;
        }
        if self.wrong(Fault::TimestampsUnmatched) && rendition == Rendition::Audio {
            return time + 3_600_000;
        }
        if self.wrong(Fault::TimestampsRounded) { time / 100 * 100 } else { time }
    }

    fn moof(&self, sequence: u32, decode_time: u64, samples: &[(u32, Vec<u8>)], data_offset: u32) -> Vec<u8> {
        let track_id = if self.wrong(Fault::WrongTrackId) { TRACK_ID + 1 } else { TRACK_ID };
        let tfhd = if self.wrong(Fault::BaseDataOffset) {
            full(b"tfhd", 1, &[&be(track_id)[..], &[0; 8]].concat())
        } else {
            // default-base-is-moof.
            full(b"tfhd", 0x02_0000, &be(track_id))
        };
        let tfdt =
            if self.wrong(Fault::NoTfdt) { Vec::new() } else { full(b"tfdt", 1 << 24, &decode_time.to_be_bytes()) };
        let entries = samples.iter().flat_map(|(flags, data)| [be(u32::try_from(data.len()).unwrap()), be(*flags)]);
        let count = u32::try_from(samples.len()).unwrap();
        // data-offset, sample-size and sample-flags present; durations are the default.
        let trun = full(
            b"trun",
            0x601,
            &[&be(count)[..], &be(data_offset), entries.flatten().collect::<Vec<_>>().as_slice()].concat(),
        );
        let traf = atom(b"traf", &[tfhd, tfdt, trun].concat());
        atom(b"moof", &[full(b"mfhd", 0, &be(sequence)), traf].concat())
    }
}

/// A slice of an IDR picture, or of another, behind its length.
fn nal(idr: bool, len: usize) -> Vec<u8> {
    let mut data = be(u32::try_from(len - 4).unwrap()).to_vec();
    data.push(if idr { 0x65 } else { 0x41 });
    data.resize(len, 0xff);
    data
}

fn size(rendition: Rendition) -> (u16, u16) {
    match rendition {
        Rendition::High => (1280, 720),
        Rendition::Low => (640, 360),
        Rendition::Audio => (0, 0),
    }
}

fn unity_matrix() -> Vec<u8> {
    [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000].map(be).concat()
}

/// A box: ISO/IEC 14496-12 4.2.
fn atom(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&be(u32::try_from(content.len() + 8).unwrap())[..], kind, content].concat()
}

/// A box with version and flags.
fn full(kind: &[u8; 4], version_and_flags: u32, content: &[u8]) -> Vec<u8> {
    atom(kind, &[&be(version_and_flags)[..], content].concat())
}

fn be(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
