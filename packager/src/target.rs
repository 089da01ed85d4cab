//! How long a part is: PART-TARGET for the presentation, and how each track's samples fill it.
//!
//! RFC 8216bis 4.4.4.9 wants every part between 85 % and 100 % of PART-TARGET, and 6.2.1 forbids it to change. So it is
//! a whole number of the first stretch's frames, rounded up to the millisecond that the playlist writes.

use std::time::Duration;

use touchline_media::{Kind, MediaTime, Timescale, Track};

/// The frame that a source of pictures without a constant grid is taken to have.
const NOMINAL_FRAME: Duration = Duration::from_nanos(1_000_000_000 / 30);

/// The same of sound: Opus may change the duration of its packets at any time, and 20 ms is the usual one.
const NOMINAL_PACKET: Duration = Duration::from_millis(20);

/// How much of PART-TARGET such a source's parts are meant to fill: the middle between 85 % and 100 %.
const NOMINAL_FILL_PERMILLE: u128 = 925;

/// RFC 8216bis 4.4.4.9: the least that a part fills of PART-TARGET.
const LEAST_FILL_PERCENT: i64 = 85;

/// PART-TARGET for a presentation whose parts are cut by `lead`: the frames nearest to `nominal`, in whole milliseconds.
pub(crate) fn part_target(lead: &Track, nominal: Duration) -> Duration {
    let (frame, permille) = match lead.frame_duration() {
        Some(frame) => (frame, 1_000),
        None => (nominal_frame(lead, Timescale::NINETY_KHZ), NOMINAL_FILL_PERMILLE),
    };
    let ticks = u128::from(frame.ticks().unsigned_abs()).max(1);
    let timescale = u128::from(frame.timescale().get());
    let per_part = nominal.as_nanos() * timescale;
    let frames = ((per_part + ticks * 500_000_000) / (ticks * 1_000_000_000)).max(1);
    let millis = (frames * ticks * 1_000_000).div_ceil(timescale * permille);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// How the samples of a track fill parts. In ticks of the track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Filling {
    /// How long a sample lasts; a guess without a constant grid.
    pub(crate) frame: i64,
    /// Whether the newest sample's duration is known before the next one comes.
    pub(crate) on_grid: bool,
    /// PART-TARGET, rounded down: the longest that a part without media is.
    pub(crate) target: i64,
    /// The longest that a part with media is.
    pub(crate) len: i64,
    /// What a part has to hold to be closed.
    pub(crate) full: i64,
    /// The shortest that a sample is made when the source gives it no time of its own.
    pub(crate) least: i64,
}

impl Filling {
    pub(crate) fn new(track: &Track, part_target: Duration) -> Self {
        let target = ticks_within(part_target, track.timescale);
        let enough = (target * LEAST_FILL_PERCENT + 99) / 100;
        let Some(frame) = track.frame_ticks.map(i64::from).filter(|&frame| frame > 0) else {
            let frame = nominal_frame(track, track.timescale).ticks().max(1);
            // Frames may come as fast as the clock of the source ticks, which is a millisecond in RTMP.
            let least = i64::from(track.timescale.get() / 1_000).max(1);
            return Self { frame, on_grid: false, target, len: target, full: enough, least };
        };
        let whole = (target / frame * frame).max(frame.min(target));
        // Pictures are shown at their PTS whatever their decode times, so a part may end in mid-frame where whole frames
        // would not fill it. Sound is heard for as long as it lasts.
        let len = if whole < enough && track.format.kind() == Kind::Video { target } else { whole };
        let full = (len - frame / 2).max(enough).min(len);
        Self { frame, on_grid: true, target, len, full, least: (frame / 4).max(1) }
    }

    /// Whether parts fill as much of PART-TARGET as they should.
    pub(crate) fn suffices(&self, part_target: Duration, timescale: Timescale) -> bool {
        self.full * 100 >= ticks_within(part_target, timescale) * LEAST_FILL_PERCENT
    }
}

/// What a sample of a track without a constant grid is taken to last.
fn nominal_frame(track: &Track, timescale: Timescale) -> MediaTime {
    let frame = match track.format.kind() {
        Kind::Video => NOMINAL_FRAME,
        Kind::Audio => NOMINAL_PACKET,
    };
    MediaTime::from_duration(frame, timescale)
}

/// The whole ticks in a span.
pub(crate) fn ticks_within(span: Duration, timescale: Timescale) -> i64 {
    i64::try_from(span.as_nanos() * u128::from(timescale.get()) / 1_000_000_000).unwrap_or(i64::MAX)
}
