//! What fuzz targets see of what is private here: datagrams as strangers and publishers send them.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::packet::{self, Packet};
use super::rtcp::{self, Reception};
use super::secure::{Channel, Fingerprint, Identity, Role};
use super::stun::Message;
use super::transport_feedback::Arrivals;

/// The header extension that numbers packets, as browsers number it.
const TRANSPORT_SEQUENCE: u8 = 3;
/// The most flights of a handshake, repetitions included.
const MAX_FLIGHTS: usize = 24;

/// Reads packets of a publisher as they are after decryption, and STUN before there is any: each with the milliseconds since the
/// one before. Whether all that was to be told of their arrival has been told.
pub fn packets<'a>(packets: impl IntoIterator<Item = (u16, &'a [u8])>, begun: Instant) -> bool {
    let (mut now, mut told) = (begun, true);
    let (mut arrivals, mut reception) = (Arrivals::new(begun), Reception::new(1, 90_000, 0));
    for (millis, bytes) in packets {
        now += Duration::from_millis(millis.into());
        if let Some(message) = Message::parse(bytes) {
            message.is_authentic("the password of a session");
        }
        if packet::is_rtcp(bytes) {
            rtcp::sender_reports(bytes).for_each(|report| reception.sender_report(&report, now));
        } else if let Some(packet) = Packet::parse(&Bytes::copy_from_slice(bytes), Some(TRANSPORT_SEQUENCE)) {
            reception.packet(packet.sequence, packet.timestamp, now);
            if let Some(sequence) = packet.transport_sequence {
                arrivals.record(sequence, now);
            }
            packet.retransmitted();
        }
        reception.block(now);
        if arrivals.poll_timeout().is_some_and(|due| due <= now) {
            told &= arrivals.take(now).is_some_and(|body| body.len() < u16::MAX.into());
        }
    }
    told
}

/// Two ends of a DTLS handshake with a network between them that does to their datagrams what `changes` say, one after another.
#[derive(Debug)]
pub struct Handshake {
    identity: Identity,
}

impl Handshake {
    /// Who both ends are.
    pub fn new() -> Option<Self> {
        Identity::generate().ok().map(|identity| Self { identity })
    }

    /// Runs one. Each change is a byte that says what it is, and what it needs: see `change`.
    pub fn run<'a>(&self, changes: impl IntoIterator<Item = &'a [u8]>, begun: Instant) -> Option<bool> {
        let fingerprint = || Fingerprint::parse(self.identity.fingerprint());
        let mut ends = [
            Channel::new(&self.identity, Role::Client, fingerprint()?).ok()?,
            Channel::new(&self.identity, Role::Server, fingerprint()?).ok()?,
        ];
        let (mut changes, mut now) = (changes.into_iter(), begun);
        let [client, _] = &mut ends;
        client.start(now).ok()?;
        for _ in 0..MAX_FLIGHTS {
            ends.reverse();
            let [to, from] = &mut ends;
            while let Some(datagram) = from.poll_transmit() {
                for datagram in change(&datagram, changes.next().unwrap_or_default()) {
                    drop(to.handle(&datagram, now));
                }
            }
            if let Some(due) = from.poll_timeout() {
                now = now.max(due);
                drop(from.handle_timeout(now));
            }
        }
        Some(ends.iter().all(Channel::is_connected))
    }
}

/// What arrives of a datagram.
fn change(datagram: &[u8], change: &[u8]) -> Vec<Vec<u8>> {
    let (datagram, [kind, a0, a1, bytes @ ..]) = (datagram.to_vec(), change) else { return vec![datagram.to_vec()] };
    let at = usize::from(u16::from_be_bytes([*a0, *a1])) % datagram.len().max(1);
    match kind % 8 {
        0 => vec![datagram],
        1 => Vec::new(),
        2 => vec![datagram.clone(), datagram],
        3 => vec![datagram.get(..at).unwrap_or_default().to_vec()],
        4 => vec![bytes.to_vec(), datagram],
        // Written over, put in between, and in the place of what there was.
        kind => {
            let (before, after) = datagram.split_at(at);
            let gone = if kind == 6 { 0 } else { bytes.len().min(after.len()) };
            vec![[before, bytes, after.get(gone..).unwrap_or_default()].concat()]
        }
    }
}
