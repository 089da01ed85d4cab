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
mod telemetry;
mod webhook;
mod whip;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::cli::{Cli, Command, ConfigCommand};
use crate::config::Config;
use crate::edge::Edge;
use crate::server::Server;
use crate::telemetry::Telemetry;

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
    let telemetry = log(&config)?;
    let edge = Edge::bind(config)?;
    let drain = CancellationToken::new();
    on_signals(&drain)?;
    edge.announce()?;
    edge.run(drain).await;
    close(telemetry).await;
    Ok(())
}

#[tokio::main]
async fn run_server(config: Config) -> anyhow::Result<()> {
    let telemetry = log(&config)?;
    let server = Server::bind(config).await?;
    let drain = CancellationToken::new();
    on_signals(&drain)?;
    server.announce()?;
    server.run(drain).await;
    close(telemetry).await;
    Ok(())
}

/// What is logged unless the operator chooses. The parts of `rtc` warn of what is as it should be, and do not say of whom.
const LOG: &str = "info,rtc_dtls=error,rtc_srtp=error";

/// To the standard error, of which `TOUCHLINE_LOG` chooses what, as in `info,touchline_ingest=debug`; and traces to a collector, if there is one.
fn log(config: &Config) -> anyhow::Result<Option<Telemetry>> {
    let filter = std::env::var("TOUCHLINE_LOG").unwrap_or_else(|_| LOG.into());
    let filter = EnvFilter::try_new(&filter).with_context(|| format!("TOUCHLINE_LOG={filter} cannot be understood"))?;
    let ansi = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(ansi).with_filter(filter);
    let telemetry = config.telemetry.as_ref().map(Telemetry::open).transpose()?;
    let control = Targets::new().with_target(telemetry::CONTROL, LevelFilter::INFO);
    let traces = telemetry
        .as_ref()
        .map(|telemetry| tracing_opentelemetry::layer().with_tracer(telemetry.tracer()).with_filter(control));
    tracing_subscriber::registry().with(lines).with(traces).init();
    Ok(telemetry)
}

async fn close(telemetry: Option<Telemetry>) {
    if let Some(telemetry) = telemetry {
        telemetry.close().await;
    }
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
