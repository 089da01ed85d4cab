//! The `touchline-loadtest` command.

use clap::{Parser, Subcommand};
use touchline_loadtest::feed;

/// Feeds, viewers and judges for live streaming servers, from outside: they speak wire protocols only.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Feed(feed::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Feed(options) => feed::run(&options).await?,
    }
    Ok(())
}
