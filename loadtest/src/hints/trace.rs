//! What was counted once, minute by minute.

use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::NaiveDateTime;
use touchline_hints::{Calendar, Series};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// The whole days of a trace; minutes that are missing lie on the line between those before and after.
pub(super) fn days(csv: &str) -> anyhow::Result<Vec<Series>> {
    let mut counted = Vec::new();
    for (index, line) in csv.lines().enumerate().skip(1) {
        let read = read(line).with_context(|| format!("line {}: {line:?}", index + 1))?;
        counted.push(read);
    }
    counted.sort_by_key(|(at, _)| *at);
    let (Some((first, _)), Some((last, _))) = (counted.first(), counted.last()) else {
        bail!("there is nothing in it")
    };
    let mut days = Vec::new();
    let mut start = DAY * u32::try_from(first.as_secs() / DAY.as_secs())?;
    while start + DAY <= *last {
        let minutes = (0..24 * 60).map(|minute| count_at(&counted, start + MINUTE * minute));
        days.push(Series { start, step: MINUTE, viewers: minutes.collect(), calendar: Calendar::default() });
        start += DAY;
    }
    Ok(days)
}

/// `1998-04-30 21:30:00,2`.
fn read(line: &str) -> anyhow::Result<(Duration, f64)> {
    let (period, count) = line.split_once(',').context("there is no comma")?;
    let period = NaiveDateTime::parse_from_str(period, "%Y-%m-%d %H:%M:%S").context("before the comma is no time")?;
    let at = Duration::from_secs(u64::try_from(period.and_utc().timestamp()).context("it is before 1970")?);
    Ok((at, count.trim().parse().context("after the comma is no number")?))
}

fn count_at(counted: &[(Duration, f64)], at: Duration) -> f64 {
    let after = counted.partition_point(|(then, _)| *then <= at);
    let before = after.checked_sub(1).and_then(|before| counted.get(before));
    match (before, counted.get(after)) {
        (Some((then, count)), Some((next, more))) => {
            count + (more - count) * at.saturating_sub(*then).div_duration_f64(next.saturating_sub(*then))
        }
        (Some((_, count)), None) | (None, Some((_, count))) => *count,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_cut_into_days() {
        let csv = "period,count\n1998-05-01 12:00:00,100\n1998-05-01 12:04:00,300\n1998-05-03 00:00:00,300\n";
        let days = days(csv).unwrap();
        assert_eq!(days.iter().map(|day| day.viewers.len()).collect::<Vec<_>>(), [1_440, 1_440]);
        let noon = &days[0].viewers[12 * 60 - 1..12 * 60 + 6];
        assert_eq!(noon, [100.0, 100.0, 150.0, 200.0, 250.0, 300.0, 300.0]);
        assert_eq!(days[0].moment(0), DAY * 10_347);
    }

    #[test]
    fn what_is_no_trace_is_told_with_its_line() {
        let told = |csv| format!("{:#}", days(csv).unwrap_err());
        assert_eq!(told("period,count\n"), "there is nothing in it");
        assert_eq!(told("period,count\n1998-05-01 12:00:00;5"), "line 2: \"1998-05-01 12:00:00;5\": there is no comma");
        assert!(told("period,count\nnoon,5").starts_with("line 2: \"noon,5\": before the comma is no time"));
        assert!(told("period,count\n1998-05-01 12:00:00,many").contains("after the comma is no number"));
    }
}
