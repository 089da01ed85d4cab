//! Shapes as coverage: how much of each pixel is inside.

use super::to_byte;

/// Coverage of each pixel, 0 outside to 255 inside, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    width: usize,
    coverage: Vec<u8>,
}

impl Mask {
    /// The shape given by its signed distance in pixels, negative inside, taken at the pixels' centres.
    ///
    /// The edge is a ramp one pixel wide, which is anti-aliasing enough for a test card.
    pub fn from_distance(width: usize, height: usize, distance: impl Fn(f32, f32) -> f32) -> Self {
        let coverage = (0..height)
            .flat_map(|y| (0..width).map(move |x| (centre(x), centre(y))))
            .map(|(x, y)| to_byte(255.0 * (0.5 - distance(x, y)).clamp(0.0, 1.0)))
            .collect();
        Self { width: width.max(1), coverage }
    }

    /// A filled circle of this diameter.
    pub fn disc(diameter: usize) -> Self {
        let radius = pixels(diameter) / 2.0;
        Self::from_distance(diameter, diameter, |x, y| (x - radius).hypot(y - radius) - radius + 0.5)
    }

    /// A circle of this outer diameter drawn with a line.
    pub fn ring(diameter: usize, line: f32) -> Self {
        let centre = pixels(diameter) / 2.0;
        let radius = centre - line / 2.0 - 0.5;
        Self::from_distance(diameter, diameter, |x, y| ((x - centre).hypot(y - centre) - radius).abs() - line / 2.0)
    }

    /// A filled rectangle with round corners.
    pub fn panel(width: usize, height: usize, radius: f32) -> Self {
        let (half_width, half_height) = (pixels(width) / 2.0, pixels(height) / 2.0);
        Self::from_distance(width, height, |x, y| {
            let (dx, dy) =
                ((x - half_width).abs() - half_width + radius, (y - half_height).abs() - half_height + radius);
            dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
        })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.coverage.len() / self.width
    }

    /// The coverage of each row, from the top.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.coverage.chunks_exact(self.width)
    }
}

fn centre(pixel: usize) -> f32 {
    pixels(pixel) + 0.5
}

/// A length in pixels as a number to reckon with.
pub(super) fn pixels(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(mask: &Mask) -> f32 {
        mask.rows().flatten().map(|&coverage| f32::from(coverage) / 255.0).sum()
    }

    #[test]
    fn shapes_cover_the_area_of_their_geometry() {
        let pi = std::f32::consts::PI;
        assert!((area(&Mask::disc(101)) - pi * 50.0 * 50.0).abs() < 10.0);
        assert!((area(&Mask::ring(201, 4.0)) - 2.0 * pi * 98.0 * 4.0).abs() < 20.0);
        assert!((area(&Mask::panel(100, 50, 10.0)) - (5000.0 - (4.0 - pi) * 100.0)).abs() < 10.0);
    }
}
