//! The `check` command: options, progress, output, exit code.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use url::Url;

use super::dial::Tcp;
use super::report::{Report, Verdict};
use super::{Plan, judge, page};

/// Nothing was broken.
const GOOD: u8 = 0;
/// A rule was broken; with `--strict` also a warning.
const BROKEN: u8 = 1;
/// The stream could not be judged.
const UNJUDGED: u8 = 2;

/// Judge a Low-Latency HLS stream by draft-pantos-hls-rfc8216bis-22.
///
/// Plays all renditions at once, probes the delivery directives, parses the media and checks timing, then prints a line per rule with its
/// section of the draft and the evidence. Exits with 0 when no rule is broken, with 1 when one is, and with 2 when there is nothing to judge.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(after_help = "Examples:\n  touchline-loadtest check http://127.0.0.1:8080/live/main/index.m3u8\n  \
    touchline-loadtest check --seconds 120 --json https://origin.example/live/index.m3u8 > report.json")]
pub struct Options {
    /// How long to watch, in seconds; long enough for a few segments, and for a whole window if its end is to be judged
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u64).range(4..=600))]
    pub seconds: u64,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Exit with 1 on warnings too
    #[arg(long)]
    pub strict: bool,
    /// Print without colours, as with `NO_COLOR` in the environment, and as when the output is no terminal
    #[arg(long)]
    pub no_color: bool,
    /// Accept any certificate, also a self-signed one
    #[arg(long)]
    pub insecure: bool,
    /// A multivariant playlist, or one media playlist
    #[arg(value_name = "URL")]
    pub url: Url,
}

/// Judges, prints the report, and returns the command's exit code.
pub async fn run(options: &Options) -> ExitCode {
    let plan = Plan {
        watch: Duration::from_secs(options.seconds),
        insecure: options.insecure,
        progress: |line| eprintln!("check: {line}"),
    };
    let report = match judge(Tcp, options.url.clone(), plan).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("check: {error}");
            return UNJUDGED.into();
        }
    };
    if print(&report, options).is_err() {
        return UNJUDGED.into();
    }
    let worst = report.findings.iter().map(|finding| finding.verdict).max();
    match worst {
        Some(Verdict::Fail) => BROKEN.into(),
        Some(Verdict::Warn) if options.strict => BROKEN.into(),
        _ => GOOD.into(),
    }
}

fn print(report: &Report, options: &Options) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if options.json {
        let json = serde_json::to_string_pretty(report).map_err(std::io::Error::other)?;
        return writeln!(out, "{json}");
    }
    let wanted = !options.no_color && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let colour = wanted && out.is_terminal();
    write!(out, "{}", page::Page { report, colour })
}
