//! The command line.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use touchline_edge::replication::Address;
use touchline_media::{ChannelName, Secret};

use crate::config::{self, Cluster, Config, Keys, Listen, Switch};

/// Low-latency live streaming server: RTMP, SRT and WebRTC in, Low-Latency HLS out.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the binary does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Takes publishers and serves viewers.
    #[command(after_help = SERVE_EXAMPLE)]
    Serve(Box<Serve>),
    /// Serves viewers what origins have.
    #[command(after_help = EDGE_EXAMPLE)]
    Edge(Box<Edge>),
    /// Tries the encoders of this machine, and tells which one ladders are made by and why.
    #[command(after_help = "Example:\n  touchline encoders")]
    Encoders {
        /// The program that has them [default: touchline-transcode beside this program, or on the search path]
        #[arg(long, value_name = "FILE", env = "TOUCHLINE_WORKER")]
        worker: Option<PathBuf>,
    },
    /// Reads configuration files.
    Config {
        /// What to do with them.
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// What can be done with a configuration file.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Explains every mistake in a configuration file, and exits with 1 if there is one.
    #[command(after_help = "Example:\n  touchline config check touchline.toml")]
    Check {
        /// The file.
        file: PathBuf,
    },
}

const SERVE_EXAMPLE: &str = "\
Example:
  touchline serve
  ffmpeg -re -i match.mp4 -c:v libx264 -g 60 -c:a aac -f flv rtmp://127.0.0.1:1935/live/main
  then open http://127.0.0.1:8080/watch/main

From a camera or a screen, by WebRTC: open http://127.0.0.1:8080/publish/main, or
  ffmpeg -re -i match.mp4 -c:v libx264 -bf 0 -g 60 -c:a libopus -f whip http://127.0.0.1:8080/whip/main

With other renditions than the default, up to three below the source as far as the machine can carry them:
  touchline serve --ladder off
  touchline serve --ladder sport

With TLS, as most players want it for anything but this machine:
  touchline serve --https :8443 --certificate live.pem --key live.key
  touchline serve --https 127.0.0.1:8443 --self-signed
  TOUCHLINE_PUBLISH_KEYS=main=SECRET touchline serve --rtmps :1936 --certificate live.pem --key live.key

With keys, for publishers on other machines:
  TOUCHLINE_PUBLISH_KEYS=main=SECRET touchline serve --http :8080
  (the stream key in OBS is then main?key=SECRET)";

const EDGE_EXAMPLE: &str = "\
Example, on one machine:
  touchline serve
  touchline edge --origin http://127.0.0.1:8080 --http 127.0.0.1:8081 --admin 127.0.0.1:9091
  then open http://127.0.0.1:8081/watch/main

On several machines, which know each other by a secret:
  TOUCHLINE_CLUSTER_SECRET=SECRET touchline edge --http :80 --origin https://a.example.org --origin https://b.example.org
  (the same secret on the origins; the second origin is turned to when the first one fails)";

/// What all nodes have in common: a flag goes before the environment, and that before the file.
#[derive(Debug, Args)]
struct Node {
    /// Configuration file; without it, the defaults hold
    #[arg(long, value_name = "FILE", env = "TOUCHLINE_CONFIG")]
    config: Option<PathBuf>,
    /// Where viewers connect [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", env = "TOUCHLINE_HTTP")]
    http: Option<Listen>,
    /// Where viewers connect by TLS; needs --certificate and --key, or --self-signed [default: nowhere]
    #[arg(long, value_name = "ADDRESS", env = "TOUCHLINE_HTTPS")]
    https: Option<Listen>,
    /// The server's certificate and the intermediate ones, as PEM; read again when it changes
    #[arg(long, value_name = "FILE", env = "TOUCHLINE_CERTIFICATE")]
    certificate: Option<PathBuf>,
    /// The private key of the certificate, as PEM; read again when it changes
    #[arg(long, value_name = "FILE", env = "TOUCHLINE_KEY")]
    key: Option<PathBuf>,
    /// Make a certificate for development at start, which browsers warn of
    #[arg(long)]
    self_signed: bool,
    /// Where operators connect [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS", env = "TOUCHLINE_ADMIN")]
    admin: Option<Listen>,
    /// What operators say who come from other machines. In the environment only: flags can be seen by others
    #[arg(long, hide = true, env = "TOUCHLINE_ADMIN_TOKEN", hide_env_values = true, value_parser = config::token)]
    admin_token: Option<Secret>,
    /// By what nodes know each other. In the environment only: flags can be seen by others
    #[arg(long, hide = true, env = "TOUCHLINE_CLUSTER_SECRET", hide_env_values = true, value_parser = Cluster::parse_secret)]
    cluster_secret: Option<Secret>,
}

/// Settings of `touchline edge`.
#[derive(Debug, Args)]
pub(crate) struct Edge {
    #[command(flatten)]
    node: Node,
    /// Where channels come from; several are turned to in their order when one fails
    #[arg(long = "origin", value_name = "URL", env = "TOUCHLINE_ORIGIN", value_delimiter = ',')]
    origins: Vec<Address>,
    /// Channels to open ahead of time and to keep; any other is opened when somebody asks for it
    #[arg(long = "channel", value_name = "NAME", env = "TOUCHLINE_CHANNEL", value_delimiter = ',')]
    channels: Vec<ChannelName>,
}

/// Settings of `touchline serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    node: Node,
    /// Where RTMP publishers connect [default: 127.0.0.1:1935, with publish keys :1935]
    #[arg(long, value_name = "ADDRESS", env = "TOUCHLINE_RTMP")]
    rtmp: Option<Listen>,
    /// Where SRT publishers connect, by UDP, or off [default: 127.0.0.1:8890, with publish keys :8890]
    #[arg(long, value_name = "ADDRESS", env = "TOUCHLINE_SRT")]
    srt: Option<Switch>,
    /// Where WebRTC publishers (WHIP) send media, by UDP and TCP, or off [default: 127.0.0.1:8189, with publish keys :8189]
    #[arg(long, value_name = "ADDRESS", env = "TOUCHLINE_WEBRTC")]
    webrtc: Option<Switch>,
    /// Where RTMP publishers connect by TLS, which shows them the certificate of HTTPS [default: nowhere]
    #[arg(long, value_name = "ADDRESS", env = "TOUCHLINE_RTMPS")]
    rtmps: Option<Listen>,
    /// Which renditions are made of a source: auto, sport, off, or a name in [ladder.profiles] [default: auto]
    #[arg(long, value_name = "NAME", env = "TOUCHLINE_LADDER")]
    ladder: Option<String>,
    /// The program that makes them [default: touchline-transcode beside this program, or on the search path]
    #[arg(long, value_name = "FILE", env = "TOUCHLINE_WORKER")]
    worker: Option<PathBuf>,
    /// Publish keys, as CHANNEL=SECRET,...; * is every channel. In the environment only: flags can be seen by others
    #[arg(long, hide = true, env = "TOUCHLINE_PUBLISH_KEYS", hide_env_values = true, value_parser = Keys::parse)]
    publish_keys: Option<Keys>,
}

impl Node {
    fn config(self) -> anyhow::Result<Config> {
        let mut config = self.config.as_ref().map(read).transpose()?.unwrap_or_default();
        config.http = self.http.unwrap_or(config.http);
        config.https.listen = self.https.or(config.https.listen);
        config.https.certificate = self.certificate.or(config.https.certificate);
        config.https.key = self.key.or(config.https.key);
        config.https.self_signed |= self.self_signed;
        config.admin = self.admin.unwrap_or(config.admin);
        config.admin_token = self.admin_token.or(config.admin_token);
        config.cluster.secret = self.cluster_secret.or(config.cluster.secret);
        Ok(config)
    }
}

impl Edge {
    /// The configuration that holds.
    pub(crate) fn config(self) -> anyhow::Result<Config> {
        let mut config = self.node.config()?;
        if !self.origins.is_empty() {
            config.edge.origins = self.origins;
        }
        if !self.channels.is_empty() {
            config.edge.channels = self.channels;
        }
        Ok(config)
    }
}

impl Serve {
    /// The configuration that holds.
    pub(crate) fn config(self) -> anyhow::Result<Config> {
        let mut config = self.node.config()?;
        config.rtmp = self.rtmp.or(config.rtmp);
        config.srt.listen = self.srt.or(config.srt.listen);
        config.webrtc.listen = self.webrtc.or(config.webrtc.listen);
        config.rtmps.listen = self.rtmps.or(config.rtmps.listen);
        config.ladders.worker = self.worker.or(config.ladders.worker);
        if let Some(ladder) = self.ladder {
            config.ladders.find(&ladder).map_err(|why| anyhow::anyhow!("--ladder: {why}"))?;
            config.ladders.default = ladder;
        }
        config.keys = self.publish_keys.unwrap_or(config.keys);
        Ok(config)
    }
}

/// Reads a configuration file; fails with all its mistakes.
pub(crate) fn read(file: &PathBuf) -> anyhow::Result<Config> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Config::parse(&text).map_err(|mistakes| {
        let list: Vec<String> = mistakes.iter().map(|mistake| format!("  {mistake}")).collect();
        let (count, plural) = (mistakes.len(), if mistakes.len() == 1 { "" } else { "s" });
        anyhow::anyhow!("{} has {count} mistake{plural}:\n{}", file.display(), list.join("\n"))
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_go_before_the_file() {
        let file = std::env::temp_dir().join(format!("touchline-cli-{}.toml", std::process::id()));
        std::fs::write(&file, "[http]\nlisten = \":1\"\n[admin]\nlisten = \":2\"\n").unwrap();
        let cli = Cli::parse_from(["touchline", "serve", "--config", file.to_str().unwrap(), "--http", ":3"]);
        let Command::Serve(serve) = cli.command else { panic!("not serve") };
        let config = serve.config().unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!((config.http.to_string(), config.admin.to_string()), (":3".into(), ":2".into()));
    }
}
