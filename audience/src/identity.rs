use std::hash::Hasher as _;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

/// What hashes of viewers are keyed by. Nodes that share one know the same viewer again; nobody else can.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 16]);

impl Key {
    /// A key of 16 bytes that cannot be guessed.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A hash of several texts, of which none can be taken for a part of its neighbour.
    pub(crate) fn hash(&self, kind: u8, texts: &[&[u8]]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write_u8(kind);
        for text in texts {
            hasher.write_usize(text.len());
            hasher.write(text);
        }
        hasher.finish()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

const SESSION: u8 = 1;
const CONNECTION: u8 = 2;
const NTH: u8 = 3;

/// What is known of who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visitor {
    /// A hash of its address and of what its player calls itself.
    pub(crate) connection: u64,
    /// A hash of its session id.
    pub(crate) session: Option<u64>,
}

impl Visitor {
    /// By the facts of a connection, and the session id if there is one. A session is one person's, wherever it connects.
    pub(crate) fn new(key: &Key, address: IpAddr, agent: &[u8], session: Option<&str>) -> Self {
        let address = match address.to_canonical() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        Self {
            connection: key.hash(CONNECTION, &[&address, agent]),
            session: session.map(|session| key.hash(SESSION, &[session.as_bytes()])),
        }
    }
}

/// The n-th with the same facts at a node. At another node it is somebody else: in a household whose members are led to several nodes there are
/// more of these than there are viewers who go from one to another, and those count twice for some seconds only.
pub(crate) fn nth(connection: u64, node: u64, ordinal: u16) -> u64 {
    mix(connection ^ mix(node) ^ mix(u64::from(ordinal) + (u64::from(NTH) << 32)))
}

/// The same viewer of another channel is another.
pub(crate) fn of_channel(id: u64, channel: u64) -> u64 {
    mix(id ^ channel)
}

/// Spreads what is unpredictable already (the finaliser of `SplitMix64`).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_told_by_address_player_and_session_and_only_by_who_has_the_key() {
        let (key, other) = (Key::new([1; 16]), Key::new([2; 16]));
        let visitor = |key: &Key, address: &str, agent: &str, session| {
            Visitor::new(key, address.parse().unwrap(), agent.as_bytes(), session)
        };
        let first = visitor(&key, "192.0.2.1", "player", Some("a"));
        assert_eq!(first, visitor(&key, "::ffff:192.0.2.1", "player", Some("a")));
        assert_ne!(first.connection, visitor(&key, "192.0.2.2", "player", None).connection);
        assert_ne!(first.connection, visitor(&key, "192.0.2.1", "other", None).connection);
        assert_eq!(first.session, visitor(&key, "192.0.2.2", "other", Some("a")).session);
        assert_ne!(first, visitor(&other, "192.0.2.1", "player", Some("a")));
        assert_eq!(format!("{key:?}"), "Key(..)");
    }

    #[test]
    fn ordinals_and_channels_make_others_of_one() {
        let ids = [
            nth(7, 5, 0),
            nth(7, 5, 1),
            nth(7, 6, 0),
            nth(8, 5, 0),
            of_channel(nth(7, 5, 0), 1),
            of_channel(nth(7, 5, 0), 2),
        ];
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[index + 1..].contains(id));
        }
    }
}
