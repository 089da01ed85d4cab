//! Decoded sound on an even timeline: blocks follow each other without a gap, and what never came is silence.

use crate::blocks::SAMPLES;

/// How far off a PTS may be before samples are put in or left out, in samples: clocks that count milliseconds are off by so
/// much, and the shortest that can be lost lasts 120 (RFC 6716 2.1.4).
const TOLERANCE: i64 = 96;
/// The longest that is filled, in samples at 48 kHz: 12 s, beyond what ingest takes for a gap. After more, blocks begin
/// anew.
const MAX_GAP: i64 = 12 * 48_000;

/// Cuts sound into blocks that begin at whole multiples of [`SAMPLES`] from a PTS of 0 on: another worker, given the same
/// sound later, cuts at the same places. PTS are in samples.
#[derive(Debug)]
pub(crate) struct Even {
    /// Bytes of one sample of all channels.
    sample_size: usize,
    /// Less than a block.
    rest: Vec<u8>,
    /// Where the rest ends, or is to begin.
    end: Option<i64>,
    /// Whether sound has come that is not before the first block.
    begun: bool,
}

impl Even {
    pub(crate) fn new(sample_size: usize) -> Self {
        Self { sample_size: sample_size.max(1), rest: Vec::new(), end: None, begun: false }
    }

    /// Takes what the decoder has made of a packet; gives whole blocks and the PTS of their first samples.
    pub(crate) fn cut(&mut self, pts: i64, sound: &[u8]) -> Vec<(i64, Vec<u8>)> {
        let end = self.meet(pts, sound);
        self.end = Some(end);
        let size = SAMPLES * self.sample_size;
        let rest = self.rest.split_off(self.rest.len() / size * size);
        let blocks = std::mem::replace(&mut self.rest, rest);
        let first = end - self.samples(&self.rest) - self.samples(&blocks);
        let starts = (0..).map(|nth| first + int(nth * SAMPLES));
        starts.zip(blocks.chunks_exact(size).map(<[u8]>::to_vec)).collect()
    }

    /// Appends sound where it belongs. Returns where it ends.
    fn meet(&mut self, pts: i64, sound: &[u8]) -> i64 {
        let goes_on = self.end.filter(|end| (pts - end).abs() <= MAX_GAP);
        let end = goes_on.unwrap_or_else(|| boundary(pts));
        if goes_on.is_none() {
            self.rest.clear();
            self.begun = false;
        }
        let (missing, doubled) = match pts - end {
            off if self.begun && off.abs() <= TOLERANCE => (0, 0),
            off => (bytes(off, self.sample_size), bytes(-off, self.sample_size)),
        };
        let before = self.rest.len();
        self.rest.resize(before + missing, 0);
        self.rest.extend_from_slice(sound.get(doubled..).unwrap_or_default());
        self.begun |= self.rest.len() > before;
        end + self.samples(self.rest.get(before..).unwrap_or_default())
    }

    fn samples(&self, sound: &[u8]) -> i64 {
        int(sound.len() / self.sample_size)
    }
}

/// Where the first block begins of what begins at `pts`.
fn boundary(pts: i64) -> i64 {
    let block = int(SAMPLES);
    (pts + block - 1).div_euclid(block) * block
}

/// The bytes of so many samples; none of fewer than none.
fn bytes(samples: i64, sample_size: usize) -> usize {
    usize::try_from(samples).unwrap_or(0) * sample_size
}

fn int(samples: usize) -> i64 {
    i64::try_from(samples).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Cuts sound whose every sample is its own time (modulo 251, and never 0), given as packets of a PTS and a duration.
    fn cut(packets: &[(i64, i64)]) -> Vec<(i64, Vec<u8>)> {
        let mut even = Even::new(1);
        let sound = |pts: i64, len: i64| (pts..pts + len).map(sample).collect::<Vec<u8>>();
        packets.iter().flat_map(|&(pts, len)| even.cut(pts, &sound(pts, len))).collect()
    }

    fn sample(time: i64) -> u8 {
        u8::try_from(time.rem_euclid(251)).unwrap() + 1
    }

    fn times(blocks: &[(i64, Vec<u8>)]) -> Vec<i64> {
        blocks.iter().map(|(pts, _)| *pts).collect()
    }

    /// Whether each sample is that of its time, or silence.
    fn is_in_time((pts, block): &(i64, Vec<u8>)) -> bool {
        (*pts..).zip(block).all(|(time, &heard)| heard == 0 || heard == sample(time))
    }

    fn silent(blocks: &[(i64, Vec<u8>)]) -> usize {
        blocks.iter().flat_map(|(_, block)| block).filter(|&&sample| sample == 0).count()
    }

    #[test]
    fn blocks_begin_at_whole_multiples_whatever_the_packets_are() {
        for len in [120, 240, 480, 960, 1_920, 2_880, 5_760] {
            for first in [-2_048, -5, 0, 1, 1_023, 1_024, 77_777] {
                let packets: Vec<_> = (0..6_000 / len + 2).map(|nth| (first + nth * len, len)).collect();
                let blocks = cut(&packets);
                let begins = (first + 1_023).div_euclid(1_024) * 1_024;
                assert_eq!(times(&blocks)[..5], [0, 1, 2, 3, 4].map(|nth| begins + nth * 1_024));
                assert!(blocks.iter().all(is_in_time) && silent(&blocks) == 0);
            }
        }
    }

    #[test]
    fn what_is_lost_is_silence_of_the_same_length() {
        let packets: Vec<_> =
            (0..100).filter(|nth| ![7, 40, 41, 42].contains(nth)).map(|nth| (nth * 960, 960)).collect();
        let blocks = cut(&packets);
        assert_eq!(times(&blocks), (0..93).map(|nth| nth * 1_024).collect::<Vec<_>>());
        assert!(blocks.iter().all(is_in_time));
        assert_eq!(silent(&blocks), 4 * 960);
    }

    #[test]
    fn seconds_without_a_packet_are_seconds_of_silence() {
        let blocks = cut(&[(0, 960), (480_000, 960), (480_960, 960)]);
        assert_eq!(times(&blocks), (0..470).map(|nth| nth * 1_024).collect::<Vec<_>>());
        assert!(blocks.iter().all(is_in_time));
    }

    #[test]
    fn after_a_longer_gap_blocks_begin_anew() {
        let blocks = cut(&[(0, 1_500), (1_000_000, 3_000)]);
        assert_eq!(times(&blocks), [0, 1_000_448, 1_001_472]);
        assert!(blocks.iter().all(is_in_time) && silent(&blocks) == 0);
    }

    #[test]
    fn what_comes_twice_is_taken_once() {
        let blocks = cut(&[(0, 960), (480, 960), (1_440, 960), (1_440, 960), (100, 960), (2_400, 960)]);
        assert_eq!(times(&blocks), [0, 1_024, 2_048]);
        assert!(blocks.iter().all(is_in_time) && silent(&blocks) == 0);
    }

    #[test]
    fn a_clock_of_milliseconds_costs_no_sample() {
        let packets: Vec<_> = (0..500_i64).map(|nth| ((nth * 20 + nth % 3 - 1) * 48, 960)).collect();
        let mut even = Even::new(1);
        let blocks: Vec<_> = packets.iter().flat_map(|&(pts, _)| even.cut(pts, &[1; 960])).collect();
        assert_eq!(silent(&blocks), 0);
        assert!(times(&blocks).windows(2).all(|pair| pair[1] - pair[0] == 1_024));
    }

    proptest! {
        #[test]
        fn blocks_have_no_gap_and_are_in_time_within_the_tolerance(
            steps in prop::collection::vec((-3_000_i64..9_000, 1_i64..5_760), 1..20),
            first in -100_000_i64..100_000,
        ) {
            let mut pts = first;
            let packets: Vec<_> = steps.iter().map(|&(step, len)| { pts += step; (pts, len) }).collect();
            let blocks = cut(&packets);
            prop_assert!(times(&blocks).windows(2).all(|pair| pair[1] - pair[0] == 1_024));
            prop_assert!(blocks.iter().all(|(pts, block)| pts % 1_024 == 0 && block.len() == 1_024));
            for (pts, block) in &blocks {
                for (time, &heard) in (*pts..).zip(block) {
                    let off = (i64::from(heard) - i64::from(sample(time))).rem_euclid(251);
                    prop_assert!(heard == 0 || off <= TOLERANCE || off >= 251 - TOLERANCE);
                }
            }
        }
    }
}
