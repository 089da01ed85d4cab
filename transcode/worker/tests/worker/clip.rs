//! Sources: made by ffmpeg, read as access units.

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use mp4_atom::{Decode as _, Moof};
use touchline_transcode::message::{Input, InputKind};
use touchline_transcode::plan::{Codec, Source};

/// The access units of one track, in the order of decoding.
#[derive(Clone)]
pub(crate) struct Clip {
    pub(crate) source: Source,
    pub(crate) inputs: Vec<Input>,
}

impl Clip {
    /// What `ffmpeg` makes of `arguments`, which name inputs, filters and the encoder.
    pub(crate) fn make(codec: Codec, arguments: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clip.mp4");
        run_ffmpeg(arguments, &file);
        read(codec, &std::fs::read(file).unwrap())
    }

    /// The PTS of all access units, in the order of presentation.
    pub(crate) fn pts(&self) -> Vec<i64> {
        sorted(self.inputs.iter().map(|input| input.pts))
    }

    /// The PTS of the sync samples.
    pub(crate) fn sync_pts(&self) -> Vec<i64> {
        sorted(self.inputs.iter().filter(|input| input.sync).map(|input| input.pts))
    }

    /// Everything later by so many ticks.
    pub(crate) fn later(mut self, ticks: i64) -> Self {
        for input in &mut self.inputs {
            input.pts += ticks;
            input.dts += ticks;
        }
        self
    }
}

pub(crate) fn run_ffmpeg(arguments: &str, file: &Path) {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-loglevel", "error", "-y"]).args(arguments.split_whitespace());
    ffmpeg.args(["-movflags", "frag_every_frame+empty_moov+default_base_moof", "-video_track_timescale", "30000"]);
    let output = ffmpeg.arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The luma of all pictures of an H.264 byte stream.
pub(crate) fn decode_luma(stream: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clip.h264");
    std::fs::write(&file, stream).unwrap();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-loglevel", "error", "-i"]).arg(file).args([
        "-vf",
        "extractplanes=y",
        "-f",
        "rawvideo",
        "-",
    ]);
    let output = ffmpeg.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn sorted(pts: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut pts: Vec<i64> = pts.collect();
    pts.sort_unstable();
    pts
}

/// Each fragment has one sample.
fn read(codec: Codec, file: &[u8]) -> Clip {
    let (mut rest, mut fragment, mut inputs) = (file, None, Vec::new());
    while !rest.is_empty() {
        let size = length(rest);
        match &rest[4..8] {
            b"moof" => fragment = Some(Moof::decode(&mut &rest[..size]).unwrap()),
            b"mdat" => inputs.push(sample(codec, &fragment.take().unwrap(), Bytes::copy_from_slice(&rest[8..size]))),
            _ => {}
        }
        rest = &rest[size..];
    }
    // ISO/IEC 14496-12 8.4.2.2: behind version, flags and two times.
    let timescale = u32::try_from(length(&body(file, *b"mdhd")[12..])).unwrap();
    Clip { source: Source { codec, timescale, record: record(codec, file) }, inputs }
}

/// The first four bytes as a number.
fn length(bytes: &[u8]) -> usize {
    u32::from_be_bytes(bytes[..4].try_into().unwrap()).try_into().unwrap()
}

/// What is in the first box of this name, wherever it is.
fn body(file: &[u8], name: [u8; 4]) -> &[u8] {
    let at = file.windows(4).position(|four| four == name).unwrap();
    &file[at + 4..at - 4 + length(&file[at - 4..])]
}

fn sample(codec: Codec, moof: &Moof, data: Bytes) -> Input {
    let track = &moof.traf[0];
    let entry = track.trun[0].samples.get(0).unwrap();
    let dts = i64::try_from(track.tfdt.as_ref().unwrap().base_media_decode_time).unwrap();
    // ISO/IEC 14496-12 8.8.3.1: sample_is_non_sync_sample.
    let flags = entry.flags.or(track.tfhd.default_sample_flags).unwrap_or_default();
    let kind = if matches!(codec, Codec::Aac | Codec::Opus) { InputKind::Audio } else { InputKind::Video };
    Input { kind, sync: flags & 0x1_0000 == 0, replay: false, pts: dts + entry.cts.unwrap_or_default(), dts, data }
}

/// The body of the box with the decoder configuration.
fn record(codec: Codec, file: &[u8]) -> Vec<u8> {
    let name = match codec {
        Codec::H264 => *b"avcC",
        Codec::H265 => *b"hvcC",
        Codec::Av1 => *b"av1C",
        Codec::Aac => *b"esds",
        Codec::Opus => *b"dOps",
    };
    let body = body(file, name);
    match codec {
        Codec::Aac => {}
        Codec::Opus => return opus_head(body),
        _ => return body.to_vec(),
    }
    // ISO/IEC 14496-1 7.2.6.7: DecoderSpecificInfo has tag 5; ffmpeg writes its length in four bytes.
    let tag = body.windows(4).position(|four| four == [5, 0x80, 0x80, 0x80]).unwrap();
    let length = usize::from(body[tag + 4]);
    body[tag + 5..tag + 5 + length].to_vec()
}

/// RFC 7845 5.1 of an `OpusSpecificBox`, for a decoder that begins in the middle: nothing is skipped.
fn opus_head(dops: &[u8]) -> Vec<u8> {
    let [_, channels, _, _, rate @ .., gain1, gain0, family] = *dops.first_chunk::<11>().unwrap();
    let rate: Vec<u8> = rate.into_iter().rev().collect();
    [&b"OpusHead"[..], &[1, channels, 0, 0], &rate, &[gain0, gain1, family], &dops[11..]].concat()
}
