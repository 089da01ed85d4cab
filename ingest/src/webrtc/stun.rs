//! STUN (RFC 8489), as much of it as ICE needs of an agent that mostly answers.

use std::net::{IpAddr, SocketAddr};

use ring::hmac;

/// The bytes before the attributes (RFC 8489 5).
const HEADER: usize = 20;
/// RFC 8489 5.
const MAGIC_COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
/// The bytes of a MESSAGE-INTEGRITY (RFC 8489 14.5).
const INTEGRITY: usize = 20;
/// What a CRC-32 is masked with in a FINGERPRINT (RFC 8489 14.7).
const FINGERPRINT_MASK: u32 = 0x5354_554e;

/// Attributes: RFC 8489 18.3, RFC 8445 16.1.
mod attribute {
    pub(super) const USERNAME: u16 = 0x0006;
    pub(super) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(super) const ERROR_CODE: u16 = 0x0009;
    pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(super) const PRIORITY: u16 = 0x0024;
    pub(super) const USE_CANDIDATE: u16 = 0x0025;
    pub(super) const FINGERPRINT: u16 = 0x8028;
    pub(super) const ICE_CONTROLLED: u16 = 0x8029;
}

/// What pairs a response with its request.
pub(super) type Transaction = [u8; 12];

/// What a message is for. There is one method, Binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Request = 0x0001,
    Indication = 0x0011,
    Success = 0x0101,
    Error = 0x0111,
}

/// A message that came. Nothing of it is to be believed before [`Message::is_authentic`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) class: Class,
    pub(super) transaction: Transaction,
    /// Of the agent that it is for, and of the one that it is from (RFC 8445 7.2.2).
    pub(super) username: Option<(&'a str, &'a str)>,
    /// Whether it nominates its path.
    pub(super) nominates: bool,
    /// Whether its sender takes itself for the controlled agent.
    pub(super) is_controlled: bool,
    /// What the integrity is computed over, and the integrity.
    sealed: Option<(&'a [u8], &'a [u8])>,
}

/// Whether a datagram is STUN, among all that share a port (RFC 7983 7).
pub(super) fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4) && datagram.get(4..8) == Some(&MAGIC_COOKIE)
}

impl<'a> Message<'a> {
    /// Reads a Binding message that fills the datagram.
    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        if !is_stun(datagram) {
            return None;
        }
        let class = match be16(datagram, 0)? {
            0x0001 => Class::Request,
            0x0011 => Class::Indication,
            0x0101 => Class::Success,
            0x0111 => Class::Error,
            _ => return None,
        };
        let length = usize::from(be16(datagram, 2)?);
        if HEADER + length != datagram.len() || length % 4 != 0 {
            return None;
        }
        let transaction = datagram.get(8..HEADER)?.try_into().ok()?;
        let mut message =
            Self { class, transaction, username: None, nominates: false, is_controlled: false, sealed: None };
        message.read_attributes(datagram)?;
        Some(message)
    }

    fn read_attributes(&mut self, datagram: &'a [u8]) -> Option<()> {
        let mut at = HEADER;
        while at < datagram.len() {
            let (kind, length) = (be16(datagram, at)?, usize::from(be16(datagram, at + 2)?));
            let value = datagram.get(at + 4..at + 4 + length)?;
            match kind {
                attribute::FINGERPRINT => {
                    // RFC 8489 14.7: it is the last, and covers all before it.
                    let expected = crc32(datagram.get(..at)?) ^ FINGERPRINT_MASK;
                    return (value == expected.to_be_bytes() && at + 8 == datagram.len()).then_some(());
                }
                // RFC 8489 14.5: what follows the integrity is not covered by it and is ignored.
                _ if self.sealed.is_some() => {}
                attribute::MESSAGE_INTEGRITY => self.sealed = Some((datagram.get(..at)?, value)),
                attribute::USERNAME => self.username = std::str::from_utf8(value).ok()?.split_once(':'),
                attribute::USE_CANDIDATE => self.nominates = true,
                attribute::ICE_CONTROLLED => self.is_controlled = true,
                _ => {}
            }
            at += 4 + length.next_multiple_of(4);
        }
        Some(())
    }

    /// Whether who sent it knows the password (RFC 8489 14.5, short-term credentials).
    pub(super) fn is_authentic(&self, password: &str) -> bool {
        let Some((covered, integrity)) = self.sealed else { return false };
        sealed(covered).is_some_and(|sealed| hmac::verify(&key(password), &sealed, integrity).is_ok())
    }
}

/// The answer to a check: where it was seen to come from.
pub(super) fn success(request: Transaction, mapped: SocketAddr, password: &str) -> Vec<u8> {
    let mut message = Writer::new(Class::Success, request);
    message.attribute(attribute::XOR_MAPPED_ADDRESS, &xor(mapped, request));
    message.finish(password)
}

/// The answer to a check of an agent that takes itself for the controlled one, as we are (RFC 8445 7.3.1.1).
pub(super) fn role_conflict(request: Transaction, password: &str) -> Vec<u8> {
    let mut message = Writer::new(Class::Error, request);
    message.attribute(attribute::ERROR_CODE, b"\0\0\x04\x57Role Conflict");
    message.finish(password)
}

/// A check by which we learn nothing but the round trip.
pub(super) fn check(transaction: Transaction, username: &str, tie_breaker: [u8; 8], password: &str) -> Vec<u8> {
    let mut message = Writer::new(Class::Request, transaction);
    message.attribute(attribute::USERNAME, username.as_bytes());
    message.attribute(attribute::ICE_CONTROLLED, &tie_breaker);
    message.attribute(attribute::PRIORITY, &super::candidate::HOST_PRIORITY.to_be_bytes());
    message.finish(password)
}

struct Writer(Vec<u8>);

impl Writer {
    fn new(class: Class, transaction: Transaction) -> Self {
        let mut bytes = (class as u16).to_be_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(MAGIC_COOKIE);
        bytes.extend(transaction);
        Self(bytes)
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let Ok(length) = u16::try_from(value.len()) else { return };
        self.0.extend(kind.to_be_bytes());
        self.0.extend(length.to_be_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self.set_length(0);
    }

    /// Writes the length as it is when `more` bytes have been added.
    fn set_length(&mut self, more: usize) {
        let length = u16::try_from(self.0.len() - HEADER + more).unwrap_or(u16::MAX);
        if let Some(field) = self.0.get_mut(2..4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }

    fn finish(mut self, password: &str) -> Vec<u8> {
        if let Some(sealed) = sealed(&self.0) {
            self.attribute(attribute::MESSAGE_INTEGRITY, hmac::sign(&key(password), &sealed).as_ref());
        }
        self.set_length(8);
        let fingerprint = crc32(&self.0) ^ FINGERPRINT_MASK;
        self.attribute(attribute::FINGERPRINT, &fingerprint.to_be_bytes());
        self.0
    }
}

/// What the integrity of a message is computed over that begins with `covered`: its length is counted as if the integrity was
/// the last attribute (RFC 8489 14.5).
fn sealed(covered: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(covered.len().checked_sub(HEADER)? + 4 + INTEGRITY).ok()?;
    Some([covered.get(..2)?, &length.to_be_bytes(), covered.get(4..)?].concat())
}

fn key(password: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
}

/// RFC 8489 14.2.
fn xor(address: SocketAddr, transaction: Transaction) -> Vec<u8> {
    let mask = MAGIC_COOKIE.into_iter().chain(transaction);
    let (family, bytes) = match address.ip().to_canonical() {
        IpAddr::V4(v4) => (1, v4.octets().to_vec()),
        IpAddr::V6(v6) => (2, v6.octets().to_vec()),
    };
    let mut value = vec![0, family];
    value.extend(address.port().to_be_bytes().iter().zip(MAGIC_COOKIE).map(|(byte, mask)| byte ^ mask));
    value.extend(bytes.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
    value
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// ISO 3309, as in Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769 2.
    const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
    /// RFC 5769 2.1.
    const REQUEST: &[u8] = b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x10STUN test client\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\
        \x00\x06\x00\x09\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x20\x20\x20\
        \x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\
        \x80\x28\x00\x04\xe5\x7a\x3b\xcf";
    /// RFC 5769 2.2.
    const RESPONSE: &[u8] = b"\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x0btest vector \x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\
        \x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7\
        \x80\x28\x00\x04\xc0\x7d\x4c\x96";
    /// RFC 5769 2.3.
    const RESPONSE_V6: [u8; 20] = *b"\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9";

    #[test]
    fn the_request_of_rfc_5769_is_read_and_authentic() {
        let message = Message::parse(REQUEST).unwrap();
        assert_eq!(message.class, Class::Request);
        assert_eq!(message.username, Some(("evtj", "h6vY")));
        assert!(message.is_controlled && !message.nominates);
        assert!(message.is_authentic(PASSWORD));
        assert!(!message.is_authentic("VOkJxbRl1RmTxUk/WvJxBu"));
    }

    #[test]
    fn the_responses_of_rfc_5769_are_read_and_their_addresses_written() {
        let message = Message::parse(RESPONSE).unwrap();
        assert_eq!(message.class, Class::Success);
        assert!(message.is_authentic(PASSWORD));
        assert_eq!(xor("192.0.2.1:32853".parse().unwrap(), message.transaction), RESPONSE[40..48]);
        let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        assert_eq!(xor(v6, message.transaction), RESPONSE_V6);
    }

    #[test]
    fn what_is_written_is_read_and_authentic() {
        let transaction = [7; 12];
        let written = [
            (Class::Success, success(transaction, "127.0.0.1:9".parse().unwrap(), "secret")),
            (Class::Error, role_conflict(transaction, "secret")),
            (Class::Request, check(transaction, "them:us", [1; 8], "secret")),
        ];
        for (class, bytes) in written {
            let message = Message::parse(&bytes).unwrap();
            assert_eq!((message.class, message.transaction), (class, transaction));
            assert!(message.is_authentic("secret") && !message.is_authentic("Secret"));
        }
    }

    #[test]
    fn a_message_with_any_byte_changed_or_missing_is_not_authentic() {
        let sealed = REQUEST.len() - 8;
        for at in 0..sealed {
            let mut changed = REQUEST.to_vec();
            changed[at] ^= 1;
            let authentic = Message::parse(&changed).is_some_and(|message| message.is_authentic(PASSWORD));
            assert!(!authentic, "byte {at}");
            assert!(Message::parse(&REQUEST[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn what_follows_the_integrity_is_ignored() {
        let mut forged = check([7; 12], "them:us", [1; 8], "secret");
        // In place of the fingerprint: a nomination that nobody has sealed.
        forged.truncate(forged.len() - 8);
        forged.extend(attribute::USE_CANDIDATE.to_be_bytes());
        forged.extend([0, 0]);
        let length = u16::try_from(forged.len() - HEADER).unwrap();
        forged[2..4].copy_from_slice(&length.to_be_bytes());
        let message = Message::parse(&forged).unwrap();
        assert!(message.is_authentic("secret") && !message.nominates);
    }
}
