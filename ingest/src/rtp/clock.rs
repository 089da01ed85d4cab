//! RTP timestamps become times on one timeline.

use std::time::{Duration, Instant};

use super::SenderReport;

/// Ticks per second of pictures (RFC 6184 8.2.1, RFC 7798 7.1, AV1 RTP 7.1) and of sound (RFC 7587 4.1).
pub(super) const PICTURES: u32 = 90_000;
pub(super) const SOUND: u32 = 48_000;

/// What a sender says of its clocks is believed so far from what is seen by arrival.
const TRUSTED: i64 = 5 * NANOS;
/// So far from its place sound is put there at once. Nearer, it is moved...
const MAX_SLEW: i64 = SOUND as i64;
/// ...by one tick in so many, which nobody hears.
const SLEW: i64 = 20;
/// Where sound belongs is averaged over about so many reports, as long as they are so near to each other.
const SMOOTHING: i64 = 4;
const NOISE: i64 = SOUND as i64 / 10;

/// The timeline of a session, whose zero is the time at which it began. Pictures are where the first of them arrived, and on
/// from there by their own clock; sound is where reports say that it belongs to them, or where it arrived until there are any.
#[derive(Debug)]
pub(super) struct Clock {
    pictures: Line,
    sound: Line,
    /// Ticks of sound that it is moved by.
    shift: i64,
    /// Those that it is to be moved by, once reports of both tell.
    aim: Option<i64>,
    /// Where sound was read last, before it was moved.
    last: Option<i64>,
    /// The first wall-clock time told, from which others are counted.
    wall: Option<u64>,
}

/// Which clock it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Pictures,
    Sound,
}

impl Clock {
    pub(super) fn new(begins: Instant) -> Self {
        let (pictures, sound) = (Line::new(PICTURES, begins), Line::new(SOUND, begins));
        Self { pictures, sound, shift: 0, aim: None, last: None, wall: None }
    }

    /// Where a picture lies, in ticks of [`PICTURES`].
    pub(super) fn picture(&mut self, timestamp: u32, arrived: Instant) -> i64 {
        let (ticks, begun_anew) = self.pictures.read(timestamp, arrived);
        if begun_anew {
            self.aim = None;
        }
        ticks
    }

    /// Where sound lies, in ticks of [`SOUND`].
    pub(super) fn sound(&mut self, timestamp: u32, arrived: Instant) -> i64 {
        let (ticks, begun_anew) = self.sound.read(timestamp, arrived);
        if begun_anew {
            self.aim = None;
        }
        let passed = self.last.replace(ticks).map(|last| ticks - last);
        if let Some(aim) = self.aim {
            let off = aim - self.shift;
            self.shift += match passed {
                Some(passed) if off.abs() <= MAX_SLEW => {
                    let most = passed.max(0) / SLEW;
                    off.clamp(-most, most)
                }
                _ => off,
            };
        }
        ticks + self.shift
    }

    /// Takes what the sender says. Returns whether it is believed.
    pub(super) fn report(&mut self, which: Which, report: SenderReport, now: Instant) -> bool {
        let wall = nanos_between(*self.wall.get_or_insert(report.ntp), report.ntp);
        let (line, other) = match which {
            Which::Pictures => (&mut self.pictures, &mut self.sound),
            Which::Sound => (&mut self.sound, &mut self.pictures),
        };
        let Some(ticks) = line.at(report.timestamp, now) else { return false };
        let told = Told {
            of_line: wall.saturating_sub(nanos(ticks, line.rate)),
            of_arrival: wall.saturating_sub(line.since(now)),
        };
        line.told = Some(told);
        // The wall clock is one: where it has been set, only what both say afterwards goes together.
        if other.told.is_some_and(|other| other.of_arrival.abs_diff(told.of_arrival) > TRUSTED.unsigned_abs()) {
            other.told = None;
            return false;
        }
        if let (Some(pictures), Some(sound)) = (self.pictures.told, self.sound.told) {
            let found = ticks_of(sound.of_line.saturating_sub(pictures.of_line), SOUND);
            self.aim = Some(match self.aim {
                Some(aim) if (found - aim).abs() <= NOISE => aim + (found - aim) / SMOOTHING,
                _ => found,
            });
        }
        true
    }
}

/// The clock of one stream, unwrapped.
#[derive(Debug)]
struct Line {
    rate: u32,
    begins: Instant,
    last: Option<Reading>,
    told: Option<Told>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    timestamp: u32,
    ticks: i64,
    arrived: Instant,
}

/// What a report says, in nanoseconds of the sender's wall clock.
#[derive(Debug, Clone, Copy)]
struct Told {
    /// At the zero of the line, by the clock of the stream.
    of_line: i64,
    /// The same, by the arrival of the report.
    of_arrival: i64,
}

impl Line {
    fn new(rate: u32, begins: Instant) -> Self {
        Self { rate, begins, last: None, told: None }
    }

    /// Where a timestamp lies, and whether the clock has begun anew with it.
    fn read(&mut self, timestamp: u32, arrived: Instant) -> (i64, bool) {
        let (ticks, begun_anew) = match self.last {
            None => (ticks_of(self.since(arrived), self.rate), false),
            Some(last) => match self.at(timestamp, arrived) {
                Some(ticks) => (ticks, false),
                None => (last.ticks + ticks_of(nanos_since(arrived, last.arrived), self.rate).max(1), true),
            },
        };
        if begun_anew {
            self.told = None;
        }
        self.last = Some(Reading { timestamp, ticks, arrived });
        (ticks, begun_anew)
    }

    /// Where a timestamp lies that goes with what arrives now; `None` if it does not.
    fn at(&self, timestamp: u32, now: Instant) -> Option<i64> {
        let last = self.last?;
        // Timestamps wrap: the nearest way round.
        let step = i64::from(timestamp.wrapping_sub(last.timestamp).cast_signed());
        let by_arrival = nanos_since(now, last.arrived);
        (nanos(step, self.rate).abs_diff(by_arrival) <= TRUSTED.unsigned_abs()).then_some(last.ticks + step)
    }

    /// Nanoseconds since the timeline began.
    fn since(&self, now: Instant) -> i64 {
        nanos_since(now, self.begins)
    }
}

const NANOS: i64 = 1_000_000_000;

fn nanos_since(now: Instant, then: Instant) -> i64 {
    let whole = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    if now >= then { whole(now - then) } else { -whole(then - now) }
}

fn nanos(ticks: i64, rate: u32) -> i64 {
    saturated(i128::from(ticks) * i128::from(NANOS) / i128::from(rate))
}

fn ticks_of(nanos: i64, rate: u32) -> i64 {
    saturated((i128::from(nanos) * i128::from(rate) + i128::from(NANOS / 2)).div_euclid(i128::from(NANOS)))
}

/// Between two times of the wall clock (RFC 3550 4: it wraps).
fn nanos_between(from: u64, to: u64) -> i64 {
    saturated((i128::from(to.wrapping_sub(from).cast_signed()) * i128::from(NANOS)) >> 32)
}

fn saturated(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
