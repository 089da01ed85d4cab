//! The source: encoded once by ffmpeg as a publisher's encoder does it, then repeated for as long as it is needed.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use touchline_benches::flv;
use touchline_media::{Kind, Sample, Track};

pub(crate) const WIDTH: u32 = 1_280;
pub(crate) const HEIGHT: u32 = 720;
pub(crate) const FRAMES_PER_SECOND: u32 = 30;
pub(crate) const GOP_SECONDS: u32 = 2;
/// A whole number of GOPs, after which it begins again.
const SECONDS: u32 = 20;
const BITRATE: &str = "3M";
/// Sharp edges and text that move, and grain, which is what a camera adds.
const PICTURES: &str = "testsrc2=size=1280x720:rate=30,noise=alls=6:allf=t";

/// Access units of 720p30 H.264 with a keyframe every two seconds and no B-frames.
pub(crate) struct Source {
    /// What the access units are.
    pub(crate) track: Track,
    /// What comes in front of the first access unit as FLV.
    pub(crate) preamble: Bytes,
    units: Vec<(flv::Tag, Sample)>,
}

/// An access unit, in both forms in which it is sent.
pub(crate) struct Unit {
    /// Counts from zero.
    pub(crate) frame: usize,
    /// As FLV.
    pub(crate) tag: flv::Tag,
    /// In ticks of the track.
    pub(crate) pts: i64,
    pub(crate) sync: bool,
    pub(crate) data: Bytes,
}

impl Source {
    /// Encodes a test pattern, or `clip` as often as it takes.
    pub(crate) fn encode(clip: Option<&Path>) -> Result<Self, Box<dyn Error>> {
        let mut tags = flv::Reader::default();
        tags.extend(&run_ffmpeg(clip)?);
        // E.4.3.1: AVCPacketType 1 is an access unit.
        let is_unit = |tag: &flv::Tag| tag.kind() == Some(Kind::Video) && tag.body().get(1) == Some(&1);
        let all: Vec<flv::Tag> = tags.by_ref().collect();
        let head = all.iter().take_while(|tag| !is_unit(tag)).flat_map(|tag| tag.bytes().iter());
        let preamble = tags.header().into_iter().flatten().chain(head).copied().collect();
        let (tracks, samples) = touchline_benches::samples_of(all.iter().filter_map(|tag| tag.media(Instant::now())))?;
        let track = tracks.first().ok_or("ffmpeg has made no pictures")?.clone();
        let units: Vec<_> = all.into_iter().filter(is_unit).zip(samples).collect();
        match (units.len(), (SECONDS * FRAMES_PER_SECOND) as usize) {
            (made, wanted) if made == wanted => Ok(Self { track, preamble, units }),
            (made, wanted) => Err(format!("ffmpeg has made {made} access units of {wanted}").into()),
        }
    }

    /// Access units from `frame` on; they never end.
    pub(crate) fn from(&self, frame: usize) -> impl Iterator<Item = Unit> + '_ {
        (frame..).zip(self.units.iter().cycle().skip(frame % self.units.len())).map(|(frame, (tag, sample))| {
            let turns = u32::try_from(frame / self.units.len()).unwrap_or(u32::MAX);
            let later = i64::from(turns * SECONDS) * i64::from(self.track.timescale.get());
            Unit {
                frame,
                tag: tag.at(tag.timestamp() + turns * SECONDS * 1_000),
                pts: sample.pts.ticks() + later,
                sync: sample.sync,
                data: sample.data.clone(),
            }
        })
    }
}

/// When a picture is due, counted from the first.
pub(crate) fn time_of(frame: usize) -> Duration {
    Duration::from_secs(frame as u64) / FRAMES_PER_SECOND
}

/// The FLV file.
fn run_ffmpeg(clip: Option<&Path>) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-loglevel", "error"]);
    match clip {
        Some(clip) => ffmpeg.args(["-stream_loop", "-1", "-i"]).arg(clip),
        None => ffmpeg.args(["-f", "lavfi", "-i", PICTURES]),
    };
    let gop = (GOP_SECONDS * FRAMES_PER_SECOND).to_string();
    let fit = format!("scale={WIDTH}:{HEIGHT}:flags=lanczos,setsar=1,fps={FRAMES_PER_SECOND}");
    ffmpeg.args(["-an", "-vf", &fit, "-pix_fmt", "yuv420p", "-t", &SECONDS.to_string()]);
    ffmpeg.args(["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", &gop, "-sc_threshold", "0"]);
    ffmpeg.args(["-b:v", BITRATE, "-maxrate", BITRATE, "-bufsize", BITRATE, "-f", "flv", "pipe:1"]);
    let output = ffmpeg.output().map_err(|error| format!("cannot run ffmpeg: {error}"))?;
    if !output.status.success() {
        return Err(format!("ffmpeg failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(output.stdout)
}
