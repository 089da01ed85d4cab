//! What processes take of the machine, as proc(5) tells it.

use std::io;
use std::time::Duration;

/// What a process has taken so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time of all its threads.
    pub cpu: Duration,
    /// Memory that is in the machine, in bytes.
    pub resident: u64,
}

impl Usage {
    /// Of process `pid`.
    pub fn of(pid: u32) -> io::Result<Self> {
        Self::read(&pid.to_string())
    }

    /// Of this process.
    pub fn own() -> io::Result<Self> {
        Self::read("self")
    }

    fn read(pid: &str) -> io::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let statm = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
        let parsed = ticks(&stat).zip(statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()));
        let (ticks, pages) = parsed.ok_or_else(|| io::Error::other("/proc is not as proc(5) describes it"))?;
        let cpu = Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second().max(1));
        Ok(Self { cpu, resident: pages * rustix::param::page_size() as u64 })
    }
}

/// Time in user mode and in the kernel: fields 14 and 15. The name of the program, in parentheses, may hold spaces.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, kernel): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + kernel)
}

/// How much of its time the machine has been busy, and how much time there was, of all processors, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    busy: u64,
    all: u64,
}

impl Machine {
    /// Since it was started.
    pub fn now() -> io::Result<Self> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        Self::parse(&stat).ok_or_else(|| io::Error::other("/proc/stat is not as proc(5) describes it"))
    }

    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<u64> =
            stat.lines().next()?.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
        let [_, _, _, idle, waiting, ..] = fields[..] else { return None };
        let all = fields.iter().sum();
        Some(Self { busy: all - idle - waiting, all })
    }

    /// The part of all processors that was busy since `before`, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "ticks of minutes")]
    pub fn busy_since(self, before: Self) -> f64 {
        let all = self.all.saturating_sub(before.all).max(1);
        self.busy.saturating_sub(before.busy) as f64 / all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_may_be_anything() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 100 1000 10";
        assert_eq!(ticks(stat), Some(300));
    }

    #[test]
    fn this_process_takes_memory() {
        assert!(Usage::own().unwrap().resident > 100_000);
        assert!(Usage::of(u32::MAX).is_err());
    }

    #[test]
    fn a_machine_is_busy_but_for_idling_and_waiting() {
        let before = Machine::parse("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 ...").unwrap();
        let after = Machine::parse("cpu  130 0 120 740 110 0 0 0 0 0\n").unwrap();
        assert!((after.busy_since(before) - 0.5).abs() < 1e-9);
    }
}
