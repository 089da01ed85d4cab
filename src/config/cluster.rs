use std::path::PathBuf;
use std::time::Duration;

use touchline_edge::replication::{self, Access, Address, Origin};
use touchline_media::{ChannelName, Secret};
use touchline_tls::Trust;

use super::{Config, Listen, Section, duration};

/// What nodes have in common that follow each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cluster {
    /// By what they know each other. `None`: nodes on this machine alone may follow, and only if nobody else can ask.
    pub(crate) secret: Option<Secret>,
    /// Whose certificates are believed, as PEM. `None`: those that the system believes.
    pub(crate) authority: Option<PathBuf>,
}

/// What an edge follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The origins, best first.
    pub(crate) origins: Vec<Address>,
    /// Channels that are opened ahead of time and kept.
    pub(crate) channels: Vec<ChannelName>,
    /// How long any other is kept that nobody asks for.
    pub(crate) idle: Duration,
}

/// In bytes: what can be guessed proves nothing.
const MIN_SECRET: usize = 16;
const IDLE: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);

impl Default for Edge {
    fn default() -> Self {
        Self { origins: Vec::new(), channels: Vec::new(), idle: replication::Settings::IDLE }
    }
}

impl Cluster {
    pub(super) fn read(&mut self, section: &mut Section<'_, '_>) {
        section.value("secret", |text| Self::parse_secret(text).map(Some), &mut self.secret);
        section.value("authority", |text| Ok(Some(text.into())), &mut self.authority);
    }

    /// A secret that cannot be guessed.
    pub(crate) fn parse_secret(text: &str) -> Result<Secret, String> {
        if text.len() >= MIN_SECRET && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Secret::new(text))
        } else {
            Err(format!(
                "is not {MIN_SECRET} or more characters without spaces; `openssl rand -hex 32` makes a good one"
            ))
        }
    }
}

impl Edge {
    pub(super) fn read(&mut self, section: &mut Section<'_, '_>) {
        section.values("origins", Address::parse, &mut self.origins);
        let channel = |text: &str| text.parse().map_err(|why| format!("\"{text}\" is no channel name: {why}"));
        section.values("channels", channel, &mut self.channels);
        section.value("idle", duration(IDLE), &mut self.idle);
    }
}

impl Config {
    /// Who may follow the channels of this node.
    pub(crate) fn access(&self) -> Access {
        let loopback = self.http.is_loopback() && self.https.listen.as_ref().is_none_or(Listen::is_loopback);
        match &self.cluster.secret {
            Some(secret) => Access::Secret(secret.clone()),
            None if loopback => Access::ThisMachine,
            None => Access::Nobody,
        }
    }

    /// What an edge follows; fails without an origin.
    pub(crate) fn fleet(&self) -> anyhow::Result<replication::Settings> {
        anyhow::ensure!(
            !self.edge.origins.is_empty(),
            "an edge needs an origin: say where it is with --origin URL, or in touchline.toml ([edge], origins = [\"URL\"])"
        );
        let trust = match &self.cluster.authority {
            None => Trust::system(&replication::PROTOCOLS)?,
            Some(file) => Trust::file(file, &replication::PROTOCOLS)?,
        };
        let origin = |address: &Address| Origin::new(address.clone(), self.cluster.secret.clone(), &trust);
        Ok(replication::Settings {
            origins: self.edge.origins.iter().map(origin).collect(),
            channels: self.edge.channels.clone(),
            idle: self.edge.idle,
        })
    }
}
