use std::collections::BTreeMap;
use std::time::Duration;

use crate::calendar::{Calendar, Event, Phase};
use crate::settings::Settings;

/// Recent growth is that of so long.
pub(crate) const RECENT: Duration = Duration::from_mins(1);
/// Bounds between kinds of recent growth: what there is by what there was [`RECENT`] ago.
const BOUNDS: [f64; 8] = [0.8, 0.95, 0.99, 1.01, 1.03, 1.07, 1.15, 1.35];
/// Moments of the past that a quantile is taken of, at least; where there are fewer, similar ones count too.
const ENOUGH: usize = 200;
/// Shares of the peak are kept for steps of so long before and after kick-off.
const STEP: Duration = Duration::from_mins(1);
/// Of past events, the share whose way to the peak an event is expected to stay below: what is beyond that, growth has to tell.
const ARRIVAL_QUANTILE: f64 = 0.5;
/// Where nothing is known, how much may come in a minute: a twentieth of what is there, and as much again.
const GROWTH_PER_MINUTE: f64 = 0.1;

/// How many watched, at even distances.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// The moment of the first, since 1970.
    pub start: Duration,
    /// From one to the next.
    pub step: Duration,
    /// How many there were.
    pub viewers: Vec<f64>,
    /// What was on.
    pub calendar: Calendar,
}

impl Series {
    /// When one of them was.
    pub fn moment(&self, index: usize) -> Duration {
        self.start + self.step * u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// How many steps a span has, rounded up.
    fn steps(&self, span: Duration) -> usize {
        let (span, step) = (span.as_millis(), self.step.as_millis().max(1));
        usize::try_from(span.div_ceil(step)).unwrap_or(usize::MAX)
    }
}

/// What happened at past events, for one distance into the future.
#[derive(Debug, Clone)]
pub struct History {
    lead: Duration,
    horizon: Duration,
    quantile: f64,
    growth: BTreeMap<Like, Sample>,
    /// What share of the expected peak was there after the horizon, by the minutes since kick-off.
    shares: BTreeMap<i64, Sample>,
    /// What follows from the shares.
    expected_share: BTreeMap<i64, f64>,
}

/// What growth depends on: where the event stands, how it has grown, and how many watch, in octaves: what doubles a few doubles no crowd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Like {
    phase: Phase,
    kind: usize,
    octave: i32,
}

impl Like {
    pub(crate) fn of(phase: Phase, before: f64, viewers: f64) -> Self {
        Self { phase, kind: kind(before, viewers), octave: octave(viewers) }
    }
}

/// Values with their weights, to take quantiles of.
type Sample = Vec<(f64, f64)>;

impl History {
    /// Nothing has happened yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            lead: settings.boot,
            horizon: settings.horizon(),
            quantile: settings.quantile(),
            growth: BTreeMap::new(),
            shares: BTreeMap::new(),
            expected_share: BTreeMap::new(),
        }
    }

    /// What happened at these events.
    pub fn of<'a>(settings: &Settings, past: impl IntoIterator<Item = &'a Series>) -> Self {
        let mut history = Self::new(settings);
        for series in past {
            history.take(series);
        }
        history.conclude();
        history
    }

    /// Learns from one more.
    pub fn learn(&mut self, series: &Series) {
        self.take(series);
        self.conclude();
    }

    /// The growth that there has to be room for at a moment like this; and of how many moments of the past that is.
    pub(crate) fn growth(&self, like: Like) -> (f64, usize) {
        let unknown = (GROWTH_PER_MINUTE * self.horizon.as_secs_f64() / 60.0, 0);
        self.similar(like).unwrap_or(unknown)
    }

    /// What share of its expected peak an event has after the horizon.
    pub(crate) fn share(&self, event: &Event, now: Duration) -> Option<f64> {
        if self.expected_share.is_empty() {
            return guess(since_kick_off(event, now + self.horizon));
        }
        self.expected_share.get(&since_kick_off(event, now)).copied()
    }

    fn take(&mut self, series: &Series) {
        let peak = series.viewers.iter().copied().fold(0.0, f64::max);
        if peak <= 0.0 {
            return;
        }
        let (lead, horizon, recent) = (series.steps(self.lead), series.steps(self.horizon), series.steps(RECENT));
        let mut held = 0.0;
        let moments = series.viewers.iter().zip(series.viewers.iter().skip(recent)).enumerate();
        for (index, (before, viewers)) in moments {
            let index = index + recent;
            let Some(ahead) = series.viewers.get(index + lead..=index + horizon) else { break };
            let most = ahead.iter().copied().fold(0.0, f64::max);
            let now = series.moment(index);
            // What there has been room for is kept while an event is on air: growth up to there needs nothing.
            held = if series.calendar.on_air(now).next().is_some() { viewers.max(held) } else { *viewers };
            if held > 0.0 {
                let like = Like::of(series.calendar.phase(now), *before, *viewers);
                // Where few watch, few are lost.
                self.growth.entry(like).or_default().push((most / held - 1.0, held / peak));
            }
            for event in series.calendar.events.iter().filter(|event| event.ended.is_none_or(|ended| now < ended)) {
                if let Some(expected) = event.expected_peak {
                    self.shares.entry(since_kick_off(event, now)).or_default().push((most / expected, 1.0));
                }
            }
        }
    }

    /// What follows from all that has happened.
    fn conclude(&mut self) {
        for at in self.shares.keys() {
            let around = self.shares.range(at - 1..=at + 1).map(|(_, sample)| sample);
            self.expected_share.insert(*at, quantile(around, ARRIVAL_QUANTILE).0);
        }
    }

    /// Growth at moments like this: where there have been too few, at similar ones too, first in how they had grown, then in how many
    /// watched, and in any phase at last.
    fn similar(&self, like: Like) -> Option<(f64, usize)> {
        for (octaves, kinds) in REACHES {
            let found = self.quantile_of(|of| {
                of.phase == like.phase && of.kind.abs_diff(like.kind) <= kinds && octaves_apart(of, &like) <= octaves
            });
            if found.1 >= ENOUGH {
                return Some(found);
            }
        }
        Some(self.quantile_of(|of| of.kind == like.kind)).filter(|(_, moments)| *moments >= ENOUGH)
    }

    fn quantile_of(&self, like: impl Fn(&Like) -> bool) -> (f64, usize) {
        quantile(self.growth.iter().filter(|(of, _)| like(of)).map(|(_, sample)| sample), self.quantile)
    }
}

/// How far around a moment is looked for others: octaves of viewers, and kinds of growth.
const REACHES: [(u32, usize); 8] =
    [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 2), (3, BOUNDS.len()), (u32::MAX, BOUNDS.len())];

fn octaves_apart(one: &Like, other: &Like) -> u32 {
    one.octave.abs_diff(other.octave)
}

#[expect(clippy::cast_possible_truncation, reason = "float to int saturates")]
fn octave(viewers: f64) -> i32 {
    viewers.max(1.0).log2().floor() as i32
}

/// Which kind of recent growth it is.
fn kind(before: f64, viewers: f64) -> usize {
    let ratio = if before > 0.0 { viewers / before } else { f64::INFINITY };
    BOUNDS.iter().take_while(|bound| ratio >= **bound).count()
}

/// Where no event has been seen yet, what share of its expected peak is there so many minutes after kick-off: a twentieth two hours before,
/// half a quarter of an hour before, and all from kick-off on.
fn guess(minute: i64) -> Option<f64> {
    let line = |from: (f64, f64), to: (f64, f64), at: f64| from.1 + (to.1 - from.1) * (at - from.0) / (to.0 - from.0);
    let at = f64::from(i32::try_from(minute).ok()?);
    match minute {
        ..-120 => None,
        -120..-15 => Some(line((-120.0, 0.05), (-15.0, 0.5), at)),
        -15..0 => Some(line((-15.0, 0.5), (0.0, 1.0), at)),
        0.. => Some(1.0),
    }
}

fn since_kick_off(event: &Event, now: Duration) -> i64 {
    let signed = |moment: Duration| i64::try_from(moment.as_secs()).unwrap_or(i64::MAX);
    (signed(now) - signed(event.kick_off)).div_euclid(signed(STEP))
}

/// A weighted quantile of several samples together, and of how many values it is.
fn quantile<'a>(samples: impl Iterator<Item = &'a Sample>, quantile: f64) -> (f64, usize) {
    let mut values: Vec<(f64, f64)> = samples.flatten().copied().collect();
    values.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut above = values.iter().map(|(_, weight)| weight).sum::<f64>() * (1.0 - quantile);
    for (value, weight) in &values {
        if above < *weight {
            return (*value, values.len());
        }
        above -= weight;
    }
    (values.last().map_or(0.0, |(value, _)| *value), values.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: fn() -> Settings = || Settings {
        boot: Duration::from_mins(2),
        control: Duration::ZERO,
        lag: Duration::ZERO,
        cost_ratio: 99.0,
        ..Settings::default()
    };

    /// A number of viewers each minute.
    fn series(viewers: Vec<f64>) -> Series {
        Series { start: Duration::ZERO, step: Duration::from_mins(1), viewers, calendar: Calendar::default() }
    }

    #[test]
    fn growth_is_that_of_the_past_after_growth_like_this() {
        // It doubles within two minutes after each rise by a tenth, and else stays as it is.
        let pattern = [100.0, 100.0, 100.0, 100.0, 110.0, 220.0, 220.0];
        let history = History::of(&SETTINGS(), &[series(pattern.repeat(400))]);
        let growth = |phase, before, viewers| history.growth(Like::of(phase, before, viewers));
        let (after_rest, moments) = growth(Phase::Off, 100.0, 100.0);
        assert!(moments >= ENOUGH, "{moments}");
        let (after_rise, _) = growth(Phase::Off, 100.0, 110.0);
        assert!((after_rise - 1.0).abs() < 1e-9, "{after_rise}");
        assert!((after_rest - 1.2).abs() < 1e-9, "{after_rest}");
    }

    #[test]
    fn what_is_seldom_is_read_from_what_is_like_it_and_what_is_unknown_is_guessed() {
        let mut rare = vec![100.0; 1_000];
        rare.extend([104.0, 108.0]);
        let history = History::of(&SETTINGS(), &[series(rare)]);
        let like = |phase, viewers| Like::of(phase, 100.0, viewers);
        assert!(history.growth(like(Phase::Off, 104.0)).1 >= ENOUGH);
        assert!(history.growth(like(Phase::Play, 100.0)).1 >= ENOUGH, "of any phase");
        let nothing = History::new(&SETTINGS());
        assert_eq!(nothing.growth(like(Phase::Play, 100.0)), (0.2, 0));
    }

    #[test]
    fn the_way_to_the_peak_is_read_by_the_time_to_kick_off() {
        let event = |kick_off| Event {
            id: "match".into(),
            kick_off: Duration::from_mins(kick_off),
            end: Duration::from_mins(kick_off + 100),
            expected_peak: Some(1_000.0),
            breaks: Vec::new(),
            announcements: Vec::new(),
            ended: None,
        };
        let viewers = (0..=100).map(|minute| f64::from(minute) * 10.0).collect();
        let calendar = Calendar { events: vec![event(50)] };
        let history = History::of(&SETTINGS(), &[Series { calendar, ..series(viewers) }]);
        // Ten minutes before kick-off it was minute 40, and two minutes later there were 420; of the minute after that 430.
        let share = history.share(&event(500), Duration::from_mins(490)).unwrap();
        assert!((0.42..=0.43).contains(&share), "{share}");
        assert_eq!(history.share(&event(500), Duration::from_mins(1)), None);
    }

    #[test]
    fn growth_is_that_of_as_many() {
        // Few double, and many do not.
        let few = [10.0, 10.0, 10.0, 20.0].repeat(200);
        let many = vec![100_000.0; 800];
        let history = History::of(&SETTINGS(), &[series([few, many].concat())]);
        let at_rest = |viewers| history.growth(Like::of(Phase::Off, viewers, viewers)).0;
        assert!(at_rest(10.0) > 0.9 && at_rest(100_000.0) < 0.1, "{} {}", at_rest(10.0), at_rest(100_000.0));
    }

    #[test]
    fn before_the_first_event_what_is_expected_counts_by_the_time_to_kick_off() {
        let read = [-121, -120, -15, -1, 30].map(guess);
        assert_eq!((read[0], read[1], read[2], read[4]), (None, Some(0.05), Some(0.5), Some(1.0)));
        assert!(read[3] > Some(0.95));
    }

    #[test]
    fn a_quantile_is_by_weight() {
        let sample = vec![(1.0, 98.0), (2.0, 1.0), (3.0, 1.0)];
        let of = |share| quantile([&sample].into_iter(), share).0;
        let read = [0.0, 0.5, 0.979, 0.985, 0.995, 1.0].map(|share| format!("{}", of(share)));
        assert_eq!(read, ["1", "1", "1", "2", "3", "3"]);
        assert_eq!(quantile([].into_iter(), 0.5), (0.0, 0));
    }
}
