//! Puts the seconds of all threads together, tells of them while they pass, and makes the report.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use super::crowd::{Now, Pulse};
use super::options::Options;
use super::report::{Figures, GeneratorUse, People, Report, Second, ServerUse};
use super::tally::{Count, Tally};
use super::viewer::Story;
use crate::process::{Machine, Usage};

/// How often a line is told where it stays, in seconds.
const LINE_EVERY: u64 = 10;

/// What is known of a run so far.
pub(super) struct Measure<'a> {
    options: &'a Options,
    /// The first second after the ramp.
    steady_from: u64,
    /// Seconds that not all threads have told of yet.
    open: BTreeMap<u64, (u16, Now, Tally)>,
    whole: Tally,
    steady: Tally,
    seconds: Vec<Second>,
    usage: Taken,
    /// At the beginning, and at the end of the ramp.
    first: Taken,
    ramped: Option<(u64, Taken)>,
}

/// What processes and machine have taken at a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    server: Option<Usage>,
    own: Usage,
    machine: Machine,
}

impl Taken {
    fn now(servers: &[u32]) -> Self {
        let server = servers
            .iter()
            .filter_map(|pid| Usage::of(*pid).ok())
            .reduce(|sum, one| Usage { cpu: sum.cpu + one.cpu, resident: sum.resident + one.resident });
        Self { server, own: Usage::own().unwrap_or_default(), machine: Machine::now().unwrap_or_default() }
    }
}

impl<'a> Measure<'a> {
    pub(super) fn new(options: &'a Options) -> Self {
        let first = Taken::now(&options.server_pid);
        Self {
            options,
            steady_from: options.ramp.as_secs() + u64::from(options.ramp.subsec_nanos() > 0),
            open: BTreeMap::new(),
            whole: Tally::default(),
            steady: Tally::default(),
            seconds: Vec::new(),
            usage: first,
            first,
            ramped: None,
        }
    }

    /// A thread tells of a second.
    pub(super) fn take(&mut self, pulse: &Pulse) {
        let (told, now, tally) = self.open.entry(pulse.second).or_default();
        *told += 1;
        now.add(pulse.now);
        tally.merge(&pulse.tally);
        if *told == self.options.threads {
            let (_, now, tally) = self.open.remove(&pulse.second).unwrap_or_default();
            self.close(pulse.second, now, &tally);
        }
    }

    fn close(&mut self, second: u64, now: Now, tally: &Tally) {
        self.whole.merge(tally);
        if second >= self.steady_from {
            self.steady.merge(tally);
        }
        if second == u64::MAX {
            return;
        }
        let taken = Taken::now(&self.options.server_pid);
        let mut told = Second::new(second + 1, now, tally);
        let busy = |after: Usage, before: Usage| after.cpu.saturating_sub(before.cpu).as_secs_f64();
        told.generator_cpu = busy(taken.own, self.usage.own);
        told.server_cpu = taken.server.zip(self.usage.server).map(|(after, before)| busy(after, before));
        told.server_resident = taken.server.map(|server| server.resident);
        self.usage = taken;
        if second + 1 == self.steady_from || self.steady_from == 0 && self.ramped.is_none() {
            self.ramped = Some((second + 1, taken));
        }
        self.tell(&told, tally);
        self.seconds.push(told);
    }

    /// One line for each second at a terminal, always in the same place; elsewhere one each ten seconds.
    fn tell(&self, second: &Second, tally: &Tally) {
        let mut out = std::io::stderr().lock();
        let text = line(second, tally, &self.whole);
        // A terminal that is gone is no reason not to measure.
        let _ = if out.is_terminal() {
            write!(out, "\r\x1b[Kwatch: {text}").and_then(|()| out.flush())
        } else if second.second.is_multiple_of(LINE_EVERY) {
            writeln!(out, "watch: {text}")
        } else {
            Ok(())
        };
    }

    /// What is to be told in the end.
    pub(super) fn report(mut self, stories: &[Story]) -> Report {
        while let Some((second, (_, now, tally))) = self.open.pop_first() {
            self.close(second, now, &tally);
        }
        let options = self.options;
        let (from, before) = self.ramped.unwrap_or((0, self.first));
        let watched = Duration::from_secs((self.seconds.len() as u64).saturating_sub(from).max(1));
        #[expect(clippy::cast_precision_loss, reason = "there are not 2^52 viewers or requests")]
        let (viewers, requests) =
            (stories.len().max(1) as f64, self.steady.count(Count::Requests) as f64 / watched.as_secs_f64());
        let cpu =
            |after: Usage, before: Usage| after.cpu.saturating_sub(before.cpu).as_secs_f64() / watched.as_secs_f64();
        let after = self.usage;
        let server = after.server.zip(before.server).map(|(after, before)| {
            let resident_before = self.first.server.map_or(0, |first| first.resident);
            server_use(cpu(after, before), after.resident, resident_before, viewers, requests)
        });
        let people = People::of(stories);
        let mut report = Report {
            url: options.url.to_string(),
            viewers: stories.len(),
            http: if options.http2 { "2" } else { "1.1" }.to_owned(),
            ramp_s: options.ramp.as_secs_f64(),
            watched_s: watched.as_secs_f64(),
            steady: Figures::from(&self.steady),
            whole: Figures::from(&self.whole),
            people,
            server,
            generator: GeneratorUse::new(cpu(after.own, before.own), viewers, requests, &self.steady.lag),
            machine_busy: after.machine.busy_since(before.machine),
            broken: Vec::new(),
            seconds: self.seconds,
        };
        report.broken = broken(&report, options);
        report
    }
}

#[expect(clippy::cast_precision_loss, reason = "memory is below 2^52 bytes")]
fn server_use(cpu: f64, resident: u64, resident_before: u64, viewers: f64, requests: f64) -> ServerUse {
    ServerUse {
        cpu,
        cpu_us_per_viewer: cpu * 1e6 / viewers,
        cpu_us_per_request: cpu * 1e6 / requests.max(1.0),
        resident_before,
        resident,
        resident_per_viewer: resident.saturating_sub(resident_before) as f64 / viewers,
    }
}

/// Limits that were broken.
fn broken(report: &Report, options: &Options) -> Vec<String> {
    let mut broken = Vec::new();
    if let Some(most) = options.max_stalled
        && report.people.stalled_share > most.share()
    {
        let (stalled, most) = (report.people.stalled_share * 100.0, most.share() * 100.0);
        broken.push(format!("{stalled:.2} % of viewers have stalled, {most} % are allowed"));
    }
    if let Some(most) = options.max_p99
        && report.steady.part.p99_ms > most.as_secs_f64() * 1e3
    {
        let (late, most) = (report.steady.part.p99_ms, most.as_secs_f64() * 1e3);
        broken.push(format!("a part in a hundred was more than {late:.1} ms late, {most} ms are allowed"));
    }
    broken
}

/// One second in words.
fn line(second: &Second, tally: &Tally, whole: &Tally) -> String {
    let Second { second: at, playing, stalled, waiting, held, requests, megabits, .. } = second;
    let late = second.part_p50_ms.zip(second.part_p99_ms);
    let late = late.map_or_else(|| "no parts due".to_owned(), |(p50, p99)| format!("parts {p50:.1}/{p99:.1} ms late"));
    let server = second.server_cpu.map(|cpu| format!(", server {:.0} %", cpu * 100.0)).unwrap_or_default();
    format!(
        "{at} s: {playing} play, {stalled} stalled, {waiting} wait; {held} held, {requests} req/s, {megabits:.0} Mb/s; {late} (p50/p99); \
         {} stalls, {} troubles; CPU here {:.0} %{server}{}",
        whole.count(Count::Stalls),
        whole.troubles(),
        second.generator_cpu * 100.0,
        match tally.lag.quantile(0.99) {
            lag if lag > Duration::from_millis(10) => format!(", {} ms behind", lag.as_millis()),
            _ => String::new(),
        },
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn options(flags: &str) -> Options {
        let line = format!("watch http://127.0.0.1:1/ --ramp 2s {flags}");
        Cli::parse_from(line.split_whitespace()).options
    }

    fn pulse(second: u64, late: u64) -> Pulse {
        let mut tally = Tally::default();
        tally.part.record(Duration::from_millis(late));
        tally.add(Count::Requests, 10);
        Pulse { second, tally, now: Now { playing: 1, held: 2, ..Now::default() } }
    }

    #[test]
    fn seconds_of_threads_are_put_together_and_those_of_the_ramp_kept_apart() {
        let options = options("--threads 2");
        let mut measure = Measure::new(&options);
        for (second, late) in [(0, 100), (1, 100), (0, 100), (1, 100), (2, 5), (3, 6), (2, 7), (u64::MAX, 8)] {
            measure.take(&pulse(second, late));
        }
        assert_eq!(measure.seconds.len(), 3, "a thread has not told of the fourth second");
        let report = measure.report(&[Story::default(), Story::default()]);
        let playing: Vec<_> = report.seconds.iter().map(|second| (second.playing, second.held)).collect();
        assert_eq!(playing, [(2, 4), (2, 4), (2, 4), (1, 2)]);
        assert_eq!((report.steady.part.count, report.whole.part.count), (4, 8));
        assert!((report.steady.part.max_ms - 8.0).abs() < 0.1 && report.people.never_played == 2);
    }

    #[test]
    fn limits_that_are_broken_are_told() {
        let options = options("--max-stalled 10% --max-p99 20ms");
        let mut measure = Measure::new(&options);
        (0..4).for_each(|second| measure.take(&pulse(second, 30)));
        let stalled = Story { stalls: 1, startup: Some(Duration::from_millis(80)), ..Story::default() };
        let report = measure.report(&[stalled, Story { stalls: 0, ..stalled }]);
        insta::assert_snapshot!(report.broken.join("\n"), @r"
        50.00 % of viewers have stalled, 10 % are allowed
        a part in a hundred was more than 30.0 ms late, 20 ms are allowed
        ");
    }

    #[test]
    fn a_second_is_a_line() {
        let pulse = pulse(11, 5);
        let told = Second { generator_cpu: 0.415, server_cpu: Some(0.5), ..Second::new(12, pulse.now, &pulse.tally) };
        insta::assert_snapshot!(line(&told, &pulse.tally, &pulse.tally), @"12 s: 1 play, 0 stalled, 0 wait; 2 held, 10 req/s, 0 Mb/s; parts 5.0/5.0 ms late (p50/p99); 0 stalls, 0 troubles; CPU here 42 %, server 50 %");
    }
}
