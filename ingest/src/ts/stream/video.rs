//! H.264 and HEVC in the byte stream format (ISO/IEC 13818-1 2.14 and 2.17).

use bytes::{BufMut, Bytes, BytesMut};
use touchline_media::{Error, Format, TrackId, avc, hevc, nal};

use super::{Output, VIDEO, annex_b};
use crate::intake::Unit;
use crate::ts::pes::Pes;
use crate::ts::{Damage, Event, Remark};

/// The most parameter sets that a keyframe comes with, and the most bytes of one.
const MAX_SETS: usize = 64;
const MAX_SET_LEN: usize = 4_096;
/// So many recovery points without an IDR picture are told of.
const MAX_RECOVERY_POINTS: u32 = 3;

/// Takes access units out of PES packets, each of which has one or more of them, whole.
#[derive(Debug)]
pub(super) struct Video {
    codec: Codec,
    track: TrackId,
    format: Option<Format>,
    /// The parameter sets of the format.
    sets: Vec<Vec<u8>>,
    /// Parameter sets that have come since the last picture.
    fresh: Vec<Vec<u8>>,
    /// Why the next picture has to be one that a decoder can start at.
    awaits: Option<Damage>,
    /// Pictures that refer to what was before the last keyframe cannot be shown.
    skips_leading: bool,
    times: Times,
    recovery_points: u32,
    told_of_open_groups: bool,
}

impl Video {
    pub(super) fn new(codec: Codec, track: TrackId) -> Self {
        Self {
            codec,
            track,
            format: None,
            sets: Vec::new(),
            fresh: Vec::new(),
            awaits: Some(Damage::AwaitsKeyframe),
            skips_leading: true,
            times: Times::default(),
            recovery_points: 0,
            told_of_open_groups: false,
        }
    }

    /// A picture may be missing here: what follows may refer to it.
    pub(super) fn lose(&mut self) {
        self.awaits.get_or_insert(Damage::AwaitsRepair);
        self.fresh.clear();
        self.times.lose();
    }

    pub(super) fn read(&mut self, pes: &Pes<'_>, out: &mut Output<'_>) {
        let units: Vec<&[u8]> = annex_b::units(pes.data).collect();
        // 2.4.3.7: the times are those of the first access unit that begins in the PES packet.
        let mut times = pes.pts.map(|pts| (pes.dts.unwrap_or(pts), pts));
        let codec = self.codec;
        for units in units.chunk_by(|_, next| !codec.is_delimiter(next)) {
            let roles: Vec<Role> = units.iter().map(|unit| codec.role(unit)).collect();
            for (unit, _) in units.iter().zip(&roles).filter(|(_, role)| **role == Role::Set) {
                self.add_set(unit);
            }
            if roles.iter().any(|role| role.is_slice()) {
                let time = self.times.next(times.take());
                if let Err(damage) = self.picture(units, &roles, time, pes, out) {
                    out.dropped(VIDEO, damage);
                }
                self.fresh.clear();
            }
        }
    }

    fn picture(
        &mut self,
        units: &[&[u8]],
        roles: &[Role],
        time: Option<(i64, i64)>,
        pes: &Pes<'_>,
        out: &mut Output<'_>,
    ) -> Result<(), Damage> {
        let sync = roles.contains(&Role::Start);
        if sync {
            self.start(out)?;
        } else {
            self.check(roles, out)?;
        }
        let Some((dts, offset)) = time else {
            out.counters.untimed_units += 1;
            self.awaits = Some(Damage::AwaitsRepair);
            return Err(Damage::Untimed);
        };
        let data = self.sample(units, roles);
        out.unit(Unit { track: self.track, dts, offset, sync, data, received: pes.received });
        Ok(())
    }

    /// At a picture that a decoder can start at: takes the parameter sets that came with it.
    fn start(&mut self, out: &mut Output<'_>) -> Result<(), Damage> {
        if !self.fresh.iter().all(|set| holds(self.format.as_ref(), set)) {
            let mut sets = std::mem::take(&mut self.fresh);
            if !sets.iter().any(|set| self.codec.is_sequence_set(set)) {
                sets = self.sets.iter().cloned().chain(sets).collect();
            }
            let units: Vec<&[u8]> = sets.iter().map(Vec::as_slice).collect();
            self.awaits.get_or_insert(Damage::AwaitsRepair);
            let format = self.codec.format(&units)?;
            if self.format.as_ref() != Some(&format) {
                out.events.push_back(Event::Configuration(self.track, format.clone()));
            }
            (self.format, self.sets) = (Some(format), sets);
        }
        if self.format.is_none() {
            out.counters.skipped_pictures += 1;
            return Err(Damage::AwaitsKeyframe);
        }
        self.skips_leading = self.awaits.take().is_some();
        self.recovery_points = 0;
        Ok(())
    }

    /// Whether another picture can be shown.
    fn check(&mut self, roles: &[Role], out: &mut Output<'_>) -> Result<(), Damage> {
        let leading = roles.contains(&Role::Leading);
        if let Some(damage) = self.awaits.clone().or((leading && self.skips_leading).then_some(Damage::Leading)) {
            out.counters.skipped_pictures += 1;
            self.recovery_points += u32::from(roles.contains(&Role::RecoveryPoint));
            if self.recovery_points == MAX_RECOVERY_POINTS {
                out.events.push_back(Event::Remark(Remark::RecoveryPoints));
            }
            return Err(damage);
        }
        if leading && !std::mem::replace(&mut self.told_of_open_groups, true) {
            out.events.push_back(Event::Remark(Remark::OpenGroups));
        }
        Ok(())
    }

    /// NAL units behind their lengths, without those that a sample does not have: parameter sets that are in the decoder
    /// configuration, delimiters, ends and filler.
    fn sample(&self, units: &[&[u8]], roles: &[Role]) -> Bytes {
        let belongs = |unit: &[u8], role: Role| match role {
            Role::Omitted => false,
            Role::Set => !holds(self.format.as_ref(), unit),
            _ => true,
        };
        let kept = || units.iter().zip(roles).filter(|(unit, role)| belongs(unit, **role)).map(|(unit, _)| *unit);
        let mut data = BytesMut::with_capacity(kept().map(|unit| 4 + unit.len()).sum());
        for unit in kept() {
            data.put_u32(u32::try_from(unit.len()).unwrap_or(u32::MAX));
            data.put_slice(unit);
        }
        data.freeze()
    }

    fn add_set(&mut self, set: &[u8]) {
        if self.fresh.len() < MAX_SETS && set.len() <= MAX_SET_LEN && !self.fresh.iter().any(|known| known == set) {
            self.fresh.push(set.to_vec());
        }
    }
}

/// What a NAL unit is to an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Not for a sample.
    Omitted,
    /// A parameter set.
    Set,
    /// A slice of a picture that a decoder can start at.
    Start,
    /// A slice of a picture that refers to what was before the keyframe.
    Leading,
    /// A slice of another picture.
    Slice,
    /// A message that decoding may start here, if not with whole pictures at once.
    RecoveryPoint,
    Other,
}

impl Role {
    fn is_slice(self) -> bool {
        matches!(self, Self::Start | Self::Leading | Self::Slice)
    }
}

/// A codec whose units are in the byte stream format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Avc,
    Hevc,
}

impl Codec {
    fn role(self, unit: &[u8]) -> Role {
        match self {
            Self::Avc => avc_role(unit),
            Self::Hevc => hevc_role(unit),
        }
    }

    fn is_delimiter(self, unit: &[u8]) -> bool {
        match self {
            Self::Avc => nal::unit_type(unit) == Some(nal::AUD),
            Self::Hevc => hevc::unit_type(unit) == Some(HEVC_AUD),
        }
    }

    fn is_sequence_set(self, unit: &[u8]) -> bool {
        match self {
            Self::Avc => nal::unit_type(unit) == Some(nal::SPS),
            Self::Hevc => hevc::unit_type(unit) == Some(hevc::SPS),
        }
    }

    fn format(self, sets: &[&[u8]]) -> Result<Format, Error> {
        match self {
            Self::Avc => avc::Config::from_parameter_sets(sets).map(Format::Avc),
            Self::Hevc => hevc::Config::from_parameter_sets(sets).map(Format::Hevc),
        }
    }
}

/// Whether a parameter set is in the decoder configuration.
fn holds(format: Option<&Format>, set: &[u8]) -> bool {
    match format {
        Some(Format::Avc(config)) => config.holds(set),
        Some(Format::Hevc(config)) => config.holds(set),
        _ => false,
    }
}

/// ISO/IEC 14496-10 table 7-1.
fn avc_role(unit: &[u8]) -> Role {
    const FIRST_SLICE: u8 = 1;
    const END_OF_SEQUENCE: u8 = 10;
    const FILLER: u8 = 12;
    /// D.1: `payloadType` of a recovery point, which encoders write first.
    const RECOVERY_POINT: u8 = 6;
    match nal::unit_type(unit) {
        None | Some(0 | nal::AUD | END_OF_SEQUENCE..=FILLER) => Role::Omitted,
        Some(nal::IDR_SLICE) => Role::Start,
        Some(FIRST_SLICE..nal::IDR_SLICE) => Role::Slice,
        Some(nal::SPS | nal::PPS) => Role::Set,
        Some(nal::SEI) if unit.get(1) == Some(&RECOVERY_POINT) => Role::RecoveryPoint,
        Some(_) => Role::Other,
    }
}

/// `nal_unit_type` of an access unit delimiter (H.265 table 7-1).
const HEVC_AUD: u8 = 35;

/// H.265 table 7-1. All pictures at which decoding can start are taken for such, CRA pictures too.
fn hevc_role(unit: &[u8]) -> Role {
    const FILLER: u8 = 38;
    match hevc::unit_type(unit) {
        None | Some(HEVC_AUD..=FILLER) => Role::Omitted,
        Some(kind) if hevc::is_irap(kind) => Role::Start,
        Some(kind) if hevc::is_rasl(kind) => Role::Leading,
        Some(kind) if hevc::is_slice(kind) => Role::Slice,
        Some(hevc::VPS..=hevc::PPS) => Role::Set,
        Some(_) => Role::Other,
    }
}

/// When access units are due.
#[derive(Debug, Default)]
struct Times {
    /// Decode time of the last.
    last: Option<i64>,
    step: Option<i64>,
    offset: i64,
}

impl Times {
    /// Decode time, and presentation time minus that, of the next access unit: what is given, or where it is due if it is as
    /// far from the one before as that was from the one before it.
    fn next(&mut self, given: Option<(i64, i64)>) -> Option<(i64, i64)> {
        let dts = match given {
            Some((dts, pts)) => {
                self.offset = difference(pts, dts);
                self.step = self.last.map(|last| difference(dts, last)).or(self.step).filter(|&step| step > 0);
                dts
            }
            None => self.last? + self.step?,
        };
        self.last = Some(dts);
        Some((dts, self.offset))
    }

    fn lose(&mut self) {
        self.last = None;
    }
}

/// The shortest way round between two times of 33 bits.
fn difference(to: i64, from: i64) -> i64 {
    const PERIOD: i64 = 1 << 33;
    (to - from + PERIOD / 2).rem_euclid(PERIOD) - PERIOD / 2
}
