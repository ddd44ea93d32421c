//! Draws training curves: loss against step, smoothed over the faint raw values.

use std::path::Path;

use super::PlotError;
use super::axes::{Frame, Scale, TICK_SIZE, label_room, robust_range};
use super::canvas::{Align, Canvas, INK, Pen};
use super::legend::{Legend, pen};
use super::text::{TITLE_SIZE, line_height, title_lines};

/// Points drawn of one raw curve at most.
const MOST_POINTS: usize = 2500;
const LABEL: u32 = 11;
const WIDE: f64 = 520.0;
const TALL: f64 = 320.0;
const TICKS: [usize; 2] = [6, 6];

/// A named training curve: pairs of step and loss.
pub type Curve = (String, Vec<(f64, f64)>);

/// Draws the loss of one or more trainings against the step.
///
/// The strong line is the mean over a moving window of one fiftieth of the curve, in which values far above
/// all others are cut to size. The vertical range need
/// not hold the outermost raw values, and is logarithmic where the smoothed loss is positive and
/// falls more than thirtyfold.
///
/// # Errors
///
/// If one of the two files cannot be written.
pub fn curve(stem: &Path, title: &str, curves: &[Curve]) -> Result<(), PlotError> {
    let raw: Vec<Vec<(f64, f64)>> = curves
        .iter()
        .map(|(_, points)| points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect())
        .collect();
    let smooth: Vec<_> = raw.iter().map(|points| smoothed(points)).collect();
    let (x, y) = scales(&raw, &smooth);

    let names: Vec<&str> = curves.iter().map(|(name, _)| name.as_str()).collect();
    let left = 14.0 + label_room(&y, TICKS[1], TICK_SIZE);
    let width = left + WIDE + 26.0;
    let legend = Legend::new(&names, false, width - 24.0);
    let title = title_lines(title, width);
    let top = 12.0 + title.len() as f64 * line_height(TITLE_SIZE) + 6.0 + line_height(LABEL);
    let bottom = top + TALL + 22.0 + line_height(LABEL);
    let several = curves.len() > 1;
    let height = bottom + 8.0 + if several { 14.0 + legend.height() } else { 0.0 };

    let mut canvas = Canvas::new(width, height);
    canvas.paragraph([width / 2.0, 12.0 + f64::from(TITLE_SIZE)], &title, TITLE_SIZE, Align::Middle);
    let frame = Frame { left, top, width: WIDE, height: TALL, x, y };
    frame.grid(&mut canvas, TICKS);
    canvas.clip([left, top], WIDE, TALL);
    for (i, points) in raw.iter().enumerate() {
        let stride = points.len().div_ceil(MOST_POINTS).max(1);
        let places: Vec<_> = points.iter().step_by(stride).map(|(x, y)| frame.place(*x, *y)).collect();
        canvas.line(&places, Pen { alpha: 0.25, width: 0.8, dash: &[], ..pen(i) });
    }
    for (i, points) in smooth.iter().enumerate() {
        let stride = points.len().div_ceil(MOST_POINTS).max(1);
        let places: Vec<_> = points.iter().step_by(stride).map(|(x, y)| frame.place(*x, *y)).collect();
        canvas.line(&places, Pen { width: 2.0, ..pen(i) });
    }
    canvas.unclip();
    frame.axes(&mut canvas, TICKS, TICK_SIZE, [true, true]);
    canvas.text([left + WIDE / 2.0, bottom], "training step", LABEL, Align::Middle, INK);
    canvas.text([left, top - 6.0], "loss", LABEL, Align::Left, INK);
    if several {
        legend.draw(&mut canvas, [left + (WIDE - legend.width()) / 2.0, bottom + 12.0]);
    }
    canvas.save(stem)
}

/// The mean over a window around each point, cut off at both ends of the curve.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let most = points.len() / 100;
    let (_, bound) = robust_range(points.iter().map(|(_, y)| *y), 0.01, 10.0);
    let mut sums = vec![0.0];
    for (_, y) in points {
        sums.push(sums[sums.len() - 1] + y.min(bound));
    }
    let mean = |i: usize| {
        let (from, to) = (i.saturating_sub(most), (i + most + 1).min(points.len()));
        (sums[to] - sums[from]) / (to - from) as f64
    };
    points.iter().enumerate().map(|(i, (x, _))| (*x, mean(i))).collect()
}

fn scales(raw: &[Vec<(f64, f64)>], smooth: &[Vec<(f64, f64)>]) -> (Scale, Scale) {
    let steps = robust_range(raw.iter().flatten().map(|(x, _)| *x), 0.0, 0.0);
    let x = Scale::linear(steps.0, steps.1);
    let (lo, hi) = robust_range(raw.iter().flatten().map(|(_, y)| *y), 0.01, 0.06);
    let means = || smooth.iter().flatten().map(|(_, y)| *y);
    let least = means().fold(f64::INFINITY, f64::min);
    let most = means().fold(f64::NEG_INFINITY, f64::max);
    let y = if least > 0.0 && most > 30.0 * least {
        Scale::log(least * 0.8, most)
    } else {
        Scale::linear(lo, hi.max(most.min(lo + 2.0 * (hi - lo))))
    };
    (x, y)
}
