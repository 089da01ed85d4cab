//! What each pool of nodes will need: how many watch by the engine, and from that nodes, by whichever of their limits binds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use touchline_hints::{Calendar, Engine, History, Observation, Override, Phase, Reason, Settings as Forecasting, Why};
use utoipa::ToSchema;

use super::rfc3339;

/// The pools, as the API names them.
pub(crate) const EDGES: &str = "edges";
pub(crate) const TRANSCODERS: &str = "transcoders";

/// What one node of a pool carries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// How the future is read from the past.
    pub(crate) forecasting: Forecasting,
    /// Viewers, on an edge.
    pub(crate) node_viewers: f64,
    /// What it sends to them.
    pub(crate) node_bits_per_second: f64,
    /// Viewers that it takes in.
    pub(crate) node_joins_per_second: f64,
    /// Cores that ladders may have, on an origin.
    pub(crate) node_cores: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            forecasting: Forecasting::default(),
            node_viewers: 20_000.0,
            node_bits_per_second: 8e9,
            node_joins_per_second: 1_000.0,
            node_cores: std::thread::available_parallelism()
                .map_or(1.0, |cores| u32::try_from(cores.get()).map_or(1.0, f64::from)),
        }
    }
}

/// What is used, needed or there, in every unit that a pool is measured in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Amounts {
    pub(crate) viewers: Option<f64>,
    pub(crate) bits_per_second: Option<f64>,
    pub(crate) joins_per_second: Option<f64>,
    pub(crate) cores: Option<f64>,
}

/// A unit that nodes can be short of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    Viewers,
    BitsPerSecond,
    JoinsPerSecond,
    Cores,
}

/// What a pool of nodes will need.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct HintStatus {
    /// `edges` or `transcoders`.
    pub(crate) pool: String,
    pub(crate) at: String,
    /// `off`, `gathering`, `arrival`, `play`, `break`, `return`, `finish`, `announced` or `exodus`.
    #[schema(value_type = String)]
    pub(crate) phase: Phase,
    /// Nobody knows how many watch: it does not fall.
    pub(crate) stale: bool,
    /// That are needed: what an autoscaler reads.
    pub(crate) nodes: u64,
    /// That are there.
    pub(crate) nodes_now: u64,
    pub(crate) need: Amounts,
    pub(crate) now: Amounts,
    /// Of the nodes that are there.
    pub(crate) capacity: Amounts,
    /// What the most nodes are needed for.
    pub(crate) binding: Unit,
    /// Most first: the first decides.
    pub(crate) reasons: Vec<Cause>,
    /// Moments of past events.
    pub(crate) learnt_from: usize,
    pub(crate) forecast: Forecast,
    pub(crate) surge: Option<OverrideStatus>,
    pub(crate) freeze: Option<OverrideStatus>,
}

/// One reason, and what is needed for it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct Cause {
    /// `growth`, `head_room`, `calendar`, `on_air`, `cool_down`, `stale`, `surge` or `frozen`.
    #[schema(value_type = String)]
    reason: Reason,
    /// In the first unit of the pool: viewers of edges, cores of transcoders.
    #[serde(rename = "viewers")]
    amount: f64,
}

impl From<Why> for Cause {
    fn from(why: Why) -> Self {
        Self { reason: why.reason, amount: why.viewers }
    }
}

/// What is to be expected once a node that is asked for now serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Forecast {
    pub(crate) seconds_ahead: f64,
    /// As many as there are now.
    pub(crate) low: f64,
    /// As many as there has to be room for.
    pub(crate) high: f64,
}

/// What an operator has said.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct OverrideStatus {
    /// So many times what is needed. Of a surge.
    pub(crate) factor: Option<f64>,
    pub(crate) until: String,
    pub(crate) by: String,
    pub(crate) note: String,
}

/// The same, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) factor: Option<f64>,
    pub(crate) until: Duration,
    pub(crate) by: String,
    pub(crate) note: String,
}

impl Standing {
    fn status(&self) -> OverrideStatus {
        let Self { factor, until, by, note } = self.clone();
        OverrideStatus { factor, until: rfc3339(until), by, note }
    }
}

/// What operators have said of a pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) surge: Option<Standing>,
    pub(crate) freeze: Option<Standing>,
}

impl Orders {
    /// Takes away what no longer holds; whether anything did.
    pub(crate) fn expire(&mut self, now: Duration) -> bool {
        let before = self.clone();
        self.surge = self.surge.take().filter(|order| now < order.until);
        self.freeze = self.freeze.take().filter(|order| now < order.until);
        *self != before
    }

    fn of_engine(&self) -> Override {
        Override {
            surge: self.surge.as_ref().map(|order| (order.factor.unwrap_or(1.0), order.until)),
            freeze: self.freeze.as_ref().map(|order| order.until),
        }
    }
}

/// What is seen of a pool at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Load {
    pub(crate) nodes: u64,
    /// Viewers, or cores; `None`: nobody knows.
    pub(crate) used: Option<f64>,
    /// What edges send, and how many come to them.
    pub(crate) bits_per_second: f64,
    pub(crate) joins_per_second: f64,
}

/// Seconds of which the busiest counts for joins: who comes, comes in bursts.
const JOINS: usize = 60;
/// Looks that are told again: one of each five seconds for six hours.
const EXPLAINED_EVERY: Duration = Duration::from_secs(5);
const MAX_EXPLAINED: usize = 6 * 3_600 / 5;
/// What a viewer is sent, averaged over about a minute of looks.
const SMOOTHING: f64 = 1.0 / 60.0;

/// A pool of nodes.
#[derive(Debug)]
pub(crate) struct Pool {
    name: &'static str,
    unit: Unit,
    settings: Settings,
    engine: Engine,
    /// What operators have said.
    pub(crate) orders: Orders,
    joins: VecDeque<f64>,
    bits_per_viewer: Option<f64>,
    seen: Option<Duration>,
    /// As many as were needed when it was last known: nothing is taken away for want of knowledge.
    needed: u64,
    explained: VecDeque<(Duration, HintStatus)>,
    last: Option<HintStatus>,
}

impl Pool {
    /// Edges, which `settings` measures in viewers...
    pub(crate) fn edges(settings: Settings, history: Arc<History>) -> Self {
        Self::new(EDGES, Unit::Viewers, settings, history)
    }

    /// ...or origins, in cores of their ladders.
    pub(crate) fn transcoders(settings: Settings) -> Self {
        let history = Arc::new(History::new(&settings.forecasting));
        Self::new(TRANSCODERS, Unit::Cores, settings, history)
    }

    fn new(name: &'static str, unit: Unit, settings: Settings, history: Arc<History>) -> Self {
        let engine = Engine::new(settings.forecasting, history);
        Self {
            name,
            unit,
            settings,
            engine,
            orders: Orders::default(),
            joins: VecDeque::new(),
            bits_per_viewer: None,
            seen: None,
            needed: 0,
            explained: VecDeque::new(),
            last: None,
        }
    }

    /// As `edges` or `transcoders`.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// What was said last.
    pub(crate) fn last(&self) -> Option<&HintStatus> {
        self.last.as_ref()
    }

    /// Nodes that were needed when it was last known.
    pub(crate) fn needed(&self) -> u64 {
        self.needed
    }

    /// Goes on from what was known before a restart: `seen` is the amount at moments, oldest first, and `needed` in nodes.
    pub(crate) fn resume(&mut self, calendar: &Calendar, seen: &[(Duration, f64)], needed: u64) {
        for (at, viewers) in seen {
            self.engine.see(Observation { at: *at, viewers: *viewers });
            self.engine.hint(*at, calendar, &Override::default());
        }
        self.seen = seen.last().map(|(at, _)| *at);
        self.needed = needed;
    }

    /// Reads the future from another past, from now on.
    pub(crate) fn relearn(&mut self, history: Arc<History>) {
        self.engine.relearn(history);
    }

    /// What is needed from what is seen now.
    pub(crate) fn look(&mut self, now: Duration, calendar: &Calendar, load: Load) -> HintStatus {
        if let Some(used) = load.used {
            self.engine.see(Observation { at: now, viewers: used });
            self.seen = Some(now);
            if self.joins.len() == JOINS {
                self.joins.pop_front();
            }
            self.joins.push_back(load.joins_per_second);
            if used >= 1.0 && load.bits_per_second > 0.0 {
                let measured = load.bits_per_second / used;
                let before = self.bits_per_viewer.unwrap_or(measured);
                self.bits_per_viewer = Some(before + SMOOTHING * (measured - before));
            }
        }
        let hint = self.engine.hint(now, calendar, &self.orders.of_engine());
        let stale = self.seen.is_none_or(|seen| now.saturating_sub(seen) > self.settings.forecasting.stale);
        let used = load.used.unwrap_or_default();
        let need = self.amounts(hint.viewers, (hint.viewers - used).max(0.0));
        let (nodes, binding) = self.nodes(&need);
        let frozen = self.orders.freeze.is_some();
        // What is not known lowers nothing: neither what was needed nor, where that is not known either, what is there.
        let nodes = match (stale, frozen) {
            (true, _) => nodes.max(self.needed).max(load.nodes),
            (false, true) if self.needed > 0 => self.needed,
            (false, _) => nodes,
        };
        self.needed = nodes;
        let status = HintStatus {
            pool: self.name.to_owned(),
            at: rfc3339(now),
            phase: hint.phase,
            stale,
            nodes,
            nodes_now: load.nodes,
            need,
            now: self.used(load),
            capacity: self.capacity(load.nodes),
            binding,
            reasons: hint.reasons.into_iter().map(Cause::from).collect(),
            learnt_from: hint.learnt_from,
            forecast: Forecast {
                seconds_ahead: self.settings.forecasting.horizon().as_secs_f64(),
                low: used,
                high: hint.viewers,
            },
            surge: self.orders.surge.as_ref().map(Standing::status),
            freeze: self.orders.freeze.as_ref().map(Standing::status),
        };
        self.explain(now, &status);
        self.last = Some(status.clone());
        status
    }

    /// What was said at a moment, or just before; `None`: nobody remembers.
    pub(crate) fn said(&self, at: Duration) -> Option<&HintStatus> {
        let after = self.explained.partition_point(|(said, _)| *said <= at);
        let (_, status) = self.explained.get(after.checked_sub(1)?)?;
        Some(status)
    }

    fn explain(&mut self, now: Duration, status: &HintStatus) {
        if self.explained.back().is_some_and(|(at, _)| now.saturating_sub(*at) < EXPLAINED_EVERY) {
            return;
        }
        if self.explained.len() == MAX_EXPLAINED {
            self.explained.pop_front();
        }
        self.explained.push_back((now, status.clone()));
    }

    /// What so many viewers, so many more than now, need beside room.
    fn amounts(&self, amount: f64, more: f64) -> Amounts {
        if self.unit == Unit::Cores {
            return Amounts { cores: Some(amount), ..Amounts::default() };
        }
        // They come within the time that is looked ahead, or as they have come.
        let expected = more / self.settings.forecasting.horizon().as_secs_f64().max(1.0);
        let joins = self.joins.iter().copied().fold(expected, f64::max);
        Amounts {
            viewers: Some(amount),
            bits_per_second: self.bits_per_viewer.map(|bits| bits * amount),
            joins_per_second: Some(joins),
            cores: None,
        }
    }

    fn used(&self, load: Load) -> Amounts {
        match self.unit {
            Unit::Cores => Amounts { cores: load.used, ..Amounts::default() },
            _ => Amounts {
                viewers: load.used,
                bits_per_second: Some(load.bits_per_second),
                joins_per_second: Some(load.joins_per_second),
                cores: None,
            },
        }
    }

    fn capacity(&self, nodes: u64) -> Amounts {
        let nodes = u32::try_from(nodes).map_or(f64::INFINITY, f64::from);
        let Settings { node_viewers, node_bits_per_second, node_joins_per_second, node_cores, .. } = self.settings;
        match self.unit {
            Unit::Cores => Amounts { cores: Some(nodes * node_cores), ..Amounts::default() },
            _ => Amounts {
                viewers: Some(nodes * node_viewers),
                bits_per_second: Some(nodes * node_bits_per_second),
                joins_per_second: Some(nodes * node_joins_per_second),
                cores: None,
            },
        }
    }

    /// How many nodes that takes, at least one, and because of what.
    fn nodes(&self, need: &Amounts) -> (u64, Unit) {
        let one = self.capacity(1);
        let share = |need: Option<f64>, one: Option<f64>| need.unwrap_or_default() / one.unwrap_or(f64::INFINITY);
        let shares = [
            (share(need.viewers, one.viewers), Unit::Viewers),
            (share(need.bits_per_second, one.bits_per_second), Unit::BitsPerSecond),
            (share(need.joins_per_second, one.joins_per_second), Unit::JoinsPerSecond),
            (share(need.cores, one.cores), Unit::Cores),
        ];
        let most = shares.into_iter().max_by(|(a, _), (b, _)| a.total_cmp(b));
        // Where nothing is needed, the first unit is as good as any.
        let (share, unit) = most.filter(|(share, _)| *share > 0.0).unwrap_or((0.0, self.unit));
        (whole(share).max(1), unit)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float to int saturates, NaN is 0")]
fn whole(share: f64) -> u64 {
    // What is a millionth of a node too much is a matter of rounding.
    (share - 1e-6).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            node_viewers: 1_000.0,
            node_bits_per_second: 1e9,
            node_joins_per_second: 100.0,
            ..Settings::default()
        }
    }

    fn pool() -> Pool {
        let settings = settings();
        let history = Arc::new(History::new(&settings.forecasting));
        Pool::edges(settings, history)
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_000_000 + seconds)
    }

    fn load(viewers: Option<f64>) -> Load {
        Load { nodes: 3, used: viewers, ..Load::default() }
    }

    fn look(pool: &mut Pool, seconds: u64, load: Load) -> HintStatus {
        pool.look(at(seconds), &Calendar::default(), load)
    }

    #[test]
    fn the_unit_that_needs_the_most_nodes_binds() {
        let mut pool = pool();
        let quiet = look(&mut pool, 0, load(Some(100.0)));
        assert_eq!((quiet.nodes, quiet.binding), (1, Unit::Viewers));
        let mut pool = self::pool();
        let heavy = look(&mut pool, 0, Load { bits_per_second: 5e9, ..load(Some(1_000.0)) });
        assert_eq!(heavy.binding, Unit::BitsPerSecond);
        assert!(heavy.nodes >= 6, "{heavy:?}");
        let burst = look(&mut pool, 1, Load { joins_per_second: 2_000.0, ..load(Some(1_000.0)) });
        assert_eq!((burst.nodes, burst.binding), (20, Unit::JoinsPerSecond));
    }

    #[test]
    fn what_is_not_known_lowers_nothing() {
        let mut pool = pool();
        let before = look(&mut pool, 0, load(Some(9_000.0)));
        for seconds in [10, 60, 3_600] {
            let after = look(&mut pool, seconds, load(None));
            assert!(after.nodes >= before.nodes, "{seconds}: {after:?}");
            assert_eq!(after.stale, seconds > 45);
        }
    }

    #[test]
    fn after_a_restart_what_was_needed_still_is_and_else_what_is_there() {
        let mut fresh = pool();
        assert_eq!(look(&mut fresh, 0, load(None)).nodes, 3);
        let mut resumed = pool();
        resumed.resume(&Calendar::default(), &[(at(0), 9_000.0)], 40);
        assert_eq!(look(&mut resumed, 60, load(None)).nodes, 40);
    }

    #[test]
    fn orders_are_obeyed_until_they_expire() {
        let mut pool = pool();
        look(&mut pool, 0, load(Some(900.0)));
        let standing = |factor| Some(Standing { factor, until: at(100), by: "desk".into(), note: String::new() });
        pool.orders = Orders { surge: standing(Some(4.0)), freeze: None };
        let surged = look(&mut pool, 1, load(Some(900.0)));
        assert!(surged.nodes >= 4 && surged.surge.is_some(), "{surged:?}");
        pool.orders = Orders { surge: None, freeze: standing(None) };
        let frozen = look(&mut pool, 2, load(Some(50_000.0)));
        assert_eq!(frozen.nodes, surged.nodes);
        assert!(!pool.orders.expire(at(99)) && pool.orders.expire(at(100)));
        assert!(look(&mut pool, 101, load(Some(50_000.0))).nodes > 50);
    }

    #[test]
    fn it_says_what_it_said() {
        let mut pool = pool();
        for second in 0..20 {
            look(&mut pool, second, load(Some(100.0 + f64::from(u32::try_from(second).unwrap()))));
        }
        let said = |second| pool.said(at(second)).and_then(|status| status.now.viewers);
        assert_eq!((said(12), said(4), said(100)), (Some(110.0), Some(100.0), Some(115.0)));
        assert!(pool.said(Duration::from_secs(999_999)).is_none());
    }
}
