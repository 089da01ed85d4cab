//! Files, and what ffmpeg makes of and for them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use bytes::Bytes;
use tokio::process::Command;

use super::MAX_FILE;
use crate::Error;

/// The built-in clip is kept under this name, which says what is in it; another clip gets another name.
const NAME: &str = "publish-720p30-3000k-8s-1.mp4";
/// 720p30 in H.264 at 3 Mb/s with a keyframe every two seconds, AAC and Opus. Eight seconds are whole numbers of keyframe intervals, of
/// AAC frames and of Opus packets, so that all repeat together.
const CLIP: &str = "-f lavfi -i testsrc2=size=1280x720:rate=30,noise=alls=10:allf=t -f lavfi -i sine=frequency=440:beep_factor=4:sample_rate=48000 \
    -map 0:v -map 1:a -map 1:a -t 8 -c:v libx264 -preset superfast -tune zerolatency -x264-params sliced-threads=0 -pix_fmt yuv420p \
    -g 60 -keyint_min 60 -sc_threshold 0 -b:v 3M -maxrate 3M -bufsize 3M -c:a:0 aac -c:a:1 libopus -b:a 128k -ac 2";

/// Where the built-in clip is, which is made when it is not there.
pub(super) async fn built_in() -> Result<PathBuf, Error> {
    let folder = cache();
    let path = folder.join(NAME);
    if path.exists() {
        return Ok(path);
    }
    eprintln!("publish: making the built-in clip, once, as {}: this takes some seconds", path.display());
    let failed = |source| Error::Io { doing: "making the folder of the built-in clip", source };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    // Others may be making it at the same time: whole files only get the name.
    let part = folder.join(format!(".{NAME}.{}", std::process::id()));
    ffmpeg(CLIP.split_whitespace().map(str::to_owned), &part).await?;
    let failed = |source| Error::Io { doing: "keeping the built-in clip", source };
    std::fs::rename(&part, &path).map_err(failed)?;
    Ok(path)
}

/// All of a file.
pub(super) fn read(path: &Path) -> Result<Bytes, Error> {
    let failed = |what: String| Error::Media { file: path.to_owned(), what };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > MAX_FILE {
        return Err(failed(format!(
            "it has {size} bytes, and {MAX_FILE} is the most that is read: cut out some seconds"
        )));
    }
    std::fs::read(path).map(Into::into).map_err(|error| failed(error.to_string()))
}

/// What is in a file of any other format, as MP4.
pub(super) async fn remuxed(path: &Path) -> Result<Bytes, Error> {
    eprintln!("publish: {} is neither MP4 nor FLV: ffmpeg makes MP4 of it", path.display());
    let part = std::env::temp_dir().join(format!("touchline-publish-{}.mp4", std::process::id()));
    let source = path.to_string_lossy().into_owned();
    let streams = ["-map", "0:v:0?", "-map", "0:a?", "-c", "copy"].map(str::to_owned);
    let made = ffmpeg(["-i".to_owned(), source].into_iter().chain(streams), &part).await;
    let file = match made {
        Ok(()) => read(&part),
        Err(error) => Err(error),
    };
    // It is small, and in the folder of what is temporary.
    let _ = std::fs::remove_file(&part);
    file
}

async fn ffmpeg(arguments: impl Iterator<Item = String>, to: &Path) -> Result<(), Error> {
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(arguments)
        .args(["-f", "mp4"])
        .arg(to)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(Error::starting_ffmpeg)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).lines().last().map(str::to_owned);
    Err(Error::EncoderEnded { status: output.status, said })
}

/// Where this user's programs keep what they can make again (XDG base directory specification).
fn cache() -> PathBuf {
    let home =
        || std::env::var_os("HOME").filter(|home| !home.is_empty()).map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|cache| !cache.is_empty()).map(PathBuf::from);
    cache.or_else(home).unwrap_or_else(std::env::temp_dir).join("touchline")
}
