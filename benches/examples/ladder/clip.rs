//! The clip: encoded once by ffmpeg, read as a publisher's FLV is.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use touchline_benches::flv;
use touchline_media::{Kind, MediaTime, Sample, Track, TrackId};

/// Width, height and kilobits per second, best first.
const RUNGS: [(u32, u32, u32); 3] = [(640, 360, 800), (480, 270, 400), (320, 180, 200)];
/// A whole number of keyframe intervals, and of AAC frames at 48 kHz, so that sound and picture repeat together.
const SECONDS: u32 = 8;
const KEYFRAME_SECONDS: u32 = 2;
const FRAMES_PER_SECOND: u32 = 30;

/// Some seconds of a ladder.
pub(crate) struct Clip {
    /// The rungs, best first, then the sound.
    pub(crate) tracks: Arc<[Track]>,
    /// In the order of decoding, of all tracks together, from zero on.
    samples: Vec<Sample>,
}

impl Clip {
    /// The samples over and over, each with the time at which it is complete.
    pub(crate) fn repeated(&self) -> impl Iterator<Item = (Duration, Sample)> + '_ {
        (0_u32..).flat_map(move |turn| {
            self.samples.iter().map(move |sample| {
                let later = Duration::from_secs(u64::from(SECONDS)) * turn;
                let moved = |time: MediaTime| {
                    let later = MediaTime::from_duration(later, time.timescale());
                    MediaTime::new(time.ticks() + later.ticks(), time.timescale())
                };
                let sample = Sample { dts: moved(sample.dts), pts: moved(sample.pts), ..sample.clone() };
                let lasts = self.tracks.iter().find(|track| track.id == sample.track).and_then(Track::frame_duration);
                let due = sample.dts.to_duration() + lasts.map_or(Duration::ZERO, MediaTime::to_duration);
                (due, sample)
            })
        })
    }
}

/// Encodes the clip.
pub(crate) fn encode() -> Result<Clip, Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("touchline-ladder-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let clip = run_ffmpeg(&folder).and_then(|files| read(&files));
    std::fs::remove_dir_all(&folder)?;
    clip
}

/// One FLV file for each rung, the first with sound.
fn run_ffmpeg(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let files: Vec<PathBuf> = RUNGS.iter().map(|(_, height, _)| folder.join(format!("{height}.flv"))).collect();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-loglevel", "error"]);
    let picture = format!("testsrc2=size=640x360:rate={FRAMES_PER_SECOND}:duration={SECONDS}");
    // The encoder's delay is cut off after decoding; more sound than picture, so that enough is left.
    let sound = format!("sine=frequency=440:sample_rate=48000:duration={}", SECONDS + 1);
    ffmpeg.args(["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound]);
    for ((width, height, kilobits), file) in RUNGS.iter().zip(&files) {
        let keyframes = (FRAMES_PER_SECOND * KEYFRAME_SECONDS).to_string();
        ffmpeg.args(["-map", "0:v", "-vf", &format!("scale={width}:{height}"), "-pix_fmt", "yuv420p"]);
        ffmpeg.args(["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency"]);
        ffmpeg.args(["-b:v", &format!("{kilobits}k")]);
        ffmpeg.args(["-g", &keyframes, "-keyint_min", &keyframes, "-sc_threshold", "0"]);
        if file == files.first().unwrap_or(file) {
            ffmpeg.args(["-map", "1:a", "-ac", "2", "-c:a", "aac", "-b:a", "96k"]);
        }
        ffmpeg.args(["-f", "flv"]).arg(file);
    }
    let output = ffmpeg.stdout(Stdio::null()).output().map_err(|error| format!("cannot run ffmpeg: {error}"))?;
    if !output.status.success() {
        return Err(format!("ffmpeg failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(files)
}

/// Puts the rungs, and the sound of the first, side by side.
fn read(files: &[PathBuf]) -> Result<Clip, Box<dyn Error>> {
    let (mut pictures, mut sound) = (Vec::new(), Vec::new());
    let mut samples = Vec::new();
    for (rung, file) in files.iter().enumerate() {
        let of_file = samples_of(&std::fs::read(file)?)?;
        for track in of_file.tracks.iter() {
            let kept = match track.format.kind() {
                Kind::Video => &mut pictures,
                Kind::Audio => &mut sound,
            };
            let id = match track.format.kind() {
                Kind::Video => TrackId(u32::try_from(rung)?),
                Kind::Audio => TrackId(u32::try_from(files.len())?),
            };
            kept.push(Track { id, ..track.clone() });
            let of_track = of_file.samples.iter().filter(|sample| sample.track == track.id).take(count(track));
            samples.extend(from_zero(of_track.map(|sample| Sample { track: id, ..sample.clone() })));
        }
    }
    samples.sort_by_key(|sample| sample.dts);
    pictures.append(&mut sound);
    Ok(Clip { tracks: pictures.into(), samples })
}

/// Every track begins at zero: with sound in a file, its encoder's delay moves the pictures by a tick or two.
fn from_zero(samples: impl Iterator<Item = Sample>) -> impl Iterator<Item = Sample> {
    let mut first = None;
    samples.map(move |sample| {
        let first = *first.get_or_insert(sample.dts.ticks());
        let moved = |time: MediaTime| MediaTime::new(time.ticks() - first, time.timescale());
        Sample { dts: moved(sample.dts), pts: moved(sample.pts), ..sample }
    })
}

/// How many samples of a track make the clip.
fn count(track: &Track) -> usize {
    let ticks = u64::from(SECONDS) * u64::from(track.timescale.get());
    usize::try_from(ticks / u64::from(track.frame_ticks.unwrap_or(1))).unwrap_or(usize::MAX)
}

/// What the server would make of an FLV file that was sent to it as fast as it is played.
fn samples_of(file: &[u8]) -> Result<Clip, Box<dyn Error>> {
    let began = Instant::now();
    let mut tags = flv::Reader::default();
    tags.extend(file);
    let messages = tags.filter_map(|tag| tag.media(began + Duration::from_millis(tag.timestamp().into())));
    let (tracks, samples) = touchline_benches::samples_of(messages)?;
    Ok(Clip { tracks, samples })
}
