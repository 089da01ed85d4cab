//! The machine-readable frame clock: the time a frame was drawn, written into its picture.
//!
//! It survives encoding and scaling (240p at 200 kb/s was measured), so whoever sees the picture can tell how old it is.
//!
//! # Layout
//!
//! 64 cells in the top left of the picture, 2 rows of [`COLUMNS`] = 32. A cell is 1/64 of the picture's width and 1/36 of its
//! height: 20x20 pixels at 1280x720. Luma [`BLACK`] = 0, [`WHITE`] = 1, chroma neutral. Cells are read row by row, left to
//! right, and hold one 64-bit codeword, most significant bit first:
//!
//! | bits (cells) | content |
//! |---|---|
//! | 0-39  | Unix time in milliseconds, modulo 2^40 (34.8 years) |
//! | 40-47 | sequence number of the frame, modulo 256 |
//! | 48-63 | CRC-16 of the six bytes before, big-endian: polynomial 0x1021, initial value 0xffff, not reflected, no final XOR |
//!
//! The CRC is CRC-16/IBM-3740, better known as CCITT-FALSE: `"123456789"` gives 0x29b1. An all-black and an all-white
//! picture both fail it.

use crate::picture::{Plane, Rect};

/// Cells in a row.
pub const COLUMNS: usize = 32;
/// Rows of cells.
pub const ROWS: usize = 2;
/// Cells of this width would fill the picture from left to right.
pub const CELLS_ACROSS: usize = 64;
/// Cells of this height would fill the picture from top to bottom.
pub const CELLS_DOWN: usize = 36;
/// Luma of a 0, the black of video range.
pub const BLACK: u8 = 16;
/// Luma of a 1, the white of video range.
pub const WHITE: u8 = 235;

const TIME_BITS: u32 = 40;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// What the clock of one frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Unix time in milliseconds, modulo 2^40.
    unix_ms: u64,
    /// Frame number, modulo 256.
    pub sequence: u8,
}

impl Stamp {
    /// The stamp of a frame drawn at `unix_ms`.
    pub fn new(unix_ms: u64, sequence: u8) -> Self {
        Self { unix_ms: unix_ms & TIME_MASK, sequence }
    }

    /// The full Unix time in milliseconds: the one nearest to `reference_ms`, the reader's own clock.
    pub fn unix_ms_near(self, reference_ms: u64) -> u64 {
        let half = 1 << (TIME_BITS - 1);
        let ahead = self.unix_ms.wrapping_sub(reference_ms) & TIME_MASK;
        if ahead < half { reference_ms.wrapping_add(ahead) } else { reference_ms.wrapping_sub(TIME_MASK + 1 - ahead) }
    }

    /// The 64 bits that the cells show.
    pub fn codeword(self) -> u64 {
        let payload = self.unix_ms << 8 | u64::from(self.sequence);
        payload << 16 | u64::from(crc16(payload))
    }

    /// Reads 64 bits back; `None` when the CRC does not match.
    pub fn from_codeword(codeword: u64) -> Option<Self> {
        let payload = codeword >> 16;
        let [_, _, _, _, _, _, high, low] = codeword.to_be_bytes();
        let [.., sequence] = payload.to_be_bytes();
        (crc16(payload) == u16::from_be_bytes([high, low])).then(|| Self::new(payload >> 8, sequence))
    }
}

/// Draws the clock into the top left of a luma plane.
pub fn encode(luma: &mut Plane, stamp: Stamp) {
    let codeword = stamp.codeword();
    for (bit, cell) in cells(luma.width(), luma.height()).enumerate() {
        let value = if codeword << bit >> 63 == 1 { WHITE } else { BLACK };
        luma.fill(cell, value);
    }
}

/// Reads the clock from a luma plane of any size; `None` when there is none or it is damaged.
///
/// Each bit is the mean of its cell's inner half against mid-grey, so that blur at the edges does not matter.
pub fn decode(luma: &Plane) -> Option<Stamp> {
    let threshold = u8::midpoint(BLACK, WHITE);
    let codeword = cells(luma.width(), luma.height())
        .fold(0, |word, cell| word << 1 | u64::from(luma.mean(cell.inner_half()) > threshold));
    Stamp::from_codeword(codeword)
}

/// The part of a picture of this size that the cells cover.
pub fn area(width: usize, height: usize) -> Rect {
    Rect { left: 0, top: 0, right: COLUMNS * width / CELLS_ACROSS, bottom: ROWS * height / CELLS_DOWN }
}

/// The 64 cells in reading order, for a picture of this size.
fn cells(width: usize, height: usize) -> impl Iterator<Item = Rect> {
    let x = move |column: usize| column * width / CELLS_ACROSS;
    let y = move |row: usize| row * height / CELLS_DOWN;
    (0..ROWS * COLUMNS).map(move |cell| {
        let (row, column) = (cell / COLUMNS, cell % COLUMNS);
        Rect { left: x(column), top: y(row), right: x(column + 1), bottom: y(row + 1) }
    })
}

/// CRC-16/IBM-3740 of the low six bytes.
fn crc16(payload: u64) -> u16 {
    let [_, _, bytes @ ..] = payload.to_be_bytes();
    bytes.into_iter().fold(0xffff, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grey(width: usize, height: usize) -> Plane {
        Plane::new(width, height, 110)
    }

    fn stamped(width: usize, height: usize, stamp: Stamp) -> Plane {
        let mut plane = grey(width, height);
        encode(&mut plane, stamp);
        plane
    }

    /// The part with the clock, scaled to the nearest pixel after a box blur: what a low rung of a ladder does to it, but worse.
    fn degraded(source: &Plane, width: usize, height: usize, noise: &mut impl FnMut() -> i16) -> Plane {
        const BLUR: usize = 5;
        let mut out = grey(width, height);
        for y in 0..height * ROWS / CELLS_DOWN {
            for x in 0..width * COLUMNS / CELLS_ACROSS {
                let (cx, cy) = (x * source.width() / width, y * source.height() / height);
                let (left, top) = (cx.saturating_sub(BLUR), cy.saturating_sub(BLUR));
                let around = Rect { left, top, right: cx + BLUR + 1, bottom: cy + BLUR + 1 };
                let value = (i16::from(source.mean(around)) + noise()).clamp(0, 255);
                let pixel = Rect { left: x, top: y, right: x + 1, bottom: y + 1 };
                out.fill(pixel, value.try_into().unwrap());
            }
        }
        out
    }

    /// The page's decoder in web/e2e reads the same file, so that the two agree on every bit.
    #[test]
    fn codewords_match_the_vectors_shared_with_the_page() {
        let vectors = include_str!("../frame_clock_vectors.txt");
        let mut checked = 0;
        for line in vectors.lines().filter(|line| !line.starts_with('#')) {
            let [unix_ms, sequence, codeword] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let stamp = Stamp::new(unix_ms.parse().unwrap(), sequence.parse().unwrap());
            let codeword = u64::from_str_radix(codeword, 16).unwrap();
            assert_eq!(format!("{:016x}", stamp.codeword()), format!("{codeword:016x}"), "{line}");
            assert_eq!(Stamp::from_codeword(codeword), Some(stamp));
            checked += 1;
        }
        assert_eq!(checked, 5);
    }

    #[test]
    fn crc_is_the_published_one() {
        // CRC-16/IBM-3740 of six bytes "123456".
        assert_eq!(crc16(0x3132_3334_3536), 0x2ef4);
    }

    #[test]
    fn a_picture_without_a_clock_reads_as_none() {
        for value in [0, BLACK, 110, WHITE, 255] {
            assert_eq!(decode(&Plane::new(640, 360, value)), None);
        }
        assert_eq!(decode(&grey(8, 8)), None);
    }

    #[test]
    fn cells_are_twenty_pixels_at_720p() {
        let cells: Vec<_> = cells(1280, 720).collect();
        assert_eq!(cells.len(), 64);
        assert_eq!(cells[0], Rect { left: 0, top: 0, right: 20, bottom: 20 });
        assert_eq!(cells[63], Rect { left: 620, top: 20, right: 640, bottom: 40 });
    }

    #[test]
    fn the_full_time_is_the_one_nearest_to_the_reader() {
        let wrap = 1_u64 << TIME_BITS;
        for (drawn, reader) in [(wrap + 5, wrap + 900), (2 * wrap - 1, 2 * wrap + 700), (2 * wrap + 3, 2 * wrap - 4)] {
            assert_eq!(Stamp::new(drawn, 0).unix_ms_near(reader), drawn);
        }
    }

    proptest! {
        // Each case reads a picture pixel by pixel.
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_drawn_is_read_back(unix_ms: u64, sequence: u8, width in 320_usize..2000, height in 180_usize..1100) {
            let stamp = Stamp::new(unix_ms, sequence);
            prop_assert_eq!(decode(&stamped(width, height, stamp)), Some(stamp));
        }

        #[test]
        fn survives_scaling_blur_and_noise(unix_ms: u64, sequence: u8, height in 216_usize..720, mut seed in 1_u32..) {
            let stamp = Stamp::new(unix_ms, sequence);
            let mut noise = || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                i16::try_from(seed >> 24).unwrap() / 3 - 42
            };
            let seen = degraded(&stamped(1280, 720, stamp), height * 16 / 9, height, &mut noise);
            prop_assert_eq!(decode(&seen), Some(stamp));
        }
    }

    proptest! {
        #[test]
        fn up_to_three_wrong_bits_never_pass(unix_ms: u64, sequence: u8, bits in prop::collection::btree_set(0_u32..64, 1..=3)) {
            let damaged = bits.iter().fold(Stamp::new(unix_ms, sequence).codeword(), |word, bit| word ^ 1 << bit);
            prop_assert_eq!(Stamp::from_codeword(damaged), None);
        }

        #[test]
        fn a_burst_of_up_to_sixteen_wrong_bits_never_passes(unix_ms: u64, sequence: u8, burst in 1_u64..0x1_0000, shift in 0_u32..48) {
            let damaged = Stamp::new(unix_ms, sequence).codeword() ^ burst << shift;
            prop_assert_eq!(Stamp::from_codeword(damaged), None);
        }
    }
}
