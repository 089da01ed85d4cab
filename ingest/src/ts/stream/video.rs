//! H.264 and HEVC in the byte stream format (ISO/IEC 13818-1 2.14 and 2.17).

use touchline_media::TrackId;

use super::{Output, VIDEO, annex_b};
use crate::access_unit::{Codec, ParameterSets, Role};
use crate::intake::Unit;
use crate::ts::pes::Pes;
use crate::ts::{Damage, Event, Remark};

/// So many recovery points without an IDR picture are told of.
const MAX_RECOVERY_POINTS: u32 = 3;

/// Takes access units out of PES packets, each of which has one or more of them, whole.
#[derive(Debug)]
pub(super) struct Video {
    codec: Codec,
    track: TrackId,
    sets: ParameterSets,
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
            sets: ParameterSets::new(codec),
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
        self.sets.forget_fresh();
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
                self.sets.add(unit);
            }
            if roles.iter().any(|role| role.is_slice()) {
                let time = self.times.next(times.take());
                if let Err(damage) = self.picture(units, &roles, time, pes, out) {
                    out.dropped(VIDEO, damage);
                }
                self.sets.forget_fresh();
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
        let data = self.sets.sample(units, roles);
        out.unit(Unit { track: self.track, dts, offset, sync, data, received: pes.received });
        Ok(())
    }

    /// At a picture that a decoder can start at: takes the parameter sets that came with it.
    fn start(&mut self, out: &mut Output<'_>) -> Result<(), Damage> {
        if self.sets.have_changed() {
            self.awaits.get_or_insert(Damage::AwaitsRepair);
            if let Some(format) = self.sets.renew()? {
                out.events.push_back(Event::Configuration(self.track, format));
            }
        }
        if !self.sets.are_known() {
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
