use std::sync::Arc;
use std::time::Instant;

use touchline_media::{ChannelName, feed};
use tracing::info;

use crate::choice::Settings;
use crate::conductor::{Act, Conductor, Output};
use crate::metrics::{AtWork, ChannelMetrics};
use crate::plan::Plan;
use crate::process::{Event, Process};
use crate::rung::Profile;
use crate::workshop::Workshop;

/// The ladder of one channel, over all its publishers: it reads the source and hands on all renditions.
#[derive(Debug)]
pub struct Ladder {
    workshop: Workshop,
    conductor: Conductor,
    worker: Option<Worker>,
    metrics: ChannelMetrics,
    /// Whether the source has ended.
    ended: bool,
}

#[derive(Debug)]
struct Worker {
    process: Process,
    _counted: AtWork,
}

impl Ladder {
    /// The ladder of a channel; waits until it is known what this machine can do.
    pub async fn open(channel: &ChannelName, settings: Arc<Settings>, workshop: Workshop) -> Self {
        if settings.profile != Profile::Off {
            // It starts while the source is looked at.
            workshop.restock();
        }
        workshop.explored(&settings).await;
        let conductor = Conductor::new(settings, workshop.abilities());
        let metrics = workshop.metrics().channel(channel);
        Self { workshop, conductor, worker: None, metrics, ended: false }
    }

    /// What comes next of this source; `None` when it has ended and everything has come. Then another source may follow.
    ///
    /// Cancel safe.
    pub async fn next(&mut self, source: &mut feed::Reader) -> Option<Output> {
        loop {
            while let Some(act) = self.conductor.poll() {
                if let Some(output) = self.perform(act) {
                    return Some(output);
                }
            }
            if self.ended && self.conductor.is_idle() {
                self.ended = false;
                return None;
            }
            let (deadline, reads) = (self.conductor.deadline(), !self.ended && self.conductor.takes_source());
            tokio::select! {
                biased;
                event = next_of(self.worker.as_mut()) => self.hear(event),
                () = until(deadline) => {
                    self.conductor.know(self.workshop.abilities());
                    self.conductor.tick(Instant::now());
                }
                event = source.next(), if reads => self.read(event),
            }
        }
    }

    fn perform(&mut self, act: Act) -> Option<Output> {
        match act {
            Act::Output(output) => {
                if let Output::Notice(notice) = &output {
                    self.metrics.noticed(notice);
                }
                return Some(output);
            }
            Act::Spawn(plan) => self.spawn(plan),
            Act::Send(request) => {
                let sent = self.worker.as_ref().is_none_or(|worker| worker.process.send(&request));
                if !sent && let Some(worker) = &mut self.worker {
                    // What it has said before it died is still to be heard.
                    worker.process.kill();
                }
            }
            Act::Kill => self.worker = None,
            Act::Lag { rendition, lag } => self.metrics.lag(&rendition, lag),
            Act::Report(rungs) => rungs.iter().for_each(|(rung, report)| self.metrics.report(rung, report)),
        }
        None
    }

    fn spawn(&mut self, plan: Plan) {
        self.worker = None;
        match self.workshop.take() {
            Ok(process) => {
                info!(worker = process.id(), "a worker begins");
                process.send(&plan.into());
                self.worker = Some(Worker { process, _counted: self.workshop.metrics().worker() });
            }
            Err(error) => self.conductor.gone(format!("it cannot be started: {error}"), Instant::now()),
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Answer(answer) => self.conductor.answer(answer, Instant::now()),
            Event::Gone(why) => {
                self.worker = None;
                self.conductor.know(self.workshop.abilities());
                self.conductor.gone(why, Instant::now());
            }
        }
    }

    fn read(&mut self, event: Option<feed::Event>) {
        let Some(event) = event else {
            self.ended = true;
            return self.conductor.end(Instant::now());
        };
        if let feed::Event::Start { .. } = event {
            self.conductor.know(self.workshop.abilities());
        }
        self.conductor.source(event, Instant::now());
    }
}

async fn next_of(worker: Option<&mut Worker>) -> Event {
    match worker {
        Some(worker) => worker.process.next().await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
