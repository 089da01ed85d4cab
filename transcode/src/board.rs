use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Notice;
use crate::message::RungReport;

/// Lags that are kept of each rung: those of the last quarter of a minute at thirty pictures a second.
const LAGS: usize = 512;

/// How the ladders of all channels do, for who looks at them. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<BTreeMap<String, Ladder>>>);

#[derive(Debug, Default)]
struct Ladder {
    deaths: u64,
    encoder: Option<String>,
    rungs: BTreeMap<String, Rung>,
}

#[derive(Debug, Default)]
struct Rung {
    resting: bool,
    report: RungReport,
    /// In milliseconds, oldest first.
    lags: VecDeque<f64>,
}

/// How a channel's ladder does.
#[derive(Debug, Clone, PartialEq)]
pub struct LadderStatus {
    /// The channel.
    pub channel: String,
    /// Workers that have died.
    pub worker_deaths: u64,
    /// By what it is encoded.
    pub encoder: Option<String>,
    /// Each rung.
    pub rungs: Vec<RungStatus>,
}

/// How a rung does.
#[derive(Debug, Clone, PartialEq)]
pub struct RungStatus {
    /// As its rendition is called.
    pub name: String,
    /// Whether it has been taken away, for want of time.
    pub resting: bool,
    /// Pictures that wait.
    pub queued: u64,
    /// Pictures that this worker was given.
    pub frames_in: u64,
    /// Access units that came of them.
    pub frames_out: u64,
    /// Pictures left out.
    pub shed: u64,
    /// From the arrival of an access unit to that of the one made of it, of the last 512, in milliseconds: in ascending order.
    pub lags_ms: Vec<f64>,
}

impl Board {
    /// All ladders there are.
    pub fn read(&self) -> Vec<LadderStatus> {
        let ladders = self.lock();
        let status = |(channel, ladder): (&String, &Ladder)| LadderStatus {
            channel: channel.clone(),
            worker_deaths: ladder.deaths,
            encoder: ladder.encoder.clone(),
            rungs: ladder.rungs.iter().map(|(name, rung)| rung.read(name)).collect(),
        };
        ladders.iter().map(status).collect()
    }

    pub(crate) fn noticed(&self, channel: &str, notice: &Notice) {
        let mut ladders = self.lock();
        let ladder = ladders.entry(channel.to_owned()).or_default();
        match notice {
            Notice::Chosen { encoder, .. } => ladder.encoder = encoder.map(|encoder| encoder.to_string()),
            Notice::OtherEncoder { to, .. } => ladder.encoder = Some(to.to_string()),
            Notice::Overload { rung, back } => ladder.rungs.entry(rung.clone()).or_default().resting = !back,
            Notice::Died { .. } => ladder.deaths += 1,
            Notice::GivenUp { rung } => drop(ladder.rungs.remove(rung)),
            _ => {}
        }
    }

    pub(crate) fn lag(&self, channel: &str, rung: &str, lag: Duration) {
        self.rung(channel, rung, |rung| {
            if rung.lags.len() == LAGS {
                rung.lags.pop_front();
            }
            rung.lags.push_back(lag.as_secs_f64() * 1_000.0);
        });
    }

    pub(crate) fn report(&self, channel: &str, rung: &str, report: &RungReport) {
        self.rung(channel, rung, |rung| rung.report = report.clone());
    }

    pub(crate) fn forget(&self, channel: &str) {
        self.lock().remove(channel);
    }

    fn rung(&self, channel: &str, rung: &str, change: impl FnOnce(&mut Rung)) {
        let mut ladders = self.lock();
        let ladder = ladders.entry(channel.to_owned()).or_default();
        change(ladder.rungs.entry(rung.to_owned()).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Ladder>> {
        // Whole after each change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rung {
    fn read(&self, name: &str) -> RungStatus {
        let mut lags_ms: Vec<f64> = self.lags.iter().copied().collect();
        lags_ms.sort_by(f64::total_cmp);
        RungStatus {
            name: name.to_owned(),
            resting: self.resting,
            queued: self.report.queued.into(),
            frames_in: self.report.frames_in,
            frames_out: self.report.frames_out,
            shed: self.report.shed,
            lags_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Remedy;

    #[test]
    fn a_ladder_is_on_the_board_until_it_is_over() {
        let board = Board::default();
        for lag in [30, 10, 20] {
            board.lag("main", "480p", Duration::from_millis(lag));
        }
        board.report("main", "480p", &RungReport { frames_in: 7, ..RungReport::default() });
        board.noticed("main", &Notice::Overload { rung: "480p".into(), back: false });
        board.noticed("main", &Notice::Died { why: "it was told to".into(), remedy: Remedy::Replace });
        let [ladder] = &board.read()[..] else { panic!("one ladder") };
        let rung = &ladder.rungs[0];
        assert_eq!((ladder.worker_deaths, rung.resting, rung.frames_in), (1, true, 7));
        assert_eq!(rung.lags_ms, [10.0, 20.0, 30.0]);
        board.noticed("main", &Notice::Overload { rung: "480p".into(), back: true });
        assert!(!board.read()[0].rungs[0].resting);
        for _ in 0..2 * LAGS {
            board.lag("main", "480p", Duration::ZERO);
        }
        assert_eq!(board.read()[0].rungs[0].lags_ms.len(), LAGS);
        board.forget("main");
        assert!(board.read().is_empty());
    }
}
