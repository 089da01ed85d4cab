//! The `touchline-loadtest` command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use touchline_loadtest::{check, feed, hints, publish, rehearse, relay, sync, watch};

/// Feeds, viewers and judges for live streaming servers, from outside: they speak wire protocols only.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Options),
    Feed(feed::Options),
    Hints(hints::Options),
    Publish(publish::Options),
    Rehearse(rehearse::Options),
    Relay(relay::Options),
    Sync(sync::Options),
    Watch(watch::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Check(options) => Ok(check::run(&options).await),
        Command::Feed(options) => {
            feed::run(&options).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Hints(options) => hints::run(&options),
        Command::Publish(options) => Ok(publish::run(&options).await?),
        Command::Rehearse(options) => Ok(rehearse::run(&options).await),
        Command::Relay(options) => {
            relay::run(&options).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Sync(options) => Ok(sync::run(&options).await?),
        Command::Watch(options) => Ok(watch::run(&options).await?),
    }
}
