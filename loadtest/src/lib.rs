//! Touchline's black box: feeds, viewers and judges, that speak wire protocols and import no stage of the server.

pub mod check;
pub mod feed;
pub mod frame_clock;
pub mod hints;
pub mod histogram;
pub mod picture;
pub mod plot;
pub mod process;
pub mod publish;
mod random;
pub mod rehearse;
pub mod relay;
mod stop;
pub mod sync;
pub mod test_card;
pub mod watch;

use std::net::SocketAddr;

/// What can go wrong in a command, in words for the person who typed it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A command line value that does not parse.
    #[error("{value:?} is not a {what}: {expected}")]
    Argument {
        /// What the value should have been.
        what: &'static str,
        /// What was typed.
        value: String,
        /// What is accepted, with an example.
        expected: &'static str,
    },
    /// ffmpeg could not be started because it is not there.
    #[error("ffmpeg is not installed or not on the PATH; on Debian: apt-get install ffmpeg")]
    EncoderMissing,
    /// ffmpeg ended by itself.
    #[error("ffmpeg ended with {status}{}", said.as_deref().map(|line| format!(": {line}")).unwrap_or_default())]
    EncoderEnded {
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last line it wrote to its standard error.
        said: Option<String>,
    },
    /// Pictures are made, encoded or taken by the server more slowly than they are due.
    #[error("the feed is {} s behind: this machine or the server is too slow for it", .0.as_secs())]
    TooSlow(std::time::Duration),
    /// A relay would be open to others than who started it.
    #[error(
        "{0} can be reached from other machines, and whoever reaches it reaches the server: listen on loopback, such as \
         127.0.0.1:8891, or allow it with --exposed"
    )]
    Exposed(SocketAddr),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A stream cannot be recorded.
    #[error("{url} cannot be measured: {what}")]
    Stream {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// A source is no clapper.
    #[error(
        "there is no {0} in what was measured: the source has to flash and beep once a second, as in the example of `sync --help`"
    )]
    NoClaps(&'static str),
    /// A stream that is not reached by HTTP.
    #[error("{0} cannot be watched: give the http:// or https:// URL of a multivariant or a media playlist")]
    NoStream(url::Url),
    /// What is to be published cannot be.
    #[error("{}: {what}", file.display())]
    Media {
        /// Where it is.
        file: std::path::PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The name of a server is not known.
    #[error("{host} cannot be found: {source}")]
    Unresolved {
        /// The name.
        host: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A crowd would be sent to another machine.
    #[error(
        "{0} is not on this machine, and a crowd looks to others like an attack: if the server is yours, or its owner has agreed, say so \
         with --i-own-this-server"
    )]
    Stranger(String),
    /// The process may not have enough connections open.
    #[error(
        "{viewers} viewers take up to {needed} open files, and this process may have {allowed}: raise the limit with `ulimit -Hn {needed}` \
         as root, or by LimitNOFILE or /etc/security/limits.conf, watch with fewer --viewers, or by --http2"
    )]
    TooFewFiles {
        /// How many there were to be.
        viewers: u32,
        /// Files.
        needed: u64,
        /// Files that may be open.
        allowed: u64,
    },
    /// A report cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Report {
        /// Where to.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A process could not be started, waited for or signalled.
    #[error("{doing}: {source}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl Error {
    /// Why ffmpeg could not be started.
    fn starting_ffmpeg(source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::EncoderMissing,
            _ => Self::Io { doing: "starting ffmpeg", source },
        }
    }
}
