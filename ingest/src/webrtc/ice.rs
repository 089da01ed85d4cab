//! The ICE agent (RFC 8445), of the lite kind: it answers checks and takes the path that the publisher chooses.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::offer::Malformed;
use super::random;
use super::stun::{self, Class, Message, Transaction};

/// How often the round trip is measured.
const MEASURE: Duration = Duration::from_secs(1);

/// What a datagram travels by, and at whose other end. Ours is always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Path {
    Udp(SocketAddr),
    Tcp(SocketAddr),
}

/// What an agent calls itself, and what it expects to be shown (RFC 8445 5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) ufrag: String,
    pub(super) password: String,
}

impl Credentials {
    /// Ours: 48 bits to tell sessions apart, and 144 that nobody guesses (RFC 8445 5.3 asks for 24 and 128).
    pub(super) fn random() -> Self {
        Self { ufrag: random::ice_chars::<8>(), password: random::ice_chars::<24>() }
    }

    /// A publisher's (RFC 8839 5.4).
    pub(super) fn of_peer(ufrag: &str, password: &str) -> Result<Self, Malformed> {
        let is_good = |text: &str, least: usize| {
            (least..=256).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'='))
        };
        if !is_good(ufrag, 4) {
            return Err(Malformed::Attribute("ice-ufrag"));
        }
        if !is_good(password, 22) {
            return Err(Malformed::Attribute("ice-pwd"));
        }
        Ok(Self { ufrag: ufrag.into(), password: password.into() })
    }
}

/// An ICE session: ours and theirs.
#[derive(Debug)]
struct Generation {
    local: Credentials,
    remote: Credentials,
}

/// The agent of one publisher.
#[derive(Debug)]
pub(super) struct Agent {
    current: Generation,
    /// After a restart, until the publisher chooses a path in it.
    next: Option<Generation>,
    selected: Option<Path>,
    nominated: bool,
    tie_breaker: [u8; 8],
    measuring: Option<(Transaction, Instant)>,
    next_measure: Option<Instant>,
    transmits: VecDeque<(Path, Vec<u8>)>,
}

/// What a check or a response has brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was not for us, or nobody who knows the password sent it.
    Junk,
    /// A check was answered.
    Answered,
    /// The round trip took so long.
    RoundTrip(Duration),
}

impl Agent {
    pub(super) fn new(local: Credentials, remote: Credentials) -> Self {
        Self {
            current: Generation { local, remote },
            next: None,
            selected: None,
            nominated: false,
            tie_breaker: random::bytes(),
            measuring: None,
            next_measure: None,
            transmits: VecDeque::new(),
        }
    }

    /// The path that what we send takes.
    pub(super) fn selected(&self) -> Option<Path> {
        self.selected
    }

    /// Whether the publisher has chosen it.
    pub(super) fn is_nominated(&self) -> bool {
        self.nominated
    }

    /// Our credentials of the ICE session that was agreed upon last.
    pub(super) fn local(&self) -> &Credentials {
        &self.newest().local
    }

    /// Whether these are the publisher's of the ICE session that was agreed upon last.
    pub(super) fn is_remote(&self, remote: &Credentials) -> bool {
        self.newest().remote == *remote
    }

    /// RFC 8445 9: the session goes on over the old path until the publisher has chosen one anew.
    pub(super) fn restart(&mut self, local: Credentials, remote: Credentials) {
        self.next = Some(Generation { local, remote });
    }

    /// Takes a STUN message.
    pub(super) fn handle(&mut self, path: Path, datagram: &[u8], now: Instant) -> Outcome {
        let Some(message) = Message::parse(datagram) else { return Outcome::Junk };
        match message.class {
            Class::Request => self.answer(path, &message, now),
            Class::Success => self.measured(&message, now),
            Class::Indication | Class::Error => Outcome::Junk,
        }
    }

    /// RFC 8445 7.3.
    fn answer(&mut self, path: Path, check: &Message<'_>, now: Instant) -> Outcome {
        let ours = |generation: &Generation| {
            check.username.is_some_and(|(ufrag, _)| ufrag == generation.local.ufrag)
                && check.is_authentic(&generation.local.password)
        };
        let of_next = self.next.as_ref().is_some_and(ours);
        if !of_next && !ours(&self.current) {
            return Outcome::Junk;
        }
        let generation = self.next.as_ref().filter(|_| of_next).unwrap_or(&self.current);
        let password = &generation.local.password;
        if check.is_controlled {
            // RFC 8445 6.1.1: of a full and a lite agent, the full one controls.
            self.transmits.push_back((path, stun::role_conflict(check.transaction, password)));
            return Outcome::Answered;
        }
        let (Path::Udp(from) | Path::Tcp(from)) = path;
        self.transmits.push_back((path, stun::success(check.transaction, from, password)));
        if check.nominates
            && let Some(next) = self.next.take_if(|_| of_next)
        {
            self.current = next;
        }
        // RFC 8445 8.1.1: the last nomination counts. Until there is one, there is no other path to take.
        self.nominated |= check.nominates;
        if check.nominates || self.selected.is_none() {
            self.selected = Some(path);
            self.next_measure.get_or_insert(now);
        }
        Outcome::Answered
    }

    fn measured(&mut self, response: &Message<'_>, now: Instant) -> Outcome {
        let sent = self.measuring.take_if(|(transaction, _)| {
            *transaction == response.transaction && response.is_authentic(&self.current.remote.password)
        });
        sent.map_or(Outcome::Junk, |(_, sent)| Outcome::RoundTrip(now.saturating_duration_since(sent)))
    }

    /// Measures the round trip when it is time: RFC 8445 has a lite agent send no checks, which is to say none to choose a path.
    /// Whoever sends checks answers them, and nothing else that all publishers do tells the round trip.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let Some((path, _)) = self.selected.zip(self.next_measure.filter(|due| *due <= now)) else { return };
        let transaction = random::bytes();
        let Generation { local, remote } = &self.current;
        let username = format!("{}:{}", remote.ufrag, local.ufrag);
        self.transmits.push_back((path, stun::check(transaction, &username, self.tie_breaker, &remote.password)));
        self.measuring = Some((transaction, now));
        self.next_measure = Some(now + MEASURE);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.next_measure
    }

    pub(super) fn poll_transmit(&mut self) -> Option<(Path, Vec<u8>)> {
        self.transmits.pop_front()
    }

    fn newest(&self) -> &Generation {
        self.next.as_ref().unwrap_or(&self.current)
    }
}
