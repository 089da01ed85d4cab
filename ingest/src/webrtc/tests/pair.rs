//! A publisher and our peer, on a wire and by a clock that a test makes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::Client;
use crate::webrtc::answer::{self, Ours};
use crate::webrtc::candidate::Reachable;
use crate::webrtc::ice::{Credentials, Path};
use crate::webrtc::offer::Proposal;
use crate::webrtc::peer::{Event, Peer};
use crate::webrtc::secure::Identity;

/// How long a datagram takes.
pub(super) const WAY: Duration = Duration::from_millis(10);

pub(super) struct Pair {
    pub(super) client: Client,
    pub(super) peer: Peer,
    pub(super) now: Instant,
    pub(super) events: Vec<Event>,
    /// On their way: when they arrive, to the peer or not.
    wire: Vec<(Instant, bool, Bytes)>,
    /// Whether a datagram of the client gets lost.
    pub(super) loses: fn(&[u8]) -> bool,
    /// Whether one of ours does.
    pub(super) loses_ours: fn(&[u8]) -> bool,
    reachable: Reachable,
    identity: Identity,
}

pub(super) fn client_address() -> SocketAddr {
    ([192, 0, 2, 7], 50_000).into()
}

pub(super) fn path() -> Path {
    Path::Udp(client_address())
}

fn server_address() -> SocketAddr {
    ([192, 0, 2, 1], 8_189).into()
}

impl Pair {
    /// Both have the description of the other. `change` is what becomes of the offer on its way.
    pub(super) fn new(change: impl Fn(String) -> String) -> Self {
        let now = Instant::now();
        let mut client = Client::new(client_address(), now);
        let identity = Identity::generate().unwrap();
        let proposal = Proposal::parse(&change(client.offer(now))).unwrap();
        let local = Credentials::random();
        let reachable = Reachable { addresses: vec![server_address()], tcp: false };
        let ours = Ours { local: &local, fingerprint: identity.fingerprint(), reachable: &reachable, number: 1 };
        client.accept(&answer::write(&proposal, &ours), now);
        let peer = Peer::new(&proposal, &identity, local.clone(), now).unwrap();
        let (events, wire) = (Vec::new(), Vec::new());
        Self { client, peer, now, events, wire, loses: |_| false, loses_ours: |_| false, reachable, identity }
    }

    /// Both are connected.
    pub(super) fn connected() -> Self {
        let mut pair = Self::new(|offer| offer);
        pair.advance(Duration::from_secs(3));
        assert!(pair.client.connected, "the client: {:?}", pair.peer);
        assert_eq!(pair.events.iter().filter(|event| **event == Event::Connected).count(), 1, "{:?}", pair.peer);
        pair.events.clear();
        pair
    }

    /// A new ICE session, agreed upon by an offer and an answer.
    pub(super) fn restart_ice(&mut self) {
        self.client.restart_ice();
        let proposal = Proposal::parse(&self.client.offer(self.now)).unwrap();
        let local = Credentials::random();
        let Self { identity, reachable, .. } = self;
        let ours = Ours { local: &local, fingerprint: identity.fingerprint(), reachable, number: 1 };
        let answer = answer::write(&proposal, &ours);
        self.peer.restart_ice(local, proposal.remote);
        self.client.accept(&answer, self.now);
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.exchange();
            let arrivals = self.wire.iter().map(|(at, ..)| *at);
            let due = arrivals.chain(self.peer.poll_timeout()).chain(self.client.poll_timeout()).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = due.max(self.now + Duration::from_micros(100));
            let (arrived, under_way) = std::mem::take(&mut self.wire).into_iter().partition(|(at, ..)| *at <= self.now);
            self.wire = under_way;
            for (_, to_peer, datagram) in arrived {
                if to_peer {
                    self.peer.handle(path(), &datagram, self.now);
                } else {
                    self.client.handle(server_address(), &datagram, self.now);
                }
            }
            self.peer.handle_timeout(self.now);
            self.client.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn exchange(&mut self) {
        while let Some((_, datagram)) = self.peer.poll_transmit() {
            if !(self.loses_ours)(&datagram) {
                self.wire.push((self.now + WAY, false, datagram));
            }
        }
        while let Some((_, datagram)) = self.client.poll_transmit() {
            if !(self.loses)(&datagram) {
                self.wire.push((self.now + WAY, true, datagram));
            }
        }
        while let Some(event) = self.peer.poll_event() {
            self.events.push(event);
        }
    }
}
