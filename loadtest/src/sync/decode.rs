//! How bright the pictures of a stream are and how loud its sound is, moment by moment: by ffmpeg as a child process.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::Error;

/// Brightness or loudness from a time on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    /// Presentation time in microseconds, on the timeline of the media.
    pub(super) at_us: i64,
    /// From 0, black or silence, to 1, white or full scale.
    pub(super) level: f64,
}

/// The mean luma of each picture in video range. The mean survives scaling.
const BRIGHTNESS: &str = "scale=64:36,format=yuv420p,settb=AVTB,signalstats,\
    metadata=print:key=lavfi.signalstats.YAVG:file=-";
/// The peak of each 48 samples, a millisecond. The peak and not the energy: a tone reaches it within a quarter of its wave.
const LOUDNESS: &str = "asetnsamples=n=48:p=0,asettb=AVTB,\
    astats=metadata=1:reset=1:measure_perchannel=none:measure_overall=Peak_level,\
    ametadata=print:key=lavfi.astats.Overall.Peak_level:file=-";

/// How bright each picture of `media`, a fragmented MP4 file, is.
pub(super) async fn brightness(media: Vec<u8>) -> Result<Vec<Level>, Error> {
    let text = filter(media, ["-an", "-vf", BRIGHTNESS]).await?;
    let (black, white) = (f64::from(crate::frame_clock::BLACK), f64::from(crate::frame_clock::WHITE));
    Ok(read(&text, |luma| (luma - black) / (white - black)))
}

/// How loud each millisecond of `media`, a fragmented MP4 file, is.
pub(super) async fn loudness(media: Vec<u8>) -> Result<Vec<Level>, Error> {
    let text = filter(media, ["-vn", "-af", LOUDNESS]).await?;
    Ok(read(&text, |decibels| 10_f64.powf(decibels / 20.0)))
}

/// What a filter that prints metadata prints of `media`.
async fn filter(media: Vec<u8>, arguments: [&str; 3]) -> Result<String, Error> {
    let mut child = Command::new("ffmpeg")
        // Timestamps stay as they are: what pictures and sound have in common would be lost otherwise.
        .args(["-hide_banner", "-loglevel", "error", "-copyts", "-i", "pipe:0"])
        .args(arguments)
        .args(["-f", "null", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(Error::starting_ffmpeg)?;
    let input = child.stdin.take();
    let writing = async {
        if let Some(mut input) = input {
            // One that ends early says why on its standard error.
            drop(input.write_all(&media).await);
        }
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), writing);
    let output = output.map_err(|source| Error::Io { doing: "waiting for ffmpeg", source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).lines().last().map(str::to_owned);
        return Err(Error::EncoderEnded { status: output.status, said });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The lines of such a filter: one with the time, as `frame:0 pts:1000 pts_time:0.001`, and one with the value, as `key=-6.02`.
fn read(text: &str, level: impl Fn(f64) -> f64) -> Vec<Level> {
    let mut at_us = None;
    let mut levels = Vec::new();
    for line in text.lines() {
        if line.starts_with("frame:") {
            let pts = line.split_whitespace().find_map(|word| word.strip_prefix("pts:"));
            at_us = pts.and_then(|pts| pts.parse().ok());
        } else if let Some((at_us, (_, value))) = at_us.take().zip(line.split_once('=')) {
            // Silence has a peak of minus infinity, which parses, and becomes nought.
            levels.extend(value.parse().ok().map(|value| Level { at_us, level: level(value) }));
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_whole_microseconds_and_silence_as_nought() {
        let text = "frame:0    pts:9000000000123 pts_time:9e+06\nlavfi.x=-inf\nframe:1    pts:9000000001123 pts_time:9e+06\n\
                    lavfi.x=0.000000\nframe:2 pts:NOPTS pts_time:NOPTS\nlavfi.x=0.0\n";
        let levels = read(text, |decibels| 10_f64.powf(decibels / 20.0));
        let at = |at_us, level| Level { at_us, level };
        assert_eq!(levels, [at(9_000_000_000_123, 0.0), at(9_000_000_001_123, 1.0)]);
    }
}
