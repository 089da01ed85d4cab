//! What is in the payloads of pictures: NAL units, and OBUs.

mod av1;
mod h264;
mod h265;

use super::Damage;

/// The longest access unit taken, in bytes.
pub(super) const MAX_LEN: usize = 8 * 1_024 * 1_024;
/// The most NAL units or OBUs of one.
pub(super) const MAX_UNITS: usize = 4_096;

/// How payloads are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    H264,
    H265,
    Av1,
}

impl Form {
    /// Adds what is in a payload to its access unit.
    pub(super) fn read(self, payload: &[u8], to: &mut Assembly) -> Result<(), Damage> {
        match self {
            Self::H264 => h264::read(payload, to),
            Self::H265 => h265::read(payload, to),
            Self::Av1 => av1::read(payload, to),
        }
    }
}

/// The NAL units or OBUs of an access unit, as far as they have come. Bounded by [`MAX_LEN`] and [`MAX_UNITS`].
#[derive(Debug, Default)]
pub(super) struct Assembly {
    data: Vec<u8>,
    /// Where each whole unit ends.
    ends: Vec<usize>,
    /// More of the last unit is to come.
    open: bool,
}

impl Assembly {
    /// The units, one after another.
    pub(super) fn units(&self) -> Vec<&[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, &end)| self.data.get(start..end)).collect()
    }

    /// Whether the end of a unit has not come.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// What has come of the first unit.
    pub(super) fn first(&self) -> &[u8] {
        self.data.get(..self.ends.first().copied().unwrap_or(self.data.len())).unwrap_or_default()
    }

    /// Adds a whole unit.
    fn unit(&mut self, unit: &[u8]) -> Result<(), Damage> {
        self.begin()?;
        self.append(unit)?;
        self.end();
        Ok(())
    }

    /// Begins a unit that comes in fragments.
    fn begin(&mut self) -> Result<(), Damage> {
        if self.open {
            return Err(Damage::Payload("a unit begins before the one before it has ended"));
        }
        if self.ends.len() >= MAX_UNITS {
            return Err(Damage::TooLong { limit: MAX_UNITS, unit: "units" });
        }
        self.open = true;
        Ok(())
    }

    /// Adds a fragment of the unit that has begun.
    fn append(&mut self, fragment: &[u8]) -> Result<(), Damage> {
        if !self.open {
            return Err(Damage::Payload("a unit goes on that has not begun"));
        }
        if self.data.len() + fragment.len() > MAX_LEN {
            return Err(Damage::TooLong { limit: MAX_LEN, unit: "bytes" });
        }
        self.data.extend_from_slice(fragment);
        Ok(())
    }

    /// Ends the unit that has begun. An empty one is none.
    fn end(&mut self) {
        self.open = false;
        if self.data.len() > self.ends.last().copied().unwrap_or(0) {
            self.ends.push(self.data.len());
        }
    }
}

/// Adds units behind their lengths of two bytes, as both payload formats of NAL units aggregate them.
fn aggregated(mut units: &[u8], to: &mut Assembly) -> Result<(), Damage> {
    const CUT_SHORT: Damage = Damage::Payload("an aggregation is cut short");
    while let Some((len, rest)) = units.split_first_chunk() {
        let (unit, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len))).ok_or(CUT_SHORT)?;
        to.unit(unit)?;
        units = rest;
    }
    if units.is_empty() { Ok(()) } else { Err(CUT_SHORT) }
}

/// A fragment of a NAL unit, whose own header comes in pieces too.
struct Fragment<'a> {
    starts: bool,
    ends: bool,
    header: &'a [u8],
    data: &'a [u8],
}

fn fragment(fragment: &Fragment<'_>, to: &mut Assembly) -> Result<(), Damage> {
    if fragment.starts {
        to.begin()?;
        to.append(fragment.header)?;
    }
    to.append(fragment.data)?;
    if fragment.ends {
        to.end();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
