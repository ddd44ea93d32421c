//! Draws a quantity above 0 against log-SNR, one line for each series.

use std::path::Path;

use super::PlotError;
use super::axes::{Frame, Scale, TICK_SIZE, label_room};
use super::canvas::{Align, Canvas, INK, Pen};
use super::legend::{Legend, marker, pen};
use super::text::{TITLE_SIZE, line_height, title_lines};

const LABEL: u32 = 11;
const WIDE: f64 = 520.0;
const TALL: f64 = 320.0;
const TICKS: [usize; 2] = [7, 6];

/// A named line, and what it should stay below.
#[derive(Debug)]
pub struct LevelSeries {
    /// The name.
    pub name: String,
    /// Values by ln(α/σ).
    pub points: Vec<(f64, f64)>,
    /// The bound at the same places, drawn as a dashed line of the same colour.
    pub bound: Vec<(f64, f64)>,
}

/// Draws values against ln(α/σ), noise at the left: named lines on a logarithmic vertical axis, with their bounds, which `note` explains.
///
/// Points that are not finite, or whose value is not above 0, are left out.
///
/// # Errors
/// If one of the two files cannot be written.
pub fn levels(
    stem: &Path,
    title: &str,
    (y_label, note): (&str, &str),
    series: &[LevelSeries],
) -> Result<(), PlotError> {
    let usable = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite() && *y > 0.0).collect()
    };
    let lines: Vec<Vec<(f64, f64)>> = series.iter().map(|s| usable(&s.points)).collect();
    let bounds: Vec<Vec<(f64, f64)>> = series.iter().map(|s| usable(&s.bound)).collect();
    let ends = |pick: fn(&(f64, f64)) -> f64| {
        let values = lines.iter().chain(&bounds).flatten().map(pick);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let (across, up) = (ends(|p| p.0), ends(|p| p.1));
    let margin = 0.03 * (across.1 - across.0);
    let (x, y) = (Scale::linear(across.0 - margin, across.1 + margin), Scale::log(up.0, up.1));
    let names: Vec<&str> = series.iter().map(|s| s.name.as_str()).collect();
    let left = 14.0 + label_room(&y, TICKS[1], TICK_SIZE);
    let width = left + WIDE + 26.0;
    let legend = Legend::new(&names, true, width - 24.0);
    let title = title_lines(title, width);
    let top = 12.0 + title.len() as f64 * line_height(TITLE_SIZE) + 6.0 + line_height(LABEL);
    let bottom = top + TALL + 22.0 + 2.0 * line_height(LABEL);
    let mut canvas = Canvas::new(width, bottom + 22.0 + legend.height());
    canvas.paragraph([width / 2.0, 12.0 + f64::from(TITLE_SIZE)], &title, TITLE_SIZE, Align::Middle);
    let frame = Frame { left, top, width: WIDE, height: TALL, x, y };
    frame.grid(&mut canvas, TICKS);
    canvas.clip([left, top], WIDE, TALL);
    for (number, points) in bounds.iter().enumerate() {
        let places: Vec<_> = points.iter().map(|(x, y)| frame.place(*x, *y)).collect();
        canvas.line(&places, Pen { dash: &[4.0, 3.0], width: 1.2, ..pen(number) });
    }
    for (number, points) in lines.iter().enumerate() {
        let places: Vec<_> = points.iter().map(|(x, y)| frame.place(*x, *y)).collect();
        canvas.line(&places, pen(number));
        for place in places {
            marker(&mut canvas, number, place, 2.8);
        }
    }
    canvas.unclip();
    frame.axes(&mut canvas, TICKS, TICK_SIZE, [true, true]);
    let below = "ln(α/σ): noise at the left, data at the right";
    let middle = left + WIDE / 2.0;
    canvas.text([middle, bottom - line_height(LABEL)], below, LABEL, Align::Middle, INK);
    canvas.text([middle, bottom], note, LABEL, Align::Middle, INK);
    canvas.text([left, top - 6.0], y_label, LABEL, Align::Left, INK);
    legend.draw(&mut canvas, [left + (WIDE - legend.width()) / 2.0, bottom + 12.0]);
    canvas.save(stem)
}
