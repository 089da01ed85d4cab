//! Who publishes what: the command line, parsed into types.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::pace::Fault;
use super::target::Target;

/// The most publishers of a process.
pub const MAX_PUBLISHERS: usize = 10_000;

/// Publish from recorded media, as many encoders at a time as are asked for, and report how each of them fared.
///
/// All send what is due by the clock of the media, whether or not the server keeps up: who falls behind sends late, and how late is part
/// of the report. Without --media, the clip is made by ffmpeg the first time, and kept in the folder for caches (`$XDG_CACHE_HOME/touchline`):
/// 8 s of 720p30 in H.264 at 3 Mb/s with a keyframe every 2 s, with AAC for RTMP and SRT and Opus for WHIP; it is played over and over. Exits
/// with 1 when a publisher was refused, lost its server or never got in.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    touchline-loadtest publish rtmp://127.0.0.1/live --channels main --duration 60s\n  \
    touchline-loadtest publish srt://127.0.0.1:8890 --publishers 100 --ramp 10s --duration 60s --report srt.json\n  \
    touchline-loadtest publish rtmp://127.0.0.1/live srt://127.0.0.1:8890 http://127.0.0.1:8080/whip --publishers 30 --key s3cret\n  \
    touchline-loadtest publish rtmp://127.0.0.1/live --publishers 10 --fault drop@20s --fault stall:3s@40s --faulty 30 --seed 7")]
pub struct Options {
    /// How many publish at a time; they are dealt out to the URLs in turn [default: one for each URL]
    #[arg(long, value_name = "N", value_parser = publishers)]
    pub publishers: Option<usize>,
    /// The channels' names; {number} is the publisher's number, from 1 on
    #[arg(long, default_value = "cam{number}", value_name = "NAME")]
    pub channels: String,
    /// What is published: MP4 or FLV with H.264 and AAC or Opus, or what ffmpeg makes MP4 of without encoding, as it does of MPEG-TS
    #[arg(long, value_name = "FILE")]
    pub media: Option<PathBuf>,
    /// Play FILE over and over, with times that go on; the built-in clip always is
    #[arg(long = "loop")]
    pub looped: bool,
    /// The publishers begin one after the other over this time
    #[arg(long, default_value = "0s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub ramp: Duration,
    /// All end this long after the first has begun [default: with FILE, or when stopped]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// The secret that lets publishers in; {number} is the publisher's number
    #[arg(long, value_name = "SECRET", env = "TOUCHLINE_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// What SRT is encrypted with, by AES-128: 10 to 79 characters
    #[arg(long, value_name = "WORDS", env = "TOUCHLINE_PASSPHRASE", hide_env_values = true)]
    pub passphrase: Option<String>,
    /// SRT's latency: how long a lost packet can be sent again
    #[arg(long, default_value = "120ms", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub latency: Duration,
    /// Send each access unit later by up to this much, at random
    #[arg(long, default_value = "0s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub jitter: Duration,
    /// Hold access units back and send them together, each time this is over
    #[arg(long, default_value = "0s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub burst: Duration,
    /// What goes wrong, and when since a publisher has begun: close@20s is gone without a word, drop@20s too but comes back, stall:3s@20s
    /// sends nothing for so long, skip:10s@20s has its timestamps jump; can be given more than once
    #[arg(long = "fault", value_name = "FAULT@TIME")]
    pub faults: Vec<Fault>,
    /// How many publishers of a hundred have the faults, drawn at random
    #[arg(long, default_value_t = 100, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100))]
    pub faulty: u64,
    /// What chance is drawn from: the same number gives the same jitter, faults and beginnings
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Accept any certificate, also a self-signed one
    #[arg(long)]
    pub insecure: bool,
    /// Allow servers on other machines: a crowd is not to be sent to strangers by mistake
    #[arg(long)]
    pub i_own_this_server: bool,
    /// Where to publish: `rtmp://HOST[:PORT]/live`, `srt://HOST:PORT`, `http://HOST:PORT/whip`, or `rtmps://` or `https://`
    #[arg(required = true, value_name = "URL")]
    pub urls: Vec<Target>,
}

fn publishers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=MAX_PUBLISHERS) => Ok(count),
        _ => Err(format!("1 to {MAX_PUBLISHERS} publishers are possible")),
    }
}
