//! What is wrong, by rules: each holds for a while before it is told, and is well for a while before it is over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::frame::{AlertStatus, ChannelStatus, EdgeStatus, Frame, Hop, LadderStatus, PublisherStatus};
use super::pool::EDGES;
use super::rfc3339;

/// Keyframes are to be no further apart; segments are cut at them.
const LONG_GOP_SECONDS: f64 = 4.0;
/// Lips and voice are seen to be apart from here on (ITU-R BT.1359: 45 ms early, 125 ms late).
const DRIFT_MS: u64 = 200;
/// Of what came within ten seconds, the share that was too late to be played.
const SRT_LOSS: f64 = 0.005;
const SILENT_MS: u64 = 10_000;
/// Holes in a feed within a minute.
const GAPS: f64 = 3.0;
/// From the last byte of an access unit until its part can be had, of 95 %.
const LATE_MS: f64 = 400.0;
/// For so long nothing new may come of a channel whose publisher is there.
const QUIET: Duration = Duration::from_millis(1_500);
/// From when a part can be had on the origin until it can be on the edge, of 95 %; and since anything came.
const REPLICATION_MS: f64 = 500.0;
const SILENT_REPLICATION_SECONDS: f64 = 3.0;
const FULL: f64 = 0.85;
const BEHIND_MS: f64 = 200.0;
/// Of the pictures of ten seconds, the share that is left out.
const SHED: f64 = 0.01;
/// Workers that die within five minutes.
const DEATHS: f64 = 2.0;
/// Share of the time that pictures stand still, where so many would say so.
const REBUFFERING: f64 = 0.02;
const SAYING: f64 = 5.0;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    FeedStopped,
    LongGop,
    AudioVideoDrift,
    SrtLoss,
    NoSound,
    FeedGaps,
    LateParts,
    ReplicationLag,
    EdgeSilent,
    EdgeFull,
    ServerBehind,
    LadderShedding,
    RungResting,
    LadderCrashes,
    Rebuffering,
    HintStale,
    TooFewNodes,
    WebhooksUndelivered,
}

/// What a rule is, beside when it holds.
struct Manner {
    name: &'static str,
    critical: bool,
    /// In seconds: it has to hold for so long to be told, and to be well for so long to be over.
    holds: u64,
    clears: u64,
}

impl Rule {
    #[cfg(test)]
    pub(super) const ALL: [Self; 18] = [
        Self::FeedStopped,
        Self::LongGop,
        Self::AudioVideoDrift,
        Self::SrtLoss,
        Self::NoSound,
        Self::FeedGaps,
        Self::LateParts,
        Self::ReplicationLag,
        Self::EdgeSilent,
        Self::EdgeFull,
        Self::ServerBehind,
        Self::LadderShedding,
        Self::RungResting,
        Self::LadderCrashes,
        Self::Rebuffering,
        Self::HintStale,
        Self::TooFewNodes,
        Self::WebhooksUndelivered,
    ];

    /// What it is called, whether it is critical, and for how many seconds it has to hold, and to be well.
    fn manner(self) -> Manner {
        let (name, critical, holds, clears) = match self {
            Self::FeedStopped => ("feed_stopped", true, 2, 3),
            Self::LongGop => ("long_gop", false, 5, 10),
            Self::AudioVideoDrift => ("audio_video_drift", false, 10, 10),
            Self::SrtLoss => ("srt_loss", false, 5, 15),
            Self::NoSound => ("no_sound", false, 0, 3),
            Self::FeedGaps => ("feed_gaps", false, 0, 60),
            Self::LateParts => ("late_parts", true, 1, 10),
            Self::ReplicationLag => ("replication_lag", true, 3, 10),
            Self::EdgeSilent => ("edge_silent", true, 3, 3),
            Self::EdgeFull => ("edge_full", true, 5, 30),
            Self::ServerBehind => ("server_behind", true, 5, 15),
            Self::LadderShedding => ("ladder_shedding", false, 5, 15),
            Self::RungResting => ("rung_resting", false, 0, 5),
            Self::LadderCrashes => ("ladder_crashes", true, 0, 60),
            Self::Rebuffering => ("rebuffering", true, 20, 30),
            Self::HintStale => ("hint_stale", true, 10, 5),
            Self::TooFewNodes => ("too_few_nodes", false, 180, 10),
            Self::WebhooksUndelivered => ("webhooks_undelivered", false, 0, 0),
        };
        Manner { name, critical, holds, clears }
    }

    /// What to do.
    fn advice(self) -> &'static str {
        match self {
            Self::FeedStopped => {
                "Call the venue: check the encoder and its network. If another feed is at hand, publish it into the same channel: viewers stay."
            }
            Self::LongGop => {
                "Set the encoder's keyframe interval to 2 s (OBS: Output, Streaming, Keyframe Interval; ffmpeg: -g twice the frame rate)."
            }
            Self::AudioVideoDrift => {
                "Sound and pictures leave the encoder by different clocks: take both from the same device, or restart the encoder."
            }
            Self::SrtLoss => {
                "Raise the SRT latency on both ends to four round trips or more, or lower the bitrate of the encoder."
            }
            Self::NoSound => "Check the sound at the encoder: its track has sent nothing.",
            Self::FeedGaps => "The encoder skips: check whether its machine is overloaded, and its network.",
            Self::LateParts => {
                "Where nothing comes: look at the encoder and its network. Where it takes long: this machine is too slow for what it does; make fewer or smaller renditions, or move channels."
            }
            Self::ReplicationLag => {
                "Check the network between this edge and its origins; drain the edge if it does not mend."
            }
            Self::EdgeSilent => {
                "Check the machine and its network. Viewers of it go elsewhere by themselves where there is steering."
            }
            Self::EdgeFull => {
                "Add edges now: surge the hint of edges; or raise [viewers] connections where the machine can bear it."
            }
            Self::ServerBehind => "This machine has more to do than it can: add edges, or move channels.",
            Self::LadderShedding => {
                "Pictures are left out: make fewer or smaller renditions, or use hardware (`touchline encoders` tells)."
            }
            Self::RungResting => {
                "A rendition was taken away as the machine is too slow for it; it returns by itself when there is time."
            }
            Self::LadderCrashes => {
                "See the log for what the worker said; another encoder is chosen by itself after some crashes."
            }
            Self::Rebuffering => {
                "Look at the first byte and replication of the edges, then at the networks of those who watch."
            }
            Self::HintStale => {
                "No edge says how many watch: check the network to the edges. The hint does not fall meanwhile."
            }
            Self::TooFewNodes => {
                "The autoscaler has not acted on the hint: check it, its maximum, and the quota of the cloud."
            }
            Self::WebhooksUndelivered => {
                "Check who takes the webhooks, then POST /api/v1/webhooks/dead/ID to try again, or DELETE it."
            }
        }
    }
}

/// Which rule, of what.
type Subject = (Rule, Option<String>, Option<String>);

/// What was found at a look, in words.
type Found = BTreeMap<Subject, String>;

/// Something that has been found, and may be told.
#[derive(Debug, Clone)]
struct Trouble {
    since: Duration,
    last: Duration,
    told: bool,
    words: String,
}

/// An alert has begun, or is over.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    Fired(AlertStatus),
    Cleared(AlertStatus),
}

/// Watches by the rules.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    troubles: BTreeMap<Subject, Trouble>,
    counters: Counters,
}

/// What a frame does not have.
#[derive(Debug, Clone, Default)]
pub(super) struct Signs {
    /// Channels that an event on air needs.
    pub(super) expected: BTreeSet<String>,
    /// Of each node: how late 95 % are of what is replicated, in milliseconds, and since when there was nothing, in seconds.
    pub(super) replication: Vec<(String, Option<f64>, Option<f64>)>,
    /// Of each live channel, for how long nothing new has come.
    pub(super) quiet: Vec<(String, Duration)>,
    /// Webhooks that were given up.
    pub(super) dead: usize,
}

impl Alarm {
    /// What has begun and what is over.
    pub(super) fn look(&mut self, now: Duration, frame: &Frame, signs: &Signs) -> Vec<Change> {
        let mut changes = Vec::new();
        for (subject, words) in self.find(now, frame, signs) {
            let new = Trouble { since: now, last: now, told: false, words: String::new() };
            let trouble = self.troubles.entry(subject.clone()).or_insert(new);
            (trouble.last, trouble.words) = (now, words);
            let due = now.saturating_sub(trouble.since) >= Duration::from_secs(subject.0.manner().holds);
            if due && !std::mem::replace(&mut trouble.told, due) {
                changes.push(Change::Fired(status(&subject, trouble)));
            }
        }
        self.troubles.retain(|subject, trouble| {
            // What has not been told yet and is well again was nothing.
            let clears = if trouble.told { subject.0.manner().clears } else { 0 };
            let over = trouble.last < now && now.saturating_sub(trouble.last) >= Duration::from_secs(clears);
            if over && trouble.told {
                changes.push(Change::Cleared(status(subject, trouble)));
            }
            !over
        });
        changes
    }

    /// Those that have been told and are not over.
    pub(super) fn firing(&self) -> Vec<AlertStatus> {
        let told = self.troubles.iter().filter(|(_, trouble)| trouble.told);
        told.map(|(subject, trouble)| status(subject, trouble)).collect()
    }

    fn find(&mut self, now: Duration, frame: &Frame, signs: &Signs) -> Found {
        let mut found = Found::new();
        let mut say = |rule, channel: Option<&str>, node: Option<&str>, words: String| {
            found.insert((rule, channel.map(str::to_owned), node.map(str::to_owned)), words);
        };
        self.counters.begin(now);
        feeds(frame, signs, &mut say);
        for publisher in &frame.publishers {
            self.feed(publisher, &mut say);
        }
        for ladder in &frame.ladders {
            self.ladder(ladder, &mut say);
        }
        latency(frame, signs, &mut say);
        frame.edges.iter().for_each(|edge| of_edge(edge, &mut say));
        frame.channels.iter().for_each(|channel| of_channel(channel, &mut say));
        for hint in &frame.hints {
            let pool = Some(hint.pool.as_str());
            if hint.stale && hint.pool == EDGES {
                say(Rule::HintStale, None, pool, "nobody says how many watch".into());
            }
            if hint.nodes > hint.nodes_now && !hint.stale {
                let words = format!("{} {} are needed, and there are {}", hint.nodes, hint.pool, hint.nodes_now);
                say(Rule::TooFewNodes, None, pool, words);
            }
        }
        if signs.dead > 0 {
            say(Rule::WebhooksUndelivered, None, None, format!("{} messages could not be delivered", signs.dead));
        }
        self.counters.forget();
        found
    }

    fn feed(&mut self, publisher: &PublisherStatus, say: &mut impl FnMut(Rule, Option<&str>, Option<&str>, String)) {
        let channel = Some(publisher.channel.as_str());
        let longest = publisher.tracks.iter().filter_map(|track| track.keyframe_interval_seconds).fold(0.0, f64::max);
        if longest > LONG_GOP_SECONDS {
            say(Rule::LongGop, channel, None, format!("keyframes are {longest:.1} s apart"));
        }
        if let Some(drift) = publisher.audio_video_drift_milliseconds.filter(|drift| drift.unsigned_abs() > DRIFT_MS) {
            let (what, which) = if drift > 0 { ("sound", "pictures") } else { ("pictures", "sound") };
            let words = format!("the clock of the {what} is {} ms ahead of that of the {which}", drift.unsigned_abs());
            say(Rule::AudioVideoDrift, channel, None, words);
        }
        if let Some(silent) = publisher
            .tracks
            .iter()
            .filter_map(|track| track.silent_milliseconds.filter(|_| track.kind == "audio"))
            .max()
            && silent > SILENT_MS
        {
            say(Rule::NoSound, channel, None, format!("the sound has sent nothing for {} s", silent / 1_000));
        }
        let mut grown = |what: &str, value: f64, seconds| {
            self.counters.grown(format!("{} {what}", publisher.id), value, Duration::from_secs(seconds))
        };
        #[expect(clippy::cast_precision_loss, reason = "some gaps")]
        let gaps = grown("gaps", publisher.gaps as f64, 60);
        if gaps >= GAPS {
            say(Rule::FeedGaps, channel, None, format!("{gaps} holes in the feed within a minute"));
        }
        let link = |name: &str| publisher.link.get(name).copied();
        if let (Some(received), Some(belated)) = (link("received_packets"), link("belated_packets")) {
            let (received, belated) = (grown("received", received, 10), grown("belated", belated, 10));
            let share = if belated > 0.0 { belated / (received + belated) } else { 0.0 };
            if share > SRT_LOSS {
                let words = format!("{:.1} % of the packets come too late or never", 100.0 * share);
                say(Rule::SrtLoss, channel, None, words);
            }
        }
    }

    fn ladder(&mut self, ladder: &LadderStatus, say: &mut impl FnMut(Rule, Option<&str>, Option<&str>, String)) {
        let channel = Some(ladder.channel.as_str());
        let resting: Vec<&str> =
            ladder.rungs.iter().filter(|rung| rung.resting).map(|rung| rung.name.as_str()).collect();
        if !resting.is_empty() {
            say(Rule::RungResting, channel, None, format!("{} rests, for want of time", resting.join(", ")));
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of seconds")]
        let mut grown = |what: &str, value: u64, seconds| {
            self.counters.grown(format!("{} {what}", ladder.channel), value as f64, Duration::from_secs(seconds))
        };
        let shed = grown("shed", ladder.rungs.iter().map(|rung| rung.shed).sum(), 10);
        let came = grown("came", ladder.rungs.iter().map(|rung| rung.frames_in).sum(), 10);
        if shed > SHED * (came + shed) {
            let words = format!("{:.0} % of the pictures are left out", 100.0 * shed / (came + shed));
            say(Rule::LadderShedding, channel, None, words);
        }
        let deaths = grown("deaths", ladder.worker_deaths, 300);
        if deaths >= DEATHS {
            say(Rule::LadderCrashes, channel, None, format!("{deaths} workers have died within five minutes"));
        }
    }
}

fn feeds(frame: &Frame, signs: &Signs, say: &mut impl FnMut(Rule, Option<&str>, Option<&str>, String)) {
    let fed: BTreeSet<&str> = frame.publishers.iter().map(|publisher| publisher.channel.as_str()).collect();
    let live = frame.channels.iter().filter(|channel| channel.live).map(|channel| channel.channel.as_str());
    // An edge has no publishers.
    let live = live.filter(|_| frame.role == super::frame::Role::Origin);
    let wanted: BTreeSet<&str> = signs.expected.iter().map(String::as_str).chain(live).collect();
    for (channel, quiet) in
        signs.quiet.iter().filter(|(channel, quiet)| fed.contains(channel.as_str()) && *quiet > QUIET)
    {
        let words = format!("no part for {:.1} s, though its publisher is connected", quiet.as_secs_f64());
        say(Rule::LateParts, Some(channel), None, words);
    }
    for channel in wanted.difference(&fed) {
        let why = if signs.expected.contains(*channel) { ", and an event is on air" } else { "" };
        say(Rule::FeedStopped, Some(channel), None, format!("nobody publishes into it{why}"));
    }
}

fn latency(frame: &Frame, signs: &Signs, say: &mut impl FnMut(Rule, Option<&str>, Option<&str>, String)) {
    let packaged = frame.latency.iter().find(|latency| latency.hop == Hop::Packaged);
    if let Some(packaged) = packaged.filter(|latency| latency.p95_ms > LATE_MS) {
        let words = format!("one part in twenty takes {:.0} ms to be packaged", packaged.p95_ms);
        say(Rule::LateParts, None, Some(&frame.node), words);
    }
    let live = frame.channels.iter().any(|channel| channel.live);
    for (node, late, silent) in &signs.replication {
        if let Some(late) = late.filter(|late| *late > REPLICATION_MS) {
            say(
                Rule::ReplicationLag,
                None,
                Some(node),
                format!("one part in twenty is {late:.0} ms behind the origin"),
            );
        }
        if let Some(silent) = silent.filter(|silent| live && *silent > SILENT_REPLICATION_SECONDS) {
            say(Rule::ReplicationLag, None, Some(node), format!("nothing has come from the origins for {silent:.0} s"));
        }
    }
}

fn of_edge(edge: &EdgeStatus, say: &mut impl FnMut(Rule, Option<&str>, Option<&str>, String)) {
    let node = Some(edge.node.as_str());
    if edge.stale && !edge.draining {
        // It may be heard no more than this; what it said before counts no longer.
        return say(Rule::EdgeSilent, None, node, format!("it has said nothing for {:.0} s", edge.age_seconds));
    }
    #[expect(clippy::cast_precision_loss, reason = "connections of a machine")]
    let share = edge.connections as f64 / (edge.connections_limit.max(1)) as f64;
    if share > FULL {
        say(Rule::EdgeFull, None, node, format!("{:.0} % of its connections are taken", 100.0 * share));
    }
    if edge.lag_ms > BEHIND_MS {
        say(Rule::ServerBehind, None, node, format!("what is due is done {:.0} ms late", edge.lag_ms));
    }
}

fn of_channel(channel: &ChannelStatus, say: &mut impl FnMut(Rule, Option<&str>, Option<&str>, String)) {
    let quality = &channel.audience.quality;
    if let Some(ratio) = quality.rebuffer_ratio.filter(|ratio| *ratio > REBUFFERING && quality.reporting >= SAYING) {
        let words =
            format!("pictures stand still {:.1} % of the time, say {:.0} players", 100.0 * ratio, quality.reporting);
        say(Rule::Rebuffering, Some(&channel.channel), None, words);
    }
}

fn status(subject: &Subject, trouble: &Trouble) -> AlertStatus {
    let (rule, channel, node) = subject;
    let manner = rule.manner();
    AlertStatus {
        rule: manner.name.to_owned(),
        severity: if manner.critical { "critical" } else { "warning" }.to_owned(),
        channel: channel.clone(),
        node: node.clone(),
        since: rfc3339(trouble.since),
        summary: trouble.words.clone(),
        advice: rule.advice().to_owned(),
    }
}

/// What counters have grown by. One that is lower than before has begun anew.
#[derive(Debug, Default)]
struct Counters {
    now: Duration,
    seen: BTreeMap<String, VecDeque<(Duration, f64)>>,
}

impl Counters {
    fn begin(&mut self, now: Duration) {
        self.now = now;
    }

    fn grown(&mut self, name: String, value: f64, within: Duration) -> f64 {
        let seen = self.seen.entry(name).or_default();
        if seen.back().is_some_and(|(_, last)| value < *last) {
            seen.clear();
        }
        seen.push_back((self.now, value));
        // One that is as old as that is what is compared with.
        while seen.get(1).is_some_and(|(at, _)| self.now.saturating_sub(*at) >= within) {
            seen.pop_front();
        }
        seen.front().map_or(0.0, |(_, first)| value - first)
    }

    /// Drops what was not asked for at this look.
    fn forget(&mut self) {
        let now = self.now;
        self.seen.retain(|_, seen| seen.back().is_some_and(|(at, _)| *at == now));
    }
}

#[cfg(test)]
mod tests;
