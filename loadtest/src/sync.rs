//! `touchline-loadtest sync`: whether pictures and sound of a stream belong together, by a source that flashes and beeps at once.

mod claps;
mod decode;
mod rendition;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use url::Url;

pub use claps::{Clap, Report};

use crate::Error;
use crate::check::client::Client;
use crate::check::dial::Tcp;

/// A clap was further off than is allowed.
const OFF: u8 = 1;

/// Measure lip sync: how much later each beep of a clapper is than its flash, in the media that viewers get.
///
/// The source has to be dark and silent but for a white picture and a tone that begin at the same instant, once a second. What is
/// measured is media time, not time of arrival: it is exact to a millisecond of the sound and to the first white picture.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example, with a clapper by ffmpeg:\n  \
    ffmpeg -re -f lavfi -i \"color=s=640x360:r=30,drawbox=color=white:t=fill:enable='eq(mod(n,30),15)'\" \\\n    \
    -f lavfi -i \"aevalsrc='sin(2000*PI*t)*between(mod(t,1),0.5,0.55)':s=48000\" \\\n    \
    -c:v libx264 -preset veryfast -g 30 -c:a aac -f flv rtmp://127.0.0.1/live/main\n  \
    touchline-loadtest sync http://127.0.0.1:8080/live/main/index.m3u8")]
pub struct Options {
    /// How many seconds of media to measure
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=3600))]
    pub seconds: u64,
    /// Exit with 1 when a clap is further off, in milliseconds
    #[arg(long, value_name = "MS")]
    pub within: Option<f64>,
    /// Print the measurement as JSON
    #[arg(long)]
    pub json: bool,
    /// Accept any certificate, also a self-signed one
    #[arg(long)]
    pub insecure: bool,
    /// A multivariant playlist
    #[arg(value_name = "URL")]
    pub url: Url,
}

/// Measures, prints what was found, and returns the command's exit code.
pub async fn run(options: &Options) -> Result<ExitCode, Error> {
    let report = measure(&options.url, Duration::from_secs(options.seconds), options.insecure).await?;
    print(&report, options.json).map_err(|source| Error::Io { doing: "printing the measurement", source })?;
    let off = options.within.is_some_and(|within| report.worst_ms.abs() > within);
    Ok(if off { OFF.into() } else { ExitCode::SUCCESS })
}

/// Measures so much of the stream at `url`: what is listed already, and as much more as is missing.
pub async fn measure(url: &Url, length: Duration, insecure: bool) -> Result<Report, Error> {
    let client = Client::new(Tcp, true, insecure);
    let renditions = rendition::find(&client, url).await?;
    let (pictures, sound) = tokio::try_join!(
        rendition::record(&client, &renditions.pictures, length),
        rendition::record(&client, &renditions.sound, length),
    )?;
    let (brightness, loudness) = tokio::try_join!(decode::brightness(pictures), decode::loudness(sound))?;
    claps::compare(&brightness, &loudness)
}

fn print(report: &Report, json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        let json = serde_json::to_string_pretty(report).map_err(std::io::Error::other)?;
        return writeln!(out, "{json}");
    }
    write!(out, "{report}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clapper whose sound is late by so many milliseconds. FLAC, which takes and gives samples as they are.
    async fn clapper(late: i32) -> Vec<u8> {
        let (begin, end) = (0.5 + f64::from(late) / 1e3, 0.55 + f64::from(late) / 1e3);
        let output = tokio::process::Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-t", "4", "-f", "lavfi", "-i"])
            .arg("color=s=320x180:r=25,drawbox=color=white:t=fill:enable='eq(mod(n,25),15)'")
            .args(["-t", "4", "-f", "lavfi", "-i"])
            .arg(format!("aevalsrc='sin(2000*PI*t)*between(mod(t,1),{begin},{end})':s=48000"))
            .args("-c:v libx264 -bf 2 -c:a flac -strict -2 -f mp4 -movflags empty_moov+default_base_moof -".split(' '))
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    #[tokio::test]
    async fn it_measures_to_the_millisecond_what_a_source_is_off_by() {
        for late in [-60, 100, 160] {
            let media = clapper(late).await;
            let brightness = decode::brightness(media.clone()).await.unwrap();
            let report = claps::compare(&brightness, &decode::loudness(media).await.unwrap()).unwrap();
            // The flash is the sixteenth picture of 25 a second, 100 ms after half of it.
            let expected = f64::from(late - 100);
            assert_eq!(report.claps.len(), 4, "{report}");
            assert!(report.claps.iter().all(|clap| (clap.offset_ms - expected).abs() <= 1.0), "{late}: {report}");
        }
    }
}
