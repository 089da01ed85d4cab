use std::collections::BTreeSet;
use std::time::Duration;

use super::alarm::{Alarm, Change, Signs};
use super::deliveries::Deliveries;
use super::frame::{AlertStatus, Frame};
use super::gather::Seen;
use super::notify::{self, Notifications};
use super::timeline::{Kind, Severity, Timeline};

/// Watches by the rules, and sees to it that whoever is to know is told.
#[derive(Debug)]
pub(crate) struct Watchman {
    alarm: Alarm,
    notifications: Option<Notifications>,
    pub(super) deliveries: Deliveries,
}

impl Watchman {
    pub(super) fn new(notifications: Option<Notifications>, deliveries: Deliveries) -> Self {
        Self { alarm: Alarm::default(), notifications, deliveries }
    }

    pub(super) fn look(
        &mut self,
        now: Duration,
        frame: &Frame,
        seen: &Seen,
        expected: BTreeSet<String>,
        timeline: &mut Timeline,
    ) {
        let others = seen.others.iter().filter(|(age, _)| *age < super::state::STALE).map(|(_, report)| report);
        let replication = others.chain([&seen.own]).map(|report| {
            (report.node.clone(), report.replication_ms.map(|(_, late)| late), report.replication_silent_seconds)
        });
        let (replication, dead) = (replication.collect(), self.deliveries.dead().count());
        let signs = Signs { expected, replication, quiet: seen.quiet.clone(), dead };
        for change in self.alarm.look(now, frame, &signs) {
            let (kind, fired, alert) = match change {
                Change::Fired(alert) => (Kind::Alert, true, alert),
                Change::Cleared(alert) => (Kind::Cleared, false, alert),
            };
            let severity = match (fired, alert.severity.as_str()) {
                (false, _) => Severity::Info,
                (true, "critical") => Severity::Critical,
                (true, _) => Severity::Warning,
            };
            timeline.add(now, kind, severity, alert.channel.as_deref(), words(&alert));
            if self.notifications.is_some() {
                self.deliveries.push(now, |id| notify::body(id, now, &frame.node, fired, &alert));
            }
        }
    }

    pub(super) fn firing(&self) -> Vec<AlertStatus> {
        self.alarm.firing()
    }

    pub(super) fn notifications(&self) -> Option<&Notifications> {
        self.notifications.as_ref()
    }
}

fn words(alert: &AlertStatus) -> String {
    let node = alert.node.as_ref().map(|node| format!(" {node}:")).unwrap_or_default();
    format!("{}:{node} {}", alert.rule, alert.summary)
}
