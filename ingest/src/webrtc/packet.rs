//! The header of an RTP packet (RFC 3550 5.1), and what is in its extensions (RFC 8285).

use bytes::Bytes;

/// The bytes of a header without sources and extensions.
const HEADER: usize = 12;

/// An RTP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
    /// Its number among all packets of the connection, if it has one.
    pub(super) transport_sequence: Option<u16>,
    /// Without padding.
    pub(super) payload: Bytes,
}

/// Whether what is neither STUN nor DTLS is RTCP (RFC 5761 4).
pub(super) fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

/// The source of a packet, which is not encrypted.
pub(super) fn ssrc_of_rtp(datagram: &[u8]) -> Option<u32> {
    be32(datagram, 8)
}

/// The sender of an RTCP packet, which is not encrypted.
pub(super) fn ssrc_of_rtcp(datagram: &[u8]) -> Option<u32> {
    be32(datagram, 4)
}

impl Packet {
    /// Reads a packet. `transport_sequence` is the number that was agreed upon for that extension.
    pub(super) fn parse(bytes: &Bytes, transport_sequence: Option<u8>) -> Option<Self> {
        let (first, second) = (*bytes.first()?, *bytes.get(1)?);
        if first >> 6 != 2 {
            return None;
        }
        let mut start = HEADER + 4 * usize::from(first & 0x0f);
        let mut number = None;
        if first & 0x10 != 0 {
            let (profile, words) = (be16(bytes, start)?, usize::from(be16(bytes, start + 2)?));
            let extension = bytes.get(start + 4..start + 4 + words * 4)?;
            number = transport_sequence.and_then(|id| be16(element(extension, profile, id)?, 0));
            start += 4 + words * 4;
        }
        let mut end = bytes.len();
        if first & 0x20 != 0 {
            end = end.checked_sub(usize::from(*bytes.last()?))?;
        }
        if start > end {
            return None;
        }
        Some(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: be16(bytes, 2)?,
            timestamp: be32(bytes, 4)?,
            ssrc: be32(bytes, 8)?,
            transport_sequence: number,
            payload: bytes.slice(start..end),
        })
    }

    /// What was sent again in this packet of a retransmission stream (RFC 4588 4): with the sequence number that it had. `None`
    /// for one that is all padding, by which a sender measures the path.
    pub(super) fn retransmitted(mut self) -> Option<Self> {
        self.sequence = be16(&self.payload, 0)?;
        self.payload = self.payload.slice(2..);
        Some(self)
    }
}

/// What is in the element with this ID (RFC 8285 4.2 and 4.3).
fn element(mut extension: &[u8], profile: u16, id: u8) -> Option<&[u8]> {
    let one_byte = profile == 0xBEDE;
    if !one_byte && profile >> 4 != 0x100 {
        return None;
    }
    while let Some((&first, rest)) = extension.split_first() {
        if first == 0 {
            extension = rest;
            continue;
        }
        let (found, length, rest) = if one_byte {
            (first >> 4, usize::from(first & 0x0f) + 1, rest)
        } else {
            let (length, rest) = rest.split_first()?;
            (first, usize::from(*length), rest)
        };
        // RFC 8285 4.2: 15 ends the elements.
        if one_byte && found == 15 {
            return None;
        }
        let (value, rest) = rest.split_at_checked(length)?;
        if found == id {
            return Some(value);
        }
        extension = rest;
    }
    None
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Payload type 96 with the marker, number 7, two extensions (3: 0xab; 5: 0x0102), payload `xyz`, three bytes of padding.
    const ONE_BYTE: &[u8] =
        b"\xb0\xe0\x00\x07\x00\x00\x00\x09\x00\x00\x00\x05\xbe\xde\x00\x02\x30\xab\x00\x51\x01\x02\x00\x00xyz\0\0\x03";
    /// The same in the two-byte form, without padding.
    const TWO_BYTE: &[u8] =
        b"\x90\xe0\x00\x07\x00\x00\x00\x09\x00\x00\x00\x05\x10\x00\x00\x02\x03\x01\xab\x05\x02\x01\x02\x00xyz";

    #[test]
    fn both_forms_of_extensions_are_read_and_padding_is_left_out() {
        for bytes in [ONE_BYTE, TWO_BYTE] {
            let packet = Packet::parse(&Bytes::from_static(bytes), Some(5)).unwrap();
            let expected = Packet {
                marker: true,
                payload_type: 96,
                sequence: 7,
                timestamp: 9,
                ssrc: 5,
                transport_sequence: Some(0x0102),
                payload: Bytes::from_static(b"xyz"),
            };
            assert_eq!(packet, expected);
            assert_eq!(Packet::parse(&Bytes::from_static(bytes), Some(4)).unwrap().transport_sequence, None);
        }
    }

    #[test]
    fn a_retransmission_has_the_number_that_it_had() {
        let packet = Packet::parse(&Bytes::from_static(TWO_BYTE), None).unwrap();
        let again = packet.clone().retransmitted().unwrap();
        assert_eq!((again.sequence, &*again.payload), (u16::from_be_bytes(*b"xy"), &b"z"[..]));
        assert_eq!(Packet { payload: Bytes::new(), ..packet }.retransmitted(), None);
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..80), id in 0_u8..=255) {
            if let Some(first) = bytes.first_mut() {
                *first = *first & 0x3f | 0x80;
            }
            let bytes = Bytes::from(bytes);
            if let Some(packet) = Packet::parse(&bytes, Some(id)) {
                prop_assert!(packet.payload.len() + HEADER <= bytes.len());
            }
        }
    }
}
