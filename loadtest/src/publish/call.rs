//! What a publisher calls a server with, and how it learns that it is not on air.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::target::Target;

/// All that a connection is opened with.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The publisher's, from zero on.
    pub(super) number: usize,
    pub(super) target: Target,
    /// Where the target is.
    pub(super) server: SocketAddr,
    pub(super) channel: String,
    /// The secret that lets the publisher in.
    pub(super) key: Option<String>,
    /// What SRT is encrypted with.
    pub(super) passphrase: Option<String>,
    /// SRT's buffer for what is sent again.
    pub(super) latency: Duration,
    /// Any certificate is taken.
    pub(super) insecure: bool,
    /// What chance is drawn from.
    pub(super) seed: u64,
}

/// Why a publisher is not on air, or no longer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Gone {
    /// The server does not want it, and says so in words.
    #[error("refused: {0}")]
    Refused(String),
    /// The server has closed the connection without a word.
    #[error("the server has closed the connection")]
    Closed,
    /// The connection broke, or never came about.
    #[error("{0}")]
    Broken(String),
}

impl From<io::Error> for Gone {
    fn from(error: io::Error) -> Self {
        Self::Broken(format!("the connection broke: {error}"))
    }
}
