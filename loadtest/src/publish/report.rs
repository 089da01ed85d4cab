//! What all publishers have done, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

use serde::Serialize;

use super::line::Figures;
use super::record::{Entries, State};
use super::target::Protocol;
use super::{srt, whip};
use crate::histogram::Histogram;

/// The most publishers that people are told of one by one.
const MAX_LINES: usize = 20;

/// A report.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// What chance was drawn from.
    pub(super) seed: u64,
    /// From the first publisher's beginning to the end.
    pub(super) seconds: f64,
    pub(super) totals: Totals,
    pub(super) publishers: Vec<OfPublisher>,
}

/// Of all publishers together.
#[derive(Debug, Default, Serialize)]
pub(super) struct Totals {
    publishers: usize,
    /// Publishers that are on air.
    on_air: usize,
    /// Publishers that never were, or whom their server refused or lost.
    failed: usize,
    units: u64,
    bytes: u64,
    late: Late,
    reconnects: u64,
    refusals: u64,
    breaks: u64,
    left_out: u64,
}

/// How late units were handed to the network, in milliseconds.
#[derive(Debug, Default, Serialize)]
#[expect(clippy::struct_field_names, reason = "programs read the unit in the name")]
struct Late {
    p50_ms: f64,
    p99_ms: f64,
    most_ms: f64,
}

/// Of one publisher.
#[derive(Debug, Serialize)]
pub(super) struct OfPublisher {
    channel: String,
    protocol: Protocol,
    /// Without channel and key.
    server: String,
    state: State,
    units: u64,
    bytes: u64,
    late: Late,
    reconnects: u64,
    /// Units that were due while it was not on air.
    left_out: u64,
    /// By the server's words.
    refusals: BTreeMap<String, u64>,
    /// Connections that broke or never came about, by what happened.
    breaks: BTreeMap<String, u64>,
    /// Faults that it had by order.
    faults: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    srt: Option<srt::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    whip: Option<whip::Figures>,
}

impl Totals {
    pub(super) fn of<'a>(all: impl IntoIterator<Item = &'a Entries>) -> Self {
        let (mut totals, mut late) = (Self::default(), Histogram::default());
        for entries in all {
            let count = |reasons: &BTreeMap<String, u64>| reasons.values().sum::<u64>();
            totals.publishers += 1;
            totals.on_air += usize::from(entries.state == State::OnAir);
            totals.failed += usize::from(entries.failed());
            totals.units += entries.units;
            totals.bytes += entries.bytes;
            totals.reconnects += entries.on_air.saturating_sub(1);
            totals.refusals += count(&entries.refusals);
            totals.breaks += count(&entries.breaks);
            totals.left_out += entries.left_out;
            late.merge(&entries.late);
        }
        totals.late = Late::of(&late);
        totals
    }

    /// A line on how it goes; `before` are the totals that much earlier.
    pub(super) fn progress(&self, before: &Self, elapsed: Duration) -> impl Display + use<> {
        let since = elapsed.as_secs_f64().max(0.001);
        let Self { publishers, on_air, refusals, breaks, .. } = self;
        let (units, bytes) = (self.units - before.units, self.bytes - before.bytes);
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let (units, megabits) = (units as f64 / since, bytes as f64 * 8.0 / since / 1e6);
        format!(
            "{on_air} of {publishers} on air, {units:.0} units/s, {megabits:.1} Mb/s, late {}, {refusals} refused, {breaks} broken",
            self.late
        )
    }
}

impl Entries {
    /// Whether it has not done what it was to.
    pub(super) fn failed(&self) -> bool {
        self.on_air == 0 || !self.refusals.is_empty() || !self.breaks.is_empty()
    }
}

impl Late {
    fn of(late: &Histogram) -> Self {
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        Self { p50_ms: ms(late.quantile(0.5)), p99_ms: ms(late.quantile(0.99)), most_ms: ms(late.longest()) }
    }
}

impl OfPublisher {
    pub(super) fn new(
        channel: String,
        protocol: Protocol,
        server: String,
        faults: Vec<String>,
        entries: Entries,
    ) -> Self {
        let (srt, whip) = match entries.figures {
            Some(Figures::Srt(figures)) => (Some(figures), None),
            Some(Figures::Whip(figures)) => (None, Some(figures)),
            None => (None, None),
        };
        Self {
            channel,
            protocol,
            server,
            state: entries.state,
            units: entries.units,
            bytes: entries.bytes,
            late: Late::of(&entries.late),
            reconnects: entries.on_air.saturating_sub(1),
            left_out: entries.left_out,
            refusals: entries.refusals,
            breaks: entries.breaks,
            faults,
            srt,
            whip,
        }
    }
}

impl Report {
    /// Whether all publishers have done what they were to.
    pub(super) fn is_good(&self) -> bool {
        self.totals.failed == 0
    }
}

impl Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50_ms, p99_ms, most_ms } = self;
        write!(f, "p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, most {most_ms:.1} ms")
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { publishers, failed, units, bytes, late, reconnects, refusals, breaks, left_out, .. } =
            &self.totals;
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let megabytes = *bytes as f64 / 1e6;
        writeln!(
            f,
            "{publishers} publishers, {units} units, {megabytes:.1} MB in {:.1} s; late {late}; \
             {reconnects} reconnects, {refusals} refusals, {breaks} broken connections, {left_out} units left out",
            self.seconds
        )?;
        let bad = self.publishers.iter().filter(|of| of.units == 0 || !of.refusals.is_empty() || !of.breaks.is_empty());
        for of in bad.take(MAX_LINES) {
            let OfPublisher { channel, server, units, refusals, breaks, .. } = of;
            let reasons = refusals.iter().chain(breaks).map(|(words, count)| format!("{count} x {words}"));
            let reasons: Vec<String> = reasons.collect();
            writeln!(f, "{channel} into {server}: {units} units; {}", reasons.join("; "))?;
        }
        if *failed > MAX_LINES {
            writeln!(f, "and {} more that failed: --report FILE has them all", failed - MAX_LINES)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::Gone;
    use super::super::record::Record;
    use super::*;

    fn entries(units: u64, refusal: Option<&str>) -> Entries {
        let record = Record::default();
        if let Some(words) = refusal {
            record.lost(&Gone::Refused(words.to_owned()));
        } else {
            record.on_air(0);
        }
        for _ in 0..units {
            record.sent(1_000, Duration::from_millis(2));
        }
        record.look(Some(Figures::Srt(srt::Figures { packets: 3 * units, ..srt::Figures::default() })));
        record.read()
    }

    fn report() -> Report {
        let all = [entries(1_540, None), entries(0, Some("the key is missing or wrong"))];
        let totals = Totals::of(&all);
        let publishers = (1..).zip(all).map(|(number, entries)| {
            let server = "srt://127.0.0.1:8890".to_owned();
            OfPublisher::new(format!("cam{number}"), Protocol::Srt, server, Vec::new(), entries)
        });
        Report { seed: 1, seconds: 20.0, totals, publishers: publishers.collect() }
    }

    #[test]
    fn people_are_told_of_those_that_failed_and_why() {
        assert!(!report().is_good());
        insta::assert_snapshot!(report(), @"
        2 publishers, 1540 units, 1.5 MB in 20.0 s; late p50 2.0 ms, p99 2.0 ms, most 2.0 ms; 0 reconnects, 1 refusals, 0 broken connections, 0 units left out
        cam2 into srt://127.0.0.1:8890: 0 units; 1 x the key is missing or wrong
        ");
    }

    #[test]
    fn programs_get_all_of_it() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&report()).unwrap());
    }

    #[test]
    fn progress_is_of_the_time_since_the_last_line() {
        let now = Totals::of(&[entries(1_540, None)]);
        let before = Totals::of(&[entries(1_463, None)]);
        insta::assert_snapshot!(now.progress(&before, Duration::from_secs(1)), @"1 of 1 on air, 77 units/s, 0.6 Mb/s, late p50 2.0 ms, p99 2.0 ms, most 2.0 ms, 0 refused, 0 broken");
    }
}
