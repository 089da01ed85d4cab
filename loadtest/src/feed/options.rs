//! What a feed looks like: the command line, parsed into types.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use crate::Error;

/// Push a moving test picture with clocks and a tone over RTMP, until stopped.
///
/// The picture is drawn here, frame by frame on the wall clock, and encoded and sent by ffmpeg (H.264 by libx264, AAC). It shows the time
/// at which it was drawn twice: for people, and as a frame clock for machines, so that a viewer can tell the latency from glass to glass.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  touchline-loadtest feed --size 1280x720 --frame-rate 29.97 rtmp://127.0.0.1/live/main"
)]
pub struct Options {
    /// Width and height in pixels, both even
    #[arg(long, default_value = "1280x720", value_name = "WxH")]
    pub size: Size,
    /// Frames per second: 30, 29.97 or 30000/1001
    #[arg(long, default_value = "30")]
    pub frame_rate: FrameRate,
    /// Time from keyframe to keyframe: 2s, or a number of frames
    #[arg(long, default_value = "2s")]
    pub gop: Gop,
    /// Video bits per second: 3000k or 3M
    #[arg(long, default_value = "3000k")]
    pub bitrate: Bitrate,
    /// B-frames between two other frames
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=16))]
    pub bframes: u8,
    /// Send no sound
    #[arg(long)]
    pub no_audio: bool,
    /// Give up when the server goes away rather than connect again
    #[arg(long)]
    pub once: bool,
    /// Where to publish: `rtmp://HOST[:PORT]/live/CHANNEL[?key=SECRET]`
    #[arg(value_name = "RTMP_URL")]
    pub url: String,
}

impl Options {
    /// The URL as it may be logged: without the secret.
    pub fn shown_url(&self) -> String {
        self.url.split_once('?').map_or_else(|| self.url.clone(), |(address, _)| format!("{address}?..."))
    }

    /// What the test card says about itself.
    pub fn caption(&self) -> String {
        format!("{}X{}   {} FPS", self.size.width, self.size.height, self.frame_rate)
    }
}

impl Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, frame_rate, gop, bitrate, bframes, .. } = self;
        let (frames, sound) = (gop.frames(*frame_rate), if self.no_audio { "no sound" } else { "AAC 128 kb/s" });
        write!(
            f,
            "{size} at {frame_rate} frames/s, H.264 {bitrate}, a keyframe each {frames} frames, {bframes} B-frames, {sound}"
        )
    }
}

/// Width and height in pixels: even, and large enough for the frame clock to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// 320 to 3840.
    pub width: usize,
    /// 180 to 2160.
    pub height: usize,
}

impl FromStr for Size {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        match parsed {
            Some((width @ 320..=3840, height @ 180..=2160)) if width % 2 == 0 && height % 2 == 0 => {
                Ok(Self { width, height })
            }
            _ => Err(bad("picture size", text, "even numbers from 320x180 to 3840x2160, like 1280x720")),
        }
    }
}

impl Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// Frames per second as an exact fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRate {
    numerator: u32,
    denominator: u32,
}

impl FrameRate {
    const MAX: u32 = 120;

    /// The time that `frames` frames take.
    pub fn duration_of(self, frames: u64) -> Duration {
        let nanos = u128::from(frames) * u128::from(self.denominator) * 1_000_000_000 / u128::from(self.numerator);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Whole frames that fit into `time`.
    pub fn frames_in(self, time: Duration) -> u64 {
        let frames = time.as_nanos() * u128::from(self.numerator) / (u128::from(self.denominator) * 1_000_000_000);
        u64::try_from(frames).unwrap_or(u64::MAX)
    }

    /// As ffmpeg takes it: `30000/1001`.
    pub fn as_fraction(self) -> String {
        format!("{}/{}", self.numerator, self.denominator)
    }
}

impl FromStr for FrameRate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = match text {
            "23.976" | "23.98" => Some((24_000, 1001)),
            "29.97" => Some((30_000, 1001)),
            "59.94" => Some((60_000, 1001)),
            _ => {
                let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
                numerator.parse().ok().zip(denominator.parse().ok())
            }
        };
        match parsed {
            Some((numerator, denominator @ 1..)) if (1..=Self::MAX).contains(&(numerator / denominator)) => {
                Ok(Self { numerator, denominator })
            }
            _ => Err(bad("frame rate", text, "1 to 120 frames per second, like 30, 59.94 or 30000/1001")),
        }
    }
}

impl Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = format!("{:.3}", f64::from(self.numerator) / f64::from(self.denominator));
        f.write_str(rounded.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Time from keyframe to keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gop {
    /// In time, rounded down to whole frames, but at least one.
    Time(Duration),
    /// In frames.
    Frames(u64),
}

impl Gop {
    /// Frames from keyframe to keyframe at this rate.
    pub fn frames(self, rate: FrameRate) -> u64 {
        match self {
            Self::Time(time) => rate.frames_in(time + rate.duration_of(1) / 2).max(1),
            Self::Frames(frames) => frames,
        }
    }
}

impl FromStr for Gop {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = match text.strip_suffix('s') {
            Some(seconds) => {
                seconds.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).map(Self::Time)
            }
            None => text.parse().ok().map(Self::Frames),
        };
        match parsed {
            Some(Self::Time(time)) if time > Duration::from_mins(1) => None,
            Some(Self::Frames(0 | 7201..)) | None => None,
            good => good,
        }
        .ok_or_else(|| {
            bad("keyframe interval", text, "a time up to 60s, like 2s or 0.5s, or a number of frames, like 60")
        })
    }
}

/// Bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bitrate(
    /// Bits per second, 50,000 to 100,000,000.
    pub u32,
);

impl FromStr for Bitrate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (digits, unit) = match text.strip_suffix(['k', 'K']) {
            Some(digits) => (digits, 1_000),
            None => text.strip_suffix(['m', 'M']).map_or((text, 1), |digits| (digits, 1_000_000)),
        };
        match digits.parse::<u32>().ok().and_then(|number| number.checked_mul(unit)) {
            Some(bits @ 50_000..=100_000_000) => Ok(Self(bits)),
            _ => Err(bad("bitrate", text, "50k to 100M bits per second, like 3000k or 3M")),
        }
    }
}

impl Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kb/s", self.0 / 1000)
    }
}

fn bad(what: &'static str, value: &str, expected: &'static str) -> Error {
    Error::Argument { what, value: value.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: FromStr<Err = Error> + fmt::Debug>(text: &str) -> String {
        text.parse::<T>().unwrap_err().to_string()
    }

    #[test]
    fn rates_are_exact_and_shown_as_people_write_them() {
        for (typed, fraction, shown) in [
            ("30", "30/1", "30"),
            ("29.97", "30000/1001", "29.97"),
            ("60000/1001", "60000/1001", "59.94"),
            ("25/1", "25/1", "25"),
        ] {
            let rate: FrameRate = typed.parse().unwrap();
            assert_eq!((rate.as_fraction(), rate.to_string()), (fraction.to_owned(), shown.to_owned()));
        }
    }

    #[test]
    fn keyframe_intervals_become_whole_frames() {
        for (gop, rate, frames) in
            [("2s", "30", 60), ("2s", "29.97", 60), ("2s", "59.94", 120), ("0.01s", "25", 1), ("48", "24", 48)]
        {
            assert_eq!(gop.parse::<Gop>().unwrap().frames(rate.parse().unwrap()), frames, "{gop} at {rate}");
        }
    }

    #[test]
    fn bitrates_take_the_usual_suffixes() {
        for (typed, bits) in [("3000k", 3_000_000), ("3M", 3_000_000), ("800000", 800_000)] {
            assert_eq!(typed.parse::<Bitrate>().unwrap(), Bitrate(bits));
        }
    }

    #[test]
    fn what_cannot_be_made_is_refused_with_an_example() {
        let size = r#""721x405" is not a picture size: even numbers from 320x180 to 3840x2160, like 1280x720"#;
        assert_eq!(refused::<Size>("721x405"), size);
        for text in ["", "1280", "0x0", "-2x4", "99999x99999"] {
            refused::<Size>(text);
        }
        for text in ["0", "30/0", "500", "-30", "fast", "1/2"] {
            refused::<FrameRate>(text);
        }
        for text in ["0", "-1s", "1e9s", "NaNs", "s", "100000"] {
            refused::<Gop>(text);
        }
        for text in ["", "1", "5000M", "5G", "k"] {
            refused::<Bitrate>(text);
        }
    }
}
