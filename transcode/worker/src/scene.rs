//! Pictures that are as hard to encode as sport: detail everywhere, moving this way and that, with a camera's noise.

/// Width of the pictures in pixels.
pub(crate) const WIDTH: usize = 1_280;
/// Height of the pictures in pixels.
pub(crate) const HEIGHT: usize = 720;
/// The pattern repeats after so many pixels, a power of two.
const PATTERN: usize = 1_024;
/// Pixels from one side to the other of the areas that move on their own.
const AREA: usize = 160;
/// How strong the noise is, of 255.
const NOISE: u32 = 6;

/// Draws picture after picture.
pub(crate) struct Scene {
    pattern: Vec<u8>,
    random: Random,
    time: usize,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let mut random = Random(1);
        let octaves: Vec<Vec<u8>> = OCTAVES.iter().map(|(cell, _)| random.bytes((PATTERN / cell).pow(2))).collect();
        let pixel = |at: usize| {
            let (x, y) = (at % PATTERN, at / PATTERN);
            let sum = OCTAVES.iter().zip(&octaves).map(|((cell, weight), octave)| weight * smooth(octave, *cell, x, y));
            u8::try_from(sum.sum::<usize>() / OCTAVES.iter().map(|(_, weight)| weight).sum::<usize>())
                .unwrap_or(u8::MAX)
        };
        Self { pattern: (0..PATTERN * PATTERN).map(pixel).collect(), random, time: 0 }
    }

    /// The next picture, as I420.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let time = self.time;
        self.time += 1;
        let mut picture = Vec::with_capacity(WIDTH * HEIGHT * 3 / 2);
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                // Every third area goes its own way, the rest goes as the camera pans.
                let area = (x + 2 * time) / AREA + 5 * (y / AREA);
                let (dx, dy) =
                    if area.is_multiple_of(3) { (PATTERN * 8 - 3 * time, 2 * time) } else { (5 * time, time) };
                let at = (x + dx) % PATTERN + (y + dy) % PATTERN * PATTERN;
                let noise = u8::try_from(self.random.next() % NOISE).unwrap_or_default();
                picture.push(self.pattern.get(at).copied().unwrap_or_default().saturating_add(noise));
            }
        }
        for plane in [1, 2] {
            for at in 0..WIDTH * HEIGHT / 4 {
                let (x, y) = (at % (WIDTH / 2) + 3 * time, at / (WIDTH / 2) + plane * 100);
                let color = self.pattern.get(x % PATTERN + y % PATTERN * PATTERN).copied().unwrap_or_default();
                picture.push(96 + color / 4);
            }
        }
        picture
    }
}

/// Pixels from one random value to the next, and their weight: from coarse to fine, as in nature.
const OCTAVES: [(usize, usize); 5] = [(64, 8), (32, 5), (16, 4), (8, 2), (2, 1)];

/// Between four values of a grid.
fn smooth(octave: &[u8], cell: usize, x: usize, y: usize) -> usize {
    let side = PATTERN / cell;
    let value = |x: usize, y: usize| usize::from(octave.get(x % side + y % side * side).copied().unwrap_or_default());
    let (left, top) = (x / cell, y / cell);
    let (across, down) = (x % cell, y % cell);
    let row = |y: usize| value(left, y) * (cell - across) + value(left + 1, y) * across;
    (row(top) * (cell - down) + row(top + 1) * down) / (cell * cell)
}

/// The same numbers every time (Numerical Recipes' generator).
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 16
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| u8::try_from(self.next() & 0xff).unwrap_or_default()).collect()
    }
}
