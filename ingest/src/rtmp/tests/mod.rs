//! The session and the server as their peers see them.

mod client;
mod connection;
mod fixtures;
mod hostile;
mod script;
mod secured;
mod server;
mod split;

use std::net::SocketAddr;
use std::time::Instant;

use super::handshake::PACKET_LEN;
use super::session::{MAX_BUFFERED, MAX_INPUT};
use super::{Output, Session};

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1_935);

fn session() -> Session {
    Session::new(PEER, Box::new([0; PACKET_LEN - 8]))
}

/// What came of feeding a session.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// All outputs except what is sent.
    outputs: Vec<Output>,
    sent: Vec<u8>,
    /// What ended the session.
    error: Option<String>,
    /// The most that was ever buffered.
    peak: usize,
}

impl Seen {
    /// Feeds a new session with `bytes` in pieces of the given sizes, the last of which repeats; every publish is accepted
    /// at once.
    fn of(bytes: &[u8], sizes: &[usize], now: Instant) -> Self {
        let (mut session, mut seen) = (session(), Self::default());
        let (mut rest, mut sizes, mut size) = (bytes, sizes.iter(), MAX_INPUT);
        while !rest.is_empty() && seen.error.is_none() {
            size = sizes.next().copied().unwrap_or(size).clamp(1, rest.len());
            let (piece, tail) = rest.split_at(size);
            rest = tail;
            if let Err(error) = session.handle(piece, now) {
                seen.error = Some(error.to_string());
            }
            seen.drain(&mut session, now);
        }
        seen
    }

    fn of_whole(bytes: &[u8]) -> Self {
        Self::of(bytes, &[], Instant::now())
    }

    fn drain(&mut self, session: &mut Session, now: Instant) {
        self.check_memory(session);
        while let Some(output) = session.poll_output() {
            match output {
                Output::Send(bytes) => self.sent.extend_from_slice(&bytes),
                Output::Publish(_) => {
                    self.outputs.push(output);
                    if let Err(error) = session.accept(now) {
                        self.error = Some(error.to_string());
                    }
                    self.check_memory(session);
                }
                other => self.outputs.push(other),
            }
        }
    }

    fn check_memory(&mut self, session: &Session) {
        self.peak = self.peak.max(session.buffered());
        assert!(self.peak <= MAX_BUFFERED, "{} bytes are buffered", self.peak);
    }

    fn media(&self) -> impl Iterator<Item = &super::Media> {
        self.outputs.iter().filter_map(|output| match output {
            Output::Media(media) => Some(media),
            _ => None,
        })
    }
}
