use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use touchline_audience::{Merged, Tally, merge};
use touchline_edge::audience::NodeReport;
use touchline_hints::{Calendar, Phase};

use super::Settings;
use super::audit::{Audit, Deed};
use super::calendar::{EventSpec, EventStatus, MAX_EVENTS, Mistake, Planned};
use super::deliveries::Deliveries;
use super::frame::{Audience, ChannelStatus, EdgeStatus, Frame, LadderStatus, Latency, Order, PublisherStatus};
use super::gather::{Seen, Sources};
use super::history::{History, Past, Point};
use super::learning::Learning;
use super::pool::{EDGES, HintStatus, Load, Pool, Standing, TRANSCODERS};
use super::rates::Rates;
use super::store::{Kept, Notes, Store, Writing};
use super::timeline::{Entry, Kind, Severity, Timeline};
use super::watchman::Watchman;

/// Who has asked for nothing for so long has left.
const WINDOW: Duration = Duration::from_secs(15);
/// A node that has told nothing for so long should have.
pub(super) const STALE: Duration = Duration::from_secs(5);
/// How many watched is kept for an hour, in steps of so long.
const SEEN_EVERY: Duration = Duration::from_secs(15);
const MAX_SEEN: usize = 240;
/// Factors and times that an override may have.
const FACTORS: std::ops::RangeInclusive<f64> = 1.0..=100.0;
const MINUTES: std::ops::RangeInclusive<u64> = 1..=1_440;
const MAX_NOTE: usize = 500;
/// Cores that a ladder takes of which nothing is known yet.
const LADDER_CORES: f64 = 1.0;

/// What the desk knows.
#[derive(Debug)]
pub(crate) struct State {
    events: BTreeMap<String, Planned>,
    edges: Pool,
    transcoders: Pool,
    learning: Learning,
    seen: VecDeque<(Duration, f64)>,
    rates: Rates,
    /// Forecasts for moments to come, oldest first.
    forecasts: VecDeque<(Duration, (f64, f64))>,
    history: History,
    pub(super) timeline: Timeline,
    audit: Audit,
    pub(super) watchman: Watchman,
    before: Before,
    store: Option<Store>,
    /// What must be written.
    unwritten: Vec<Writing>,
    changed: bool,
}

/// What was there at the last look, to tell what is new.
#[derive(Debug, Default)]
struct Before {
    looked: bool,
    /// Id, channel and protocol of each publisher.
    publishers: BTreeMap<u64, (String, String)>,
    nodes: BTreeMap<String, (bool, bool)>,
    resting: BTreeSet<(String, String)>,
    deaths: BTreeMap<String, u64>,
    phases: BTreeMap<String, Phase>,
}

/// What an operator asks for and cannot have.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no event called \"{0}\"; GET /api/v1/events lists them")]
    NoEvent(String),
    #[error("there is no pool called \"{0}\": there are edges and transcoders")]
    NoPool(String),
    #[error("{0}")]
    Mistake(#[from] Mistake),
    #[error("factor: it has to be a number from 1 to 100")]
    Factor,
    #[error("minutes: it has to be a whole number from 1 to 1440")]
    Minutes,
    #[error("note: it has more than 500 characters")]
    Note,
    #[error("event \"{0}\" has ended; PUT it anew with other times")]
    Over(String),
    #[error("event \"{0}\" would last more than 48 h")]
    TooLong(String),
}

impl State {
    pub(super) fn new(settings: Settings, kept: Kept, sources: &Sources, now: Duration) -> Self {
        let Kept { store, notes: kept, past } = kept;
        let learning = Learning::new(settings.hints.forecasting, past, kept.recording);
        let mut edges = Pool::edges(settings.hints.clone(), learning.history());
        let mut transcoders = Pool::transcoders(settings.hints);
        let calendar = calendar(&kept.events);
        let seen: Vec<(Duration, f64)> = kept.seen.iter().copied().collect();
        let needed = |pool: &str| kept.needed.get(pool).copied().unwrap_or_default();
        edges.resume(&calendar, &seen, needed(EDGES));
        transcoders.resume(&calendar, &[], needed(TRANSCODERS));
        for pool in [&mut edges, &mut transcoders] {
            pool.orders = kept.orders.get(pool.name()).cloned().unwrap_or_default();
        }
        let mut timeline = kept.timeline;
        timeline.add(now, Kind::Server, Severity::Info, None, format!("{} has started", sources.node));
        Self {
            events: kept.events,
            edges,
            transcoders,
            learning,
            seen: kept.seen,
            rates: Rates::default(),
            forecasts: VecDeque::new(),
            history: History::default(),
            timeline,
            audit: kept.audit,
            watchman: Watchman::new(settings.notifications, kept.deliveries),
            before: Before::default(),
            store,
            unwritten: Vec::new(),
            changed: true,
        }
    }

    /// What there is to see at a moment, and what is new.
    pub(super) fn look(&mut self, now: Duration, sources: &Sources, seen: &Seen) -> (Frame, Vec<Entry>) {
        self.expire(now);
        let calendar = calendar(&self.events);
        let counted = self.count(now, seen);
        let edges = self.nodes(now, seen);
        let hints = self.hint(now, &calendar, &counted, &edges, seen);
        let channels = counted.channels(seen);
        self.note_differences(now, seen, &edges);
        let mut frame = Frame {
            at: super::rfc3339(now),
            node: sources.node.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            role: sources.role,
            draining: seen.draining,
            audience: counted.audience(),
            channels,
            edges,
            publishers: seen.publishers.iter().cloned().map(PublisherStatus::from).collect(),
            ladders: seen.ladders.iter().cloned().map(LadderStatus::from).collect(),
            hints,
            events: self.events(now),
            alerts: Vec::new(),
            latency: seen.latency.iter().map(|(hop, read)| Latency::of(*hop, *read)).collect(),
        };
        let on_air = self.events.values().filter(|planned| planned.event.is_on_air(now));
        let expected: BTreeSet<String> = on_air.flat_map(|planned| planned.channels.iter().cloned()).collect();
        self.watchman.look(now, &frame, seen, expected, &mut self.timeline);
        frame.alerts = self.watchman.firing();
        self.remember(now, &frame);
        let fresh = self.timeline.fresh();
        self.changed |= !fresh.is_empty();
        (frame, fresh)
    }

    fn expire(&mut self, now: Duration) {
        for pool in [&mut self.edges, &mut self.transcoders] {
            if pool.orders.expire(now) {
                let text = format!("an override of {} is over", pool.name());
                self.timeline.add(now, Kind::Override, Severity::Info, None, text);
            }
        }
    }

    /// Who watches what, on all nodes.
    fn count(&mut self, now: Duration, seen: &Seen) -> Counted {
        let tallies = |within: Duration| {
            let mut by_channel: BTreeMap<&str, Vec<&Tally>> = BTreeMap::new();
            let others = seen.others.iter().filter(|(age, _)| *age <= within).map(|(_, report)| report);
            for tally in others.chain([&seen.own]).flat_map(|report| &report.tallies) {
                by_channel.entry(&tally.channel).or_default().push(tally);
            }
            let merged = by_channel.into_iter().map(|(channel, tallies)| (channel.to_owned(), merge(tallies)));
            merged.collect::<BTreeMap<String, Merged>>()
        };
        let channels = tallies(WINDOW);
        // Those of a node that has fallen silent may still be there: nothing is taken away for want of news. Whoever goes to
        // another node meanwhile counts once if its player sends a session id, and else twice: rather too many nodes than too few.
        let at_most = tallies(Duration::MAX).values().map(|merged| merged.viewers).sum();
        let ((total, rates), channels) = self.rates.look(now, seen, &channels);
        Counted { total, rates, channels, at_most }
    }

    fn nodes(&mut self, now: Duration, seen: &Seen) -> Vec<EdgeStatus> {
        let own = [(Duration::ZERO, &seen.own)];
        let others = seen.others.iter().map(|(age, report)| (*age, report));
        own.into_iter().chain(others).map(|(age, report)| self.node(now, age, report)).collect()
    }

    fn node(&mut self, now: Duration, age: Duration, report: &NodeReport) -> EdgeStatus {
        let (sent_bits_per_second, joins_per_second) = self.rates.of_node(now.saturating_sub(age), report);
        EdgeStatus {
            node: report.node.clone(),
            viewers: report.tallies.iter().fold(0.0, |sum, tally| sum + tally.viewers).round(),
            joins_per_second,
            connections: report.connections,
            connections_limit: report.connections_limit,
            sent_bits_per_second,
            lag_ms: report.lag_seconds * 1_000.0,
            channels: report.channels,
            draining: report.draining,
            age_seconds: age.as_secs_f64(),
            stale: age > STALE,
        }
    }

    fn hint(
        &mut self,
        now: Duration,
        calendar: &Calendar,
        counted: &Counted,
        edges: &[EdgeStatus],
        seen: &Seen,
    ) -> Vec<HintStatus> {
        // Where every other node is silent, it is this one that hears nothing.
        let deaf = !seen.others.is_empty() && seen.others.iter().all(|(age, _)| *age > STALE);
        let serving: Vec<&EdgeStatus> = edges.iter().filter(|edge| !edge.draining && !edge.stale).collect();
        let remote = serving.iter().filter(|edge| edge.node != seen.own.node).count();
        // An origin that has edges is none itself.
        let nodes = if remote > 0 { remote } else { serving.len() } as u64;
        let load = Load {
            nodes,
            used: Some(counted.at_most).filter(|_| !deaf),
            bits_per_second: serving.iter().map(|edge| edge.sent_bits_per_second).sum(),
            joins_per_second: counted.rates.0,
        };
        let edges = self.edges.look(now, calendar, load);
        if let Some(viewers) = load.used {
            self.learn(now, viewers, calendar);
        }
        let cores = seen.cores.map(|taken| taken + self.planned_cores(now, taken, seen));
        let load = Load { nodes: seen.origins, used: cores, ..Load::default() };
        // What is expected of viewers says nothing of ladders.
        let events = calendar.events.iter().cloned();
        let events = events.map(|event| touchline_hints::Event { expected_peak: None, ..event }).collect();
        let transcoders = self.transcoders.look(now, &Calendar { events }, load);
        vec![edges, transcoders]
    }

    /// Cores for channels of events that are about to begin and are not live yet.
    fn planned_cores(&self, now: Duration, taken: f64, seen: &Seen) -> f64 {
        let live: BTreeSet<&str> = seen.ladders.iter().map(|ladder| ladder.channel.as_str()).collect();
        let coming = self
            .events
            .values()
            .filter(|planned| matches!(planned.event.phase(now), Phase::Gathering | Phase::Arrival));
        let channels: BTreeSet<&str> = coming.flat_map(|planned| planned.channels.iter().map(String::as_str)).collect();
        let missing = u32::try_from(channels.difference(&live).count()).unwrap_or(u32::MAX);
        let ladders = u32::try_from(live.len()).unwrap_or(u32::MAX);
        let each = if ladders == 0 { LADDER_CORES } else { taken / f64::from(ladders) };
        f64::from(missing) * each
    }

    fn learn(&mut self, now: Duration, viewers: f64, calendar: &Calendar) {
        if self.seen.back().is_none_or(|(at, _)| now.saturating_sub(*at) >= SEEN_EVERY) {
            if self.seen.len() == MAX_SEEN {
                self.seen.pop_front();
            }
            self.seen.push_back((now, viewers));
            self.changed = true;
        }
        if let Some(past) = self.learning.see(now, viewers, calendar) {
            self.edges.relearn(self.learning.history());
            self.unwritten.extend(self.store.as_ref().map(|store| store.writing_past(&past)));
            let text = format!("{} is learnt from", past.name());
            self.timeline.add(now, Kind::Event, Severity::Info, None, text);
        }
    }

    /// Tells what is not as it was at the last look.
    fn note_differences(&mut self, now: Duration, seen: &Seen, edges: &[EdgeStatus]) {
        let Self { before, timeline, events, .. } = self;
        let first = !std::mem::replace(&mut before.looked, true);
        let mut note = |kind, severity, channel: Option<&str>, text: String| {
            // What was there at the start is not news.
            if !first {
                timeline.add(now, kind, severity, channel, text);
            }
        };
        let publishers: BTreeMap<u64, (String, String)> = seen
            .publishers
            .iter()
            .map(|report| (report.id, (report.channel.clone(), report.protocol.clone())))
            .collect();
        for (id, (channel, protocol)) in &publishers {
            if !before.publishers.contains_key(id) {
                note(Kind::Publisher, Severity::Info, Some(channel), format!("a publisher has come by {protocol}"));
            }
        }
        for (id, (channel, protocol)) in &before.publishers {
            if !publishers.contains_key(id) {
                note(
                    Kind::Publisher,
                    Severity::Warning,
                    Some(channel),
                    format!("the publisher by {protocol} has left"),
                );
            }
        }
        let nodes: BTreeMap<String, (bool, bool)> =
            edges.iter().map(|edge| (edge.node.clone(), (edge.stale, edge.draining))).collect();
        for (node, (stale, draining)) in &nodes {
            match before.nodes.get(node) {
                None => note(Kind::Edge, Severity::Info, None, format!("{node} serves viewers")),
                Some((false, _)) if *stale => {
                    note(Kind::Edge, Severity::Warning, None, format!("{node} has fallen silent"));
                }
                Some((true, _)) if !*stale => note(Kind::Edge, Severity::Info, None, format!("{node} is heard again")),
                Some((_, false)) if *draining => note(Kind::Edge, Severity::Info, None, format!("{node} drains")),
                Some(_) => {}
            }
        }
        for node in before.nodes.keys().filter(|node| !nodes.contains_key(*node)) {
            note(Kind::Edge, Severity::Warning, None, format!("{node} is gone"));
        }
        let mut resting = BTreeSet::new();
        for ladder in &seen.ladders {
            let channel = Some(ladder.channel.as_str());
            let known = before.deaths.insert(ladder.channel.clone(), ladder.worker_deaths).unwrap_or_default();
            if ladder.worker_deaths > known {
                note(Kind::Ladder, Severity::Warning, channel, "a transcoding worker has died; another goes on".into());
            }
            for rung in &ladder.rungs {
                let key = (ladder.channel.clone(), rung.name.clone());
                let rested = before.resting.contains(&key);
                if rung.resting && !rested {
                    note(Kind::Ladder, Severity::Warning, channel, format!("{} rests, for want of time", rung.name));
                } else if rested && !rung.resting {
                    note(Kind::Ladder, Severity::Info, channel, format!("{} is back", rung.name));
                }
                if rung.resting {
                    resting.insert(key);
                }
            }
        }
        let phases: BTreeMap<String, Phase> =
            events.iter().map(|(id, planned)| (id.clone(), planned.event.phase(now))).collect();
        for (id, phase) in &phases {
            if before.phases.get(id).is_some_and(|known| known != phase) {
                note(Kind::Event, Severity::Info, None, format!("{id}: {}", words(*phase)));
            }
        }
        before.deaths.retain(|channel, _| seen.ladders.iter().any(|ladder| ladder.channel == *channel));
        (before.publishers, before.nodes, before.resting, before.phases) = (publishers, nodes, resting, phases);
    }

    fn remember(&mut self, now: Duration, frame: &Frame) {
        let edges = frame.hints.first();
        if let Some(hint) = edges {
            let at = now + Duration::from_secs_f64(hint.forecast.seconds_ahead.max(0.0));
            self.forecasts.push_back((at, (hint.forecast.low, hint.forecast.high)));
        }
        while self.forecasts.get(1).is_some_and(|(at, _)| *at <= now) {
            self.forecasts.pop_front();
        }
        let forecast = self.forecasts.front().filter(|(at, _)| *at <= now).map(|(_, band)| *band);
        let quality = &frame.audience.quality;
        let point = Point {
            viewers: Some(frame.audience.viewers),
            forecast,
            need: edges.and_then(|hint| hint.need.viewers),
            capacity: edges.and_then(|hint| hint.capacity.viewers),
            joins_per_second: Some(frame.audience.joins_per_second),
            live_latency_ms: quality.live_latency_ms.map(|read| read.p50),
            rebuffer_ratio: quality.rebuffer_ratio,
        };
        self.history.add(now, point);
    }

    /// What is to be written now, if anything is and there is where to write it.
    pub(super) fn unwritten(&mut self) -> Vec<Writing> {
        let mut writings = std::mem::take(&mut self.unwritten);
        if let Some(store) = &self.store
            && (std::mem::take(&mut self.changed) | self.watchman.deliveries.take_changed())
        {
            writings.push(store.writing(self.notes()));
        }
        writings
    }

    fn notes(&self) -> Notes {
        let pools = [&self.edges, &self.transcoders];
        Notes {
            version: 0,
            events: self.events.clone(),
            orders: pools.map(|pool| (pool.name().to_owned(), pool.orders.clone())).into(),
            needed: pools.map(|pool| (pool.name().to_owned(), pool.needed())).into(),
            seen: self.seen.clone(),
            recording: self.learning.recording.clone(),
            timeline: self.timeline.clone(),
            audit: self.audit.clone(),
            deliveries: self.watchman.deliveries.clone(),
        }
    }

    // What the API asks for.

    /// The last so many seconds.
    pub(crate) fn past(&self, seconds: u64) -> Past {
        self.history.last(seconds)
    }

    /// What has happened, newest first.
    pub(crate) fn entries(&self, limit: usize) -> Vec<Entry> {
        self.timeline.newest(limit)
    }

    /// What has been done by hand, newest first.
    pub(crate) fn deeds(&self, limit: usize) -> Vec<Deed> {
        self.audit.newest(limit)
    }

    /// Messages of alerts that wait, and those that were given up.
    pub(crate) fn deliveries(&mut self) -> &mut Deliveries {
        &mut self.watchman.deliveries
    }

    /// All events, by their names.
    pub(crate) fn events(&self, now: Duration) -> Vec<EventStatus> {
        self.events.values().map(|planned| planned.status(now)).collect()
    }

    pub(crate) fn event(&self, id: &str, now: Duration) -> Result<EventStatus, Refusal> {
        self.events.get(id).map(|planned| planned.status(now)).ok_or_else(|| Refusal::NoEvent(id.to_owned()))
    }

    /// Plans an event, or plans it anew; whether it is new.
    pub(crate) fn plan(&mut self, id: &str, spec: &EventSpec, who: (Duration, &str)) -> Result<bool, Refusal> {
        let planned = spec.understood(id)?;
        let new = !self.events.contains_key(id);
        if new && self.events.len() >= MAX_EVENTS {
            return Err(Mistake::Full.into());
        }
        self.events.insert(id.to_owned(), planned);
        self.done(who, Kind::Event, format!("{} event {id}", if new { "plan" } else { "change" }), String::new());
        Ok(new)
    }

    pub(crate) fn cancel(&mut self, id: &str, who: (Duration, &str)) -> Result<(), Refusal> {
        self.events.remove(id).ok_or_else(|| Refusal::NoEvent(id.to_owned()))?;
        self.done(who, Kind::Event, format!("delete event {id}"), String::new());
        Ok(())
    }

    /// An event lasts longer than was planned.
    pub(crate) fn extend(&mut self, id: &str, order: &Order, who: (Duration, &str)) -> Result<EventStatus, Refusal> {
        let minutes = minutes(order)?;
        let (now, _) = who;
        let planned = self.events.get_mut(id).ok_or_else(|| Refusal::NoEvent(id.to_owned()))?;
        if planned.event.ended.is_some_and(|ended| ended <= now) {
            return Err(Refusal::Over(id.to_owned()));
        }
        let end = planned.event.end + Duration::from_mins(minutes);
        if end > planned.event.kick_off + super::calendar::LONGEST {
            return Err(Refusal::TooLong(id.to_owned()));
        }
        planned.event.end = end;
        let status = planned.status(now);
        self.done(who, Kind::Event, format!("extend event {id} by {minutes} min"), order.note.clone());
        Ok(status)
    }

    /// An event has ended.
    pub(crate) fn end(&mut self, id: &str, order: &Order, who: (Duration, &str)) -> Result<EventStatus, Refusal> {
        let (now, _) = who;
        let planned = self.events.get_mut(id).ok_or_else(|| Refusal::NoEvent(id.to_owned()))?;
        planned.event.ended.get_or_insert(now);
        let status = planned.status(now);
        self.done(who, Kind::Event, format!("end event {id}"), order.note.clone());
        Ok(status)
    }

    /// So many times what is needed, for some time. `Some(event)`: because of that.
    pub(crate) fn surge(
        &mut self,
        pool: &str,
        event: Option<&str>,
        order: &Order,
        who: (Duration, &str),
    ) -> Result<(), Refusal> {
        let factor = order.factor.filter(|factor| FACTORS.contains(factor)).ok_or(Refusal::Factor)?;
        self.order(pool, event, order, Some(factor), who)
    }

    /// The hint stays as it is, for some time.
    pub(crate) fn freeze(
        &mut self,
        pool: &str,
        event: Option<&str>,
        order: &Order,
        who: (Duration, &str),
    ) -> Result<(), Refusal> {
        self.order(pool, event, order, None, who)
    }

    fn order(
        &mut self,
        pool: &str,
        event: Option<&str>,
        order: &Order,
        factor: Option<f64>,
        who: (Duration, &str),
    ) -> Result<(), Refusal> {
        let (now, by) = who;
        if let Some(id) = event.filter(|id| !self.events.contains_key(*id)) {
            return Err(Refusal::NoEvent(id.to_owned()));
        }
        let minutes = minutes(order)?;
        let note = event.map_or_else(|| order.note.clone(), |id| format!("{id}: {}", order.note));
        let standing = Standing { factor, until: now + Duration::from_mins(minutes), by: by.to_owned(), note };
        let note = standing.note.clone();
        let orders = &mut self.pool_mut(pool)?.orders;
        let action = match factor {
            Some(factor) => format!("surge {pool} {factor} times for {minutes} min"),
            None => format!("freeze {pool} for {minutes} min"),
        };
        match factor {
            Some(_) => orders.surge = Some(standing),
            None => orders.freeze = Some(standing),
        }
        self.done(who, Kind::Override, action, note);
        Ok(())
    }

    /// Takes back a surge.
    pub(crate) fn calm(&mut self, pool: &str, who: (Duration, &str)) -> Result<(), Refusal> {
        self.pool_mut(pool)?.orders.surge = None;
        self.done(who, Kind::Override, format!("take back the surge of {pool}"), String::new());
        Ok(())
    }

    /// Takes back a freeze.
    pub(crate) fn thaw(&mut self, pool: &str, who: (Duration, &str)) -> Result<(), Refusal> {
        self.pool_mut(pool)?.orders.freeze = None;
        self.done(who, Kind::Override, format!("take back the freeze of {pool}"), String::new());
        Ok(())
    }

    /// Somebody has done something that this state does not know of.
    pub(crate) fn did(&mut self, kind: Kind, action: String, who: (Duration, &str)) {
        self.done(who, kind, action, String::new());
    }

    fn done(&mut self, who: (Duration, &str), kind: Kind, action: String, detail: String) {
        let (now, by) = who;
        self.timeline.add(now, kind, Severity::Info, None, format!("{action}, by hand"));
        self.audit.add(now, by, action, detail);
        self.changed = true;
    }

    pub(crate) fn pool(&self, name: &str) -> Result<&Pool, Refusal> {
        [&self.edges, &self.transcoders]
            .into_iter()
            .find(|pool| pool.name() == name)
            .ok_or_else(|| Refusal::NoPool(name.to_owned()))
    }

    fn pool_mut(&mut self, name: &str) -> Result<&mut Pool, Refusal> {
        [&mut self.edges, &mut self.transcoders]
            .into_iter()
            .find(|pool| pool.name() == name)
            .ok_or_else(|| Refusal::NoPool(name.to_owned()))
    }
}

/// Who watches, at a moment.
struct Counted {
    total: Merged,
    /// Joins and leaves a second.
    rates: (f64, f64),
    channels: BTreeMap<String, (Merged, (f64, f64))>,
    /// Viewers, if those of nodes that are silent are still there.
    at_most: f64,
}

impl Counted {
    fn audience(&self) -> Audience {
        Audience::of(&self.total, WINDOW.as_secs(), self.rates)
    }

    /// Those that are live, or are watched.
    fn channels(&self, seen: &Seen) -> Vec<ChannelStatus> {
        let live: BTreeMap<&str, bool> = seen.live.iter().map(|(name, still)| (name.as_str(), *still)).collect();
        let names: BTreeSet<&str> = live.keys().copied().chain(self.channels.keys().map(String::as_str)).collect();
        let status = |name: &str| {
            let nobody = (Merged::default(), (0.0, 0.0));
            let (merged, rates) = self.channels.get(name).unwrap_or(&nobody);
            let still = live.get(name).copied().unwrap_or_default();
            ChannelStatus {
                channel: name.to_owned(),
                live: live.contains_key(name),
                thumbnail: still.then(|| format!("/api/v1/channels/{name}/thumbnail.jpg")),
                audience: Audience::of(merged, WINDOW.as_secs(), *rates),
            }
        };
        let watched = |status: &ChannelStatus| status.live || status.audience.viewers > 0.0;
        names.into_iter().map(status).filter(watched).collect()
    }
}

fn calendar(events: &BTreeMap<String, Planned>) -> Calendar {
    Calendar { events: events.values().map(|planned| planned.event.clone()).collect() }
}

fn minutes(order: &Order) -> Result<u64, Refusal> {
    if order.note.chars().count() > MAX_NOTE {
        return Err(Refusal::Note);
    }
    order.minutes.filter(|minutes| MINUTES.contains(minutes)).ok_or(Refusal::Minutes)
}

fn words(phase: Phase) -> &'static str {
    match phase {
        Phase::Off => "nothing is on",
        Phase::Gathering => "people gather",
        Phase::Arrival => "kick-off is near",
        Phase::Play => "play",
        Phase::Break => "break",
        Phase::Return => "they return",
        Phase::Finish => "the end is near",
        Phase::Announced => "it has been announced",
        Phase::Exodus => "it has ended",
    }
}
