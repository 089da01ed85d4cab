//! RFC 6184, without interleaving: `packetization-mode` 0 and 1.

use super::{Assembly, Fragment};
use crate::rtp::Damage;

/// 5.7.1: several NAL units of one time.
const STAP_A: u8 = 24;
/// 5.8: a fragment.
const FU_A: u8 = 28;
/// 5.8: the bits of an FU header.
const START: u8 = 0x80;
const END: u8 = 0x40;

pub(super) fn read(payload: &[u8], to: &mut Assembly) -> Result<(), Damage> {
    let Some((&indicator, rest)) = payload.split_first() else { return Ok(()) };
    match indicator & 0x1f {
        1..STAP_A => to.unit(payload),
        STAP_A => super::aggregated(rest, to),
        FU_A => {
            let (&header, data) = rest.split_first().ok_or(Damage::Payload("a fragment is cut short"))?;
            // 5.8: what the header of the NAL unit had is in both.
            let header_of_unit = [indicator & 0xe0 | header & 0x1f];
            let (starts, ends) = (header & START != 0, header & END != 0);
            super::fragment(&Fragment { starts, ends, header: &header_of_unit, data }, to)
        }
        // 5.2: to be passed over.
        0 | 30 | 31 => Ok(()),
        other => Err(Damage::Form(other)),
    }
}
