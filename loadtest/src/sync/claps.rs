//! Flashes and beeps, and how far they are apart.

use std::fmt::{self, Display};

use serde::Serialize;

use super::decode::Level;
use crate::Error;

/// A flash and a beep within so much of each other are one clap: half of the second from one to the next.
const SAME_CLAP_US: i64 = 500_000;
/// The range of levels of a clapper is at least so much of what there can be.
const LEAST_CONTRAST: f64 = 0.2;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Each clap, in order.
    pub claps: Vec<Clap>,
    /// The median of their offsets, in milliseconds.
    pub median_ms: f64,
    /// The offset that is furthest from nought, in milliseconds.
    pub worst_ms: f64,
}

/// A flash and its beep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Clap {
    /// When the first white picture is shown, in seconds of media time.
    pub seconds: f64,
    /// How much later the beep begins, in milliseconds; below nought, it begins before.
    pub offset_ms: f64,
}

/// Finds the claps in the levels of pictures and sound.
pub(super) fn compare(brightness: &[Level], loudness: &[Level]) -> Result<Report, Error> {
    let flashes = onsets(brightness).ok_or(Error::NoClaps("flash"))?;
    let beeps = onsets(loudness).ok_or(Error::NoClaps("beep"))?;
    let claps: Vec<Clap> = flashes.iter().filter_map(|flash| clap(*flash, &beeps)).collect();
    let mut offsets: Vec<f64> = claps.iter().map(|clap| clap.offset_ms).collect();
    offsets.sort_by(f64::total_cmp);
    let median_ms = *offsets.get(offsets.len() / 2).ok_or(Error::NoClaps("flash with a beep near it"))?;
    let worst_ms = offsets.into_iter().max_by(|one, other| one.abs().total_cmp(&other.abs())).unwrap_or(0.0);
    Ok(Report { claps, median_ms, worst_ms })
}

/// The flash at a time and the beep that is nearest to it.
#[expect(clippy::cast_precision_loss, reason = "microseconds of a stream of years are exact")]
fn clap(flash: i64, beeps: &[i64]) -> Option<Clap> {
    let offset = beeps.iter().map(|beep| beep - flash).min_by_key(|offset| offset.abs())?;
    let near = offset.abs() < SAME_CLAP_US;
    near.then(|| Clap { seconds: flash as f64 / 1e6, offset_ms: offset as f64 / 1e3 })
}

/// Where levels rise through the middle of their range; `None` where there is no such range.
fn onsets(levels: &[Level]) -> Option<Vec<i64>> {
    let least = levels.iter().map(|level| level.level).min_by(f64::total_cmp)?;
    let most = levels.iter().map(|level| level.level).max_by(f64::total_cmp)?;
    if most - least < LEAST_CONTRAST {
        return None;
    }
    let middle = f64::midpoint(least, most);
    let rises = levels.array_windows().filter(|[before, after]| before.level < middle && after.level >= middle);
    let mut found: Vec<i64> = Vec::new();
    for [_, after] in rises {
        // Within a clap the level may come and go, as a tone does from wave to wave.
        if found.last().is_none_or(|last| after.at_us - last >= SAME_CLAP_US) {
            found.push(after.at_us);
        }
    }
    Some(found)
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Clap { seconds, offset_ms } in &self.claps {
            writeln!(f, "flash at {seconds:.3} s, beep {offset_ms:+.1} ms")?;
        }
        let Self { claps, median_ms, worst_ms } = self;
        writeln!(
            f,
            "{} claps: the beep is at {median_ms:+.1} ms by the median, {worst_ms:+.1} ms at worst",
            claps.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A level of nought but for 100 ms from each of `ons`, in milliseconds; one value each `step` ms, for four seconds.
    fn levels(step: usize, ons: &[i64]) -> Vec<Level> {
        let level = |ms: i64| f64::from(ons.iter().any(|on| (*on..on + 100).contains(&ms)));
        (0..4_000).step_by(step).map(|ms| Level { at_us: ms * 1_000, level: level(ms) }).collect()
    }

    #[test]
    fn each_flash_has_the_beep_that_is_nearest() {
        let report = compare(&levels(40, &[480, 1_480, 2_480]), &levels(1, &[470, 1_500, 2_483])).unwrap();
        insta::assert_snapshot!(report, @"
        flash at 0.480 s, beep -10.0 ms
        flash at 1.480 s, beep +20.0 ms
        flash at 2.480 s, beep +3.0 ms
        3 claps: the beep is at +3.0 ms by the median, +20.0 ms at worst
        ");
    }

    #[test]
    fn a_clap_that_began_before_the_media_or_has_no_other_half_does_not_count() {
        let report = compare(&levels(40, &[0, 1_480]), &levels(1, &[480, 1_480, 2_480])).unwrap();
        assert_eq!(report.claps, [Clap { seconds: 1.48, offset_ms: 0.0 }]);
        assert_eq!(
            compare(&levels(40, &[480]), &levels(1, &[2_480])).unwrap_err().to_string(),
            Error::NoClaps("flash with a beep near it").to_string()
        );
    }

    #[test]
    fn what_never_changes_is_no_clapper() {
        let error = compare(&levels(40, &[]), &levels(1, &[480])).unwrap_err();
        insta::assert_snapshot!(error, @"there is no flash in what was measured: the source has to flash and beep once a second, as in the example of `sync --help`");
        assert!(compare(&[], &[]).is_err());
    }
}
