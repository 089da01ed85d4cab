//! Plots of what happened over time, as SVG: the pages of reports carry them within themselves.

use std::fmt::{self, Display};

/// Size of a plot and of the room around its lines, in pixels.
const SIZE: [f64; 2] = [720.0, 220.0];
const LEFT: f64 = 56.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 28.0;
/// Lines of the grid that a plot has at least.
const GRID: f64 = 4.0;
/// Colours of lines that are told apart by people who do not see red and green too (Okabe and Ito, 2008).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// Lines over the same time.
#[derive(Clone, Debug, Default)]
pub struct Plot {
    /// What is shown.
    pub title: String,
    /// Its unit.
    pub unit: &'static str,
    /// The lines.
    pub lines: Vec<Line>,
    /// Moments that mattered, in seconds.
    pub marks: Vec<Mark>,
}

/// A line.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// Seconds, and what was measured then; `None` where there was nothing to measure.
    pub points: Vec<(f64, Option<f64>)>,
}

/// A moment that mattered.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// In seconds.
    pub at: f64,
    /// What happened.
    pub what: String,
}

/// What a plot shows, from 0 to its ends.
#[derive(Clone, Copy)]
struct Scale {
    seconds: f64,
    most: f64,
    step: f64,
}

impl Plot {
    fn scale(&self) -> Scale {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let seconds = points().map(|(at, _)| *at).fold(1.0, f64::max);
        let most = points().filter_map(|(_, value)| *value).filter(|value| value.is_finite()).fold(0.0, f64::max);
        let step = round_step(most / GRID);
        Scale { seconds, most: (most / step).ceil().max(1.0) * step, step }
    }
}

/// A step of 1, 2 or 5 times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    if step <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|round| *round >= step * 0.999).unwrap_or(10.0 * power)
}

impl Scale {
    fn x(self, seconds: f64) -> f64 {
        let [width, _] = SIZE;
        LEFT + seconds / self.seconds * (width - LEFT - RIGHT)
    }

    fn y(self, value: f64) -> f64 {
        let [_, height] = SIZE;
        height - BOTTOM - value.min(self.most) / self.most * (height - TOP - BOTTOM)
    }
}

impl Display for Plot {
    /// A figure of HTML with the plot in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.scale();
        let [width, height] = SIZE;
        let title = Escaped(&self.title);
        writeln!(f, "<figure><figcaption>{title}, {}", Escaped(self.unit))?;
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            write!(f, " <span style=\"color:{colour}\">&#9632; {}</span>", Escaped(&line.name))?;
        }
        writeln!(f, "</figcaption>")?;
        writeln!(f, "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\">")?;
        draw_grid(f, scale)?;
        for mark in &self.marks {
            let x = scale.x(mark.at);
            let end = height - BOTTOM;
            writeln!(
                f,
                "<line class=\"mark\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{end}\"><title>{}</title></line>",
                Escaped(&mark.what)
            )?;
        }
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            draw_line(f, line, colour, scale)?;
        }
        writeln!(f, "</svg></figure>")
    }
}

fn draw_grid(f: &mut fmt::Formatter<'_>, scale: Scale) -> fmt::Result {
    let [width, height] = SIZE;
    let right = width - RIGHT;
    let mut value = 0.0;
    while value <= scale.most * 1.001 {
        let y = scale.y(value);
        writeln!(f, "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>")?;
        let label = format!("{value:.3}");
        let label = label.trim_end_matches('0').trim_end_matches('.');
        writeln!(f, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 6.0, y + 4.0)?;
        value += scale.step;
    }
    let step = round_step(scale.seconds / 8.0).max(1.0);
    let mut seconds = 0.0;
    while seconds <= scale.seconds {
        let (x, y) = (scale.x(seconds), height - 8.0);
        writeln!(f, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{seconds} s</text>")?;
        seconds += step;
    }
    Ok(())
}

/// Draws a line, which is broken where there was nothing to measure.
fn draw_line(f: &mut fmt::Formatter<'_>, line: &Line, colour: &str, scale: Scale) -> fmt::Result {
    write!(f, "<path stroke=\"{colour}\" d=\"")?;
    let mut pen = 'M';
    for (at, value) in &line.points {
        match value {
            Some(value) => {
                write!(f, "{pen}{:.1} {:.1}", scale.x(*at), scale.y(*value))?;
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    writeln!(f, "\"><title>{}</title></path>", Escaped(&line.name))
}

/// The styles that plots and tables of a page need.
pub const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:2em auto;padding:0 1em;color:#222;background:#fff}\
h1{font-size:1.4em}table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em .2em 0;text-align:left;vertical-align:top}\
td.n{text-align:right;font-variant-numeric:tabular-nums}figure{margin:1.5em 0}figcaption{font-size:.9em}\
svg{width:100%;height:auto}path{fill:none;stroke-width:1.5}.grid{stroke:#ddd}.mark{stroke:#999;stroke-dasharray:4 3}\
text{font-size:11px;fill:#555}.go{color:#007a4d}.nogo{color:#b00020}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}.grid{stroke:#333}text{fill:#aaa}.go{color:#4cc38a}.nogo{color:#ff6b6b}}";

/// Text in HTML.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(
    /// As it is.
    pub &'a str,
);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_is_a_figure_of_its_own() {
        let points = vec![(0.0, Some(0.0)), (1.0, Some(30.0)), (2.0, None), (3.0, Some(70.0)), (4.0, Some(75.0))];
        let plot = Plot {
            title: "Parts <late>".to_owned(),
            unit: "ms",
            lines: vec![Line { name: "p99".to_owned(), points }],
            marks: vec![Mark { at: 2.0, what: "the origin is killed".to_owned() }],
        };
        insta::assert_snapshot!(plot.to_string());
    }

    #[test]
    fn grids_have_round_steps() {
        let steps = [0.0, 0.013, 1.0, 18.0, 260.0].map(round_step);
        assert_eq!(steps.map(|step| format!("{step:.2}")), ["1.00", "0.02", "1.00", "20.00", "500.00"]);
    }
}
