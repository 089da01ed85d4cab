//! RFC 7798, in order of decoding: `sprop-max-don-diff` 0.

use super::{Assembly, Fragment};
use crate::rtp::Damage;

/// 4.4.2: several NAL units of one time.
const AP: u8 = 48;
/// 4.4.3: a fragment.
const FU: u8 = 49;
/// 4.4.3: the bits of an FU header.
const START: u8 = 0x80;
const END: u8 = 0x40;

pub(super) fn read(payload: &[u8], to: &mut Assembly) -> Result<(), Damage> {
    const CUT_SHORT: Damage = Damage::Payload("a fragment is cut short");
    let ([first, second], rest) = payload.split_first_chunk().ok_or(CUT_SHORT)?;
    match (first >> 1) & 0x3f {
        ..AP => to.unit(payload),
        AP => super::aggregated(rest, to),
        FU => {
            let (&header, data) = rest.split_first().ok_or(CUT_SHORT)?;
            // 4.4.3: what the header of the NAL unit had is in both.
            let header_of_unit = [first & 0x81 | (header & 0x3f) << 1, *second];
            let (starts, ends) = (header & START != 0, header & END != 0);
            super::fragment(&Fragment { starts, ends, header: &header_of_unit, data }, to)
        }
        other => Err(Damage::Form(other)),
    }
}
