//! Payloads as senders make them, by the specifications and not by what takes them apart.

use crate::rtp::depacketize::Form;

/// Payloads of at most `mtu` bytes that carry the units of an access unit: aggregated where they are small, in fragments where
/// they are large.
pub(crate) fn payloads(form: Form, units: &[Vec<u8>], mtu: usize) -> Vec<Vec<u8>> {
    match form {
        Form::H264 => nal_units(
            units,
            mtu,
            1,
            |unit| vec![unit[0] & 0xe0 | 0x18],
            |unit, flags| vec![unit[0] & 0xe0 | 0x1c, flags | unit[0] & 0x1f],
        ),
        Form::H265 => nal_units(
            units,
            mtu,
            2,
            |unit| vec![unit[0] & 0x81 | 0x30 << 1, unit[1]],
            |unit, flags| vec![unit[0] & 0x81 | 0x31 << 1, unit[1], flags | unit[0] >> 1 & 0x3f],
        ),
        Form::Av1 => obus(units, mtu),
    }
}

fn nal_units(
    units: &[Vec<u8>],
    mtu: usize,
    header: usize,
    aggregation: impl Fn(&[u8]) -> Vec<u8>,
    fragment: impl Fn(&[u8], u8) -> Vec<u8>,
) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    let mut rest = units;
    while let [unit, after @ ..] = rest {
        let mut len = header;
        let together = rest.iter().take_while(|unit| {
            len += 2 + unit.len();
            len <= mtu
        });
        let together = together.count();
        if together > 1 {
            let mut payload = aggregation(unit);
            for unit in &rest[..together] {
                payload.extend(u16::try_from(unit.len()).unwrap().to_be_bytes());
                payload.extend(unit);
            }
            payloads.push(payload);
            rest = &rest[together..];
            continue;
        }
        if unit.len() <= mtu {
            payloads.push(unit.clone());
        } else {
            let pieces: Vec<&[u8]> = unit[header..].chunks(mtu - header - 1).collect();
            for (n, piece) in pieces.iter().enumerate() {
                let flags = u8::from(n == 0) << 7 | u8::from(n + 1 == pieces.len()) << 6;
                payloads.push([&fragment(unit, flags)[..], piece].concat());
            }
        }
        rest = after;
    }
    payloads
}

fn obus(units: &[Vec<u8>], mtu: usize) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    // What is in the payload that is being filled, and whether its first element goes on from the one before.
    let (mut elements, mut room, mut goes_on): (Vec<&[u8]>, usize, bool) = (Vec::new(), mtu - 1, false);
    for unit in units {
        let mut rest = &unit[..];
        loop {
            let fits = rest.len().min(room.saturating_sub(2));
            if fits > 0 {
                elements.push(&rest[..fits]);
                rest = &rest[fits..];
                room -= fits + 2;
            }
            if rest.is_empty() {
                break;
            }
            let broken = rest.len() < unit.len();
            payloads.push(obu_payload(&elements, goes_on, broken));
            (elements, room, goes_on) = (Vec::new(), mtu - 1, broken);
        }
    }
    payloads.push(obu_payload(&elements, goes_on, false));
    payloads
}

fn obu_payload(elements: &[&[u8]], goes_on: bool, to_be_continued: bool) -> Vec<u8> {
    let count = if elements.len() <= 3 { elements.len() } else { 0 };
    let mut payload = vec![u8::from(goes_on) << 7 | u8::from(to_be_continued) << 6 | u8::try_from(count).unwrap() << 4];
    for (n, element) in elements.iter().enumerate() {
        if n + 1 != count {
            let len = element.len();
            match u8::try_from(len) {
                Ok(short) if short < 128 => payload.push(short),
                _ => payload.extend([u8::try_from(len & 0x7f).unwrap() | 0x80, u8::try_from(len >> 7).unwrap()]),
            }
        }
        payload.extend(*element);
    }
    payload
}
