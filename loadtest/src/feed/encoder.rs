//! The encoder: ffmpeg as a child process that takes raw pictures and pushes FLV over RTMP.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Options;
use crate::Error;
use crate::picture::Picture;

/// ffmpeg gets this long to say goodbye to the server before it is killed.
const GOODBYE: Duration = Duration::from_secs(2);

/// A running ffmpeg. Dropping it kills it.
pub(super) struct Encoder {
    child: Child,
    pictures: ChildStdin,
    said: JoinHandle<Option<String>>,
}

impl Encoder {
    /// Starts ffmpeg; what it says on its standard error is passed on line by line.
    pub(super) fn start(options: &Options) -> Result<Self, Error> {
        let mut child = Command::new("ffmpeg")
            .args(arguments(options))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::starting_ffmpeg)?;
        let (Some(pictures), Some(stderr)) = (child.stdin.take(), child.stderr.take()) else {
            return Err(Error::Io { doing: "starting ffmpeg", source: io::Error::other("it has no pipes") });
        };
        let (secret, shown) = (options.url.clone(), options.shown_url());
        let said = tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            let mut last = None;
            while let Ok(Some(line)) = lines.next_line().await {
                let line = line.replace(&secret, &shown);
                eprintln!("feed: ffmpeg: {line}");
                last = Some(line);
            }
            last
        });
        Ok(Self { child, pictures, said })
    }

    /// Hands over one picture; waits while ffmpeg is busy. An error means that ffmpeg is gone.
    pub(super) async fn write(&mut self, picture: &Picture) -> io::Result<()> {
        for plane in picture.planes() {
            self.pictures.write_all(plane.bytes()).await?;
        }
        self.pictures.flush().await
    }

    /// Why ffmpeg took no more pictures.
    pub(super) async fn reason(self) -> Result<Error, Error> {
        let Self { mut child, pictures, said } = self;
        drop(pictures);
        let status = wait(&mut child).await?;
        Ok(Error::EncoderEnded { status, said: said.await.ok().flatten() })
    }

    /// Ends the feed: ffmpeg sends what it has and unpublishes.
    pub(super) async fn finish(self) -> Result<(), Error> {
        let Self { mut child, pictures, said } = self;
        // A stop can fall into the middle of a picture; what ffmpeg has to say about that is of no use to anybody.
        said.abort();
        drop(pictures);
        wait(&mut child).await?;
        Ok(())
    }
}

async fn wait(child: &mut Child) -> Result<std::process::ExitStatus, Error> {
    let failed = |source| Error::Io { doing: "waiting for ffmpeg", source };
    if let Ok(status) = timeout(GOODBYE, child.wait()).await {
        return status.map_err(failed);
    }
    child.start_kill().map_err(failed)?;
    child.wait().await.map_err(failed)
}

/// Low-latency settings as a broadcaster would make them: constant bitrate with a one second buffer, closed GOPs of equal length.
fn arguments(options: &Options) -> Vec<String> {
    let (gop, bits) = (options.gop.frames(options.frame_rate), options.bitrate.0);
    // Probing and queues would hold frames back; these options describe them fully, and each is taken when it comes.
    let pictures = format!(
        "-hide_banner -loglevel error -probesize 32 -analyzeduration 0 -thread_queue_size 1 \
         -f rawvideo -pix_fmt yuv420p -video_size {} -framerate {} -i pipe:0",
        options.size,
        options.frame_rate.as_fraction(),
    );
    let tone = "-f lavfi -i sine=frequency=440:beep_factor=4:sample_rate=48000 -c:a aac -b:a 128k -ar 48000 -ac 2";
    let sound = if options.no_audio { "" } else { tone };
    let video = format!(
        "-c:v libx264 -preset superfast -tune zerolatency -profile:v high -pix_fmt yuv420p \
         -colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv \
         -g {gop} -keyint_min {gop} -sc_threshold 0 -flags +cgop -bf {} -b:v {bits} -maxrate {bits} -bufsize {bits}",
        options.bframes,
    );
    // The tone has no end of its own.
    let output = "-shortest -flvflags no_duration_filesize -f flv -rtmp_live live -tcp_nodelay 1";
    let words = [&pictures, sound, &video, output].into_iter().flat_map(str::split_whitespace);
    words.chain([options.url.as_str()]).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn command(line: &str) -> String {
        arguments(&Cli::parse_from(format!("feed {line}").split_whitespace()).options).join(" ")
    }

    #[test]
    fn ffmpeg_is_told_everything_about_the_pictures_it_gets() {
        insta::assert_snapshot!(command("rtmp://127.0.0.1/live/main"));
        insta::assert_snapshot!(command(
            "--size 640x360 --frame-rate 29.97 --gop 1s --bitrate 800k --bframes 2 --no-audio rtmp://127.0.0.1/live/main?key=s3cret"
        ));
    }
}
