//! From a publisher's clock to a regular, monotone timeline.
//!
//! Protocols count time in clocks that wrap and round: RTMP in milliseconds, so that 30 frames/s arrive as 33, 33, 34.
//! [`Unwrap`] undoes the wrap, [`Grid`] the rounding.

use crate::{FrameRate, MediaTime, Timescale};

/// How a protocol counts time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Ticks per second.
    pub timescale: Timescale,
    /// The clock repeats after two to the power of this many ticks; at most 62.
    pub bits: u32,
}

impl Clock {
    /// RTMP: milliseconds in 32 bits (RTMP 1.0, 5.3.1.1). Some encoders mask them at 31 bits; reading all of them modulo
    /// two to the 31 serves both.
    pub const RTMP: Self = Self { timescale: Timescale::MILLIS, bits: 31 };

    /// MPEG-TS: 90 kHz in 33 bits (ISO/IEC 13818-1 2.4.3.7).
    pub const MPEG: Self = Self { timescale: Timescale::NINETY_KHZ, bits: 33 };
}

/// Undoes the wrap of a clock: each reading is taken for the one nearest to the reading before.
#[derive(Debug, Clone)]
pub struct Unwrap {
    clock: Clock,
    last: i64,
}

impl Unwrap {
    /// For readings of `clock`, the first of which is taken for the one nearest to `origin`.
    pub fn new(clock: Clock, origin: MediaTime) -> Self {
        Self { clock, last: origin.rescale(clock.timescale).ticks() }
    }

    /// The next reading, in ticks that may have wrapped, as time that has not.
    pub fn read(&mut self, ticks: i64) -> MediaTime {
        self.last = self.last.saturating_add(self.step(self.last, ticks));
        MediaTime::new(self.last, self.clock.timescale)
    }

    /// The shortest way round from one reading to the next.
    fn step(&self, from: i64, to: i64) -> i64 {
        let period = 1_i64 << self.clock.bits.min(62);
        let forward = to.wrapping_sub(from).rem_euclid(period);
        if forward >= period / 2 { forward - period } else { forward }
    }
}

/// Puts the samples of a track with a constant frame rate back onto its grid.
///
/// A time within half a frame of where the grid expects it is where the grid expects it. One further off (frames were
/// dropped, the source stalled or runs at another rate than it says) moves the grid. Decode times never repeat or go
/// back.
#[derive(Debug, Clone)]
pub struct Grid {
    timescale: Timescale,
    frame: i64,
    /// Times that lie this near to a whole number of frames are meant to be there.
    rounding: i64,
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    dts: i64,
    /// A point of the grid.
    anchor: i64,
}

impl Grid {
    /// A grid of `frame_ticks` of `timescale` for times that were rounded to ticks of `source`.
    pub fn new(timescale: Timescale, frame_ticks: u32, source: Timescale) -> Self {
        let rounding = MediaTime::new(2, source).rescale(timescale).ticks();
        Self { timescale, frame: i64::from(frame_ticks).max(1), rounding: rounding.max(1), last: None }
    }

    /// A grid at a frame rate, in the timescale in which its frames are whole ticks.
    pub fn at_rate(rate: FrameRate, source: Timescale) -> Self {
        Self::new(rate.timescale(), rate.frame_ticks(), source)
    }

    /// The timescale of the times it gives.
    pub fn timescale(&self) -> Timescale {
        self.timescale
    }

    /// Forgets where the samples before lay.
    pub fn restart(&mut self) {
        self.last = None;
    }

    /// Decode and presentation time of the next sample, observed at `dts` and presented `offset` later.
    pub fn place(&mut self, dts: MediaTime, offset: MediaTime) -> (MediaTime, MediaTime) {
        let observed = dts.rescale(self.timescale).ticks();
        let offset = offset.rescale(self.timescale).ticks();
        let last = match self.last {
            None => Last { dts: observed, anchor: observed },
            Some(last) => self.after(last, observed),
        };
        self.last = Some(last);
        let pts = if last.dts == last.anchor {
            last.dts + self.whole_frames(offset).unwrap_or(offset)
        } else {
            // Encoders that clamp the first decode times still have every picture on the grid.
            let pts = observed + offset - last.anchor;
            last.anchor + self.whole_frames(pts).unwrap_or(pts)
        };
        (MediaTime::new(last.dts, self.timescale), MediaTime::new(pts, self.timescale))
    }

    fn after(&self, last: Last, observed: i64) -> Last {
        let frames = (last.dts + self.frame / 2 - last.anchor).div_euclid(self.frame) + 1;
        let expected = last.anchor + frames * self.frame;
        let error = observed - expected;
        if error.abs() <= self.frame / 2 {
            Last { dts: expected, anchor: expected }
        } else if observed > last.dts {
            let dts = self.whole_frames(error).map_or(observed, |skipped| expected + skipped);
            Last { dts: dts.max(last.dts + 1), anchor: dts }
        } else {
            Last { dts: last.dts + (self.frame / 4).max(1), anchor: last.anchor }
        }
    }

    fn whole_frames(&self, ticks: i64) -> Option<i64> {
        let off = (ticks + self.frame / 2).rem_euclid(self.frame) - self.frame / 2;
        (off.abs() <= self.rounding).then_some(ticks - off)
    }
}

/// The times of a track without a grid, in a timescale of its own: as observed, but never repeating or going back.
#[derive(Debug, Clone)]
pub struct Monotone {
    timescale: Timescale,
    last: Option<i64>,
}

impl Monotone {
    /// Times are given in `timescale`.
    pub fn new(timescale: Timescale) -> Self {
        Self { timescale, last: None }
    }

    /// The timescale of the times it gives.
    pub fn timescale(&self) -> Timescale {
        self.timescale
    }

    /// Forgets where the samples before lay.
    pub fn restart(&mut self) {
        self.last = None;
    }

    /// The decode time of the next sample, observed at `time`.
    pub fn place(&mut self, time: MediaTime) -> MediaTime {
        let observed = time.rescale(self.timescale).ticks();
        let placed = self.last.map_or(observed, |last| observed.max(last + 1));
        self.last = Some(placed);
        MediaTime::new(placed, self.timescale)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(ticks: i64) -> MediaTime {
        MediaTime::new(ticks, Timescale::MILLIS)
    }

    fn grid(rate: f64) -> Grid {
        Grid::at_rate(FrameRate::from_f64(rate).unwrap(), Timescale::MILLIS)
    }

    fn place(grid: &mut Grid, times: &[i64]) -> Vec<i64> {
        times.iter().map(|&time| grid.place(ms(time), ms(0)).0.ticks()).collect()
    }

    #[test]
    fn a_clock_goes_on_when_it_wraps_at_32_or_at_31_bits() {
        for top in [1_i64 << 32, 1 << 31] {
            let mut unwrap = Unwrap::new(Clock::RTMP, ms(top - 73));
            let times: Vec<i64> = [top - 40, top - 7, 26, 60, 20].into_iter().map(|t| unwrap.read(t).ticks()).collect();
            assert_eq!(times, [top - 40, top - 7, top + 26, top + 60, top + 20]);
        }
    }

    #[test]
    fn milliseconds_become_whole_frames() {
        assert_eq!(place(&mut grid(30.0), &[0, 33, 67, 100, 133]), [0, 1_000, 2_000, 3_000, 4_000]);
        assert_eq!(place(&mut grid(29.97), &[0, 33, 67, 100, 133]), [0, 1_001, 2_002, 3_003, 4_004]);
    }

    #[test]
    fn jitter_within_half_a_frame_is_smoothed() {
        assert_eq!(place(&mut grid(25.0), &[0, 52, 69, 131, 160]), [0, 1_000, 2_000, 3_000, 4_000]);
    }

    #[test]
    fn dropped_frames_leave_whole_frames_missing() {
        assert_eq!(place(&mut grid(30.0), &[0, 33, 133, 167]), [0, 1_000, 4_000, 5_000]);
    }

    #[test]
    fn a_source_that_is_faster_than_it_says_is_followed() {
        // 30 frames/s declared, 33.3 sent: the timeline stays within a frame of the source.
        let mut grid = grid(30.0);
        for n in 0..1_000 {
            let placed = grid.place(ms(n * 30), ms(0)).0.as_secs_f64();
            let observed = ms(n * 30).as_secs_f64();
            assert!((placed - observed).abs() <= 0.034, "frame {n}: {placed} for {observed}");
        }
    }

    #[test]
    fn composition_offsets_become_whole_frames() {
        let mut grid = grid(29.97);
        let mut pts = |dts, offset| grid.place(ms(dts), ms(offset)).1.ticks();
        assert_eq!([pts(0, 67), pts(33, 0), pts(67, -33), pts(100, 50)], [2_002, 1_001, 1_001, 4_503]);
    }

    #[test]
    fn decode_times_that_an_encoder_clamps_leave_the_pictures_on_the_grid() {
        // A GStreamer publisher with B-frames cannot send decode times below zero.
        let mut grid = grid(30.0);
        let mut place = |dts, offset| {
            let (dts, pts) = grid.place(ms(dts), ms(offset));
            (dts.ticks(), pts.ticks())
        };
        let placed = [place(0, 0), place(0, 133), place(0, 67), place(33, 0), place(67, 33)];
        assert_eq!(placed, [(0, 0), (250, 4_000), (500, 2_000), (1_000, 1_000), (2_000, 3_000)]);
    }

    proptest! {
        #[test]
        fn any_timestamps_give_times_that_only_rise(
            steps in prop::collection::vec(-200_i64..400, 1..200),
            rate in 10.0..120.0_f64,
        ) {
            let (mut grid, mut monotone) = (grid(rate), Monotone::new(Timescale::NINETY_KHZ));
            let mut time = 0;
            let mut last = None;
            for step in steps {
                time += step;
                let placed = (grid.place(ms(time), ms(0)).0, monotone.place(ms(time)));
                prop_assert!(last.is_none_or(|(g, m)| g < placed.0 && m < placed.1));
                last = Some(placed);
            }
        }
    }
}
