//! Pictures in I420 with video range BT.709 colours, and the little that is needed to draw a test card into them.

mod lettering;
mod mask;

pub use lettering::Lettering;
pub use mask::Mask;

/// A rectangle of pixels; `right` and `bottom` are outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Column after the last.
    pub right: usize,
    /// Row after the last.
    pub bottom: usize,
}

impl Rect {
    /// The rectangle with a quarter cut off on each side.
    #[must_use]
    pub fn inner_half(self) -> Self {
        let (x, y) = ((self.right - self.left) / 4, (self.bottom - self.top) / 4);
        Self { left: self.left + x, top: self.top + y, right: self.right - x, bottom: self.bottom - y }
    }

    /// The same area in a plane of half the width and height.
    fn halved(self) -> Self {
        Self { left: self.left / 2, top: self.top / 2, right: self.right.div_ceil(2), bottom: self.bottom.div_ceil(2) }
    }
}

/// A colour in video range: luma 16-235, chroma 16-240 around 128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    y: u8,
    u: u8,
    v: u8,
}

impl Colour {
    /// Converts full range RGB by the BT.709 matrix.
    pub fn rgb(red: u8, green: u8, blue: u8) -> Self {
        let (r, g, b) = (f32::from(red) / 255.0, f32::from(green) / 255.0, f32::from(blue) / 255.0);
        let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        Self {
            y: to_byte(16.0 + 219.0 * y),
            u: to_byte(128.0 + 224.0 * (b - y) / 1.8556),
            v: to_byte(128.0 + 224.0 * (r - y) / 1.5748),
        }
    }
}

/// One plane of bytes, row by row without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Plane {
    /// A plane filled with `value`.
    pub fn new(width: usize, height: usize, value: u8) -> Self {
        Self { width, height, bytes: vec![value; width * height] }
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All bytes, row by row.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Sets the part of `area` that lies inside the plane.
    pub fn fill(&mut self, area: Rect, value: u8) {
        for row in self.rows_mut(area) {
            row.fill(value);
        }
    }

    /// The mean of `area`, 0 when nothing of it lies inside the plane.
    pub fn mean(&self, area: Rect) -> u8 {
        let rows = self.bytes.chunks_exact(self.width.max(1)).take(area.bottom).skip(area.top);
        let (sum, count) = rows
            .filter_map(|row| row.get(area.left..area.right.min(self.width)))
            .fold((0_usize, 0), |(sum, count), row| {
                (sum + row.iter().map(|&y| usize::from(y)).sum::<usize>(), count + row.len())
            });
        u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX)
    }

    fn rows_mut(&mut self, area: Rect) -> impl Iterator<Item = &mut [u8]> {
        let width = self.width;
        let rows = self.bytes.chunks_exact_mut(width.max(1)).take(area.bottom).skip(area.top);
        rows.filter_map(move |row| row.get_mut(area.left..area.right.min(width)))
    }
}

/// A picture in I420: luma, and chroma at half the width and height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Luma.
    pub luma: Plane,
    u: Plane,
    v: Plane,
}

impl Picture {
    /// A picture of one colour; width and height have to be even.
    pub fn new(width: usize, height: usize, colour: Colour) -> Self {
        Self {
            luma: Plane::new(width, height, colour.y),
            u: Plane::new(width / 2, height / 2, colour.u),
            v: Plane::new(width / 2, height / 2, colour.v),
        }
    }

    /// The planes in the order in which raw I420 is written.
    pub fn planes(&self) -> [&Plane; 3] {
        [&self.luma, &self.u, &self.v]
    }

    /// Fills a rectangle.
    pub fn fill(&mut self, area: Rect, colour: Colour) {
        self.luma.fill(area, colour.y);
        self.u.fill(area.halved(), colour.u);
        self.v.fill(area.halved(), colour.v);
    }

    /// Paints `colour` through `mask`, whose top left comes to lie at (`left`, `top`).
    pub fn paint(&mut self, left: usize, top: usize, mask: &Mask, colour: Colour) {
        let area = Rect { left, top, right: left + mask.width(), bottom: top + mask.height() };
        for (row, coverage) in self.luma.rows_mut(area).zip(mask.rows()) {
            for (pixel, &coverage) in row.iter_mut().zip(coverage) {
                *pixel = mix(*pixel, colour.y, coverage);
            }
        }
        for (plane, value) in [(&mut self.u, colour.u), (&mut self.v, colour.v)] {
            for (row, coverage) in plane.rows_mut(area.halved()).zip(mask.rows().step_by(2)) {
                for (pixel, &coverage) in row.iter_mut().zip(coverage.iter().step_by(2)) {
                    *pixel = mix(*pixel, value, coverage);
                }
            }
        }
    }
}

/// `under` with `coverage`/255 of `over` on top.
fn mix(under: u8, over: u8, coverage: u8) -> u8 {
    let (under, over, coverage) = (u32::from(under), u32::from(over), u32::from(coverage));
    let mixed = (under * (255 - coverage) + over * coverage + 127) / 255;
    u8::try_from(mixed).unwrap_or(u8::MAX)
}

/// Rounds to a byte; below 0 is 0 and above 255 is 255.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate, which is what is wanted"
)]
fn to_byte(value: f32) -> u8 {
    value.round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_bt709_in_video_range() {
        assert_eq!(Colour::rgb(0, 0, 0), Colour { y: 16, u: 128, v: 128 });
        assert_eq!(Colour::rgb(255, 255, 255), Colour { y: 235, u: 128, v: 128 });
        // BT.709 primaries, 8 bits.
        assert_eq!(Colour::rgb(255, 0, 0), Colour { y: 63, u: 102, v: 240 });
        assert_eq!(Colour::rgb(0, 0, 255), Colour { y: 32, u: 240, v: 118 });
    }

    #[test]
    fn what_lies_outside_is_not_drawn() {
        let mut plane = Plane::new(4, 2, 9);
        plane.fill(Rect { left: 3, top: 1, right: 40, bottom: 20 }, 1);
        plane.fill(Rect { left: 7, top: 0, right: 9, bottom: 2 }, 5);
        assert_eq!(plane.bytes(), [9, 9, 9, 9, 9, 9, 9, 1]);
        assert_eq!(plane.mean(Rect { left: 2, top: 1, right: 99, bottom: 99 }), 5);
    }
}
