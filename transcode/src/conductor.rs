//! What happens when: the source, the worker and the clock come in, and what is to be done comes out. No I/O, no clock.

mod opening;
mod run;
mod supervision;
mod watch;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use touchline_media::{Kind, Sample, Track, TrackId, feed};

use crate::choice::{Abilities, Choice, Settings};
use crate::faults::Faults;
use crate::message::{Answer, Input, Output as Encoded, Request, RungReport};
use crate::plan::Plan;
use crate::rendition::Fit;
use crate::source::Source;
use crate::{Notice, Passthrough};

use opening::Opening;
use run::Run;
use watch::Watch;

/// How long a worker may take to hand out what it holds when its stretch is over.
const DRAIN: Duration = Duration::from_millis(500);

/// A sample that comes so long after it was received has been held back, as at the start of a source.
const HELD_BACK: Duration = Duration::from_millis(100);

/// What a channel gets of its source and its ladder.
#[derive(Debug, Clone)]
pub enum Output {
    /// A continuous stretch of these tracks begins.
    Start {
        /// The renditions: pictures first, highest first, then sound.
        tracks: Arc<[Track]>,
        /// Samples of the source that were lost before, because the channel was too slow for it.
        skipped: u64,
    },
    /// The next sample of the stretch.
    Sample(Sample),
    /// No more comes of a track for a while: what has come ends where all renditions can be cut.
    Leave(TrackId),
    /// A JPEG of what is on air.
    Thumbnail(Bytes),
    /// Something that the operator should know.
    Notice(Notice),
}

impl From<feed::Event> for Output {
    /// What a channel gets of its source without a ladder.
    fn from(event: feed::Event) -> Self {
        match event {
            feed::Event::Start { tracks, skipped } => Self::Start { tracks, skipped },
            feed::Event::Sample(sample) => Self::Sample(sample),
        }
    }
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Act {
    /// Hand this on.
    Output(Output),
    /// Have a worker at this.
    Spawn(Plan),
    /// Tell the worker.
    Send(Request),
    /// End the worker by force: it does not answer. It will not be told of any more.
    Kill,
    /// Count an access unit of a rung, and how long after its source it came.
    Lag { rendition: String, lag: Duration },
    /// Count what a worker says of its rungs.
    Report(Vec<(String, RungReport)>),
}

/// One channel's ladder.
#[derive(Debug)]
pub(crate) struct Conductor {
    settings: Arc<Settings>,
    abilities: Arc<Abilities>,
    choice: Option<(Source, Choice)>,
    /// Whether the publisher is another than the one the ladder was chosen for.
    newcomer: bool,
    faults: Faults,
    stage: Stage,
    acts: VecDeque<Act>,
}

#[derive(Debug)]
enum Stage {
    /// No source.
    Idle,
    /// A source without a ladder.
    Plain,
    /// A stretch whose renditions are not all known: samples wait.
    Opening(Run, Opening),
    /// A stretch.
    Live(Run),
    /// A stretch is over, and its worker has yet to hand out the rest.
    Draining(Run, Instant, Next),
}

/// What follows a stretch.
#[derive(Debug)]
enum Next {
    /// Nothing: the source has ended.
    Nothing,
    /// A stretch of other tracks, or on another timeline.
    Stretch { tracks: Arc<[Track]>, skipped: u64 },
    /// The same source, with another ladder: at once, with what came since its last keyframe...
    AtOnce,
    /// ...or from this keyframe on.
    From(Sample),
}

impl Conductor {
    pub(crate) fn new(settings: Arc<Settings>, abilities: Arc<Abilities>) -> Self {
        let (faults, acts) = (Faults::default(), VecDeque::new());
        Self { settings, abilities, choice: None, newcomer: true, faults, stage: Stage::Idle, acts }
    }

    /// What the machine can do has changed.
    pub(crate) fn know(&mut self, abilities: Arc<Abilities>) {
        self.abilities = abilities;
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// Whether the source may go on: not while the rest of a stretch is awaited.
    pub(crate) fn takes_source(&self) -> bool {
        !matches!(self.stage, Stage::Draining(..))
    }

    /// Whether the source has ended, and all that came of it.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    /// When [`Conductor::tick`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Opening(run, opening) => Some(run.deadline().map_or(opening.until, |at| at.min(opening.until))),
            Stage::Live(run) => run.deadline(),
            Stage::Draining(_, until, _) => Some(*until),
            Stage::Idle | Stage::Plain => None,
        }
    }

    /// The next event of the source.
    pub(crate) fn source(&mut self, event: feed::Event, now: Instant) {
        match event {
            feed::Event::Start { tracks, skipped } => self.finish(Next::Stretch { tracks, skipped }, now),
            feed::Event::Sample(sample) => self.sample(sample, now),
        }
    }

    /// The source has ended.
    pub(crate) fn end(&mut self, now: Instant) {
        self.newcomer = true;
        self.finish(Next::Nothing, now);
    }

    /// What the worker says.
    pub(crate) fn answer(&mut self, answer: Answer, now: Instant) {
        let Some(run) = self.run() else { return };
        run.watch.heard(now);
        match answer {
            Answer::Ready => {}
            Answer::Config { stream, record } => self.configured(stream, record, now),
            Answer::Output(encoded) => self.encoded(encoded, now),
            Answer::Switched { stream, on, .. } => self.switched(stream, on),
            Answer::Thumbnail(jpeg) => self.output(Output::Thumbnail(jpeg)),
            Answer::Report(report) => {
                if let Some(change) = run.observe(&report, now) {
                    self.acts.push_back(Act::Send(Request::Switch { stream: change.stream, on: change.on }));
                }
                self.report(report.rungs);
            }
            Answer::Fault(fault) => run.fault = Some(fault),
        }
    }

    /// The stretch that a worker is at.
    fn run(&mut self) -> Option<&mut Run> {
        match &mut self.stage {
            Stage::Opening(run, _) | Stage::Live(run) | Stage::Draining(run, ..) => Some(run),
            Stage::Idle | Stage::Plain => None,
        }
    }

    fn output(&mut self, output: Output) {
        self.acts.push_back(Act::Output(output));
    }

    fn notice(&mut self, notice: Notice) {
        self.output(Output::Notice(notice));
    }

    fn sample(&mut self, sample: Sample, now: Instant) {
        let Some(run) = self.run() else { return self.output(Output::Sample(sample)) };
        if run.restart_at_key && sample.sync && run.source.leader() == Some(sample.track) {
            return self.finish(Next::From(sample), now);
        }
        let input = run.take(&sample, now);
        // Nobody waits for it, or it comes with others that were held back: nothing of it need be shed.
        let late = now.saturating_duration_since(sample.received) > HELD_BACK;
        let replay = late || matches!(&self.stage, Stage::Opening(_, opening) if opening.has_time(now));
        let input = input.map(|input| Input { replay, ..input });
        let settings = Arc::clone(&self.settings);
        let live = matches!(self.stage, Stage::Live(_));
        let overdue = self.run().and_then(|run| run.keyframe_overdue(&sample, &settings, live));
        self.acts.extend(input.map(|input| Act::Send(Request::Input(input))));
        match &mut self.stage {
            Stage::Opening(run, opening) if run.is_shown(sample.track) => opening.hold(sample),
            Stage::Live(run) if run.is_shown(sample.track) => self.output(Output::Sample(sample)),
            _ => {}
        }
        if let Some(seen) = overdue {
            self.replace_source(seen, now);
        }
    }

    /// The keyframes of the source are too far apart for it to be a rendition.
    fn replace_source(&mut self, seen: Duration, now: Instant) {
        let Some((source, choice)) = &mut self.choice else { return };
        let may = self.settings.passthrough == Passthrough::Auto;
        let encoded = may && choice.replace_source(&self.settings, &self.abilities, source);
        self.notice(Notice::LongKeyframeInterval { seen, advised: self.settings.keyframe_interval, encoded });
        if encoded {
            self.finish(Next::AtOnce, now);
        }
    }

    /// Ends what is on; what is next begins when the worker has handed out the rest.
    fn finish(&mut self, next: Next, now: Instant) {
        match (&self.stage, &self.choice) {
            (Stage::Opening(..), Some((_, choice))) if !choice.is_known() => return self.start_over(next, now),
            (Stage::Opening(..), _) => self.go_live(),
            _ => {}
        }
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Live(run) if run.has_worker => {
                self.acts.push_back(Act::Send(Request::End));
                self.stage = Stage::Draining(run, now + DRAIN, next);
            }
            Stage::Live(run) => self.begin(next, Some(run), now),
            _ => self.begin(next, None, now),
        }
    }

    /// Ends an opening of which nobody has seen anything: what has waited is of no use to what is next.
    fn start_over(&mut self, next: Next, now: Instant) {
        self.acts.push_back(Act::Kill);
        self.stage = Stage::Idle;
        self.choice = None;
        self.newcomer = true;
        self.begin(next, None, now);
    }

    fn begin(&mut self, next: Next, before: Option<Run>, now: Instant) {
        match (next, before) {
            (Next::Stretch { tracks, skipped }, _) => self.begin_stretch(&tracks, skipped, now),
            (Next::AtOnce, Some(before)) => {
                let Some((source, choice)) = &self.choice else { return };
                let mut run = Run::new(source.clone(), choice, 0, now);
                run.resume_from(before);
                self.open(run, now);
            }
            (Next::From(sample), Some(before)) => {
                let Some((source, choice)) = &self.choice else { return };
                let mut run = Run::new(source.clone(), choice, 0, now);
                run.mourn(&before);
                self.open(run, now);
                self.sample(sample, now);
            }
            (Next::Nothing | Next::AtOnce | Next::From(_), _) => {}
        }
    }

    fn begin_stretch(&mut self, tracks: &Arc<[Track]>, skipped: u64, now: Instant) {
        if let Some(source) = Source::of(tracks) {
            self.choose(&source);
            if let Some((_, choice)) = self.choice.as_ref().filter(|(_, choice)| !choice.renditions.is_empty()) {
                return self.open(Run::new(source, choice, skipped, now), now);
            }
        }
        self.stage = Stage::Plain;
        self.output(Output::Start { tracks: Arc::clone(tracks), skipped });
    }

    /// Takes a ladder for this source: the one there is, if it will do.
    fn choose(&mut self, source: &Source) {
        let newcomer = std::mem::take(&mut self.newcomer);
        match &mut self.choice {
            Some((known, choice)) if source.does_for(known, newcomer) => {
                if newcomer {
                    choice.renew();
                }
                *known = source.clone();
            }
            _ => {
                // What it took is free before another one is chosen.
                self.choice = None;
                let (choice, notices) = Choice::make(&self.settings, &self.abilities, source);
                self.choice = Some((source.clone(), choice));
                for notice in notices {
                    self.notice(notice);
                }
            }
        }
    }

    /// Puts a worker to a stretch, and begins it as soon as all its renditions are known.
    fn open(&mut self, mut run: Run, now: Instant) {
        let Some((_, choice)) = &mut self.choice else { return };
        for rendition in &mut choice.renditions {
            rendition.newest = run.seen_to(rendition);
        }
        let known = run.knows_all(choice);
        let patience = opening::patience(&choice.renditions);
        self.put_to_work(&mut run, now);
        self.stage = Stage::Opening(run, Opening::new(now, patience));
        if known {
            self.go_live();
        }
    }

    /// Gives a worker the plan, and what it has to decode to go on from where the rungs are.
    fn put_to_work(&mut self, run: &mut Run, now: Instant) {
        let Some((_, choice)) = &self.choice else { return };
        let Some(plan) = choice.plan(&run.source, &self.settings, run.grid) else { return };
        (run.has_worker, run.fault, run.watch) = (true, None, Watch::new(now));
        run.needed = match (&plan.video, &plan.audio) {
            (Some(_), Some(_)) => &[Kind::Video, Kind::Audio],
            (Some(_), None) => &[Kind::Video],
            (None, _) => &[Kind::Audio],
        };
        self.acts.push_back(Act::Spawn(plan));
        let resting = run.overload.resting().iter().map(|&stream| Request::Switch { stream, on: false });
        let replayed = run.replayed().map(Request::Input);
        self.acts.extend(resting.chain(replayed).map(Act::Send));
        run.overload.restart(now);
    }

    /// Begins the stretch with the renditions that are known, and hands on what has waited.
    fn go_live(&mut self) {
        let Stage::Opening(run, opening) = std::mem::replace(&mut self.stage, Stage::Idle) else { return };
        let Some((_, choice)) = &mut self.choice else { return };
        let late = choice.give_up_unknown();
        let (tracks, skipped) = (run.tracks(&choice.renditions), run.skipped);
        self.stage = Stage::Live(run);
        if !late.is_empty() {
            self.notice(Notice::Late { rungs: late });
        }
        self.output(Output::Start { tracks, skipped });
        for sample in opening.in_order() {
            self.output(Output::Sample(sample));
        }
        self.leave_given_up();
    }

    fn configured(&mut self, stream: u8, record: Bytes, now: Instant) {
        let (Stage::Opening(run, _) | Stage::Live(run) | Stage::Draining(run, ..)) = &mut self.stage else { return };
        let Some((_, choice)) = &mut self.choice else { return };
        let encoder = choice.encoder;
        let Some(rendition) = choice.find(stream) else { return };
        let fit = Fit::of(rendition, encoder, &run.source);
        let before = rendition.format().cloned();
        if let Err(why) = rendition.configure(record, fit) {
            return self.kill(why, now);
        }
        let changed = before.is_some() && before.as_ref() != rendition.format();
        if let Stage::Live(run) = &mut self.stage {
            // Players have been told otherwise: they are told anew where a decoder can start.
            run.restart_at_key |= changed;
        }
    }

    fn encoded(&mut self, encoded: Encoded, now: Instant) {
        let (Stage::Opening(run, _) | Stage::Live(run) | Stage::Draining(run, ..)) = &mut self.stage else { return };
        let Some((_, choice)) = &mut self.choice else { return };
        let Some(rendition) = choice.find(encoded.stream) else { return };
        // A worker that takes over begins after what there is.
        if rendition.newest.is_some_and(|newest| encoded.pts <= newest) {
            return;
        }
        rendition.newest = Some(encoded.pts);
        if rendition.is_video() {
            run.grid.get_or_insert(encoded.pts);
        }
        let Some((sample, lag)) = run.sample(rendition, encoded, now) else { return };
        self.acts.push_back(Act::Lag { rendition: rendition.name(), lag });
        run.passed(choice.at_work());
        // A rung that is far behind would begin with a gap.
        let complete = run.knows_all(choice) && run.is_close(choice);
        if let Some(after) = run.recovered(now) {
            self.notice(Notice::Recovered { after });
        }
        match &mut self.stage {
            Stage::Opening(_, opening) => {
                opening.hold(sample);
                if complete {
                    self.go_live();
                }
            }
            _ => self.output(Output::Sample(sample)),
        }
    }
}

#[cfg(test)]
mod tests;
