//! Access units of pictures: whole, and from one that a decoder can start at.

use std::time::Instant;

use bytes::Bytes;
use touchline_media::{Error, Format, av1, obu};

use super::depacketize::{Assembly, Form};
use super::{Damage, Packet};
use crate::access_unit::{self, ParameterSets, Role};

/// What packets make.
#[derive(Debug)]
pub(super) enum Event {
    /// The decoder configuration of the access units that follow.
    Configuration(Format),
    Unit(AccessUnit),
    Dropped(Damage),
}

impl Event {
    pub(super) fn is_keyframe(&self) -> bool {
        matches!(self, Self::Unit(unit) if unit.sync)
    }
}

/// A whole access unit.
#[derive(Debug)]
pub(super) struct AccessUnit {
    pub(super) timestamp: u32,
    pub(super) sync: bool,
    /// As in [`touchline_media::Sample::data`].
    pub(super) data: Bytes,
    /// When the first of its packets came, and the last.
    pub(super) began: Instant,
    pub(super) received: Instant,
}

/// Takes access units out of packets in their order.
#[derive(Debug)]
pub(super) struct Pictures {
    form: Form,
    coding: Coding,
    open: Option<Open>,
    /// Packets are missing before the next.
    gap: bool,
    /// Why the next picture has to be one that a decoder can start at.
    awaits: Option<Damage>,
    /// Pictures that refer to what was before the last keyframe cannot be shown.
    skips_leading: bool,
}

/// An access unit whose packets are coming.
#[derive(Debug)]
struct Open {
    timestamp: u32,
    began: Instant,
    received: Instant,
    assembly: Assembly,
    damage: Option<Damage>,
}

#[derive(Debug)]
enum Coding {
    Nal(access_unit::Codec, ParameterSets),
    /// The last sequence header, with the decoder configuration that it makes.
    Av1(Option<(Vec<u8>, Format)>),
}

impl Pictures {
    /// Of a stream whose sender has told of these parameter sets already.
    pub(super) fn new(form: Form, told: &[Vec<u8>]) -> Self {
        let nal = |codec| Coding::Nal(codec, ParameterSets::told(codec, told));
        let coding = match form {
            Form::H264 => nal(access_unit::Codec::Avc),
            Form::H265 => nal(access_unit::Codec::Hevc),
            Form::Av1 => Coding::Av1(None),
        };
        let awaits = Some(Damage::AwaitsKeyframe);
        Self { form, coding, open: None, gap: false, awaits, skips_leading: true }
    }

    /// Whether nothing can be shown until a keyframe comes.
    pub(super) fn awaits_keyframe(&self) -> bool {
        self.awaits.is_some()
    }

    /// Packets are missing here for good.
    pub(super) fn lose(&mut self) {
        self.gap = true;
        self.awaits.get_or_insert(Damage::AwaitsRepair);
        if let Some(open) = &mut self.open {
            open.damage.get_or_insert(Damage::Missing);
        }
        if let Coding::Nal(_, sets) = &mut self.coding {
            sets.forget_fresh();
        }
    }

    pub(super) fn push(&mut self, packet: &Packet, received: Instant, events: &mut Vec<Event>) {
        // Padding is sent to find out how much the network carries, and belongs to no access unit.
        if packet.payload.is_empty() {
            return;
        }
        if self.open.as_ref().is_some_and(|open| open.timestamp != packet.timestamp) {
            self.finish(events);
        }
        let gap = std::mem::take(&mut self.gap);
        let open = self.open.get_or_insert_with(|| Open::new(packet.timestamp, received));
        open.began = open.began.min(received);
        open.received = open.received.max(received);
        if open.damage.is_none() {
            open.damage = self.form.read(&packet.payload, &mut open.assembly).err();
            // Where packets are missing, only what is always first is known to be first.
            if gap && !self.coding.begins_keyframe(open.assembly.first()) {
                open.damage.get_or_insert(Damage::Missing);
            }
        }
        if open.damage.is_some() {
            open.assembly = Assembly::default();
        }
        if packet.marker {
            self.finish(events);
        }
    }

    /// Ends the access unit that is open: nothing more belongs to it.
    pub(super) fn finish(&mut self, events: &mut Vec<Event>) {
        let Some(mut open) = self.open.take() else { return };
        if open.assembly.is_open() {
            open.damage.get_or_insert(Damage::Payload("the last unit has no end"));
        }
        let made = match open.damage.take() {
            Some(damage) => Err(damage),
            None => self.make(&open, events),
        };
        match made {
            Ok(Some((sync, data))) => {
                let Open { timestamp, began, received, .. } = open;
                events.push(Event::Unit(AccessUnit { timestamp, sync, data, began, received }));
            }
            Ok(None) => {}
            Err(damage) => {
                if damage != Damage::Leading {
                    self.awaits.get_or_insert(Damage::AwaitsRepair);
                }
                events.push(Event::Dropped(damage));
            }
        }
    }

    /// The sample of an access unit, and whether a decoder can start at it; `None` if it has no picture.
    fn make(&mut self, open: &Open, events: &mut Vec<Event>) -> Result<Option<(bool, Bytes)>, Damage> {
        let units = open.assembly.units();
        match &mut self.coding {
            Coding::Nal(codec, sets) => {
                let roles: Vec<Role> = units.iter().map(|unit| codec.role(unit)).collect();
                for (unit, _) in units.iter().zip(&roles).filter(|(_, role)| **role == Role::Set) {
                    sets.add(unit);
                }
                if !roles.iter().any(|role| role.is_slice()) {
                    return Ok(None);
                }
                let sync = roles.contains(&Role::Start);
                let renewed = if sync && sets.have_changed() { sets.renew() } else { Ok(None) };
                let known = sets.are_known();
                let data = sets.sample(&units, &roles);
                sets.forget_fresh();
                self.admit(sync, roles.contains(&Role::Leading), known, renewed, events)?;
                Ok(Some((sync, data)))
            }
            Coding::Av1(header) => {
                let unit = TemporalUnit::read(&units)?;
                let Some(starts) = unit.starts else { return Ok(None) };
                let sync = starts && (unit.header.is_some() || header.is_some());
                let renewed = unit.header.map_or(Ok(None), |found| renew(header, found));
                let known = header.is_some();
                self.admit(sync, false, known, renewed, events)?;
                Ok(Some((sync, unit.data)))
            }
        }
    }

    /// Whether an access unit can be decoded, by what it is.
    fn admit(
        &mut self,
        sync: bool,
        leading: bool,
        known: bool,
        renewed: Result<Option<Format>, Error>,
        events: &mut Vec<Event>,
    ) -> Result<(), Damage> {
        if !sync {
            let leading = (leading && self.skips_leading).then_some(Damage::Leading);
            return self.awaits.clone().or(leading).map_or(Ok(()), Err);
        }
        if let Some(format) = renewed? {
            self.awaits.get_or_insert(Damage::AwaitsRepair);
            events.push(Event::Configuration(format));
        }
        if !known {
            return Err(Damage::AwaitsKeyframe);
        }
        self.skips_leading = self.awaits.take().is_some();
        Ok(())
    }
}

impl Open {
    fn new(timestamp: u32, received: Instant) -> Self {
        Self { timestamp, began: received, received, assembly: Assembly::default(), damage: None }
    }
}

impl Coding {
    /// Whether a unit is what keyframes begin with: a delimiter or parameter sets.
    fn begins_keyframe(&self, unit: &[u8]) -> bool {
        match self {
            Self::Nal(codec, _) => codec.is_delimiter(unit) || codec.role(unit) == Role::Set,
            Self::Av1(_) => {
                let kind = unit.first().map(|header| (header >> 3) & 0xf);
                matches!(kind, Some(obu::TEMPORAL_DELIMITER | obu::SEQUENCE_HEADER))
            }
        }
    }
}

/// A temporal unit of AV1.
struct TemporalUnit<'a> {
    header: Option<&'a [u8]>,
    /// Whether a decoder can start at the first frame; `None`: there is no frame.
    starts: Option<bool>,
    data: Bytes,
}

impl<'a> TemporalUnit<'a> {
    fn read(units: &[&'a [u8]]) -> Result<Self, Damage> {
        let (mut header, mut starts, mut data) = (None, None, Vec::new());
        for unit in units.iter().flat_map(|element| obu::units(element)) {
            let unit = unit.map_err(|_| Damage::Payload("an OBU is cut short"))?;
            if unit.kind == obu::SEQUENCE_HEADER {
                header = Some(unit.bytes);
            }
            if unit.is_frame() {
                starts.get_or_insert(unit.is_shown_key_frame());
            }
            if unit.is_in_samples() {
                unit.write(&mut data);
            }
        }
        Ok(Self { header, starts, data: data.into() })
    }
}

/// The decoder configuration that a sequence header makes, if it is another.
fn renew(known: &mut Option<(Vec<u8>, Format)>, header: &[u8]) -> Result<Option<Format>, Error> {
    if known.as_ref().is_some_and(|(known, _)| known == header) {
        return Ok(None);
    }
    let format = Format::Av1(av1::Config::from_sequence_header(header)?);
    let before = known.replace((header.to_vec(), format.clone()));
    Ok(before.is_none_or(|(_, before)| before != format).then_some(format))
}

#[cfg(test)]
mod tests;
