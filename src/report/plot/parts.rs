//! Draws where errors come from: for each panel the share of every part in their sum, stacked, above, and each part as a line on
//! logarithmic axes below, both against the number of steps.

use std::path::Path;

use super::PlotError;
use super::axes::{Frame, Scale, TICK_SIZE, label_room};
use super::canvas::{Align, Canvas, GREY, INK};
use super::legend::{Legend, marker, pen};
use super::text::{self, TITLE_SIZE, line_height, title_lines};

const LABEL: u32 = 11;
const GAP: f64 = 20.0;
const WIDE: f64 = 280.0;
const TALL: [f64; 2] = [110.0, 240.0];
const BETWEEN: f64 = 16.0;
const TICKS: [usize; 2] = [6, 5];

/// One panel of the [`parts`] figure.
#[derive(Debug, Clone, PartialEq)]
pub struct PartsPanel<'a> {
    /// The method.
    pub title: &'a str,
    /// Steps, and for each the parts in the order of the names, the whole last.
    pub points: Vec<(f64, Vec<f64>)>,
    /// A remark set in the lower half, such as a slope.
    pub note: String,
}

/// Draws the parts of errors: `names` are those of the parts, the last that of the whole.
///
/// Parts that are not finite, or not above 0 where the axis is logarithmic, are left out.
///
/// # Errors
/// If one of the two files cannot be written.
pub fn parts(stem: &Path, title: &str, names: &[&str], panels: &[PartsPanel<'_>]) -> Result<(), PlotError> {
    let count = names.len().saturating_sub(1);
    let all = || panels.iter().flat_map(|p| &p.points);
    let steps = ends(all().map(|(n, _)| *n));
    let values = ends(all().flat_map(|(_, v)| v.iter().copied()));
    let (x, low, high) = (
        Scale::log(steps.0 / 1.2, steps.1 * 1.2),
        Scale::log(values.0.max(values.1 * 1e-7), values.1),
        Scale::linear(0.0, 1.0),
    );
    let across = panels.len().clamp(1, 4);
    let down = panels.len().div_ceil(across).max(1);
    let left = 14.0 + label_room(&high, TICKS[1], TICK_SIZE).max(label_room(&low, TICKS[1], TICK_SIZE));
    let body = across as f64 * (WIDE + GAP) - GAP;
    let width = left + body + 18.0;
    let legend = Legend::new(names, true, width - 24.0);
    let title = title_lines(title, width);
    let top = 12.0 + title.len() as f64 * line_height(TITLE_SIZE) + 8.0;
    let row = line_height(LABEL) + 6.0 + TALL[0] + BETWEEN + TALL[1] + 30.0;
    let bottom = top + down as f64 * row + line_height(LABEL);
    let mut canvas = Canvas::new(width, bottom + 14.0 + legend.height() + 10.0);
    canvas.paragraph([width / 2.0, 12.0 + f64::from(TITLE_SIZE)], &title, TITLE_SIZE, Align::Middle);
    for (i, panel) in panels.iter().enumerate() {
        let (column, at) = (i % across, top + (i / across) as f64 * row + line_height(LABEL) + 6.0);
        let corner = left + column as f64 * (WIDE + GAP);
        let upper = Frame { left: corner, top: at, width: WIDE, height: TALL[0], x, y: high };
        let lower = Frame { top: at + TALL[0] + BETWEEN, height: TALL[1], y: low, ..upper };
        let head = text::shorten(panel.title, LABEL, WIDE);
        canvas.text([corner + WIDE / 2.0, at - 6.0], &head, LABEL, Align::Middle, INK);
        stacked(&mut canvas, &upper, panel, count);
        upper.axes(&mut canvas, TICKS, TICK_SIZE, [false, column == 0]);
        lower.grid(&mut canvas, TICKS);
        lines(&mut canvas, &lower, panel, names.len());
        lower.axes(&mut canvas, TICKS, TICK_SIZE, [true, column == 0]);
        let corner = [lower.left + WIDE - 8.0, lower.top + 8.0 + f64::from(TICK_SIZE)];
        canvas.text(corner, &panel.note, TICK_SIZE, Align::Right, GREY);
    }
    canvas.text([left, top - 2.0], "share of the sum; error", LABEL, Align::Left, INK);
    canvas.text([left + body / 2.0, bottom], "steps", LABEL, Align::Middle, INK);
    legend.draw(&mut canvas, [left + (body - legend.width()).max(0.0) / 2.0, bottom + 14.0]);
    canvas.save(stem)
}

/// The least and the largest of the values above 0.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let usable = values.filter(|v| v.is_finite() && *v > 0.0);
    usable.fold((f64::INFINITY, 0.0), |(low, high), v| (low.min(v), high.max(v)))
}

/// A bar for each step count: the shares of the parts, one on the other. Without a bar where a part is not finite.
fn stacked(canvas: &mut Canvas, frame: &Frame, panel: &PartsPanel<'_>, count: usize) {
    let places: Vec<f64> = panel.points.iter().map(|(n, _)| frame.place(*n, 0.0)[0]).collect();
    let nearest = places.windows(2).map(|p| (p[1] - p[0]).abs()).fold(40.0, f64::min);
    let half = 0.36 * nearest;
    for ((_, values), x) in panel.points.iter().zip(&places) {
        let sum: f64 = values[..count].iter().sum();
        let mut below = 0.0;
        for (number, value) in values[..count].iter().enumerate().filter(|_| sum.is_finite() && sum > 0.0) {
            let (from, to) = (frame.place(1.0, below / sum)[1], frame.place(1.0, (below + value) / sum)[1]);
            if from - to > 0.25 {
                canvas.rect([x - half, to], 2.0 * half, from - to, pen(number).colour);
            }
            below += value;
        }
    }
}

fn lines(canvas: &mut Canvas, frame: &Frame, panel: &PartsPanel<'_>, count: usize) {
    canvas.clip([frame.left, frame.top], frame.width, frame.height);
    // The whole first: a part that makes all of it is drawn over it.
    for number in (0..count).rev() {
        let usable = panel.points.iter().filter_map(|(n, v)| Some((*n, *v.get(number)?)));
        let usable = usable.filter(|(_, v)| v.is_finite() && *v > 0.0);
        let places: Vec<_> = usable.map(|(n, v)| frame.place(n, v)).collect();
        canvas.line(&places, pen(number));
        for place in places {
            marker(canvas, number, place, 3.0);
        }
    }
    canvas.unclip();
}
