//! A scoreboard alphabet: letters are strokes on a small grid, drawn at any size.

use std::collections::BTreeMap;

use super::mask::pixels;
use super::{Colour, Mask, Picture};

/// Grid units from the top of a letter to its foot.
const GRID_HEIGHT: u8 = 6;
/// Thickness of a stroke and room between two letters, in grid units.
const STROKE: f32 = 0.86;
const SPACING: f32 = 1.9;
const SPACE: f32 = 2.0;

/// What can be written; anything else is left out.
const ALPHABET: &str = "0123456789:.ACEFHILMNOPRSTUX";

type Point = (u8, u8);

/// The alphabet drawn at one size, ready to paint.
pub struct Lettering {
    glyphs: BTreeMap<char, Mask>,
    unit: f32,
    height: usize,
}

impl Lettering {
    /// Letters whose strokes fill `height` pixels.
    pub fn new(height: usize) -> Self {
        let unit = pixels(height) / (f32::from(GRID_HEIGHT) + STROKE);
        let glyphs = ALPHABET.chars().map(|letter| (letter, drawn(letter, unit, height))).collect();
        Self { glyphs, unit, height }
    }

    /// Height of the letters in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width of `text` in pixels.
    pub fn width(&self, text: &str) -> usize {
        let all: f32 = text.chars().map(|letter| self.advance(letter)).sum();
        to_pixels(all - (SPACING - STROKE) * self.unit)
    }

    /// Writes `text` with its top left at (`left`, `top`).
    pub fn write(&self, picture: &mut Picture, left: usize, top: usize, text: &str, colour: Colour) {
        let mut x = pixels(left);
        for letter in text.chars() {
            if let Some(mask) = self.glyphs.get(&letter) {
                picture.paint(to_pixels(x), top, mask, colour);
            }
            x += self.advance(letter);
        }
    }

    fn advance(&self, letter: char) -> f32 {
        match letter {
            ' ' => (SPACE + SPACING) * self.unit,
            letter => (f32::from(strokes(letter).0) + SPACING) * self.unit,
        }
    }
}

fn drawn(letter: char, unit: f32, height: usize) -> Mask {
    let (width, lines) = strokes(letter);
    let radius = STROKE * unit / 2.0;
    let on_paper = |(x, y): Point| (f32::from(x) * unit + radius, f32::from(y) * unit + radius);
    let segments: Vec<_> = lines
        .iter()
        .flat_map(|line| line.iter().zip(line.iter().skip(1)))
        .map(|(&a, &b)| (on_paper(a), on_paper(b)))
        .collect();
    Mask::from_distance(to_pixels((f32::from(width) + STROKE) * unit), height, |x, y| {
        segments.iter().map(|&(a, b)| distance_to_segment((x, y), a, b)).fold(f32::INFINITY, f32::min) - radius
    })
}

fn distance_to_segment((x, y): (f32, f32), (ax, ay): (f32, f32), (bx, by): (f32, f32)) -> f32 {
    let (dx, dy) = (bx - ax, by - ay);
    let length_squared = dx * dx + dy * dy;
    let along =
        if length_squared > 0.0 { (((x - ax) * dx + (y - ay) * dy) / length_squared).clamp(0.0, 1.0) } else { 0.0 };
    (x - ax - along * dx).hypot(y - ay - along * dy)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a length in pixels is small and not negative"
)]
fn to_pixels(length: f32) -> usize {
    length.round() as usize
}

/// Width in grid units and the lines of a letter. All digits are equally wide, so that a running clock does not wobble.
#[rustfmt::skip]
fn strokes(letter: char) -> (u8, &'static [&'static [Point]]) {
    match letter {
        '0' | 'O' => (4, &[&[(1, 0), (3, 0), (4, 1), (4, 5), (3, 6), (1, 6), (0, 5), (0, 1), (1, 0)]]),
        '1' => (4, &[&[(1, 1), (2, 0), (2, 6)], &[(1, 6), (3, 6)]]),
        '2' => (4, &[&[(0, 1), (1, 0), (3, 0), (4, 1), (4, 2), (0, 6), (4, 6)]]),
        '3' => (4, &[&[(0, 1), (1, 0), (3, 0), (4, 1), (4, 2), (3, 3), (1, 3)], &[(3, 3), (4, 4), (4, 5), (3, 6), (1, 6), (0, 5)]]),
        '4' => (4, &[&[(3, 6), (3, 0), (0, 4), (4, 4)]]),
        '5' => (4, &[&[(4, 0), (0, 0), (0, 2), (3, 2), (4, 3), (4, 5), (3, 6), (1, 6), (0, 5)]]),
        '6' => (4, &[&[(4, 1), (3, 0), (1, 0), (0, 1), (0, 5), (1, 6), (3, 6), (4, 5), (4, 4), (3, 3), (0, 3)]]),
        '7' => (4, &[&[(0, 0), (4, 0), (1, 6)]]),
        '8' => (4, &[&[(1, 3), (0, 2), (0, 1), (1, 0), (3, 0), (4, 1), (4, 2), (3, 3), (1, 3), (0, 4), (0, 5), (1, 6), (3, 6), (4, 5), (4, 4), (3, 3)]]),
        '9' => (4, &[&[(0, 5), (1, 6), (3, 6), (4, 5), (4, 1), (3, 0), (1, 0), (0, 1), (0, 2), (1, 3), (4, 3)]]),
        ':' => (0, &[&[(0, 2), (0, 2)], &[(0, 5), (0, 5)]]),
        '.' => (0, &[&[(0, 6), (0, 6)]]),
        'A' => (4, &[&[(0, 6), (0, 1), (1, 0), (3, 0), (4, 1), (4, 6)], &[(0, 3), (4, 3)]]),
        'C' => (4, &[&[(4, 1), (3, 0), (1, 0), (0, 1), (0, 5), (1, 6), (3, 6), (4, 5)]]),
        'E' => (4, &[&[(4, 0), (0, 0), (0, 6), (4, 6)], &[(0, 3), (3, 3)]]),
        'F' => (4, &[&[(4, 0), (0, 0), (0, 6)], &[(0, 3), (3, 3)]]),
        'H' => (4, &[&[(0, 0), (0, 6)], &[(4, 0), (4, 6)], &[(0, 3), (4, 3)]]),
        'I' => (0, &[&[(0, 0), (0, 6)]]),
        'L' => (4, &[&[(0, 0), (0, 6), (4, 6)]]),
        'M' => (4, &[&[(0, 6), (0, 0), (2, 3), (4, 0), (4, 6)]]),
        'N' => (4, &[&[(0, 6), (0, 0), (4, 6), (4, 0)]]),
        'P' => (4, &[&[(0, 6), (0, 0), (3, 0), (4, 1), (4, 2), (3, 3), (0, 3)]]),
        'R' => (4, &[&[(0, 6), (0, 0), (3, 0), (4, 1), (4, 2), (3, 3), (0, 3)], &[(2, 3), (4, 6)]]),
        'S' => (4, &[&[(4, 1), (3, 0), (1, 0), (0, 1), (0, 2), (1, 3), (3, 3), (4, 4), (4, 5), (3, 6), (1, 6), (0, 5)]]),
        'T' => (4, &[&[(0, 0), (4, 0)], &[(2, 0), (2, 6)]]),
        'U' => (4, &[&[(0, 0), (0, 5), (1, 6), (3, 6), (4, 5), (4, 0)]]),
        'X' => (4, &[&[(0, 0), (4, 6)], &[(4, 0), (0, 6)]]),
        _ => (0, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_the_alphabet_leaves_ink_and_no_two_look_alike() {
        let lettering = Lettering::new(40);
        for (letter, mask) in &lettering.glyphs {
            assert!(mask.rows().flatten().any(|&coverage| coverage == 255), "{letter} is blank");
            let twins: Vec<_> =
                lettering.glyphs.iter().filter(|(_, other)| *other == mask).map(|(other, _)| other).collect();
            assert!(twins.len() == 1 || twins == [&'0', &'O'], "{twins:?}");
        }
    }

    #[test]
    fn digits_are_equally_wide_and_text_is_as_wide_as_it_is_measured() {
        let lettering = Lettering::new(70);
        let widths: Vec<_> = ('0'..='9').map(|digit| lettering.width(&format!("{digit}{digit}"))).collect();
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{widths:?}");

        let (white, black) = (Colour::rgb(255, 255, 255), Colour::rgb(0, 0, 0));
        let mut picture = Picture::new(600, 100, black);
        lettering.write(&mut picture, 0, 0, "10:59.X", white);
        let last_inked = (0..600)
            .rev()
            .find(|&x| picture.luma.mean(crate::picture::Rect { left: x, top: 0, right: x + 1, bottom: 100 }) > 16);
        let measured = lettering.width("10:59.X");
        assert!(measured.abs_diff(last_inked.unwrap() + 1) <= 2, "{measured} against {last_inked:?}");
    }
}
