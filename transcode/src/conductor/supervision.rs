//! What is done about a worker that dies, hangs, or has too much to do.

use std::time::Instant;

use touchline_media::TrackId;

use super::{Act, Conductor, Output, Stage};
use crate::Notice;
use crate::faults::Remedy;
use crate::message::RungReport;
use crate::rendition::Rendition;

impl Conductor {
    /// The worker is gone; `why` in words.
    pub(crate) fn gone(&mut self, why: String, now: Instant) {
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Draining(run, _, next) => self.begin(next, Some(run), now),
            stage => {
                self.stage = stage;
                self.died(why, now);
            }
        }
    }

    /// Time has come: see [`Conductor::deadline`].
    pub(crate) fn tick(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::Draining(_, until, _) if now >= *until => {
                self.acts.push_back(Act::Kill);
                self.gone(String::new(), now);
            }
            Stage::Opening(_, opening) if now >= opening.until => self.go_live(),
            Stage::Opening(run, _) | Stage::Live(run) if run.has_worker => {
                if let Some(why) = run.watch.judge(now) {
                    self.kill(why, now);
                }
            }
            _ => {}
        }
    }

    /// Tells the channel which renditions will not come.
    pub(super) fn leave_given_up(&mut self) {
        let Some((_, choice)) = &self.choice else { return };
        let gone = choice.renditions.iter().filter(|rendition| rendition.given_up && rendition.format().is_some());
        let gone: Vec<TrackId> = gone.map(Rendition::track_id).collect();
        for track in gone {
            self.output(Output::Leave(track));
        }
    }

    pub(super) fn switched(&mut self, stream: u8, on: bool) {
        let Some(rendition) = self.choice.as_mut().and_then(|(_, choice)| choice.find(stream)) else { return };
        let (rung, track) = (rendition.name(), rendition.track_id());
        if let Some(run) = self.run() {
            run.leaving.retain(|(leaving, _)| *leaving != stream);
            if !on {
                run.leaving.push((stream, track));
            }
        }
        self.notice(Notice::Overload { rung, back: on });
    }

    pub(super) fn report(&mut self, rungs: Vec<RungReport>) {
        if let Some(run) = self.run() {
            // What was on its way when a rung was switched off has come.
            let empty = |stream: u8| rungs.iter().any(|rung| rung.stream == stream && rung.queued == 0);
            let gone: Vec<TrackId> =
                run.leaving.extract_if(.., |(stream, _)| empty(*stream)).map(|(_, track)| track).collect();
            for track in gone {
                self.output(Output::Leave(track));
            }
        }
        let Some((_, choice)) = &mut self.choice else { return };
        let named = rungs.into_iter().filter_map(|rung| Some((choice.find(rung.stream)?.name(), rung)));
        let named = named.collect();
        self.acts.push_back(Act::Report(named));
    }

    pub(super) fn kill(&mut self, why: String, now: Instant) {
        self.acts.push_back(Act::Kill);
        self.died(why, now);
    }

    fn died(&mut self, why: String, now: Instant) {
        let Some(run) = self.run() else { return };
        run.has_worker = false;
        run.died_at.get_or_insert(now);
        let fault = run.fault.take();
        let encoder = fault.as_ref().is_some_and(|fault| fault.encoder);
        let why = fault.map_or(why, |fault| format!("{}: {}", fault.place, fault.reason));
        let remedy = self.faults.death(encoder, now);
        self.notice(Notice::Died { why, remedy });
        match remedy {
            Remedy::Replace => self.replace_worker(now),
            Remedy::Demote => self.demote(now),
        }
    }

    fn replace_worker(&mut self, now: Instant) {
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Opening(mut run, opening) => {
                self.put_to_work(&mut run, now);
                self.stage = Stage::Opening(run, opening);
            }
            Stage::Live(mut run) => {
                self.put_to_work(&mut run, now);
                self.stage = Stage::Live(run);
            }
            stage => self.stage = stage,
        }
    }

    /// Another encoder, or a smaller ladder, from the next keyframe on.
    fn demote(&mut self, now: Instant) {
        let Some((_, choice)) = &mut self.choice else { return };
        let notice = choice.demote(&self.settings, &self.abilities);
        self.notice(notice);
        match &mut self.stage {
            // Nobody has seen anything of it yet.
            Stage::Opening(..) => self.replace_worker(now),
            Stage::Live(run) => run.restart_at_key = true,
            _ => {}
        }
        if matches!(self.stage, Stage::Live(_)) {
            self.leave_given_up();
        }
    }
}
