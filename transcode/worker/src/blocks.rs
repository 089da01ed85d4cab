//! Decoded sound, cut into what an access unit holds.

/// Samples in an access unit of AAC-LC, of each channel (ISO/IEC 14496-3 4.1).
pub(crate) const SAMPLES: usize = 1_024;

/// Cuts sound of one rate and form.
#[derive(Debug)]
pub(crate) struct Blocks {
    /// Bytes of one sample of all channels.
    sample_size: usize,
    /// Ticks per second of PTS.
    timescale: u32,
    /// Samples per second.
    rate: u32,
    /// Less than a block.
    rest: Vec<u8>,
    /// The PTS of the first sample of the rest.
    rest_pts: i64,
}

impl Blocks {
    pub(crate) fn new(sample_size: usize, timescale: u32, rate: u32) -> Self {
        Self { sample_size: sample_size.max(1), timescale, rate: rate.max(1), rest: Vec::new(), rest_pts: 0 }
    }

    /// Takes what the decoder has made of an access unit; gives whole blocks and the PTS of their first samples. As a rule
    /// that is one block, with the PTS of the access unit. A gap in time is none in samples: what follows it is not moved.
    pub(crate) fn cut(&mut self, pts: i64, sound: &[u8]) -> Vec<(i64, Vec<u8>)> {
        let held = self.rest.len() / self.sample_size;
        if held == 0 {
            self.rest_pts = pts;
        }
        self.rest.extend_from_slice(sound);
        let size = SAMPLES * self.sample_size;
        let whole = self.rest.len() / size;
        let rest = self.rest.split_off(whole * size);
        let blocks = std::mem::replace(&mut self.rest, rest);
        // Only the first block can have begun before `pts`.
        let starts = |nth: usize| if nth == 0 { self.rest_pts } else { pts + self.ticks(nth * SAMPLES - held) };
        let blocks = blocks.chunks_exact(size).enumerate().map(|(nth, block)| (starts(nth), block.to_vec())).collect();
        self.rest_pts = starts(whole);
        blocks
    }

    fn ticks(&self, samples: usize) -> i64 {
        let ticks = samples as u64 * u64::from(self.timescale) / u64::from(self.rate);
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts access units of so many samples; tells the PTS of the blocks, and whether all samples came back in order.
    fn cut(timescale: u32, rate: u32, units: &[(i64, usize)]) -> Vec<i64> {
        let mut blocks = Blocks::new(2, timescale, rate);
        let mut fed = 0..;
        let mut seen = Vec::new();
        let mut pts = Vec::new();
        for (at, samples) in units {
            let sound: Vec<u8> = fed.by_ref().take(*samples).flat_map(u16::to_le_bytes).collect();
            for (at, block) in blocks.cut(*at, &sound) {
                assert_eq!(block.len(), 2 * SAMPLES);
                seen.extend(block);
                pts.push(at);
            }
        }
        let all: Vec<u8> = (0..).flat_map(u16::to_le_bytes).take(seen.len()).collect();
        assert_eq!(seen, all);
        pts
    }

    #[test]
    fn an_access_unit_of_aac_lc_is_a_block_whatever_its_pts() {
        let units = [(7, 1_024), (1_030, 1_024), (9_999, 1_024)];
        assert_eq!(cut(48_000, 48_000, &units), [7, 1_030, 9_999]);
    }

    #[test]
    fn an_access_unit_of_he_aac_is_two_blocks() {
        assert_eq!(cut(24_000, 48_000, &[(0, 2_048), (1_024, 2_048)]), [0, 512, 1_024, 1_536]);
        assert_eq!(cut(48_000, 48_000, &[(0, 2_048), (2_048, 2_048)]), [0, 1_024, 2_048, 3_072]);
    }

    #[test]
    fn other_lengths_are_cut_where_blocks_begin() {
        let units: Vec<(i64, usize)> = (0..5).map(|unit| (unit * 960, 960)).collect();
        assert_eq!(cut(48_000, 48_000, &units), [0, 1_024, 2_048, 3_072]);
    }
}
