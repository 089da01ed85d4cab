//! What a bad network is like: the command line, parsed into types.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::link::Conditions;
use crate::Error;
use crate::random::Random;

/// Pass UDP datagrams on to a server, and lose, delay and reorder some.
///
/// Each address that calls gets a socket of its own towards the server, so that several can go through at once. Losses and delays are
/// drawn from a seed, for each caller and each way by itself. Ends with `--seconds`, SIGINT or SIGTERM, and prints what it has done.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(
    after_help = "Example:\n  touchline-loadtest relay 127.0.0.1:8891 127.0.0.1:8890 --loss 2% --delay 20ms..50ms --jitter\n  \
        ffmpeg -re -i match.ts -c copy -f mpegts 'srt://127.0.0.1:8891?streamid=publish:main'"
)]
pub struct Options {
    /// How many datagrams get lost on the way to the server: 2% or 0.5%
    #[arg(long, default_value = "0%")]
    pub loss: Loss,
    /// How long they are under way, in each direction: 20ms, or 20ms..50ms
    #[arg(long, default_value = "0ms")]
    pub delay: Delay,
    /// Draw a delay for each datagram, so that they overtake one another, and not one for each caller and way
    #[arg(long)]
    pub jitter: bool,
    /// Lose as many on the way back
    #[arg(long)]
    pub both_ways: bool,
    /// What chance is drawn from: the same number gives the same losses
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// End after so many seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: Option<u64>,
    /// Print the totals as JSON at the end; progress goes to the standard error
    #[arg(long)]
    pub json: bool,
    /// Allow LISTEN to be an address that other machines reach: whoever does can reach the server
    #[arg(long)]
    pub exposed: bool,
    /// Where callers connect, such as 127.0.0.1:8891
    pub listen: SocketAddr,
    /// The server, such as 127.0.0.1:8890
    pub to: SocketAddr,
}

impl Options {
    /// What the way to the server is like.
    pub fn there(&self) -> Conditions {
        Conditions { loss: self.loss, delay: self.delay, jitter: self.jitter }
    }

    /// What the way from the server is like.
    pub fn back(&self) -> Conditions {
        Conditions { loss: if self.both_ways { self.loss } else { Loss::NONE }, ..self.there() }
    }
}

/// A part of all datagrams, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss(u32);

impl Loss {
    /// Everything arrives.
    pub const NONE: Self = Self(0);
    const ALL: u32 = 1_000_000;

    /// Whether one more gets lost.
    pub(super) fn draw(self, random: &mut Random) -> bool {
        random.below(Self::ALL.into()) < self.0.into()
    }
}

impl FromStr for Loss {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused =
            || Error::Argument { what: "loss", value: text.to_owned(), expected: "0% to 100%, like 2% or 0.5%" };
        let percent: f64 = text.strip_suffix('%').and_then(|number| number.parse().ok()).ok_or_else(refused)?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(refused());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
        let millionths = (percent * 10_000.0).round() as u32;
        Ok(Self(millionths))
    }
}

impl Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) / 10_000.0)
    }
}

/// A range of delays, drawn from evenly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    least: Duration,
    most: Duration,
}

impl Delay {
    /// The longest delay: what is later is of no use to live media.
    pub const MAX: Duration = Duration::from_secs(10);

    pub(super) fn draw(self, random: &mut Random) -> Duration {
        let range = self.most.saturating_sub(self.least);
        let nanos = u64::try_from(range.as_nanos()).unwrap_or(u64::MAX);
        self.least + Duration::from_nanos(random.below(nanos))
    }
}

impl FromStr for Delay {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let milliseconds = |text: &str| text.strip_suffix("ms")?.parse().ok().map(Duration::from_millis);
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        match (milliseconds(least), milliseconds(most)) {
            (Some(least), Some(most)) if least <= most && most <= Self::MAX => Ok(Self { least, most }),
            _ => Err(Error::Argument {
                what: "delay",
                value: text.to_owned(),
                expected: "up to 10000ms, like 20ms or 20ms..50ms",
            }),
        }
    }
}

impl Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.least.as_millis())?;
        if self.most > self.least {
            write!(f, " to {}", self.most.as_millis())?;
        }
        f.write_str(" ms")
    }
}

impl Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { loss, delay, jitter } = self;
        write!(f, "{loss} lost, {delay}{}", if *jitter { " each for itself" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_taken_in_percent_and_shown_so() {
        for (typed, shown) in [("2%", "2 %"), ("0.5%", "0.5 %"), ("0%", "0 %"), ("100%", "100 %")] {
            assert_eq!(typed.parse::<Loss>().unwrap().to_string(), shown);
        }
        for typed in ["", "2", "-1%", "101%", "NaN%", "%"] {
            typed.parse::<Loss>().unwrap_err();
        }
        let error = "0.02".parse::<Loss>().unwrap_err().to_string();
        assert_eq!(error, r#""0.02" is not a loss: 0% to 100%, like 2% or 0.5%"#);
    }

    #[test]
    fn delays_are_one_or_a_range() {
        for (typed, shown) in [("20ms", "20 ms"), ("20ms..50ms", "20 to 50 ms"), ("0ms", "0 ms")] {
            assert_eq!(typed.parse::<Delay>().unwrap().to_string(), shown);
        }
        for typed in ["", "20", "50ms..20ms", "20ms..", "-1ms", "10001ms", "1s"] {
            typed.parse::<Delay>().unwrap_err();
        }
    }
}
