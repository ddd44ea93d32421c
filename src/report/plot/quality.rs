//! Draws quality against score evaluations on logarithmic axes, one panel for each process.

use std::path::Path;

use super::PlotError;
use super::axes::{Frame, Scale, TICK_SIZE, label_room};
use super::canvas::{Align, Canvas, GREY, INK, PALE, Pen};
use super::legend::{Legend, marker, pen};
use super::text::{self, TITLE_SIZE, line_height, title_lines};

const LABEL: u32 = 11;
const GAP: f64 = 20.0;
const TICKS: [usize; 2] = [6, 7];

/// The quality of one method at one number of evaluations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Score evaluations for each sample.
    pub evals: f64,
    /// The mean over repeats.
    pub mean: f64,
    /// The lower end of the interval; one that is not above 0 is drawn down to the edge of the panel.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// One method of a [`quality`] panel.
#[derive(Debug, Clone, PartialEq)]
pub struct QualitySeries<'a> {
    /// The method; the same name looks the same in every panel.
    pub name: &'a str,
    /// Its points; a single one is drawn with an error bar, several as a line with a band.
    pub points: Vec<Quality>,
}

/// One panel of the [`quality`] figure.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityPanel<'a> {
    /// The process, such as "vp".
    pub title: &'a str,
    /// The methods.
    pub series: Vec<QualitySeries<'a>>,
}

/// The quality that perfect samples would reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floor {
    /// The mean over repeats.
    pub mean: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// Draws quality against evaluations: panels with shared logarithmic axes and one legend outside them.
///
/// The texts are the title, the name of the vertical axis and a note on what the intervals are. The vertical range
/// follows the means, so that a wide interval may leave the panel. Points whose mean or number of evaluations is not
/// finite and positive cannot be placed and are left out; how many means are not above 0 is added to the note.
///
/// # Errors
///
/// If one of the two files cannot be written.
pub fn quality(
    stem: &Path,
    [title, y_label, note]: [&str; 3],
    panels: &[QualityPanel<'_>],
    floor: Option<Floor>,
) -> Result<(), PlotError> {
    let below = panels.iter().flat_map(|panel| &panel.series).flat_map(|series| &series.points);
    let below = below.filter(|point| point.mean <= 0.0 && point.mean.is_finite()).count();
    let note = match below {
        0 => note.to_owned(),
        n => format!("{note}; {n} means at or below 0 have no place on this axis"),
    };
    let floor = floor.filter(|floor| usable(floor.mean));
    let (x, y) = scales(panels, floor);
    let mut names: Vec<&str> = Vec::new();
    for series in panels.iter().flat_map(|panel| &panel.series) {
        if !names.contains(&series.name) {
            names.push(series.name);
        }
    }
    let across = panels.len().clamp(1, 4);
    let down = panels.len().div_ceil(across).max(1);
    let (wide, tall) = [(470.0, 350.0), (410.0, 320.0), (320.0, 300.0), (270.0, 270.0)][across - 1];

    let left = 14.0 + label_room(&y, TICKS[1], TICK_SIZE);
    let margin = if floor.is_some() { 40.0 } else { 14.0 };
    let body = left + across as f64 * (wide + GAP) - GAP + margin;
    let beside = across == 1;
    let legend = Legend::new(&names, true, if beside { 1.0 } else { body - 24.0 });
    let width = if beside { body + legend.width() + 12.0 } else { body };

    let title = title_lines(title, width);
    let note = text::wrap(&note, TICK_SIZE, width - 24.0);
    let under = 12.0 + title.len() as f64 * line_height(TITLE_SIZE);
    let top = under + note.len() as f64 * line_height(TICK_SIZE) + 8.0 + line_height(LABEL);
    let row = line_height(LABEL) + 6.0 + tall + 22.0;
    let bottom = top + down as f64 * row + line_height(LABEL);
    let below = if beside { 8.0 } else { 14.0 + legend.height() + 10.0 };
    let beside_bottom = top + line_height(LABEL) + 6.0 + legend.height() + 10.0;
    let height = if beside { (bottom + below).max(beside_bottom) } else { bottom + below };

    let mut canvas = Canvas::new(width, height);
    canvas.paragraph([width / 2.0, 12.0 + f64::from(TITLE_SIZE)], &title, TITLE_SIZE, Align::Middle);
    canvas.paragraph([width / 2.0, under + f64::from(TICK_SIZE)], &note, TICK_SIZE, Align::Middle);
    for (i, panel) in panels.iter().enumerate() {
        let column = i % across;
        let frame = Frame {
            left: left + column as f64 * (wide + GAP),
            top: top + (i / across) as f64 * row + line_height(LABEL) + 6.0,
            width: wide,
            height: tall,
            x,
            y,
        };
        let centre = frame.left + wide / 2.0;
        let head = text::shorten(panel.title, LABEL, wide);
        canvas.text([centre, frame.top - 6.0], &head, LABEL, Align::Middle, INK);
        frame.grid(&mut canvas, TICKS);
        draw_floor(&mut canvas, &frame, floor, column + 1 == across || i + 1 == panels.len());
        draw_panel(&mut canvas, &frame, panel, &names);
        frame.axes(&mut canvas, TICKS, TICK_SIZE, [true, column == 0]);
    }
    canvas.text([left, top - 2.0], y_label, LABEL, Align::Left, INK);
    let middle = left + (across as f64 * (wide + GAP) - GAP) / 2.0;
    canvas.text([middle, bottom], "score evaluations per sample", LABEL, Align::Middle, INK);
    let corner = if beside {
        [body, top + line_height(LABEL) + 6.0]
    } else {
        [(middle - legend.width() / 2.0).max(12.0), bottom + 14.0]
    };
    legend.draw(&mut canvas, corner);
    canvas.save(stem)
}

fn usable(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

/// The points of a series that can be placed, by number of evaluations.
fn placeable(series: &QualitySeries<'_>) -> Vec<Quality> {
    let mut points: Vec<_> =
        series.points.iter().copied().filter(|point| usable(point.mean) && usable(point.evals)).collect();
    points.sort_by(|a, b| a.evals.total_cmp(&b.evals));
    points
}

/// Scales that hold every mean and those ends of intervals that are less than a factor of three beyond them.
fn scales(panels: &[QualityPanel<'_>], floor: Option<Floor>) -> (Scale, Scale) {
    let points = || panels.iter().flat_map(|panel| &panel.series).flat_map(placeable);
    let floors = || floor.iter().copied().map(|floor| (floor.mean, floor.low, floor.high));
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values
            .filter(|v| usable(*v))
            .fold((f64::INFINITY, 0.0_f64), |(lo, hi): (f64, f64), v| (lo.min(v), hi.max(v)))
    };
    let evals = range(&mut points().map(|point| point.evals));
    let values = || points().map(|point| (point.mean, point.low, point.high)).chain(floors());
    let means = range(&mut values().map(|value| value.0));
    let ends = range(&mut values().flat_map(|value| [value.0, value.1, value.2]));
    let y = Scale::log(ends.0.max(means.0 / 3.0), ends.1.min(means.1 * 3.0));
    (Scale::log(evals.0, evals.1), y)
}

fn draw_floor(canvas: &mut Canvas, frame: &Frame, floor: Option<Floor>, named: bool) {
    let Some(floor) = floor else { return };
    let (right, lowest) = (frame.left + frame.width, frame.y.ends().0);
    let height =
        |value: f64| frame.place(1.0, value.max(lowest))[1].clamp(frame.top, frame.top + frame.height);
    if floor.low.is_finite() && usable(floor.high) {
        let (upper, lower) = (height(floor.high), height(floor.low));
        canvas.rect([frame.left, upper], frame.width, lower - upper, PALE);
    }
    let at = height(floor.mean);
    let dashed = Pen { dash: &[5.0, 3.0], ..Pen::new(GREY, 1.2) };
    canvas.line(&[[frame.left, at], [right, at]], dashed);
    if named {
        canvas.text([right + 5.0, at + 3.6], "floor", TICK_SIZE, Align::Left, GREY);
    }
}

fn draw_panel(canvas: &mut Canvas, frame: &Frame, panel: &QualityPanel<'_>, names: &[&str]) {
    canvas.clip([frame.left, frame.top], frame.width, frame.height);
    let series: Vec<_> = panel
        .series
        .iter()
        .map(|series| (names.iter().position(|name| *name == series.name).unwrap_or(0), placeable(series)))
        .collect();
    // An end that is not above 0 lies below all that a logarithmic axis shows.
    let low = |point: &Quality| {
        if point.low.is_finite() {
            point.low.clamp(frame.y.ends().0.min(point.mean), point.mean)
        } else {
            point.mean
        }
    };
    let high = |point: &Quality| if point.high.is_finite() { point.high.max(point.mean) } else { point.mean };
    let faint = if series.len() > 6 { 0.08 } else { 0.15 };
    for (number, points) in &series {
        let colour = pen(*number).colour;
        if let [point] = points.as_slice() {
            let (from, to) = (frame.place(point.evals, low(point)), frame.place(point.evals, high(point)));
            canvas.rule(from, to, 1.4, colour);
            for [x, y] in [from, to] {
                canvas.rule([x - 3.5, y], [x + 3.5, y], 1.4, colour);
            }
        } else {
            let upper = points.iter().map(|point| frame.place(point.evals, high(point)));
            let lower = points.iter().rev().map(|point| frame.place(point.evals, low(point)));
            canvas.polygon(&upper.chain(lower).collect::<Vec<_>>(), colour, faint);
        }
    }
    for (number, points) in &series {
        let places: Vec<_> = points.iter().map(|point| frame.place(point.evals, point.mean)).collect();
        canvas.line(&places, pen(*number));
    }
    for (number, points) in &series {
        for point in points {
            marker(canvas, *number, frame.place(point.evals, point.mean), 3.2);
        }
    }
    canvas.unclip();
}
