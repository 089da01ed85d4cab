//! Who watches what, and how: the command line, parsed into types.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use url::Url;

use super::http::Sources;
use crate::Error;
use crate::random::Random;

/// Watch a stream with many viewers, who behave as hls.js does in low-latency mode.
///
/// Each viewer chooses a variant, follows the playlists by blocking reload, loads parts, buffers, plays and stalls by itself. Tells how late
/// parts come, how long it takes to begin, who stalls, how far behind the picture is, and what server and generator take for it. Exits with 0,
/// with 1 when a limit is broken, and with 2 when nobody saw anything.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(
    after_help = "Examples:\n  touchline-loadtest watch http://127.0.0.1:8080/live/main/index.m3u8 --viewers 1000 --ramp 20s --duration 60s\n  \
        touchline-loadtest watch http://127.0.0.1:8080/live/main/index.m3u8 --viewers 500 --server-pid $(pidof touchline) \
        --report crowd.html --max-stalled 0.1% --max-p99 500ms\n  \
        touchline-loadtest watch https://127.0.0.1:8443/live/main/index.m3u8 --http2 --insecure --bandwidth 1M..20M --leave 10% --seek 5%"
)]
pub struct Options {
    /// How many viewers there are
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub viewers: u32,
    /// The time in which they join, one after the other
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub ramp: Duration,
    /// How long they watch when all have joined: this is the time that figures are of
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Threads that viewers are spread over
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: u16,
    /// Watch by HTTP/2: one connection for each viewer, and not one for each request that is under way
    #[arg(long)]
    pub http2: bool,
    /// Accept any certificate, also a self-signed one
    #[arg(long)]
    pub insecure: bool,
    /// Ask for parts when they are hinted at, as `AVPlayer` does, and not when they are listed
    #[arg(long)]
    pub hints: bool,
    /// How fast each viewer's line is: 3M, or between two bounds, 1M..20M
    #[arg(long, value_name = "RATE")]
    pub bandwidth: Option<Lines>,
    /// The part of viewers who leave now and then and come back, like 10%
    #[arg(long, default_value = "0%", value_name = "PART")]
    pub leave: Part,
    /// The part of viewers who go back in the programme now and then
    #[arg(long, default_value = "0%", value_name = "PART")]
    pub seek: Part,
    /// The part of viewers who look whether media is whole, box by box; the others only count its bytes
    #[arg(long, default_value = "1%", value_name = "PART")]
    pub verify: Part,
    /// What chance is drawn from: the same number gives the same viewers
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Addresses of this machine to connect from, in turn; more than some 25,000 connections to one port need several: 127.0.0.0/8
    #[arg(long, value_name = "ADDRESS/BITS")]
    pub source: Option<Sources>,
    /// A process of the server on this machine, whose processor time and memory are told too; may be given more than once
    #[arg(long, value_name = "PID")]
    pub server_pid: Vec<u32>,
    /// Write a report: all figures as .json, or a page with plots as .html; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub report: Vec<PathBuf>,
    /// Fail when a larger part of viewers has stalled, like 0.1%
    #[arg(long, value_name = "PART")]
    pub max_stalled: Option<Part>,
    /// Fail when a part in a hundred comes later, like 500ms
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub max_p99: Option<Duration>,
    /// Allow servers on other machines: a crowd is not to be sent to strangers by mistake
    #[arg(long)]
    pub i_own_this_server: bool,
    /// A multivariant playlist, or one media playlist
    #[arg(value_name = "URL")]
    pub url: Url,
}

/// A part of a whole, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part(f64);

impl Part {
    /// From 0 to 1.
    pub fn share(self) -> f64 {
        self.0
    }

    /// Whether somebody who is drawn belongs to it.
    pub(super) fn draw(self, random: &mut Random) -> bool {
        random.share() < self.0
    }
}

impl FromStr for Part {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let percent: Option<f64> = text.strip_suffix('%').and_then(|number| number.parse().ok());
        match percent {
            Some(percent @ 0.0..=100.0) => Ok(Self(percent / 100.0)),
            _ => {
                Err(Error::Argument { what: "part", value: text.to_owned(), expected: "0% to 100%, like 10% or 0.1%" })
            }
        }
    }
}

/// How fast viewers' lines are, in bits per second. Between two bounds, as many are between 1 and 2 Mb/s as between 10 and 20.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lines {
    least: f64,
    most: f64,
}

impl Lines {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are positive and below 2^52")]
    pub(super) fn draw(self, random: &mut Random) -> u64 {
        (self.least * (self.most / self.least).powf(random.share())) as u64
    }
}

impl FromStr for Lines {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let rate = |text: &str| {
            let (digits, unit) = match text.strip_suffix(['k', 'K']) {
                Some(digits) => (digits, 1e3),
                None => text.strip_suffix(['m', 'M']).map_or((text, 1.0), |digits| (digits, 1e6)),
            };
            let rate: f64 = digits.parse().ok()?;
            (10_000.0..=1e10).contains(&(rate * unit)).then_some(rate * unit)
        };
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        match (rate(least), rate(most)) {
            (Some(least), Some(most)) if least <= most => Ok(Self { least, most }),
            _ => Err(Error::Argument {
                what: "bandwidth",
                value: text.to_owned(),
                expected: "10k to 10000M bits per second, like 3M or 1M..20M",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_in_percent() {
        for (typed, share) in [("0%", 0.0), ("0.1%", 0.001), ("100%", 1.0)] {
            assert!((typed.parse::<Part>().unwrap().share() - share).abs() < 1e-12, "{typed}");
        }
        for typed in ["", "10", "101%", "-1%", "NaN%"] {
            assert!(typed.parse::<Part>().is_err(), "{typed}");
        }
    }

    #[test]
    fn lines_are_drawn_between_their_bounds_evenly_by_magnitude() {
        let mut random = Random::new(1);
        let lines: Lines = "1M..16M".parse().unwrap();
        let drawn: Vec<u64> = (0..1_000).map(|_| lines.draw(&mut random)).collect();
        assert!(drawn.iter().all(|rate| (1_000_000..=16_000_000).contains(rate)));
        let slow = drawn.iter().filter(|rate| **rate < 4_000_000).count();
        assert!((450..550).contains(&slow), "{slow} of 1000 below 4 Mb/s");
        assert_eq!("3M".parse::<Lines>().unwrap().draw(&mut random), 3_000_000);
        for typed in ["", "3", "20M..1M", "fast", "1M.."] {
            assert!(typed.parse::<Lines>().is_err(), "{typed}");
        }
    }
}
