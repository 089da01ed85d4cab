//! A moving test card: a pitch at night with a scoreboard clock, the machine-readable frame clock, and things that move.

use std::f32::consts::TAU;
use std::fmt::Display;

use crate::frame_clock::{self, Stamp};
use crate::picture::{Colour, Lettering, Mask, Picture, Rect};

/// Heights of the card's own coordinates: everything is laid out on 1280x720 and scaled by the height.
const DESIGN_HEIGHT: usize = 720;
/// The ball runs along the touchline and back in this time.
const BALL_PERIOD_MS: u64 = 4_000;
/// Marks around the centre circle that light up one by one within each second.
const MARKS: u16 = 60;
/// 75 % colour bars, left to right, as red, green and blue.
const BARS: [(u8, u8, u8); 8] =
    [(191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191), (16, 16, 16)];

/// Draws the frames of one feed.
pub struct TestCard {
    still: Picture,
    frame: Picture,
    scale: Scale,
    clock: Lettering,
    small: Lettering,
    mark: Mask,
    ball: Mask,
    palette: Palette,
}

struct Palette {
    ink: Colour,
    dim: Colour,
    accent: Colour,
    line: Colour,
    panel: Colour,
}

/// From the card's own coordinates to pixels.
#[derive(Clone, Copy)]
struct Scale {
    width: usize,
    height: usize,
}

impl Scale {
    fn length(self, design: usize) -> usize {
        design * self.height / DESIGN_HEIGHT
    }

    fn middle(self) -> usize {
        self.width / 2
    }

    /// The panel behind the clock.
    fn panel(self) -> Rect {
        let half_width = self.length(385);
        Rect {
            left: self.middle().saturating_sub(half_width),
            top: self.length(192),
            right: self.middle() + half_width,
            bottom: self.length(388),
        }
    }
}

impl TestCard {
    /// A card for pictures of this size (both even), with `caption` beneath its name.
    pub fn new(width: usize, height: usize, caption: impl Display) -> Self {
        let scale = Scale { width, height };
        let palette = Palette {
            ink: Colour::rgb(244, 247, 245),
            dim: Colour::rgb(150, 170, 160),
            accent: Colour::rgb(255, 196, 61),
            line: Colour::rgb(74, 104, 90),
            panel: Colour::rgb(9, 16, 14),
        };
        let small = Lettering::new(scale.length(24));
        let still = background(scale, &palette, &small, &caption.to_string());
        Self {
            frame: still.clone(),
            still,
            scale,
            clock: Lettering::new(scale.length(84)),
            small,
            mark: Mask::disc(scale.length(9).max(3)),
            ball: Mask::disc(scale.length(44)),
            palette,
        }
    }

    /// The frame number `number` as it is drawn at `unix_ms`.
    pub fn draw(&mut self, unix_ms: u64, number: u64) -> &Picture {
        self.frame.clone_from(&self.still);
        self.draw_second(unix_ms);
        self.draw_ball(unix_ms);
        self.write_centred(226, &wall_clock(unix_ms), Size::Clock);
        self.write_centred(338, &format!("UTC   FRAME {number:08}"), Size::Small);
        let [.., sequence] = number.to_be_bytes();
        frame_clock::encode(&mut self.frame.luma, Stamp::new(unix_ms, sequence));
        &self.frame
    }

    /// The marks around the centre circle: those of the part of the second that has passed are lit.
    fn draw_second(&mut self, unix_ms: u64) {
        let passed = unix_ms % 1000 * u64::from(MARKS) / 1000;
        let panel = self.scale.panel();
        for mark in 0..MARKS {
            let (left, top) = on_circle(self.scale, f32::from(mark) / f32::from(MARKS), self.mark.width());
            if top + self.mark.height() > panel.top && top < panel.bottom {
                continue;
            }
            let colour = if u64::from(mark) <= passed { self.palette.accent } else { self.palette.line };
            self.frame.paint(left, top, &self.mark, colour);
        }
    }

    fn draw_ball(&mut self, unix_ms: u64) {
        let phase = unix_ms % BALL_PERIOD_MS;
        let there = phase.min(BALL_PERIOD_MS - phase);
        let room = self.scale.width - 2 * self.scale.length(40) - self.ball.width();
        let along = usize::try_from(there).unwrap_or(0) * room * 2 / usize::try_from(BALL_PERIOD_MS).unwrap_or(1);
        let top = self.scale.length(600) - self.ball.height();
        self.frame.paint(self.scale.length(40) + along, top, &self.ball, self.palette.ink);
    }

    fn write_centred(&mut self, top: usize, text: &str, size: Size) {
        let (lettering, colour) = match size {
            Size::Clock => (&self.clock, self.palette.ink),
            Size::Small => (&self.small, self.palette.dim),
        };
        let left = self.scale.middle().saturating_sub(lettering.width(text) / 2);
        lettering.write(&mut self.frame, left, self.scale.length(top), text, colour);
    }
}

#[derive(Clone, Copy)]
enum Size {
    Clock,
    Small,
}

/// Everything that does not move.
fn background(scale: Scale, palette: &Palette, small: &Lettering, caption: &str) -> Picture {
    let mut picture = Picture::new(scale.width, scale.height, Colour::rgb(17, 48, 36));
    mow(&mut picture, scale);
    mark_pitch(&mut picture, scale, palette);
    show_bars(&mut picture, scale);

    let area = scale.panel();
    let corner = f32::from(u16::try_from(scale.length(18)).unwrap_or(0));
    let panel = Mask::panel(area.right - area.left, area.bottom - area.top, corner);
    picture.paint(area.left, area.top, &panel, palette.panel);
    // The cells are luma only: their chroma has to be neutral.
    picture.fill(frame_clock::area(scale.width, scale.height), Colour::rgb(0, 0, 0));

    let name = Lettering::new(scale.length(38));
    let right = scale.width - scale.length(40);
    let title = "TOUCHLINE";
    name.write(&mut picture, right.saturating_sub(name.width(title)), scale.length(36), title, palette.ink);
    small.write(&mut picture, right.saturating_sub(small.width(caption)), scale.length(92), caption, palette.dim);
    picture
}

/// Stripes of mown grass.
fn mow(picture: &mut Picture, scale: Scale) {
    const STRIPES: usize = 12;
    for stripe in (0..STRIPES).step_by(2) {
        let (left, right) = (stripe * scale.width / STRIPES, (stripe + 1) * scale.width / STRIPES);
        picture.fill(Rect { left, top: 0, right, bottom: scale.height }, Colour::rgb(14, 41, 31));
    }
}

/// Halfway line, centre circle, penalty areas and the touchline.
fn mark_pitch(picture: &mut Picture, scale: Scale, palette: &Palette) {
    let line = scale.length(4).max(2);
    let (touchline, middle, depth) = (scale.length(600), scale.middle(), scale.length(150));
    let mut across = |left: usize, top: usize, right: usize| {
        picture.fill(Rect { left, top, right, bottom: top + line }, palette.line);
    };
    across(0, scale.length(140), depth);
    across(0, scale.length(440), depth);
    across(scale.width - depth, scale.length(140), scale.width);
    across(scale.width - depth, scale.length(440), scale.width);
    let mut down = |left: usize, top: usize, bottom: usize| {
        picture.fill(Rect { left, top, right: left + line, bottom }, palette.line);
    };
    down(depth, scale.length(140), scale.length(440) + line);
    down(scale.width - depth - line, scale.length(140), scale.length(440) + line);
    down(middle - line / 2, 0, touchline);
    picture.fill(Rect { left: 0, top: touchline, right: scale.width, bottom: touchline + line }, palette.ink);
}

/// Colour bars and a grey staircase along the foot of the picture.
fn show_bars(picture: &mut Picture, scale: Scale) {
    let (first, last) = (scale.length(40), scale.width - scale.length(40));
    let (bars, stairs, foot) = (scale.length(632), scale.length(668), scale.length(692));
    let edge = |step: usize, steps: usize| first + (last - first) * step / steps;
    for (step, (red, green, blue)) in BARS.into_iter().enumerate() {
        let (left, right) = (edge(step, BARS.len()), edge(step + 1, BARS.len()));
        picture.fill(Rect { left, top: bars, right, bottom: stairs }, Colour::rgb(red, green, blue));
    }
    for step in 0..=15_u8 {
        let (left, right) = (edge(step.into(), 16), edge(usize::from(step) + 1, 16));
        let grey = step * 17;
        picture.fill(Rect { left, top: stairs, right, bottom: foot }, Colour::rgb(grey, grey, grey));
    }
}

/// Top left of a mark of this size at `turn` (0 to 1, clockwise from the top) of the centre circle.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "picture coordinates are small"
)]
fn on_circle(scale: Scale, turn: f32, size: usize) -> (usize, usize) {
    let radius = scale.length(235) as f32;
    let (sin, cos) = (turn * TAU).sin_cos();
    let half = size as f32 / 2.0;
    let left = scale.middle() as f32 + radius * sin - half;
    let top = scale.length(290) as f32 - radius * cos - half;
    (left.round() as usize, top.round() as usize)
}

/// HH:MM:SS.mmm in UTC.
fn wall_clock(unix_ms: u64) -> String {
    let (seconds, ms) = (unix_ms / 1000, unix_ms % 1000);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    format!("{:02}:{:02}:{:02}.{ms:03}", hours % 24, minutes % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_utc() {
        assert_eq!(wall_clock(1_795_381_200_123), "21:00:00.123");
        assert_eq!(wall_clock(86_399_999), "23:59:59.999");
    }

    #[test]
    fn every_frame_carries_its_stamp_at_every_size() {
        for (width, height) in [(320, 180), (640, 360), (854, 480), (1280, 720), (1920, 1080)] {
            let mut card = TestCard::new(width, height, "30 FPS");
            for number in [0, 1, 300] {
                let read = frame_clock::decode(&card.draw(1_795_381_200_123 + number * 33, number).luma);
                assert_eq!(
                    read,
                    Some(Stamp::new(1_795_381_200_123 + number * 33, number.to_be_bytes()[7])),
                    "{width}x{height}"
                );
            }
        }
    }

    #[test]
    fn consecutive_frames_differ_outside_the_frame_clock() {
        let mut card = TestCard::new(640, 360, "30 FPS");
        let foot = |picture: &Picture| picture.luma.bytes()[40 * 640..].to_vec();
        let first = foot(card.draw(1_000_000, 7));
        let second = foot(card.draw(1_000_033, 8));
        assert!(first.iter().zip(&second).filter(|(a, b)| a != b).count() > 500);
    }
}
