use std::collections::BTreeMap;
use std::time::Duration;

use crate::calendar::{Calendar, Event, Phase};
use crate::settings::Settings;

/// Recent growth is that of so long.
pub(crate) const RECENT: Duration = Duration::from_mins(2);
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
    growth: BTreeMap<(Phase, usize), Sample>,
    /// What share of the expected peak was there after the horizon, by the minutes since kick-off.
    shares: BTreeMap<i64, Sample>,
    /// What follows from the above: growth, and of how many moments.
    expected_growth: BTreeMap<(Phase, usize), (f64, usize)>,
    expected_share: BTreeMap<i64, f64>,
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
            expected_growth: BTreeMap::new(),
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

    /// The growth that there has to be room for when viewers were so many [two minutes](RECENT) ago, and are so many now; and of how
    /// many moments of the past that is.
    pub(crate) fn growth(&self, phase: Phase, before: f64, viewers: f64) -> (f64, usize) {
        let unknown = (GROWTH_PER_MINUTE * self.horizon.as_secs_f64() / 60.0, 0);
        self.expected_growth.get(&(phase, kind(before, viewers))).copied().unwrap_or(unknown)
    }

    /// What share of its expected peak an event has after the horizon.
    pub(crate) fn share(&self, event: &Event, now: Duration) -> Option<f64> {
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
                let like = (series.calendar.phase(now), kind(*before, *viewers));
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
        for phase in Phase::ALL {
            for like in 0..=BOUNDS.len() {
                if let Some(found) = self.similar(phase, like) {
                    self.expected_growth.insert((phase, like), found);
                }
            }
        }
        for at in self.shares.keys() {
            let around = self.shares.range(at - 1..=at + 1).map(|(_, sample)| sample);
            self.expected_share.insert(*at, quantile(around, ARRIVAL_QUANTILE).0);
        }
    }

    /// Growth in a phase after growth of a kind: where that has been seen too seldom, of similar kinds too, or in any phase.
    fn similar(&self, phase: Phase, like: usize) -> Option<(f64, usize)> {
        for reach in 0..=BOUNDS.len() {
            let kinds = like.saturating_sub(reach)..=like + reach;
            let found = quantile(kinds.filter_map(|like| self.growth.get(&(phase, like))), self.quantile);
            if found.1 >= ENOUGH {
                return Some(found);
            }
        }
        let anywhere = self.growth.iter().filter(|((_, of), _)| *of == like).map(|(_, sample)| sample);
        Some(quantile(anywhere, self.quantile)).filter(|(_, moments)| *moments >= ENOUGH)
    }
}

/// Which kind of recent growth it is.
fn kind(before: f64, viewers: f64) -> usize {
    let ratio = if before > 0.0 { viewers / before } else { f64::INFINITY };
    BOUNDS.iter().take_while(|bound| ratio >= **bound).count()
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
        let (after_rest, moments) = history.growth(Phase::Off, 100.0, 100.0);
        assert!(moments >= ENOUGH, "{moments}");
        let (after_rise, _) = history.growth(Phase::Off, 100.0, 110.0);
        assert!((after_rise - 1.0).abs() < 1e-9, "{after_rise}");
        assert!((after_rest - 1.2).abs() < 1e-9, "{after_rest}");
    }

    #[test]
    fn what_is_seldom_is_read_from_what_is_like_it_and_what_is_unknown_is_guessed() {
        let mut rare = vec![100.0; 1_000];
        rare.extend([104.0, 108.0]);
        let history = History::of(&SETTINGS(), &[series(rare)]);
        assert!(history.growth(Phase::Off, 100.0, 104.0).1 >= ENOUGH);
        assert!(history.growth(Phase::Play, 100.0, 100.0).1 >= ENOUGH, "of any phase");
        let nothing = History::new(&SETTINGS());
        assert_eq!(nothing.growth(Phase::Play, 100.0, 100.0), (0.2, 0));
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
    fn a_quantile_is_by_weight() {
        let sample = vec![(1.0, 98.0), (2.0, 1.0), (3.0, 1.0)];
        let of = |share| quantile([&sample].into_iter(), share).0;
        let read = [0.0, 0.5, 0.979, 0.985, 0.995, 1.0].map(|share| format!("{}", of(share)));
        assert_eq!(read, ["1", "1", "1", "2", "3", "3"]);
        assert_eq!(quantile([].into_iter(), 0.5), (0.0, 0));
    }
}
