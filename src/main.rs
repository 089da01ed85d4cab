//! The `touchline` command.

mod channels;
mod cli;
mod cluster;
mod config;
mod desk;
mod door;
mod edge;
mod encoders;
mod listeners;
mod ops;
mod server;
mod webhook;
mod whip;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command, ConfigCommand};
use crate::config::Config;
use crate::edge::Edge;
use crate::server::Server;

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(serve) => run_server(serve.config()?),
        Command::Edge(edge) => run_edge(edge.config()?),
        Command::Encoders { worker } => encoders::tell(worker.as_deref()),
        Command::Config { command: ConfigCommand::Check { file } } => {
            cli::read(&file)?;
            println!("{} is sound", file.display());
            Ok(())
        }
    }
}

#[tokio::main]
async fn run_edge(config: Config) -> anyhow::Result<()> {
    log_to_stderr()?;
    let edge = Edge::bind(config)?;
    let drain = CancellationToken::new();
    on_signals(&drain)?;
    edge.announce()?;
    edge.run(drain).await;
    Ok(())
}

#[tokio::main]
async fn run_server(config: Config) -> anyhow::Result<()> {
    log_to_stderr()?;
    let server = Server::bind(config).await?;
    let drain = CancellationToken::new();
    on_signals(&drain)?;
    server.announce()?;
    server.run(drain).await;
    Ok(())
}

/// What is logged unless the operator chooses. The parts of `rtc` warn of what is as it should be, and do not say of whom.
const LOG: &str = "info,rtc_dtls=error,rtc_srtp=error";

/// `TOUCHLINE_LOG` chooses what is logged, as in `info,touchline_ingest=debug`.
fn log_to_stderr() -> anyhow::Result<()> {
    let filter = std::env::var("TOUCHLINE_LOG").unwrap_or_else(|_| LOG.into());
    let filter = EnvFilter::try_new(&filter).with_context(|| format!("TOUCHLINE_LOG={filter} cannot be understood"))?;
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).init();
    Ok(())
}

/// The first SIGTERM or SIGINT drains, the second stops at once.
fn on_signals(drain: &CancellationToken) -> anyhow::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let drain = drain.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            if drain.is_cancelled() {
                std::process::exit(1);
            }
            drain.cancel();
        }
    });
    Ok(())
}
