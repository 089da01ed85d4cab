//! Events that could have been: how many watch, every ten seconds, and what the calendar says of it beforehand.

use std::f64::consts::{LN_2, TAU};
use std::time::Duration;

use touchline_hints::{Calendar, Event, Series, Span};

use crate::random::Random;

/// From one number of viewers to the next.
const STEP: Duration = Duration::from_secs(10);
/// Before kick-off and after the end.
const BEFORE: f64 = 5_400.0;
const AFTER: f64 = 1_800.0;
/// Kick-off, since 1970: any will do.
const KICK_OFF: Duration = Duration::from_secs(1_790_000_000);
const HALF: f64 = 2_700.0;
const BREAK: f64 = 900.0;
const OVERTIME: f64 = 1_980.0;

/// Something that draws viewers, or drives them away.
#[derive(Debug, Clone, Copy)]
struct Bump {
    /// When it begins, in seconds since kick-off.
    at: f64,
    /// By which share of all it is more at its height.
    share: f64,
    /// How long that takes, in seconds.
    rise: f64,
    /// After how long half of it has gone again; infinite if nothing goes.
    half_life: f64,
}

impl Bump {
    fn factor(&self, at: f64) -> f64 {
        let since = at - self.at;
        if since <= 0.0 {
            return 1.0;
        }
        let risen = (since / self.rise).min(1.0);
        let past = (since - self.rise).max(0.0);
        1.0 + self.share * risen * (-LN_2 * past / self.half_life).exp()
    }
}

/// An event of chance. What is drawn, from where to where, is told in docs/hints.md.
pub(super) fn event(seed: u64) -> Series {
    let mut chance = Random::new(seed);
    let within = |chance: &mut Random, from: f64, to: f64| from + (to - from) * chance.share();
    let happens = |chance: &mut Random, probability: f64| chance.share() < probability;

    let size = 10_f64.powf(within(&mut chance, 4.0, 7.0));
    let late = if happens(&mut chance, 0.15) { within(&mut chance, 60.0, 900.0) } else { 0.0 };
    let (middle, width) = (within(&mut chance, -180.0, 300.0) + late, within(&mut chance, 240.0, 600.0));
    let break_at = late + HALF + within(&mut chance, 60.0, 300.0);
    let back_at = break_at + BREAK;
    let regular = back_at + HALF + within(&mut chance, 120.0, 420.0);
    let overtime = happens(&mut chance, 0.2);
    let end = regular + if overtime { OVERTIME } else { 0.0 };

    let mut bumps = Vec::new();
    let drift = within(&mut chance, 0.0, 0.3);
    bumps.push(Bump { at: late, share: drift, rise: regular - late, half_life: f64::INFINITY });
    let mut goal = late;
    loop {
        goal += chance.wait(Duration::from_mins(36)).as_secs_f64();
        if goal > end {
            break;
        }
        let (share, rise) = (within(&mut chance, 0.02, 0.12), within(&mut chance, 120.0, 240.0));
        bumps.push(Bump { at: goal, share, rise, half_life: 1_200.0 });
    }
    if happens(&mut chance, 0.4) {
        let (share, rise) = (within(&mut chance, 0.15, 0.5), within(&mut chance, 480.0, 900.0));
        bumps.push(Bump { at: regular - 1_200.0, share, rise, half_life: f64::INFINITY });
    }
    if overtime {
        let (share, rise) = (within(&mut chance, 0.1, 0.3), within(&mut chance, 240.0, 480.0));
        bumps.push(Bump { at: regular, share, rise, half_life: f64::INFINITY });
    }
    let mut announcements = Vec::new();
    if happens(&mut chance, 0.5) {
        let at = within(&mut chance, late, end - 600.0);
        let (share, rise) = (within(&mut chance, 0.1, 0.25), within(&mut chance, 180.0, 300.0));
        bumps.push(Bump { at, share, rise, half_life: 900.0 });
        if happens(&mut chance, 0.5) {
            announcements.push(at);
        }
    }
    let dip = within(&mut chance, 0.1, 0.35);
    bumps.push(Bump { at: break_at, share: -dip, rise: 240.0, half_life: f64::INFINITY });
    bumps.push(Bump {
        at: back_at - 180.0,
        share: dip / (1.0 - dip),
        rise: within(&mut chance, 240.0, 420.0),
        half_life: f64::INFINITY,
    });
    let outage = happens(&mut chance, 0.15).then(|| {
        let at = within(&mut chance, late, end - 900.0);
        (at, within(&mut chance, 0.3, 0.8), within(&mut chance, 60.0, 240.0), within(&mut chance, 20.0, 60.0))
    });
    let leave = within(&mut chance, 240.0, 480.0);

    let (mut viewers, mut noise, mut at) = (Vec::new(), 0.0, -BEFORE);
    while at <= end + AFTER {
        let mut here = size / (1.0 + (-(at - middle) / width).exp());
        here *= bumps.iter().map(|bump| bump.factor(at)).product::<f64>();
        if let Some((from, share, lasts, back)) = outage {
            let since = at - from - lasts;
            if since >= 0.0 {
                here *= 1.0 - share * (-since / back).exp();
            } else if at >= from {
                here *= 1.0 - share;
            }
        }
        if at > end {
            here *= 0.03 + 0.97 * (-(at - end) / leave).exp();
        }
        noise = 0.9 * noise + 0.001_5 * normal(&mut chance);
        viewers.push((here * (1.0 + noise)).max(1.0).round());
        at += STEP.as_secs_f64();
    }
    let peak = viewers.iter().copied().fold(0.0, f64::max);
    let expected = peak * (0.3 * normal(&mut chance)).exp();
    let moment = |at: f64| Duration::from_secs_f64(KICK_OFF.as_secs_f64() + at);
    // As it is planned: that kick-off is late, or how long a half lasts, nobody knows beforehand.
    let planned = HALF + 180.0;
    let calendar = Event {
        id: format!("event-{seed}"),
        kick_off: KICK_OFF,
        end: moment(2.0 * planned + BREAK),
        expected_peak: Some(expected),
        breaks: vec![Span { from: moment(planned), to: moment(planned + BREAK) }],
        announcements: announcements.into_iter().map(moment).collect(),
        ended: Some(moment(end)),
    };
    Series { start: moment(-BEFORE), step: STEP, viewers, calendar: Calendar { events: vec![calendar] } }
}

/// A number of a normal distribution with a mean of 0 and a deviation of 1 (Box and Muller).
fn normal(chance: &mut Random) -> f64 {
    let (one, two) = (1.0 - chance.share(), chance.share());
    (-2.0 * one.ln()).sqrt() * (TAU * two).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_event_and_another_gives_another() {
        assert_eq!(event(7), event(7));
        assert_ne!(event(7).viewers, event(8).viewers);
    }

    #[test]
    fn most_come_around_kick_off_and_leave_after_the_end() {
        for seed in 0..50 {
            let series = event(seed);
            let peak = series.viewers.iter().copied().fold(0.0, f64::max);
            let at = |moment: Duration| {
                let index = moment.saturating_sub(series.start).div_duration_f64(STEP);
                series
                    .viewers
                    .iter()
                    .enumerate()
                    .find(|(n, _)| f64::from(u32::try_from(*n).unwrap()) >= index)
                    .unwrap()
                    .1
            };
            let planned = &series.calendar.events[0];
            assert!(*at(KICK_OFF.saturating_sub(Duration::from_hours(1))) < peak / 4.0, "{seed}");
            assert!(*at(KICK_OFF + Duration::from_mins(40)) > peak / 10.0, "{seed}");
            assert!(*series.viewers.last().unwrap() < peak / 10.0, "{seed}");
            let expected = planned.expected_peak.unwrap() / peak;
            assert!((0.2..5.0).contains(&expected), "{seed}: {expected}");
        }
    }
}
