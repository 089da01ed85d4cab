//! The RTP payload format for AV1 1.0.

use touchline_media::obu;

use super::Assembly;
use crate::rtp::Damage;

/// 4.4: the bits of the aggregation header.
const GOES_ON: u8 = 0x80;
const TO_BE_CONTINUED: u8 = 0x40;

pub(super) fn read(payload: &[u8], to: &mut Assembly) -> Result<(), Damage> {
    let Some((&header, mut rest)) = payload.split_first() else { return Ok(()) };
    let count = usize::from((header >> 4) & 3);
    let mut at = 0;
    while !rest.is_empty() {
        at += 1;
        let element = element(&mut rest, at == count)?;
        // 4.4: with a count there are so many, of which the last has no length.
        let last = if count == 0 { rest.is_empty() } else { at == count };
        if at > 1 || header & GOES_ON == 0 {
            to.begin()?;
        }
        to.append(element)?;
        if !last || header & TO_BE_CONTINUED == 0 {
            to.end();
        }
    }
    if at < count { Err(CUT_SHORT) } else { Ok(()) }
}

const CUT_SHORT: Damage = Damage::Payload("an OBU element is cut short");

/// Takes an OBU element from the front.
fn element<'a>(rest: &mut &'a [u8], takes_all: bool) -> Result<&'a [u8], Damage> {
    let len = if takes_all { rest.len() } else { obu::leb128(rest).ok_or(CUT_SHORT)? };
    let (element, after) = rest.split_at_checked(len).ok_or(CUT_SHORT)?;
    *rest = after;
    Ok(element)
}
