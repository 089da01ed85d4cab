//! Access units of H.264 and HEVC among which their parameter sets come, as in MPEG-TS and RTP.

use bytes::{BufMut, Bytes, BytesMut};
use touchline_media::{Error, Format, avc, hevc, nal};

/// The most parameter sets that a keyframe comes with, and the most bytes of one.
const MAX_SETS: usize = 64;
const MAX_SET_LEN: usize = 4_096;

/// The parameter sets of a stream, and the decoder configuration that they make.
#[derive(Debug)]
pub(crate) struct ParameterSets {
    codec: Codec,
    format: Option<Format>,
    /// Those of the format; before there is one, those that the sender has told of.
    sets: Vec<Vec<u8>>,
    /// Those that have come since the last picture.
    fresh: Vec<Vec<u8>>,
}

impl ParameterSets {
    pub(crate) fn new(codec: Codec) -> Self {
        Self { codec, format: None, sets: Vec::new(), fresh: Vec::new() }
    }

    /// Those of a stream whose sender has told of some before it began, which hold until others come.
    pub(crate) fn told(codec: Codec, told: &[Vec<u8>]) -> Self {
        let mut sets = Self::new(codec);
        told.iter().filter(|set| codec.role(set) == Role::Set).for_each(|set| sets.add(set));
        sets.sets = std::mem::take(&mut sets.fresh);
        sets
    }

    /// Takes one that belongs to the next picture. What no encoder could mean is passed over.
    pub(crate) fn add(&mut self, set: &[u8]) {
        if self.fresh.len() < MAX_SETS && set.len() <= MAX_SET_LEN && !self.fresh.iter().any(|known| known == set) {
            self.fresh.push(set.to_vec());
        }
    }

    /// Those that have come belong to no picture that is still to come.
    pub(crate) fn forget_fresh(&mut self) {
        self.fresh.clear();
    }

    /// Whether there is a decoder configuration.
    pub(crate) fn are_known(&self) -> bool {
        self.format.is_some()
    }

    /// Whether there is one that is not in the decoder configuration.
    pub(crate) fn have_changed(&self) -> bool {
        let told = self.format.is_none() && !self.sets.is_empty();
        told || !self.fresh.iter().all(|set| holds(self.format.as_ref(), set))
    }

    /// The decoder configuration that those which have come make, if it is another. To be taken at a picture that a decoder can
    /// start at.
    pub(crate) fn renew(&mut self) -> Result<Option<Format>, Error> {
        let mut sets = std::mem::take(&mut self.fresh);
        if !sets.iter().any(|set| self.codec.is_sequence_set(set)) {
            sets = self.sets.iter().cloned().chain(sets).collect();
        }
        let units: Vec<&[u8]> = sets.iter().map(Vec::as_slice).collect();
        let format = self.codec.format(&units)?;
        self.sets = sets;
        let before = self.format.replace(format.clone());
        Ok((before.as_ref() != Some(&format)).then_some(format))
    }

    /// NAL units behind their lengths, without those that a sample does not have: parameter sets that are in the decoder
    /// configuration, delimiters, ends and filler.
    pub(crate) fn sample(&self, units: &[&[u8]], roles: &[Role]) -> Bytes {
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
}

/// What a NAL unit is to an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
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
    /// Whether it is a part of a picture.
    pub(crate) fn is_slice(self) -> bool {
        matches!(self, Self::Start | Self::Leading | Self::Slice)
    }
}

/// A codec of NAL units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Avc,
    Hevc,
}

impl Codec {
    /// What a unit is to its access unit.
    pub(crate) fn role(self, unit: &[u8]) -> Role {
        match self {
            Self::Avc => avc_role(unit),
            Self::Hevc => hevc_role(unit),
        }
    }

    /// Whether a unit begins an access unit and says no more.
    pub(crate) fn is_delimiter(self, unit: &[u8]) -> bool {
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
